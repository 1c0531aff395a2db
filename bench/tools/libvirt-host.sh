#!/bin/bash
# libvirt-host.sh root ROOT                                a Debian 13 tree with libvirt and QEMU, made once
#                 start NAME ROOT NETNS OWN PEER IMAGES    one libvirt host on that tree, in a network namespace; OWN, PEER: addresses
#                 exec  NAME COMMAND...                    a command on that host
#                 stop  NAME
# A host is an overlay of the tree (its writes in memory), chroot and mount, UTS and network namespaces of its own, so that
# two libvirts stand side by side and this machine's own packages stay as they are. Its pid file: /run/godwit-libvirt/NAME.
set -euo pipefail
run=/run/godwit-libvirt
case $1 in
root)
  [ -e "$2/usr/sbin/libvirtd" ] && exit 0
  command -v mmdebstrap > /dev/null || apt-get install -y --no-install-recommends mmdebstrap
  mkdir -p "$(dirname "$2")"
  mmdebstrap --variant=minbase --aptopt='Apt::Install-Recommends "false"' \
    --include=libvirt-daemon,libvirt-daemon-driver-qemu,libvirt-daemon-common,libvirt-daemon-log,libvirt-daemon-lock,libvirt-clients,qemu-system-x86,iproute2 trixie "$2.new"
  mv "$2.new" "$2" ;;
start)
  name=$2 root=$3 netns=$4 own=$5 peer=$6 images=$7
  mkdir -p "$run/$name"
  # The parent of all that follows: when it ends, its mounts and namespaces end with it.
  ip netns exec "$netns" unshare --mount --uts --fork bash -c '
    set -e
    name=$1 root=$2 own=$3 peer=$4 images=$5 run=$6
    mount --make-rprivate /
    hostname "$name"
    mount -t tmpfs writes "$run/$name"; mkdir "$run/$name/upper" "$run/$name/work" "$run/$name/root"
    top=$run/$name/root
    mount -t overlay overlay -o "lowerdir=$root,upperdir=$run/$name/upper,workdir=$run/$name/work" "$top"
    mount -t proc proc "$top/proc"; mount --rbind /sys "$top/sys"; mount --rbind /dev "$top/dev"; mount -t tmpfs run "$top/run"
    mkdir -p "$top/images"; mount --bind "$images" "$top/images"
    printf "127.0.0.1 localhost\n%s %s\n%s peer\n" "$own" "$name" "$peer" > "$top/etc/hosts"
    cat > "$top/etc/libvirt/libvirtd.conf" <<END
listen_tls = 0
listen_tcp = 1
auth_tcp = "none"
auth_unix_rw = "none"
host_uuid = "$(cat /proc/sys/kernel/random/uuid)"
END
    cat > "$top/etc/libvirt/qemu.conf" <<END
security_driver = "none"
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
namespaces = [ ]
cgroup_controllers = [ ]
stdio_handler = "file"
migration_address = "0.0.0.0"
migration_host = "$own"
END
    exec chroot "$top" libvirtd --listen' bash "$name" "$root" "$own" "$peer" "$images" "$run" > "$run/$name.log" 2>&1 &
  echo $! > "$run/$name.pid"
  for _ in $(seq 100); do
    "$0" exec "$name" virsh -c qemu:///system version > /dev/null 2>&1 && exit 0
    kill -0 "$(cat "$run/$name.pid")" 2> /dev/null || { cat "$run/$name.log" >&2; exit 1; }
    sleep 0.2
  done
  echo "libvirt-host: $name does not answer" >&2; exit 1 ;;
exec)
  name=$2; shift 2
  parent=$(cat "$run/$name.pid"); child=$(pgrep -P "$parent" | head -n 1)
  exec nsenter -t "$child" --mount --uts --net --root --wdns=/ -- "$@" ;;
stop)
  name=$2
  [ -e "$run/$name.pid" ] || exit 0
  parent=$(cat "$run/$name.pid"); child=$(pgrep -P "$parent" | head -n 1 || true)
  [ -n "$child" ] && kill "$child"
  rm -f "$run/$name.pid" ;;
*) sed -n '2,7s/^# //p' "$0" >&2; exit 2 ;;
esac
