//! ARP frames (RFC 826, RFC 5227) that move an address to this host, and when to send them.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use crate::net::MacAddr;

/// `ETH_P_ARP`.
pub const ETHERTYPE: u16 = 0x0806;

/// Length of an ARP frame without link-layer padding.
pub const FRAME: usize = 42;

const REQUEST: u8 = 1;

/// A gratuitous ARP request: whoever knows `vip` shall know it at `mac` from now on
/// (RFC 9568 §6.4.2). A request because some stacks ignore unasked replies.
pub fn gratuitous(mac: MacAddr, vip: Ipv4Addr) -> [u8; FRAME] {
    frame(mac, vip, MacAddr::BROADCAST, vip)
}

/// An ARP probe (RFC 5227 §2.1.1): asks who has `vip` without claiming it.
pub fn probe(mac: MacAddr, vip: Ipv4Addr) -> [u8; FRAME] {
    frame(mac, Ipv4Addr::UNSPECIFIED, MacAddr([0; 6]), vip)
}

fn frame(mac: MacAddr, sender: Ipv4Addr, target_mac: MacAddr, target: Ipv4Addr) -> [u8; FRAME] {
    let parts: [&[u8]; 9] = [
        &MacAddr::BROADCAST.0,
        &mac.0,
        &ETHERTYPE.to_be_bytes(),
        // Ethernet, IPv4, their address lengths, operation.
        &[0, 1, 8, 0, 6, 4, 0, REQUEST],
        &mac.0,
        &sender.octets(),
        &target_mac.0,
        &target.octets(),
        &[],
    ];
    let mut frame = [0; FRAME];
    for (byte, value) in frame.iter_mut().zip(parts.into_iter().flatten()) {
        *byte = *value;
    }
    frame
}

/// Who claims which address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The claimant.
    pub mac: MacAddr,
    /// The address.
    pub address: Ipv4Addr,
}

/// The claim in an ARP frame, request or reply; `None` for probes and whatever is not ARP.
pub fn claim(frame: &[u8]) -> Option<Claim> {
    #[rustfmt::skip]
    let [_, _, _, _, _, _, _, _, _, _, _, _, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1 | 2,
         m0, m1, m2, m3, m4, m5, a0, a1, a2, a3, ..] = *frame.first_chunk::<FRAME>()?
    else {
        return None;
    };
    let address = Ipv4Addr::new(a0, a1, a2, a3);
    let mac = MacAddr([m0, m1, m2, m3, m4, m5]);
    (!address.is_unspecified()).then_some(Claim { mac, address })
}

/// When, after a takeover, how many announcements are sent. Linux ignores a second change of a
/// neighbour entry within a second (`locktime`): the fourth burst is for those.
const BURSTS: [(Duration, u32); 5] = [
    (Duration::ZERO, 5),
    (Duration::from_millis(100), 1),
    (Duration::from_millis(500), 1),
    (Duration::from_millis(1_200), 5),
    (Duration::from_secs(5), 5),
];

/// Restarts come no faster than this, whoever provokes them.
const SPACING: Duration = Duration::from_secs(1);

/// Which announcements are still to be sent.
#[derive(Debug, Clone, Default)]
pub struct Schedule {
    bursts: VecDeque<(Instant, u32)>,
    started: Option<Instant>,
}

impl Schedule {
    /// Announces anew from `now` on, or from a second after the last start.
    pub fn start(&mut self, now: Instant) {
        if self.started.is_some_and(|at| at > now) {
            return; // about to
        }
        let from = self.started.map_or(now, |at| now.max(at + SPACING));
        self.started = Some(from);
        self.bursts.retain(|(at, _)| *at < from);
        self.bursts.extend(BURSTS.iter().map(|(after, count)| (from + *after, *count)));
    }

    /// Announces no more.
    pub fn stop(&mut self) {
        self.bursts.clear();
        self.started = None;
    }

    /// When [`Schedule::due`] has something next.
    pub fn deadline(&self) -> Option<Instant> {
        self.bursts.front().map(|(at, _)| *at)
    }

    /// How many announcements to send of each address now. Bursts missed are not made up for.
    pub fn due(&mut self, now: Instant) -> u32 {
        let mut most = 0;
        while let Some((at, count)) = self.bursts.front().copied() {
            if at > now {
                break;
            }
            most = most.max(count);
            self.bursts.pop_front();
        }
        most
    }
}

#[cfg(test)]
mod tests;
