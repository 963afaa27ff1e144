# Process 1 of the lab's kernel (User-Mode Linux), or of the lab's namespaces (the machine's own kernel).
# The lines above this one set MACHINE, WORK, EXE and ARGUMENTS. Nothing outside $WORK is written:
# /run is a tmpfs, and modules are loaded through a private modprobe directory.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run/home TMPDIR=/run/tmp
[ "$MACHINE" = uml ] && mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /run/lock /run/tmp /run/home
ip link set lo up

if [ "$MACHINE" = uml ]; then
    release=$(uname -r)
    mkdir -p /run/modules/lib/modules
    ln -s "/usr/lib/uml/modules/$release" "/run/modules/lib/modules/$release"
    printf '#!/bin/sh\nexec modprobe -d /run/modules "$@"\n' >/run/modprobe
    chmod +x /run/modprobe
    echo /run/modprobe >/proc/sys/kernel/modprobe
    # Asking for the file is not enough for those that read /proc/net/ip_vs before any netlink request.
    /run/modprobe ip_vs
fi

"$EXE" guest "$WORK" $ARGUMENTS
status=$?
echo "$status" >"$WORK/status"
sync
[ "$MACHINE" = native ] && exit "$status"
echo o >/proc/sysrq-trigger
sleep 10
