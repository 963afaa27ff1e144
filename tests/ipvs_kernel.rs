//! IPVS as the real kernel has it: what is written comes back, plans become empty, refusals have
//! words, and loading a large table is quick.
//!
//! These tests need root and a kernel with IPVS, and change the IPVS table of a network namespace
//! of their own. A plain `cargo test` leaves them out (see `Cargo.toml`). Run them in the lab, with
//! the modules loaded: `cargo test --test ipvs_kernel -- --include-ignored --test-threads 1`.

#![expect(clippy::unwrap_used, reason = "an integration test")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diarch::daemon::balancer::{self, Report, Trigger};
use diarch::ipvs::{
    Altered, Desired, Destination, Forwarding, Kernel, KernelError, Protocol, Refusal, Scheduler,
    Service, ServiceKey, Step, Table, VirtualService, plan, sync,
};
use diarch::kernel::ipvs::Ipvs;
use diarch::net::Family;
use nix::sched::{CloneFlags, unshare};

fn in_namespace(test: impl FnOnce() + Send + 'static) {
    std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        run("ip link set lo up");
        test();
    })
    .join()
    .unwrap();
}

fn run(line: &str) {
    let mut words = line.split(' ');
    let status = Command::new(words.next().unwrap()).args(words).status().unwrap();
    assert!(status.success(), "{line}");
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn tcp(text: &str) -> ServiceKey {
    ServiceKey::Address(Protocol::Tcp, at(text))
}

fn service(
    scheduler: &str,
    persistence: Option<u64>,
    destinations: &[(&str, u16, Forwarding)],
) -> VirtualService {
    let to = |&(address, weight, forwarding): &(&str, u16, Forwarding)| {
        (at(address), Destination { weight, forwarding })
    };
    VirtualService {
        settings: Service {
            scheduler: Scheduler::named(scheduler).unwrap(),
            persistence: persistence.map(Duration::from_secs),
        },
        destinations: destinations.iter().map(to).collect(),
    }
}

fn wanting(table: Table) -> Desired {
    Desired { owned: table.keys().copied().collect(), table }
}

/// Every kind of key, family and forwarding method; 127.0.0.1 and `::1` are local addresses.
fn everything() -> Table {
    let mark = NonZeroU32::new(7).unwrap();
    let v4 = [
        ("192.0.2.3:80", 1, Forwarding::DirectRoute),
        ("127.0.0.1:80", 65535, Forwarding::DirectRoute),
        ("192.0.2.5:80", 0, Forwarding::Masquerade),
        ("127.0.0.1:8080", 2, Forwarding::Masquerade),
        ("192.0.2.6:80", 3, Forwarding::Tunnel),
        ("[2001:db8::6]:80", 3, Forwarding::Tunnel),
    ];
    let v6 = [
        ("[2001:db8::3]:80", 1, Forwarding::DirectRoute),
        ("[::1]:80", 1, Forwarding::DirectRoute),
        ("[::1]:8080", 1, Forwarding::Masquerade),
    ];
    let udp = ServiceKey::Address(Protocol::Udp, at("192.0.2.1:53"));
    let sctp = ServiceKey::Address(Protocol::Sctp, at("192.0.2.1:2905"));
    Table::from([
        (tcp("192.0.2.1:80"), service("wlc", None, &v4)),
        (tcp("[2001:db8::1]:80"), service("mh", Some(300), &v6)),
        (udp, service("sh", Some(1), &[])),
        (sctp, service("rr", None, &[("192.0.2.3:2905", 1, Forwarding::Masquerade)])),
        (ServiceKey::Fwmark(Family::Ipv4, mark), service("wrr", None, &v4[..1])),
        (ServiceKey::Fwmark(Family::Ipv6, mark), service("lblcr", None, &v6[..1])),
    ])
}

fn assert_settled(kernel: &mut Ipvs, desired: &Desired) {
    let observed = kernel.observe().unwrap();
    assert_eq!(plan(desired, &observed.table, &observed.altered), []);
}

#[test]
#[ignore = "needs IPVS and root: run in the lab"]
fn what_is_written_comes_back_and_the_plan_is_empty_then() {
    in_namespace(|| {
        let mut kernel = Ipvs::new();
        assert_eq!(kernel.version().unwrap(), (1, 2, 1));
        let desired = wanting(everything());
        let report = sync(&mut kernel, &desired).unwrap();
        assert!(report.failed.is_empty(), "{:?}", report.failed);
        assert_eq!(kernel.observe().unwrap().table, desired.table);
        assert_settled(&mut kernel, &desired);
    });
}

#[test]
#[ignore = "needs IPVS and root: run in the lab"]
fn every_setting_is_changed_in_place() {
    in_namespace(|| {
        let mut kernel = Ipvs::new();
        let key = tcp("192.0.2.1:80");
        let before = service("rr", None, &[("192.0.2.3:80", 1, Forwarding::DirectRoute)]);
        sync(&mut kernel, &wanting(Table::from([(key, before)]))).unwrap();
        let after = service("wlc", Some(60), &[("192.0.2.3:80", 0, Forwarding::Tunnel)]);
        let desired = wanting(Table::from([(key, after)]));
        let report = sync(&mut kernel, &desired).unwrap();
        let edits = |s: &Step| matches!(s, Step::SetService(..) | Step::SetDest(..));
        assert!(report.applied.len() == 2 && report.applied.iter().all(edits), "{report:?}");
        assert_settled(&mut kernel, &desired);
    });
}

#[test]
#[ignore = "needs IPVS and root: run in the lab"]
fn another_hands_changes_are_seen_and_undone_and_its_own_services_left_alone() {
    in_namespace(|| {
        let mut kernel = Ipvs::new();
        let desired = wanting(everything());
        sync(&mut kernel, &desired).unwrap();
        let web = "-t 192.0.2.1:80";
        for change in [
            format!("-e {web} -r 192.0.2.3:80 -g -w 1 -x 100 -y 50"),
            format!("-e {web} -r 192.0.2.5:80 -m -w 9"),
            format!("-d {web} -r 192.0.2.6:80"),
            format!("-a {web} -r 192.0.2.99:80"),
            "-E -u 192.0.2.1:53 -s sh -b sh-port".to_owned(),
            "-D -f 7".to_owned(),
            "-A -t 192.0.2.200:80 -s rr".to_owned(),
        ] {
            run(&format!("ipvsadm {change}"));
        }
        let report = sync(&mut kernel, &desired).unwrap();
        assert!(report.failed.is_empty(), "{:?}", report.failed);
        assert_eq!(report.applied.len(), 7, "{:?}", report.applied);
        assert_settled(&mut kernel, &desired);
        let mut table = kernel.observe().unwrap().table;
        assert_eq!(desired.foreign(&table), 1);
        assert!(table.remove(&tcp("192.0.2.200:80")).is_some());
        assert_eq!(table, desired.table);
        run("ipvsadm -C");
        sync(&mut kernel, &desired).unwrap();
        assert_settled(&mut kernel, &desired);
        assert_eq!(sync(&mut kernel, &wanting(Table::new())).unwrap().applied.len(), 0);
        let all = Desired { table: Table::new(), owned: desired.owned };
        assert_eq!(sync(&mut kernel, &all).unwrap().applied.len(), 6);
        assert!(kernel.observe().unwrap().table.is_empty());
    });
}

#[test]
#[ignore = "needs IPVS and root: run in the lab"]
fn each_refusal_reaches_its_own_step() {
    in_namespace(|| {
        let mut kernel = Ipvs::new();
        let key = tcp("192.0.2.1:80");
        let gone = tcp("192.0.2.9:80");
        let settings = |name| Service { scheduler: Scheduler::observed(name), persistence: None };
        let direct = Destination { weight: 1, forwarding: Forwarding::DirectRoute };
        let steps = [
            Step::NewService(key, settings("rr")),
            Step::NewService(key, settings("rr")),
            Step::NewService(gone, settings("nosuch")),
            Step::NewDest(gone, at("192.0.2.3:80"), direct),
            Step::NewDest(key, at("192.0.2.3:80"), direct),
            Step::NewDest(key, at("192.0.2.3:80"), direct),
            Step::NewDest(key, at("224.0.0.1:80"), direct),
            Step::NewDest(key, at("[2001:db8::3]:80"), direct),
            Step::DelDest(key, at("192.0.2.4:80")),
            Step::DelService(gone),
        ];
        let refused = kernel.apply(&steps);
        let words: BTreeMap<usize, Refusal> = refused
            .into_iter()
            .map(|(place, error)| {
                let KernelError::Refused(refusal) = error else { panic!("{error:?}") };
                (place, refusal)
            })
            .collect();
        let words: Vec<String> = words.iter().map(|(at, why)| format!("{at} {why:?}")).collect();
        assert_eq!(
            words,
            [
                "1 Exists",
                "2 NoScheduler(Scheduler(\"nosuch\"))",
                "3 NoService",
                "5 Exists",
                "6 BadDestination",
                "7 BadDestination",
                "8 NoDestination",
                "9 NoService",
            ]
        );
        let table = kernel.observe().unwrap().table;
        assert_eq!(table[&key].destinations.len(), 1);
    });
}

#[test]
#[ignore = "needs IPVS and root: run in the lab"]
fn thousands_of_refusals_are_all_told() {
    in_namespace(|| {
        let mut kernel = Ipvs::new();
        let (_, steps) = large(10, 300);
        let dests: Vec<Step> =
            steps.into_iter().filter(|s| matches!(s, Step::NewDest(..))).collect();
        let refused = kernel.apply(&dests);
        assert_eq!(refused.len(), 3000);
        for (nth, (place, error)) in refused.iter().enumerate() {
            assert_eq!(nth, *place);
            assert!(matches!(error, KernelError::Refused(Refusal::NoService)), "{error:?}");
        }
    });
}

fn large(services: u8, each: u16) -> (Desired, Vec<Step>) {
    let entry = |number: u8| {
        let destination = |n: u16| {
            let [high, low] = n.to_be_bytes();
            let address = IpAddr::from(Ipv4Addr::new(10, number, high, low));
            let to = Destination { weight: 1, forwarding: Forwarding::DirectRoute };
            (SocketAddr::new(address, 80), to)
        };
        let settings = Service { scheduler: Scheduler::named("wlc").unwrap(), persistence: None };
        let destinations = (1..=each).map(destination).collect();
        (tcp(&format!("192.0.2.{number}:80")), VirtualService { settings, destinations })
    };
    let desired = wanting((1..=services).map(entry).collect());
    let steps = plan(&desired, &Table::new(), &Altered::default());
    (desired, steps)
}

#[test]
#[ignore = "needs IPVS and root: run in the lab"]
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "a measurement")]
fn ten_thousand_destinations_are_loaded_within_a_second() {
    in_namespace(|| {
        let mut kernel = Ipvs::new();
        kernel.version().unwrap();
        let (desired, _) = large(100, 100);
        let began = Instant::now();
        let report = sync(&mut kernel, &desired).unwrap();
        let loaded = began.elapsed();
        assert!(report.failed.is_empty());
        let began = Instant::now();
        assert_settled(&mut kernel, &desired);
        let dumped = began.elapsed();
        eprintln!(
            "10,000 destinations in 100 services: loaded in {loaded:?}, compared in {dumped:?}"
        );
        assert!(loaded < Duration::from_secs(1), "{loaded:?}");
    });
}

