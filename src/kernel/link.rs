//! Network interfaces and their addresses, by rtnetlink(7).

mod decode;
mod monitor;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;

use neli::consts::nl::NlmF;
use neli::consts::rtnl::{Ifa, IfaF, RtAddrFamily, RtScope, Rtm};
use neli::err::SerError;
use neli::rtnl::{IfaddrmsgBuilder, IfinfomsgBuilder, RtattrBuilder};
use neli::types::RtBuffer;
use nix::errno::Errno;
use nix::sys::socket::SockProtocol;

use super::netlink::{NetlinkError, Request, Socket, built};
use crate::net::{IfName, MacAddr};

pub use monitor::{Change, Monitor};

/// A network interface as the kernel describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The kernel's number for it, 1 or more; not reused while the interface lives.
    pub index: u32,
    /// Its name now: names can be changed.
    pub name: IfName,
    /// Its hardware address, where it has one of Ethernet's size.
    pub mac: Option<MacAddr>,
    /// Whether it can carry packets: `IFF_UP`, `IFF_LOWER_UP` (carrier) and `IFF_RUNNING`.
    pub up: bool,
    /// Its addresses, in the kernel's order. Empty in [`Change::Link`].
    pub addresses: Vec<Address>,
}

/// An address of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// The local address.
    pub address: IpAddr,
    /// Length of its subnet's prefix, in bits.
    pub prefix: u8,
    /// `IFA_F_SECONDARY`: not the first of its IPv4 subnet, or an IPv6 temporary address.
    pub secondary: bool,
}

/// A socket for questions and changes. Answers take at most 2 seconds, then they are an error.
#[derive(Debug)]
pub struct Links {
    socket: Socket,
}

impl Links {
    /// Opens the socket, in the network namespace of the calling thread.
    ///
    /// # Errors
    /// When there is no socket to be had.
    pub fn open() -> Result<Self, NetlinkError> {
        Ok(Self { socket: Socket::open(SockProtocol::NetlinkRoute)? })
    }

    /// All interfaces with their addresses, by index.
    ///
    /// # Errors
    /// When one of the two lists cannot be read.
    pub fn interfaces(&mut self) -> Result<BTreeMap<u32, Interface>, NetlinkError> {
        let refused = |attempt| move |source| NetlinkError::Refused { attempt, source };
        let request = list_links().map_err(NetlinkError::Encode)?;
        let links = self.socket.ask(&request, NlmF::DUMP, |_, payload| decode::link(payload))?;
        let links = links.map_err(refused("list interfaces"))?;
        let mut interfaces: BTreeMap<_, _> =
            links.into_iter().map(|link| (link.index, link)).collect();
        let request = list_addresses().map_err(NetlinkError::Encode)?;
        let owned = self.socket.ask(&request, NlmF::DUMP, |_, payload| decode::address(payload))?;
        for (index, address) in owned.map_err(refused("list addresses"))? {
            if let Some(interface) = interfaces.get_mut(&index) {
                interface.addresses.push(address);
            }
        }
        Ok(interfaces)
    }

    /// Adds an address: scope global, no broadcast address, and for IPv6 usable at once (no
    /// duplicate address detection). That it is there already is success.
    ///
    /// # Errors
    /// The kernel's refusal, or a failure to ask.
    pub fn add_address(
        &mut self,
        index: u32,
        address: IpAddr,
        prefix: u8,
    ) -> Result<(), NetlinkError> {
        let flags = NlmF::CREATE | NlmF::EXCL;
        match self.change(Rtm::Newaddr, flags, index, address, prefix)? {
            Ok(()) | Err(Errno::EEXIST) => Ok(()),
            Err(source) => {
                Err(NetlinkError::Address { attempt: "add", address, prefix, index, source })
            }
        }
    }

    /// Removes an address. That it is gone already, with or without its interface, is success.
    ///
    /// Mind that the kernel removes an IPv4 subnet's secondary addresses together with the first,
    /// unless `net.ipv4.conf.*.promote_secondaries` is set.
    ///
    /// # Errors
    /// The kernel's refusal, or a failure to ask.
    pub fn remove_address(
        &mut self,
        index: u32,
        address: IpAddr,
        prefix: u8,
    ) -> Result<(), NetlinkError> {
        match self.change(Rtm::Deladdr, NlmF::empty(), index, address, prefix)? {
            Ok(()) | Err(Errno::EADDRNOTAVAIL | Errno::ENODEV) => Ok(()),
            Err(source) => {
                Err(NetlinkError::Address { attempt: "remove", address, prefix, index, source })
            }
        }
    }

    fn change(
        &mut self,
        kind: Rtm,
        flags: NlmF,
        index: u32,
        address: IpAddr,
        prefix: u8,
    ) -> Result<Result<(), Errno>, NetlinkError> {
        let request = change_address(kind, flags, index, address, prefix);
        self.socket.change(&request.map_err(NetlinkError::Encode)?)
    }
}

fn list_links() -> Result<Request, SerError> {
    let message = IfinfomsgBuilder::default().ifi_family(RtAddrFamily::Unspecified).build();
    Request::new(Rtm::Getlink.into(), NlmF::empty(), &built(message)?)
}

fn list_addresses() -> Result<Request, SerError> {
    let message = IfaddrmsgBuilder::default()
        .ifa_family(RtAddrFamily::Unspecified)
        .ifa_prefixlen(0)
        .ifa_scope(RtScope::Universe)
        .ifa_index(0)
        .build();
    Request::new(Rtm::Getaddr.into(), NlmF::empty(), &built(message)?)
}

fn change_address(
    kind: Rtm,
    flags: NlmF,
    index: u32,
    address: IpAddr,
    prefix: u8,
) -> Result<Request, SerError> {
    let (family, bytes) = match address {
        IpAddr::V4(address) => (RtAddrFamily::Inet, address.octets().to_vec()),
        IpAddr::V6(address) => (RtAddrFamily::Inet6, address.octets().to_vec()),
    };
    let mut attributes = RtBuffer::new();
    for kind in [Ifa::Local, Ifa::Address] {
        let attribute = RtattrBuilder::default().rta_type(kind).rta_payload(bytes.as_slice());
        attributes.push(built(attribute.build())?);
    }
    let address_flags = if address.is_ipv6() { IfaF::NODAD } else { IfaF::empty() };
    let message = IfaddrmsgBuilder::default()
        .ifa_family(family)
        .ifa_prefixlen(prefix)
        .ifa_flags(address_flags)
        .ifa_scope(RtScope::Universe)
        .ifa_index(index)
        .rtattrs(attributes)
        .build();
    Request::new(kind.into(), flags, &built(message)?)
}
