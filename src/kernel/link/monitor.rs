//! What the kernel tells unasked about interfaces and addresses.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::sys::socket::{SockFlag, SockProtocol};

use super::{Interface, decode};
use crate::kernel::netlink::{Message, Messages, NetlinkError, open, receive};

/// `RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR` of `linux/rtnetlink.h`.
const GROUPS: u32 = 0x1 | 0x10 | 0x100;
const DATAGRAM: usize = 64 << 10;

/// A change of an interface or of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The interface is new or has changed; `addresses` is empty whatever it has.
    Link(Interface),
    /// The interface is gone.
    LinkGone {
        /// The number it had.
        index: u32,
    },
    /// The address is there now, or its flags have changed.
    AddressAdded {
        /// Its interface.
        index: u32,
        /// The address.
        address: IpAddr,
        /// Its prefix length.
        prefix: u8,
    },
    /// The address is gone.
    AddressRemoved {
        /// Its interface.
        index: u32,
        /// The address.
        address: IpAddr,
        /// Its prefix length.
        prefix: u8,
    },
    /// Changes were lost: list the interfaces again.
    Overrun,
}

/// A nonblocking socket that hears of changes from the moment it is opened. To miss none, open it
/// before listing the interfaces.
#[derive(Debug)]
pub struct Monitor {
    fd: OwnedFd,
    buffer: Vec<u8>,
}

impl Monitor {
    /// Subscribes, in the network namespace of the calling thread.
    ///
    /// # Errors
    /// When there is no socket to be had.
    pub fn open() -> Result<Self, NetlinkError> {
        let fd = open(SockProtocol::NetlinkRoute, SockFlag::SOCK_NONBLOCK, GROUPS)?;
        Ok(Self { fd, buffer: vec![0; DATAGRAM] })
    }

    /// All changes queued until now, oldest first; none when there are none.
    ///
    /// # Errors
    /// When the socket fails; lost or unreadable messages are [`Change::Overrun`] instead.
    pub fn read(&mut self) -> io::Result<Vec<Change>> {
        let mut changes = Vec::new();
        loop {
            match receive(self.fd.as_fd(), &mut self.buffer) {
                Ok(datagram) => changes.extend(Messages(datagram).filter_map(|message| {
                    message.map_or(Some(Change::Overrun), |message| change(&message))
                })),
                Err(NetlinkError::Timeout) => return Ok(changes),
                Err(NetlinkError::Receive(errno)) => return Err(errno.into()),
                Err(_) => changes.push(Change::Overrun),
            }
        }
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Monitor {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// What a notification means; one that cannot be read counts as lost.
pub(super) fn change(message: &Message<'_>) -> Option<Change> {
    let decoded = match message.kind {
        libc::RTM_NEWLINK => decode::link(message.payload).map(|link| link.map(Change::Link)),
        libc::RTM_DELLINK => decode::link(message.payload)
            .map(|link| link.map(|link| Change::LinkGone { index: link.index })),
        libc::RTM_NEWADDR => decode::address(message.payload).map(|found| {
            found.map(|(index, found)| Change::AddressAdded {
                index,
                address: found.address,
                prefix: found.prefix,
            })
        }),
        libc::RTM_DELADDR => decode::address(message.payload).map(|found| {
            found.map(|(index, found)| Change::AddressRemoved {
                index,
                address: found.address,
                prefix: found.prefix,
            })
        }),
        _ => Ok(None),
    };
    decoded.unwrap_or(Some(Change::Overrun))
}
