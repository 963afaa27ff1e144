//! What goes into a [`VirtualRouter`](super::VirtualRouter) and what comes out.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::{Interval, Priority};

/// What the operator asked of this router (RFC 9568 §6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// Source address of our advertisements; breaks priority ties.
    pub primary: IpAddr,
    /// Our own `Advertisement_Interval`.
    pub interval: Interval,
    /// `Preempt_Mode`: take over from a router of lower priority, once [`Input::Settled`].
    pub preempt: bool,
    /// For how long after entering the election a lower router is left Active all the same.
    pub preempt_delay: Duration,
}

/// Whether, and how strongly, this router may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Takes part in the election with this effective priority.
    Eligible(Priority),
    /// Something it cannot do without is missing: stay out.
    Fault,
}

/// Protocol state, with the only timer that can run in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not taking part.
    Initialize,
    /// This host's kernel held the virtual addresses when the daemon started: they stay
    /// while we listen whether somebody else took over. Not a state of the RFC.
    Resume {
        /// When silence makes us Active again.
        listen_until: Instant,
    },
    /// Watching the Active router.
    Backup {
        /// `Active_Down_Timer`: when silence makes us Active.
        active_down_timer: Instant,
        /// What we shall have become Active for, should it fire.
        because: Cause,
    },
    /// Holding the virtual addresses.
    Active {
        /// `Adver_Timer`: when the next advertisement is due.
        adver_timer: Instant,
        /// When those who heard our last advertisement stop believing in us.
        patience: Instant,
        /// Before this, inferior advertisements are not answered (again).
        answer_from: Instant,
    },
}

/// [`State`] without its timer: what operators, logs and hooks see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "named as in RFC 9568 §6.3; Fault is Initialize for a reason")]
pub enum Role {
    Initialize,
    Fault,
    Backup,
    Active,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initialize => "init",
            Self::Fault => "fault",
            Self::Backup => "backup",
            Self::Active => "active",
        })
    }
}

/// Why a transition happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The election was entered.
    Startup,
    /// The addresses were here already and nobody else had taken them.
    Resumed,
    /// Asked to leave.
    Shutdown,
    /// [`Verdict::Fault`].
    Fault,
    /// The fault is gone.
    Recovered,
    /// No advertisement for `Active_Down_Interval`.
    ActiveDown,
    /// The Active router resigned.
    ActiveResigned,
    /// A router of lower priority was Active, and we preempt.
    Preempted,
    /// A router of higher priority, or of equal priority and higher address, is Active.
    Superior,
    /// Another router advertised or another host answered for an address while we resumed.
    Taken,
    /// We were not run for so long that somebody else must have taken over.
    Stalled,
    /// The operator asked to hand over.
    Resigned,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Startup => "election entered",
            Self::Resumed => "addresses were held before the restart and nobody took them over",
            Self::Shutdown => "shutting down",
            Self::Fault => "not able to serve",
            Self::Recovered => "able to serve again",
            Self::ActiveDown => "no advertisement from an active router",
            Self::ActiveResigned => "the active router resigned",
            Self::Preempted => "the active router had a lower priority",
            Self::Superior => "a router of higher priority or address is active",
            Self::Taken => "another host took the addresses over",
            Self::Stalled => "this process was held up for longer than the others wait",
            Self::Resigned => "asked to hand over",
        })
    }
}

/// A valid advertisement for our VRID, as received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// IP source address of the sender.
    pub source: IpAddr,
    /// `None` when the sender resigns (priority 0 on the wire).
    pub priority: Option<Priority>,
    /// The sender's Max Advertise Interval.
    pub interval: Interval,
}

/// Everything that can happen to a router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Enter the election.
    Startup {
        /// Some of the virtual addresses are on our interface already.
        holding: bool,
    },
    /// Leave the election for good.
    Shutdown,
    /// [`VirtualRouter::deadline`](super::VirtualRouter::deadline) may have passed.
    /// Spurious calls are harmless. Feed what is queued on the socket first.
    Tick,
    /// An advertisement arrived at `now`.
    Heard(Heard),
    /// Another host answered an ARP probe for one of the virtual addresses.
    Conflict,
    /// The health checks have settled: from here on `preempt` may take effect.
    Settled,
    /// Our fitness changed.
    Track(Verdict),
    /// New configuration; the state and running timers stay.
    Reconfigure(Params),
    /// Hand over if Active, and stay in the election.
    Resign,
}

/// What the shell must do, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Send an advertisement; `None` announces resignation.
    Advertise(Option<Priority>),
    /// Have the virtual addresses on the interface.
    AcquireAddresses,
    /// Have none of them.
    ReleaseAddresses,
    /// Gratuitous ARP for every virtual address.
    Announce,
    /// ARP probe for every virtual address; an answer is [`Input::Conflict`].
    Probe,
    /// Log, count, publish.
    Report(Role, Cause),
}
