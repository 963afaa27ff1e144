//! NAT: the outside VIP and the real servers' gateway move together.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::lab::{Lab, SLACK};
use crate::scenario::Scenario;
use crate::setup::Setup;
use crate::topology::Forward;

pub(super) fn all() -> Vec<Scenario> {
    let scenario = |kind| {
        let setup = Setup::pair(kind, Duration::from_millis(100));
        let setup = Setup { forward: Forward::Nat, ..setup };
        Scenario::new(format!("nat::failover::{}", kind.name()), setup, failover)
    };
    super::KINDS.map(scenario).into()
}

fn failover(lab: &mut Lab) -> Result<()> {
    lab.start()?;
    let working = |lab: &mut Lab, when: &str| -> Result<()> {
        // The gateway may be a moment behind the VIP: two virtual routers, two elections.
        std::thread::sleep(Duration::from_secs(1));
        let observed = lab.observe(|_| {
            std::thread::sleep(Duration::from_secs(1));
            Ok(())
        })?;
        let summary = &observed.requests;
        ensure!(summary.lost == 0 && summary.by_server.len() == 2, "{when}: {observed}");
        Ok(())
    };
    working(lab, "before the failover")?;
    let active = lab.active()?;
    let backup = active.other();
    let limit = lab.setup.active_down_interval(backup) + SLACK;
    let observed = lab.observe(|lab| {
        lab.act(&format!("SIGTERM to {}", active.name()));
        lab.director(active).terminate()?;
        lab.wait_for_vip(backup, limit).map(drop)
    })?;
    lab.record(&observed);
    working(lab, "after the failover")
}
