//! What all virtual routers of the thread share: sockets, the kernel's interfaces, the way out for reports.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

use super::report::{Event, Report};
use crate::address::Prefixed;
use crate::daemon::chain;
use crate::kernel::NetlinkError;
use crate::kernel::link::{Address, Interface, Links};
use crate::net::IfName;
use crate::sys;
use crate::wire::arp::ArpSocket;
use crate::wire::vrrp::VrrpSocket;

/// How often something that others can provoke is reported.
const REPORT_SPACING: Duration = Duration::from_secs(10);

/// The sockets of one interface, shared by the virtual routers on it.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) vrrp: VrrpSocket,
    pub(super) arp: ArpSocket,
    /// Ready when there is something on one of them.
    pub(super) ready: [AsyncFd<OwnedFd>; 2],
}

#[derive(Debug)]
pub(super) struct Shell {
    links: Links,
    /// As last listed, and as changed by us since.
    pub(super) interfaces: BTreeMap<u32, Interface>,
    /// By interface index.
    pub(super) ports: BTreeMap<u32, Port>,
    /// The virtual addresses of all routers.
    pub(super) virtual_addresses: BTreeSet<IpAddr>,
    /// Which router holds which address where: one that moves between routers in a reload is
    /// not removed by the router it leaves.
    claims: BTreeMap<(u32, IpAddr), String>,
    pub(super) outlet: Outlet,
}

impl Shell {
    pub(super) fn new(links: Links, reports: mpsc::Sender<Report>) -> Self {
        let outlet = Outlet { reports, dropped: 0, told: HashMap::new() };
        Self {
            links,
            interfaces: BTreeMap::new(),
            ports: BTreeMap::new(),
            virtual_addresses: BTreeSet::new(),
            claims: BTreeMap::new(),
            outlet,
        }
    }

    /// Lists the interfaces afresh and closes the sockets of those that are gone.
    pub(super) fn list(&mut self, now: Instant) -> Result<(), NetlinkError> {
        match self.links.interfaces() {
            Ok(interfaces) => {
                self.interfaces = interfaces;
                self.ports.retain(|index, _| self.interfaces.contains_key(index));
                Ok(())
            }
            Err(error) => {
                let text = chain(&error);
                self.outlet.tell(now, "", Event::KernelFailed { error: text });
                Err(error)
            }
        }
    }

    /// Opens the sockets of an interface, unless they are open.
    pub(super) fn open(&mut self, index: u32, name: &IfName) -> Result<(), String> {
        if self.ports.contains_key(&index) {
            return Ok(());
        }
        let vrrp = VrrpSocket::open(name, index).map_err(|error| chain(&error))?;
        let arp = ArpSocket::open(name, index).map_err(|error| chain(&error))?;
        let watch = |socket| sys::watch(socket).map_err(|error| error.to_string());
        let ready = [watch(vrrp.as_fd())?, watch(arp.as_fd())?];
        self.ports.insert(index, Port { vrrp, arp, ready });
        Ok(())
    }

    /// Which of `managed` are on the interface, with the prefix length found.
    pub(super) fn present(&self, index: u32, managed: &BTreeSet<IpAddr>) -> Vec<Prefixed> {
        let found = self.interfaces.get(&index).map_or(&[][..], |found| &found.addresses);
        let found = found.iter().map(|found| (found.address, found.prefix));
        found.filter(|(address, _)| managed.contains(address)).collect()
    }

    pub(super) fn add(
        &mut self,
        index: u32,
        (address, prefix): Prefixed,
    ) -> Result<(), NetlinkError> {
        self.links.add_address(index, address, prefix)?;
        if let Some(interface) = self.interfaces.get_mut(&index) {
            interface.addresses.push(Address { address, prefix, secondary: false });
        }
        Ok(())
    }

    pub(super) fn remove(
        &mut self,
        index: u32,
        (address, prefix): Prefixed,
    ) -> Result<(), NetlinkError> {
        self.links.remove_address(index, address, prefix)?;
        if let Some(interface) = self.interfaces.get_mut(&index) {
            let gone = |found: &Address| found.address == address && found.prefix == prefix;
            interface.addresses.retain(|found| !gone(found));
        }
        Ok(())
    }

    /// Notes that `router` holds an address, or is about to.
    pub(super) fn claim(&mut self, router: &str, index: u32, address: IpAddr) {
        self.claims.insert((index, address), router.to_owned());
    }

    /// Notes that `router` holds nothing.
    pub(super) fn unclaim(&mut self, router: &str) {
        self.claims.retain(|_, holder| holder != router);
    }

    /// Whether another router holds the address on this interface.
    pub(super) fn claimed_by_other(&self, router: &str, index: u32, address: IpAddr) -> bool {
        self.claims.get(&(index, address)).is_some_and(|holder| holder != router)
    }
}

/// Never blocks: reports nobody takes are counted and lost.
#[derive(Debug)]
pub(super) struct Outlet {
    reports: mpsc::Sender<Report>,
    pub(super) dropped: u64,
    /// When what was last reported about whom, and how often it was kept back since.
    told: HashMap<(String, &'static str), (Instant, u64)>,
}

impl Outlet {
    pub(super) fn tell(&mut self, now: Instant, router: &str, event: Event) {
        let count = if event.is_rare() { Some(1) } else { self.limit(now, router, event.kind()) };
        let Some(count) = count else { return };
        let report = Report { router: router.to_owned(), event, count };
        if self.reports.try_send(report).is_err() {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// How many to report now, if any.
    fn limit(&mut self, now: Instant, router: &str, kind: &'static str) -> Option<u64> {
        match self.told.get_mut(&(router.to_owned(), kind)) {
            Some((at, held)) if now < *at + REPORT_SPACING => {
                *held = held.saturating_add(1);
                None
            }
            Some((at, held)) => {
                *at = now;
                Some(std::mem::take(held).saturating_add(1))
            }
            None => {
                self.told.insert((router.to_owned(), kind), (now, 0));
                Some(1)
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "one arbitrary epoch per test")]
mod tests {
    use super::*;

    #[test]
    fn what_others_provoke_is_told_every_ten_seconds_with_a_count() {
        let (reports, mut told) = mpsc::channel(2);
        let mut outlet = Outlet { reports, dropped: 0, told: HashMap::new() };
        let t0 = Instant::now();
        let failed = || Event::KernelFailed { error: "no".to_owned() };
        for ms in 0..25_000 {
            outlet.tell(t0 + Duration::from_millis(ms), "", failed());
        }
        assert_eq!(told.try_recv().unwrap().count, 1);
        assert_eq!(told.try_recv().unwrap().count, 10_000);
        assert_eq!(outlet.dropped, 1, "the channel was full at 20 s");
        outlet.tell(t0, "other", failed());
        assert_eq!(told.try_recv().unwrap().router, "other");
    }
}
