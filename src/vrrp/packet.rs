//! An advertisement as bytes (RFC 9568 §5), and the receive checks of §7.1.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |    IPv4 header: TTL 255, protocol 112                         |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Version| Type  | Virtual Rtr ID|   Priority    |IPvX Addr Count|
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Reserve| Max Advertise Interval|          Checksum             |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |    IPvX addresses, 4 bytes each                               |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use std::net::Ipv4Addr;

use super::{Interval, OutOfRange, Priority, Vrid};

/// The group advertisements go to (RFC 9568 §5.1.1.2).
pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// IP protocol number (RFC 9568 §5.1.1.4).
pub const PROTOCOL: u8 = 112;

const TTL: u8 = 255;
/// Internetwork control, as keepalived and routers send it.
const TOS: u8 = 0xc0;
const IP_HEADER: usize = 20;
const VRRP_HEADER: usize = 8;

/// One advertisement and the addresses it travels between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertisement {
    /// The sender's primary address.
    pub source: Ipv4Addr,
    /// [`GROUP`], or the receiver's own address.
    pub destination: Ipv4Addr,
    /// Which virtual router it speaks for.
    pub vrid: Vrid,
    /// `None`: the sender resigns (0 on the wire).
    pub priority: Option<Priority>,
    /// How often the sender advertises.
    pub interval: Interval,
    /// The virtual addresses, 1–255, in the sender's order.
    pub addresses: Vec<Ipv4Addr>,
}

/// What the VRRP checksum covers; the two kinds reject each other's packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ChecksumKind {
    /// A pseudo-header too, as RFC 5798 is read by keepalived and FRR.
    #[default]
    PseudoHeader,
    /// The message only, as RFC 9568 §5.2.8 has it for IPv4 (Cisco, Arista, Juniper).
    MessageOnly,
}

/// A packet that passed the checks of RFC 9568 §7.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// What it says.
    pub advertisement: Advertisement,
    /// Which checksum it carried; answer in kind.
    pub checksum: ChecksumKind,
}

/// Why a datagram is not an advertisement. Cheap to make: a flood makes many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DecodeError {
    /// Not an intact IPv4 datagram of protocol 112. The kernel does not let these through.
    #[error("not an IPv4 datagram of protocol 112")]
    Ip,
    /// It came through a router, or pretends to have (`IpTtlErrors` of RFC 6527).
    #[error("TTL is {0}, not 255: not sent on this link")]
    Ttl(u8),
    /// The source cannot be the sender's own address on this link.
    #[error("source address {0} is not a host's address")]
    Source(Ipv4Addr),
    /// `VersionErrors` of RFC 6527.
    #[error("VRRP version is {0}, not 3")]
    Version(u8),
    /// `RcvdInvalidTypePackets` of RFC 6527.
    #[error("type is {0}, not 1 (advertisement)")]
    Type(u8),
    /// `PacketLengthErrors` of RFC 6527.
    #[error("VRRP message is {have} bytes long, should be {need}")]
    Length {
        /// What header and address count ask for.
        need: usize,
        /// What the IP header says there is.
        have: usize,
    },
    /// `AddressListErrors` of RFC 6527.
    #[error("it names no virtual address")]
    NoAddress,
    /// `ChecksumErrors` of RFC 6527.
    #[error("checksum is wrong, with and without pseudo-header")]
    Checksum,
    /// `VrIdErrors` of RFC 6527.
    #[error("VRID is 0")]
    Vrid,
    /// `AdvIntervalErrors` of RFC 6527.
    #[error("Max Advertise Interval is 0")]
    Interval,
}

/// Reads an advertisement from an IPv4 datagram as a raw socket delivers it.
///
/// # Errors
/// The first check of RFC 9568 §7.1 it fails; cheapest checks come first.
pub fn decode(datagram: &[u8]) -> Result<Received, DecodeError> {
    let (header, message) = split(datagram)?;
    // RX-01: §5.1.1.3.
    if header.ttl != TTL {
        return Err(DecodeError::Ttl(header.ttl));
    }
    // RX-24: hardening; nobody's primary address looks like this.
    let source = header.source;
    if source.is_unspecified()
        || source.is_loopback()
        || source.is_multicast()
        || source.is_broadcast()
    {
        return Err(DecodeError::Source(source));
    }
    // RX-06: no field is read from less than a header.
    let Some((fields, list)) = message.split_first_chunk::<VRRP_HEADER>() else {
        return Err(DecodeError::Length { need: VRRP_HEADER, have: message.len() });
    };
    let [version_type, vrid, priority, count, interval_high, interval_low, ..] = *fields;
    // RX-04: §7.1.
    if version_type >> 4 != 3 {
        return Err(DecodeError::Version(version_type >> 4));
    }
    // RX-05: §5.2.2.
    if version_type & 0x0f != 1 {
        return Err(DecodeError::Type(version_type & 0x0f));
    }
    // RX-07, RX-08: the IP header's length counts, so link-layer padding is not seen here.
    let need = VRRP_HEADER + 4 * usize::from(count);
    if message.len() != need {
        return Err(DecodeError::Length { need, have: message.len() });
    }
    // RX-09: §5.2.5 with erratum 8299.
    if count == 0 {
        return Err(DecodeError::NoAddress);
    }
    // RX-11: §5.2.8 and RFC 5798 §5.2.8 disagree; either is proof against corruption.
    let checksum = verify(source, header.destination, message).ok_or(DecodeError::Checksum)?;
    let vrid = Vrid::try_from(vrid).map_err(|_| DecodeError::Vrid)?;
    // RX-19: the reserved nibble is ignored. RX-15: §7.1 with erratum 8301.
    let centis = u16::from_be_bytes([interval_high & 0x0f, interval_low]);
    let interval = Interval::from_centis(centis).map_err(|_| DecodeError::Interval)?;
    let advertisement = Advertisement {
        source,
        destination: header.destination,
        vrid,
        priority: Priority::try_from(priority).ok(),
        interval,
        addresses: list.as_chunks::<4>().0.iter().map(|octets| Ipv4Addr::from(*octets)).collect(),
    };
    Ok(Received { advertisement, checksum })
}