#[test]
#[ignore = "needs IPVS and root: run in the lab"]
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "a measurement")]
fn a_flushed_table_is_back_within_a_second() {
    in_namespace(|| {
        let (sender, mut reports) = tokio::sync::mpsc::channel(16);
        let balancer = balancer::start(sender).unwrap();
        let first = reports.blocking_recv().unwrap();
        assert!(matches!(first, Report::Adopted { ref table } if table.is_empty()), "{first:?}");
        let desired = Desired { table: everything(), owned: BTreeSet::new() };
        balancer.want(Arc::new(desired));
        let synced = reports.blocking_recv().unwrap();
        let Report::Synced { trigger: Trigger::Wanted, took: loaded, .. } = synced else {
            panic!("{synced:?}")
        };
        let began = Instant::now();
        run("ipvsadm -C");
        let flushed = began.elapsed();
        let repaired = reports.blocking_recv().unwrap();
        let took = began.elapsed();
        let Report::Synced { trigger: Trigger::Drift, observed, .. } = repaired else {
            panic!("{repaired:?}")
        };
        assert_eq!(observed.table, everything());
        eprintln!(
            "loaded in {loaded:?}, flushed in {flushed:?}, table back {took:?} after ipvsadm -C began"
        );
        assert!(took < Duration::from_secs(1), "{took:?}");
        balancer.stop();
    });
}
