use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::Command;

use nix::sched::{CloneFlags, unshare};
use proptest::prelude::*;

use super::*;
use crate::kernel::netlink::{Message, Messages};

#[test]
fn a_new_address_is_encoded_as_rtnetlink_7_says() {
    let address = IpAddr::from([192, 0, 2, 10]);
    let flags = NlmF::CREATE | NlmF::EXCL;
    let request = change_address(Rtm::Newaddr, flags, 3, address, 24).unwrap();
    let literal: &[u8] = &[
        2, 24, 0, 0, 3, 0, 0, 0, // family, prefix, flags, scope, index
        8, 0, 2, 0, 192, 0, 2, 10, // IFA_LOCAL
        8, 0, 1, 0, 192, 0, 2, 10, // IFA_ADDRESS
    ];
    let expected = Request::new(20, flags, &literal).unwrap();
    assert_eq!(format!("{request:?}"), format!("{expected:?}"));
}

#[test]
fn a_bridge_port_leaving_its_bridge_is_no_interface_gone() {
    let mut payload = vec![0_u8; 16];
    payload[4] = 9;
    payload.extend([9, 0, 3, 0, b'v', b'e', b't', b'h', 0, 0, 0, 0]);
    let told =
        |payload: &[u8]| monitor::change(&Message { kind: 17, flags: 0, sequence: 0, payload });
    assert_eq!(told(&payload), Some(Change::LinkGone { index: 9 }));
    payload[0] = 7; // AF_BRIDGE
    assert_eq!(told(&payload), None);
}

proptest! {
    #[test]
    fn arbitrary_answers_never_panic(
        kind in 16..24_u16,
        payload in prop::collection::vec(any::<u8>(), 0..120),
        length in any::<u16>(),
        at in 0..40_usize,
    ) {
        let mut payload = payload;
        // A plausible attribute header somewhere, for random bytes seldom are one.
        if let Some(header) = payload.get_mut(at * 4..at * 4 + 2) {
            header.copy_from_slice(&(length % 64).to_ne_bytes());
        }
        let message = Message { kind, flags: 0, sequence: 0, payload: &payload };
        let change = monitor::change(&message);
        prop_assert!(change.is_none() || (16..22).contains(&kind));
        prop_assert!(Messages(&payload).count() <= payload.len());
    }
}

/// Runs `test` in a network namespace of its own, with an interface `lan0` that is up. Its
/// other end is `far0`.
fn in_namespace(test: impl FnOnce() + Send + 'static) {
    std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        ip("link add lan0 type veth peer name far0");
        ip("link set lan0 addrgenmode none up");
        ip("link set far0 addrgenmode none up");
        let mut links = Links::open().unwrap();
        // The kernel notices the carrier in the background.
        assert!((0..100_000).any(|_| lan0(&mut links).up), "no carrier");
        test();
    })
    .join()
    .unwrap();
}

fn ip(arguments: &str) {
    assert!(Command::new("ip").args(arguments.split(' ')).status().unwrap().success());
}

fn lan0(links: &mut Links) -> Interface {
    let all = links.interfaces().unwrap();
    all.into_values().find(|link| link.name.as_str() == "lan0").unwrap()
}

const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10));
const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10));

#[test]
#[ignore = "needs root: run by ./test"]
fn addresses_come_and_go_and_doing_it_twice_is_no_error() {
    in_namespace(|| {
        let mut links = Links::open().unwrap();
        let index = lan0(&mut links).index;
        for _ in 0..2 {
            links.add_address(index, V4, 24).unwrap();
            links.add_address(index, "192.0.2.11".parse().unwrap(), 24).unwrap();
            links.add_address(index, V6, 64).unwrap();
        }
        let lan = lan0(&mut links);
        assert!(lan.up && lan.mac.is_some());
        let v4: Vec<_> = lan.addresses.iter().filter(|a| a.address.is_ipv4()).collect();
        assert_eq!(*v4[0], Address { address: V4, prefix: 24, secondary: false });
        assert!(v4[1].secondary);
        assert!(lan.addresses.contains(&Address { address: V6, prefix: 64, secondary: false }));
        std::net::UdpSocket::bind((V6, 0))
            .expect("usable at once, without detection of duplicates");
        for _ in 0..2 {
            links.remove_address(index, V4, 24).unwrap();
            links.remove_address(index, V6, 64).unwrap();
        }
        assert!(lan0(&mut links).addresses.iter().all(|a| a.address != V4 && a.address != V6));
        let refused = links.add_address(4095, V4, 24).unwrap_err();
        assert_eq!(refused.to_string(), "cannot add 192.0.2.10/24 on interface 4095");
    });
}

#[test]
#[ignore = "needs root: run by ./test"]
fn the_monitor_hears_of_addresses_carrier_and_removal() {
    in_namespace(|| {
        let mut links = Links::open().unwrap();
        let index = lan0(&mut links).index;
        let mut monitor = Monitor::open().unwrap();
        let told = |monitor: &mut Monitor| {
            let addresses = |c: &Change| !matches!(c, Change::Link(_));
            monitor.read().unwrap().into_iter().filter(addresses).collect::<Vec<_>>()
        };
        assert_eq!(told(&mut monitor), []);
        links.add_address(index, V4, 24).unwrap();
        links.remove_address(index, V4, 24).unwrap();
        assert_eq!(
            told(&mut monitor),
            [
                Change::AddressAdded { index, address: V4, prefix: 24 },
                Change::AddressRemoved { index, address: V4, prefix: 24 },
            ]
        );
        ip("link set lan0 down");
        let down = monitor.read().unwrap();
        assert!(down.iter().any(|c| matches!(c, Change::Link(l) if l.index == index && !l.up)));
        ip("link del lan0");
        assert!(monitor.read().unwrap().contains(&Change::LinkGone { index }));
    });
}

#[test]
#[ignore = "needs root: run by ./test"]
fn an_interface_without_carrier_is_not_up() {
    in_namespace(|| {
        let mut links = Links::open().unwrap();
        assert!(lan0(&mut links).up);
        ip("link set far0 down");
        assert!(!lan0(&mut links).up);
    });
}

#[test]
#[ignore = "needs root: run by ./test"]
fn a_flood_that_overruns_the_buffer_is_told_and_survived() {
    in_namespace(|| {
        let mut links = Links::open().unwrap();
        let index = lan0(&mut links).index;
        let mut monitor = Monitor::open().unwrap();
        let small = 4096_usize;
        nix::sys::socket::setsockopt(&monitor, nix::sys::socket::sockopt::RcvBuf, &small).unwrap();
        for host in 0..100 {
            links.add_address(index, IpAddr::from([192, 0, 2, host]), 32).unwrap();
        }
        assert!(monitor.read().unwrap().contains(&Change::Overrun));
        assert_eq!(lan0(&mut links).addresses.iter().filter(|a| a.prefix == 32).count(), 100);
    });
}
