//! Requests to the kernel by netlink(7): answers are told apart by sequence number, nothing waits for ever.
//!
//! Payloads are encoded and decoded with neli. Sockets are opened here, for neli's do not tell
//! who sent a datagram, and only the kernel (port 0) is believed.

mod message;
mod socket;

use neli::err::{DeError, SerError};
use nix::errno::Errno;

pub(super) use message::{Message, Messages, Request};
pub(super) use socket::{Socket, open, receive};

/// An exchange with the kernel failed.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// No socket: no permission, or a kernel without this protocol.
    #[error("cannot open a netlink socket")]
    Open(#[source] Errno),
    /// The request did not leave.
    #[error("cannot send a netlink request")]
    Send(#[source] Errno),
    /// No answer could be read.
    #[error("cannot receive from netlink")]
    Receive(#[source] Errno),
    /// The kernel was silent for 2 seconds.
    #[error("no answer from netlink within {TIMEOUT_S} s")]
    Timeout,
    /// Messages were lost for want of buffer space: what is known must be read afresh.
    #[error("netlink messages were lost: the receive buffer was full")]
    Overrun,
    /// The table changed during each of several attempts to list it.
    #[error("the kernel's table changed during every attempt to list it")]
    Changing,
    /// A datagram with impossible lengths, or cut off.
    #[error("malformed netlink datagram")]
    Malformed,
    /// A payload that neli cannot write.
    #[error("cannot encode a netlink request")]
    Encode(#[source] SerError),
    /// A payload that neli cannot read.
    #[error("cannot decode a netlink answer")]
    Decode(#[source] DeError),
    /// The kernel's answer was an error.
    #[error("the kernel refused to {attempt}")]
    Refused {
        /// What was asked, such as `list interfaces`.
        attempt: &'static str,
        /// The kernel's reason.
        source: Errno,
    },
    /// The kernel refused to change an address.
    #[error("cannot {attempt} {address}/{prefix} on interface {index}")]
    Address {
        /// `add` or `remove`.
        attempt: &'static str,
        /// The address.
        address: std::net::IpAddr,
        /// Its prefix length.
        prefix: u8,
        /// The interface's index.
        index: u32,
        /// The kernel's reason.
        source: Errno,
    },
}

/// How long an answer is awaited, in seconds.
const TIMEOUT_S: i64 = 2;

/// A neli builder's complaint (a missing field) as the error of encoding.
pub(super) fn built<T, E: std::fmt::Display>(result: Result<T, E>) -> Result<T, SerError> {
    result.map_err(SerError::new)
}
