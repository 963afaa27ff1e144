//! The hub: the one place where reports become belief, belief becomes the desired table, and questions
//! are answered. It runs in the main thread and decides nothing that a pure module could decide.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::api::Request;
use super::balancer::{self, Balancer, Desired};
use super::beliefs::Beliefs;
use super::checks::{self, Checks};
use super::election::{self, Election};
use super::journal::Journal;
use super::owned::Owned;
use super::signals::{Order, Signals};
use super::snapshot::{self, service_state};
use super::{narrate, notify};
use crate::config::Config;
use crate::ipvs::{self, ServiceKey, Table};
use crate::status::{self, Kind, ServiceState};
use crate::vrrp::Role;

/// Reports of the checks taken in one turn before the table is computed: a thousand servers that die
/// together cost one change of the kernel, not a thousand.
const REPORTS_PER_TURN: usize = 4096;

/// A preempting router waits for the checks to settle, but not for ever.
const SETTLE_AT_MOST: Duration = Duration::from_secs(15);

/// The election takes a configuration over in milliseconds, unless the kernel keeps it waiting.
const IN_EFFECT_AT_MOST: Duration = Duration::from_secs(2);

/// Where the hub's parts report to it.
#[derive(Debug)]
pub(super) struct Inboxes {
    pub(super) election: mpsc::Receiver<election::Report>,
    pub(super) checks: mpsc::Receiver<checks::Report>,
    pub(super) balancer: mpsc::Receiver<balancer::Report>,
    pub(super) requests: mpsc::Receiver<Request>,
}

/// The threads, by their handles.
#[derive(Debug)]
pub(super) struct Threads {
    pub(super) election: Election,
    pub(super) checks: Checks,
    pub(super) balancer: Balancer,
}

/// Everything the daemon knows.
#[derive(Debug)]
pub(super) struct Hub {
    pub(super) config_path: PathBuf,
    /// As given on the command line, for reading the files again.
    pub(super) node: Option<String>,
    pub(super) config: Arc<Config>,
    pub(super) started_at: Timestamp,
    pub(super) loaded_at: Timestamp,
    pub(super) last_reload: Option<status::LastReload>,
    pub(super) journal: Journal,
    pub(super) beliefs: Beliefs,
    pub(super) service_states: BTreeMap<String, (ServiceState, Timestamp)>,
    pub(super) owned: Owned,
    pub(super) kernel: KernelState,
    pub(super) threads: Threads,
    pub(super) settled: bool,
}

