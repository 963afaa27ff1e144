//! Real servers that are new, or gone for a while, and what is told of them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::director::events::{Event, Stream};
use crate::ipvs::{Watch, least_in_use};
use crate::lab::{Lab, SLACK, ms};
use crate::scenario::Scenario;
use crate::setup::{Kind, Setup, WWW, check};
use crate::topology::Node;

pub(super) fn all() -> Vec<Scenario> {
    let setup = Setup::pair(Kind::Diarch, Duration::from_millis(100));
    let removing = Setup { remove: true, ..setup.clone() };
    vec![
        Scenario::new("servers::new_one_waits_for_rise::diarch", setup, added),
        Scenario::new("servers::failed_one_is_removed_and_told::diarch", removing, removed),
    ]
}

/// rs2 leaves the configuration, and comes back with three checks to pass; a dead server with it.
fn added(lab: &mut Lab) -> Result<()> {
    const RISE: u32 = 3;
    lab.start()?;
    let active = lab.active()?;
    let full = std::fs::read_to_string(lab.director(active).configuration())?;
    let rs2 = ", { address = \"192.168.0.4\", weight = 1 }";
    let dead = format!("{rs2}, {{ address = \"192.168.0.77\", weight = 1 }}");
    let more = full.replace(rs2, &dead).replace("rise = 1", &format!("rise = {RISE}"));
    let left = lab.observe(|lab| {
        lab.act("reload without rs2");
        reload(lab, active, &full.replace(rs2, ""))?;
        lab.wait("rs2 gone", SLACK, |lab| Ok(lab.director(active).table()?.in_use() == 2)).map(drop)
    })?;
    ensure!(left.requests.lost == 0, "removing rs2 cost requests: {left}");
    let watch = Watch::start(&lab.director(active).namespace);
    let mut waited = Duration::ZERO;
    let came = lab.observe(|lab| {
        lab.act("reload with rs2 again, and with a server that does not exist");
        reload(lab, active, &more)?;
        waited = lab.wait("rs2 in use", check::INTERVAL * RISE + SLACK, |lab| {
            Ok(lab.director(active).table()?.in_use() == 4)
        })?;
        std::thread::sleep(Duration::from_millis(500));
        Ok(())
    })?;
    lab.timed("new server in use after", waited);
    let seen = watch.stop()?;
    ensure!(came.requests.lost == 0, "adding servers cost requests: {came}");
    ensure!(least_in_use(&seen) == 2, "rs1 was out for a while");
    // The first check comes at once, the others at the fast interval.
    let least = check::FAST_INTERVAL * (RISE - 1);
    ensure!(waited + Duration::from_millis(50) >= least, "{RISE} checks in {}?", ms(waited));
    let dead = std::net::Ipv4Addr::new(192, 168, 0, 77);
    let never = seen.iter().all(|table| table.weight(WWW, dead).unwrap_or(0) == 0);
    ensure!(never, "a server that never answered was given traffic");
    let shares = &came.requests.by_server;
    ensure!(shares.contains_key("rs2"), "rs2 never answered: {shares:?}");
    Ok(())
}

fn reload(lab: &mut Lab, node: Node, text: &str) -> Result<()> {
    let director = lab.director(node);
    director.configure(text)?;
    let answer = director.reload()?;
    ensure!(answer.status == Some(0), "reload said {:?}: {}", answer.status, answer.text);
    Ok(())
}

/// `on_failure = "remove"`; and `events -f` tells each change as it happens.
fn removed(lab: &mut Lab) -> Result<()> {
    const OBJECT: &str = "service/www/192.168.0.3:80";
    lab.start()?;
    let active = lab.active()?;
    let [rs1, _] = lab.setup.real_servers();
    let stream = Stream::follow(lab.director(active))?;
    lab.wait("the stream begins", SLACK, |_| Ok(!stream.so_far()?.is_empty()))?;
    let begins = stream.so_far()?;
    ensure!(begins.iter().all(|(_, event)| event.current), "the stream begins with {begins:?}");
    lab.act("rs1 stops answering");
    lab.net.real_servers[0].stop_web()?;
    lab.wait("rs1 removed", check::out_when_refused() + SLACK, |lab| {
        Ok(lab.director(active).table()?.weight(WWW, rs1.0).is_none())
    })?;
    let event = told(lab, &stream, "real_server.down", OBJECT)?;
    let cause = event.cause.context("the event says no reason")?;
    let why = cause.detail.contains("refused");
    ensure!(why, "the reason given: {} ({})", cause.detail, cause.code);
    lab.act("rs1 answers again");
    lab.net.real_servers[0].start_web()?;
    lab.wait("rs1 back", check::back() + SLACK, |lab| {
        Ok(lab.director(active).table()?.weight(WWW, rs1.0) == Some(1))
    })?;
    told(lab, &stream, "real_server.up", OBJECT).map(drop)
}

/// The change that is in the kernel now has been told, or is within a quarter of a second.
fn told(lab: &mut Lab, stream: &Stream, kind: &str, object: &str) -> Result<Event> {
    let now = Instant::now();
    lab.wait(&format!("{kind} told"), Duration::from_millis(250), |_| {
        Ok(stream.came(kind, object)?.is_some())
    })?;
    let (at, event) = stream.came(kind, object)?.context("it was told, and is not")?;
    lab.timed(&format!("{kind} told after the kernel"), at.saturating_duration_since(now));
    Ok(event)
}
