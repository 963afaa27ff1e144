//! Many of everything.

use std::process::Command;

use super::*;

#[test]
#[ignore = "needs root: network namespaces"]
fn without_file_descriptors_it_still_advertises() {
    let network = Network::new();
    let both = pair(&network, &plain());
    let limit = |soft: u32| {
        let pid = both[0].process().to_string();
        let limit = format!("--nofile={soft}:1024");
        assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
    };
    limit(8);
    wait(1500);
    assert_eq!(both[1].role(), "backup");
    limit(1024);
    until("it answers again", || both[0].role() == "active");
    assert!(both[0].reload(&plain()).is_empty());
}

#[test]
#[ignore = "needs root: network namespaces"]
fn two_hundred_virtual_routers_move_together() {
    let network = Network::new();
    let router = |n: u32| {
        format!(
            "[vrrp.r{n}]\nvrid = {}\nadvert_interval = \"100ms\"\nvips = [\"192.0.2.{}\"]\n",
            n + 1,
            n + 10
        )
    };
    let config: String = (0..200).map(router).collect();
    let all = |director: &Director, state: &str| {
        let status = director.status();
        status["vrrp"].as_array().unwrap().iter().all(|router| router["state"] == state)
    };
    let mut one = Director::start(&network, 0, &config);
    until("all are active", || all(&one, "active"));
    let two = Director::start(&network, 1, &config);
    until("all are backup", || all(&two, "backup"));
    wait(1000);
    assert!(all(&one, "active") && all(&two, "backup"));
    let start = Instant::now();
    one.stop();
    until("all have moved", || all(&two, "active"));
    assert!(start.elapsed() < Duration::from_millis(400), "{:?}", start.elapsed());
    assert_eq!(network.at(0, "-o -4 addr show dev ve0").lines().count(), 1);
}
