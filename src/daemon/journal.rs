//! What happened, kept for those who ask later, sent to those who listen now, and logged.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::broadcast;

use crate::status::{Event, Kind};

/// Events kept. A bad night (a hundred servers flapping once a minute) fills it in ten minutes; all of
/// it is in the log as well.
const KEPT: usize = 1000;

/// How far a listener may lag before it loses events and is told so. A health flip of a thousand servers
/// at once must fit.
const LIVE_DEPTH: usize = 2048;

/// The event log of one run of the daemon.
#[derive(Debug)]
pub(super) struct Journal {
    node: String,
    last_id: u64,
    kept: VecDeque<Arc<Event>>,
    live: broadcast::Sender<Arc<Event>>,
}

impl Journal {
    pub(super) fn new(node: &str) -> Self {
        let (live, _) = broadcast::channel(LIVE_DEPTH);
        Self { node: node.to_owned(), last_id: 0, kept: VecDeque::with_capacity(KEPT), live }
    }

    /// Records that something happened to `object`, now; `refine` adds from, to, cause and actor.
    pub(super) fn record(
        &mut self,
        kind: Kind,
        object: impl Into<String>,
        refine: impl FnOnce(Event) -> Event,
    ) {
        self.last_id = self.last_id.saturating_add(1);
        let event = Event::new(self.last_id, Timestamp::now(), &self.node, kind, object);
        let event = Arc::new(refine(event));
        log(&event);
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(Arc::clone(&event));
        // An error only says that nobody listens.
        drop(self.live.send(event));
    }

    /// The newest `last` events with an id above `since`, oldest first.
    pub(super) fn backlog(&self, since: Option<u64>, last: Option<usize>) -> Vec<Arc<Event>> {
        let wanted = self.kept.iter().filter(|event| since.is_none_or(|since| event.id > since));
        let wanted: Vec<_> = wanted.cloned().collect();
        let skip = last.map_or(0, |last| wanted.len().saturating_sub(last));
        wanted.into_iter().skip(skip).collect()
    }

    /// Everything recorded from now on.
    pub(super) fn listen(&self) -> broadcast::Receiver<Arc<Event>> {
        self.live.subscribe()
    }
}

/// How loudly an event is logged.
fn level(kind: &Kind) -> tracing::Level {
    match kind {
        Kind::ServiceDown | Kind::KernelError | Kind::VipError | Kind::ConfigRefused => {
            tracing::Level::ERROR
        }
        Kind::VrrpFault
        | Kind::VrrpConflict
        | Kind::VipRestored
        | Kind::ServiceDegraded
        | Kind::RealServerDown
        | Kind::KernelDrift
        | Kind::Other(_) => tracing::Level::WARN,
        Kind::VrrpInit
        | Kind::VrrpActive
        | Kind::VrrpBackup
        | Kind::VipAdded
        | Kind::VipRemoved
        | Kind::ServiceUp
        | Kind::RealServerUp
        | Kind::RealServerUnknown
        | Kind::KernelInSync
        | Kind::ConfigLoaded
        | Kind::DaemonStarted
        | Kind::DaemonStopping => tracing::Level::INFO,
    }
}

/// One log line: the message is the kind, the rest are fields.
fn log(event: &Event) {
    let kind = &event.kind;
    let object = event.object.as_str();
    let from = event.from.as_deref();
    let to = event.to.as_deref();
    let code = event.cause.as_ref().map(|cause| cause.code.as_str());
    let cause = event.cause.as_ref().map(|cause| cause.detail.as_str());
    let actor = event.actor.as_ref().map(ToString::to_string);
    let actor = actor.as_deref();
    match level(&event.kind) {
        tracing::Level::ERROR => tracing::error!(object, from, to, code, cause, actor, "{kind}"),
        tracing::Level::WARN => tracing::warn!(object, from, to, code, cause, actor, "{kind}"),
        _ => tracing::info!(object, from, to, code, cause, actor, "{kind}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(journal: &Journal, since: Option<u64>, last: Option<usize>) -> Vec<u64> {
        journal.backlog(since, last).iter().map(|event| event.id).collect()
    }

    #[test]
    fn the_newest_events_are_kept_and_found_again() {
        let mut journal = Journal::new("lb1");
        for _ in 0..KEPT + 5 {
            journal.record(Kind::VipAdded, "vip/192.0.2.1", |event| event);
        }
        assert_eq!(ids(&journal, None, None).len(), KEPT);
        assert_eq!(ids(&journal, Some(1003), None), [1004, 1005]);
        assert_eq!(ids(&journal, None, Some(3)), [1003, 1004, 1005]);
        assert_eq!(ids(&journal, Some(2000), Some(3)), Vec::<u64>::new());
    }

    #[test]
    fn a_listener_hears_what_comes_after_it() {
        let mut journal = Journal::new("lb1");
        journal.record(Kind::DaemonStarted, "daemon", |event| event);
        let mut live = journal.listen();
        journal.record(Kind::DaemonStopping, "daemon", |event| event.because("signal", "SIGTERM"));
        let event = live.try_recv().unwrap();
        assert_eq!((event.id, event.cause.as_ref().unwrap().detail.as_str()), (2, "SIGTERM"));
        assert!(live.try_recv().is_err());
    }
}
