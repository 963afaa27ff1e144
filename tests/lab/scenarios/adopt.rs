//! What the kernel holds when the daemon starts is adopted, and what is not Diarch's is left alone.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::director::events;
use crate::ipvs::{Table, Watch};
use crate::lab::{Lab, SLACK};
use crate::scenario::Scenario;
use crate::setup::{Kind, Setup, WWW};
use crate::topology::{Node, VIP};

/// A service that is in no configuration.
const FOREIGN: &str = "192.168.0.102:8080";

/// The server that is dead from the start.
const DEAD: &str = "service/www/192.168.0.4:80";

pub(super) fn all() -> Vec<Scenario> {
    let setup = Setup::pair(Kind::Diarch, Duration::from_millis(100));
    vec![Scenario::new("adopt::prefilled_table::diarch", setup, prefilled)]
}

/// Traffic flows before the daemon starts, to a live server and to a dead one.
fn prefilled(lab: &mut Lab) -> Result<()> {
    let namespace = lab.director(Node::Lb1).namespace.clone();
    for line in [
        format!("ip address add {VIP}/32 dev eth0"),
        format!("ipvsadm -A -t {WWW} -s rr"),
        format!("ipvsadm -a -t {WWW} -r 192.168.0.3:80 -g -w 1"),
        format!("ipvsadm -a -t {WWW} -r 192.168.0.4:80 -g -w 1"),
        format!("ipvsadm -A -t {FOREIGN} -s lc"),
        format!("ipvsadm -a -t {FOREIGN} -r 192.168.0.77:8080 -m -w 7"),
    ] {
        namespace.sh(&line)?;
    }
    lab.net.real_servers[1].stop_web()?;
    let foreign = foreign(&Table::of_ipvsadm(&namespace)?);
    ensure!(foreign.len() == 2, "the foreign service was not set up: {foreign:?}");
    let watch = Watch::start(&namespace);
    let mut out = Duration::ZERO;
    let observed = lab.observe(|lab| {
        lab.act("start lb1 on a table with a live and a dead server");
        lab.director(Node::Lb1).start()?;
        out = lab.wait("rs2 out", Duration::from_secs(3) + SLACK, |lab| {
            let [_, dead] = lab.setup.real_servers();
            Ok(lab.director(Node::Lb1).table()?.weight(WWW, dead.0) == Some(0))
        })?;
        std::thread::sleep(Duration::from_secs(1));
        Ok(())
    })?;
    lab.timed("dead server out after start", out);
    let seen = watch.stop()?;
    let [live, _] = lab.setup.real_servers();
    let kept = seen.iter().all(|table| table.weight(WWW, live.0) == Some(1));
    ensure!(kept, "the live server left the kernel:\n{}", states(&seen));
    untouched(&seen, &foreign)?;
    // Two failures would be wanted of a server that was once seen well.
    let past = events::past(lab.director(Node::Lb1))?;
    let down = past.iter().find(|event| event.is("real_server.down", DEAD));
    let cause =
        down.and_then(|event| event.cause.as_ref()).context("that rs2 is down was not told")?;
    ensure!(cause.detail.contains("1 in a row"), "not out at its first check: {}", cause.detail);
    ensure!(lab.active()? == Node::Lb1, "lb1 had the VIP at start, and let go of it");
    let answers = &observed.requests;
    ensure!(answers.by_server.keys().eq(["rs1"]), "who answered: {:?}", answers.by_server);
    reload_and_stop(lab, &foreign)
}

/// A foreign service survives a reload and a stop too, and is told of.
fn reload_and_stop(lab: &mut Lab, foreign: &[String]) -> Result<()> {
    let told = lab.director(Node::Lb1).client(&["status", "--json"])?;
    let status: serde_json::Value = serde_json::from_str(&told.text).context("reading status")?;
    ensure!(status["kernel"]["foreign_services"] == 1, "status says of it: {}", status["kernel"]);
    let watch = Watch::start(&lab.director(Node::Lb1).namespace);
    let answer = lab.director(Node::Lb1).reload()?;
    ensure!(answer.status == Some(0), "reload said {:?}: {}", answer.status, answer.text);
    let before = lab.director(Node::Lb1).table()?.configuration();
    lab.act("SIGTERM to lb1");
    lab.director(Node::Lb1).terminate()?;
    lab.director(Node::Lb1).wait_until_gone(Duration::from_secs(10))?;
    std::thread::sleep(Duration::from_millis(200));
    let seen = watch.stop()?;
    untouched(&seen, foreign)?;
    let after = lab.director(Node::Lb1).table()?.configuration();
    ensure!(after == before && seen.len() == 1, "reload or stop changed it:\n{}", states(&seen));
    Ok(())
}

/// The lines of the foreign service.
fn foreign(table: &Table) -> Vec<String> {
    let lines = table.configuration();
    let own = lines.iter().skip_while(|line| !line.starts_with(FOREIGN));
    own.enumerate()
        .take_while(|(place, line)| *place == 0 || line.starts_with(' '))
        .map(|(_, line)| line.clone())
        .collect()
}

fn untouched(seen: &[Table], wanted: &[String]) -> Result<()> {
    let kept = seen.iter().all(|table| foreign(table) == wanted);
    ensure!(kept, "the foreign service was touched:\n{}", states(seen));
    Ok(())
}

fn states(seen: &[Table]) -> String {
    seen.iter().map(Table::to_string).collect::<Vec<_>>().join("then\n")
}
