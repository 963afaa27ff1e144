//! The balancer: keeps the kernel's IPVS table equal to what is desired, whoever else changes it.
//!
//! One thread of its own with a blocking netlink socket, so that a large table never delays the
//! election. What is desired comes in by [`Balancer::want`], where the latest wins; what happened
//! goes out as [`Report`]s; the latest picture of the kernel is on a watch channel.

mod outbox;
#[cfg(test)]
mod tests;
mod worker;

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::ipvs::{Kernel, KernelError, Observed, Plan, Step, Table};
use crate::kernel::ipvs::Ipvs;
use worker::Worker;

pub use crate::ipvs::Desired;

/// What the balancer tells.
#[derive(Debug)]
pub enum Report {
    /// What the kernel held at the start, before anything was changed. Always the first, but for
    /// [`Report::Failed`] while there is no table to read.
    Adopted {
        /// All services, foreign ones too.
        table: Table,
    },
    /// A round of comparing and changing that is worth telling: something was changed, the refused
    /// steps are others than before, or it was the first round after a [`Balancer::want`].
    Synced {
        /// The kernel's table after it.
        observed: Arc<Observed>,
        /// Steps the kernel took.
        applied: Plan,
        /// Steps it did not take; they are tried again each round.
        failed: Vec<(Step, KernelError)>,
        /// Why there was something to do.
        trigger: Trigger,
        /// From the first question to the kernel to its last answer.
        took: Duration,
    },
    /// The table cannot be read; told once for each different reason.
    Failed {
        /// The reason.
        error: KernelError,
    },
    /// The table can be read again.
    Recovered,
}

/// Why a round found something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// What is desired has changed.
    Wanted,
    /// The kernel's table has changed, by another hand.
    Drift,
}

/// The balancer's thread. Dropping it ends the thread; the kernel's table stays as it is.
#[derive(Debug)]
pub struct Balancer {
    orders: Arc<Orders>,
    observed: watch::Receiver<Arc<Observed>>,
    thread: Option<JoinHandle<()>>,
}

impl Balancer {
    /// Sets what the kernel's table should be. It is acted upon at once; of several the latest
    /// wins. Before the first nothing is changed.
    pub fn want(&self, desired: Arc<Desired>) {
        self.orders.give(|order| order.desired = Some(desired));
    }

    /// The latest picture of the kernel's table; empty until it is first read.
    pub fn observed(&self) -> watch::Receiver<Arc<Observed>> {
        self.observed.clone()
    }

    /// Ends the thread without touching the kernel's table. Waits for a request under way: at most
    /// a few seconds, mostly less than one millisecond.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.orders.give(|order| order.stop = true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the balancer's thread panicked");
        }
    }
}

/// Starts the balancer on the IPVS of the calling thread's network namespace. That there is no
/// IPVS is not an error here: it is reported, and looked for again.
///
/// # Errors
/// When there is no thread to be had.
pub fn start(reports: mpsc::Sender<Report>) -> io::Result<Balancer> {
    start_on(Ipvs::new(), reports)
}

fn start_on(
    kernel: impl Kernel + Send + 'static,
    reports: mpsc::Sender<Report>,
) -> io::Result<Balancer> {
    let orders = Arc::new(Orders::default());
    let (picture, observed) = watch::channel(Arc::default());
    let worker = Worker::new(kernel, Arc::clone(&orders), reports, picture);
    let thread = std::thread::Builder::new().name("balancer".to_owned());
    let thread = Some(thread.spawn(move || worker.run())?);
    Ok(Balancer { orders, observed, thread })
}

/// What the thread is told, and woken by.
#[derive(Debug, Default)]
struct Orders {
    order: Mutex<Order>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Order {
    /// The latest wish that the thread has not seen.
    desired: Option<Arc<Desired>>,
    stop: bool,
}

/// Why the thread goes on.
#[derive(Debug)]
enum Woken {
    Stop,
    Wanted(Arc<Desired>),
    Rested,
}

impl Orders {
    fn give(&self, change: impl FnOnce(&mut Order)) {
        change(&mut self.lock());
        self.changed.notify_one();
    }

    /// Waits for a new order, but no longer than this.
    fn wait(&self, pause: Duration) -> Woken {
        let idle = |order: &mut Order| !order.stop && order.desired.is_none();
        let waited = self.changed.wait_timeout_while(self.lock(), pause, idle);
        let (mut order, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match order.desired.take() {
            _ if order.stop => Woken::Stop,
            Some(desired) => Woken::Wanted(desired),
            None => Woken::Rested,
        }
    }

    // An order is whole even if its giver panicked: it is one assignment.
    fn lock(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
