//! Packets and claims that concern one virtual router.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use super::Instance;
use crate::address::announce::Claim;
use crate::address::holds;
use crate::config::Transport;
use crate::daemon::election::place::Place;
use crate::daemon::election::report::{Event, Rejection};
use crate::daemon::election::shell::Shell;
use crate::vrrp::{Advertisement, Heard, Input, Received, Role, State};

impl Instance {
    /// Whether packets for this VRID on this interface are ours to judge.
    pub(in crate::daemon::election) fn is_at(&self, index: u32, vrid: u8) -> bool {
        let here = self.fitness.as_ref().is_ok_and(|place| place.index == index);
        here && self.settings.vrid.get() == vrid
    }

    /// Drops a packet for this VRID.
    pub(in crate::daemon::election) fn reject(
        &mut self,
        shell: &mut Shell,
        now: Instant,
        source: Option<Ipv4Addr>,
        rejection: Rejection,
    ) {
        let count = self.counters.discarded.entry(rejection.kind()).or_default();
        *count = count.saturating_add(1);
        shell.outlet.tell(now, &self.settings.name, Event::Rejected { source, rejection });
    }

    /// Takes a valid advertisement for this VRID, unless it cannot be from a peer.
    pub(in crate::daemon::election) fn hear(
        &mut self,
        shell: &mut Shell,
        now: Instant,
        received: &Received,
    ) {
        let advertisement = &received.advertisement;
        let source = advertisement.source;
        let Ok(place) = &self.fitness else { return };
        // RX-23: our own, whichever way it came back.
        if place.has(source) {
            return;
        }
        if let Err(rejection) = self.admit(place, advertisement, &shell.virtual_addresses) {
            return self.reject(shell, now, Some(source), rejection);
        }
        self.counters.adverts_received += 1;
        self.counters.priority_zero_received += u64::from(advertisement.priority.is_none());
        self.last_heard = Some(super::wall_clock());
        self.compare(shell, now, received);
        if let (Role::Active, Some(priority)) = (self.role, advertisement.priority) {
            self.counters.conflicts += 1;
            let event = Event::Conflict { source: source.into(), priority };
            shell.outlet.tell(now, &self.settings.name, event);
        }
        let Advertisement { priority, interval, .. } = *advertisement;
        self.step(shell, now, Input::Heard(Heard { source: source.into(), priority, interval }));
    }

    fn admit(
        &self,
        place: &Place,
        advertisement: &Advertisement,
        virtual_addresses: &BTreeSet<IpAddr>,
    ) -> Result<(), Rejection> {
        let source = IpAddr::V4(advertisement.source);
        let destination = advertisement.destination;
        if virtual_addresses.contains(&source) {
            return Err(Rejection::VirtualSource);
        }
        match &self.settings.transport {
            Transport::Multicast if destination != crate::vrrp::packet::GROUP => {
                Err(Rejection::Destination(destination))
            }
            Transport::Multicast if place.own.iter().any(|subnet| holds(*subnet, source)) => Ok(()),
            Transport::Multicast => Err(Rejection::OffLink),
            Transport::Unicast(_) if !place.has(destination) => {
                Err(Rejection::Destination(destination))
            }
            Transport::Unicast(peers) if peers.contains(&source) => Ok(()),
            Transport::Unicast(_) => Err(Rejection::NotPeer),
        }
    }

    /// What should be the same on both sides: told, counted, never a reason to drop.
    fn compare(&mut self, shell: &mut Shell, now: Instant, received: &Received) {
        let Received { advertisement, checksum } = received;
        let (router, source) = (&self.settings.name, advertisement.source);
        if *checksum != self.checksum {
            self.checksum = *checksum;
            let event = Event::ChecksumKindLearnt { source, kind: *checksum };
            shell.outlet.tell(now, router, event);
        }
        // RX-16: RFC 9568 §7.1.
        let (theirs, ours) = (advertisement.interval, self.settings.interval);
        if theirs != ours {
            self.counters.interval_differs += 1;
            shell.outlet.tell(now, router, Event::IntervalDiffers { source, theirs, ours });
        }
        // RX-18: as sets; the order does not matter.
        let theirs: BTreeSet<IpAddr> =
            advertisement.addresses.iter().copied().map(IpAddr::V4).collect();
        if theirs != self.managed {
            self.counters.address_list_differs += 1;
            shell.outlet.tell(now, router, Event::AddressListDiffers { source });
        }
    }

    /// Another host says by ARP that it has an address.
    pub(in crate::daemon::election) fn contest(
        &mut self,
        shell: &mut Shell,
        now: Instant,
        index: u32,
        claim: Claim,
    ) {
        let Claim { mac, address } = claim;
        let here = self.fitness.as_ref().is_ok_and(|place| place.index == index);
        if !here || !self.managed.contains(&IpAddr::V4(address)) || !self.router.holds_addresses() {
            return;
        }
        let event = Event::ArpConflict { address, mac };
        shell.outlet.tell(now, &self.settings.name, event);
        if matches!(self.router.state(), State::Active { .. }) {
            self.counters.arp_conflicts += 1;
            // The neighbours that heard it shall hear us too.
            self.announcements.start(now);
        } else {
            self.step(shell, now, Input::Conflict);
        }
    }
}
