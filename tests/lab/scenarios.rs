//! All scenarios, by theme.

mod adopt;
mod balance;
mod bench;
mod default;
mod failover;
mod health;
mod interop;
mod nat;
mod reload;
mod repair;
mod restart;
mod servers;
mod unicast;

use std::time::Duration;

use anyhow::Result;

use crate::lab::Lab;
use crate::scenario::{Scenario, label};
use crate::setup::{Kind, Setup};

/// The interval of keepalived's default, and a fast one.
const INTERVALS: [Duration; 2] = [Duration::from_secs(1), Duration::from_millis(100)];
/// Both programs; keepalived for comparison.
const KINDS: [Kind; 2] = [Kind::Diarch, Kind::Keepalived];

/// The scenarios that keepalived goes through in each run; the others only on request.
const COMPARED: [&str; 6] = [
    "failover::sigterm::keepalived::1s",
    "failover::sigkill::keepalived::1s",
    "restart::at_once::keepalived",
    "health::web_server_stops::keepalived",
    "repair::vip_deleted::keepalived",
    "repair::table_cleared::keepalived",
];

/// Every scenario there is.
pub(crate) fn all() -> Vec<Scenario> {
    [
        balance::all(),
        failover::all(),
        restart::all(),
        health::all(),
        repair::all(),
        reload::all(),
        interop::all(),
        adopt::all(),
        default::all(),
        unicast::all(),
        servers::all(),
        nat::all(),
        bench::all(),
    ]
    .into_iter()
    .flatten()
    .map(|scenario| {
        let comparison = scenario.setup.directors == [Kind::Keepalived; 2];
        let on_request = comparison && !COMPARED.contains(&scenario.name.as_str());
        Scenario { on_request: scenario.on_request || on_request, ..scenario }
    })
    .collect()
}

/// One scenario for each program, at one second.
fn for_each_kind(name: &str, run: fn(&mut Lab) -> Result<()>) -> Vec<Scenario> {
    let scenario = |kind: Kind| {
        let setup = Setup::pair(kind, Duration::from_secs(1));
        Scenario::new(format!("{name}::{}", kind.name()), setup, run)
    };
    KINDS.map(scenario).into()
}

/// One scenario for each program and interval.
fn for_each_interval(name: &str, run: fn(&mut Lab) -> Result<()>) -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for interval in INTERVALS {
        for kind in KINDS {
            let name = format!("{name}::{}::{}", kind.name(), label(interval));
            scenarios.push(Scenario::new(name, Setup::pair(kind, interval), run));
        }
    }
    scenarios
}

#[cfg(test)]
pub(crate) mod tests {
    pub(crate) fn unique_names() {
        let mut names: Vec<String> =
            super::all().into_iter().map(|scenario| scenario.name).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(super::COMPARED.iter().all(|name| names.iter().any(|one| one == name)));
    }
}
