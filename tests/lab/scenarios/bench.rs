//! Ten thousand destinations: how long until the kernel holds them.

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use diarch::ipvs::{Protocol, ServiceKey};
use diarch::kernel::ipvs::Ipvs;

use crate::lab::{Lab, millis};
use crate::scenario::Scenario;
use crate::setup::{Kind, Services, Setup};
use crate::topology::Node;

/// Of each of the hundred services.
const DESTINATIONS: u8 = 100;

/// Past this a program counts as failed.
const LONGEST: Duration = Duration::from_secs(40);

pub(super) fn all() -> Vec<Scenario> {
    let setup = Setup::mixed([Kind::Diarch, Kind::Keepalived], Duration::from_secs(1));
    let services = Services::Many { services: 100, destinations: DESTINATIONS };
    let mut scenario =
        Scenario::new("bench::10000_destinations", Setup { services, ..setup }, load);
    scenario.on_request = true;
    scenario.limit = Duration::from_secs(180);
    vec![scenario]
}

/// Both programs in one run, each in its own namespace with a table of its own. The first round
/// fills the
/// caches of the machine and loads the kernel's modules; the better of two counts.
fn load(lab: &mut Lab) -> Result<()> {
    let mut best = [Duration::MAX; 2];
    for _ in 0..2 {
        for node in Node::BOTH {
            let span = once(lab, node)?;
            best[node.index()] = best[node.index()].min(span);
        }
    }
    for node in Node::BOTH {
        let kind = lab.kind(node).name();
        lab.timed(kind, best[node.index()]);
    }
    lab.figure("ratio", millis(best[0]) / millis(best[1]), "");
    Ok(())
}

/// From the start of the process until the kernel holds every destination; then all is undone.
///
/// Only the service that both programs load last is looked at on the way, by netlink from a thread in the
/// director's namespace: listing everything, or starting `ipvsadm` each time, would take the one processor
/// away from what is measured.
fn once(lab: &mut Lab, node: Node) -> Result<Duration> {
    let wanted = lab.setup.destinations();
    let last = lab.setup.last_service().context("no services to load")?;
    let director = lab.director(node);
    let started = Instant::now();
    director.start()?;
    let full = director.namespace.run(move || wait_until_full(last, started))?;
    let span = full.context("not loaded in time")?;
    let held = director.namespace.sh("ipvsadm -Ln")?.matches("->").count().saturating_sub(1);
    ensure!(
        held == wanted,
        "the last service was complete when only {held} destinations were there"
    );
    director.kill_all()?;
    director.namespace.sh("ipvsadm -C")?;
    Ok(span)
}

/// When the service had all its destinations; `None`: not within a sensible time.
fn wait_until_full(service: SocketAddrV4, started: Instant) -> Option<Duration> {
    let key = ServiceKey::Address(Protocol::Tcp, service.into());
    let mut ipvs = Ipvs::new();
    loop {
        std::thread::sleep(Duration::from_millis(5));
        let span = started.elapsed();
        match ipvs.service(key) {
            Ok(held) if held.len() == usize::from(DESTINATIONS) => return Some(span),
            // There is no such service yet.
            Ok(_) | Err(_) if span < LONGEST => {}
            Ok(_) | Err(_) => return None,
        }
    }
}
