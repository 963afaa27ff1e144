//! One virtual router: its state machine, where it runs, and what its actions do.

mod addresses;
mod hear;
mod show;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant, SystemTime};

use super::place::{Place, Unfit, examine, locate};
use super::report::Event;
use super::shell::Shell;
use super::view::Counters;
use crate::address::{Prefixed, announce};
use crate::config::{Transport, VirtualRouter as Settings};
use crate::daemon::chain;
use crate::net::{IfName, MacAddr};
use crate::vrrp::{
    Action, Advertisement, Cause, ChecksumKind, Input, Params, Priority, Role, State, Verdict,
    VirtualRouter, packet,
};

/// How long a router stays out of the election when the kernel refuses its addresses.
const BARRED: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Instance {
    pub(super) settings: Settings,
    router: VirtualRouter,
    /// The interface it is or was last on: where addresses are looked after.
    site: Option<(u32, IfName)>,
    fitness: Result<Place, Unfit>,
    /// Out of the election until then, because the kernel refused an address.
    barred: Option<(Instant, String)>,
    /// The addresses decided about: those configured, and those configured before.
    managed: BTreeSet<IpAddr>,
    /// Which of them were on the interface when last looked after.
    had: BTreeSet<Prefixed>,
    announcements: announce::Schedule,
    checksum: ChecksumKind,
    role: Role,
    since: SystemTime,
    cause: Cause,
    detail: String,
    last_heard: Option<SystemTime>,
    pub(super) counters: Counters,
}

impl Instance {
    /// A router that takes no part yet.
    pub(super) fn new(settings: Settings) -> Self {
        let params = params(&settings, Ipv4Addr::UNSPECIFIED);
        Self {
            router: VirtualRouter::new(params, Verdict::Fault),
            site: None,
            fitness: Err(Unfit::Refused("not looked at yet".to_owned())),
            barred: None,
            managed: settings.vips.iter().map(|vip| vip.address).collect(),
            had: BTreeSet::new(),
            announcements: announce::Schedule::default(),
            checksum: ChecksumKind::default(),
            role: Role::Initialize,
            since: wall_clock(),
            cause: Cause::Startup,
            detail: Cause::Startup.to_string(),
            last_heard: None,
            counters: Counters::default(),
            settings,
        }
    }

    /// Enters the election. The interfaces must have been listed.
    pub(super) fn start(&mut self, shell: &mut Shell, now: Instant, settled: bool) {
        // Addresses found are left alone until the machine knows of them.
        self.assess(shell, now);
        if settled {
            self.step(shell, now, Input::Settled);
        }
        let found = self.present(shell);
        let holding = !found.is_empty();
        self.had = found.into_iter().collect();
        self.step(shell, now, Input::Startup { holding });
        self.keep_addresses(shell, now);
    }

    /// Compares with the interfaces as they are now: fitness, primary address, virtual addresses.
    pub(super) fn refresh(&mut self, shell: &mut Shell, now: Instant) {
        self.assess(shell, now);
        if let Some(error) = self.keep_addresses(shell, now) {
            self.bar(shell, now, error);
        }
    }

    /// Leaves the election for a while: Active without addresses, we would only keep the
    /// others from serving.
    fn bar(&mut self, shell: &mut Shell, now: Instant, error: String) {
        self.fitness = Err(Unfit::Refused(error.clone()));
        self.barred = Some((now + BARRED, error));
        self.step(shell, now, Input::Track(Verdict::Fault));
    }

    fn assess(&mut self, shell: &mut Shell, now: Instant) {
        let fitness = self.look(shell, now);
        let moved = match (&fitness, &self.site) {
            (Ok(place), Some((index, _))) => place.index != *index,
            (Ok(_) | Err(_), _) => false,
        };
        if moved {
            // Leave the old interface before anything is done on the new one.
            self.step(shell, now, Input::Track(Verdict::Fault));
            self.had.clear();
        }
        let mac = |fitness: &Result<Place, Unfit>| fitness.as_ref().ok().map(|place| place.mac);
        let new_mac = mac(&fitness).is_some() && mac(&fitness) != mac(&self.fitness);
        self.fitness = fitness;
        match &self.fitness {
            Ok(place) => {
                self.site = Some((place.index, place.name.clone()));
                let params = params(&self.settings, place.primary);
                if *self.router.params() != params {
                    self.step(shell, now, Input::Reconfigure(params));
                }
                if new_mac && self.router.role() == Role::Active {
                    self.announcements.start(now);
                }
            }
            // Hands off: what looks like a virtual address is the host's own.
            Err(Unfit::OwnAddress(..)) => self.site = None,
            Err(_) => {}
        }
        if self.verdict() != self.router.verdict() {
            self.step(shell, now, Input::Track(self.verdict()));
        }
    }

