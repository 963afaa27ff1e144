//! Diarch and keepalived as one pair: takeover both ways, VRRP version 3, never two active.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::adverts::{Advert, Listener, senders};
use crate::lab::{Lab, SLACK, ms};
use crate::scenario::Scenario;
use crate::setup::{Kind, Setup};
use crate::topology::Node;

pub(super) fn all() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for directors in [[Kind::Diarch, Kind::Keepalived], [Kind::Keepalived, Kind::Diarch]] {
        let setup = Setup::mixed(directors, Duration::from_secs(1));
        let [active, backup] = directors.map(Kind::name);
        let name = |fault| format!("interop::{fault}::{active}_then_{backup}");
        scenarios.push(Scenario::new(name("sigterm"), setup.clone(), terminate));
        scenarios.push(Scenario::new(name("sigkill"), setup, kill));
    }
    scenarios
}

/// Stopped cleanly: the other takes over after its `Skew_Time`, keeps the VIP when the first is
/// back, and hands it back when it is stopped itself.
fn terminate(lab: &mut Lab) -> Result<()> {
    let listener = Listener::start(&lab.net.client)?;
    lab.start()?;
    for node in Node::BOTH {
        stop(lab, node)?;
        lab.director(node).start()?;
        lab.wait_until_settled()?;
        ensure!(lab.active()? == node.other(), "the returning director took the VIP");
    }
    // The one that came back has heard the other, and is silent.
    let calm = lab.observe(|lab| {
        std::thread::sleep(lab.setup.active_down_interval(Node::Lb2));
        Ok(())
    })?;
    ensure!(calm.both.is_zero() && calm.requests.lost == 0, "after both takeovers: {calm}");
    let [one, two] = Node::BOTH.map(Node::address);
    version_three(&listener.stop()?, &[one, two, one])
}

fn stop(lab: &mut Lab, node: Node) -> Result<()> {
    let other = node.other();
    let limit = lab.setup.skew(other) + SLACK;
    let mut taken = Duration::ZERO;
    let observed = lab.observe(|lab| {
        lab.act(&format!("SIGTERM to {}", node.name()));
        lab.director(node).terminate()?;
        taken = lab.wait_for_vip(other, limit)?;
        Ok(())
    })?;
    lab.director(node).wait_until_gone(Duration::from_secs(10))?;
    let [from, to] = [node, other].map(|node| lab.kind(node).name());
    lab.timed(&format!("{from} to {to} after"), taken);
    lab.timed("gap", observed.requests.longest_gap);
    ensure!(observed.both.is_zero(), "the VIP was on both for {}", ms(observed.both));
    Ok(())
}

/// Killed: the other takes over; started again, there is soon one active director.
fn kill(lab: &mut Lab) -> Result<()> {
    let listener = Listener::start(&lab.net.client)?;
    lab.start()?;
    let limit = lab.setup.active_down_interval(Node::Lb2) + SLACK;
    let mut taken = Duration::ZERO;
    let fallen = lab.observe(|lab| {
        lab.act("SIGKILL to all processes of lb1");
        lab.director(Node::Lb1).kill_all()?;
        taken = lab.wait_for_vip(Node::Lb2, limit)?;
        Ok(())
    })?;
    lab.timed("takeover after", taken);
    lab.record(&fallen);
    let back = lab.observe(|lab| {
        lab.act("start lb1 again");
        lab.director(Node::Lb1).start()?;
        lab.wait_until_settled()
    })?;
    lab.timed("VIP on both until it ran again", back.both);
    // Until it runs again nobody can remove what a killed program left.
    ensure!(back.both < SLACK * 2, "the VIP was on both for {} after the start", ms(back.both));
    let calm = lab.observe(|lab| {
        std::thread::sleep(lab.setup.active_down_interval(Node::Lb1));
        Ok(())
    })?;
    ensure!(calm.both.is_zero() && lab.active()? == Node::Lb2, "after the restart: {calm}");
    version_three(&listener.stop()?, &Node::BOTH.map(Node::address))
}

/// All advertisements are of version 3, and these sent them, one after the other: never two at a
/// time.
fn version_three(heard: &[Advert], wanted: &[std::net::Ipv4Addr]) -> Result<()> {
    let odd = heard.iter().find(|advert| advert.version != 3);
    ensure!(odd.is_none(), "not version 3: {odd:?}");
    let senders = senders(heard);
    ensure!(senders == wanted, "advertisements came from {senders:?}, in this order");
    Ok(())
}
