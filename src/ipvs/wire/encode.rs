//! Steps and questions as bytes.

use std::net::{IpAddr, SocketAddr};

use neli::err::SerError;
use neli::genl::{AttrTypeBuilder, Genlmsghdr, GenlmsghdrBuilder, Nlattr, NlattrBuilder};
use neli::types::{Buffer, GenlBuffer};
use neli::{Size, ToBytes};

use super::{Command, PERSISTENT, VERSION, command, dest, forwarding, netmask, svc};
use crate::ipvs::{Destination, Forwarding, Protocol, Service, ServiceKey, Step};
use crate::net::Family;

type Attributes = GenlBuffer<u16, Buffer>;

/// The message that carries out a step.
pub(crate) fn request(step: &Step) -> Result<Genlmsghdr<u8, u16>, SerError> {
    let (kind, settings, destination) = match step {
        Step::NewService(_, settings) => (Command::NewService, Some(settings), None),
        Step::SetService(_, settings) => (Command::SetService, Some(settings), None),
        Step::DelService(_) => (Command::DelService, None, None),
        Step::NewDest(_, at, to) => (Command::NewDest, None, Some((*at, Some(*to)))),
        Step::SetDest(_, at, to) => (Command::SetDest, None, Some((*at, Some(*to)))),
        Step::DelDest(_, at) => (Command::DelDest, None, Some((*at, None))),
    };
    let mut attributes = Attributes::new();
    attributes.push(nested(command::SERVICE, service(step.service(), settings)?)?);
    if let Some((at, to)) = destination {
        attributes.push(nested(command::DEST, self::destination(at, to)?)?);
    }
    message(kind, attributes)
}

/// The question for all destinations of a service.
pub(crate) fn select(key: ServiceKey) -> Result<Genlmsghdr<u8, u16>, SerError> {
    let mut attributes = Attributes::new();
    attributes.push(nested(command::SERVICE, service(key, None)?)?);
    message(Command::GetDest, attributes)
}

/// A message of family "IPVS".
pub(crate) fn message(
    kind: Command,
    attributes: Attributes,
) -> Result<Genlmsghdr<u8, u16>, SerError> {
    let builder = GenlmsghdrBuilder::default().cmd(kind as u8).version(VERSION).attrs(attributes);
    builder.build().map_err(SerError::new)
}

fn service(key: ServiceKey, settings: Option<&Service>) -> Result<Attributes, SerError> {
    let mut all = Attributes::new();
    let family = match key {
        ServiceKey::Address(_, at) => Family::of(at.ip()),
        ServiceKey::Fwmark(family, _) => family,
    };
    all.push(plain(svc::FAMILY, number(family))?);
    match key {
        ServiceKey::Address(protocol, at) => {
            all.push(plain(svc::PROTOCOL, protocol_number(protocol))?);
            all.push(plain(svc::ADDRESS, address(at.ip()))?);
            all.push(plain(svc::PORT, at.port().to_be_bytes())?);
        }
        ServiceKey::Fwmark(_, mark) => all.push(plain(svc::FWMARK, mark.get())?),
    }
    if let Some(settings) = settings {
        let flags = if settings.persistence.is_some() { PERSISTENT } else { 0 };
        let seconds = settings.persistence.map_or(0, |timeout| timeout.as_secs());
        // `struct ip_vs_flags`: the flags, and a mask of those that are meant.
        let [flags, mask] = [flags.to_ne_bytes(), u32::MAX.to_ne_bytes()];
        all.push(plain(svc::SCHEDULER, settings.scheduler.as_str())?);
        all.push(plain(svc::FLAGS, [flags, mask].concat().as_slice())?);
        all.push(plain(svc::TIMEOUT, u32::try_from(seconds).unwrap_or(u32::MAX))?);
        all.push(plain(svc::NETMASK, netmask(family))?);
    }
    Ok(all)
}

fn destination(at: SocketAddr, to: Option<Destination>) -> Result<Attributes, SerError> {
    let mut all = Attributes::new();
    all.push(plain(dest::ADDRESS, address(at.ip()))?);
    all.push(plain(dest::PORT, at.port().to_be_bytes())?);
    all.push(plain(dest::FAMILY, number(Family::of(at.ip())))?);
    if let Some(to) = to {
        let method = match to.forwarding {
            Forwarding::Masquerade => forwarding::MASQUERADE,
            Forwarding::Tunnel => forwarding::TUNNEL,
            Forwarding::DirectRoute => forwarding::DIRECT_ROUTE,
            Forwarding::Other(other) => u32::from(other) & forwarding::MASK,
        };
        all.push(plain(dest::FORWARDING, method)?);
        all.push(plain(dest::WEIGHT, u32::from(to.weight))?);
        all.push(plain(dest::UPPER_THRESHOLD, 0_u32)?);
        all.push(plain(dest::LOWER_THRESHOLD, 0_u32)?);
    }
    Ok(all)
}

fn number(family: Family) -> u16 {
    let number = match family {
        Family::Ipv4 => libc::AF_INET,
        Family::Ipv6 => libc::AF_INET6,
    };
    u16::try_from(number).unwrap_or_default()
}

fn protocol_number(protocol: Protocol) -> u16 {
    let number = match protocol {
        Protocol::Tcp => libc::IPPROTO_TCP,
        Protocol::Udp => libc::IPPROTO_UDP,
        Protocol::Sctp => libc::IPPROTO_SCTP,
    };
    u16::try_from(number).unwrap_or_default()
}

/// `union nf_inet_addr`
fn address(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
        IpAddr::V6(v6) => v6.octets(),
    }
}

fn plain(kind: u16, payload: impl Size + ToBytes) -> Result<Nlattr<u16, Buffer>, SerError> {
    attribute(kind, false, payload)
}

fn nested(kind: u16, inner: Attributes) -> Result<Nlattr<u16, Buffer>, SerError> {
    attribute(kind, true, inner)
}

fn attribute(
    kind: u16,
    nested: bool,
    payload: impl Size + ToBytes,
) -> Result<Nlattr<u16, Buffer>, SerError> {
    let kind = AttrTypeBuilder::default().nla_type(kind).nla_nested(nested).build();
    let kind = kind.map_err(SerError::new)?;
    let builder = NlattrBuilder::default().nla_type(kind).nla_payload(payload);
    builder.build().map_err(SerError::new)
}
