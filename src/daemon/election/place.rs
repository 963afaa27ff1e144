//! Where a virtual router runs, and what may keep it from running. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use crate::address::{Prefixed, holds};
use crate::config::VirtualRouter;
use crate::kernel::link::Interface;
use crate::net::{IfName, MacAddr};

/// An interface fit to run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) index: u32,
    pub(super) name: IfName,
    pub(super) mac: MacAddr,
    /// TX-03: the first IPv4 address that is not virtual.
    pub(super) primary: Ipv4Addr,
    /// The addresses that are not virtual.
    pub(super) own: Vec<Prefixed>,
}

impl Place {
    /// Whether this is one of our own addresses there.
    pub(super) fn has(&self, address: Ipv4Addr) -> bool {
        self.own.iter().any(|(own, _)| *own == IpAddr::V4(address))
    }
}

/// What keeps a virtual router out of the election.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error("there is no interface {0}")]
    Missing(IfName),
    #[error("no interface has a subnet that holds {0}")]
    NoSubnet(IpAddr),
    #[error("interface {0} is down")]
    Down(IfName),
    #[error("interface {0} has no IPv4 address besides virtual ones, and advertisements need one")]
    NoAddress(IfName),
    #[error("interface {0} is not Ethernet")]
    NotEthernet(IfName),
    #[error("{0} is the own address of interface {1}: a virtual address must be one besides")]
    OwnAddress(IpAddr, IfName),
    #[error("virtual address {0} is IPv6, which is not supported yet")]
    Ipv6(IpAddr),
    #[error("{0}")]
    Refused(String),
}

/// The interface configured, or the one with the smallest subnet that holds the first VIP.
pub(super) fn locate<'a>(
    router: &VirtualRouter,
    interfaces: &'a BTreeMap<u32, Interface>,
    virtual_addresses: &BTreeSet<IpAddr>,
) -> Result<&'a Interface, Unfit> {
    if let Some(vip) = router.vips.iter().find(|vip| vip.address.is_ipv6()) {
        return Err(Unfit::Ipv6(vip.address));
    }
    if let Some(name) = &router.interface {
        let found = interfaces.values().find(|interface| interface.name == *name);
        return found.ok_or_else(|| Unfit::Missing(name.clone()));
    }
    let unspecified = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let first = router.vips.first().map_or(unspecified, |vip| vip.address);
    let subnet = |interface: &&Interface| {
        own(interface, virtual_addresses)
            .into_iter()
            .filter(|subnet| holds(*subnet, first))
            .map(|(_, prefix)| prefix)
            .max()
    };
    let candidates = interfaces.values().filter(|interface| subnet(interface).is_some());
    // The lowest index among equals, so that the answer does not depend on the order of listing.
    let best = candidates.max_by_key(|interface| (subnet(interface), u32::MAX - interface.index));
    best.ok_or(Unfit::NoSubnet(first))
}

/// Whether the interface found will do. `placed`: we have put addresses there ourselves.
pub(super) fn examine(
    interface: &Interface,
    virtual_addresses: &BTreeSet<IpAddr>,
    placed: bool,
) -> Result<Place, Unfit> {
    let name = interface.name.clone();
    let own = own(interface, virtual_addresses);
    let primary = own.iter().find_map(|(address, _)| match address {
        IpAddr::V4(address) => Some(*address),
        IpAddr::V6(_) => None,
    });
    let Some(primary) = primary else {
        // With a subnet and nothing besides it is more likely the host's own address,
        // configured as virtual by mistake, than one left behind. Removing it would cut us off.
        let only = interface.addresses.iter().find(|found| {
            found.address.is_ipv4() && !found.secondary && found.prefix < 32 && !placed
        });
        return Err(only.map_or(Unfit::NoAddress(name.clone()), |found| {
            Unfit::OwnAddress(found.address, name)
        }));
    };
    if !interface.up {
        return Err(Unfit::Down(name));
    }
    let Some(mac) = interface.mac else { return Err(Unfit::NotEthernet(name)) };
    Ok(Place { index: interface.index, name, mac, primary, own })
}

fn own(interface: &Interface, virtual_addresses: &BTreeSet<IpAddr>) -> Vec<Prefixed> {
    let found = interface.addresses.iter().map(|found| (found.address, found.prefix));
    found.filter(|(address, _)| !virtual_addresses.contains(address)).collect()
}

#[cfg(test)]
mod tests;
