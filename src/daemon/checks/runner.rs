//! One check of one real server: wait, probe, judge, report.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::random::Random;
use super::{CheckId, Report};
use crate::check::{Failure, Outcome, Probe};
use crate::config::Check;
use crate::health::Judge;

/// What a runner does until told otherwise.
#[derive(Debug)]
pub(super) struct Order<P> {
    /// As configured.
    pub(super) check: Arc<Check>,
    /// Who is asked; `None` when no port is known.
    pub(super) target: Option<SocketAddr>,
    /// `check.kind` made ready, or why it cannot be.
    pub(super) probe: Result<Arc<P>, Failure>,
    /// The first probe comes after a random part of this.
    pub(super) spread: Duration,
    /// As [`Report::generation`].
    pub(super) generation: u64,
}

// Not derived: that would ask for `P: Clone`.
impl<P> Clone for Order<P> {
    fn clone(&self) -> Self {
        Self { check: self.check.clone(), probe: self.probe.clone(), ..*self }
    }
}

impl<P: Probe> Order<P> {
    async fn probe(&self) -> Outcome {
        let probe = self.probe.as_ref().map_err(Clone::clone)?;
        let no_port = || Failure::Local("neither the check nor the service names a port".into());
        let target = self.target.ok_or_else(no_port)?;
        probe.probe(target, self.check.timing.timeout).await
    }

    /// Waits for `due` and a permit, then probes. The probe's time limit begins with the permit.
    ///
    /// Cancel safe: an unfinished probe is as if never begun.
    async fn turn(&self, due: Instant, permits: &Semaphore) -> Turn {
        sleep_until(due).await;
        // Nobody closes the semaphore; without it there is just no cap.
        let permit = permits.acquire().await.ok();
        let started = Instant::now();
        let outcome = self.probe().await;
        drop(permit);
        Turn { started, duration: started.elapsed(), outcome }
    }
}

/// A finished probe.
struct Turn {
    started: Instant,
    duration: Duration,
    outcome: Outcome,
}

/// A task: carries out the latest [`Order`] until the sender of orders or the receiver of reports
/// is gone. The judge lives here, so a changed order never forgets what is believed.
#[derive(Debug)]
pub(super) struct Runner<P> {
    pub(super) id: CheckId,
    pub(super) judge: Judge,
    pub(super) orders: watch::Receiver<Order<P>>,
    pub(super) reports: mpsc::Sender<Report>,
    pub(super) permits: Arc<Semaphore>,
}

/// Why a runner left off its order.
enum Left {
    ForAnother,
    ForGood,
}

impl<P: Probe> Runner<P> {
    pub(super) async fn run(mut self) {
        let mut random = Random::new((&self.id, wall_clock()));
        loop {
            let order = self.orders.borrow_and_update().clone();
            self.judge.set_hysteresis(order.check.hysteresis);
            match self.follow(&order, &mut random).await {
                Left::ForAnother => {}
                Left::ForGood => return,
            }
        }
    }

    async fn follow(&mut self, order: &Order<P>, random: &mut Random) -> Left {
        let timing = order.check.timing;
        let mut due = Instant::now() + random.up_to(order.spread);
        let mut blind = false;
        loop {
            // A new order comes first: the probe under way may ask the wrong question.
            // `changed` and `turn` are cancel safe.
            let turn = tokio::select! {
                biased;
                changed = self.orders.changed() => match changed {
                    Ok(()) => return Left::ForAnother,
                    Err(_) => return Left::ForGood,
                },
                turn = order.turn(due, &self.permits) => turn,
            };
            self.note_blindness(&turn.outcome, &mut blind);
            let started = turn.started;
            let report = self.judge(turn, order.generation);
            // Waits while the hub is behind: a change must not be lost.
            if self.reports.send(report).await.is_err() {
                return Left::ForGood;
            }
            let pause = if self.judge.settled() {
                timing.interval
            } else {
                timing.fast_interval.min(timing.interval)
            };
            due = started + pause + random.up_to(timing.jitter);
        }
    }

    fn judge(&mut self, turn: Turn, generation: u64) -> Report {
        let Turn { duration, outcome, .. } = turn;
        let change = match &outcome {
            Ok(_) => self.judge.observe(true),
            Err(failure) if failure.is_evidence() => self.judge.observe(false),
            // We could not ask: what was believed stays.
            Err(_) => None,
        };
        let (health, streak) = (self.judge.health(), self.judge.streak());
        let (id, at) = (self.id.clone(), wall_clock());
        Report { id, at, duration, outcome, health, change, streak, generation }
    }

    /// Logs the first of several failures that are our own.
    fn note_blindness(&self, outcome: &Outcome, blind: &mut bool) {
        let before = *blind;
        *blind = matches!(outcome, Err(failure) if !failure.is_evidence());
        if let (false, Err(failure @ Failure::Local(_))) = (before, outcome) {
            tracing::warn!(
                service = self.id.server.service,
                real_server = %self.id.server.address,
                check = self.id.index,
                error = failure as &dyn std::error::Error,
                "health check cannot be carried out"
            );
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "shown with the result, and seeds a random number")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}
