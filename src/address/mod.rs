//! Virtual addresses on interfaces: which to add and remove, and how they are announced. Pure.
#![forbid(unsafe_code)]

pub mod announce;

use std::collections::BTreeSet;
use std::net::IpAddr;

/// An address with the length of its subnet's prefix.
pub type Prefixed = (IpAddr, u8);

/// What turns the addresses present into those wanted. Add first: what is there twice, with two
/// prefix lengths, is never away in between.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// To add, in the order wanted.
    pub add: Vec<Prefixed>,
    /// To remove.
    pub remove: Vec<Prefixed>,
}

/// Plans for one interface: `managed` are the addresses we decide about, whatever their prefix
/// length; all others are left alone.
pub fn plan(wanted: &[Prefixed], present: &[Prefixed], managed: &BTreeSet<IpAddr>) -> Plan {
    let missing = |address: &&Prefixed| !present.contains(address);
    let surplus = |address: &&Prefixed| managed.contains(&address.0) && !wanted.contains(address);
    Plan {
        add: wanted.iter().filter(missing).copied().collect(),
        remove: present.iter().filter(surplus).copied().collect(),
    }
}

/// Whether `subnet` (an address and its prefix length) holds `address`.
pub fn holds(subnet: Prefixed, address: IpAddr) -> bool {
    match (subnet.0, address) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            let differ = a.to_bits() ^ b.to_bits();
            differ.leading_zeros() >= u32::from(subnet.1)
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            let differ = a.to_bits() ^ b.to_bits();
            differ.leading_zeros() >= u32::from(subnet.1)
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ip(host: u8) -> IpAddr {
        [192, 0, 2, host].into()
    }

    #[test]
    fn only_managed_addresses_are_removed() {
        let managed = BTreeSet::from([ip(100), ip(101)]);
        let present = [(ip(1), 24), (ip(100), 32)];
        let got = plan(&[], &present, &managed);
        assert_eq!(got, Plan { add: vec![], remove: vec![(ip(100), 32)] });
    }

    #[test]
    fn another_prefix_length_is_replaced() {
        let managed = BTreeSet::from([ip(100)]);
        let got = plan(&[(ip(100), 24)], &[(ip(100), 32)], &managed);
        assert_eq!(got, Plan { add: vec![(ip(100), 24)], remove: vec![(ip(100), 32)] });
    }

    #[test]
    fn subnets_hold_what_shares_their_prefix() {
        assert!(holds((ip(1), 24), ip(200)));
        assert!(!holds((ip(1), 25), ip(200)));
        assert!(holds((ip(1), 32), ip(1)) && !holds((ip(1), 32), ip(2)));
        assert!(holds((ip(1), 0), [10, 0, 0, 1].into()));
        assert!(!holds(("2001:db8::1".parse().unwrap(), 0), ip(1)));
    }

    proptest! {
        /// Carried out, a plan leaves exactly what is wanted, and the rest untouched.
        #[test]
        fn a_plan_reaches_what_is_wanted(
            wanted in prop::collection::btree_set((1..6_u8, 24..=32_u8), 0..6),
            present in prop::collection::btree_set((1..9_u8, 24..=32_u8), 0..9),
        ) {
            let list = |set: &BTreeSet<(u8, u8)>| set.iter().map(|(h, p)| (ip(*h), *p)).collect::<Vec<_>>();
            let (wanted, present) = (list(&wanted), list(&present));
            let managed: BTreeSet<_> = (1..6).map(ip).collect();
            let todo = plan(&wanted, &present, &managed);
            let mut after: BTreeSet<_> = present.iter().copied().collect();
            after.extend(&todo.add);
            after.retain(|address| !todo.remove.contains(address));
            let (ours, others): (BTreeSet<_>, BTreeSet<_>) =
                after.into_iter().partition(|(address, _)| managed.contains(address));
            prop_assert_eq!(ours, wanted.iter().copied().collect());
            prop_assert!(others.iter().all(|address| present.contains(address)));
        }
    }
}
