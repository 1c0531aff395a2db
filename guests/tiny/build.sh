#!/bin/bash
# build.sh OUT : makes the `tiny` guest in the folder OUT (vmlinuz, initrd, image.json) from Debian packages.
# Needs apt-get, dpkg-deb, cpio, gzip, xz, a static busybox and a C compiler. Nothing is installed; a second run with the same inputs ends at once.
set -euo pipefail
out=$1
here=$(cd "$(dirname "$0")" && pwd)
busybox=${BUSYBOX:-$(command -v busybox || true)}
compiler=${CC:-$(command -v gcc || command -v cc || true)}
[ -n "$busybox" ] || { echo "tiny: no busybox here; install the package busybox-static" >&2; exit 1; }
[ -n "$compiler" ] || { echo "tiny: no C compiler here; install the packages gcc and libc6-dev" >&2; exit 1; }

# The kernel is the one that Debian's meta package names today; an image built from the same inputs is kept.
kernel=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1)
[ -n "$kernel" ] || { echo "tiny: apt knows no linux-image-cloud-amd64; run apt-get update first" >&2; exit 1; }
stamp=$({ echo "$kernel"; cat "$here/build.sh" "$here/init" "$here/tinyd.c"; sha256sum < "$busybox"; } | sha256sum | cut -c1-64)
if [ -f "$out/image.json" ] && grep -q "$stamp" "$out/image.json"; then exit 0; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/deb" "$work/root"/{bin,dev,etc/acpi/PWRF,mod,proc,sys,tmp}
chmod 755 "$work"
(cd "$work/deb" && apt-get download -q -o APT::Sandbox::User=root "$kernel" >&2)
dpkg-deb -x "$work"/deb/*.deb "$work/kernel"
modules=$(echo "$work"/kernel/lib/modules/*)
[ -d "$modules" ] || modules=$(echo "$work"/kernel/usr/lib/modules/*)

# In the order of their dependencies; what a kernel has built in is left out.
: > "$work/root/mod/order"
for name in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci failover net_failover virtio_net virtio_blk button evdev; do
  file=$(find "$modules" \( -name "$name.ko" -o -name "$name.ko.xz" -o -name "$name.ko.zst" \) | head -n 1)
  [ -n "$file" ] || continue
  case $file in
    *.xz) xz -dc "$file" > "$work/root/mod/$name.ko" ;;
    *.zst) zstd -qdc "$file" > "$work/root/mod/$name.ko" ;;
    *) cp "$file" "$work/root/mod/$name.ko" ;;
  esac
  echo "$name.ko" >> "$work/root/mod/order"
done

cp "$busybox" "$work/root/bin/busybox"
"$compiler" -O2 -static -pthread -Wall -Wextra -Werror -o "$work/root/bin/tinyd" "$here/tinyd.c"
strip "$work/root/bin/tinyd" 2>/dev/null || true
cp "$here/init" "$work/root/init"
chmod 755 "$work/root/init" "$work/root/bin/busybox"
cat > "$work/root/etc/udhcpc" <<'SCRIPT'
#!/bin/sh
case $1 in
  bound|renew)
    ip address flush dev "$interface"; ip address add "$ip/${mask:-24}" dev "$interface"
    [ -n "$router" ] && ip route replace default via "${router%% *}"
    [ -n "$hostname" ] && hostname "$hostname"
    : > /etc/resolv.conf; [ -n "$domain" ] && echo "search $domain" >> /etc/resolv.conf
    for server in $dns; do echo "nameserver $server" >> /etc/resolv.conf; done ;;
esac
SCRIPT
printf '#!/bin/sh\nsync; poweroff -f\n' > "$work/root/etc/acpi/PWRF/00000080"
printf 'root:x:0:0:root:/:/bin/sh\n' > "$work/root/etc/passwd"
chmod 755 "$work/root/etc/udhcpc" "$work/root/etc/acpi/PWRF/00000080"
find "$work/root" -exec touch -h -d @0 {} +
(cd "$work/root" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 --reproducible | gzip -n -9 > "$work/initrd")

# All or nothing: the description, which makes the folder an image, is moved in last.
mkdir -p "$out"
install -m 644 "$(ls "$work"/kernel/boot/vmlinuz-* | head -n 1)" "$out/vmlinuz.new"
install -m 644 "$work/initrd" "$out/initrd.new"
install -m 755 "$work/root/bin/tinyd" "$out/tinyd.new" # The same program runs outside a guest too: see godwit compare.
printf '{ "name": "tiny", "kind": "kernel", "kernel": "vmlinuz", "initrd": "initrd", "package": "%s", "stamp": "%s" }\n' "$kernel" "$stamp" > "$out/image.json.new"
rm -f "$out/image.json"
mv "$out/vmlinuz.new" "$out/vmlinuz"; mv "$out/initrd.new" "$out/initrd"; mv "$out/tinyd.new" "$out/tinyd"; mv "$out/image.json.new" "$out/image.json"
echo "tiny: built from $kernel in $out ($(du -h "$out/initrd" | cut -f1) initrd)"
