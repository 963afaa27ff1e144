# Start file of the lab's shell: the machines by name, and a few things to do to them.
PS1='lab$ '
HISTFILE=
lb1() { on lb1 "$@"; }
lb2() { on lb2 "$@"; }
rs1() { on rs1 "$@"; }
rs2() { on rs2 "$@"; }
client() { on client "$@"; }
on() {
    local host=$1
    shift
    DIARCH_RUNTIME_DIR=/run/$host/runtime DIARCH_NODE=$host ip netns exec "$host" "$@"
}
status() {
    local host
    for host in lb1 lb2; do
        echo "== $host"
        if [ "$kind" = diarch ]; then
            on "$host" diarch status
        else
            on "$host" ip -brief address show dev eth0
            on "$host" ipvsadm -Ln
        fi
    done
}
# The process that was started first is the one a service manager would signal.
stop() { kill -TERM "$(ip netns pids "$1" | sort -n | head -n 1)"; }
crash() { kill -STOP $(ip netns pids "$1") && kill -KILL $(ip netns pids "$1"); }
start() { sh "/run/$1/start"; }
logs() { tail -n "${2:-20}" "/run/$1/log"; }
watch() {
    while :; do
        client curl -s -m 1 http://192.168.0.101/ || echo "no answer"
        sleep 0.2
    done
}
