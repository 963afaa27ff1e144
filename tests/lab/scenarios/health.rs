//! A real server stops answering, and comes back.

use std::time::Duration;

use anyhow::Result;

use crate::lab::{Lab, SLACK, count, ms};
use crate::scenario::Scenario;
use crate::setup::{WWW, check};
use crate::topology::Node;

pub(super) fn all() -> Vec<Scenario> {
    let mut scenarios = super::for_each_kind("health::web_server_stops", |lab| {
        out_and_back(lab, check::out_when_refused(), |lab, well| {
            let server = &mut lab.net.real_servers[0];
            if well { server.start_web() } else { server.stop_web() }
        })
    });
    scenarios.extend(super::for_each_kind("health::port_black_holed", |lab| {
        out_and_back(lab, check::out_when_silent(), |lab, well| {
            let server = &lab.net.real_servers[0];
            if well { server.open_up() } else { server.black_hole() }
        })
    }));
    scenarios
}

/// Is rs1 given new web connections by both directors?
fn in_use(lab: &mut Lab) -> Result<[bool; 2]> {
    let address = lab.net.real_servers[0].address;
    let mut found = [false; 2];
    for node in Node::BOTH {
        let weight = lab.director(node).table()?.weight(WWW, address);
        found[node.index()] = weight.is_some_and(|weight| weight > 0);
    }
    Ok(found)
}

/// A second in which no request is lost. One that is may be this machine's fault, by a pause longer than the
/// client's patience; a dead server that gets its share loses some in every second.
fn quiet_second(lab: &mut Lab) -> Result<bool> {
    let observed = lab.observe(|_| {
        std::thread::sleep(Duration::from_secs(1));
        Ok(())
    })?;
    Ok(observed.requests.lost == 0)
}

fn out_and_back(
    lab: &mut Lab,
    out_by: Duration,
    set: fn(&mut Lab, bool) -> Result<()>,
) -> Result<()> {
    lab.start()?;
    let active = lab.active()?;
    let mut spans = [Duration::ZERO; 2];
    let observed =
        lab.observe(|lab| {
            lab.act("rs1 stops answering");
            set(lab, false)?;
            spans[0] = lab.wait("rs1 out on the active director", out_by + SLACK, |lab| {
                Ok(!in_use(lab)?[active.index()])
            })?;
            lab.wait("rs1 out on both directors", out_by + SLACK, |lab| {
                Ok(in_use(lab)? == [false; 2])
            })?;
            Ok(())
        })?;
    lab.timed("out after", spans[0]);
    lab.figure("lost", count(observed.requests.lost), "");
    let in_time = spans[0] < out_by + Duration::from_millis(500);
    lab.promise(lab.kind(active), in_time, &format!("out within {}", ms(out_by)))?;
    let kind = lab.kind(active);
    let quiet = quiet_second(lab)? || quiet_second(lab)? || quiet_second(lab)?;
    lab.promise(kind, quiet, "no request is lost once rs1 is out")?;
    let returned = lab.observe(|lab| {
        lab.act("rs1 answers again");
        set(lab, true)?;
        spans[1] = lab.wait("rs1 back on both directors", check::back() + SLACK, |lab| {
            Ok(in_use(lab)? == [true; 2])
        })?;
        Ok(())
    })?;
    lab.timed("back after", spans[1]);
    lab.promise(kind, returned.requests.lost == 0, "no request is lost when rs1 comes back")
}
