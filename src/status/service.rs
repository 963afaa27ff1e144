//! Virtual services and real servers as an operator sees them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One virtual service and the servers behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// NAME of `[virtual_service.NAME]`.
    pub name: String,
    /// What clients connect to.
    pub listen: Vec<Listen>,
    /// Forwarding method: `dr`, `nat`, `tunnel`.
    pub forward: String,
    /// Scheduler, by its kernel name.
    pub scheduler: String,
    /// Persistence timeout; `null` when clients do not stick.
    pub persistence_s: Option<u64>,
    /// How well it is served.
    pub state: ServiceState,
    /// When `state` last changed.
    pub since: Timestamp,
    /// Real servers, in the order of the configuration.
    pub real_servers: Vec<RealServer>,
}

/// One service of the kernel: an address and port, or a firewall mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listen {
    /// Virtual address; `null` for a firewall mark.
    pub address: Option<IpAddr>,
    /// Port; `null` for a firewall mark.
    pub port: Option<u16>,
    /// Transport protocol; `null` for a firewall mark.
    pub protocol: Option<Protocol>,
    /// Firewall mark; `null` for an address.
    pub fwmark: Option<u32>,
}

impl Listen {
    /// A service by address and port.
    pub fn address(address: SocketAddr, protocol: Protocol) -> Self {
        Self {
            address: Some(address.ip()),
            port: Some(address.port()),
            protocol: Some(protocol),
            fwmark: None,
        }
    }

    /// A service by firewall mark.
    pub fn fwmark(mark: u32) -> Self {
        Self { address: None, port: None, protocol: None, fwmark: Some(mark) }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.address, self.port, self.protocol, self.fwmark) {
            (Some(address), Some(port), Some(protocol), _) => {
                write!(f, "{}/{}", SocketAddr::new(address, port), protocol.name())
            }
            (_, _, _, Some(mark)) => write!(f, "fwmark {mark}"),
            _ => f.write_str("unknown"),
        }
    }
}

/// Transport protocols IPVS balances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "names say it")]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

impl Protocol {
    /// The word of the document.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
            Self::Unknown => "unknown",
        }
    }
}

/// How well a virtual service is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    /// By all its real servers.
    Up,
    /// By some of its real servers.
    Degraded,
    /// By none.
    Down,
    /// Not known yet, or a word of a later version.
    #[serde(other)]
    Unknown,
}

impl ServiceState {
    /// The word of the document.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Unknown => "unknown",
        }
    }
}

/// One real server of a virtual service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RealServer {
    /// Name, where the configuration gives one.
    pub name: Option<String>,
    /// Its own address.
    pub address: IpAddr,
    /// Port it serves at.
    pub port: u16,
    /// What we believe, or what an operator ordered.
    pub state: RealServerState,
    /// When `state` last changed.
    pub since: Timestamp,
    /// Share of new connections.
    pub weight: Weight,
    /// As the kernel counts them; `null` while it does not have this server.
    pub connections: Option<Connections>,
    /// Its health checks, in the order of the configuration.
    pub checks: Vec<Check>,
}

/// State of a real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RealServerState {
    /// Serving.
    Up,
    /// Not serving.
    Down,
    /// Finishes its open connections, gets no new ones.
    Drain,
    /// Taken out by an operator.
    Maintenance,
    /// Not enough checks done yet, or a word of a later version.
    #[serde(other)]
    Unknown,
}

impl RealServerState {
    /// The word of the document.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Drain => "drain",
            Self::Maintenance => "maintenance",
            Self::Unknown => "unknown",
        }
    }
}

/// Share of new connections, 0–65535.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weight {
    /// As the configuration says.
    pub configured: u16,
    /// As wanted in the kernel now; 0 also where the server is taken out of it.
    pub effective: u16,
}

/// Connections as `ipvsadm -Ln` counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// Established (`ActiveConn`).
    pub active: u32,
    /// Not established, or closing (`InActConn`).
    pub inactive: u32,
}

/// One health check of one real server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Kind of probe: `tcp`, `http`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Port asked at.
    pub port: u16,
    /// What the results so far say.
    pub state: CheckState,
    /// When the last probe ended; `null` before the first.
    pub last_at: Option<Timestamp>,
    /// How long the last probe took.
    pub duration_ms: Option<f64>,
    /// What the last probe found: `HTTP 200`, `connection refused`.
    pub detail: Option<String>,
    /// Successes needed to count as up.
    pub rise: u32,
    /// Failures needed to count as down.
    pub fall: u32,
    /// Equal results in a row: positive successes, negative failures.
    pub streak: i64,
    /// The last probe that failed, however long ago.
    pub last_failure: Option<LastFailure>,
}

/// What the results of a check say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// The server passes.
    Ok,
    /// The server fails.
    Failing,
    /// Not enough results yet, or a word of a later version.
    #[serde(other)]
    Unknown,
}

/// A probe that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastFailure {
    /// When.
    pub at: Timestamp,
    /// Stable word: `connect_refused`, `timeout`.
    pub code: String,
    /// For people.
    pub detail: String,
}
