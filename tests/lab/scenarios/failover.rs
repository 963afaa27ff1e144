//! The active director stops, dies, hangs, or loses its network.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::lab::{HAND_OVER, Lab, Observed, SLACK, ms};
use crate::scenario::Scenario;
use crate::topology::{Node, Topology};

pub(super) fn all() -> Vec<Scenario> {
    let mut scenarios = super::for_each_interval("failover::sigterm", terminate);
    scenarios.extend(super::for_each_interval("failover::sigkill", kill));
    scenarios.extend(super::for_each_interval("failover::hang", hang));
    scenarios.extend(super::for_each_interval("failover::link_down", |lab| {
        link(lab, |lab, node, up| {
            let state = if up { "up" } else { "down" };
            lab.director(node).namespace.ip(&format!("link set eth0 {state}")).map(drop)
        })
    }));
    scenarios.extend(super::for_each_kind("failover::cable", |lab| {
        link(lab, |_, node, up| Topology::cable(node.name(), up))
    }));
    scenarios
}

fn terminate(lab: &mut Lab) -> Result<()> {
    lab.start()?;
    let kind = lab.kind(Node::Lb1);
    let (observed, attempts) = hand_over(lab)?;
    lab.record(&observed);
    lab.figure("attempts", attempts.into(), "");
    let quick = observed.requests.longest_gap < HAND_OVER;
    lab.promise(kind, quick, "a clean hand-over takes less than 60 ms")?;
    lab.promise(kind, observed.both.is_zero(), "the VIP was never on both")
}

/// SIGTERM to the active director, which stays stopped. The machine is shared: three tries to be as
/// fast as promised, and the number of them.
pub(super) fn hand_over(lab: &mut Lab) -> Result<(Observed, u32)> {
    for attempt in 1.. {
        let active = lab.active()?;
        let before = lab.director(active).table()?.configuration();
        let observed = lab.observe(|lab| {
            lab.act(&format!("SIGTERM to {}", active.name()));
            lab.director(active).terminate()?;
            lab.wait_for_vip(active.other(), lab.setup.active_down_interval(active.other()) + SLACK)
                .map(drop)
        })?;
        let code = lab.director(active).wait_until_gone(Duration::from_secs(10))?;
        ensure!(code == 0, "{} ended with {code} on SIGTERM", active.name());
        let kept = lab.director(active).table()?.configuration() == before;
        lab.promise(lab.kind(active), kept, "a stop leaves IPVS as it is")?;
        if observed.requests.longest_gap < HAND_OVER || attempt == 3 {
            return Ok((observed, attempt));
        }
        lab.act(&format!("attempt {attempt} was slow: start {} again", active.name()));
        lab.director(active).start()?;
        lab.wait_until_settled()?;
    }
    unreachable!("the third attempt returns")
}

/// Nobody is left to hand over: the backup has to notice.
fn kill(lab: &mut Lab) -> Result<()> {
    lab.start()?;
    let active = lab.active()?;
    let backup = active.other();
    let down = lab.setup.active_down_interval(backup);
    let mut taken = Duration::ZERO;
    let observed = lab.observe(|lab| {
        lab.act(&format!("SIGKILL to all processes of {}", active.name()));
        lab.director(active).kill_all()?;
        taken = lab.wait_for_vip(backup, down + SLACK)?;
        Ok(())
    })?;
    lab.timed("takeover after", taken);
    lab.record(&observed);
    // One advertisement may have been sent just before the kill, or nearly an interval before.
    let earliest = down.saturating_sub(lab.setup.advert + Duration::from_millis(100));
    ensure!(taken >= earliest, "took over after {taken:?}, before the active was down");
    let latest = down + Duration::from_millis(300);
    lab.promise(lab.kind(backup), taken < latest, "taken over within Active_Down_Interval")?;
    lab.act(&format!("start {} again", active.name()));
    let observed = lab.observe(|lab| {
        lab.director(active).start()?;
        lab.wait_until_settled()
    })?;
    lab.figure("lost at restart", crate::lab::count(observed.requests.lost), "");
    lab.figure("VIP on both until it ran again", crate::lab::millis(observed.both), "ms");
    Ok(())
}

/// The active director hangs until the other has long taken over, then goes on.
fn hang(lab: &mut Lab) -> Result<()> {
    lab.start()?;
    let active = lab.active()?;
    let observed = lab.observe(|lab| {
        let hang = lab.setup.active_down_interval(active.other()) + Duration::from_secs(1);
        lab.act(&format!("SIGSTOP to all processes of {} for {}", active.name(), ms(hang)));
        lab.director(active).freeze()?;
        std::thread::sleep(hang);
        ensure!(lab.director(active.other()).has_vip()?, "the backup did not take over");
        lab.act("SIGCONT");
        lab.director(active).thaw()?;
        lab.wait_until_settled()
    })?;
    lab.record(&observed);
    Ok(())
}

/// The active director's network goes away and comes back.
fn link(lab: &mut Lab, set: fn(&mut Lab, Node, bool) -> Result<()>) -> Result<()> {
    lab.start()?;
    let active = lab.active()?;
    let kind = lab.kind(active);
    let backup = active.other();
    let limit = lab.setup.active_down_interval(backup) + SLACK;
    let observed = lab.observe(|lab| {
        lab.act(&format!("the network of {} goes down", active.name()));
        set(lab, active, false)?;
        lab.wait_for_vip(backup, limit).map(drop)
    })?;
    lab.record(&observed);
    let gone = lab.wait("the VIP gone from the cut-off director", Duration::from_secs(2), |lab| {
        Ok(!lab.director(active).has_vip()?)
    });
    lab.promise(kind, gone.is_ok(), "a director without network lets go of the VIP")?;
    let back = lab.observe(|lab| {
        lab.act(&format!("the network of {} comes back", active.name()));
        set(lab, active, true)?;
        lab.wait_until_settled()
    })?;
    lab.figure("lost when back", crate::lab::count(back.requests.lost), "");
    lab.figure("VIP on both when back", crate::lab::millis(back.both), "ms");
    lab.promise(kind, back.both < lab.setup.advert + SLACK, "one active after the network is back")
}
