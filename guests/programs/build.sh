#!/bin/bash
# build.sh OUT : makes the `programs` guest: `tiny` with real programs under a load of their own, chosen by tiny.program=NAME on the kernel's command line:
# database, compressor, web. They are what forecasts are held against beside the memory writer; see bench/README.md.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$1
"$here/../tiny/build.sh" "$(dirname "$out")/tiny"
tiny=$(dirname "$out")/tiny
database=$(command -v sqlite3 || true)
[ -n "$database" ] || { echo "programs: no sqlite3 here; install the package sqlite3" >&2; exit 1; }
stamp=$({ cat "$here/build.sh" "$here"/root/* "$tiny/image.json"; sha256sum < "$database"; } | sha256sum | cut -c1-64)
if [ -f "$out/image.json" ] && grep -q "$stamp" "$out/image.json"; then exit 0; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/root/programs" "$work/root/bin"
install -m 755 "$here"/root/* "$work/root/programs/"
cp "$database" "$work/root/bin/sqlite3"
ldd "$database" | awk '/\(0x/ { for (i = 1; i <= NF; i++) if ($i ~ /^\//) print $i }' | sort -u | while read -r library; do
  mkdir -p "$work/root$(dirname "$library")"; cp -L "$library" "$work/root$library"
done
find "$work/root" -exec touch -h -d @0 {} +
mkdir -p "$out"
# The kernel unpacks one archive after the other.
{ cat "$tiny/initrd"; (cd "$work/root" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 --reproducible | gzip -n -9); } > "$out/initrd.new"
cp "$tiny/vmlinuz" "$out/vmlinuz.new"
rm -f "$out/image.json"
mv "$out/vmlinuz.new" "$out/vmlinuz"; mv "$out/initrd.new" "$out/initrd"
printf '{ "name": "programs", "kind": "kernel", "kernel": "vmlinuz", "initrd": "initrd", "stamp": "%s" }\n' "$stamp" > "$out/image.json"
echo "programs: built from $tiny in $out ($(du -h "$out/initrd" | cut -f1) initrd)"
