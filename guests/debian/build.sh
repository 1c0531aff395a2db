#!/bin/bash
# build.sh OUT : makes the `debian` guest in the folder OUT (vmlinuz, initrd, disk.qcow2, image.json): a minimal Debian with
# systemd, cloud-init and sshd, of the release that the host runs. It is booted with its own kernel from outside the disk, so no boot
# loader is needed. Takes some minutes; a second run with the same inputs ends at once. Needs root, mmdebstrap, e2fsprogs and qemu-img.
set -euo pipefail
out=$1
here=$(cd "$(dirname "$0")" && pwd)
. /etc/os-release
suite=bookworm
[ "${ID:-}" = debian ] && suite=$VERSION_CODENAME
stamp=$({ echo "$suite"; cat "$here/build.sh"; } | sha256sum | cut -c1-64)
if [ -f "$out/image.json" ] && grep -q "$stamp" "$out/image.json"; then exit 0; fi
for tool in mmdebstrap mke2fs qemu-img; do command -v $tool > /dev/null || { echo "debian: $tool is missing; run eng/setup.sh" >&2; exit 1; }; done
[ "$(id -u)" = 0 ] || { echo "debian: building a root file system needs root" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "debian: building $suite (some minutes, once)"
packages=systemd-sysv,dbus,linux-image-cloud-amd64,cloud-init,openssh-server,iproute2,iputils-ping,netbase,systemd-resolved,ca-certificates,curl,udev
mmdebstrap --quiet --variant=minbase --mode=root --include="$packages" --components=main \
  --aptopt='APT::Install-Recommends "false"' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --customize-hook='rm -f "$1"/etc/ssh/ssh_host_*' \
  --customize-hook='printf "LABEL=godwit-root / ext4 defaults,discard 0 1\n" > "$1/etc/fstab"' \
  --customize-hook='printf "datasource_list: [ NoCloud, None ]\n" > "$1/etc/cloud/cloud.cfg.d/90_datasource.cfg"' \
  --customize-hook='chroot "$1" systemctl enable systemd-networkd systemd-resolved ssh serial-getty@ttyS0' \
  --customize-hook='ln -sf /run/systemd/resolve/stub-resolv.conf "$1/etc/resolv.conf"' \
  --customize-hook='printf "debian\n" > "$1/etc/hostname"; : > "$1/etc/machine-id"' \
  "$suite" "$work/root" >&2
kernel=$(ls "$work"/root/boot/vmlinuz-* | head -n 1); initrd=$(ls "$work"/root/boot/initrd.img-* | head -n 1)
mkdir -p "$out"
install -m 644 "$kernel" "$out/vmlinuz.new"; install -m 644 "$initrd" "$out/initrd.new"
rm -rf "$work"/root/boot/* "$work"/root/var/cache/apt/*.bin "$work"/root/var/lib/apt/lists/*
mke2fs -q -t ext4 -F -L godwit-root -d "$work/root" "$work/disk.raw" 4G
qemu-img convert -c -O qcow2 "$work/disk.raw" "$out/disk.qcow2.new"
rm -f "$out/image.json"
for file in vmlinuz initrd disk.qcow2; do mv "$out/$file.new" "$out/$file"; done
printf '{ "name": "debian", "kind": "disk", "kernel": "vmlinuz", "initrd": "initrd", "kernelArgs": "root=LABEL=godwit-root rw console=ttyS0", "disk": "disk.qcow2", "suite": "%s", "stamp": "%s" }\n' "$suite" "$stamp" > "$out/image.json"
echo "debian: built in $out ($(du -h "$out/disk.qcow2" | cut -f1) disk)"
