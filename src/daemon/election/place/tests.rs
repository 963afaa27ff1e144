use std::time::Duration;

use super::*;
use crate::config::{Transport, Vip};
use crate::kernel::link::Address;
use crate::vrrp::{Interval, Priority, Vrid};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn interface(index: u32, name: &str, addresses: &[(&str, u8)]) -> Interface {
    let address = |(text, prefix): &(&str, u8)| Address {
        address: ip(text),
        prefix: *prefix,
        secondary: false,
    };
    Interface {
        index,
        name: IfName::try_from(name).unwrap(),
        mac: Some(MacAddr([2, 0, 0, 0, 0, 1])),
        up: true,
        addresses: addresses.iter().map(address).collect(),
    }
}

fn router(name: Option<&str>, vip: &str) -> VirtualRouter {
    VirtualRouter {
        name: "web".to_owned(),
        interface: name.map(|name| IfName::try_from(name).unwrap()),
        vrid: Vrid::try_from(51).unwrap(),
        vips: vec![Vip { address: ip(vip), prefix: 32 }],
        priority: Priority::try_from(254).unwrap(),
        interval: Interval::from_centis(20).unwrap(),
        preempt: false,
        preempt_delay: Duration::ZERO,
        transport: Transport::Multicast,
    }
}

fn host() -> BTreeMap<u32, Interface> {
    BTreeMap::from([
        (1, interface(1, "lo", &[("127.0.0.1", 8)])),
        (2, interface(2, "eth0", &[("10.0.0.5", 8)])),
        (3, interface(3, "eth1", &[("fe80::1", 64), ("10.1.0.5", 16), ("10.1.0.9", 32)])),
    ])
}

#[test]
fn the_smallest_subnet_that_holds_the_first_vip_decides() {
    let found = |name, vip| {
        let vips = BTreeSet::from([ip(vip)]);
        locate(&router(name, vip), &host(), &vips).map(|found| found.index)
    };
    assert_eq!(found(None, "10.1.0.100"), Ok(3));
    assert_eq!(found(None, "10.2.0.100"), Ok(2));
    assert_eq!(found(Some("eth0"), "10.1.0.100"), Ok(2));
    assert_eq!(found(None, "192.0.2.1"), Err(Unfit::NoSubnet(ip("192.0.2.1"))));
    // A virtual address found on an interface does not make it the one.
    assert_eq!(found(None, "10.1.0.9"), Ok(3));
    let missing = IfName::try_from("eth7").unwrap();
    assert_eq!(found(Some("eth7"), "10.1.0.9"), Err(Unfit::Missing(missing)));
    assert_eq!(found(None, "2001:db8::1"), Err(Unfit::Ipv6(ip("2001:db8::1"))));
}

#[test]
fn the_primary_address_is_the_first_that_is_not_virtual() {
    let vips = BTreeSet::from([ip("10.1.0.5")]);
    let place = examine(&host()[&3], &vips, false).unwrap();
    assert_eq!(place.primary, Ipv4Addr::new(10, 1, 0, 9));
    assert_eq!(place.own, [(ip("fe80::1"), 64), (ip("10.1.0.9"), 32)]);
}

#[test]
fn what_keeps_an_interface_from_serving() {
    let name = IfName::try_from("eth0").unwrap();
    let vips = BTreeSet::from([ip("10.0.0.5"), ip("10.0.0.100")]);
    let only_vips = interface(2, "eth0", &[("10.0.0.100", 32)]);
    let left = examine(&only_vips, &vips, false);
    assert_eq!(left, Err(Unfit::NoAddress(name.clone())));
    let subnet = &host()[&2];
    let own = Unfit::OwnAddress(ip("10.0.0.5"), name.clone());
    assert_eq!(examine(subnet, &vips, false), Err(own));
    assert_eq!(examine(subnet, &vips, true), Err(Unfit::NoAddress(name.clone())));
    let none = BTreeSet::new();
    let down = Interface { up: false, ..subnet.clone() };
    assert_eq!(examine(&down, &none, false), Err(Unfit::Down(name.clone())));
    let tunnel = Interface { mac: None, ..subnet.clone() };
    assert_eq!(examine(&tunnel, &none, false), Err(Unfit::NotEthernet(name)));
}
