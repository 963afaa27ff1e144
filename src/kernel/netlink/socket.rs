//! A blocking netlink socket with a time limit.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use neli::consts::nl::NlmF;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, send,
    setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;

use super::{Message, Messages, NetlinkError, Request, TIMEOUT_S};

/// Room for answers that are not read yet. The default (208 KiB) is lost to a few hundred errors.
const RECEIVE_BUFFER: usize = 4 << 20;
/// Most requests in one datagram: enough to make system calls cheap, few enough that the answers
/// to all of them fit into the receive buffer.
const CHUNK: usize = 250;
/// Receive buffer an error answer is counted with: it carries the request, and the kernel counts
/// its bookkeeping too.
const ANSWER: usize = 2048;
/// The kernel fills at most 32 KiB per datagram of a dump (`netlink_dump`).
const DATAGRAM: usize = 64 << 10;
/// How often a dump is repeated that was disturbed by changes.
const ATTEMPTS: usize = 5;

const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLMSG_OVERRUN: u16 = 4;

/// Opens and binds a socket; `groups` is the bit mask of `nl_groups`.
pub(in crate::kernel) fn open(
    protocol: SockProtocol,
    flags: SockFlag,
    groups: u32,
) -> Result<OwnedFd, NetlinkError> {
    let flags = flags | SockFlag::SOCK_CLOEXEC;
    let fd = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)
        .map_err(NetlinkError::Open)?;
    // Beyond rmem_max needs CAP_NET_ADMIN in the first user namespace: less is better than nothing.
    setsockopt(&fd, sockopt::RcvBufForce, &RECEIVE_BUFFER)
        .or_else(|_| setsockopt(&fd, sockopt::RcvBuf, &RECEIVE_BUFFER))
        .map_err(NetlinkError::Open)?;
    bind(fd.as_raw_fd(), &NetlinkAddr::new(0, groups)).map_err(NetlinkError::Open)?;
    Ok(fd)
}

/// Reads one datagram of the kernel; those of other senders are passed over.
pub(in crate::kernel) fn receive<'a>(
    fd: BorrowedFd<'_>,
    buffer: &'a mut [u8],
) -> Result<&'a [u8], NetlinkError> {
    let length = loop {
        // A datagram larger than the buffer is cut off, which its last message's length betrays.
        match recvfrom::<NetlinkAddr>(fd.as_raw_fd(), buffer) {
            Ok((length, Some(from))) if from.pid() == 0 => break length,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Err(NetlinkError::Timeout),
            Err(Errno::ENOBUFS) => return Err(NetlinkError::Overrun),
            Err(error) => return Err(NetlinkError::Receive(error)),
        }
    };
    Ok(buffer.get(..length).unwrap_or_default())
}

/// What became of a batch of requests.
#[derive(Debug, Default)]
pub(in crate::kernel) struct Batch {
    /// Refused requests by their place in the batch, with the kernel's reason.
    pub(in crate::kernel) refused: Vec<(usize, Errno)>,
    /// How many requests, from the first, have been answered for certain.
    pub(in crate::kernel) answered: usize,
    /// Why the rest has not been.
    pub(in crate::kernel) lost: Option<NetlinkError>,
}

/// A socket for requests. After an error of transport the next request starts on a new one, so
/// that a late answer or an unfinished dump cannot disturb it.
#[derive(Debug)]
pub(in crate::kernel) struct Socket {
    protocol: SockProtocol,
    fd: OwnedFd,
    broken: bool,
    sequence: u32,
    chunk: usize,
    buffer: Vec<u8>,
}

impl Socket {
    /// Opens a socket of this protocol.
    pub(in crate::kernel) fn open(protocol: SockProtocol) -> Result<Self, NetlinkError> {
        let (fd, chunk) = connect(protocol)?;
        Ok(Self { protocol, fd, broken: false, sequence: 0, chunk, buffer: vec![0; DATAGRAM] })
    }

    /// Sends one request that changes something and awaits its acknowledgement.
    ///
    /// `Ok(Err(_))` is the kernel's refusal.
    pub(in crate::kernel) fn change(
        &mut self,
        request: &Request,
    ) -> Result<Result<(), Errno>, NetlinkError> {
        let batch = self.batch(std::slice::from_ref(request));
        match (batch.lost, batch.refused.first()) {
            (Some(error), _) => Err(error),
            (None, Some(&(_, errno))) => Ok(Err(errno)),
            (None, None) => Ok(Ok(())),
        }
    }

    /// Sends requests in large datagrams; the kernel answers refusals, and the last of each datagram.
    pub(in crate::kernel) fn batch(&mut self, requests: &[Request]) -> Batch {
        let mut batch = Batch::default();
        for chunk in requests.chunks(self.chunk) {
            if let Err(error) = self.chunk(chunk, &mut batch) {
                self.broken = true;
                batch.lost = Some(error);
                break;
            }
            batch.answered += chunk.len();
        }
        batch
    }

