//! The election at a glance: what status shows.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime};

use crate::config::Vip;
use crate::net::IfName;
use crate::vrrp::{Cause, Priority, Role, Vrid};

/// All virtual routers, in the order configured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct View {
    /// The configuration that is in effect here, by the number it was given.
    pub generation: u64,
    /// One each.
    pub routers: Vec<RouterView>,
    /// Reports lost because nobody took them.
    pub reports_dropped: u64,
}

/// One virtual router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterView {
    /// `[vrrp.NAME]`.
    pub name: String,
    /// Virtual Router Identifier.
    pub vrid: Vrid,
    /// The interface it runs on; `None` until one is found.
    pub interface: Option<IfName>,
    /// The source address of its advertisements; `None` while faulted.
    pub primary: Option<Ipv4Addr>,
    /// State of the election.
    pub role: Role,
    /// When the role last changed; for display.
    pub since: SystemTime,
    /// Why.
    pub cause: Cause,
    /// Why, for people.
    pub detail: String,
    /// As configured.
    pub priority_configured: Priority,
    /// `None` while faulted.
    pub priority_effective: Option<Priority>,
    /// Who is Active, as far as known.
    pub active: Option<ActiveRouter>,
    /// Our own `Advertisement_Interval`.
    pub advert_interval: Duration,
    /// How long silence lasts before we take over; `None` while faulted.
    pub active_down_interval: Option<Duration>,
    /// When another router's advertisement last came; for display.
    pub last_heard: Option<SystemTime>,
    /// The virtual addresses, in the order configured.
    pub vips: Vec<VipView>,
    /// Since this router was configured.
    pub counters: Counters,
}

/// The Active router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveRouter {
    /// Its primary address.
    pub address: IpAddr,
    /// Its priority.
    pub priority: Priority,
    /// Whether it is this node.
    pub is_self: bool,
}

/// A virtual address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VipView {
    /// The address.
    pub vip: Vip,
    /// Whether it is on the interface.
    pub present: bool,
}

/// What happened how often.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counters {
    /// Advertisements that left, resignations included (one per peer with unicast).
    pub adverts_sent: u64,
    /// Valid advertisements for this router, resignations included.
    pub adverts_received: u64,
    /// Resignations that left.
    pub priority_zero_sent: u64,
    /// Resignations that came.
    pub priority_zero_received: u64,
    /// Transitions to Active.
    pub became_active: u64,
    /// Transitions from Active.
    pub released_active: u64,
    /// Packets for this VRID that were dropped, by [`Rejection::kind`](super::Rejection::kind).
    pub discarded: BTreeMap<&'static str, u64>,
    /// Advertisements of another interval than ours.
    pub interval_differs: u64,
    /// Advertisements of other addresses than ours.
    pub address_list_differs: u64,
    /// Advertisements of another router while we were Active.
    pub conflicts: u64,
    /// Claims of a virtual address by another host while we were Active.
    pub arp_conflicts: u64,
    /// Addresses put back or removed because somebody else had changed them.
    pub address_repairs: u64,
    /// Address changes the kernel refused.
    pub address_failures: u64,
    /// Announcements that left.
    pub announcements_sent: u64,
    /// Packets that did not leave.
    pub send_failures: u64,
}
