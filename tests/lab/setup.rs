//! What a scenario asks of the directors, in terms both programs can be configured in.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use crate::topology::{Forward, Node, VIP};

/// The web service of the how-to.
pub(crate) const WWW: SocketAddrV4 = SocketAddrV4::new(VIP, 80);
/// Its telnet service.
pub(crate) const TELNET: SocketAddrV4 = SocketAddrV4::new(VIP, 23);

/// Port of the first of [`Services::Many`]; the others follow.
pub(crate) const MANY_FROM: u16 = 10_000;

/// The program a director runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Diarch,
    Keepalived,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Diarch => "diarch",
            Self::Keepalived => "keepalived",
        }
    }
}

/// The virtual services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Services {
    /// www (checked by HTTP) and telnet (checked by TCP), each on both real servers.
    HowTo,
    /// So many services with so many destinations each, unchecked.
    Many { services: u8, destinations: u8 },
}

/// One pair of directors.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) directors: [Kind; 2],
    /// `Advertisement_Interval`.
    pub(crate) advert: Duration,
    pub(crate) priorities: [u8; 2],
    pub(crate) preempt: bool,
    pub(crate) forward: Forward,
    pub(crate) scheduler: &'static str,
    /// Of the two real servers.
    pub(crate) weights: [u32; 2],
    pub(crate) services: Services,
    /// Advertisements go to the other director's address only. Diarch only.
    pub(crate) unicast: bool,
    /// A failed server is removed from the table, not quiesced. Diarch only.
    pub(crate) remove: bool,
    /// Diarch's configuration, word for word, instead of one made from all this.
    pub(crate) file: Option<&'static str>,
}

/// Times of the checks, the same for both programs.
pub(crate) mod check {
    use std::time::Duration;

    pub(crate) const INTERVAL: Duration = Duration::from_secs(1);
    pub(crate) const FAST_INTERVAL: Duration = Duration::from_millis(500);
    pub(crate) const TIMEOUT: Duration = Duration::from_secs(1);
    /// Failures in a row until a real server is out.
    pub(crate) const FALL: u32 = 2;
    pub(crate) const RISE: u32 = 1;

    /// A server that refuses is out by then: a whole interval may have just begun.
    pub(crate) fn out_when_refused() -> Duration {
        INTERVAL + FAST_INTERVAL * (FALL - 1)
    }

    /// A server that never answers is out by then.
    pub(crate) fn out_when_silent() -> Duration {
        out_when_refused() + TIMEOUT * FALL
    }

    /// A server that answers again is back by then.
    pub(crate) fn back() -> Duration {
        INTERVAL * RISE + TIMEOUT
    }
}

impl Setup {
    /// Two directors of one program, with the priorities that Diarch has by default. keepalived gets
    /// the same: a lower priority alone would make its hand-over slower (`Skew_Time`).
    pub(crate) fn pair(kind: Kind, advert: Duration) -> Self {
        Self { priorities: [254, 254], ..Self::mixed([kind, kind], advert) }
    }

    /// Two programs that may differ.
    pub(crate) fn mixed(directors: [Kind; 2], advert: Duration) -> Self {
        Self {
            directors,
            advert,
            priorities: [200, 150],
            preempt: false,
            forward: Forward::Dr,
            scheduler: "rr",
            weights: [1, 1],
            services: Services::HowTo,
            unicast: false,
            remove: false,
            file: None,
        }
    }

    pub(crate) fn kind(&self, node: Node) -> Kind {
        self.directors[node.index()]
    }

    /// What a figure depends on, for the report.
    pub(crate) fn describe(&self) -> String {
        let [one, two] = self.priorities;
        let checks = match self.services {
            Services::HowTo if self.file.is_some() => "default checks".to_owned(),
            Services::HowTo => format!("checks each {:?}, fall {}", check::INTERVAL, check::FALL),
            Services::Many { .. } => "no checks".to_owned(),
        };
        format!("adverts {:?}, priorities {one}/{two}, {checks}", self.advert)
    }

    /// `Skew_Time` of `node` (RFC 9568 §6.1).
    pub(crate) fn skew(&self, node: Node) -> Duration {
        self.advert * (256 - u32::from(self.priorities[node.index()])) / 256
    }

    /// `Active_Down_Interval` of `node` (RFC 9568 §6.1).
    pub(crate) fn active_down_interval(&self, node: Node) -> Duration {
        self.advert * 3 + self.skew(node)
    }

    /// Real servers' addresses, with their weights.
    pub(crate) fn real_servers(&self) -> [(Ipv4Addr, u32); 2] {
        let [one, two] = self.weights;
        match self.forward {
            Forward::Dr => {
                [(Ipv4Addr::new(192, 168, 0, 3), one), (Ipv4Addr::new(192, 168, 0, 4), two)]
            }
            Forward::Nat => [(Ipv4Addr::new(10, 0, 0, 3), one), (Ipv4Addr::new(10, 0, 0, 4), two)],
        }
    }

    /// How many destinations the kernel holds when every real server is well.
    pub(crate) fn destinations(&self) -> usize {
        match self.services {
            Services::HowTo => 4,
            Services::Many { services, destinations } => {
                usize::from(services) * usize::from(destinations)
            }
        }
    }

    /// The service that programs which go by the configuration, or by port, load last.
    pub(crate) fn last_service(&self) -> Option<SocketAddrV4> {
        match self.services {
            Services::HowTo => None,
            Services::Many { services, .. } => {
                let last = services.checked_sub(1)?;
                Some(SocketAddrV4::new(VIP, MANY_FROM + u16::from(last)))
            }
        }
    }
}
