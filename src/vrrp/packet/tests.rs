use proptest::prelude::*;

use super::*;

/// Captured from keepalived 2.2.7: VRID 51, priority 254, 20 centiseconds, two addresses.
#[rustfmt::skip]
const KEEPALIVED: [u8; 36] = [
    0x45, 0xc0, 0x00, 0x24, 0x00, 0x01, 0x00, 0x00, 0xff, 0x70, 0x18, 0x95,
    0xc0, 0x00, 0x02, 0x01, 0xe0, 0x00, 0x00, 0x12,
    0x31, 0x33, 0xfe, 0x02, 0x00, 0x14, 0xa9, 0x56,
    0xc0, 0x00, 0x02, 0x64, 0xc0, 0x00, 0x02, 0x65,
];

/// Its checksum without pseudo-header, added up by hand: ~(3133 + fe02 + 0014 + 2·c000 + 0264 + 0265).
const MESSAGE_ONLY: [u8; 2] = [0x4b, 0xeb];

fn captured() -> Advertisement {
    Advertisement {
        source: Ipv4Addr::new(192, 0, 2, 1),
        destination: GROUP,
        vrid: Vrid::try_from(51).unwrap(),
        priority: Some(Priority::try_from(254).unwrap()),
        interval: Interval::from_centis(20).unwrap(),
        addresses: vec![Ipv4Addr::new(192, 0, 2, 100), Ipv4Addr::new(192, 0, 2, 101)],
    }
}

fn with(changes: &[(usize, u8)]) -> Vec<u8> {
    let mut bytes = KEEPALIVED.to_vec();
    for (at, value) in changes {
        bytes[*at] = *value;
    }
    bytes
}

/// The same with the VRRP checksum made right again.
fn with_sum(changes: &[(usize, u8)]) -> Vec<u8> {
    let mut bytes = with(changes);
    bytes[26..28].fill(0);
    let sum = !fold(sum(&bytes[20..]));
    bytes[26..28].copy_from_slice(&sum.to_be_bytes());
    bytes
}

#[test]
fn a_packet_of_keepalived_is_understood() {
    let received = decode(&KEEPALIVED).unwrap();
    assert_eq!(received.advertisement, captured());
    assert_eq!(received.checksum, ChecksumKind::PseudoHeader);
}

#[test]
fn what_we_send_is_what_keepalived_sends() {
    let mut ours = encode(&captured(), ChecksumKind::PseudoHeader).unwrap();
    // It numbers its datagrams; the kernel numbers ours. The header checksum follows.
    assert_eq!(ours[4..6], [0, 0]);
    ours[5] = 1;
    assert_eq!(ours[10..12], [0x18, 0x96]);
    ours[11] = 0x95;
    assert_eq!(ours, KEEPALIVED);
    assert_eq!(encode(&captured(), ChecksumKind::MessageOnly).unwrap()[26..28], MESSAGE_ONLY);
}

/// RX-11: RFC 9568 §5.2.8 and RFC 5798 §5.2.8.
#[test]
fn both_checksums_are_accepted_and_told_apart() {
    let [high, low] = MESSAGE_ONLY;
    let received = decode(&with(&[(26, high), (27, low)])).unwrap();
    assert_eq!(received.checksum, ChecksumKind::MessageOnly);
    assert_eq!(decode(&with(&[(26, high), (27, low + 1)])), Err(DecodeError::Checksum));
    assert_eq!(decode(&with(&[(26, 0), (27, 0)])), Err(DecodeError::Checksum));
}

