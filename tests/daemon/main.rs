//! The program itself, two of it in network namespaces joined by a bridge:
//! `cargo test --test daemon -- --ignored` as root. The host need not have IPVS: that the kernel has none is one
//! of the faults that must not touch the election.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "an integration test")]
#![expect(clippy::disallowed_methods, reason = "it measures real time")]

mod director;
mod network;

mod election;
mod limits;
mod reload;
mod start;
mod stop;

use std::time::{Duration, Instant};

use director::Director;
use network::Network;

/// Scheduling noise allowed on top of what the protocol says.
const NOISE: Duration = Duration::from_millis(100);

/// One virtual router with short intervals; `more` is appended.
fn config(more: &str) -> String {
    format!(
        "[node.lb1]\naddress = [\"192.0.2.1\"]\n[node.lb2]\naddress = [\"192.0.2.2\"]\n\
         [vrrp.main]\nvrid = 51\nadvert_interval = \"100ms\"\n{more}"
    )
}

const VIP: &str = "192.0.2.100";

/// The configuration most tests run with.
fn plain() -> String {
    config("vips = [\"192.0.2.100\"]\n")
}

/// How long until it holds; panics after five seconds.
fn until(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(5), "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
    start.elapsed()
}

fn wait(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// Director 0 is Active, director 1 Backup.
fn pair(network: &Network, config: &str) -> [Director; 2] {
    let one = Director::start(network, 0, config);
    until("the first is active", || one.role() == "active");
    let two = Director::start(network, 1, config);
    until("the second is backup", || two.role() == "backup");
    [one, two]
}

/// Both agree who is Active, and only that one holds the address.
fn one_active<D: std::borrow::Borrow<Director>>(network: &Network, pair: &[D; 2]) -> bool {
    let held = [network.holds(0, VIP), network.holds(1, VIP)];
    match [pair[0].borrow().role().as_str(), pair[1].borrow().role().as_str()] {
        ["active", "backup"] => held == [true, false],
        ["backup", "active"] => held == [false, true],
        _ => false,
    }
}
