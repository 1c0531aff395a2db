#!/bin/bash
# base.sh [TAR] : a minimal Debian as a tar for `docker import`, made once with mmdebstrap from the mirror that this host uses.
# It is what stands in for the image `debian` where no image registry can be reached. Prints the tar's path.
set -euo pipefail
. /etc/os-release
suite=bookworm
[ "${ID:-}" = debian ] && suite=$VERSION_CODENAME
tar=${1:-${GODWIT_CACHE:-/var/cache/godwit}/debian-$suite.tar}
if [ -e "$tar" ]; then echo "$tar"; exit 0; fi
command -v mmdebstrap > /dev/null || { echo "base: mmdebstrap is missing: install the package mmdebstrap" >&2; exit 1; }
[ "$(id -u)" = 0 ] || { echo "base: building a root file system needs root" >&2; exit 1; }
mkdir -p "$(dirname "$tar")"
new=$(mktemp "$tar.XXXXXX")
trap 'rm -f "$new"' EXIT
echo "base: building Debian $suite (about a minute, once)" >&2
# Packages in it find no service manager and must start nothing by themselves.
mmdebstrap --quiet --variant=minbase --mode=root --format=tar --components=main --aptopt='APT::Install-Recommends "false"' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --customize-hook='printf "#!/bin/sh\nexit 101\n" > "$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"' \
  --customize-hook='printf "debian\n" > "$1/etc/hostname"; : > "$1/etc/machine-id"; rm -f "$1/etc/resolv.conf"' \
  "$suite" - > "$new"
mv "$new" "$tar"
echo "$tar"
