//! Reloading changes what the files changed, and nothing else.

use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::adverts::{Listener, senders};
use crate::director::{Director, diarch};
use crate::ipvs::{Watch, least_in_use};
use crate::lab::{Lab, count};
use crate::scenario::Scenario;
use crate::setup::{Kind, Setup};
use crate::topology::Node;

pub(super) fn all() -> Vec<Scenario> {
    let mut scenarios = super::for_each_kind("reload::unchanged", unchanged);
    let setup = Setup::pair(Kind::Diarch, Duration::from_secs(1));
    let fast = Setup { advert: Duration::from_millis(100), ..setup.clone() };
    scenarios.push(Scenario::new("reload::mistakes::diarch", fast, mistakes));
    scenarios.push(Scenario::new("reload::changed::diarch", setup, changed));
    scenarios
}

fn unchanged(lab: &mut Lab) -> Result<()> {
    nothing_happens(lab, |lab, active| {
        let kind = lab.kind(active);
        let answer = lab.director(active).reload()?;
        if kind == Kind::Diarch {
            ensure!(answer.status == Some(0), "reload said {:?}: {}", answer.status, answer.text);
        }
        Ok(())
    })
}

/// Every mistake is named by file and line, and none changes anything.
fn mistakes(lab: &mut Lab) -> Result<()> {
    nothing_happens(lab, |lab, active| {
        let backup = active.other();
        let held = lab.director(backup).table()?.configuration();
        refused(lab.director(active), &["check", "reload"])?;
        refused(lab.director(backup), &["reload"])?;
        let kept = lab.director(backup).table()?.configuration() == held;
        ensure!(kept, "the table of {} changed", backup.name());
        Ok(())
    })
}

fn refused(director: &Director, verbs: &[&str]) -> Result<()> {
    let good = std::fs::read_to_string(director.configuration())?;
    let before = digest(director)?;
    let bad = good.replacen("scheduler = \"rr\"", "schedular = \"rr\"", 1);
    let bad =
        bad.replacen("type = \"tcp\", interval = \"1s\"", "type = \"tcp\", interval = \"1x\"", 1);
    let line = |part| bad.lines().position(|line| line.contains(part)).map(|line| line + 1);
    let first = line("schedular").context("the first mistake was not made")?;
    let second = line("\"1x\"").context("the second mistake was not made")?;
    director.configure(&bad)?;
    for verb in verbs {
        let answer = director.client(&[verb])?;
        let wanted = [first, second].map(|line| format!("diarch.toml:{line}"));
        ensure!(
            answer.status == Some(1) && wanted.iter().all(|place| answer.text.contains(place)),
            "`diarch {verb}` should exit 1 and name {wanted:?}; it exited {:?} and said:\n{}",
            answer.status,
            answer.text
        );
    }
    ensure!(digest(director)? == before, "the daemon runs on another configuration now");
    director.configure(&good)
}

/// Of the configuration the daemon runs on.
fn digest(director: &Director) -> Result<String> {
    let told = director.client(&["status", "--json"])?;
    let status: serde_json::Value = serde_json::from_str(&told.text).context("reading status")?;
    Ok(status["config"]["digest"].to_string())
}

/// Weights, scheduler and advertisement interval change under load, on the backup first.
fn changed(lab: &mut Lab) -> Result<()> {
    lab.start()?;
    let active = lab.active()?;
    let listener = Listener::start(&lab.net.client)?;
    let advert = Duration::from_millis(200);
    let setup = Setup { weights: [1, 3], scheduler: "wrr", advert, ..lab.setup.clone() };
    let text = diarch::configuration(&setup);
    let watches = Node::BOTH.map(|node| Watch::start(&lab.director(node).namespace));
    let observed = lab.observe(|lab| {
        for node in [active.other(), active] {
            lab.act(&format!(
                "reload with other weights, scheduler and interval on {}",
                node.name()
            ));
            lab.director(node).configure(&text)?;
            let answer = lab.director(node).reload()?;
            ensure!(answer.status == Some(0), "reload said {:?}: {}", answer.status, answer.text);
        }
        std::thread::sleep(Duration::from_millis(1500));
        Ok(())
    })?;
    lab.setup = setup;
    lab.record(&observed);
    ensure!(observed.requests.lost == 0 && observed.both.is_zero(), "a reload cost: {observed}");
    for watch in watches {
        let least = least_in_use(&watch.stop()?);
        ensure!(least == lab.setup.destinations(), "only {least} destinations for a while");
    }
    let spread = lab.observe(|_| {
        std::thread::sleep(Duration::from_secs(1));
        Ok(())
    })?;
    let answers = |server| count(*spread.requests.by_server.get(server).unwrap_or(&0));
    let share = answers("rs2") / (answers("rs1") + answers("rs2"));
    ensure!((share - 0.75).abs() < 0.03, "rs2 of weight 3 to 1 got {share}");
    for node in Node::BOTH {
        super::balance::agree(lab, node)?;
    }
    let heard = listener.stop()?;
    ensure!(senders(&heard) == [active.address()], "who advertised: {:?}", senders(&heard));
    let interval = heard.last().map(|last| last.interval);
    ensure!(interval == Some(advert), "advertised is {interval:?}");
    Ok(())
}

/// Watches addresses, IPVS and the client's requests while `reload` runs.
fn nothing_happens(lab: &mut Lab, reload: fn(&mut Lab, Node) -> Result<()>) -> Result<()> {
    lab.start()?;
    let active = lab.active()?;
    let kind = lab.kind(active);
    let before = lab.director(active).table()?.configuration();
    let monitor = monitor(lab.director(active))?;
    let observed = lab.observe(|lab| {
        lab.act(&format!("reload on {}", active.name()));
        reload(lab, active)?;
        std::thread::sleep(Duration::from_secs(1));
        Ok(())
    })?;
    let changes = events(monitor)?;
    lab.record(&observed);
    let after = lab.director(active).table()?.configuration();
    lab.promise(kind, after == before, "the IPVS table is as before")?;
    lab.promise(kind, changes.is_empty(), &format!("no address changed {changes}"))?;
    lab.promise(kind, observed.requests.lost == 0, "no request was lost")?;
    let stays = lab.active()? == active;
    lab.promise(kind, stays, "the active director stays active")
}

/// `ip monitor` for addresses of a director.
fn monitor(director: &Director) -> Result<Child> {
    let mut command = director.namespace.command("ip");
    command.args(["monitor", "address"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let child = command.spawn().context("starting ip monitor")?;
    std::thread::sleep(Duration::from_millis(300));
    Ok(child)
}

/// Ends the monitor; what it has printed.
fn events(mut monitor: Child) -> Result<String> {
    monitor.kill().context("ending ip monitor")?;
    let output = monitor.wait_with_output().context("reading from ip monitor")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
