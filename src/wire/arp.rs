//! The packet socket announcements leave by and others' claims come in by, one per interface.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};

use socket2::{Domain, Protocol, Socket, Type};

use super::{OpenError, unless_blocked};
use crate::address::announce::ETHERTYPE;
use crate::net::IfName;
use crate::sys;

/// A nonblocking packet(7) socket for ARP frames of one interface.
#[derive(Debug)]
pub struct ArpSocket {
    socket: Socket,
}

impl ArpSocket {
    /// Opens it in the network namespace of the calling thread.
    ///
    /// # Errors
    /// Which step the kernel refused.
    pub fn open(interface: &IfName, index: u32) -> Result<Self, OpenError> {
        let failed = |attempt| {
            let interface = interface.clone();
            move |source| OpenError { attempt, interface, source }
        };
        // Protocol 0: nothing is queued before it is bound to the one interface.
        let kind = Type::RAW.nonblocking().cloexec();
        let socket = Socket::new(Domain::PACKET, kind, None::<Protocol>)
            .map_err(failed("open an ARP socket"))?;
        let address = sys::packet_address(index, ETHERTYPE)
            .map_err(|error| failed("bind an ARP socket")(io::Error::other(error)))?;
        socket.bind(&address).map_err(failed("bind an ARP socket"))?;
        Ok(Self { socket })
    }

    /// Sends a whole Ethernet frame.
    ///
    /// # Errors
    /// The kernel's: the interface is down or gone, the buffer is full.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.socket.send(frame).map(drop)
    }

    /// Takes one queued frame; `None` when there is none. Frames we sent do not come back.
    ///
    /// # Errors
    /// The kernel's, such as that the interface went down.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        unless_blocked((&self.socket).read(buffer))
    }
}

impl AsFd for ArpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
