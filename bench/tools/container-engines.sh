#!/bin/bash
# container-engines.sh fetch PREFIX          Debian 13's dockerd and containerd, Debian 12's runc, podman, iptables, wrk and skopeo, unpacked under PREFIX, once
#                      host  NAME            a network and a mount namespace for one engine; prints the process that holds them
#                      exec  NAME COMMAND... a command in them, with what was fetched first in its PATH
#                      stop  NAME
# Nothing is installed: this machine's own packages, its network and its packet filter stay as they are. The engines' namespaces make it
# possible that each has its docker0, its rules and its 127.0.0.1 beside the others. PREFIX is $GODWIT_ENGINES, by default /var/cache/godwit/engines.
set -euo pipefail
prefix=${GODWIT_ENGINES:-/var/cache/godwit/engines}
run=/run/godwit-engines
case ${1:-} in
fetch)
  prefix=${2:-$prefix}
  [ -x "$prefix/usr/sbin/dockerd" ] && [ -x "$prefix/usr/bin/podman" ] && [ -x "$prefix/usr/bin/wrk" ] && exit 0
  work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
  chmod 755 "$work"; mkdir -p "$work"/{debs,root}
  for suite in bookworm trixie; do
    mkdir -p "$work/$suite"/{lists/partial,archives/partial}
    printf 'Types: deb\nURIs: http://deb.debian.org/debian\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' $suite > "$work/$suite/debian.sources"
    apt=(-qq -o Dir::Etc::sourceparts=/dev/null -o "Dir::Etc::sourcelist=$work/$suite/debian.sources" -o "Dir::State::lists=$work/$suite/lists" -o "Dir::Cache=$work/$suite" -o APT::Sandbox::User=root)
    # trixie's runc needs a newer libc than Debian 12 has; all else of these runs on both.
    case $suite in
      trixie) packages=(docker.io containerd docker-compose) ;;
      *) packages=(runc podman netavark golang-github-containers-common golang-github-containers-image skopeo iptables wrk libluajit-5.1-2 libluajit-5.1-common libip4tc2 libip6tc2 libxtables12 libmnl0
                   libnetfilter-conntrack3 libnfnetlink0 libnftnl11 libgpgme11 libassuan0 libsubid4 libdevmapper1.02.1) ;;
    esac
    apt-get "${apt[@]}" update
    (cd "$work/debs" && apt-get "${apt[@]}" download "${packages[@]}")
  done
  for package in "$work"/debs/*.deb; do dpkg-deb -x "$package" "$work/root"; done
  for name in iptables ip6tables iptables-save iptables-restore ip6tables-save ip6tables-restore; do ln -sf xtables-nft-multi "$work/root/usr/sbin/$name"; done
  rm -rf "$prefix"; mkdir -p "$(dirname "$prefix")"; mv "$work/root" "$prefix" ;;
host)
  name=$2; mkdir -p $run
  [ ! -e "$run/$name.pid" ] || { echo "container-engines: there is a host $name already: stop it first" >&2; exit 1; }
  # crun wants no version 2 hierarchy that still owns a controller beside version 1's.
  unshare --net --mount --propagation private bash -c 'ip link set lo up; umount /sys/fs/cgroup/unified 2> /dev/null; echo ready; exec sleep infinity' > "$run/$name.ready" 2> /dev/null < /dev/null &
  echo $! > "$run/$name.pid"
  until grep -q ready "$run/$name.ready"; do kill -0 "$(cat "$run/$name.pid")"; done
  cat "$run/$name.pid" ;;
exec)
  pid=$(cat "$run/$2.pid"); shift 2
  export PATH="$prefix/usr/sbin:$prefix/usr/bin:$prefix/sbin:$PATH" LD_LIBRARY_PATH="$prefix/usr/lib/x86_64-linux-gnu:$prefix/lib/x86_64-linux-gnu" XTABLES_LIBDIR="$prefix/usr/lib/x86_64-linux-gnu/xtables"
  exec nsenter -t "$pid" --mount --net -- "$@" ;;
stop)
  [ -e "$run/$2.pid" ] || exit 0
  kill "$(cat "$run/$2.pid")" 2> /dev/null || true
  rm -f "$run/$2.pid" "$run/$2.ready" ;;
*) sed -n '2,7s/^# //p' "$0" >&2; exit 2 ;;
esac
