//! The loop of the election thread. Each turn does the same things in the same order:
//!
//! 1. orders: a new configuration, stop;
//! 2. interfaces and addresses, if the kernel says they changed, and once per second;
//! 3. advertisements and ARP claims that have arrived;
//! 4. timers;
//! 5. the view.
//!
//! Timers come after packets, and fire only what was due when the turn began: an
//! advertisement in the queue beats the overdue timer it was meant to reset. A turn reads
//! at most [`BUDGET`] packets per socket, which is more than its receive buffer holds: a
//! flood delays timers by that many packets and no more, and no packet that was there
//! when the turn began is left unread.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

use super::Orders;
use super::clock;
use super::instance::Instance;
use super::shell::Shell;
use super::view::View;
use crate::address::announce;
use crate::config::Config;
use crate::kernel::link::{Change, Monitor};
use crate::vrrp::{Input, packet};

/// Packets read per socket and turn.
const BUDGET: usize = 512;

/// A full comparison with the kernel, should a change have gone unnoticed.
const SWEEP: Duration = Duration::from_secs(1);

/// Least time between two listings, so that a storm of changes does not fill the thread.
const LIST_SPACING: Duration = Duration::from_millis(10);

/// After a listing at least this many times as long as it took is for packets and timers: with
/// thousands of addresses one takes many milliseconds.
const LIST_REST: u32 = 3;

/// Least time between two views, unless a role changed.
const VIEW_SPACING: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(super) struct Driver {
    shell: Shell,
    monitor: Monitor,
    /// Ready when the monitor has something.
    changed: AsyncFd<OwnedFd>,
    orders: watch::Receiver<Orders>,
    view: watch::Sender<Arc<View>>,
    config: Arc<Config>,
    /// As in [`View`].
    generation: u64,
    settled: bool,
    resigned: BTreeMap<String, u64>,
    instances: Vec<Instance>,
    /// When to list the interfaces next; earlier when something changed, but not before `list_from`.
    list_at: Instant,
    list_from: Instant,
    shown_at: Instant,
    /// The last turn left packets unread.
    backlog: bool,
}

impl Driver {
    /// With no routers yet; the first turn configures them.
    pub(super) fn new(
        shell: Shell,
        monitor: Monitor,
        changed: AsyncFd<OwnedFd>,
        orders: watch::Receiver<Orders>,
        view: watch::Sender<Arc<View>>,
    ) -> Self {
        let now = clock();
        let config = Arc::clone(&orders.borrow().config);
        let mut driver = Self {
            shell,
            monitor,
            changed,
            orders,
            view,
            config,
            generation: 0,
            settled: false,
            resigned: BTreeMap::new(),
            instances: Vec::new(),
            list_at: now,
            list_from: now,
            shown_at: now,
            backlog: false,
        };
        driver.list(now);
        driver.configure(now, Arc::clone(&driver.config));
        driver
    }

    /// Runs until told to stop, or until nobody is left who could tell.
    pub(super) async fn run(mut self) {
        loop {
            if self.backlog {
                tokio::task::yield_now().await;
            } else {
                self.wait().await;
            }
            let now = clock();
            if !self.obey(now) {
                self.leave(now);
                return;
            }
            self.look(now);
            self.receive(now);
            for instance in &mut self.instances {
                instance.tick(&mut self.shell, now);
            }
            self.publish(now, false);
        }
    }

    /// Until something may have to be done. Which arm wins does not matter: every turn looks at
    /// everything. All arms are cancel safe: they take nothing from where they wait.
    async fn wait(&mut self) {
        let timers = self.instances.iter().filter_map(Instance::deadline);
        let deadline = timers.chain([self.list_at]).min().unwrap_or(self.list_at);
        let Self { orders, changed, shell, .. } = self;
        tokio::select! {
            biased;
            // An error is a dropped handle: `obey` sees to it.
            _ = orders.changed() => {}
            () = poll_fn(|context| readable(context, changed, shell)) => {}
            () = tokio::time::sleep_until(deadline.into()) => {}
        }
    }

    /// Takes new orders; false to stop.
    fn obey(&mut self, now: Instant) -> bool {
        if self.orders.has_changed().is_err() {
            return false;
        }
        let Orders { config, generation, settled, stop, resign } =
            self.orders.borrow_and_update().clone();
        if stop {
            return false;
        }
        if generation != self.generation {
            self.generation = generation;
            self.configure(now, config);
        }
        if settled && !self.settled {
            self.settled = true;
            for instance in &mut self.instances {
                instance.step(&mut self.shell, now, Input::Settled);
            }
        }
        if resign != self.resigned {
            for instance in &mut self.instances {
                let name = &instance.settings.name;
                if resign.get(name) != self.resigned.get(name) {
                    instance.step(&mut self.shell, now, Input::Resign);
                }
            }
            self.resigned = resign;
        }
        true
    }

    /// What is unchanged is not touched; what is gone lets go before what is new takes hold.
    fn configure(&mut self, now: Instant, config: Arc<Config>) {
        let vips = config.routers.iter().flat_map(|router| &router.vips);
        self.shell.virtual_addresses = vips.map(|vip| vip.address).collect();
        let mut kept = Vec::new();
        for mut instance in std::mem::take(&mut self.instances) {
            let mut routers = config.routers.iter();
            if routers.any(|router| instance.same_router(&self.shell, router)) {
                kept.push(instance);
            } else {
                instance.step(&mut self.shell, now, Input::Shutdown);
            }
        }
        for settings in &config.routers {
            let same = kept.iter().position(|kept| kept.same_router(&self.shell, settings));
            let instance = if let Some(at) = same {
                let mut instance = kept.swap_remove(at);
                if instance.settings != *settings {
                    instance.reconfigure(&mut self.shell, now, settings.clone());
                }
                instance
            } else {
                let mut instance = Instance::new(settings.clone());
                instance.start(&mut self.shell, now, self.settled);
                instance
            };
            self.instances.push(instance);
        }
        self.config = config;
        self.publish(now, true);
    }

