#!/bin/bash
# The `unified` guest: a kernel of Debian's and just enough of this host's programs to run the container engine on cgroup v2, the unified hierarchy, or as the kernel's
# command line asks on v1, with swap and a disk scheduler that knows weights, whatever this host has.
# It is no machine for users: a test boots it with a second disk that holds the test program, and reads the serial console (see init).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$1
"$here/../tiny/build.sh" "$(dirname "$out")/tiny" # Its kernel and its first modules.
tiny=$(dirname "$out")/tiny
kernel=$(sed -n 's/.*"package": "\([^"]*\)".*/\1/p' "$tiny/image.json")
programs=(/usr/bin/crun /usr/bin/conmon /usr/sbin/nft /usr/sbin/dnsmasq /usr/bin/mount /usr/bin/umount /usr/bin/unshare /usr/bin/tini-static /usr/bin/dash /usr/bin/cp)
busybox=$(command -v busybox)
for program in "${programs[@]}" "$busybox"; do
  [ -x "$program" ] || { echo "unified: $program is missing; run eng/setup.sh test" >&2; exit 1; }
done
stamp=$({ echo "$kernel"; cat "$here/build.sh" "$here/init"; sha256sum "${programs[@]}" "$busybox"; } | sha256sum | cut -c1-64)
if [ -f "$out/image.json" ] && grep -q "$stamp" "$out/image.json"; then exit 0; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
root=$work/root
mkdir -p "$work/deb" "$work/first/mod" "$root"/{bin,sbin,etc,dev,proc,sys,run,root,tests,tmp,var/tmp,lib/modules,usr/bin,usr/sbin}
(cd "$work/deb" && apt-get download -q -o APT::Sandbox::User=root "$kernel" >&2)
dpkg-deb -x "$work"/deb/*.deb "$work/kernel"
modules=$(echo "$work"/kernel/lib/modules/*); [ -d "$modules" ] || modules=$(echo "$work"/kernel/usr/lib/modules/*)
version=$(basename "$modules")
mkdir -p "$root/lib/modules/$version/kernel"
cp "$modules"/modules.builtin "$modules"/modules.order "$root/lib/modules/$version/"
(cd "$modules/kernel" && cp -r --parents fs/overlayfs block net lib crypto drivers/net/veth.ko* "$root/lib/modules/$version/kernel/")
find "$root/lib/modules" -name '*.ko.xz' -exec xz -d {} +
find "$root/lib/modules" -name '*.ko.zst' -exec zstd -qd --rm {} +
"$busybox" depmod -b "$root" "$version"

cp "$busybox" "$root/bin/busybox"
for applet in $("$busybox" --list); do [ -e "$root/bin/$applet" ] || ln -s busybox "$root/bin/$applet"; done
ln -sf ../bin/busybox "$root/sbin/modprobe"
# Programs, and the libraries that they name: those of .NET itself besides.
for program in "${programs[@]}"; do cp "$program" "$root$program"; done
rm -f "$root/bin/sh"; ln -s ../usr/bin/dash "$root/bin/sh"
libraries() {
  ldd "${programs[@]}" 2> /dev/null | awk '/\(0x/ { for (i = 1; i <= NF; i++) if ($i ~ /^\//) print $i }'
  ldconfig -p | awk '$1 ~ /^(libstdc\+\+\.so\.6|libgcc_s\.so\.1|libdl\.so\.2|libpthread\.so\.0|librt\.so\.1|libm\.so\.6|libz\.so\.1|libssl\.so\.3|libcrypto\.so\.3)$/ && /x86-64|AArch64/ { print $NF }'
}
for library in $(libraries | sort -u); do
  mkdir -p "$root$(dirname "$library")"; cp -L "$library" "$root$library"
done
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' > "$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' > "$root/etc/group"
printf '127.0.0.1 localhost\n' > "$root/etc/hosts"; : > "$root/etc/resolv.conf"
install -m 755 "$here/init" "$root/init"

# The first root: tiny's modules for the disk, and on to it.
cat > "$work/first/init" <<'FIRST'
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc; /bin/busybox mount -t devtmpfs dev /dev
while read -r module; do /bin/busybox insmod "/mod/$module" 2> /dev/null; done < /mod/order
while read -r module; do /bin/busybox insmod "/mod/$module" 2> /dev/null; done < /mod/order
until [ -b /dev/vda ]; do /bin/busybox usleep 50000; done
/bin/busybox mkdir -p /new; /bin/busybox mount -t ext4 /dev/vda /new && exec /bin/busybox switch_root /new /init
FIRST
chmod 755 "$work/first/init"
mkdir -p "$out"
{ cat "$tiny/initrd"; (cd "$work/first" && echo init | cpio --quiet -o -H newc -R 0:0 | gzip -n); } > "$out/initrd.new"
cp "$tiny/vmlinuz" "$out/vmlinuz.new"
rm -f "$out/root.new"; mke2fs -q -t ext4 -d "$root" -m 0 "$out/root.new" 512M
rm -f "$out/image.json"
mv "$out/vmlinuz.new" "$out/vmlinuz"; mv "$out/initrd.new" "$out/initrd"; mv "$out/root.new" "$out/root"
printf '{ "name": "unified", "package": "%s", "stamp": "%s" }\n' "$kernel" "$stamp" > "$out/image.json"
echo "unified: built from $kernel in $out ($(du -h "$out/root" | cut -f1))"
