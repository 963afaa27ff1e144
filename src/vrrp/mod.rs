//! The Virtual Router Redundancy Protocol, version 3 (RFC 9568). Pure: bytes and times in, bytes and actions out.
//!
//! - [`packet`]: a whole IPv4 datagram to an [`Advertisement`] and back, with the receive checks of §7.1;
//! - [`VirtualRouter`]: the state machine of §6.4, one per VRID and interface;
//! - [`skew_time`], [`active_down_interval`]: the derived intervals of §6.1.
//!
//! IPv4 only so far; the machine itself does not care.
#![forbid(unsafe_code)]

mod event;
pub mod packet;
mod router;
mod timing;
mod types;

pub use event::{Action, Cause, Heard, Input, Params, Role, State, Verdict};
pub use packet::{Advertisement, ChecksumKind, DecodeError, Received};
pub use router::VirtualRouter;
pub use timing::{active_down_interval, skew_time};
pub use types::{Interval, OutOfRange, Priority, Vrid};
