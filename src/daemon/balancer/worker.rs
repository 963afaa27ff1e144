//! The balancer's thread: observe, plan, apply, wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::outbox::Outbox;
use super::{Desired, Orders, Report, Trigger, Woken};
use crate::daemon::chain;
use crate::ipvs::{self, Kernel, KernelError, Observed};

/// Shortest pause between two looks at an undisturbed table.
const PAUSE_MIN: Duration = Duration::from_millis(250);
/// Longest such pause, so that drift is repaired within a second.
const PAUSE_MAX: Duration = Duration::from_millis(750);
/// In between, the thread rests this many times as long as a look takes: on a large table it takes a
/// tenth of a processor.
const REST: u32 = 10;
/// Longest pause after failures to read the table; they double from [`PAUSE_MIN`].
const BACK_OFF_MAX: Duration = Duration::from_secs(5);
/// How soon reports that the channel did not take are offered again.
const OFFER_AGAIN: Duration = Duration::from_millis(20);

pub(super) struct Worker<K> {
    kernel: K,
    orders: Arc<Orders>,
    outbox: Outbox,
    picture: watch::Sender<Arc<Observed>>,
    desired: Option<Arc<Desired>>,
    /// `desired` has not been compared with the kernel yet.
    unseen: bool,
    /// A report was lost on its way: the next round is told whatever it does.
    lost: bool,
    adopted: bool,
    /// Why the table cannot be read, as text; with how many attempts in a row.
    failing: Option<(String, u32)>,
    /// Refused steps of the last round, as text.
    refused: Vec<String>,
}

impl<K: Kernel> Worker<K> {
    pub(super) fn new(
        kernel: K,
        orders: Arc<Orders>,
        reports: mpsc::Sender<Report>,
        picture: watch::Sender<Arc<Observed>>,
    ) -> Self {
        Self {
            kernel,
            orders,
            outbox: Outbox::new(reports),
            picture,
            desired: None,
            unseen: false,
            lost: false,
            adopted: false,
            failing: None,
            refused: Vec::new(),
        }
    }

    /// Works until told to stop, or until nobody listens.
    pub(super) fn run(mut self) {
        loop {
            let began = now();
            let pause = match self.round(began) {
                Ok(changed) => self.recovered(began, changed),
                Err(error) => self.failed(error),
            };
            if self.wait(pause).is_none() {
                return;
            }
        }
    }

    /// Whether it changed anything in the kernel.
    fn round(&mut self, began: Instant) -> Result<bool, KernelError> {
        let desired = self.desired.clone().filter(|_| self.adopted);
        let Some(desired) = desired else {
            self.look()?;
            return Ok(false);
        };
        let report = ipvs::sync(&mut self.kernel, &desired)?;
        let refused: Vec<String> = report.failed.iter().map(describe).collect();
        let changed = !report.applied.is_empty();
        let idle = !changed && refused == self.refused;
        let observed = if changed {
            // Should this fail, the table of before is told, and the next round tells the failure.
            self.kernel.observe().unwrap_or(report.observed)
        } else {
            report.observed
        };
        let observed = Arc::new(observed);
        self.picture.send_replace(Arc::clone(&observed));
        let trigger = if self.unseen { Trigger::Wanted } else { Trigger::Drift };
        if !idle || self.unseen || std::mem::take(&mut self.lost) {
            let took = now().saturating_duration_since(began);
            let (applied, failed) = (report.applied, report.failed);
            self.tell(Report::Synced { observed, applied, failed, trigger, took });
        }
        self.unseen = false;
        self.refused = refused;
        Ok(changed)
    }

    /// Reads the table without changing it.
    fn look(&mut self) -> Result<(), KernelError> {
        let observed = self.kernel.observe()?;
        if !self.adopted {
            self.adopted = true;
            self.tell(Report::Adopted { table: observed.table.clone() });
        }
        self.picture.send_replace(Arc::new(observed));
        Ok(())
    }

    fn tell(&mut self, report: Report) {
        self.lost |= !self.outbox.push(report);
    }

    fn recovered(&mut self, began: Instant, changed: bool) -> Duration {
        if self.failing.take().is_some() {
            self.tell(Report::Recovered);
        }
        if self.unseen {
            return Duration::ZERO;
        }
        if changed {
            // How long the writing took says nothing about the next look, and whoever changes the
            // table may not have done yet.
            return PAUSE_MIN;
        }
        let looked = now().saturating_duration_since(began);
        looked.saturating_mul(REST).clamp(PAUSE_MIN, PAUSE_MAX)
    }

    fn failed(&mut self, error: KernelError) -> Duration {
        let text = chain(&error);
        let (known, attempts) = match self.failing.take() {
            Some((before, attempts)) => (before == text, attempts.saturating_add(1)),
            None => (false, 0),
        };
        self.failing = Some((text, attempts));
        if !known {
            self.tell(Report::Failed { error });
        }
        PAUSE_MIN.saturating_mul(2_u32.saturating_pow(attempts)).min(BACK_OFF_MAX)
    }

    /// Waits for a wish or for the time to look again, while reports go out. `None`: end.
    fn wait(&mut self, pause: Duration) -> Option<()> {
        let until = now() + pause;
        loop {
            let sent = self.outbox.flush().ok()?;
            let left = until.saturating_duration_since(now());
            let rest = if sent { left } else { left.min(OFFER_AGAIN) };
            match self.orders.wait(rest) {
                Woken::Stop => return None,
                Woken::Wanted(desired) => {
                    self.desired = Some(desired);
                    self.unseen = true;
                    return Some(());
                }
                Woken::Rested if left <= rest => return Some(()),
                Woken::Rested => {}
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell's clock")]
fn now() -> Instant {
    Instant::now()
}

fn describe((step, error): &(ipvs::Step, KernelError)) -> String {
    format!("{step}: {}", chain(error))
}