/// RFC 9568 §7.1, one row per receive check.
#[test]
fn receive_checks() {
    use DecodeError as E;
    let source = |a, b, c, d| (vec![(12, a), (13, b), (14, c), (15, d)], Ipv4Addr::new(a, b, c, d));
    let mut cases = vec![
        ("RX-01", with(&[(8, 254)]), E::Ttl(254)),
        ("RX-01", with(&[(8, 0)]), E::Ttl(0)),
        ("RX-03", with(&[(9, 51)]), E::Ip),
        ("RX-04", with_sum(&[(20, 0x21)]), E::Version(2)),
        ("RX-04", with_sum(&[(20, 0x41)]), E::Version(4)),
        ("RX-05", with_sum(&[(20, 0x30)]), E::Type(0)),
        ("RX-05", with_sum(&[(20, 0x3f)]), E::Type(15)),
        ("RX-06", with(&[(3, 27)]), E::Length { need: 8, have: 7 }),
        ("RX-06", with(&[(3, 20)]), E::Length { need: 8, have: 0 }),
        ("RX-07", with_sum(&[(23, 3)]), E::Length { need: 20, have: 16 }),
        ("RX-07", with_sum(&[(23, 255)]), E::Length { need: 1028, have: 16 }),
        ("RX-08", with_sum(&[(23, 1)]), E::Length { need: 12, have: 16 }),
        ("RX-09", with_sum(&[(23, 0), (3, 28)]), E::NoAddress),
        ("RX-13", with_sum(&[(21, 0)]), E::Vrid),
        ("RX-15", with_sum(&[(25, 0)]), E::Interval),
        ("total length beyond the buffer", with(&[(3, 37)]), E::Ip),
        ("total length within the header", with(&[(3, 19)]), E::Ip),
        ("header length below 20", with(&[(0, 0x44)]), E::Ip),
        ("IPv6", with(&[(0, 0x65)]), E::Ip),
    ];
    for (changes, address) in [
        source(0, 0, 0, 0),
        source(224, 0, 0, 18),
        source(127, 0, 0, 1),
        source(255, 255, 255, 255),
    ] {
        cases.push(("RX-24", with(&changes), E::Source(address)));
    }
    for (id, bytes, want) in cases {
        assert_eq!(decode(&bytes), Err(want), "{id}");
    }
}

/// RX-19: §5.2.6. RX-08: padding of short Ethernet frames lies beyond the IP total length.
#[test]
fn reserve_and_padding_are_ignored() {
    assert_eq!(decode(&with_sum(&[(24, 0xf0)])).unwrap().advertisement, captured());
    let mut padded = KEEPALIVED.to_vec();
    padded.resize(46, 0xaa);
    assert_eq!(decode(&padded).unwrap().advertisement, captured());
}

/// RX-26.
#[test]
fn ip_options_are_skipped() {
    let mut bytes = with(&[(0, 0x46), (3, 40)]);
    bytes.splice(20..20, [0x94, 0x04, 0, 0]);
    assert_eq!(decode(&bytes).unwrap().advertisement, captured());
}

#[test]
fn priority_zero_is_a_resignation() {
    let received = decode(&with_sum(&[(22, 0)])).unwrap();
    assert_eq!(received.advertisement.priority, None);
}

/// TX-07: §5.2.5.
#[test]
fn no_addresses_and_too_many_are_refused() {
    for (count, fits) in [(0, false), (1, true), (255, true), (256, false)] {
        let addresses = vec![Ipv4Addr::new(192, 0, 2, 9); count];
        let advertisement = Advertisement { addresses, ..captured() };
        assert_eq!(encode(&advertisement, ChecksumKind::default()).is_ok(), fits, "{count}");
    }
}

fn any_advertisement() -> impl Strategy<Value = Advertisement> {
    let host = (1..=126_u8, any::<[u8; 3]>()).prop_map(|(a, [b, c, d])| Ipv4Addr::new(a, b, c, d));
    let list = prop::collection::vec(any::<[u8; 4]>().prop_map(Ipv4Addr::from), 1..=255);
    (host, any::<[u8; 4]>(), 1..=255_u8, 0..=255_u8, 1..=4095_u16, list).prop_map(
        |(source, destination, vrid, priority, centis, addresses)| Advertisement {
            source,
            destination: destination.into(),
            vrid: Vrid::try_from(vrid).unwrap(),
            priority: Priority::try_from(priority).ok(),
            interval: Interval::from_centis(centis).unwrap(),
            addresses,
        },
    )
}

proptest! {
    #[test]
    fn decode_reverses_encode(advertisement in any_advertisement()) {
        for kind in [ChecksumKind::PseudoHeader, ChecksumKind::MessageOnly] {
            let received = decode(&encode(&advertisement, kind).unwrap()).unwrap();
            prop_assert_eq!(&received.advertisement, &advertisement);
            // A pseudo-header that sums up to nothing makes the two the same.
            let length = 8 + 4 * advertisement.addresses.len();
            let pseudo = fold(pseudo_header(advertisement.source, advertisement.destination, length));
            prop_assert!(received.checksum == kind || pseudo == 0xffff || pseudo == 0);
        }
    }

    #[test]
    fn arbitrary_bytes_are_harmless(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(decode(&bytes).is_err() || bytes.len() >= 32);
    }

    /// Closer to the mark than noise: one valid packet, up to four bytes changed, any length.
    #[test]
    fn damaged_packets_are_harmless(
        changes in prop::collection::vec((0..36_usize, any::<u8>()), 0..4),
        length in 0..=36_usize,
    ) {
        let bytes = with(&changes);
        if let Ok(received) = decode(&bytes[..length]) {
            prop_assert!(!received.advertisement.addresses.is_empty());
        }
    }
}