/// The VRID a datagram is about, valid or not: to know whom to blame it on.
pub fn peek_vrid(datagram: &[u8]) -> Option<u8> {
    let (_, message) = split(datagram).ok()?;
    message.get(1).copied()
}

struct IpHeader {
    ttl: u8,
    source: Ipv4Addr,
    destination: Ipv4Addr,
}

/// RX-03, RX-26: header (options skipped) and message, as long as the header says.
fn split(datagram: &[u8]) -> Result<(IpHeader, &[u8]), DecodeError> {
    let fixed = datagram.first_chunk::<IP_HEADER>().ok_or(DecodeError::Ip)?;
    #[rustfmt::skip]
    let [version_ihl, _, total_high, total_low, _, _, _, _, ttl, protocol, _, _,
         s0, s1, s2, s3, d0, d1, d2, d3] = *fixed;
    let header_length = 4 * usize::from(version_ihl & 0x0f);
    let total = usize::from(u16::from_be_bytes([total_high, total_low]));
    if version_ihl >> 4 != 4 || protocol != PROTOCOL || header_length < IP_HEADER {
        return Err(DecodeError::Ip);
    }
    let message = datagram.get(header_length..total).ok_or(DecodeError::Ip)?;
    let source = Ipv4Addr::new(s0, s1, s2, s3);
    let destination = Ipv4Addr::new(d0, d1, d2, d3);
    Ok((IpHeader { ttl, source, destination }, message))
}

/// Writes `advertisement` as a whole IPv4 datagram, for a socket with `IP_HDRINCL`.
///
/// # Errors
/// [`OutOfRange`] when it names no or more than 255 addresses (§5.2.5).
pub fn encode(advertisement: &Advertisement, kind: ChecksumKind) -> Result<Vec<u8>, OutOfRange> {
    let Advertisement { source, destination, vrid, priority, interval, addresses } = advertisement;
    let length = addresses.len();
    let bad = || OutOfRange {
        what: "number of virtual addresses",
        value: u32::try_from(length).unwrap_or(u32::MAX),
        min: 1,
        max: 255,
    };
    let count = u8::try_from(length).ok().filter(|count| *count > 0).ok_or_else(bad)?;
    let priority = priority.map_or(0, Priority::get);

    // TX-05: the upper nibble of the interval is Reserve, sent as 0.
    let [high, low] = interval.centis().to_be_bytes();
    let mut message = vec![0x31, vrid.get(), priority, count, high, low, 0, 0];
    message.extend(addresses.iter().flat_map(Ipv4Addr::octets));
    let pseudo = match kind {
        ChecksumKind::PseudoHeader => pseudo_header(*source, *destination, message.len()),
        ChecksumKind::MessageOnly => 0,
    };
    let checksum = !fold(pseudo + sum(&message));
    set(&mut message, 6, checksum);

    let total = u16::try_from(IP_HEADER + message.len()).map_err(|_| bad())?;
    let mut datagram = vec![0x45, TOS, 0, 0, 0, 0, 0, 0, TTL, PROTOCOL, 0, 0];
    datagram.extend(source.octets());
    datagram.extend(destination.octets());
    set(&mut datagram, 2, total);
    let header_checksum = !fold(sum(&datagram));
    set(&mut datagram, 10, header_checksum);
    datagram.extend(message);
    Ok(datagram)
}

fn set(bytes: &mut [u8], at: usize, value: u16) {
    for (byte, new) in bytes.iter_mut().skip(at).zip(value.to_be_bytes()) {
        *byte = new;
    }
}

fn verify(source: Ipv4Addr, destination: Ipv4Addr, message: &[u8]) -> Option<ChecksumKind> {
    let alone = sum(message);
    let pseudo = pseudo_header(source, destination, message.len());
    if fold(pseudo + alone) == 0xffff {
        Some(ChecksumKind::PseudoHeader)
    } else if fold(alone) == 0xffff {
        Some(ChecksumKind::MessageOnly)
    } else {
        None
    }
}

/// Sum over source, destination, zero, protocol and length (RFC 5798 §5.2.8, RFC 8200 §8.1).
fn pseudo_header(source: Ipv4Addr, destination: Ipv4Addr, length: usize) -> u32 {
    let length = u32::try_from(length).unwrap_or(0);
    sum(&source.octets()) + sum(&destination.octets()) + u32::from(PROTOCOL) + length
}

/// Sum of 16-bit words (RFC 1071), an odd last byte padded with zero. A datagram cannot overflow it.
fn sum(bytes: &[u8]) -> u32 {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let odd = rest.first().map_or(0, |byte| u32::from(*byte) << 8);
    pairs.iter().map(|pair| u32::from(u16::from_be_bytes(*pair))).sum::<u32>() + odd
}

fn fold(sum: u32) -> u16 {
    let mut rest = sum;
    while rest > 0xffff {
        rest = (rest & 0xffff) + (rest >> 16);
    }
    u16::try_from(rest).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests;
