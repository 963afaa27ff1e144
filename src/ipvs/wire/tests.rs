use std::io::Cursor;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use neli::ToBytes;
use proptest::prelude::*;

use super::*;
use crate::ipvs::{
    Connections, Destination, Forwarding, Protocol, Scheduler, Service, ServiceKey, Step,
};
use crate::net::Family;

fn bytes(step: &Step) -> Vec<u8> {
    let mut cursor = Cursor::new(Vec::new());
    request(step).unwrap().to_bytes(&mut cursor).unwrap();
    cursor.into_inner()
}

fn web() -> ServiceKey {
    ServiceKey::Address(Protocol::Tcp, "192.0.2.1:80".parse().unwrap())
}

/// `IPVS_CMD_ATTR_SERVICE` of [`web`] without settings.
const WEB: [u8; 48] = [
    48, 0, 1, 0x80, // nested
    6, 0, 1, 0, 2, 0, 0, 0, // AF_INET
    6, 0, 2, 0, 6, 0, 0, 0, // TCP
    20, 0, 3, 0, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, //
    6, 0, 4, 0, 0, 80, 0, 0, // port, big endian
];

#[test]
#[cfg(target_endian = "little")]
fn a_new_destination_is_encoded_as_ip_vs_h_says() {
    let at = "192.0.2.3:8080".parse().unwrap();
    let to = Destination { weight: 258, forwarding: Forwarding::DirectRoute };
    let destination = [
        72, 0, 2, 0x80, //
        20, 0, 1, 0, 192, 0, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, //
        6, 0, 2, 0, 0x1f, 0x90, 0, 0, //
        6, 0, 11, 0, 2, 0, 0, 0, //
        8, 0, 3, 0, 3, 0, 0, 0, // direct routing
        8, 0, 4, 0, 2, 1, 0, 0, // weight
        8, 0, 5, 0, 0, 0, 0, 0, // no thresholds
        8, 0, 6, 0, 0, 0, 0, 0,
    ];
    let expected = [&[5, 1, 0, 0][..], &WEB, &destination].concat();
    assert_eq!(bytes(&Step::NewDest(web(), at, to)), expected);
}

#[test]
#[cfg(target_endian = "little")]
fn a_persistent_service_by_mark_is_encoded_as_ip_vs_h_says() {
    let key = ServiceKey::Fwmark(Family::Ipv6, NonZeroU32::new(7).unwrap());
    let settings = Service {
        scheduler: Scheduler::named("wlc").unwrap(),
        persistence: Some(Duration::from_secs(300)),
    };
    let expected = [
        2, 1, 0, 0, // IPVS_CMD_SET_SERVICE
        56, 0, 1, 0x80, //
        6, 0, 1, 0, 10, 0, 0, 0, // AF_INET6
        8, 0, 5, 0, 7, 0, 0, 0, // mark
        8, 0, 6, 0, b'w', b'l', b'c', 0, //
        12, 0, 7, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, // persistent, mask
        8, 0, 8, 0, 0x2c, 1, 0, 0, // 300 s
        8, 0, 9, 0, 128, 0, 0, 0, // prefix length
    ];
    assert_eq!(bytes(&Step::SetService(key, settings)), expected);
}

#[test]
#[cfg(target_endian = "little")]
fn the_kernels_own_flags_are_masked() {
    let mut body = vec![1, 1, 0, 0];
    body.extend(WEB);
    body[4] = 48 + 28;
    body.extend([8, 0, 6, 0, b'r', b'r', 0, 0]);
    body.extend([12, 0, 7, 0, 2, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]); // hashed
    body.extend([8, 0, 9, 0, 0xff, 0xff, 0xff, 0xff]);
    let settings = Service { scheduler: Scheduler::named("rr").unwrap(), persistence: None };
    let found = service(&body).unwrap().unwrap();
    assert_eq!(found, FoundService { key: web(), settings, altered: false });
    body[64] = 0x12; // one more flag: sh-port
    assert!(service(&body).unwrap().unwrap().altered);

    let mut body = vec![5, 1, 0, 0, 60, 0, 2, 0x80];
    body.extend([20, 0, 1, 0, 192, 0, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    body.extend([6, 0, 2, 0, 0, 80, 0, 0]);
    body.extend([8, 0, 3, 0, 0x83, 1, 0, 0]); // inactive, no output, direct routing
    body.extend([8, 0, 7, 0, 5, 0, 0, 0, 8, 0, 8, 0, 6, 0, 0, 0]);
    body[4] = 4 + 20 + 8 + 8 + 16;
    let found = destination(Family::Ipv4, &body).unwrap().unwrap();
    let to = Destination { weight: 0, forwarding: Forwarding::DirectRoute };
    let connections = Connections { active: 5, inactive: 6 };
    let at = "192.0.2.3:80".parse().unwrap();
    assert_eq!(found, FoundDestination { at, to, connections, altered: false });
}

fn any_socket() -> impl Strategy<Value = SocketAddr> {
    (any::<std::net::IpAddr>(), any::<u16>()).prop_map(SocketAddr::from)
}

fn any_key() -> impl Strategy<Value = ServiceKey> {
    let protocol = prop_oneof![Just(Protocol::Tcp), Just(Protocol::Udp), Just(Protocol::Sctp)];
    let family = prop_oneof![Just(Family::Ipv4), Just(Family::Ipv6)];
    prop_oneof![
        (protocol, any_socket()).prop_map(|(p, at)| ServiceKey::Address(p, at)),
        (family, any::<NonZeroU32>()).prop_map(|(f, mark)| ServiceKey::Fwmark(f, mark)),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        key in any_key(),
        at in any_socket(),
        weight in any::<u16>(),
        persistence in prop::option::of(any::<u32>()),
        name in "[a-z]{2,15}",
    ) {
        let persistence = persistence.map(|s| Duration::from_secs(s.into()));
        let settings = Service { scheduler: Scheduler::observed(&name), persistence };
        let found = service(&bytes(&Step::NewService(key, settings.clone()))).unwrap().unwrap();
        prop_assert_eq!(found, FoundService { key, settings, altered: false });
        let to = Destination { weight, forwarding: Forwarding::Tunnel };
        let found = bytes(&Step::SetDest(key, at, to));
        let found = destination(Family::Ipv4, &found).unwrap().unwrap();
        let connections = Connections::default();
        prop_assert_eq!(found, FoundDestination { at, to, connections, altered: false });
    }

    #[test]
    fn arbitrary_answers_never_panic(
        noise in prop::collection::vec(any::<u8>(), 0..200),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        prop_assert!(service(&noise).is_err() || noise.len() >= 4);
        prop_assert!(destination(Family::Ipv6, &noise).is_err() || noise.len() >= 4);
        prop_assert!(version(&noise).is_err() || noise.len() >= 4);
        // Nearly right answers reach further into the decoder.
        let to = Destination { weight: 1, forwarding: Forwarding::Tunnel };
        let mut body = bytes(&Step::NewDest(web(), "192.0.2.3:80".parse().unwrap(), to));
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        if let Ok(Some(found)) = service(&body) {
            prop_assert!(found.settings.persistence.is_none_or(|p| p.as_secs() <= u32::MAX.into()));
        }
        if let Ok(Some(found)) = destination(Family::Ipv4, &body) {
            prop_assert!(!matches!(found.to.forwarding, Forwarding::Other(0 | 2 | 3)));
        }
    }
}