    fn look(&mut self, shell: &mut Shell, now: Instant) -> Result<Place, Unfit> {
        let found = locate(&self.settings, &shell.interfaces, &shell.virtual_addresses)?;
        let placed = self.site.as_ref().is_some_and(|(index, _)| *index == found.index);
        if !placed && !self.router.holds_addresses() {
            self.site = Some((found.index, found.name.clone()));
        }
        let place = examine(found, &shell.virtual_addresses, placed)?;
        shell.open(place.index, &place.name).map_err(Unfit::Refused)?;
        match &self.barred {
            Some((until, why)) if now < *until => Err(Unfit::Refused(why.clone())),
            Some(_) | None => {
                self.barred = None;
                Ok(place)
            }
        }
    }

    fn verdict(&self) -> Verdict {
        match self.fitness {
            Ok(_) => Verdict::Eligible(self.settings.priority),
            Err(_) => Verdict::Fault,
        }
    }

    /// Takes a changed configuration over; [`Instance::same_router`] must hold.
    pub(super) fn reconfigure(&mut self, shell: &mut Shell, now: Instant, settings: Settings) {
        let added = settings.vips.iter().any(|vip| !self.settings.vips.contains(vip));
        self.managed.extend(settings.vips.iter().map(|vip| vip.address));
        // The name may be another one.
        shell.unclaim(&self.settings.name);
        self.settings = settings;
        if added && self.router.role() == Role::Active {
            self.announcements.start(now);
        }
        self.refresh(shell, now);
        self.managed = self.settings.vips.iter().map(|vip| vip.address).collect();
        self.had.retain(|(address, _)| self.managed.contains(address));
    }

    /// Whether `settings` can be taken over without leaving the election: for the other routers
    /// it is the same, whatever its name here and however its interface is found.
    pub(super) fn same_router(&self, shell: &Shell, settings: &Settings) -> bool {
        let ours = &self.settings;
        let site = self.site.as_ref().map(|(index, _)| *index);
        let found = locate(settings, &shell.interfaces, &shell.virtual_addresses);
        let stays = site.is_some() && site == found.ok().map(|found| found.index);
        ours.vrid == settings.vrid
            && (stays || ours.name == settings.name && ours.interface == settings.interface)
            && ours.transport == settings.transport
    }

