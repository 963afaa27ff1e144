//! The daemon: threads, channels, start and stop. The only module that knows all others.
//!
//! [`run`] reads like a table of contents: the configuration, the sockets, the threads, the hub. See the
//! crate documentation for the drawing of threads and what flows between them.
//!
//! # Start
//!
//! The sockets are taken first, since holding them is what makes a daemon the only one. The election
//! starts at once: VIPs do not wait for checks. The balancer reads the kernel's table before anything is
//! wanted of it, so that what serves is adopted.
//!
//! # Stop
//!
//! The election hands the VIPs over before anything else is done. The IPVS table stays as it is.
//!
//! A thread that panics stops the daemon in the same order, with an error: the other director takes
//! over, and the service manager starts a whole daemon again. Half a daemon is never kept.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc;

pub mod api;
pub mod balancer;
mod beliefs;
pub mod checks;
pub mod election;
mod hub;
mod journal;
mod narrate;
mod notify;
mod owned;
mod reload;
mod signals;
mod snapshot;

use crate::config::{self, Config, Problems};
use crate::status::{self, Kind};
use crate::sys;
use hub::{End, Hub, Inboxes, KernelState, Threads};
use signals::Signals;

/// Depth of the queues to the hub. The hub takes a report in microseconds; a thousand checks that end
/// together must fit, and an election must never wait.
const REPORTS: usize = 4096;

/// Depth of the queue of questions: as many as there can be connections on both sockets.
const REQUESTS: usize = 128;

/// What the command line says of a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The main configuration file.
    pub config: PathBuf,
    /// Where sockets and state live.
    pub runtime_dir: PathBuf,
    /// Name of this node; `None`: the short host name.
    pub node: Option<String>,
}

/// Why the daemon did not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration has mistakes; nothing was touched.
    #[error("configuration refused")]
    Refused(Problems),
    /// The sockets cannot be had, or another daemon has them.
    #[error(transparent)]
    Api(#[from] api::ApiError),
    /// A thread, runtime or signal handler could not be set up.
    #[error("cannot start {what}")]
    Start {
        /// Which.
        what: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A part of the daemon panicked; what it printed says why. The virtual addresses have been
    /// handed over.
    #[error("the {0} panicked")]
    Lost(&'static str),
}

/// Runs the daemon until it is told to stop.
///
/// # Errors
/// At start, and when a thread panics; whatever else goes wrong later is reported and retried.
pub fn run(options: &Options) -> Result<(), RunError> {
    sys::keep_freed_memory();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| RunError::Start { what: "the runtime", source })?;
    let context = runtime.enter();
    // First of all, so that a SIGHUP during the start is a reload after it, not the end.
    let signals = Signals::new();
    let signals = signals.map_err(|source| RunError::Start { what: "signal handling", source })?;
    let loaded = config::load(&options.config, options.node.as_deref()).map_err(|problems| {
        let_go(options);
        RunError::Refused(problems)
    })?;
    if !loaded.warnings.is_empty() {
        tracing::warn!("configuration accepted with warnings\n{}", loaded.warnings.render(false));
    }
    let sockets = api::bind(&options.runtime_dir)?;
    let config = Arc::new(loaded.config);
    // Not within `block_on`: a thread that fails to start drops a runtime, which must not be done there.
    let (inboxes, threads, requests) = start_threads(&config)?;
    let api = sockets.serve(requests)?;
    let hub = assemble(options, config, threads);
    drop(context);
    runtime.block_on(serve(hub, inboxes, signals, api))
}

async fn serve(
    mut hub: Hub,
    mut inboxes: Inboxes,
    signals: Signals,
    api: api::Serving,
) -> Result<(), RunError> {
    let end = hub.serve(&mut inboxes, signals).await;
    hub.stop(&mut inboxes, end);
    // With the receiver of questions gone, streams bring out their last lines and end.
    drop(inboxes);
    api.finish().await;
    match end {
        End::Signal(_) => Ok(()),
        End::Lost(part) => Err(RunError::Lost(part)),
    }
}

/// Removes the virtual addresses that a daemon left which did not come to its end: nobody will take
/// part in the election for them here until the configuration is mended.
fn let_go(options: &Options) {
    let noted = owned::noted_addresses(&options.runtime_dir);
    if noted.is_empty() {
        return;
    }
    // Where another daemon runs they are its own.
    let Ok(_alone) = api::bind(&options.runtime_dir) else { return };
    match election::let_go(&noted) {
        Ok(removed) => removed.iter().for_each(|placed| {
            tracing::warn!(%placed, "removed a virtual address that an earlier run left behind");
        }),
        Err(error) => tracing::error!(
            error = chain(&error),
            "cannot remove virtual addresses that an earlier run left behind"
        ),
    }
}

type Started = (Inboxes, Threads, mpsc::Sender<api::Request>);

fn start_threads(config: &Arc<Config>) -> Result<Started, RunError> {
    let (to_hub, election) = mpsc::channel(REPORTS);
    let election_thread = election::start(Arc::clone(config), to_hub)
        .map_err(|source| RunError::Start { what: "the election thread", source })?;
    let (to_hub, balancer) = mpsc::channel(REPORTS);
    let balancer_thread = balancer::start(to_hub)
        .map_err(|source| RunError::Start { what: "the balancer thread", source })?;
    let (to_hub, checks) = mpsc::channel(REPORTS);
    let checks_thread = checks::start(to_hub)
        .map_err(|source| RunError::Start { what: "the checks thread", source })?;
    let (requests, to_answer) = mpsc::channel(REQUESTS);
    let threads =
        Threads { election: election_thread, checks: checks_thread, balancer: balancer_thread };
    Ok((Inboxes { election, checks, balancer, requests: to_answer }, threads, requests))
}

fn assemble(options: &Options, config: Arc<Config>, threads: Threads) -> Hub {
    let mut journal = journal::Journal::new(&config.node);
    let (owned, error) = owned::Owned::load(&options.runtime_dir);
    let version = env!("CARGO_PKG_VERSION");
    journal.record(Kind::DaemonStarted, "daemon", |event| {
        event.because("start", format!("diarch {version}, configuration {}", config.digest))
    });
    if let Some(error) = error {
        narrate::state_file(&mut journal, &error);
    }
    let mut hub = Hub {
        config_path: Path::to_path_buf(&options.config),
        node: options.node.clone(),
        config,
        started_at: Timestamp::now(),
        loaded_at: Timestamp::now(),
        last_reload: None::<status::LastReload>,
        journal,
        beliefs: beliefs::Beliefs::default(),
        service_states: std::collections::BTreeMap::new(),
        owned,
        kernel: KernelState::default(),
        threads,
        settled: false,
    };
    hub.note_addresses();
    hub
}

/// An error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
