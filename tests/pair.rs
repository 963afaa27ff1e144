//! Two elections in two network namespaces joined by a cable: `cargo test --test pair -- --ignored` as root.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "an integration test")]
#![expect(clippy::disallowed_methods, reason = "it measures real time")]

use std::fs::File;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use diarch::config::{Config, Transport, Vip, VirtualRouter};
use diarch::daemon::election::{self, Election, Event, Report, RouterView};
use diarch::net::IfName;
use diarch::vrrp::packet::{self, GROUP};
use diarch::vrrp::{Advertisement, Cause, ChecksumKind, Interval, Priority, Role, Vrid};
use diarch::wire::vrrp::VrrpSocket;
use tokio::sync::mpsc;

const VIP: &str = "192.0.2.100";

fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Two hosts, .1 and .2 of 192.0.2.0/24, each on its end `ve0` of a cable.
struct Cable([String; 2]);

impl Cable {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = |end| format!("diarch-{}-{number}{end}", std::process::id());
        let cable = Self([name("a"), name("b")]);
        let [a, b] = &cable.0;
        ip(&format!("netns add {a}"));
        ip(&format!("netns add {b}"));
        cable.plug();
        cable
    }

    fn plug(&self) {
        let [a, b] = &self.0;
        ip(&format!("link add ve0 netns {a} type veth peer name ve0 netns {b}"));
        for (host, namespace) in [(1, a), (2, b)] {
            ip(&format!("-n {namespace} addr add 192.0.2.{host}/24 dev ve0"));
            ip(&format!("-n {namespace} link set ve0 up"));
        }
        for namespace in &self.0 {
            let state = format!("-n {namespace} link show ve0");
            until("the cable has carrier", || ip(&state).contains("state UP"));
        }
    }

    fn start(&self, end: usize, config: Config) -> Node {
        let (to_us, reports) = mpsc::channel(1024);
        // The thread started inherits the namespace.
        let election = self.inside(end, move || election::start(Arc::new(config), to_us).unwrap());
        Node { namespace: self.0[end].clone(), election: Some(election), reports }
    }

    /// Sockets belong to the network namespace of the thread that opens them.
    fn inside<T: Send + 'static>(&self, end: usize, run: impl FnOnce() -> T + Send + 'static) -> T {
        let file = File::open(format!("/run/netns/{}", self.0[end])).unwrap();
        let thread = std::thread::spawn(move || {
            nix::sched::setns(file, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            run()
        });
        thread.join().unwrap()
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        for namespace in &self.0 {
            ip(&format!("netns del {namespace}"));
        }
    }
}

struct Node {
    namespace: String,
    election: Option<Election>,
    reports: mpsc::Receiver<Report>,
}

impl Node {
    fn election(&self) -> &Election {
        self.election.as_ref().unwrap()
    }

    fn view(&self) -> RouterView {
        self.election().view().borrow().routers[0].clone()
    }

    fn role(&self) -> Role {
        self.view().role
    }

    fn stop(&mut self) {
        self.election.take().unwrap().stop().unwrap();
    }

    fn has(&self, address: &str) -> bool {
        self.addresses().contains(&format!(" {address}/"))
    }

    fn addresses(&self) -> String {
        ip(&format!("-n {} -o -4 addr show dev ve0", self.namespace))
    }

    /// Runs `ip` in the node's namespace.
    fn ip(&self, arguments: &str) {
        ip(&format!("-n {} {arguments}", self.namespace));
    }

    /// All reports until now.
    fn told(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.reports.try_recv().ok()).map(|report| report.event).collect()
    }
}

