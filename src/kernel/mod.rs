//! The kernel by netlink: links and addresses (rtnetlink), IPVS (generic netlink).

pub mod ipvs;
pub mod link;
mod netlink;

pub use netlink::NetlinkError;
