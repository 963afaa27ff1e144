//! From probe results to belief: pure counting, no clock.

use std::num::NonZeroU32;

/// What we believe about a real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Health {
    /// Not enough results yet. Neither up nor down: what the kernel did before goes on.
    Unknown,
    /// Serving.
    Up,
    /// Not serving.
    Down,
}

/// Consecutive results needed to change one's mind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hysteresis {
    /// Successes that turn down (or unknown) into up.
    pub rise: NonZeroU32,
    /// Failures that turn up (or unknown) into down.
    pub fall: NonZeroU32,
}

/// A change of mind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Change {
    /// What was believed before.
    pub from: Health,
    /// What is believed now; never the same as `from`, never [`Health::Unknown`].
    pub to: Health,
}

/// Health of one check, folded over its results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judge {
    hysteresis: Hysteresis,
    /// Whether the first result decides.
    adopted: bool,
    health: Health,
    streak: i64,
}

impl Judge {
    /// For a real server that is new: it must earn its place with `rise` successes.
    pub fn new(hysteresis: Hysteresis) -> Self {
        Self { hysteresis, adopted: false, health: Health::Unknown, streak: 0 }
    }

    /// For a real server whose destination carried traffic before we started: the first result
    /// decides, so that a restart neither doubts a working server for long nor keeps a dead one.
    pub fn adopted(hysteresis: Hysteresis) -> Self {
        Self { adopted: true, ..Self::new(hysteresis) }
    }

    /// Takes one result; says so when it changes our mind.
    pub fn observe(&mut self, success: bool) -> Option<Change> {
        let Hysteresis { rise, fall } = self.hysteresis;
        let (target, needed) = if success { (Health::Up, rise) } else { (Health::Down, fall) };
        self.streak = if success {
            self.streak.max(0).saturating_add(1)
        } else {
            self.streak.min(0).saturating_sub(1)
        };
        let first_decides = self.adopted && self.health == Health::Unknown;
        let enough = first_decides || self.streak.unsigned_abs() >= u64::from(needed.get());
        if self.health == target || !enough {
            return None;
        }
        let from = std::mem::replace(&mut self.health, target);
        Some(Change { from, to: target })
    }

    /// Current belief.
    pub fn health(&self) -> Health {
        self.health
    }

    /// Equal results in a row up to the last one: successes count up from 1, failures down from
    /// -1; 0 before the first result.
    pub fn streak(&self) -> i64 {
        self.streak
    }

    /// Whether there is a belief and the last result agrees with it. While not, one more result
    /// is worth having soon (`fast_interval`).
    pub fn settled(&self) -> bool {
        match self.health {
            Health::Unknown => false,
            Health::Up => self.streak > 0,
            Health::Down => self.streak < 0,
        }
    }

    /// Counts by other numbers from the next result on. The belief stays.
    pub fn set_hysteresis(&mut self, hysteresis: Hysteresis) {
        self.hysteresis = hysteresis;
    }
}

/// Health of a real server from that of its checks: all must pass. Without checks it is up.
pub fn combine(checks: impl Iterator<Item = Health>) -> Health {
    checks.fold(Health::Up, |sum, check| match (sum, check) {
        (Health::Down, _) | (_, Health::Down) => Health::Down,
        (Health::Unknown, _) | (_, Health::Unknown) => Health::Unknown,
        (Health::Up, Health::Up) => Health::Up,
    })
}

#[cfg(test)]
mod tests;
