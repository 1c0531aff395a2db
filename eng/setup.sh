#!/bin/bash
# setup.sh run|test : installs the Debian packages that Godwit needs here and are missing. Says what it does; ends at once when nothing is missing.
# `run` is what a host needs to build and run; `test` adds what the tests drive. Debian 12's QEMU is too old (7.2): version 10 comes from its backports.
set -euo pipefail
want=${1:-run}
say() { printf 'setup: %s\n' "$*" >&2; }
. /etc/os-release
[ "${ID:-}" = debian ] || say "this is ${ID:-unknown}, not Debian: package names may differ"

packages=(qemu-system-x86 qemu-utils dnsmasq-base busybox-static crun conmon tini nftables conntrack iproute2 util-linux procps gcc libc6-dev zlib1g-dev cpio gzip xz-utils bzip2 xorriso e2fsprogs mount curl ca-certificates mmdebstrap)
[ "$want" = test ] && packages+=(git socat tmux openssh-client zsh fish etcd-server docker-registry chromium-headless-shell spin)
# Debian 12's Compose is the old one, in Python; with it come Docker's own bindings for Python.
[ "$want" = test ] && [ "${VERSION_ID:-}" = 12 ] && packages+=(docker-compose)
command -v kubectl > /dev/null || packages+=(kubernetes-client)

# The oldest kubectl that is still about is Debian 12's; tests drive it beside the installed one, so it lies in a place of its own.
old_kubectl() {
  local cache=/var/cache/godwit/kubectl fetched
  [ -x $cache/usr/bin/kubectl ] && return
  [ "$(id -u)" = 0 ] || return 0
  say "fetching Debian's kubectl into $cache"
  fetched=$(mktemp -d)
  if (cd "$fetched" && apt-get download kubernetes-client > /dev/null 2>&1) && mkdir -p $cache && dpkg-deb -x "$fetched"/kubernetes-client_*.deb $cache; then :; else
    say "Debian's kubectl could not be fetched: the tests that drive it will be skipped"
  fi
  rm -rf "$fetched"
}

# The docker commands that are about: Debian 11's and 12's (20.10.5, 20.10.24), Debian 13's (26.1, with Compose 2.26) and the one that it tests (28.5 or younger), each in a place of its
# own beside what is installed. Debian never had 23, 24, 25 and 27 in a release, and has them in no other suite (backports, sid, experimental).
docker_clients() {
  local cache=/var/cache/godwit/docker suite packages
  [ "$(id -u)" = 0 ] || return 0
  for suite in bullseye bookworm trixie forky; do
    [ -x $cache/$suite/usr/bin/docker ] && continue
    case $suite in bullseye | bookworm) packages=(docker.io) ;; forky) packages=(docker-cli) ;; *) packages=(docker-cli docker-compose docker-buildx) ;; esac
    say "fetching the docker command of Debian $suite into $cache"
    "$(dirname "$0")"/fetch-packages.sh $suite $cache/$suite "${packages[@]}" > /dev/null 2>&1 || say "it could not be fetched: the tests that drive it will be skipped"
    rm -f $cache/$suite/usr/sbin/dockerd
  done
}

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2> /dev/null | grep -q 'ok installed' || missing+=("$package")
done
qemu_version() { dpkg-query -W -f '${Version}' qemu-system-x86 2> /dev/null | sed 's/^[0-9]*://; s/[^0-9].*//'; }
backports=()
if [ "${VERSION_ID:-}" = 12 ]; then
  backports=(-t "${VERSION_CODENAME}-backports")
  if [ "$(qemu_version || echo 0)" -lt 10 ] 2> /dev/null || [ -z "$(qemu_version)" ]; then missing+=(qemu-system-x86 qemu-utils); fi
fi
if ! command -v dotnet > /dev/null; then
  say "the .NET SDK 10 is missing; install it first (package dotnet-sdk-10.0)"; exit 1
fi
finish() { if [ "$want" = test ]; then old_kubectl; docker_clients; fi; exit 0; }
[ ${#missing[@]} -eq 0 ] && finish
if [ "$(id -u)" != 0 ]; then
  say "these packages are missing: ${missing[*]}"; say "run this as root, or install them first"; exit 1
fi

say "installing: $(printf '%s\n' "${missing[@]}" | sort -u | tr '\n' ' ')"
export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -y -qq --no-install-recommends)
if [ ${#backports[@]} -gt 0 ] && ! apt-cache policy 2> /dev/null | grep -q "n=${VERSION_CODENAME}-backports"; then
  # The same mirror that the host already uses.
  mirror=$({ cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2> /dev/null || true; } | sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb \(\[[^]]*\] \)\?\([^ ]*\) .*/\2/p' | grep '/debian/*$' | head -n 1 || true)
  [ -n "$mirror" ] || { say "no Debian mirror stands in /etc/apt: add ${VERSION_CODENAME}-backports, which has QEMU 10, to the package sources yourself"; exit 1; }
  say "adding ${VERSION_CODENAME}-backports to the package sources"
  echo "deb $mirror ${VERSION_CODENAME}-backports main" > /etc/apt/sources.list.d/godwit-backports.list
fi
"${apt[@]}" update > /dev/null || say "package lists could not all be refreshed; going on with what there is"
from_backports=() others=()
for package in $(printf '%s\n' "${missing[@]}" | sort -u); do
  case $package in qemu-*) from_backports+=("$package") ;; *) others+=("$package") ;; esac
done
[ ${#others[@]} -eq 0 ] || "${apt[@]}" install "${others[@]}" > /dev/null
[ ${#from_backports[@]} -eq 0 ] || "${apt[@]}" "${backports[@]}" install "${from_backports[@]}" > /dev/null
say "done"
finish
