//! What the election tells the rest of the daemon, one event at a time.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::config::Vip;
use crate::net::{IfName, MacAddr};
use crate::vrrp::{Cause, ChecksumKind, DecodeError, Interval, Priority, Role};

/// Something an operator may want to know. [`fmt::Display`] says it without the router's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// `[vrrp.NAME]`; empty when it concerns all.
    pub router: String,
    /// What happened.
    pub event: Event,
    /// How often, since this was last reported: events that others can provoke are reported
    /// at most once per 10 s. 1 for all others.
    pub count: u64,
}

/// The kinds of [`Report`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The role changed.
    Role {
        /// Before.
        from: Role,
        /// Now.
        to: Role,
        /// Why, for programs.
        cause: Cause,
        /// Why, for people, with addresses and times.
        detail: String,
    },
    /// We put a virtual address on the interface.
    VipAdded(Placed),
    /// We took it off.
    VipRemoved(Placed),
    /// Somebody else had removed it while we were Active; we put it back.
    VipRestored {
        /// Which.
        placed: Placed,
        /// From noticing to having it back.
        after: Duration,
    },
    /// Somebody else had added it while we were not Active; we took it off.
    VipForeign(Placed),
    /// The kernel refused an address change.
    AddressFailed {
        /// Which.
        placed: Placed,
        /// What was tried and the kernel's reason.
        error: String,
    },
    /// An advertisement or announcement did not leave.
    SendFailed {
        /// `an advertisement` or `an announcement`.
        what: &'static str,
        /// The kernel's reason.
        error: String,
    },
    /// A packet for our VRID was dropped.
    Rejected {
        /// Who sent it, as far as can be told.
        source: Option<Ipv4Addr>,
        /// Why.
        rejection: Rejection,
    },
    /// While we are Active another router advertises itself as Active.
    Conflict {
        /// Who.
        source: IpAddr,
        /// With which priority.
        priority: Priority,
    },
    /// While we are Active, or about to be, another host claims a virtual address by ARP.
    ArpConflict {
        /// Which address.
        address: Ipv4Addr,
        /// Whose hardware address.
        mac: MacAddr,
    },
    /// The peer computes checksums the other way; we follow.
    ChecksumKindLearnt {
        /// Who.
        source: Ipv4Addr,
        /// What from now on.
        kind: ChecksumKind,
    },
    /// The peer advertises in another rhythm than ours.
    IntervalDiffers {
        /// Who.
        source: Ipv4Addr,
        /// Its interval.
        theirs: Interval,
        /// Ours.
        ours: Interval,
    },
    /// The peer advertises other addresses than ours.
    AddressListDiffers {
        /// Who.
        source: Ipv4Addr,
    },
    /// Interfaces could not be read; what was known before is gone by.
    KernelFailed {
        /// What was tried and the kernel's reason.
        error: String,
    },
}

/// A virtual address and its interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The address.
    pub vip: Vip,
    /// Where.
    pub interface: IfName,
}

/// Why a packet for our VRID was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It is not a valid advertisement.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// RX-25: not to the group, or not to our own address.
    #[error("it was sent to {0}: one side uses multicast and the other unicast")]
    Destination(Ipv4Addr),
    /// RX-25: unicast from somebody who is not configured.
    #[error("the sender is not one of the configured nodes")]
    NotPeer,
    /// RX-24: multicast from an address of another subnet.
    #[error("the sender is in none of the interface's subnets")]
    OffLink,
    /// RX-24: from a virtual address.
    #[error("the sender's address is a virtual address")]
    VirtualSource,
}

impl Rejection {
    /// A name that stays: for counters, by RFC 6527 where it has one.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Decode(error) => match error {
                DecodeError::Ip => "ip",
                DecodeError::Ttl(_) => "ttl",
                DecodeError::Source(_) => "source",
                DecodeError::Version(_) => "version",
                DecodeError::Type(_) => "type",
                DecodeError::Length { .. } => "length",
                DecodeError::NoAddress => "address_list",
                DecodeError::Checksum => "checksum",
                DecodeError::Vrid => "vrid",
                DecodeError::Interval => "interval",
            },
            Self::Destination(_) => "destination",
            Self::NotPeer => "not_a_peer",
            Self::OffLink => "off_link",
            Self::VirtualSource => "virtual_source",
        }
    }
}

