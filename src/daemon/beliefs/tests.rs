use std::borrow::Cow;
use std::num::NonZeroU32;
use std::time::Duration;

use super::*;
use crate::check::{Kind, Success, tcp};
use crate::config::{Check as CheckConfig, OnFailure, Timing};
use crate::daemon::checks::CheckId;
use crate::health::Hysteresis;
use crate::ipvs::{Forwarding, Protocol, Scheduler, ServiceKey};

fn check() -> CheckConfig {
    let second = Duration::from_secs(1);
    CheckConfig {
        kind: Kind::Tcp(tcp::Spec::default()),
        port: None,
        timing: Timing {
            interval: second,
            fast_interval: second,
            jitter: Duration::ZERO,
            timeout: second,
        },
        hysteresis: Hysteresis { rise: NonZeroU32::MIN, fall: NonZeroU32::MIN },
    }
}

fn key() -> ServiceKey {
    ServiceKey::Address(Protocol::Tcp, ([192, 0, 2, 1], 80).into())
}

/// One service named `www` with these many checks and real servers .11, .12, ….
fn config(checks: usize, servers: u8) -> Config {
    let server =
        |n| RealServer { name: None, address: [192, 0, 2, 10 + n].into(), port: None, weight: 5 };
    let service = VirtualService {
        name: "www".to_owned(),
        listen: vec![key()],
        forward: Forwarding::DirectRoute,
        scheduler: Scheduler::named("rr").unwrap(),
        persistence: None,
        on_failure: OnFailure::Quiesce,
        real_servers: (1..=servers).map(server).collect(),
        checks: vec![check(); checks],
    };
    Config {
        node: "lb1".to_owned(),
        nodes: Vec::new(),
        routers: Vec::new(),
        services: vec![service],
        files: Vec::new(),
        digest: String::new(),
    }
}

fn report(server: u8, index: usize, health: Health, generation: u64) -> Report {
    let address = [192, 0, 2, 10 + server].into();
    let server = ServerId { service: "www".to_owned(), address, port: None };
    let detail = Cow::Borrowed("connected");
    Report {
        id: CheckId { server, index },
        at: SystemTime::UNIX_EPOCH,
        duration: Duration::from_millis(1),
        outcome: match health {
            Health::Down => Err(Failure::Refused),
            Health::Up | Health::Unknown => Ok(Success { detail }),
        },
        health,
        change: None,
        streak: if health == Health::Down { -3 } else { 2 },
        generation,
    }
}

fn weights(beliefs: &Beliefs, config: &Config) -> Vec<u16> {
    let table = beliefs.table(config);
    table[&key()].destinations.values().map(|destination| destination.weight).collect()
}

#[test]
fn a_new_server_serves_once_all_its_checks_pass() {
    let config = config(2, 1);
    let mut beliefs = Beliefs::default();
    beliefs.configure(&config, Table::new(), Timestamp::UNIX_EPOCH);
    beliefs.started(1);
    assert_eq!(weights(&beliefs, &config), [0]);
    assert_eq!(beliefs.observe(report(1, 0, Health::Up, 1)), None);
    assert_eq!(weights(&beliefs, &config), [0]);
    let change = beliefs.observe(report(1, 1, Health::Up, 1)).unwrap();
    assert_eq!((change.from, change.to), (Health::Unknown, Health::Up));
    assert_eq!(change.cause, ("check_passed", "connected (2 in a row)".to_owned()));
    assert_eq!(weights(&beliefs, &config), [5]);
    assert!(beliefs.settled());
    let change = beliefs.observe(report(1, 0, Health::Down, 1)).unwrap();
    assert_eq!(change.cause, ("connect_refused", "connection refused (3 in a row)".to_owned()));
    assert_eq!(weights(&beliefs, &config), [0]);
}

#[test]
fn what_the_kernel_served_goes_on_until_a_check_says_otherwise() {
    let config = config(1, 2);
    let mut found = desired::table(&config, &Table::new(), |_, _| Belief::Up);
    let www = found.get_mut(&key()).unwrap();
    www.destinations.get_mut(&([192, 0, 2, 12], 80).into()).unwrap().weight = 0;
    let mut beliefs = Beliefs::default();
    beliefs.configure(&config, found, Timestamp::UNIX_EPOCH);
    beliefs.started(1);
    assert_eq!(weights(&beliefs, &config), [5, 0]);
    assert_eq!(beliefs.adopted().len(), 1);
    assert!(beliefs.observe(report(1, 0, Health::Down, 1)).is_some());
    assert_eq!(weights(&beliefs, &config), [0, 0]);
}

#[test]
fn a_further_check_takes_nothing_from_a_server_that_serves() {
    let before = config(1, 1);
    let mut beliefs = Beliefs::default();
    beliefs.configure(&before, Table::new(), Timestamp::UNIX_EPOCH);
    beliefs.started(1);
    beliefs.observe(report(1, 0, Health::Up, 1));
    let after = config(2, 1);
    beliefs.configure(&after, beliefs.table(&before), Timestamp::UNIX_EPOCH);
    beliefs.started(2);
    assert_eq!(weights(&beliefs, &after), [5]);
    assert!(!beliefs.settled());
}

