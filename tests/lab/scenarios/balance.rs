//! Traffic is spread as the scheduler says, and the daemon reports what the kernel holds.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::ipvs::Table;
use crate::lab::{Lab, count};
use crate::scenario::Scenario;
use crate::setup::{Kind, Setup, TELNET};
use crate::topology::Node;

pub(super) fn all() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for kind in super::KINDS {
        let setup = Setup::pair(kind, Duration::from_millis(100));
        let weighted = Setup { scheduler: "wrr", weights: [1, 2], ..setup.clone() };
        let name = kind.name();
        scenarios.push(Scenario::new(format!("balance::rr_alternates::{name}"), setup, spread));
        scenarios.push(Scenario::new(format!("balance::wrr_by_weight::{name}"), weighted, spread));
    }
    scenarios
}

fn spread(lab: &mut Lab) -> Result<()> {
    lab.start()?;
    let observed = lab.observe(|_| {
        std::thread::sleep(Duration::from_secs(2));
        Ok(())
    })?;
    let answers = |server: &str| count(*observed.requests.by_server.get(server).unwrap_or(&0));
    let [one, two] = [answers("rs1"), answers("rs2")];
    lab.figure("rs1", one, "");
    lab.figure("rs2", two, "");
    ensure!(observed.requests.lost == 0, "requests were lost without any fault: {observed}");
    let [left, right] = lab.setup.weights.map(f64::from);
    let share = two / (one + two);
    let wanted = right / (left + right);
    ensure!((share - wanted).abs() < 0.02, "rs1 answered {one} requests, rs2 {two}");
    telnet(lab)?;
    for node in Node::BOTH {
        agree(lab, node)?;
    }
    Ok(())
}

/// Two telnet sessions greet from two servers, as in the how-to.
fn telnet(lab: &mut Lab) -> Result<()> {
    let greeting = || -> std::io::Result<String> {
        let stream = std::net::TcpStream::connect_timeout(&TELNET.into(), Duration::from_secs(5))?;
        std::io::read_to_string(stream)
    };
    let mut greetings = Vec::new();
    for _ in 0..6 {
        greetings.push(lab.net.client.run(greeting)?.context("telnet to the VIP")?);
    }
    greetings.sort();
    greetings.dedup();
    ensure!(greetings == ["rs1 login: ", "rs2 login: "], "telnet greeted with {greetings:?}");
    Ok(())
}

/// `ipvsadm -Ln`, `/proc/net/ip_vs` and `diarch status --json` tell the same.
pub(super) fn agree(lab: &mut Lab, node: Node) -> Result<()> {
    let director = lab.director(node);
    let listed = Table::of_ipvsadm(&director.namespace)?;
    ensure!(
        listed.configuration() == director.table()?.configuration(),
        "ipvsadm and /proc/net/ip_vs differ on {}",
        node.name()
    );
    if director.kind == Kind::Diarch {
        let status = director.status()?;
        ensure!(
            status.agrees_with(&listed),
            "status of {} says\n{}\nipvsadm says\n{listed}",
            node.name(),
            status.as_configuration().join("\n")
        );
    }
    Ok(())
}
