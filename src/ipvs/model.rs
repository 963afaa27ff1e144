//! What IPVS can be told, in the words of `ip_vs.h` and ipvsadm(8). Plain values: no statistics.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::net::Family;

/// A whole IPVS table. Ordered, so that plans and tests are deterministic.
pub type Table = BTreeMap<ServiceKey, VirtualService>;

/// What identifies a virtual service to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceKey {
    /// Transport protocol and virtual address.
    Address(Protocol, SocketAddr),
    /// Packets of this family carrying this firewall mark.
    Fwmark(Family, NonZeroU32),
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(protocol, address) => write!(f, "{address}/{protocol}"),
            Self::Fwmark(Family::Ipv4, mark) => write!(f, "fwmark {mark}"),
            Self::Fwmark(Family::Ipv6, mark) => write!(f, "fwmark {mark} (IPv6)"),
        }
    }
}

/// Transport protocols IPVS balances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "names say it")]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl Protocol {
    /// The name operators write: `tcp`, `udp`, `sctp`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A virtual service with its destinations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualService {
    /// Settings that `IPVS_CMD_SET_SERVICE` can change in place.
    pub settings: Service,
    /// The real servers behind it.
    pub destinations: BTreeMap<DestinationKey, Destination>,
}

/// Editable settings of a virtual service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Scheduling algorithm.
    pub scheduler: Scheduler,
    /// Persistence timeout, whole seconds; `None` when connections do not stick.
    pub persistence: Option<Duration>,
}

/// Scheduling algorithm, by the name its kernel module registers (`rr`, `wlc`, `mh`, …).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scheduler(String);

/// Text that names no scheduler of IPVS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an IPVS scheduler")]
pub struct UnknownScheduler(pub String);

impl Scheduler {
    /// The schedulers of the kernel, ipvsadm(8) `--scheduler`.
    pub const NAMES: &'static [&'static str] = &[
        "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh",
        "twos",
    ];

    /// A scheduler Diarch knows, by name.
    ///
    /// # Errors
    /// When `name` is not one of [`Self::NAMES`].
    pub fn named(name: &str) -> Result<Self, UnknownScheduler> {
        if Self::NAMES.contains(&name) {
            Ok(Self(name.to_owned()))
        } else {
            Err(UnknownScheduler(name.to_owned()))
        }
    }

    /// Whatever the kernel says it uses, known to us or not.
    pub fn observed(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The kernel's name for it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Address of a destination.
pub type DestinationKey = SocketAddr;

/// One real server as the kernel sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destination {
    /// Share of new connections; 0 quiesces, letting existing ones finish. The kernel's bound is 65535.
    pub weight: u16,
    /// How packets reach it.
    pub forwarding: Forwarding,
}

/// IPVS forwarding method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Forwarding {
    /// NAT (ipvsadm `-m`).
    Masquerade,
    /// IP-in-IP (ipvsadm `-i`).
    Tunnel,
    /// Direct routing: rewrite the MAC address only (ipvsadm `-g`).
    DirectRoute,
    /// Any other method found in the kernel (local node, bypass): never wanted, only observed.
    Other(u8),
}

impl Forwarding {
    /// The word of the configuration: `nat`, `tunnel`, `dr`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Masquerade => "nat",
            Self::Tunnel => "tunnel",
            Self::DirectRoute => "dr",
            Self::Other(_) => "other",
        }
    }
}

impl fmt::Display for Forwarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the kernel counts per destination. Not part of [`Table`], so that plans never see it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Connections {
    /// Established (`ActiveConn` of ipvsadm).
    pub active: u32,
    /// Not established, or closing (`InActConn`).
    pub inactive: u32,
}

/// Connections per destination, as last read from the kernel.
pub type Traffic = BTreeMap<(ServiceKey, DestinationKey), Connections>;
