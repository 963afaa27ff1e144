//! Keeps the runners equal to the configuration.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{self, AbortHandle, JoinError, JoinSet};

use super::runner::{Order, Runner};
use super::{CheckId, Question, Report, ServerId, Work};
use crate::check::{BadSpec, Clients, Failure, Kind, Prepared, Probe};
use crate::config::{Check, Config};
use crate::health::Judge;

/// Probes at the same time. Each takes a file descriptor, and a process is given 1024 unless the
/// service manager says otherwise: half of them, the rest is for sockets of the daemon.
pub(super) const MAX_PROBES: usize = 512;

/// The first probes of a start are spread over at least this: soon, but not in one burst.
const LEAST_SPREAD: Duration = Duration::from_millis(200);

/// With many checks their first probes come, on average, this far apart.
const SPREAD_PER_CHECK: Duration = Duration::from_micros(500);

/// Makes probes of what the configuration says. Real: [`Clients`]. Tests: a script.
pub(super) trait Prepare {
    type Probe: Probe;
    fn prepare(&self, kind: &Kind) -> Result<Self::Probe, BadSpec>;
}

impl Prepare for Clients {
    type Probe = Prepared;
    fn prepare(&self, kind: &Kind) -> Result<Prepared, BadSpec> {
        self.prepare(kind)
    }
}

/// A check that should run.
struct Wanted {
    check: Arc<Check>,
    target: Option<SocketAddr>,
}

/// A check that runs.
struct Running<P> {
    orders: watch::Sender<Order<P>>,
    task: AbortHandle,
}

/// The manager's task; dropping it ends all runners.
pub(super) struct Manager<C: Prepare> {
    clients: C,
    reports: mpsc::Sender<Report>,
    permits: Arc<Semaphore>,
    running: BTreeMap<CheckId, Running<C::Probe>>,
    tasks: JoinSet<()>,
}

impl<C: Prepare> Manager<C> {
    pub(super) fn new(clients: C, reports: mpsc::Sender<Report>) -> Self {
        let permits = Arc::new(Semaphore::new(MAX_PROBES));
        Self { clients, reports, permits, running: BTreeMap::new(), tasks: JoinSet::new() }
    }

    /// Follows `work` until its sender is gone.
    pub(super) async fn run(mut self, mut work: watch::Receiver<Option<Work>>) {
        loop {
            // New work first; it may replace what ended. Both arms are cancel safe.
            tokio::select! {
                biased;
                changed = work.changed() => if changed.is_err() { return },
                Some(ended) = self.tasks.join_next_with_id() => {
                    if !ended.is_err_and(|error| self.bury(&error)) {
                        continue;
                    }
                }
            }
            let latest = work.borrow_and_update().clone();
            if let Some(latest) = latest {
                self.apply(&latest);
            }
        }
    }

    /// Forgets a runner that panicked, so that it is started again. Whether there was one.
    fn bury(&mut self, error: &JoinError) -> bool {
        if !error.is_panic() {
            return false;
        }
        tracing::error!(error = error as &dyn Error, "health check panicked and is started anew");
        let panicked: task::Id = error.id();
        self.running.retain(|_, running| running.task.id() != panicked);
        true
    }

    fn apply(&mut self, work: &Work) {
        let wanted = wanted(&work.config);
        let known: HashSet<ServerId> = self.running.keys().map(|id| id.server.clone()).collect();
        self.running.retain(|id, running| {
            let stays = wanted.contains_key(id);
            if !stays {
                running.task.abort();
            }
            stays
        });
        let checks = u32::try_from(wanted.len()).unwrap_or(u32::MAX);
        let mut prepared = HashMap::new();
        for (id, Wanted { check, target }) in wanted {
            let running = self.running.get(&id);
            if running.is_some_and(|running| unchanged(&running.orders.borrow(), &check, target)) {
                continue;
            }
            let probe = prepared
                .entry(check.kind.clone())
                .or_insert_with(|| prepare(&self.clients, &check.kind))
                .clone();
            let spread = spread(&check, checks);
            let order = Order { check, target, probe, spread, generation: work.generation };
            match running {
                Some(running) if asks_the_same(&running.orders.borrow(), &order) => {
                    running.orders.send_replace(order);
                }
                other => {
                    // The judge of another question knows nothing of this one.
                    if let Some(other) = other {
                        other.task.abort();
                    }
                    // A check added to a server we check already is no reason to be quick about it.
                    let adopted = work.adopted.contains(&id.server) && !known.contains(&id.server);
                    self.launch(id, order, adopted);
                }
            }
        }
    }

    fn launch(&mut self, id: CheckId, order: Order<C::Probe>, adopted: bool) {
        let hysteresis = order.check.hysteresis;
        let judge = if adopted { Judge::adopted(hysteresis) } else { Judge::new(hysteresis) };
        let (orders, receiver) = watch::channel(order);
        let runner = Runner {
            id: id.clone(),
            judge,
            orders: receiver,
            reports: self.reports.clone(),
            permits: self.permits.clone(),
        };
        let task = self.tasks.spawn(runner.run());
        self.running.insert(id, Running { orders, task });
    }
}

fn prepare<C: Prepare>(clients: &C, kind: &Kind) -> Result<Arc<C::Probe>, Failure> {
    let probe = clients.prepare(kind).map_err(|bad| Failure::Local(bad.to_string()))?;
    Ok(Arc::new(probe))
}

fn unchanged<P>(order: &Order<P>, check: &Arc<Check>, target: Option<SocketAddr>) -> bool {
    order.check == *check && order.target == target
}

fn asks_the_same<P>(one: &Order<P>, other: &Order<P>) -> bool {
    one.check.kind == other.check.kind && one.target == other.target
}

fn spread(check: &Check, checks: u32) -> Duration {
    let timing = check.timing;
    let wide = SPREAD_PER_CHECK.saturating_mul(checks).max(LEAST_SPREAD);
    wide.min(timing.fast_interval).min(timing.interval)
}

fn wanted(config: &Config) -> BTreeMap<CheckId, Wanted> {
    let mut wanted = BTreeMap::new();
    for service in &config.services {
        let checks: Vec<Arc<Check>> = service.checks.iter().cloned().map(Arc::new).collect();
        for server in &service.real_servers {
            for (index, check) in checks.iter().enumerate() {
                let id = CheckId { server: ServerId::of(&service.name, server), index };
                let Question { target, .. } = Question::of(service, server, check);
                wanted.insert(id, Wanted { check: check.clone(), target });
            }
        }
    }
    wanted
}

#[cfg(test)]
mod tests;
