#![expect(clippy::disallowed_methods, reason = "one arbitrary epoch per test")]

use proptest::prelude::*;

use super::*;

const MS: fn(u64) -> Duration = Duration::from_millis;
const MAC: MacAddr = MacAddr([0x46, 0x63, 0xa4, 0x66, 0x7a, 0xf8]);
const VIP: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 100);

/// Captured from keepalived 2.2.7.
#[rustfmt::skip]
const GRATUITOUS: [u8; 42] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x46, 0x63, 0xa4, 0x66, 0x7a, 0xf8, 0x08, 0x06,
    0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01, 0x46, 0x63, 0xa4, 0x66, 0x7a, 0xf8,
    0xc0, 0x00, 0x02, 0x64, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc0, 0x00, 0x02, 0x64,
];

/// DP-01: RFC 9568 §6.4.2.
#[test]
fn gratuitous_arp_is_what_keepalived_sends() {
    assert_eq!(gratuitous(MAC, VIP), GRATUITOUS);
    assert_eq!(claim(&GRATUITOUS), Some(Claim { mac: MAC, address: VIP }));
}

/// RFC 5227 §2.1.1: sender address and target hardware address all zero.
#[test]
fn a_probe_claims_nothing() {
    let mut want = GRATUITOUS;
    want[28..38].fill(0);
    assert_eq!(probe(MAC, VIP), want);
    assert_eq!(claim(&want), None);
}

#[test]
fn replies_claim_and_other_frames_do_not() {
    let mut reply = GRATUITOUS.to_vec();
    reply[21] = 2;
    reply.resize(60, 0);
    assert_eq!(claim(&reply), Some(Claim { mac: MAC, address: VIP }));
    for (at, value) in [(12, 0x86), (15, 6), (16, 9), (19, 16), (21, 3)] {
        let mut other = GRATUITOUS;
        other[at] = value;
        assert_eq!(claim(&other), None, "byte {at}");
    }
    assert_eq!(claim(&GRATUITOUS[..41]), None);
}

#[test]
fn a_takeover_is_announced_five_times() {
    let t0 = Instant::now();
    let mut schedule = Schedule::default();
    assert_eq!((schedule.deadline(), schedule.due(t0)), (None, 0));
    schedule.start(t0);
    for (ms, count) in [(0, 5), (99, 0), (100, 1), (500, 1), (1_199, 0), (1_200, 5), (5_000, 5)] {
        assert_eq!(schedule.due(t0 + MS(ms)), count, "{ms} ms");
    }
    assert_eq!(schedule.deadline(), None);
}

#[test]
fn missed_bursts_are_sent_once() {
    let t0 = Instant::now();
    let mut schedule = Schedule::default();
    schedule.start(t0);
    assert_eq!(schedule.due(t0 + MS(2_000)), 5);
    assert_eq!(schedule.deadline(), Some(t0 + MS(5_000)));
    schedule.stop();
    assert_eq!(schedule.deadline(), None);
}

#[test]
fn provoked_announcements_come_once_per_second() {
    let t0 = Instant::now();
    let mut schedule = Schedule::default();
    let mut sent = 0;
    for ms in 0..10_000 {
        schedule.start(t0 + MS(ms));
        sent += schedule.due(t0 + MS(ms));
    }
    // Ten starts of 5, and what follows each within its second.
    assert_eq!(sent, 10 * (5 + 1 + 1));
}

proptest! {
    #[test]
    fn arbitrary_frames_are_harmless(bytes in prop::collection::vec(any::<u8>(), 0..70)) {
        prop_assert!(claim(&bytes).is_none() || bytes.len() >= FRAME);
    }
}
