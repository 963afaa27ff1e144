//! What happens to addresses and interfaces under a running director.

use nix::sys::signal::Signal;

use super::*;

#[test]
#[ignore = "needs root: network namespaces"]
fn a_director_that_hung_yields_when_it_goes_on() {
    let network = Network::new();
    let both = pair(&network, &plain());
    both[0].signal(Signal::SIGSTOP);
    until("the other is active", || both[1].role() == "active");
    wait(1000);
    both[0].signal(Signal::SIGCONT);
    until("it lets go", || !network.holds(0, VIP));
    wait(400);
    assert_eq!(both[1].role(), "active");
    assert!(one_active(&network, &both));
}

#[test]
#[ignore = "needs root: network namespaces"]
fn an_interface_renamed_is_followed_unless_it_was_named() {
    let network = Network::new();
    let mut both = pair(&network, &plain());
    let watch = network.watch(0);
    network.at(0, "link set ve0 name wan0");
    until("it is followed", || both[0].router()["interface"] == "wan0");
    // The kernel tells of each address anew, under the interface's other name.
    let changes = watch.end();
    assert!(!changes.iter().any(|change| change.starts_with('-')), "{changes:?}");
    assert_eq!(both[0].role(), "active");
    network.at(0, "link set wan0 name ve0");
    both.iter_mut().for_each(Director::stop);
    let both = pair(&network, &config("vips = [\"192.0.2.100\"]\ninterface = \"ve0\"\n"));
    network.at(0, "link set ve0 name wan0");
    until("it is a fault", || both[0].role() == "fault");
    until("the other is active", || both[1].role() == "active");
    assert!(!network.holds(0, VIP));
}

#[test]
#[ignore = "needs root: network namespaces"]
fn an_address_taken_away_again_and_again_costs_no_role() {
    let network = Network::new();
    let both = pair(&network, &plain());
    for _ in 0..200 {
        // It may be away just now.
        drop(network::ip(&format!("-n {} addr del {VIP}/32 dev ve0", network.hosts[0])));
    }
    until("it is back", || network.holds(0, VIP));
    assert!(one_active(&network, &both));
    assert_eq!(both[0].router()["counters"]["became_active"], 1);
    let kinds = both[0].kinds();
    let told = kinds.iter().filter(|kind| *kind == "vip.restored").count();
    assert!((1..5).contains(&told), "{told} events");
}

#[test]
#[ignore = "needs root: network namespaces"]
fn without_the_right_to_change_addresses_it_is_in_fault_and_says_why() {
    let network = Network::new();
    let wrapper = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"];
    let one = Director::spawn(&network, 0, &plain(), &wrapper);
    one.answers();
    until("it is in fault", || one.role() == "fault");
    let why = one.router()["cause_text"].as_str().unwrap().to_owned();
    assert!(why.contains("192.0.2.100/32") && why.contains("EPERM"), "{why}");
    let two = Director::start(&network, 1, &plain());
    until("the other serves", || two.role() == "active");
}

/// Sends what only the Active router may: from a host that is none of the two.
#[test]
#[ignore = "needs root: network namespaces"]
fn a_strangers_resignations_make_no_second_active() {
    use diarch::net::IfName;
    use diarch::vrrp::packet::{self, GROUP};
    use diarch::vrrp::{Advertisement, ChecksumKind, Interval, Vrid};
    use diarch::wire::vrrp::VrrpSocket;
    let network = Network::new();
    let both = pair(&network, &plain());
    let watch = [network.watch(0), network.watch(1)];
    let resignation = Advertisement {
        source: [192, 0, 2, 254].into(),
        destination: GROUP,
        vrid: Vrid::try_from(51).unwrap(),
        priority: None,
        interval: Interval::from_centis(10).unwrap(),
        addresses: vec![VIP.parse().unwrap()],
    };
    let datagram = packet::encode(&resignation, ChecksumKind::default()).unwrap();
    network.inside_switch(move || {
        let index = nix::net::if_::if_nametoindex("br0").unwrap();
        let socket = VrrpSocket::open(&IfName::try_from("br0").unwrap(), index).unwrap();
        for _ in 0..100 {
            socket.send(&datagram, GROUP).unwrap();
            wait(10);
        }
    });
    assert!(one_active(&network, &both));
    assert!(watch.into_iter().all(|watch| watch.end().is_empty()));
    let heard = both[1].router()["counters"]["adverts_received"].as_u64().unwrap();
    assert!(heard > 100, "{heard}");
}

#[test]
#[ignore = "needs root: network namespaces"]
fn a_preempting_director_waits_for_its_checks() {
    let network = Network::new();
    let one = Director::start(&network, 0, &config("vips = [\"192.0.2.100\"]\npriority = 100\n"));
    until("the first is active", || one.role() == "active");
    // Refused at once; three in a row, half a second apart, make up our mind.
    let two = config(
        "vips = [\"192.0.2.100\"]\npriority = 200\npreempt = true\n\
         [virtual_service.www]\nlisten = \"192.0.2.100:80\"\n\
         real_servers = [\"192.0.2.254\"]\ncheck = { type = \"tcp\" }\n",
    );
    let two = Director::start(&network, 1, &two);
    wait(700);
    assert_eq!((one.role(), two.role()), ("active".to_owned(), "backup".to_owned()));
    until("the second takes over", || two.role() == "active");
    assert_eq!(two.status()["services"][0]["state"], "down");
    until("the first lets go", || one_active(&network, &[&one, &two]));
}