    /// When to call [`Instance::tick`] at the latest.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.router.deadline().into_iter().chain(self.announcements.deadline()).min()
    }

    /// Fires what is due. The packets that came before `now` must have been heard.
    pub(super) fn tick(&mut self, shell: &mut Shell, now: Instant) {
        if self.router.deadline().is_some_and(|due| due <= now) {
            self.step(shell, now, Input::Tick);
        }
        let count = self.announcements.due(now);
        self.announce(shell, now, count);
    }

    /// Feeds the machine and carries out what it asks for, in its order.
    pub(super) fn step(&mut self, shell: &mut Shell, now: Instant, input: Input) {
        for action in self.router.handle(now, input) {
            match action {
                Action::Advertise(priority) => self.advertise(shell, now, priority),
                Action::AcquireAddresses => {
                    if let Some(error) = self.keep_addresses(shell, now) {
                        return self.bar(shell, now, error);
                    }
                }
                Action::ReleaseAddresses => {
                    self.announcements.stop();
                    self.keep_addresses(shell, now);
                }
                Action::Announce => {
                    self.announcements.start(now);
                    let count = self.announcements.due(now);
                    self.announce(shell, now, count);
                }
                Action::Probe => self.send_arp(shell, now, announce::probe, 2),
                Action::Report(role, cause) => self.report(shell, now, role, cause),
            }
        }
    }

    fn report(&mut self, shell: &mut Shell, now: Instant, to: Role, cause: Cause) {
        let from = std::mem::replace(&mut self.role, to);
        if from == to {
            return;
        }
        self.since = wall_clock();
        self.cause = cause;
        self.detail = self.explain(cause);
        if to == Role::Active {
            self.counters.became_active += 1;
        }
        self.counters.released_active += u64::from(from == Role::Active);
        let event = Event::Role { from, to, cause, detail: self.detail.clone() };
        shell.outlet.tell(now, &self.settings.name, event);
    }

    fn explain(&self, cause: Cause) -> String {
        let other = self.router.active_router();
        match (cause, &self.fitness, other) {
            (Cause::Fault, Err(unfit), _) => unfit.to_string(),
            (Cause::ActiveDown, _, _) => {
                let silence = self.router.active_down_interval().unwrap_or_default();
                format!("{cause} for {} ms", silence.as_millis())
            }
            (Cause::Superior | Cause::Taken, _, Some((address, priority))) => {
                let (theirs, ours) = (priority.get(), self.settings.priority.get());
                format!("{address} is active with priority {theirs}, ours is {ours}")
            }
            _ => cause.to_string(),
        }
    }

    fn advertise(&mut self, shell: &mut Shell, now: Instant, priority: Option<Priority>) {
        let Some((source, index)) = self.sender() else { return };
        if priority.is_none() && !shell.ports.contains_key(&index) {
            return; // the interface is gone, and nobody there to tell
        }
        let destinations = match &self.settings.transport {
            Transport::Multicast => vec![packet::GROUP],
            Transport::Unicast(peers) => ipv4(peers.iter().copied()),
        };
        let mut advertisement = Advertisement {
            source,
            destination: packet::GROUP,
            vrid: self.settings.vrid,
            priority,
            interval: self.settings.interval,
            addresses: ipv4(self.settings.vips.iter().map(|vip| vip.address)),
        };
        for destination in destinations {
            advertisement.destination = destination;
            let datagram = packet::encode(&advertisement, self.checksum);
            let sent = match (datagram, shell.ports.get(&index)) {
                (Ok(datagram), Some(port)) => {
                    port.vrrp.send(&datagram, destination).map_err(|error| error.to_string())
                }
                (Err(error), _) => Err(chain(&error)),
                (Ok(_), None) => Err("the interface is gone".to_owned()),
            };
            match sent {
                Ok(()) => {
                    self.counters.adverts_sent += 1;
                    self.counters.priority_zero_sent += u64::from(priority.is_none());
                }
                Err(error) => self.not_sent(shell, now, "an advertisement", error),
            }
        }
    }

    /// Source address and interface of what we send: also right after a fault, for the resignation.
    fn sender(&self) -> Option<(Ipv4Addr, u32)> {
        match (self.router.params().primary, &self.site) {
            (IpAddr::V4(primary), Some((index, _))) if !primary.is_unspecified() => {
                Some((primary, *index))
            }
            _ => None,
        }
    }

    fn announce(&mut self, shell: &mut Shell, now: Instant, count: u32) {
        if count > 0 && matches!(self.router.state(), State::Active { .. }) {
            self.send_arp(shell, now, announce::gratuitous, count);
        }
    }

    fn send_arp(
        &mut self,
        shell: &mut Shell,
        now: Instant,
        frame: fn(MacAddr, Ipv4Addr) -> [u8; announce::FRAME],
        count: u32,
    ) {
        let Ok(Place { index, mac, .. }) = self.fitness else { return };
        let mut failure = None;
        if let Some(port) = shell.ports.get(&index) {
            let vips = ipv4(self.settings.vips.iter().map(|vip| vip.address));
            let frames: Vec<_> = vips.into_iter().map(|vip| frame(mac, vip)).collect();
            for frame in (0..count).flat_map(|_| &frames) {
                match port.arp.send(frame) {
                    Ok(()) => self.counters.announcements_sent += 1,
                    Err(error) => failure = Some(error.to_string()),
                }
            }
        }
        if let Some(error) = failure {
            self.not_sent(shell, now, "an announcement", error);
        }
    }

    fn not_sent(&mut self, shell: &mut Shell, now: Instant, what: &'static str, error: String) {
        self.counters.send_failures += 1;
        shell.outlet.tell(now, &self.settings.name, Event::SendFailed { what, error });
    }
}

/// The IPv4 addresses among them; a router with others is in Fault.
fn ipv4(addresses: impl Iterator<Item = IpAddr>) -> Vec<Ipv4Addr> {
    let ipv4 = |address| match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    };
    addresses.filter_map(ipv4).collect()
}

fn params(settings: &Settings, primary: Ipv4Addr) -> Params {
    Params {
        primary: primary.into(),
        interval: settings.interval,
        preempt: settings.preempt,
        preempt_delay: settings.preempt_delay,
    }
}

#[expect(clippy::disallowed_methods, reason = "for display only")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}
