//! What Diarch shows of itself: the only types that leave the process as JSON.
//!
//! Served on the Unix sockets, read by the client verbs. The types say what an operator needs,
//! not how the daemon is built: core types never derive `Serialize`, and nothing here is used to
//! take decisions. Rules of version 1 (`diarch/v1`):
//!
//! * fields are only ever added, and readers ignore what they do not know;
//! * words a reader does not know yet read as `unknown`, or keep their text;
//! * what does not apply is `null`, never left out;
//! * every number carries its unit in its name (`_ms`, `_s`); times are RFC 3339, UTC.

mod answer;
mod document;
mod event;
mod router;
mod service;

#[cfg(test)]
mod tests;

pub use answer::{ConfigProblem, Level, ProblemDocument, Refused, ReloadAnswer, Reloaded};
pub use document::{
    API_VERSION, Configuration, Health, Kernel, LastReload, Node, Problem, Severity, Status,
    Verdict,
};
pub use event::{Actor, Cause, Event, Kind};
pub use router::{ActiveRouter, Counters, Priority, RouterState, Vip, VirtualRouter};
pub use service::{
    Check, CheckState, Connections, LastFailure, Listen, Protocol, RealServer, RealServerState,
    Service, ServiceState, Weight,
};