fn config(priority: u8, vips: &[&str]) -> Config {
    let router = VirtualRouter {
        name: "web".to_owned(),
        interface: None,
        vrid: Vrid::try_from(51).unwrap(),
        vips: vips.iter().map(|vip| Vip { address: vip.parse().unwrap(), prefix: 32 }).collect(),
        priority: Priority::try_from(priority).unwrap(),
        interval: Interval::from_centis(10).unwrap(),
        preempt: false,
        preempt_delay: Duration::ZERO,
        transport: Transport::Multicast,
    };
    Config {
        node: "lb1".to_owned(),
        nodes: Vec::new(),
        routers: vec![router],
        services: Vec::new(),
        files: Vec::new(),
        digest: "000000000000".to_owned(),
    }
}

/// How long until it holds; panics after two seconds.
fn until(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(2), "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
    start.elapsed()
}

fn wait(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

#[test]
#[ignore = "needs root: network namespaces"]
fn the_address_moves_at_once_when_its_holder_stops() {
    let cable = Cable::new();
    let mut a = cable.start(0, config(254, &[VIP]));
    let took = until("a is active", || a.role() == Role::Active);
    assert!(took > Duration::from_millis(200) && took < Duration::from_millis(450), "{took:?}");
    let mut b = cable.start(1, config(254, &[VIP]));
    wait(500);
    // The higher address does not disturb who is active.
    assert_eq!((a.role(), b.role()), (Role::Active, Role::Backup));
    assert!(a.has(VIP) && !b.has(VIP));
    assert!(!b.view().active.unwrap().is_self);
    let start = Instant::now();
    a.stop();
    assert!(!a.has(VIP));
    until("b is active", || b.role() == Role::Active);
    assert!(start.elapsed() < Duration::from_millis(100), "{:?}", start.elapsed());
    assert!(b.has(VIP));
    let role = |event: &Event| {
        let Event::Role { to, cause, .. } = event else { return None };
        Some((*to, *cause))
    };
    let roles: Vec<_> = b.told().iter().filter_map(role).collect();
    let want = [(Role::Backup, Cause::Startup), (Role::Active, Cause::ActiveResigned)];
    assert_eq!(roles, want);
    b.stop();
    assert!(!b.has(VIP));
}

#[test]
#[ignore = "needs root: network namespaces"]
fn an_address_somebody_removes_or_adds_is_put_right() {
    let cable = Cable::new();
    let mut a = cable.start(0, config(254, &[VIP]));
    until("a is active", || a.role() == Role::Active);
    let mut b = cable.start(1, config(250, &[VIP]));
    wait(50);
    a.told();
    for _ in 0..5 {
        a.ip(&format!("addr del {VIP}/32 dev ve0"));
        let gone = until("it is back", || a.has(VIP));
        assert!(gone < Duration::from_millis(50), "{gone:?}");
    }
    let told = a.told();
    let at_once = Duration::from_millis(20);
    let restored =
        |event: &Event| matches!(event, Event::VipRestored { after, .. } if *after < at_once);
    assert!(told.iter().any(restored), "{told:?}");
    b.ip(&format!("addr add {VIP}/24 dev ve0"));
    let there = until("it is gone", || !b.has(VIP));
    assert!(there < Duration::from_millis(50), "{there:?}");
    assert!(b.told().iter().any(|event| matches!(event, Event::VipForeign(_))));
    assert_eq!((a.role(), b.role()), (Role::Active, Role::Backup));
}

#[test]
#[ignore = "needs root: network namespaces"]
fn addresses_found_at_start_stay_unless_somebody_took_over() {
    let cable = Cable::new();
    ip(&format!("-n {} addr add {VIP}/32 dev ve0", cable.0[0]));
    let mut a = cable.start(0, config(254, &[VIP]));
    let took = until("a is active again", || a.role() == Role::Active);
    assert!(took < Duration::from_millis(100), "{took:?}");
    let told = a.told();
    let moved = |event: &Event| matches!(event, Event::VipAdded(_) | Event::VipRemoved(_));
    assert!(!told.iter().any(moved), "{told:?}");
    // The other one has them too, and finds out before it says a word.
    ip(&format!("-n {} addr add {VIP}/32 dev ve0", cable.0[1]));
    let mut b = cable.start(1, config(254, &[VIP]));
    until("b is backup", || b.role() == Role::Backup);
    assert!(!b.has(VIP) && a.has(VIP));
    wait(300);
    assert_eq!((a.role(), b.role()), (Role::Active, Role::Backup));
    let told = b.told();
    let taken = |event: &Event| matches!(event, Event::Role { cause: Cause::Taken, .. });
    assert!(told.iter().any(taken), "{told:?}");
}

#[test]
#[ignore = "needs root: network namespaces"]
fn a_dead_link_moves_the_address_and_its_return_does_not() {
    let cable = Cable::new();
    let a = cable.start(0, config(254, &[VIP]));
    until("a is active", || a.role() == Role::Active);
    let b = cable.start(1, config(254, &[VIP]));
    wait(100);
    a.ip("link set ve0 down");
    until("a is in fault", || a.role() == Role::Fault);
    until("a let go", || !a.has(VIP));
    // Both ends of the cable are dead: b cannot serve either.
    until("b is in fault", || b.role() == Role::Fault);
    assert!(b.view().detail.contains("ve0 is down"), "{}", b.view().detail);
    a.ip("link set ve0 up");
    until("one is active", || (a.role() == Role::Active) != (b.role() == Role::Active));
    // Without an address of its own a router cannot advertise.
    let (active, other) = if a.role() == Role::Active { (&a, &b) } else { (&b, &a) };
    wait(300);
    active.ip("addr flush dev ve0 to 192.0.2.0/28");
    until("it is in fault", || active.role() == Role::Fault);
    until("the other took over", || other.role() == Role::Active);
    assert!(other.has(VIP) && !active.has(VIP));
}

/// As when the daemon's main thread panics.
#[test]
#[ignore = "needs root: network namespaces"]
fn an_election_that_is_dropped_lets_its_address_go() {
    let cable = Cable::new();
    let mut a = cable.start(0, config(254, &[VIP]));
    until("a is active", || a.role() == Role::Active);
    drop(a.election.take());
    assert!(!a.has(VIP));
}

#[test]
#[ignore = "needs root: network namespaces"]
fn a_reload_touches_only_what_changed() {
    let cable = Cable::new();
    let second = "192.0.2.101";
    let mut a = cable.start(0, config(254, &[VIP]));
    until("a is active", || a.role() == Role::Active);
    wait(50);
    a.told();
    a.election().configure(Arc::new(config(254, &[VIP])));
    wait(50);
    assert_eq!(a.told(), []);
    a.election().configure(Arc::new(config(200, &[VIP, second])));
    until("the second is there", || a.has(second));
    a.election().configure(Arc::new(config(200, &[second])));
    until("the first is gone", || !a.has(VIP));
    assert!(a.has(second));
    assert_eq!(a.view().priority_effective, Priority::try_from(200).ok());
    let told = a.told();
    assert!(matches!(told[..], [Event::VipAdded(_), Event::VipRemoved(_)]), "{told:?}");
    // Another VRID is another router.
    let mut other = config(200, &[second]);
    other.routers[0].vrid = Vrid::try_from(52).unwrap();
    other.routers[0].interface = Some(IfName::try_from("ve0").unwrap());
    a.election().configure(Arc::new(other.clone()));
    until("it is released", || a.role() == Role::Backup);
    until("and taken again", || a.role() == Role::Active && a.has(second));
    other.routers.clear();
    a.election().configure(Arc::new(other));
    until("it is gone", || !a.has(second));
}

#[test]
#[ignore = "needs root: network namespaces"]
fn unicast_elects_between_the_configured_nodes_only() {
    let cable = Cable::new();
    let unicast = |peer: &str, priority| {
        let mut config = config(priority, &[VIP]);
        config.routers[0].transport = Transport::Unicast(vec![peer.parse().unwrap()]);
        config
    };
    let a = cable.start(0, unicast("192.0.2.2", 254));
    until("a is active", || a.role() == Role::Active);
    let mut b = cable.start(1, unicast("192.0.2.1", 254));
    wait(500);
    assert_eq!((a.role(), b.role()), (Role::Active, Role::Backup));
    // One that listens for multicast does not hear it, and says why.
    b.stop();
    let mut b = cable.start(1, config(254, &[VIP]));
    until("both are active", || b.role() == Role::Active);
    let told = b.told();
    let rejected = |event: &Event| matches!(event, Event::Rejected { .. });
    assert!(told.iter().any(rejected), "{told:?}");
    assert!(b.view().counters.discarded["destination"] > 0);
}

/// RX-01, RX-04, RX-13, RX-23, RX-24, RX-25, RX-27: whatever fails a check changes nothing but a counter.
#[test]
#[ignore = "needs root: network namespaces"]
fn packets_that_fail_a_check_are_counted_and_change_nothing() {
    let cable = Cable::new();
    let mut a = cable.start(0, config(200, &[VIP]));
    until("a is active", || a.role() == Role::Active);
    let good = Advertisement {
        source: [192, 0, 2, 2].into(),
        destination: GROUP,
        vrid: Vrid::try_from(51).unwrap(),
        priority: Priority::try_from(254).ok(),
        interval: Interval::from_centis(10).unwrap(),
        addresses: vec![VIP.parse().unwrap()],
    };
    let from = |source: &str| Advertisement { source: source.parse().unwrap(), ..good.clone() };
    let bytes = |advertisement: &Advertisement| {
        packet::encode(advertisement, ChecksumKind::default()).unwrap()
    };
    let mut old = bytes(&good);
    old[20] = 0x21;
    let mut distant = bytes(&good);
    distant[8] = 254;
    let unicast = Advertisement { destination: [192, 0, 2, 1].into(), ..good.clone() };
    let other = Advertisement { vrid: Vrid::try_from(52).unwrap(), ..good.clone() };
    let sent = [
        (old, GROUP),
        (distant, GROUP),
        (bytes(&from(VIP)), GROUP),
        (bytes(&from("8.8.8.8")), GROUP),
        (bytes(&from("192.0.2.1")), GROUP),
        (bytes(&unicast), unicast.destination),
        (bytes(&other), GROUP),
    ];
    cable.inside(1, move || {
        let name = IfName::try_from("ve0").unwrap();
        let index = nix::net::if_::if_nametoindex("ve0").unwrap();
        let socket = VrrpSocket::open(&name, index).unwrap();
        for (datagram, destination) in &sent {
            socket.send(datagram, *destination).unwrap();
        }
    });
    wait(1_100);
    let counters = a.view().counters;
    // Those from an address the host has itself, its VIP for one, the kernel drops already.
    let want = [("destination", 1), ("off_link", 1), ("ttl", 1), ("version", 1)].into();
    assert_eq!((counters.discarded, counters.adverts_received), (want, 0));
    assert_eq!(a.role(), Role::Active);
    let told = a.told();
    assert_eq!(told.iter().filter(|event| matches!(event, Event::Rejected { .. })).count(), 4);
}

#[test]
#[ignore = "needs root: network namespaces"]
fn handing_over_on_request_moves_the_address_within_a_few_milliseconds() {
    let cable = Cable::new();
    let a = cable.start(0, config(254, &[VIP]));
    until("a is active", || a.role() == Role::Active);
    let b = cable.start(1, config(254, &[VIP]));
    wait(300);
    a.election().resign("web");
    let took = until("b is active", || b.role() == Role::Active);
    assert!(took < Duration::from_millis(60), "{took:?}");
    wait(500);
    assert_eq!((a.role(), b.role()), (Role::Backup, Role::Active));
    let released = [&a, &b].map(|router| router.view().counters.released_active);
    assert_eq!(released, [1, 0]);
}
