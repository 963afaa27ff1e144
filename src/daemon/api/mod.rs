//! The Unix sockets: HTTP/1.1 with JSON, served from what the hub answers.
//!
//! `status.sock` answers questions of anybody, `admin.sock` also takes orders. Neither can hurt the
//! daemon: every client has a bounded request, bounded time and a bounded number of places, and one
//! that does not read is dropped. `sockets` makes the files, `server` keeps the connections,
//! `routes` answers one request, `lines` streams events.

mod lines;
mod patience;
mod routes;
mod server;
mod sockets;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::{broadcast, oneshot};

use crate::status::{Actor, Event, ReloadAnswer, Status};

pub use server::Serving;
pub use sockets::{ApiError, Sockets, bind};

/// A question of a client to the hub. A dropped reply means the daemon is stopping.
#[derive(Debug)]
pub enum Request {
    /// The present picture.
    Status(oneshot::Sender<Arc<Status>>),
    /// What happened, and what will.
    Events {
        /// Only those with a greater [`Event::id`].
        since: Option<u64>,
        /// At most this many, the newest; `None`: all that are kept.
        last: Option<usize>,
        /// Where to answer.
        reply: oneshot::Sender<EventsAnswer>,
    },
    /// Does the daemon turn? The error says what hangs.
    Live(oneshot::Sender<Result<(), String>>),
    /// Could this director serve now? The error says what is missing.
    Ready(oneshot::Sender<Result<(), String>>),
    /// Read the files again and apply them.
    Reload {
        /// Who asks.
        actor: Actor,
        /// Where to answer, once applied or refused.
        reply: oneshot::Sender<ReloadAnswer>,
    },
}

/// Events so far, the present state, and those to come: taken at one moment, so nothing is missed.
#[derive(Debug)]
pub struct EventsAnswer {
    /// Kept events, oldest first.
    pub backlog: Vec<Arc<Event>>,
    /// The present state of every object ([`Event::current`]).
    pub current: Vec<Event>,
    /// Events after `backlog`.
    pub live: broadcast::Receiver<Arc<Event>>,
}
