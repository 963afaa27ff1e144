//! What a reload touches, and what it does not.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;

use super::*;

const TWO: &str = "vips = [\"192.0.2.100\", \"192.0.2.101\"]\n";

/// Applies `after` to an Active director that ran with `before`; the changes of addresses it made.
fn addresses_changed(before: &str, after: &str) -> BTreeSet<String> {
    let network = Network::new();
    let one = Director::start(&network, 0, before);
    until("it is active", || one.role() == "active");
    let watch = network.watch(0);
    assert!(!one.reload(after).is_empty(), "nothing differs");
    wait(500);
    assert_eq!(one.role(), "active");
    assert!(one.kinds().contains(&"config.loaded".to_owned()));
    watch.end()
}

#[test]
#[ignore = "needs root: network namespaces"]
fn what_others_cannot_see_moves_no_address() {
    let renamed = config(TWO).replace("[vrrp.main]", "[vrrp.other]");
    for (what, after) in [
        ("interval", config(TWO).replace("100ms", "150ms")),
        ("priority", config(&format!("{TWO}priority = 200\n"))),
        ("preempt", config(&format!("{TWO}preempt = true\npreempt_delay = \"5s\"\n"))),
        ("order", config("vips = [\"192.0.2.101\", \"192.0.2.100\"]\n")),
        ("the interface it is on by name", config(&format!("{TWO}interface = \"ve0\"\n"))),
        ("another name", renamed),
    ] {
        let changed = addresses_changed(&config(TWO), &after);
        assert!(changed.is_empty(), "{what}: {changed:?}");
    }
}

#[test]
#[ignore = "needs root: network namespaces"]
fn only_the_addresses_that_differ_are_changed() {
    let three = config("vips = [\"192.0.2.100\", \"192.0.2.101\", \"192.0.2.102\"]\n");
    let wider = config("vips = [\"192.0.2.100/24\", \"192.0.2.101\"]\n");
    let set = |changes: &[&str]| changes.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
    let changed = addresses_changed(&config(TWO), &three);
    assert_eq!(changed, set(&["+192.0.2.102/32"]));
    let changed = addresses_changed(&config(TWO), &plain());
    assert_eq!(changed, set(&["-192.0.2.101/32"]));
    let changed = addresses_changed(&config(TWO), &wider);
    assert_eq!(changed, set(&["+192.0.2.100/24", "-192.0.2.100/32"]));
}

#[test]
#[ignore = "needs root: network namespaces"]
fn a_router_renamed_together_with_its_addresses_lets_the_old_ones_go() {
    let network = Network::new();
    let one = Director::start(&network, 0, &config(TWO));
    until("it is active", || one.role() == "active");
    one.reload(&plain().replace("[vrrp.main]", "[vrrp.other]"));
    until("the address is gone", || !network.holds(0, "192.0.2.101"));
    assert_eq!(one.router()["name"], "other");
    assert!(network.holds(0, VIP));
}

#[test]
#[ignore = "needs root: network namespaces"]
fn a_broken_file_changes_nothing_and_is_told() {
    let network = Network::new();
    let [one, two] = pair(&network, &plain());
    let watch = network.watch(0);
    one.write("[vrrp.main\n");
    one.signal(Signal::SIGHUP);
    until("it is told", || one.kinds().last().unwrap() == "config.refused");
    assert_eq!(one.request("admin", "POST /v1/reload").0, 422);
    assert_eq!(one.status()["config"]["last_reload"]["ok"], false);
    assert!(one.reload(&plain()).is_empty());
    assert_eq!(one.status()["config"]["last_reload"]["ok"], true);
    (0..100).for_each(|_| one.signal(Signal::SIGHUP));
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| assert_eq!(one.request("admin", "POST /v1/reload").0, 200));
        }
    });
    assert!(watch.end().is_empty());
    assert!(one_active(&network, &[one, two]));
}

#[test]
#[ignore = "needs root: network namespaces"]
fn services_come_and_go_and_a_server_without_checks_is_up() {
    let network = Network::new();
    let one = Director::start(&network, 0, &plain());
    let www = |check: &str| {
        config(&format!(
            "vips = [\"192.0.2.100\"]\n[virtual_service.www]\nlisten = \"192.0.2.100:80\"\n\
             real_servers = [\"192.0.2.254\"]\ncheck = {check}\n"
        ))
    };
    let state = || one.status()["services"][0]["real_servers"][0]["state"].clone();
    one.reload(&www("{ type = \"tcp\", interval = \"100ms\", fast_interval = \"100ms\" }"));
    until("nobody listens there", || state() == "down");
    one.reload(&www("\"none\""));
    assert_eq!(state(), "up");
    let events = one.events();
    let up = events.iter().rfind(|event| event["kind"] == "real_server.up").unwrap();
    assert_eq!((&up["from"], &up["cause"]["code"]), (&"down".into(), &"reload".into()));
    one.reload(&plain());
    assert_eq!(one.status()["services"].as_array().unwrap().len(), 0);
}

#[test]
#[ignore = "needs root: network namespaces"]
fn the_answer_comes_when_the_configuration_is_in_effect() {
    let network = Network::new();
    let one = Director::start(&network, 0, &plain());
    let more = config(&format!("{TWO}[vrrp.two]\nvrid = 60\nvips = [\"192.0.2.110\"]\n"));
    for (config, routers) in [(more, 2), (plain(), 1)].iter().cycle().take(100) {
        one.reload(config);
        assert_eq!(one.status()["vrrp"].as_array().unwrap().len(), *routers);
    }
}