/// Why the hub stopped serving.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It was told to, by this signal.
    Signal(&'static str),
    /// This part of the daemon ended by itself, which only a panic does.
    Lost(&'static str),
}

/// What the hub knows of the kernel's table.
#[derive(Debug, Default)]
pub(super) struct KernelState {
    /// The table has been read once; before that nothing is wanted of the kernel.
    pub(super) ready: bool,
    /// What we want it to be.
    pub(super) wanted: Arc<Desired>,
    pub(super) drift_repairs: u64,
    /// The refusal or failure that stands.
    pub(super) error: Option<(String, Timestamp)>,
}

/// One round of the balancer that changed something, or failed to.
#[derive(Debug)]
pub(super) struct Synced {
    pub(super) applied: ipvs::Plan,
    pub(super) failed: Vec<(ipvs::Step, ipvs::KernelError)>,
    pub(super) trigger: balancer::Trigger,
    pub(super) took: Duration,
}

impl Hub {
    /// Serves until told to stop, or until a part is lost: what is left of the daemon then would
    /// hold addresses that nobody watches over, or believe what nobody checks any more.
    ///
    /// The order of the arms is their urgency: signals first; then what moves VIPs, what the kernel said,
    /// what checks found; questions last. Every arm is cancel safe: a `recv` loses nothing.
    pub(super) async fn serve(&mut self, inboxes: &mut Inboxes, mut signals: Signals) -> End {
        let settle_by = Instant::now() + SETTLE_AT_MOST;
        notify::ready(self);
        loop {
            tokio::select! {
                biased;
                order = signals.next() => match order {
                    Order::Reload => drop(self.reload(status::Actor::signal("SIGHUP"))),
                    Order::Stop(signal) => return End::Signal(signal),
                },
                report = inboxes.election.recv() => match report {
                    Some(report) => self.on_election(&report),
                    None => return End::Lost("election"),
                },
                report = inboxes.balancer.recv() => match report {
                    Some(report) => self.on_balancer(report),
                    None => return End::Lost("balancer"),
                },
                report = inboxes.checks.recv() => match report {
                    Some(report) => self.on_checks(report, &mut inboxes.checks),
                    None => return End::Lost("checks"),
                },
                request = inboxes.requests.recv() => match request {
                    Some(request) => self.on_request(request),
                    None => return End::Lost("api"),
                },
                () = tokio::time::sleep_until(settle_by), if !self.settled => self.settle(),
            }
        }
    }

    fn on_election(&mut self, report: &election::Report) {
        narrate::election(&mut self.journal, report);
        notify::status(self);
    }

    fn on_checks(&mut self, first: checks::Report, more: &mut mpsc::Receiver<checks::Report>) {
        let mut changed = false;
        let rest = std::iter::from_fn(|| more.try_recv().ok()).take(REPORTS_PER_TURN);
        for report in std::iter::once(first).chain(rest) {
            let server = report.id.server.clone();
            if let Some(change) = self.beliefs.observe(report) {
                narrate::real_server(&mut self.journal, &self.config, &server, &change);
                changed = true;
            }
        }
        if changed {
            self.publish_table();
            self.follow_services();
            if self.beliefs.settled() {
                self.settle();
            }
            notify::status(self);
        }
    }

    fn on_balancer(&mut self, report: balancer::Report) {
        match report {
            balancer::Report::Adopted { table } => self.begin(table),
            balancer::Report::Synced { observed, applied, failed, trigger, took } => {
                let synced = Synced { applied, failed, trigger, took };
                let drift = narrate::synced(&mut self.journal, &mut self.kernel, &synced);
                self.kernel.drift_repairs = self.kernel.drift_repairs.saturating_add(drift.into());
                self.forget_deleted(&observed.table);
            }
            balancer::Report::Failed { error } => {
                let error = narrate::kernel_error(&error);
                narrate::kernel_failed(&mut self.journal, &mut self.kernel, "unreadable", error);
                if !self.kernel.ready && self.beliefs.is_empty() {
                    // Health is worth knowing, and showing, even where the kernel has no IPVS.
                    self.follow_config(Table::new());
                }
            }
            balancer::Report::Recovered => {
                narrate::kernel_recovered(&mut self.journal, &mut self.kernel);
            }
        }
    }

    /// The kernel's table is known: what it serves is adopted, and from now on it is ours to keep.
    fn begin(&mut self, table: Table) {
        if self.kernel.ready {
            return;
        }
        self.kernel.ready = true;
        self.follow_config(table);
    }

    /// Makes belief, kernel and checks follow the configuration, given the table in force.
    pub(super) fn follow_config(&mut self, in_force: Table) {
        let changes = self.beliefs.configure(&self.config, in_force, Timestamp::now());
        self.publish_table();
        for (server, change) in changes {
            narrate::real_server(&mut self.journal, &self.config, &server, &change);
        }
        let adopted = Arc::new(self.beliefs.adopted());
        let generation = self.threads.checks.configure(Arc::clone(&self.config), adopted);
        self.beliefs.started(generation);
        self.follow_services();
        if self.beliefs.settled() {
            self.settle();
        }
    }

    /// Computes the table and hands it to the balancer, having noted what will be ours.
    fn publish_table(&mut self) {
        if !self.kernel.ready {
            return;
        }
        let table = self.beliefs.table(&self.config);
        let owned: BTreeSet<ServiceKey> =
            self.owned.services().iter().chain(table.keys()).copied().collect();
        if let Err(error) = self.owned.set(owned.clone()) {
            narrate::state_file(&mut self.journal, &error);
        }
        self.kernel.wanted = Arc::new(Desired { table, owned });
        self.threads.balancer.want(Arc::clone(&self.kernel.wanted));
    }

    /// Notes the virtual addresses of the configuration, for a start after a crash.
    pub(super) fn note_addresses(&mut self) {
        if let Err(error) = self.owned.note_addresses(&self.config) {
            narrate::state_file(&mut self.journal, &error);
        }
    }

    /// Services neither wanted nor in the kernel any more are no longer ours.
    fn forget_deleted(&mut self, observed: &Table) {
        let keep = |key: &&ServiceKey| {
            observed.contains_key(key) || self.kernel.wanted.table.contains_key(key)
        };
        let owned = self.owned.services().iter().filter(keep).copied().collect();
        if let Err(error) = self.owned.set(owned) {
            narrate::state_file(&mut self.journal, &error);
        }
    }

    /// What the kernel holds, or is about to: the last observation with what we want laid over it.
    pub(super) fn table_in_force(&self) -> Table {
        let mut table = self.threads.balancer.observed().borrow().table.clone();
        table.extend(self.kernel.wanted.table.iter().map(|(key, service)| (*key, service.clone())));
        table
    }

    /// Notes which services changed their state, and says so.
    fn follow_services(&mut self) {
        let mut states = std::mem::take(&mut self.service_states);
        for service in &self.config.services {
            let state = service_state(&self.beliefs, service);
            let before = states.remove(&service.name);
            let since = match before {
                Some((old, since)) if old == state => since,
                _ => Timestamp::now(),
            };
            let old = match before {
                Some((old, _)) => old,
                // Up from the start, for there is nothing to ask: that is no news.
                None if service.checks.is_empty() => state,
                None => ServiceState::Unknown,
            };
            narrate::service(&mut self.journal, &service.name, old, state);
            self.service_states.insert(service.name.clone(), (state, since));
        }
    }

    fn settle(&mut self) {
        if !self.settled {
            self.settled = true;
            self.threads.election.settled();
        }
    }

    fn on_request(&mut self, request: Request) {
        // A client that went away before its answer needs none.
        match request {
            Request::Status(reply) => drop(reply.send(Arc::new(snapshot::status(self)))),
            Request::Events { since, last, reply } => {
                drop(reply.send(super::api::EventsAnswer {
                    backlog: self.journal.backlog(since, last),
                    current: snapshot::current(self),
                    live: self.journal.listen(),
                }));
            }
            Request::Live(reply) => drop(reply.send(self.live())),
            Request::Ready(reply) => drop(reply.send(self.ready())),
            Request::Reload { actor, reply } => {
                let answer = self.reload(actor);
                // The hub waits for nobody, but whoever ordered a reload wants to find it done.
                let in_effect = self.threads.election.in_effect();
                tokio::spawn(async move {
                    drop(timeout(IN_EFFECT_AT_MOST, in_effect).await);
                    drop(reply.send(answer));
                });
            }
        }
    }

    /// The hub turns, or it would not answer; so must the thread that holds the VIPs.
    fn live(&self) -> Result<(), String> {
        if self.threads.election.is_running() {
            Ok(())
        } else {
            Err("the election thread has ended".to_owned())
        }
    }

    /// Whether this director could serve if it became Active now.
    fn ready(&self) -> Result<(), String> {
        let view = self.threads.election.view().borrow().clone();
        if let Some(router) = view.routers.iter().find(|router| router.role == Role::Fault) {
            return Err(format!("vrrp {} is in fault: {}", router.name, router.detail));
        }
        if let Some((error, _)) = &self.kernel.error {
            return Err(error.clone());
        }
        if self.settled { Ok(()) } else { Err("the health checks have not settled yet".to_owned()) }
    }

    /// Leaves: VIPs are handed over first, the kernel's IPVS table stays as it is.
    pub(super) fn stop(self, inboxes: &mut Inboxes, end: End) {
        notify::stopping();
        let Self { mut journal, threads, .. } = self;
        let ended = threads.election.stop();
        while let Ok(report) = inboxes.election.try_recv() {
            narrate::election(&mut journal, &report);
        }
        if let Err(error) = ended {
            tracing::error!(error = &error as &dyn std::error::Error, "election ended badly");
        }
        journal.record(Kind::DaemonStopping, "daemon", |event| match end {
            End::Signal(signal) => event.because("signal", signal),
            End::Lost(part) => event.because("panic", format!("the {part} panicked")),
        });
        threads.checks.stop();
        threads.balancer.stop();
    }
}
