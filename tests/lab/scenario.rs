//! A scenario: a pair of directors, and something that is done to it.

use std::time::Duration;

use anyhow::Result;

use crate::boot::on_path;
use crate::lab::Lab;
use crate::setup::{Kind, Setup};

/// One scenario, as the list of tests shows it.
#[derive(Debug)]
pub(crate) struct Scenario {
    /// `THEME::WHAT::DIRECTORS[::ADVERTISEMENT INTERVAL]`.
    pub(crate) name: String,
    pub(crate) setup: Setup,
    pub(crate) run: fn(&mut Lab) -> Result<()>,
    /// It has failed when it takes longer.
    pub(crate) limit: Duration,
    /// Only run when asked for (`--ignored`, `--include-ignored`).
    pub(crate) on_request: bool,
}

impl Scenario {
    pub(crate) fn new(
        name: impl Into<String>,
        setup: Setup,
        run: fn(&mut Lab) -> Result<()>,
    ) -> Self {
        let limit = Duration::from_secs(90);
        Self { name: name.into(), setup, run, limit, on_request: false }
    }

    /// The program this scenario needs and the machine lacks.
    pub(crate) fn missing(&self) -> Option<&'static str> {
        let keepalived = self.setup.directors.contains(&Kind::Keepalived);
        let needed = ["nginx", "ipvsadm", "ip", "tc"].into_iter();
        needed.chain(keepalived.then_some("keepalived")).find(|program| !on_path(program))
    }
}

/// How an interval is written in a scenario's name.
pub(crate) fn label(interval: Duration) -> String {
    format!("{interval:?}")
}