    fn chunk(&mut self, requests: &[Request], batch: &mut Batch) -> Result<(), NetlinkError> {
        self.mend()?;
        let mut datagram = Vec::new();
        let first = self.sequence.wrapping_add(1);
        for (place, request) in requests.iter().enumerate() {
            self.sequence = self.sequence.wrapping_add(1);
            let last = place + 1 == requests.len();
            request.write(
                self.sequence,
                if last { NlmF::ACK } else { NlmF::empty() },
                &mut datagram,
            );
        }
        self.send(&datagram)?;
        loop {
            for message in Messages(receive(self.fd.as_fd(), &mut self.buffer)?) {
                let message = message.map_err(|_| NetlinkError::Malformed)?;
                let place = message.sequence.wrapping_sub(first) as usize;
                if message.kind != NLMSG_ERROR || place >= requests.len() {
                    continue;
                }
                if let Err(errno) = status(&message)? {
                    batch.refused.push((batch.answered + place, errno));
                }
                if message.sequence == self.sequence {
                    return Ok(());
                }
            }
        }
    }

    /// Asks, and collects what `decode` makes of each answer. `more` is `NLM_F_DUMP` for a whole
    /// table, `NLM_F_ACK` for one object. A dump disturbed by changes is taken again.
    ///
    /// `Ok(Err(_))` is the kernel's refusal.
    pub(in crate::kernel) fn ask<T>(
        &mut self,
        request: &Request,
        more: NlmF,
        mut decode: impl FnMut(u16, &[u8]) -> Result<Option<T>, NetlinkError>,
    ) -> Result<Result<Vec<T>, Errno>, NetlinkError> {
        for _ in 0..ATTEMPTS {
            match self.ask_once(request, more, &mut decode) {
                Ok(Ok(answer)) if answer.disturbed => {}
                Ok(Ok(answer)) => {
                    // Only after the last message: an unfinished dump would block the next one.
                    return answer.undecoded.map_or(Ok(Ok(answer.items)), Err);
                }
                Ok(Err(errno)) => return Ok(Err(errno)),
                Err(error) => {
                    self.broken = true;
                    return Err(error);
                }
            }
        }
        Err(NetlinkError::Changing)
    }

    fn ask_once<T>(
        &mut self,
        request: &Request,
        more: NlmF,
        decode: &mut impl FnMut(u16, &[u8]) -> Result<Option<T>, NetlinkError>,
    ) -> Result<Result<Answer<T>, Errno>, NetlinkError> {
        self.mend()?;
        self.sequence = self.sequence.wrapping_add(1);
        let mut datagram = Vec::new();
        request.write(self.sequence, more, &mut datagram);
        self.send(&datagram)?;
        let mut answer = Answer { items: Vec::new(), disturbed: false, undecoded: None };
        loop {
            for message in Messages(receive(self.fd.as_fd(), &mut self.buffer)?) {
                let message = message.map_err(|_| NetlinkError::Malformed)?;
                if message.sequence != self.sequence {
                    continue;
                }
                answer.disturbed |= message.flags & NlmF::DUMP_INTR.bits() != 0;
                match message.kind {
                    NLMSG_ERROR => return Ok(status(&message)?.map(|()| answer)),
                    // Older protocols end a dump with nothing, others with 0 or an error.
                    NLMSG_DONE if message.payload.len() < 4 => return Ok(Ok(answer)),
                    NLMSG_DONE => return Ok(status(&message)?.map(|()| answer)),
                    NLMSG_OVERRUN => return Err(NetlinkError::Overrun),
                    NLMSG_NOOP => {}
                    kind => match decode(kind, message.payload) {
                        Ok(item) => answer.items.extend(item),
                        Err(error) => answer.undecoded = Some(error),
                    },
                }
            }
        }
    }

    fn send(&self, datagram: &[u8]) -> Result<(), NetlinkError> {
        loop {
            match send(self.fd.as_raw_fd(), datagram, MsgFlags::empty()) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(NetlinkError::Send(error)),
            }
        }
    }

    fn mend(&mut self) -> Result<(), NetlinkError> {
        if self.broken {
            (self.fd, self.chunk) = connect(self.protocol)?;
            self.broken = false;
        }
        Ok(())
    }
}

struct Answer<T> {
    items: Vec<T>,
    disturbed: bool,
    undecoded: Option<NetlinkError>,
}

/// A socket with its time limit, and how many requests its receive buffer allows at a time.
fn connect(protocol: SockProtocol) -> Result<(OwnedFd, usize), NetlinkError> {
    let fd = open(protocol, SockFlag::empty(), 0)?;
    setsockopt(&fd, sockopt::ReceiveTimeout, &TimeVal::new(TIMEOUT_S, 0))
        .map_err(NetlinkError::Open)?;
    let room = nix::sys::socket::getsockopt(&fd, sockopt::RcvBuf).map_err(NetlinkError::Open)?;
    Ok((fd, (room / ANSWER).clamp(1, CHUNK)))
}

/// The code at the start of an error or a final message: 0, or an errno below zero.
fn status(message: &Message<'_>) -> Result<Result<(), Errno>, NetlinkError> {
    let code: &[u8; 4] = message.payload.first_chunk().ok_or(NetlinkError::Malformed)?;
    Ok(match i32::from_ne_bytes(*code) {
        code if code < 0 => Err(Errno::from_raw(code.saturating_neg())),
        _ => Ok(()),
    })
}
