//! The raw socket advertisements travel by, one per interface.

use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd};

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

use super::{OpenError, unless_blocked};
use crate::net::IfName;
use crate::vrrp::packet::{GROUP, PROTOCOL};

/// Room for some 300 advertisements in the kernel: less than a reader takes in one turn, so
/// that everything that came before a timer fell due is read before the timer fires.
const RECEIVE_BUFFER: usize = 128 << 10;

/// A nonblocking raw socket of protocol 112, bound to one interface and joined to 224.0.0.18.
#[derive(Debug)]
pub struct VrrpSocket {
    socket: Socket,
}

impl VrrpSocket {
    /// Opens it in the network namespace of the calling thread.
    ///
    /// # Errors
    /// Which step the kernel refused.
    pub fn open(interface: &IfName, index: u32) -> Result<Self, OpenError> {
        let failed = |attempt| {
            let interface = interface.clone();
            move |source| OpenError { attempt, interface, source }
        };
        let kind = Type::RAW.nonblocking().cloexec();
        let socket = Socket::new(Domain::IPV4, kind, Some(Protocol::from(i32::from(PROTOCOL))))
            .map_err(failed("open a VRRP socket"))?;
        socket
            .bind_device(Some(interface.as_str().as_bytes()))
            .map_err(failed("bind a VRRP socket"))?;
        socket
            .join_multicast_v4_n(&GROUP, &InterfaceIndexOrAddress::Index(index))
            .map_err(failed("join 224.0.0.18"))?;
        // TX-09: what we send is for others.
        socket.set_multicast_loop_v4(false).map_err(failed("turn multicast loop-back off"))?;
        // TX-03: the source address is exactly the one we elect by.
        socket.set_header_included_v4(true).map_err(failed("send whole datagrams"))?;
        socket
            .set_recv_buffer_size(RECEIVE_BUFFER)
            .map_err(failed("size the VRRP receive buffer"))?;
        Ok(Self { socket })
    }

    /// Sends a whole IPv4 datagram.
    ///
    /// # Errors
    /// The kernel's: the interface is down or gone, a firewall forbids it, the buffer is full.
    pub fn send(&self, datagram: &[u8], destination: Ipv4Addr) -> io::Result<()> {
        self.socket.send_to(datagram, &SocketAddrV4::new(destination, 0).into()).map(drop)
    }

    /// Takes one queued datagram, IPv4 header included; `None` when there is none.
    ///
    /// # Errors
    /// The kernel's, such as that the interface went down.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        unless_blocked((&self.socket).read(buffer))
    }
}

impl AsFd for VrrpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
