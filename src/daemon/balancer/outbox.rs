//! Reports on their way out.

use std::collections::VecDeque;

use tokio::sync::mpsc::{self, error::TrySendError};

use super::Report;

/// Reports kept while the receiver is busy: a minute's worth of drift every second. Beyond that
/// the oldest are dropped; the picture of the kernel is on the watch channel all the same.
const DEPTH: usize = 64;

/// Sends without ever blocking the thread; keeps what the channel does not take.
#[derive(Debug)]
pub(super) struct Outbox {
    reports: mpsc::Sender<Report>,
    kept: VecDeque<Report>,
}

/// Nobody listens any more.
#[derive(Debug)]
pub(super) struct Closed;

impl Outbox {
    pub(super) fn new(reports: mpsc::Sender<Report>) -> Self {
        Self { reports, kept: VecDeque::new() }
    }

    /// Keeps a report for the next [`Self::flush`]. `false` when an older one had to go for it: the
    /// state must be told again.
    #[must_use]
    pub(super) fn push(&mut self, report: Report) -> bool {
        let full = self.kept.len() >= DEPTH;
        if full {
            // The first report is what everything starts from: it is never the one dropped.
            let synced = self.kept.iter().position(|r| matches!(r, Report::Synced { .. }));
            let later = || self.kept.iter().position(|r| !matches!(r, Report::Adopted { .. }));
            synced.or_else(later).and_then(|oldest| self.kept.remove(oldest));
            tracing::warn!("balancer report dropped: its receiver is too slow");
        }
        self.kept.push_back(report);
        !full
    }

    /// Sends what the channel takes. `Ok(true)` when nothing is left.
    pub(super) fn flush(&mut self) -> Result<bool, Closed> {
        while let Some(report) = self.kept.pop_front() {
            match self.reports.try_send(report) {
                Ok(()) => {}
                Err(TrySendError::Full(report)) => {
                    self.kept.push_front(report);
                    return Ok(false);
                }
                Err(TrySendError::Closed(_)) => return Err(Closed),
            }
        }
        if self.reports.is_closed() { Err(Closed) } else { Ok(true) }
    }
}
