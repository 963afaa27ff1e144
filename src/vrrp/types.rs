//! Newtypes for the parameters of RFC 9568 §6.1. Each is valid by construction.

use std::num::NonZeroU8;
use std::time::Duration;

/// A configured or received value lies outside the range its RFC allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} {value} is out of range {min}..={max}")]
pub struct OutOfRange {
    /// Name of the parameter, as the RFC spells it.
    pub what: &'static str,
    /// The rejected value.
    pub value: u32,
    /// Lowest accepted value.
    pub min: u32,
    /// Highest accepted value.
    pub max: u32,
}

/// Virtual Router Identifier, 1–255 (RFC 9568 §5.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vrid(NonZeroU8);

impl Vrid {
    /// The wire value.
    pub const fn get(self) -> u8 {
        self.0.get()
    }
}

impl TryFrom<u8> for Vrid {
    type Error = OutOfRange;
    fn try_from(value: u8) -> Result<Self, OutOfRange> {
        let bad = OutOfRange { what: "VRID", value: value.into(), min: 1, max: 255 };
        NonZeroU8::new(value).map(Self).ok_or(bad)
    }
}

/// Election priority of a participating router, 1–255 (RFC 9568 §5.2.4).
///
/// Zero is not a priority: on the wire it means "resigning", which is `None`
/// in [`Heard::priority`](super::Heard).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(NonZeroU8);

impl Priority {
    /// The address owner's priority.
    pub const OWNER: Self = Self(NonZeroU8::MAX);

    /// The wire value.
    pub const fn get(self) -> u8 {
        self.0.get()
    }
}

impl TryFrom<u8> for Priority {
    type Error = OutOfRange;
    fn try_from(value: u8) -> Result<Self, OutOfRange> {
        let bad = OutOfRange { what: "Priority", value: value.into(), min: 1, max: 255 };
        NonZeroU8::new(value).map(Self).ok_or(bad)
    }
}

/// Max Advertise Interval: 1–4095 centiseconds, a 12-bit field (RFC 9568 §5.2.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval(u16);

impl Interval {
    /// Builds an interval from the wire unit.
    ///
    /// # Errors
    /// [`OutOfRange`] when `centis` is 0 or does not fit 12 bits.
    pub const fn from_centis(centis: u16) -> Result<Self, OutOfRange> {
        if centis == 0 || centis > 0x0fff {
            return Err(OutOfRange {
                what: "Max Advertise Interval",
                value: centis as u32,
                min: 1,
                max: 0x0fff,
            });
        }
        Ok(Self(centis))
    }

    /// The wire value, in centiseconds.
    pub const fn centis(self) -> u16 {
        self.0
    }

    /// The interval as a [`Duration`]; the only way to do arithmetic with it.
    pub fn to_duration(self) -> Duration {
        Duration::from_millis(u64::from(self.0).saturating_mul(10))
    }
}
