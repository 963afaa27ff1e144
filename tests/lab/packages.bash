# Sourced by ./demo and ./test: installs what the lab needs, and says what it installs.

# Does the running kernel have IPVS, and may we use it?
kernel_has_ipvs() {
    [ "$(id -u)" = 0 ] && { modprobe -q ip_vs 2>/dev/null || [ -e /proc/net/ip_vs ]; }
}

# install_missing PROGRAM=PACKAGE ...: installs the packages of those programs that are not there.
install_missing() {
    local pair missing=() sudo=()
    for pair in "$@"; do
        PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    [ ${#missing[@]} = 0 ] && return 0
    [ "$(id -u)" = 0 ] || sudo=(sudo)
    echo "installing (apt-get): ${missing[*]}"
    if ! command -v apt-get >/dev/null; then
        echo "there is no apt-get here; install what provides: $*" >&2
        return 1
    fi
    # Services of these packages must not start: the lab starts its own, in namespaces.
    "${sudo[@]}" apt-get -qq update &&
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
            apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
}

# install_lab [keepalived]: everything that scenarios run.
install_lab() {
    local wanted=(ip=iproute2 tc=iproute2 modprobe=kmod ipvsadm=ipvsadm nginx=nginx-light
        setpriv=util-linux curl=curl)
    [ "${1-}" = keepalived ] && wanted+=(keepalived=keepalived)
    case "${DIARCH_LAB-}" in
    native) ;;
    uml) wanted+=(linux.uml=user-mode-linux) ;;
    *) kernel_has_ipvs || wanted+=(linux.uml=user-mode-linux) ;;
    esac
    install_missing "${wanted[@]}"
}

# find_cargo: cargo is often only on the PATH of login shells.
find_cargo() {
    command -v cargo >/dev/null || PATH=$PATH:$HOME/.cargo/bin
    if ! command -v cargo >/dev/null; then
        echo "cargo is missing: install Rust first (https://rustup.rs)" >&2
        return 1
    fi
}
