//! Packets on the wire: VRRP raw sockets, ARP packet sockets.
#![forbid(unsafe_code)]

pub mod arp;
pub mod vrrp;

use std::io;

use crate::net::IfName;

/// A socket could not be made ready.
#[derive(Debug, thiserror::Error)]
#[error("cannot {attempt} on {interface}")]
pub struct OpenError {
    /// What was tried, such as `join 224.0.0.18`.
    pub attempt: &'static str,
    /// Where.
    pub interface: IfName,
    /// The kernel's reason.
    pub source: io::Error,
}

/// `Ok(None)` in place of `WouldBlock`; interrupted calls are the caller's next call.
fn unless_blocked(result: io::Result<usize>) -> io::Result<Option<usize>> {
    let nothing = [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted];
    match result {
        Ok(length) => Ok(Some(length)),
        Err(error) if nothing.contains(&error.kind()) => Ok(None),
        Err(error) => Err(error),
    }
}
