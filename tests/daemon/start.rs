//! How a director enters the election.

use nix::sys::signal::Signal;

use super::*;

#[test]
#[ignore = "needs root: network namespaces"]
fn both_started_at_once_agree_on_one() {
    let network = Network::new();
    for _ in 0..5 {
        let mut pair = [0, 1].map(|host| Director::spawn(&network, host, &plain(), &[]));
        pair.iter().for_each(Director::answers);
        let took = until("one is active", || one_active(&network, &pair));
        // Active_Down_Interval is 300 ms and 1/256 of 100 ms.
        assert!(took < Duration::from_millis(301) + NOISE, "{took:?}");
        wait(200);
        assert!(one_active(&network, &pair));
        pair.iter_mut().for_each(Director::stop);
        assert!(!network.holds(0, VIP) && !network.holds(1, VIP));
    }
}

#[test]
#[ignore = "needs root: network namespaces"]
fn one_that_crashed_keeps_its_addresses_unless_they_were_taken() {
    let network = Network::new();
    let [mut one, mut two] = pair(&network, &plain());
    two.stop();
    one.kill();
    assert!(network.holds(0, VIP));
    let watch = network.watch(0);
    let mut one = Director::start(&network, 0, &plain());
    until("it is active again", || one.role() == "active");
    assert!(watch.end().is_empty(), "the address never left");
    let two = Director::start(&network, 1, &plain());
    until("the other is backup", || two.role() == "backup");
    one.kill();
    until("the other takes over", || two.role() == "active");
    let one = Director::start(&network, 0, &plain());
    until("it lets go", || !network.holds(0, VIP));
    until("one is active", || one.role() == "backup" && two.role() == "active");
}

#[test]
#[ignore = "needs root: network namespaces"]
fn an_interface_that_comes_later_is_found_and_one_that_goes_is_a_fault() {
    let network = Network::new();
    network.unplug(0);
    let one = Director::start(&network, 0, &plain());
    until("it is in fault", || one.role() == "fault");
    let why = one.router()["cause_text"].as_str().unwrap().to_owned();
    assert_eq!(why, "no interface has a subnet that holds 192.0.2.100");
    network.plug(0);
    until("it is active", || one.role() == "active");
    let two = Director::start(&network, 1, &plain());
    until("the second is backup", || two.role() == "backup");
    let files = || {
        // Our own question may still have one.
        wait(100);
        std::fs::read_dir(format!("/proc/{}/fd", one.process())).unwrap().count()
    };
    let before = files();
    for _ in 0..5 {
        network.unplug(0);
        until("it is in fault", || one.role() == "fault");
        until("the other is active", || two.role() == "active");
        network.plug(0);
        until("it is backup", || one.role() == "backup");
    }
    assert_eq!(files(), before, "file descriptors");
    assert!(one_active(&network, &[one, two]));
}

#[test]
#[ignore = "needs root: network namespaces"]
fn a_start_without_descriptors_says_so_and_holds_nothing() {
    let network = Network::new();
    // As after a crash: what is found must not stay when nobody is left to hold it.
    network.at(0, "addr add 192.0.2.100/32 dev ve0");
    let mut failed = 0;
    for limit in 12..30 {
        let limit = format!("--nofile={limit}");
        let mut one = Director::spawn(&network, 0, &plain(), &["prlimit", &limit]);
        wait(300);
        if one.connect("status").is_ok() {
            one.stop();
            continue;
        }
        let status = one.wait();
        assert_eq!(status.code(), Some(1), "{limit}: {}", one.log());
        assert!(one.log().contains("Too many open files"), "{limit}: {}", one.log());
        failed += 1;
    }
    assert!(failed > 5);
    assert!(!network.holds(0, VIP));
}

#[test]
#[ignore = "needs root: network namespaces"]
fn one_told_to_stop_while_it_starts_leaves_nothing_behind() {
    let network = Network::new();
    for ms in 0..30 {
        let mut one = Director::spawn(&network, 0, &plain(), &[]);
        wait(ms);
        one.signal(Signal::SIGTERM);
        one.wait();
        assert!(!network.holds(0, VIP));
        assert!(one.connect("status").is_err() && one.connect("admin").is_err());
    }
}

#[test]
#[ignore = "needs root: network namespaces"]
fn a_refused_configuration_leaves_no_address_of_a_crashed_daemon() {
    let network = Network::new();
    let broken = plain().replace("vrid = 51", "vrid = 5151");
    let mut one = Director::start(&network, 0, &plain());
    until("it is active", || one.role() == "active");
    // As long as it runs the address is its own.
    let mut second = Director::spawn(&network, 0, &broken, &[]);
    assert_eq!(second.wait().code(), Some(78));
    assert!(network.holds(0, VIP) && one.role() == "active");
    one.kill();
    assert!(network.holds(0, VIP));
    let mut again = Director::spawn(&network, 0, &broken, &[]);
    assert_eq!(again.wait().code(), Some(78), "{}", again.log());
    assert!(!network.holds(0, VIP));
    assert!(again.log().contains("192.0.2.100/32 on ve0"), "{}", again.log());
    // What has become the host's own address meanwhile is not ours to remove.
    network.at(0, "addr flush dev ve0");
    network.at(0, "addr add 192.0.2.100/24 dev ve0");
    let mut again = Director::spawn(&network, 0, &broken, &[]);
    assert_eq!(again.wait().code(), Some(78));
    assert!(network.holds(0, VIP));
}
