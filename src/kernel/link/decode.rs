//! Answers and notifications of rtnetlink as values.

use std::io::Cursor;
use std::net::IpAddr;

use neli::FromBytesWithInput;
use neli::attr::Attribute as _;
use neli::consts::rtnl::{Ifa, IfaF, Iff, Ifla, RtAddrFamily};
use neli::rtnl::{Ifaddrmsg, Ifinfomsg};

use super::{Address, Interface};
use crate::kernel::netlink::NetlinkError;
use crate::net::{IfName, MacAddr};

fn decode<T: FromBytesWithInput<Input = usize>>(payload: &[u8]) -> Result<T, NetlinkError> {
    T::from_bytes_with_input(&mut Cursor::new(payload), payload.len()).map_err(NetlinkError::Decode)
}

/// An interface of `RTM_NEWLINK` or `RTM_DELLINK`, without addresses.
///
/// `None` for what concerns a bridge port and not the interface itself: a port leaving its bridge is
/// told as `RTM_DELLINK` of family `AF_BRIDGE`. Also for names that no configuration can contain.
pub(super) fn link(payload: &[u8]) -> Result<Option<Interface>, NetlinkError> {
    let message: Ifinfomsg = decode(payload)?;
    let Ok(index) = u32::try_from(*message.ifi_index()) else { return Ok(None) };
    if *message.ifi_family() != RtAddrFamily::Unspecified {
        return Ok(None);
    }
    let mut name = None;
    let mut mac = None;
    for attribute in message.rtattrs().iter() {
        let bytes = attribute.payload().as_ref();
        let kind = *attribute.rta_type();
        if kind == Ifla::Ifname {
            let text = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
            name = str::from_utf8(text).ok().and_then(|text| IfName::try_from(text).ok());
        } else if kind == Ifla::Address {
            mac = <[u8; 6]>::try_from(bytes).ok().map(MacAddr);
        }
    }
    let carries = Iff::UP | Iff::LOWERUP | Iff::RUNNING;
    let up = message.ifi_flags().contains(carries);
    Ok(name.map(|name| Interface { index, name, mac, up, addresses: Vec::new() }))
}

/// An address of `RTM_NEWADDR` or `RTM_DELADDR` with its interface's index; `None` for families
/// other than IP.
pub(super) fn address(payload: &[u8]) -> Result<Option<(u32, Address)>, NetlinkError> {
    let message: Ifaddrmsg = decode(payload)?;
    let mut local = None;
    let mut remote = None;
    for attribute in message.rtattrs().iter() {
        let bytes = attribute.payload().as_ref();
        let kind = *attribute.rta_type();
        // On a point-to-point link IFA_ADDRESS is the far end and IFA_LOCAL our own.
        if kind == Ifa::Local {
            local = ip(*message.ifa_family(), bytes);
        } else if kind == Ifa::Address {
            remote = ip(*message.ifa_family(), bytes);
        }
    }
    let secondary = message.ifa_flags().contains(IfaF::SECONDARY);
    let prefix = *message.ifa_prefixlen();
    let found = local.or(remote);
    Ok(found.map(|address| (*message.ifa_index(), Address { address, prefix, secondary })))
}

fn ip(family: RtAddrFamily, bytes: &[u8]) -> Option<IpAddr> {
    if family == RtAddrFamily::Inet {
        <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from)
    } else if family == RtAddrFamily::Inet6 {
        <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
    } else {
        None
    }
}
