//! What happened, and why.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One change of state, with its reason. One line of `GET /v1/events`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Counts up from 1 in one run of the daemon; 0 for a `current` one.
    pub id: u64,
    /// When it happened; for a `current` one, since when the state holds.
    pub time: Timestamp,
    /// Director it happened on.
    pub node: String,
    /// What happened.
    pub kind: Kind,
    /// To what: `vrrp/main`, `service/www/192.168.0.4:80`, `kernel`, `config`, `daemon`.
    pub object: String,
    /// State or value before.
    pub from: Option<String>,
    /// State or value after.
    pub to: Option<String>,
    /// Why.
    pub cause: Option<Cause>,
    /// Who ordered it; `null` when nobody did.
    pub actor: Option<Actor>,
    /// Not a change but the state at the moment a stream begins.
    pub current: bool,
}

impl Event {
    /// Something happened to `object`; refine with the methods below.
    pub fn new(
        id: u64,
        time: Timestamp,
        node: &str,
        kind: Kind,
        object: impl Into<String>,
    ) -> Self {
        Self {
            id,
            time,
            node: node.to_owned(),
            kind,
            object: object.into(),
            from: None,
            to: None,
            cause: None,
            actor: None,
            current: false,
        }
    }

    /// States that `object` is in state `to` since `since`: how a stream begins.
    pub fn state(
        since: Timestamp,
        node: &str,
        kind: Kind,
        object: impl Into<String>,
        to: impl Into<String>,
    ) -> Self {
        let event = Self::new(0, since, node, kind, object);
        Self { to: Some(to.into()), current: true, ..event }
    }

    /// With the states, or values, before and after.
    #[must_use]
    pub fn changed(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.from = Some(from.into());
        self.to = Some(to.into());
        self
    }

    /// With its reason: a stable word, and a sentence for people.
    #[must_use]
    pub fn because(mut self, code: impl Into<String>, detail: impl Into<String>) -> Self {
        self.cause = Some(Cause { code: code.into(), detail: detail.into() });
        self
    }

    /// With the one who ordered it.
    #[must_use]
    pub fn by(mut self, actor: Option<Actor>) -> Self {
        self.actor = actor;
        self
    }
}

/// What happened. Readers keep the text of kinds they do not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the words of the document say it")]
pub enum Kind {
    #[serde(rename = "vrrp.init")]
    VrrpInit,
    #[serde(rename = "vrrp.active")]
    VrrpActive,
    #[serde(rename = "vrrp.backup")]
    VrrpBackup,
    #[serde(rename = "vrrp.fault")]
    VrrpFault,
    /// Another router claims the same virtual router in a way that cannot be right.
    #[serde(rename = "vrrp.conflict")]
    VrrpConflict,
    #[serde(rename = "vip.added")]
    VipAdded,
    #[serde(rename = "vip.removed")]
    VipRemoved,
    /// Put back after another program removed it.
    #[serde(rename = "vip.restored")]
    VipRestored,
    /// The kernel refused to add or remove it.
    #[serde(rename = "vip.error")]
    VipError,
    #[serde(rename = "service.up")]
    ServiceUp,
    #[serde(rename = "service.degraded")]
    ServiceDegraded,
    #[serde(rename = "service.down")]
    ServiceDown,
    #[serde(rename = "real_server.up")]
    RealServerUp,
    #[serde(rename = "real_server.down")]
    RealServerDown,
    #[serde(rename = "real_server.unknown")]
    RealServerUnknown,
    /// Something another program changed was put right.
    #[serde(rename = "kernel.drift")]
    KernelDrift,
    #[serde(rename = "kernel.error")]
    KernelError,
    /// An error is over.
    #[serde(rename = "kernel.in_sync")]
    KernelInSync,
    #[serde(rename = "config.loaded")]
    ConfigLoaded,
    #[serde(rename = "config.refused")]
    ConfigRefused,
    #[serde(rename = "daemon.started")]
    DaemonStarted,
    #[serde(rename = "daemon.stopping")]
    DaemonStopping,
    /// A kind of a later version.
    #[serde(untagged)]
    Other(String),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// Why something happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Stable word: `connect_refused`, `active_down`.
    pub code: String,
    /// For people, with the last error.
    pub detail: String,
}

/// Who ordered a change: `alice (uid 1000)`, `SIGHUP`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Actor(String);

impl Actor {
    /// The peer of a Unix socket, with its user name where one is known.
    pub fn peer(uid: u32, user: Option<&str>) -> Self {
        match user {
            Some(name) => Self(format!("{name} (uid {uid})")),
            None => Self(format!("uid {uid}")),
        }
    }

    /// Whoever sent this signal: the kernel does not tell who.
    pub fn signal(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
