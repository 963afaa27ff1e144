//! The election thread: virtual routers, their packets, and the virtual addresses they hold.
//!
//! It has a thread and a runtime of its own, so that no TLS handshake and no IPVS dump delays
//! an advertisement. Nothing is awaited there but sockets and timers; the only calls that may
//! take a while are rtnetlink's, to list interfaces and change addresses.
//!
//! ```text
//!  Election::configure, settled, resign, stop ──watch──► driver ──watch──► View
//!                                                          │ ▲
//!  raw socket and ARP socket per interface, rtnetlink ◄────┘ │──mpsc──► Report
//! ```
//!
//! `driver` is the loop, `instance` one virtual router, `place` where it may run, `shell` what
//! all of them share.
#![forbid(unsafe_code)]

mod driver;
mod instance;
mod place;
mod report;
mod shell;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::{mpsc, watch};

use crate::config::{Config, Vip};
use crate::kernel::NetlinkError;
use crate::kernel::link::{Links, Monitor};
use crate::sys;
use driver::Driver;
use place::{Unfit, examine};
use shell::Shell;

pub use report::{Event, Placed, Rejection, Report};
pub use view::{ActiveRouter, Counters, RouterView, View, VipView};

/// What the thread shall do. The latest orders count; none queue up.
#[derive(Debug, Clone)]
struct Orders {
    config: Arc<Config>,
    /// Counts the configurations.
    generation: u64,
    settled: bool,
    stop: bool,
    /// How often each router was asked to hand over.
    resign: BTreeMap<String, u64>,
}

/// The running election. Dropping it stops it too, whyever that is done: a process that ends while its
/// election goes on would leave the virtual addresses behind.
#[derive(Debug)]
pub struct Election {
    orders: watch::Sender<Orders>,
    view: watch::Receiver<Arc<View>>,
    /// `None` once joined.
    thread: Option<JoinHandle<()>>,
}

/// Starts the thread, in the network namespace of the calling thread.
///
/// Every router of `config` is in the election when this returns; one whose addresses this
/// host holds already (after a crash) keeps them until it knows whether somebody took over.
/// `reports` is never waited for: what does not fit is counted and lost.
///
/// # Errors
/// When there is no netlink socket or no thread to be had. A router that cannot run is no
/// error: it is in Fault, says why, and comes back by itself.
pub fn start(config: Arc<Config>, reports: mpsc::Sender<Report>) -> io::Result<Election> {
    let orders =
        Orders { config, generation: 0, settled: false, stop: false, resign: BTreeMap::new() };
    let (orders, to_obey) = watch::channel(orders);
    let (to_show, view) = watch::channel(Arc::default());
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
    let driver = {
        let _context = runtime.enter();
        // Before the first listing, so that no change falls in between.
        let monitor = Monitor::open().map_err(io::Error::other)?;
        let changed = sys::watch(monitor.as_fd())?;
        let links = Links::open().map_err(io::Error::other)?;
        Driver::new(Shell::new(links, reports), monitor, changed, to_obey, to_show)
    };
    let thread = std::thread::Builder::new().name("election".to_owned());
    let thread = Some(thread.spawn(move || runtime.block_on(driver.run()))?);
    Ok(Election { orders, view, thread })
}

/// Removes these virtual addresses from whatever interface they are on, but for what looks like the
/// host's own address. For a host that takes no part in the election.
///
/// # Errors
/// When interfaces cannot be listed, or with the first refusal, after all have been tried.
pub fn let_go(virtual_addresses: &BTreeSet<IpAddr>) -> Result<Vec<Placed>, NetlinkError> {
    let mut links = Links::open()?;
    let mut removed = Vec::new();
    let mut refused = None;
    for interface in links.interfaces()?.into_values() {
        if let Err(Unfit::OwnAddress(..)) = examine(&interface, virtual_addresses, false) {
            continue;
        }
        let found = interface.addresses.iter();
        for found in found.filter(|found| virtual_addresses.contains(&found.address)) {
            match links.remove_address(interface.index, found.address, found.prefix) {
                Ok(()) => removed.push(Placed {
                    vip: Vip { address: found.address, prefix: found.prefix },
                    interface: interface.name.clone(),
                }),
                Err(error) => drop(refused.get_or_insert(error)),
            }
        }
    }
    refused.map_or(Ok(removed), Err)
}

impl Election {
    /// Takes a new configuration over. Routers that are the same in it are not touched.
    pub fn configure(&self, config: Arc<Config>) {
        self.orders.send_modify(|orders| {
            orders.config = config;
            orders.generation = orders.generation.wrapping_add(1);
        });
    }

    /// Waits until the latest configuration is in effect and [`Election::view`] shows it, or the
    /// thread has ended.
    pub fn in_effect(&self) -> impl Future<Output = ()> + use<> {
        let wanted = self.orders.borrow().generation;
        let mut view = self.view();
        async move {
            // An error only says that the thread has ended.
            drop(view.wait_for(|view| view.generation >= wanted).await);
        }
    }

    /// The health checks have settled: routers that may preempt now do.
    pub fn settled(&self) {
        self.orders.send_modify(|orders| orders.settled = true);
    }

    /// Has this router hand over, if it is Active; it stays in the election.
    pub fn resign(&self, router: &str) {
        self.orders.send_modify(|orders| {
            let count = orders.resign.entry(router.to_owned()).or_default();
            *count = count.wrapping_add(1);
        });
    }

    /// Whether the thread lives. It only ends by itself when it panicked.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// What status shows, always the latest.
    pub fn view(&self) -> watch::Receiver<Arc<View>> {
        self.view.clone()
    }

    /// Leaves the election: addresses removed, resignations sent. Blocks for milliseconds.
    ///
    /// # Errors
    /// When the thread had panicked before; addresses are removed then too.
    pub fn stop(mut self) -> io::Result<()> {
        self.join()
    }

    fn join(&mut self) -> io::Result<()> {
        self.orders.send_modify(|orders| orders.stop = true);
        let Some(thread) = self.thread.take() else { return Ok(()) };
        thread.join().map_err(|_| io::Error::other("the election thread panicked"))
    }
}

impl Drop for Election {
    fn drop(&mut self) {
        if let Err(error) = self.join() {
            tracing::error!(error = &error as &dyn std::error::Error, "election ended badly");
        }
    }
}

/// The shell's clock. Tokio's, so that tests can stop it.
fn clock() -> Instant {
    tokio::time::Instant::now().into_std()
}