    /// Follows the kernel's changes, at once or a moment after the last time.
    fn look(&mut self, now: Instant) {
        let changed = match self.monitor.read() {
            Ok(changes) => changes.iter().any(|change| self.concerns(change)),
            Err(_) => true,
        };
        if changed {
            self.list_at = self.list_at.min(now.max(self.list_from));
        }
        if self.list_at <= now {
            self.list(now);
        }
    }

    /// Whether to look for what changed. A router without a place may find one anywhere.
    fn concerns(&self, change: &Change) -> bool {
        match change {
            Change::Overrun | Change::Link(_) | Change::LinkGone { .. } => true,
            Change::AddressAdded { index, .. } | Change::AddressRemoved { index, .. } => {
                self.instances.iter().any(|instance| instance.minds(*index))
            }
        }
    }

    fn list(&mut self, now: Instant) {
        let listed = self.shell.list(now);
        let took = clock().saturating_duration_since(now);
        self.list_from = clock() + took.saturating_mul(LIST_REST).max(LIST_SPACING);
        self.list_at = self.list_from.max(now + SWEEP);
        // A failure has been reported; what was known stays, and the next sweep tries again.
        if listed.is_ok() {
            for instance in &mut self.instances {
                instance.refresh(&mut self.shell, now);
            }
        }
    }

    fn receive(&mut self, now: Instant) {
        self.backlog = false;
        let ports: Vec<u32> = self.shell.ports.keys().copied().collect();
        let mut buffer = [0; 2048];
        for index in ports {
            let read = |driver: &mut Self| driver.hear_one(now, index, &mut buffer);
            let more = self.drain(read);
            let read = |driver: &mut Self| driver.contest_one(now, index, &mut buffer);
            self.backlog |= self.drain(read) || more;
        }
    }

    /// Calls `read` until there is nothing left; true when the budget ran out first.
    fn drain(&mut self, mut read: impl FnMut(&mut Self) -> Option<()>) -> bool {
        (0..BUDGET).all(|_| read(self).is_some())
    }

    /// Reads one datagram. An error is the interface's, and comes by the monitor too.
    fn hear_one(&mut self, now: Instant, index: u32, buffer: &mut [u8]) -> Option<()> {
        let length = self.shell.ports.get(&index)?.vrrp.receive(buffer).ok()??;
        self.hear(now, index, buffer.get(..length)?);
        Some(())
    }

    /// Reads one ARP frame.
    fn contest_one(&mut self, now: Instant, index: u32, buffer: &mut [u8]) -> Option<()> {
        let length = self.shell.ports.get(&index)?.arp.receive(buffer).ok()??;
        self.contest(now, index, buffer.get(..length)?);
        Some(())
    }

    /// RX-13: packets for other VRIDs are not ours to judge.
    fn hear(&mut self, now: Instant, index: u32, datagram: &[u8]) {
        let Some(vrid) = packet::peek_vrid(datagram) else { return };
        let Self { instances, shell, .. } = self;
        let Some(instance) = instances.iter_mut().find(|one| one.is_at(index, vrid)) else {
            return;
        };
        match packet::decode(datagram) {
            Ok(received) => instance.hear(shell, now, &received),
            Err(error) => {
                let source = datagram.get(12..16).and_then(|bytes| bytes.first_chunk::<4>());
                instance.reject(
                    shell,
                    now,
                    source.map(|octets| Ipv4Addr::from(*octets)),
                    error.into(),
                );
            }
        }
    }

    fn contest(&mut self, now: Instant, index: u32, frame: &[u8]) {
        let Some(claim) = announce::claim(frame) else { return };
        let local = |mac| self.shell.interfaces.values().any(|found| found.mac == Some(mac));
        if local(claim.mac) {
            return;
        }
        for instance in &mut self.instances {
            instance.contest(&mut self.shell, now, index, claim);
        }
    }

    fn publish(&mut self, now: Instant, urgent: bool) {
        let last = Arc::clone(&self.view.borrow());
        let roles = last.routers.iter().map(|router| router.role);
        let urgent = urgent || !roles.eq(self.instances.iter().map(Instance::role));
        if !urgent && now < self.shown_at + VIEW_SPACING {
            return;
        }
        self.shown_at = now;
        let routers = self.instances.iter().map(|instance| instance.show(&self.shell)).collect();
        let (generation, reports_dropped) = (self.generation, self.shell.outlet.dropped);
        let view = View { generation, routers, reports_dropped };
        if view != *last {
            self.view.send_replace(Arc::new(view));
        }
    }

    fn leave(&mut self, now: Instant) {
        for instance in &mut self.instances {
            instance.step(&mut self.shell, now, Input::Shutdown);
        }
        self.publish(now, true);
    }
}

/// Also when the thread panics: what cannot tell any more must not hold addresses.
impl Drop for Driver {
    fn drop(&mut self) {
        self.leave(clock());
    }
}

/// Ready when anything can be read. Clears the readiness seen: the turn that follows reads
/// until nothing is left, or comes back at once.
fn readable(context: &mut Context<'_>, changed: &AsyncFd<OwnedFd>, shell: &Shell) -> Poll<()> {
    let mut any = false;
    let ports = shell.ports.values().flat_map(|port| &port.ready);
    for socket in ports.chain([changed]) {
        if let Poll::Ready(Ok(mut guard)) = socket.poll_read_ready(context) {
            guard.clear_ready();
            any = true;
        }
    }
    if any { Poll::Ready(()) } else { Poll::Pending }
}
