//! Answers as values. Whatever the bytes, nothing here panics.

use std::io::Cursor;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use neli::FromBytesWithInput;
use neli::attr::Attribute as _;
use neli::err::DeError;
use neli::genl::Genlmsghdr;
use neli::types::{Buffer, GenlBuffer};

use super::{HASHED, PERSISTENT, command, dest, forwarding, info, netmask, svc};
use crate::ipvs::{Connections, Destination, Forwarding, Protocol, Scheduler, Service, ServiceKey};
use crate::net::Family;

type Attributes = GenlBuffer<u16, Buffer>;

/// A virtual service of the kernel.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FoundService {
    pub(crate) key: ServiceKey,
    pub(crate) settings: Service,
    /// It has settings that the model does not express.
    pub(crate) altered: bool,
}

/// A destination of the kernel.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FoundDestination {
    pub(crate) at: SocketAddr,
    pub(crate) to: Destination,
    pub(crate) connections: Connections,
    /// It has settings that the model does not express.
    pub(crate) altered: bool,
}

/// The service in an answer to `IPVS_CMD_GET_SERVICE`; `None` if it is of a kind unknown to us.
pub(crate) fn service(payload: &[u8]) -> Result<Option<FoundService>, DeError> {
    let mut raw = RawService::default();
    for attribute in inner(payload, command::SERVICE)?.iter() {
        let bytes = attribute.payload().as_ref();
        match *attribute.nla_type().nla_type() {
            svc::FAMILY => raw.family = family(bytes),
            svc::PROTOCOL => raw.protocol = short(bytes),
            svc::ADDRESS => raw.address = bytes.first_chunk().copied(),
            svc::PORT => raw.port = port(bytes),
            svc::FWMARK => raw.mark = word(bytes).and_then(NonZeroU32::new),
            svc::SCHEDULER => raw.scheduler = text(bytes),
            svc::FLAGS => raw.flags = word(bytes).unwrap_or_default(),
            svc::TIMEOUT => raw.timeout = word(bytes).unwrap_or_default(),
            svc::NETMASK => raw.netmask = word(bytes),
            svc::ENGINE => raw.engine = !text(bytes).is_empty(),
            _ => {}
        }
    }
    Ok(raw.found())
}

#[derive(Default)]
struct RawService {
    family: Option<Family>,
    protocol: Option<u16>,
    address: Option<[u8; 16]>,
    port: Option<u16>,
    mark: Option<NonZeroU32>,
    scheduler: String,
    flags: u32,
    timeout: u32,
    netmask: Option<u32>,
    engine: bool,
}

impl RawService {
    fn found(self) -> Option<FoundService> {
        let family = self.family?;
        let key = if let Some(mark) = self.mark {
            ServiceKey::Fwmark(family, mark)
        } else {
            let at = SocketAddr::new(address(family, self.address?), self.port?);
            ServiceKey::Address(protocol(self.protocol?)?, at)
        };
        let persistent = self.flags & PERSISTENT != 0;
        let settings = Service {
            scheduler: Scheduler::observed(&self.scheduler),
            persistence: persistent.then(|| Duration::from_secs(self.timeout.into())),
        };
        let altered = self.engine
            || self.flags & !(PERSISTENT | HASHED) != 0
            || self.netmask.is_some_and(|mask| mask != netmask(family));
        Some(FoundService { key, settings, altered })
    }
}

/// The destination in an answer to `IPVS_CMD_GET_DEST`, of a service of family `default`.
pub(crate) fn destination(
    default: Family,
    payload: &[u8],
) -> Result<Option<FoundDestination>, DeError> {
    let mut raw = RawDestination { family: default, ..RawDestination::default() };
    for attribute in inner(payload, command::DEST)?.iter() {
        let bytes = attribute.payload().as_ref();
        match *attribute.nla_type().nla_type() {
            dest::ADDRESS => raw.address = bytes.first_chunk().copied(),
            dest::PORT => raw.port = port(bytes),
            dest::FORWARDING => raw.forwarding = word(bytes).unwrap_or_default(),
            dest::WEIGHT => raw.weight = word(bytes).unwrap_or_default(),
            dest::UPPER_THRESHOLD | dest::LOWER_THRESHOLD => {
                raw.altered |= word(bytes).is_some_and(|threshold| threshold != 0);
            }
            dest::TUNNEL_TYPE => raw.altered |= bytes.first().is_some_and(|&kind| kind != 0),
            dest::ACTIVE => raw.connections.active = word(bytes).unwrap_or_default(),
            dest::INACTIVE => raw.connections.inactive = word(bytes).unwrap_or_default(),
            dest::FAMILY => raw.family = family(bytes).unwrap_or(default),
            _ => {}
        }
    }
    Ok(raw.found())
}

