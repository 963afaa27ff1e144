//! The configuration, validated: domain types only, comparable, as seen by one node.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::check;
use crate::health::Hysteresis;
use crate::ipvs::{Forwarding, Scheduler, ServiceKey};
use crate::net::IfName;
use crate::vrrp::{Interval, Priority, Vrid};

mod checks;
mod codes;
mod cross;
mod diff;
pub mod keys;
mod load;
mod problem;
mod read;
mod render;
mod report;
mod router;
mod service;
mod tree;
mod value;
mod view;

pub use codes::CODES;
pub use diff::{Change, Sign, diff};
pub use load::load;
pub use problem::{Help, Level, Place, Problem, Problems, Related, Source};
pub use read::parse;

/// A configuration that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// What to do.
    pub config: Config,
    /// What looks doubtful nevertheless.
    pub warnings: Problems,
}

/// Everything one director does, as its files say. A value that exists is legal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Name of this node: `--node`, or the short host name.
    pub node: String,
    /// Names of all `[node.*]` sections, this node's included.
    pub nodes: Vec<String>,
    /// `[vrrp.NAME]`, by name.
    pub routers: Vec<VirtualRouter>,
    /// `[virtual_service.NAME]`, by name.
    pub services: Vec<VirtualService>,
    /// Files read, in order.
    pub files: Vec<PathBuf>,
    /// Twelve hexadecimal digits that change when any file's text does.
    pub digest: String,
}

/// `[vrrp.NAME]`: one virtual router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualRouter {
    /// NAME.
    pub name: String,
    /// Interface to run on; `None`: the one whose subnet holds the first VIP, looked up at run time.
    pub interface: Option<IfName>,
    /// Virtual Router Identifier.
    pub vrid: Vrid,
    /// Virtual addresses, at least one, in the order written.
    pub vips: Vec<Vip>,
    /// This node's priority.
    pub priority: Priority,
    /// `Advertisement_Interval`.
    pub interval: Interval,
    /// `Preempt_Mode`.
    pub preempt: bool,
    /// How long after start a router of higher priority leaves a lower one Active.
    pub preempt_delay: Duration,
    /// How advertisements travel.
    pub transport: Transport,
}

/// A virtual address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vip {
    /// The address.
    pub address: IpAddr,
    /// Prefix length it is added with: as written, else 32 (IPv4) or 128 (IPv6).
    pub prefix: u8,
}

/// How advertisements travel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// To 224.0.0.18.
    Multicast,
    /// To these addresses: the other nodes'. Never empty.
    Unicast(Vec<IpAddr>),
}

/// `[virtual_service.NAME]`: what clients connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VirtualService {
    /// NAME.
    pub name: String,
    /// One kernel service each; at least one.
    pub listen: Vec<ServiceKey>,
    /// How packets reach the real servers.
    pub forward: Forwarding,
    /// Scheduling algorithm.
    pub scheduler: Scheduler,
    /// Clients stick to a real server for this long; `None`: they do not.
    pub persistence: Option<Duration>,
    /// What becomes of a real server that fails.
    pub on_failure: OnFailure,
    /// Who serves, in the order written; at least one.
    pub real_servers: Vec<RealServer>,
    /// All must pass. Empty (`check = "none"`): real servers always count as up.
    pub checks: Vec<Check>,
}

/// What becomes of a real server that fails its checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnFailure {
    /// Weight 0: no new connections, the open ones may finish.
    Quiesce,
    /// The destination is deleted.
    Remove,
}

/// A real server of one virtual service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealServer {
    /// Name, where it comes from `[real_server.NAME]`.
    pub name: Option<String>,
    /// Its own address.
    pub address: IpAddr,
    /// Port; `None`: the port of each `listen`.
    pub port: Option<u16>,
    /// Share of new connections while up, 0–65535.
    pub weight: u16,
}

/// One health check of every real server of a virtual service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is asked.
    pub kind: check::Kind,
    /// Port asked at; `None`: the real server's.
    pub port: Option<u16>,
    /// When.
    pub timing: Timing,
    /// How many results change our mind.
    pub hysteresis: Hysteresis,
}

/// The rhythm of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timing {
    /// From the start of one probe to the start of the next.
    pub interval: Duration,
    /// The same while results contradict the state: after a first failure, before `rise` successes.
    pub fast_interval: Duration,
    /// Upper bound on a random part of the interval, so that checks do not march in step.
    pub jitter: Duration,
    /// One absolute limit for the whole probe: connect, send, receive.
    pub timeout: Duration,
}
