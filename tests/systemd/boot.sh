#!/bin/sh
# The first process of the laboratory: makes a world of its own out of copies of this machine's files, and becomes
# systemd in it. $1 is an empty directory, $2 the interpreter's prefix, $3 its libraries, $4 the cache of uv or nothing.
set -eu
world=$1
mount -t tmpfs -o mode=755 lab "$world"
mkdir "$world/upper" "$world/work" "$world/root"
mount -t overlay -o "lowerdir=/,upperdir=$world/upper,workdir=$world/work" overlay "$world/root"
cd "$world/root"

mount -t proc proc proc
# Nothing in here may turn the screws of the machine outside.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=1777 tmp tmp
mount -t tmpfs -o mode=755 dev dev
for name in null zero full random urandom tty; do
    : >"dev/$name"
    mount --bind "/dev/$name" "dev/$name"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=1777 shm dev/shm
# Whose machine this is does not matter in there.
mount -t tmpfs -o mode=711 root root
mount -t tmpfs home home
mkdir -p run/lock lab
# Interpreters know where they lie.
for folder in "$2" "$3"; do
    mkdir -p ".$folder"
    mount --bind "$folder" ".$folder"
done

if [ -n "$4" ]; then
    mkdir -p srv/uv "$world/upper-uv" "$world/work-uv"
    mount -t overlay -o "lowerdir=$4,upperdir=$world/upper-uv,workdir=$world/work-uv,metacopy=on" overlay srv/uv
    chmod -R a+rwX srv/uv
fi

# Only what the tests need is started.
mkdir -p etc/systemd/system
rm -f etc/fstab
cat >etc/systemd/system/lab.target <<'UNIT'
[Unit]
Requires=systemd-journald.service
After=systemd-journald.service
AllowIsolate=yes
UNIT
for unit in systemd-sysctl systemd-modules-load systemd-binfmt systemd-remount-fs systemd-udevd systemd-udev-trigger \
    systemd-networkd systemd-resolved systemd-logind dev-hugepages.mount sys-kernel-debug.mount; do
    case $unit in *.*) ;; *) unit=$unit.service ;; esac
    ln -sf /dev/null "etc/systemd/system/$unit"
done
hostname lab
ip link set lo up

pivot_root . lab
cd /
umount -l /lab
exec env -i container=lab PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    "$(readlink -f /lib/systemd/systemd)" --system --unit=lab.target --log-target=journal --show-status=no
