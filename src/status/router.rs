//! Virtual routers as an operator sees them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One virtual router's election.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualRouter {
    /// NAME of `[vrrp.NAME]`.
    pub name: String,
    /// Virtual Router Identifier.
    pub vrid: u8,
    /// Interface it runs on; `null` while none is found for its addresses.
    pub interface: Option<String>,
    /// Protocol state.
    pub state: RouterState,
    /// When `state` last changed.
    pub since: Timestamp,
    /// Why, as a stable word.
    pub cause: String,
    /// Why, for people.
    pub cause_text: String,
    /// This node's priority.
    pub priority: Priority,
    /// Who is Active, as far as we know; `null` when nobody was heard.
    pub active: Option<ActiveRouter>,
    /// `Advertisement_Interval`.
    pub advert_interval_ms: u64,
    /// `Active_Down_Interval`; `null` before it is known.
    pub active_down_interval_ms: Option<u64>,
    /// `Preempt_Mode`.
    pub preempt: bool,
    /// Virtual addresses.
    pub vips: Vec<Vip>,
    /// What was sent, received and discarded since the daemon started.
    pub counters: Counters,
}

/// State of a virtual router (RFC 9568 §6.3; "fault" is the RFC's Shutdown, by a failed interface).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouterState {
    /// Not taking part yet.
    Init,
    /// Ready to take over.
    Backup,
    /// Holds the virtual addresses.
    Active,
    /// Cannot take part.
    Fault,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

impl RouterState {
    /// The word of the document.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Backup => "backup",
            Self::Active => "active",
            Self::Fault => "fault",
            Self::Unknown => "unknown",
        }
    }
}

/// Election priority, 1–255.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Priority {
    /// As the configuration says.
    pub configured: u8,
    /// As advertised; `null` in fault.
    pub effective: Option<u8>,
}

/// The router that is Active.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveRouter {
    /// Its primary address.
    pub address: IpAddr,
    /// Priority it advertised last; 0 while it resigns.
    pub priority: u8,
    /// Whether it is this director.
    pub is_self: bool,
}

/// A virtual address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vip {
    /// Address with prefix length, `192.168.0.101/32`.
    pub address: String,
    /// Interface it belongs on; `null` while none is found.
    pub interface: Option<String>,
    /// Whether the kernel has it on this director now.
    pub present: bool,
}

/// Counters since the daemon started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Advertisements sent.
    pub adverts_sent: u64,
    /// Advertisements accepted.
    pub adverts_received: u64,
    /// Times this director became Active.
    pub became_active: u64,
    /// Times it let go.
    pub released_active: u64,
    /// Packets discarded by the checks of RFC 9568 §7.1, by reason (`checksum`, `ttl`, …).
    pub discarded: BTreeMap<String, u64>,
}
