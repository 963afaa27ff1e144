//! The status document as a whole: `GET /v1/status`, `diarch status --json`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Service, VirtualRouter};

/// Raised only when a field changes its meaning.
pub const API_VERSION: &str = "diarch/v1";

/// One consistent picture of the daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// [`API_VERSION`] of the daemon that wrote it.
    pub api_version: String,
    /// When the picture was taken.
    pub time: Timestamp,
    /// Who speaks.
    pub node: Node,
    /// What it was told to do.
    pub config: Configuration,
    /// What is wrong.
    pub health: Health,
    /// Virtual routers, by name.
    pub vrrp: Vec<VirtualRouter>,
    /// Virtual services, by name.
    pub services: Vec<Service>,
    /// How far the kernel is from what it should be.
    pub kernel: Kernel,
}

/// The director that speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// `--node`, or the short host name.
    pub name: String,
    /// Package version of the daemon.
    pub version: String,
    /// Process identifier of the daemon.
    pub pid: u32,
    /// When the daemon started.
    pub started_at: Timestamp,
}

/// The configuration in effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configuration {
    /// Twelve hexadecimal digits that change when any file's text does.
    pub digest: String,
    /// Files it was read from, in order.
    pub files: Vec<String>,
    /// When it came into effect.
    pub loaded_at: Timestamp,
    /// The last attempt to reload; `null` when there was none.
    pub last_reload: Option<LastReload>,
}

/// How the last reload ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastReload {
    /// Whether the files were accepted and applied.
    pub ok: bool,
    /// When it was attempted.
    pub at: Timestamp,
    /// First mistake, when refused.
    pub error: Option<String>,
}

/// The verdict over all, and what led to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The worst of the problems.
    pub status: Verdict,
    /// What is wrong now, worst first.
    pub problems: Vec<Problem>,
}

impl Health {
    /// The verdict that follows from `problems`, sorted worst first.
    pub fn of(mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.severity != Severity::Critical);
        let status = match problems.first().map(|worst| worst.severity) {
            None => Verdict::Ok,
            Some(Severity::Critical) => Verdict::Critical,
            Some(Severity::Warning | Severity::Unknown) => Verdict::Degraded,
        };
        Self { status, problems }
    }
}

/// One word for the state of a director.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing is wrong.
    Ok,
    /// Something is wrong; every service is served.
    Degraded,
    /// A service or a virtual address is not served as it should be.
    Critical,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

/// Something an operator should know or mend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Kind of problem, a stable word: `real_server_down`, `vrrp_fault`.
    pub id: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about: `service/www/192.168.0.4:80`, `vrrp/main`, `kernel`, `config`.
    pub object: String,
    /// Since when.
    pub since: Timestamp,
    /// What is wrong, with the last error.
    pub message: String,
    /// What to look at or do.
    pub hint: Option<String>,
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Redundancy or comfort is lost.
    Warning,
    /// Clients are, or are about to be, without service.
    Critical,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

/// How far the kernel's IPVS table is from what it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernel {
    /// Version `ip_vs` reports (`1.2.1`); `null` while the module does not answer.
    pub ip_vs_version: Option<String>,
    /// Whether the last comparison found (or made) everything as wanted.
    pub in_sync: bool,
    /// How many times something had to be put right that another program changed.
    pub drift_repairs: u64,
    /// Virtual services in the kernel that are not ours: left alone.
    pub foreign_services: u32,
    /// Last refusal of the kernel that still stands.
    pub last_error: Option<String>,
}
