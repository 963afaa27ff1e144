//! Where the VIP is: both directors are looked at each two milliseconds.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::netns::Namespace;
use crate::topology::VIP;

/// Is the VIP a local address for the thread that asks? Binding a socket to it is the cheapest way
/// to know.
pub(crate) fn is_local() -> bool {
    has(VIP)
}

fn has(address: Ipv4Addr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

/// The first director, the second, and the first again. Looks at two directors cannot be
/// simultaneous; but what the first had before and after, it had while the second was looked at.
#[derive(Clone, Copy, Debug)]
struct Look {
    before: bool,
    other: bool,
    after: bool,
}

impl Look {
    /// How many directors certainly had the VIP at one moment; 1 while it changed hands.
    fn count(self) -> usize {
        match (self.before, self.other, self.after) {
            (true, true, true) => 2,
            (false, false, false) => 0,
            _ => 1,
        }
    }
}

/// One thread that looks at the directors in turn: two threads on the lab's one processor could not
/// tell a hand-over from an overlap.
#[derive(Debug)]
pub(crate) struct Sampler {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Result<History>>>,
}

impl Sampler {
    pub(crate) fn start(directors: &[Namespace; 2], epoch: Instant) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let [one, two] = directors.clone();
        let first = one.clone();
        let thread = one.spawn(move || {
            let mut history = History::default();
            while !stopped.load(Ordering::Relaxed) {
                let before = is_local();
                two.enter()?;
                let other = is_local();
                let at = epoch.elapsed();
                first.enter()?;
                history.add(at, Look { before, other, after: is_local() });
                std::thread::sleep(Duration::from_millis(2));
            }
            history.end = epoch.elapsed();
            Ok(history)
        });
        Self { stop, thread }
    }

    pub(crate) fn stop(self) -> Result<History> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the sampler of the VIP panicked"))??
    }
}

/// What a [`Sampler`] saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// Since when (the lab's epoch is 0) the VIP was on so many directors.
    changes: Vec<(Duration, usize)>,
    end: Duration,
}

impl History {
    fn add(&mut self, at: Duration, look: Look) {
        let count = look.count();
        if self.changes.last().is_none_or(|&(_, before)| before != count) {
            self.changes.push((at, count));
        }
    }

    /// How long in all the VIP was on `count` directors (0, 1 or 2).
    pub(crate) fn time_on(&self, count: usize) -> Duration {
        let ends = self.changes.iter().skip(1).map(|&(at, _)| at).chain([self.end]);
        let spans = self.changes.iter().zip(ends);
        spans
            .filter(|&(&(_, on), _)| on == count)
            .map(|(&(at, _), end)| end.saturating_sub(at))
            .sum()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn look(before: bool, other: bool, after: bool) -> Look {
        Look { before, other, after }
    }

    pub(crate) fn overlap() {
        let mut history = History { end: Duration::from_millis(400), ..History::default() };
        for (at, seen) in [
            (0, look(true, false, true)),
            (100, look(false, false, false)),
            (150, look(false, true, false)),
            (300, look(true, true, true)),
            (305, look(true, true, true)),
            (310, look(true, false, true)),
        ] {
            history.add(Duration::from_millis(at), seen);
        }
        assert_eq!(history.time_on(0), Duration::from_millis(50), "from 100 to 150");
        assert_eq!(history.time_on(2), Duration::from_millis(10), "from 300 to 310");
        assert_eq!(history.time_on(1), Duration::from_millis(100 + 150 + 90));
    }

    pub(crate) fn handover() {
        // It left the first after the first look and was on the second by the next one, or the reverse.
        assert_eq!(look(true, true, false).count(), 1);
        assert_eq!(look(false, false, true).count(), 1);
    }
}
