//! VRRP advertisements as a third machine on the network hears them.

use std::io::{ErrorKind, Read};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use socket2::{Domain, Protocol, Socket, Type};

use crate::netns::Namespace;
use crate::topology::CLIENT;

/// RFC 9568 §5.1.1.2 and §5.1.1.4.
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const VRRP: i32 = 112;

/// One advertisement; the fields stand where RFC 9568 §5.1 has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Advert {
    pub(crate) source: Ipv4Addr,
    pub(crate) version: u8,
    pub(crate) priority: u8,
    /// Version 3: `Max Advertise Interval`.
    pub(crate) interval: Duration,
}

impl Advert {
    fn parse(packet: &[u8]) -> Option<Self> {
        let header = usize::from(packet.first()? & 0x0f) * 4;
        let source: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
        let [first, _vrid, priority, _count, high, low] = *packet.get(header..)?.first_chunk()?;
        let centis = u16::from_be_bytes([high & 0x0f, low]);
        Some(Self {
            source: source.into(),
            version: first >> 4,
            priority,
            interval: Duration::from_millis(u64::from(centis) * 10),
        })
    }
}

/// Listens on the client's machine, which is no VRRP router.
#[derive(Debug)]
pub(crate) struct Listener {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Result<Vec<Advert>>>>,
}

impl Listener {
    pub(crate) fn start(client: &Namespace) -> Result<Self> {
        let socket = client.run(open)??;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = client.spawn(move || listen(socket, &stopped));
        Ok(Self { stop, thread })
    }

    /// Everything heard, in order.
    pub(crate) fn stop(self) -> Result<Vec<Advert>> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the listener panicked"))??
    }
}

fn open() -> Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(VRRP)))
        .context("opening a raw socket")?;
    socket.join_multicast_v4(&GROUP, &CLIENT).context("joining 224.0.0.18")?;
    socket.set_read_timeout(Some(Duration::from_millis(100))).context("setting a time limit")?;
    Ok(socket)
}

fn listen(mut socket: Socket, stop: &AtomicBool) -> Result<Vec<Advert>> {
    let mut heard = Vec::new();
    let mut packet = [0; 1500];
    while !stop.load(Ordering::Relaxed) {
        match socket.read(&mut packet) {
            Ok(length) => heard.extend(Advert::parse(&packet[..length])),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error).context("listening for advertisements"),
        }
    }
    Ok(heard)
}

/// Who advertised, one after the other: two names when one director took over from the other, and
/// more when they contended.
pub(crate) fn senders(heard: &[Advert]) -> Vec<Ipv4Addr> {
    let mut senders: Vec<Ipv4Addr> = heard.iter().map(|advert| advert.source).collect();
    senders.dedup();
    senders
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn fields() {
        let mut packet = vec![0x45, 0xc0, 0, 32, 0, 0, 0, 0, 255, 112, 0, 0];
        packet.extend([192, 168, 0, 1, 224, 0, 0, 18]);
        packet.extend([0x31, 51, 200, 1, 0, 100, 0, 0, 192, 168, 0, 101]);
        let advert = Advert::parse(&packet).unwrap();
        let source = Ipv4Addr::new(192, 168, 0, 1);
        let interval = Duration::from_secs(1);
        assert_eq!(advert, Advert { source, version: 3, priority: 200, interval });
        let other = Advert { source: Ipv4Addr::new(192, 168, 0, 2), ..advert.clone() };
        let heard = [advert.clone(), advert, other.clone(), other.clone()];
        assert_eq!(senders(&heard), [source, other.source]);
        assert_eq!(Advert::parse(&packet[..22]), None);
    }
}
