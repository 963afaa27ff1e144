//! The checks thread: asks every real server, over and over, and reports what it found.
//!
//! One thread with a runtime of its own, so that thousands of probes and hostile answers delay
//! neither the election nor the balancer:
//!
//! - the manager (1x) keeps one runner per check equal to the latest configuration (`watch`);
//! - a runner (Nx) waits, probes, judges, reports; it never has two probes in flight;
//! - reports go to the hub on one bounded channel. While the hub is slow the runners wait:
//!   checks get rarer, but no change of health is lost.

mod manager;
mod random;
mod runner;

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use tokio::runtime;
use tokio::sync::{mpsc, watch};

use crate::check::{Clients, Kind, Outcome};
use crate::config::{Check, Config, RealServer, VirtualService};
use crate::health::{Change, Health};
use crate::ipvs::ServiceKey;
use manager::Manager;

/// Depth of the channel to give to [`start`]: the reports that a start with some hundreds of
/// checks makes within the few milliseconds in which the hub does something else.
pub const REPORTS_DEPTH: usize = 256;

/// A real server of one virtual service, as the configuration names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId {
    /// Name of the virtual service.
    pub service: String,
    /// Its own address.
    pub address: IpAddr,
    /// As in [`RealServer::port`].
    pub port: Option<u16>,
}

impl ServerId {
    /// Names `server` of the virtual service called `service`.
    pub fn of(service: &str, server: &RealServer) -> Self {
        Self { service: service.to_owned(), address: server.address, port: server.port }
    }
}

/// One check of one real server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckId {
    /// Who is asked.
    pub server: ServerId,
    /// Position in [`crate::config::VirtualService::checks`].
    pub index: usize,
}

/// What a check asks of whom. A check that asks something else is another check: what is known of
/// the one in whose place it comes says nothing about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What is asked.
    pub kind: Kind,
    /// Who is asked; `None` when no port is known.
    pub target: Option<SocketAddr>,
}

impl Question {
    /// What `check` asks of `server`: at the port of the check, else of the server, else of the
    /// first `listen` with one.
    pub fn of(service: &VirtualService, server: &RealServer, check: &Check) -> Self {
        let listened = || {
            service.listen.iter().find_map(|key| match key {
                // Port 0 stands for all ports of a persistent service.
                ServiceKey::Address(_, address) => Some(address.port()).filter(|&port| port != 0),
                ServiceKey::Fwmark(..) => None,
            })
        };
        let port = check.port.or(server.port).or_else(listened);
        let target = port.map(|port| SocketAddr::new(server.address, port));
        Self { kind: check.kind.clone(), target }
    }
}

/// Result of one probe, and what it means.
#[derive(Debug, Clone)]
pub struct Report {
    /// Which check.
    pub id: CheckId,
    /// When the probe ended; for display.
    pub at: SystemTime,
    /// How long the probe took.
    pub duration: Duration,
    /// What it found.
    pub outcome: Outcome,
    /// What the check believes now.
    pub health: Health,
    /// Set when that is news.
    pub change: Option<Change>,
    /// As [`crate::health::Judge::streak`].
    pub streak: i64,
    /// The configuration, by what [`Checks::configure`] answered, that last started or changed
    /// this check. A check removed and added again starts anew: reports of the former one that are
    /// still under way carry a lower number.
    pub generation: u64,
}

/// What to check.
#[derive(Debug, Clone)]
struct Work {
    generation: u64,
    config: Arc<Config>,
    adopted: Arc<HashSet<ServerId>>,
}

/// The checks thread. Dropping it stops and joins the thread, which takes milliseconds.
#[derive(Debug)]
pub struct Checks {
    /// `None` only while stopping: the thread ends when this end is gone.
    work: Option<watch::Sender<Option<Work>>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// Starts the thread; it checks nothing until [`Checks::configure`]. Reports go to `reports`;
/// when the receiver is dropped, checks cease.
///
/// # Errors
/// When the runtime, the HTTP client or the thread cannot be made.
pub fn start(reports: mpsc::Sender<Report>) -> io::Result<Checks> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let clients = Clients::new().map_err(io::Error::other)?;
    let (work, orders) = watch::channel(None);
    let manager = Manager::new(clients, reports);
    let thread = thread::Builder::new()
        .name("checks".to_owned())
        .spawn(move || runtime.block_on(manager.run(orders)))?;
    Ok(Checks { work: Some(work), thread: Some(thread) })
}

impl Checks {
    /// Checks what `config` says from now on; checks it does not change go on undisturbed.
    /// The first result decides for servers in `adopted`: those whose destination was in the kernel,
    /// with weight, before we started. Answers the generation this is.
    pub fn configure(&self, config: Arc<Config>, adopted: Arc<HashSet<ServerId>>) -> u64 {
        let mut generation = 0;
        if let Some(work) = &self.work {
            work.send_modify(|latest| {
                generation = latest.as_ref().map_or(0, |work| work.generation) + 1;
                *latest = Some(Work { generation, config, adopted });
            });
        }
        generation
    }

    /// Whether the thread lives. It only ends by itself when it panicked.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Cancels all probes and ends the thread.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Checks {
    fn drop(&mut self) {
        drop(self.work.take());
        let ended = self.thread.take().map(thread::JoinHandle::join);
        if let Some(Err(_)) = ended {
            tracing::error!("the checks thread had panicked");
        }
    }
}

#[cfg(test)]
mod tests;
