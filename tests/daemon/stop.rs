//! SIGTERM: the address is the other's before the process is gone.

use std::io::Write;

use nix::sys::signal::Signal;

use super::*;

/// Stops the Active one after `disturb`; the other must have the address at once.
fn hands_over_while<T>(config: &str, disturb: impl FnOnce(&Director) -> T) {
    let network = Network::new();
    let [mut one, two] = pair(&network, config);
    let held = disturb(&one);
    let start = Instant::now();
    one.signal(Signal::SIGTERM);
    until("the address is gone", || !network.holds(0, VIP));
    let gone = start.elapsed();
    until("the other has it", || network.holds(1, VIP));
    let taken = start.elapsed();
    assert_eq!(one.wait().code(), Some(0), "{}", one.log());
    let ended = start.elapsed();
    // 20 ms, and what it takes to look.
    assert!(gone < Duration::from_millis(20) + NOISE / 2, "gone after {gone:?}");
    assert!(taken < Duration::from_millis(50) + NOISE / 2, "taken after {taken:?}");
    assert!(ended < Duration::from_secs(2), "ended after {ended:?}");
    let resigned = |event: &serde_json::Value| event["cause"]["code"] == "active_resigned";
    assert!(two.events().iter().any(resigned), "{:?}", two.events());
    assert!(one.connect("status").is_err() && one.connect("admin").is_err());
    drop(held);
}

#[test]
#[ignore = "needs root: network namespaces"]
fn the_address_is_handed_over_at_once() {
    hands_over_while(&plain(), |_| ());
}

#[test]
#[ignore = "needs root: network namespaces"]
fn clients_that_hang_delay_nothing() {
    hands_over_while(&plain(), |director| {
        let sockets =
            (0..128).map(|n| director.connect(if n % 2 == 0 { "status" } else { "admin" }));
        sockets.map(Result::unwrap).collect::<Vec<_>>()
    });
}

#[test]
#[ignore = "needs root: network namespaces"]
fn a_client_that_follows_events_hears_the_end() {
    use std::io::Read;
    hands_over_while(&plain(), |director| {
        let mut stream = director.connect("status").unwrap();
        stream.write_all(b"GET /v1/events?follow=1 HTTP/1.1\r\nhost: diarch\r\n\r\n").unwrap();
        std::thread::spawn(move || {
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            assert!(text.contains("daemon.stopping"), "{text}");
        })
    });
}

#[test]
#[ignore = "needs root: network namespaces"]
fn a_storm_of_reloads_delays_nothing() {
    hands_over_while(&plain(), |director| (0..100).for_each(|_| director.signal(Signal::SIGHUP)));
}

#[test]
#[ignore = "needs root: network namespaces"]
fn checks_that_hang_delay_nothing() {
    // Nobody answers at these addresses, not even to say so.
    let servers: Vec<_> = (10..90).map(|host| format!("\"192.0.2.{host}\"")).collect();
    let service = format!(
        "vips = [\"192.0.2.100\"]\n[virtual_service.www]\nlisten = \"192.0.2.100:80\"\n\
         real_servers = [{}]\ncheck = {{ type = \"http\", path = \"/\", timeout = \"30s\" }}\n",
        servers.join(", ")
    );
    hands_over_while(&config(&service), |_| wait(500));
}

#[test]
#[ignore = "needs root: network namespaces"]
fn being_told_twice_changes_nothing() {
    let network = Network::new();
    let mut one = Director::start(&network, 0, &plain());
    until("it is active", || one.role() == "active");
    let held: Vec<_> = (0..10).map(|_| one.connect("status").unwrap()).collect();
    one.signal(Signal::SIGTERM);
    one.signal(Signal::SIGTERM);
    one.signal(Signal::SIGINT);
    one.stop();
    assert!(!network.holds(0, VIP));
    drop(held);
}