struct RawDestination {
    family: Family,
    address: Option<[u8; 16]>,
    port: Option<u16>,
    forwarding: u32,
    weight: u32,
    connections: Connections,
    altered: bool,
}

impl Default for RawDestination {
    fn default() -> Self {
        Self {
            family: Family::Ipv4,
            address: None,
            port: None,
            forwarding: 0,
            weight: 0,
            connections: Connections::default(),
            altered: false,
        }
    }
}

impl RawDestination {
    fn found(self) -> Option<FoundDestination> {
        let at = SocketAddr::new(address(self.family, self.address?), self.port?);
        let forwarding = match self.forwarding & forwarding::MASK {
            forwarding::MASQUERADE => Forwarding::Masquerade,
            forwarding::TUNNEL => Forwarding::Tunnel,
            forwarding::DIRECT_ROUTE => Forwarding::DirectRoute,
            other => Forwarding::Other(u8::try_from(other).unwrap_or(u8::MAX)),
        };
        let weight = u16::try_from(self.weight).unwrap_or(u16::MAX);
        let to = Destination { weight, forwarding };
        Some(FoundDestination { at, to, connections: self.connections, altered: self.altered })
    }
}

/// The version of IPVS in an answer to `IPVS_CMD_GET_INFO`, as `(1, 2, 1)`.
pub(crate) fn version(payload: &[u8]) -> Result<Option<(u8, u8, u8)>, DeError> {
    let code = attributes(payload)?.iter().find_map(|attribute| {
        let wanted = *attribute.nla_type().nla_type() == info::VERSION;
        wanted.then(|| word(attribute.payload().as_ref())).flatten()
    });
    Ok(code.map(u32::to_be_bytes).map(|[_, major, minor, patch]| (major, minor, patch)))
}

/// The attributes of a whole message.
fn attributes(payload: &[u8]) -> Result<Attributes, DeError> {
    let message =
        Genlmsghdr::<u8, u16>::from_bytes_with_input(&mut Cursor::new(payload), payload.len())?;
    Ok(message.attrs().clone())
}

/// The attributes nested in attribute `kind` of a message.
fn inner(payload: &[u8], kind: u16) -> Result<Attributes, DeError> {
    let message =
        Genlmsghdr::<u8, u16>::from_bytes_with_input(&mut Cursor::new(payload), payload.len())?;
    let found = message.attrs().iter().find(|outer| *outer.nla_type().nla_type() == kind);
    let Some(outer) = found else { return Ok(Attributes::new()) };
    let bytes = outer.payload().as_ref();
    Attributes::from_bytes_with_input(&mut Cursor::new(bytes), bytes.len())
}

fn word(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().copied().map(u32::from_ne_bytes)
}

fn short(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().copied().map(u16::from_ne_bytes)
}

fn port(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().copied().map(u16::from_be_bytes)
}

fn text(bytes: &[u8]) -> String {
    let text = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

fn family(bytes: &[u8]) -> Option<Family> {
    match short(bytes)?.into() {
        libc::AF_INET => Some(Family::Ipv4),
        libc::AF_INET6 => Some(Family::Ipv6),
        _ => None,
    }
}

fn protocol(number: u16) -> Option<Protocol> {
    match number.into() {
        libc::IPPROTO_TCP => Some(Protocol::Tcp),
        libc::IPPROTO_UDP => Some(Protocol::Udp),
        libc::IPPROTO_SCTP => Some(Protocol::Sctp),
        _ => None,
    }
}

/// `union nf_inet_addr`
fn address(family: Family, bytes: [u8; 16]) -> IpAddr {
    let [a, b, c, d, ..] = bytes;
    match family {
        Family::Ipv4 => IpAddr::from([a, b, c, d]),
        Family::Ipv6 => IpAddr::from(bytes),
    }
}
