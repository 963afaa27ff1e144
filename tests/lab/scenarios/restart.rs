//! A daemon that was killed and is started again finds a working table, and leaves it working.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::connection::Connection;
use crate::ipvs::{Watch, least_in_use};
use crate::lab::{Lab, Observed, SLACK};
use crate::scenario::Scenario;
use crate::setup::WWW;
use crate::topology::Node;

pub(super) fn all() -> Vec<Scenario> {
    let mut scenarios = super::for_each_kind("restart::at_once", at_once);
    scenarios.extend(super::for_each_kind("restart::after_takeover", after_takeover));
    scenarios
}

/// Killed and started again before the backup could notice.
fn at_once(lab: &mut Lab) -> Result<()> {
    lab.start()?;
    let active = lab.active()?;
    let connection = Connection::open(&lab.net.client, WWW);
    std::thread::sleep(Duration::from_millis(500));
    let observed = restart(lab, active, |_| Ok(()))?;
    let fate = connection.close()?;
    let kind = lab.kind(active);
    lab.record(&observed);
    lab.timed("longest pause of a connection", fate.longest_pause);
    ensure!(fate.answers > 0, "the keep-alive connection never worked");
    let broken = fate.broken.unwrap_or_default();
    lab.promise(kind, broken.is_empty(), &format!("the connection lived through it {broken}"))
}

/// Killed, and started again when the other is active.
fn after_takeover(lab: &mut Lab) -> Result<()> {
    lab.start()?;
    let active = lab.active()?;
    let backup = active.other();
    let limit = lab.setup.active_down_interval(backup) + SLACK;
    let observed = restart(lab, active, |lab| lab.wait_for_vip(backup, limit).map(drop))?;
    lab.record(&observed);
    let kind = lab.kind(active);
    let stays = !lab.setup.preempt && lab.active()? == backup;
    lab.promise(kind, stays, "the director that took over stays active")
}

/// Kills `node`, does what is to be done meanwhile, starts it again, and watches its IPVS table.
fn restart(
    lab: &mut Lab,
    node: Node,
    meanwhile: impl FnOnce(&mut Lab) -> Result<()>,
) -> Result<Observed> {
    let wanted = lab.setup.destinations();
    let watch = Watch::start(&lab.director(node).namespace);
    let observed = lab.observe(|lab| {
        lab.act(&format!("SIGKILL to all processes of {}", node.name()));
        lab.director(node).kill_all()?;
        meanwhile(lab)?;
        lab.act(&format!("start {} again", node.name()));
        lab.director(node).start()?;
        // Long enough for a first round of checks, and for a new election.
        std::thread::sleep(Duration::from_secs(3));
        lab.wait_until_settled()
    })?;
    let least = least_in_use(&watch.stop()?);
    let kind = lab.kind(node);
    let what = format!("no healthy destination left the kernel (least {least} of {wanted})");
    lab.promise(kind, least == wanted, &what)?;
    Ok(observed)
}