impl Event {
    /// A name that stays: what the rate limit goes by.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Role { .. } => "role",
            Self::VipAdded(_) => "vip_added",
            Self::VipRemoved(_) => "vip_removed",
            Self::VipRestored { .. } => "vip_restored",
            Self::VipForeign(_) => "vip_foreign",
            Self::AddressFailed { .. } => "address_failed",
            Self::SendFailed { .. } => "send_failed",
            Self::Rejected { rejection, .. } => rejection.kind(),
            Self::Conflict { .. } => "conflict",
            Self::ArpConflict { .. } => "arp_conflict",
            Self::ChecksumKindLearnt { .. } => "checksum_kind",
            Self::IntervalDiffers { .. } => "interval_differs",
            Self::AddressListDiffers { .. } => "address_list_differs",
            Self::KernelFailed { .. } => "kernel_failed",
        }
    }

    /// Whether it follows from our own doing, so that all of it is worth telling.
    pub(super) fn is_rare(&self) -> bool {
        match self {
            Self::Role { .. } | Self::VipAdded(_) | Self::VipRemoved(_) => true,
            Self::VipRestored { .. }
            | Self::VipForeign(_)
            | Self::AddressFailed { .. }
            | Self::SendFailed { .. }
            | Self::Rejected { .. }
            | Self::Conflict { .. }
            | Self::ArpConflict { .. }
            | Self::ChecksumKindLearnt { .. }
            | Self::IntervalDiffers { .. }
            | Self::AddressListDiffers { .. }
            | Self::KernelFailed { .. } => false,
        }
    }
}

impl fmt::Display for Placed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} on {}", self.vip.address, self.vip.prefix, self.interface)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Role { from, to, detail, .. } => write!(f, "{from} -> {to}: {detail}"),
            Self::VipAdded(placed) => write!(f, "added {placed}"),
            Self::VipRemoved(placed) => write!(f, "removed {placed}"),
            Self::VipRestored { placed, after } => {
                write!(f, "somebody removed {placed}; put back {} ms later", after.as_millis())
            }
            Self::VipForeign(placed) => {
                write!(f, "somebody added {placed} while this node is not active; removed")
            }
            Self::AddressFailed { placed, error } => write!(f, "{placed}: {error}"),
            Self::SendFailed { what, error } => write!(f, "cannot send {what}: {error}"),
            Self::Rejected { source: Some(source), rejection } => {
                write!(f, "packet from {source} dropped: {rejection}")
            }
            Self::Rejected { source: None, rejection } => write!(f, "packet dropped: {rejection}"),
            Self::Conflict { source, priority } => {
                write!(f, "{source} is active too, with priority {}", priority.get())
            }
            Self::ArpConflict { address, mac } => {
                write!(f, "another host, {mac}, claims the virtual address {address}")
            }
            Self::ChecksumKindLearnt { source, kind } => {
                let how = match kind {
                    ChecksumKind::PseudoHeader => "with pseudo-header (RFC 5798)",
                    ChecksumKind::MessageOnly => "without pseudo-header (RFC 9568)",
                };
                write!(f, "{source} sends checksums {how}; so do we from now on")
            }
            Self::IntervalDiffers { source, theirs, ours } => write!(
                f,
                "{source} advertises every {} ms, this node every {} ms",
                theirs.to_duration().as_millis(),
                ours.to_duration().as_millis()
            ),
            Self::AddressListDiffers { source } => {
                write!(f, "{source} advertises other virtual addresses than configured here")
            }
            Self::KernelFailed { error } => write!(f, "cannot read the interfaces: {error}"),
        }
    }
}
