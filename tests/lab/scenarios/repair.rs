//! Somebody changes the kernel behind the daemon's back.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::director::{Director, events};
use crate::lab::{Lab, count, ms};
use crate::scenario::Scenario;
use crate::setup::Kind;
use crate::topology::Node;

/// How long a deleted VIP may be away.
const ADDRESS: Duration = Duration::from_millis(50);
/// How long an emptied table may stay empty.
const TABLE: Duration = Duration::from_secs(1);

pub(super) fn all() -> Vec<Scenario> {
    let mut scenarios = super::for_each_kind("repair::vip_deleted", address);
    scenarios.extend(super::for_each_kind("repair::table_cleared", table));
    scenarios
}

fn address(lab: &mut Lab) -> Result<()> {
    lab.start()?;
    let active = lab.active()?;
    let kind = lab.kind(active);
    for attempt in 1..=3_u32 {
        let observed = lab.observe(|lab| {
            let director = lab.director(active);
            // With which prefix the VIP was added is the daemon's affair.
            let shown = director.namespace.ip("-o address show dev eth0 to 192.168.0.101")?;
            let vip = shown.split_whitespace().nth(3).unwrap_or("192.168.0.101/32").to_owned();
            director.namespace.ip(&format!("address del {vip} dev eth0"))?;
            lab.act(&format!("ip address del {vip}"));
            std::thread::sleep(Duration::from_secs(1));
            lab.wait_until_settled()
        })?;
        let quick = observed.none < ADDRESS;
        // The machine is shared: three tries to be as fast as promised.
        if quick || attempt == 3 {
            lab.record(&observed);
            lab.figure("attempts", attempt.into(), "");
            if kind == Kind::Diarch {
                told(lab.director(active), attempt)?;
            }
            let what = format!("the VIP is put back within 50 ms ({})", ms(observed.none));
            lab.promise(kind, quick, &what)?;
            let stays = lab.active()? == active;
            return lab.promise(kind, stays, "the active director stays active");
        }
    }
    Ok(())
}

/// Each removal was told, with who it was not.
fn told(director: &Director, times: u32) -> Result<()> {
    let past = events::past(director)?;
    let restored = past.iter().filter(|event| {
        let code = event.cause.as_ref().map(|cause| cause.code.as_str());
        event.is("vip.restored", "vip/192.168.0.101") && code == Some("removed_by_another_program")
    });
    let count = restored.count();
    ensure!(u32::try_from(count) == Ok(times), "{times} removals, {count} told: {past:#?}");
    Ok(())
}

fn table(lab: &mut Lab) -> Result<()> {
    lab.start()?;
    let active = lab.active()?;
    let kind = lab.kind(active);
    let before = lab.director(active).table()?.configuration();
    let mut repaired = None;
    let observed = lab.observe(|lab| {
        lab.act(&format!("ipvsadm -C on {}", active.name()));
        lab.director(active).namespace.sh("ipvsadm -C")?;
        repaired = lab
            .wait("the table", Duration::from_secs(4), |lab| {
                Ok(lab.director(active).table()?.configuration() == before)
            })
            .ok();
        Ok(())
    })?;
    lab.figure("lost", count(observed.requests.lost), "");
    if let Some(span) = repaired {
        lab.timed("repaired after", span);
    }
    let quick = repaired.is_some_and(|span| span < TABLE);
    lab.promise(kind, quick, "an emptied table is repaired within a second")?;
    if kind == Kind::Diarch { edited(lab, active) } else { Ok(()) }
}

/// A weight, a destination and a scheduler changed by hand are as they were within a second, and the
/// daemon says that it was not the one.
fn edited(lab: &mut Lab, active: Node) -> Result<()> {
    let before = lab.director(active).table()?.configuration();
    for edit in [
        "-e -t 192.168.0.101:80 -r 192.168.0.3:80 -g -w 9",
        "-d -t 192.168.0.101:80 -r 192.168.0.4:80",
        "-E -t 192.168.0.101:23 -s wlc",
    ] {
        lab.act(&format!("ipvsadm {edit}"));
        lab.director(active).namespace.sh(&format!("ipvsadm {edit}"))?;
        let span = lab.wait("the table as it was", TABLE, |lab| {
            Ok(lab.director(active).table()?.configuration() == before)
        })?;
        lab.timed("edit undone after", span);
    }
    let past = events::past(lab.director(active))?;
    let told = past.iter().filter(|event| event.is("kernel.drift", "kernel")).count();
    // One for the emptied table at least, and one for each edit.
    ensure!(told >= 4, "only {told} repairs were told: {past:#?}");
    Ok(())
}
