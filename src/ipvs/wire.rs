//! The model as generic netlink attributes (`linux/ip_vs.h`, family "IPVS" version 1), both ways.
//!
//! The kernel keeps flags of its own in the same words as ours (hashed, inactive, no output): they
//! are masked here, or a plan would never become empty.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

pub(crate) use decode::{FoundDestination, FoundService, destination, service, version};
pub(crate) use encode::{message, request, select};

/// Version of the family's protocol.
const VERSION: u8 = 1;

/// `IPVS_CMD_*`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    NewService = 1,
    SetService = 2,
    DelService = 3,
    GetService = 4,
    NewDest = 5,
    SetDest = 6,
    DelDest = 7,
    GetDest = 8,
    GetInfo = 15,
}

/// `IPVS_CMD_ATTR_*`
mod command {
    pub(super) const SERVICE: u16 = 1;
    pub(super) const DEST: u16 = 2;
}

/// `IPVS_INFO_ATTR_*`
mod info {
    pub(super) const VERSION: u16 = 1;
}

/// `IPVS_SVC_ATTR_*`
mod svc {
    pub(super) const FAMILY: u16 = 1;
    pub(super) const PROTOCOL: u16 = 2;
    pub(super) const ADDRESS: u16 = 3;
    pub(super) const PORT: u16 = 4;
    pub(super) const FWMARK: u16 = 5;
    pub(super) const SCHEDULER: u16 = 6;
    pub(super) const FLAGS: u16 = 7;
    pub(super) const TIMEOUT: u16 = 8;
    pub(super) const NETMASK: u16 = 9;
    pub(super) const ENGINE: u16 = 11;
}

/// `IPVS_DEST_ATTR_*`
mod dest {
    pub(super) const ADDRESS: u16 = 1;
    pub(super) const PORT: u16 = 2;
    pub(super) const FORWARDING: u16 = 3;
    pub(super) const WEIGHT: u16 = 4;
    pub(super) const UPPER_THRESHOLD: u16 = 5;
    pub(super) const LOWER_THRESHOLD: u16 = 6;
    pub(super) const ACTIVE: u16 = 7;
    pub(super) const INACTIVE: u16 = 8;
    pub(super) const FAMILY: u16 = 11;
    pub(super) const TUNNEL_TYPE: u16 = 13;
}

/// `IP_VS_SVC_F_PERSISTENT`
const PERSISTENT: u32 = 0x1;
/// `IP_VS_SVC_F_HASHED`: the kernel's own mark.
const HASHED: u32 = 0x2;

/// `IP_VS_CONN_F_FWD_MASK` and the methods under it; the bits above are the kernel's.
mod forwarding {
    pub(super) const MASK: u32 = 0x7;
    pub(super) const MASQUERADE: u32 = 0;
    pub(super) const TUNNEL: u32 = 2;
    pub(super) const DIRECT_ROUTE: u32 = 3;
}

/// Persistence that tells single clients apart: a mask for IPv4, a prefix length for IPv6.
const fn netmask(family: crate::net::Family) -> u32 {
    match family {
        crate::net::Family::Ipv4 => u32::MAX,
        crate::net::Family::Ipv6 => 128,
    }
}