#[test]
fn a_renamed_service_keeps_its_servers_serving() {
    let before = config(1, 1);
    let mut beliefs = Beliefs::default();
    beliefs.configure(&before, Table::new(), Timestamp::UNIX_EPOCH);
    beliefs.started(1);
    beliefs.observe(report(1, 0, Health::Up, 1));
    let mut after = config(1, 1);
    after.services[0].name = "web".to_owned();
    beliefs.configure(&after, beliefs.table(&before), Timestamp::UNIX_EPOCH);
    assert_eq!(weights(&beliefs, &after), [5]);
}

#[test]
fn reports_of_what_is_gone_change_nothing() {
    let one = config(1, 1);
    let none = config(1, 0);
    let mut beliefs = Beliefs::default();
    beliefs.configure(&one, Table::new(), Timestamp::UNIX_EPOCH);
    beliefs.started(1);
    beliefs.configure(&none, Table::new(), Timestamp::UNIX_EPOCH);
    beliefs.started(2);
    assert_eq!(beliefs.observe(report(1, 0, Health::Up, 1)), None);
    // The same server is back: what was under way before must not vouch for it.
    beliefs.configure(&one, Table::new(), Timestamp::UNIX_EPOCH);
    beliefs.started(3);
    assert_eq!(beliefs.observe(report(1, 0, Health::Up, 1)), None);
    assert!(beliefs.observe(report(1, 0, Health::Up, 3)).is_some());
    // A check that the configuration does not have.
    assert_eq!(beliefs.observe(report(1, 7, Health::Down, 3)), None);
}

/// One that asks at another port.
fn check_at(port: u16) -> CheckConfig {
    CheckConfig { port: Some(port), ..check() }
}

/// Serves after `before` with these verdicts, then gets the checks `after`.
fn rechecked(
    before: &[(u16, Health)],
    after: &[u16],
) -> (Beliefs, Config, Vec<(ServerId, Change)>) {
    let mut config = config(0, 1);
    config.services[0].checks = before.iter().map(|(port, _)| check_at(*port)).collect();
    let mut beliefs = Beliefs::default();
    beliefs.configure(&config, Table::new(), Timestamp::UNIX_EPOCH);
    beliefs.started(1);
    for (index, (_, health)) in before.iter().enumerate() {
        beliefs.observe(report(1, index, *health, 1));
    }
    let in_force = beliefs.table(&config);
    config.services[0].checks = after.iter().map(|port| check_at(*port)).collect();
    let changes = beliefs.configure(&config, in_force, Timestamp::now());
    beliefs.started(2);
    (beliefs, config, changes)
}

#[test]
fn a_check_in_the_place_of_another_inherits_nothing_from_it() {
    use Health::{Down, Unknown, Up};
    // The failing check stays, the passing one before it goes: no traffic on its good name.
    let (beliefs, config, changes) = rechecked(&[(1, Up), (2, Down)], &[2]);
    assert_eq!(weights(&beliefs, &config), [0]);
    assert_eq!((changes[0].1.from, changes[0].1.to), (Down, Unknown));
    let server = beliefs.servers.values().next().unwrap();
    assert!(server.checks[0].last.is_none(), "shown as the result of another check");
    assert!(server.since > Timestamp::UNIX_EPOCH);
    // What serves goes on until the new check has a verdict; a late report of the old one is none.
    let (mut beliefs, config, _) = rechecked(&[(1, Up)], &[2]);
    assert_eq!(weights(&beliefs, &config), [5]);
    assert_eq!(beliefs.observe(report(1, 0, Down, 1)), None);
    assert_eq!(weights(&beliefs, &config), [5]);
    assert!(beliefs.observe(report(1, 0, Down, 2)).is_some());
    assert_eq!(weights(&beliefs, &config), [0]);
}

#[test]
fn the_same_check_is_not_forgotten_when_another_follows_or_goes() {
    use Health::{Down, Up};
    let (beliefs, config, changes) = rechecked(&[(1, Up), (2, Up)], &[1]);
    assert_eq!((weights(&beliefs, &config), changes.len()), (vec![5], 0));
    let (beliefs, config, changes) = rechecked(&[(1, Down)], &[1, 2]);
    assert_eq!((weights(&beliefs, &config), changes.len()), (vec![0], 0));
}

#[test]
fn a_server_without_checks_is_up_and_that_is_told() {
    use Health::{Down, Up};
    let (beliefs, config, changes) = rechecked(&[(1, Down)], &[]);
    assert_eq!(weights(&beliefs, &config), [5]);
    let (server, change) = changes.first().unwrap();
    assert_eq!((server.service.as_str(), change.from, change.to), ("www", Down, Up));
    assert_eq!(change.cause, ("reload", "its checks were changed".to_owned()));
}

#[test]
fn a_service_at_another_port_asks_before_it_sends_traffic_there() {
    let mut config = config(1, 1);
    let mut beliefs = Beliefs::default();
    beliefs.configure(&config, Table::new(), Timestamp::UNIX_EPOCH);
    beliefs.started(1);
    beliefs.observe(report(1, 0, Health::Up, 1));
    let in_force = beliefs.table(&config);
    let moved = ServiceKey::Address(Protocol::Tcp, ([192, 0, 2, 1], 81).into());
    config.services[0].listen = vec![moved];
    beliefs.configure(&config, in_force, Timestamp::UNIX_EPOCH);
    let table = beliefs.table(&config);
    let weights: Vec<_> = table[&moved].destinations.values().map(|found| found.weight).collect();
    assert_eq!(weights, [0]);
}
