//! Diarch as a director. What the lab relies on is all here: the configuration it writes, the words
//! it
//! starts the daemon with, and the fields it reads from the status document.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::ipvs::Table;
use crate::setup::{MANY_FROM, Services, Setup, check};
use crate::topology::{Forward, INSIDE_VIP, Node, VIP};

/// The daemon and client in one program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_diarch");

/// `diarch.toml`: one file, the same on both directors.
pub(crate) fn configuration(setup: &Setup) -> String {
    if let Some(file) = setup.file {
        return file.to_owned();
    }
    let mut text = String::new();
    for node in Node::BOTH {
        let priority = setup.priorities[node.index()];
        text += &format!(
            "[node.{}]\naddress = [\"{}\"]\npriority = {priority}\n\n",
            node.name(),
            node.address()
        );
    }
    text += &virtual_router(setup, "main", 51, &VIP.to_string());
    match setup.forward {
        Forward::Dr => {}
        Forward::Nat => text += &virtual_router(setup, "inside", 52, &INSIDE_VIP.to_string()),
    }
    match setup.services {
        Services::HowTo => {
            let servers = setup.real_servers().map(|(address, weight)| {
                format!("{{ address = \"{address}\", weight = {weight} }}")
            });
            let servers = servers.join(", ");
            let times = format!(
                "interval = \"{:?}\", fast_interval = \"{:?}\", timeout = \"{:?}\", rise = {}, fall = {}",
                check::INTERVAL,
                check::FAST_INTERVAL,
                check::TIMEOUT,
                check::RISE,
                check::FALL
            );
            let http = format!("{{ type = \"http\", path = \"/\", {times} }}");
            let tcp = format!("{{ type = \"tcp\", {times} }}");
            service(&mut text, setup, ("www", 80), &servers, &http);
            service(&mut text, setup, ("telnet", 23), &servers, &tcp);
        }
        Services::Many { services, destinations } => {
            for number in 0..services {
                let servers: Vec<String> =
                    (1..=destinations).map(|host| format!("\"10.1.{number}.{host}\"")).collect();
                let name = format!("many{number}");
                let port = MANY_FROM + u16::from(number);
                service(&mut text, setup, (&name, port), &servers.join(", "), "\"none\"");
            }
        }
    }
    text
}

fn virtual_router(setup: &Setup, name: &str, vrid: u8, vip: &str) -> String {
    format!(
        "[vrrp.{name}]\nvrid = {vrid}\nvips = [\"{vip}\"]\nadvert_interval = \"{:?}\"\npreempt = {}\n\
         transport = \"{}\"\n\n",
        setup.advert,
        setup.preempt,
        if setup.unicast { "unicast" } else { "multicast" }
    )
}

fn service(
    text: &mut String,
    setup: &Setup,
    (name, port): (&str, u16),
    servers: &str,
    check: &str,
) {
    let forward = match setup.forward {
        Forward::Dr => "dr",
        Forward::Nat => "nat",
    };
    *text += &format!(
        "[virtual_service.{name}]\nlisten = \"{VIP}:{port}\"\nforward = \"{forward}\"\n\
         scheduler = \"{}\"\nreal_servers = [{servers}]\ncheck = {check}\non_failure = \"{}\"\n\n",
        setup.scheduler,
        if setup.remove { "remove" } else { "quiesce" }
    );
}

/// The daemon's command line, for `ip netns exec`.
pub(crate) fn arguments(configuration: &Path, runtime: &Path, node: Node) -> Vec<String> {
    let paths = [configuration, runtime].map(|path| path.display().to_string());
    let [configuration, runtime] = paths;
    ["-c", &configuration, "--runtime-dir", &runtime, "--node", node.name(), "run"]
        .map(str::to_owned)
        .to_vec()
}

/// What a client verb printed, and its exit status.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: Option<i32>,
    /// Standard output, then standard error.
    pub(crate) text: String,
}

/// Does the daemon of this runtime directory say that it is ready?
pub(crate) fn is_ready(runtime: &Path) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = UnixStream::connect(runtime.join("status.sock"))?;
        let request = b"GET /readyz HTTP/1.1\r\nHost: diarch\r\nConnection: close\r\n\r\n";
        stream.write_all(request)?;
        std::io::read_to_string(stream)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// Runs a client verb against the daemon of this runtime directory.
pub(crate) fn client(configuration: &Path, runtime: &Path, verb: &[&str]) -> Result<Answer> {
    let output = Command::new(PROGRAM)
        .arg("-c")
        .arg(configuration)
        .arg("--runtime-dir")
        .arg(runtime)
        .args(verb)
        .stdin(Stdio::null())
        .output()
        .context("running diarch")?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(Answer { status: output.status.code(), text })
}

/// The part of the status document that the kernel's table can be held against.
#[derive(Debug, Deserialize)]
pub(crate) struct Status {
    services: Vec<ServiceStatus>,
}

#[derive(Debug, Deserialize)]
struct ServiceStatus {
    listen: Vec<Listen>,
    forward: String,
    scheduler: String,
    real_servers: Vec<RealServerStatus>,
}

#[derive(Debug, Deserialize)]
struct Listen {
    address: std::net::Ipv4Addr,
    port: u16,
}

#[derive(Debug, Deserialize)]
struct RealServerStatus {
    address: std::net::Ipv4Addr,
    port: u16,
    weight: Weight,
}

#[derive(Debug, Deserialize)]
struct Weight {
    effective: u32,
}

impl Status {
    /// Asks the daemon.
    pub(crate) fn ask(configuration: &Path, runtime: &Path) -> Result<Self> {
        let answer = client(configuration, runtime, &["status", "--json"])?;
        ensure!(answer.status == Some(0), "`diarch status --json`: {}", answer.text);
        serde_json::from_str(&answer.text).context("reading the status document")
    }

    /// The status document in the words of [`Table::configuration`].
    pub(crate) fn as_configuration(&self) -> Vec<String> {
        let mut lines: Vec<(String, Vec<String>)> = Vec::new();
        for service in &self.services {
            let forward = match service.forward.as_str() {
                "dr" => "Route",
                "nat" => "Masq",
                "tunnel" => "Tunnel",
                other => other,
            };
            let mut servers: Vec<String> = service
                .real_servers
                .iter()
                .map(|one| {
                    format!("  {}:{} {forward} {}", one.address, one.port, one.weight.effective)
                })
                .collect();
            servers.sort();
            for listen in &service.listen {
                let head = format!("{}:{} {}", listen.address, listen.port, service.scheduler);
                lines.push((head, servers.clone()));
            }
        }
        lines.sort();
        lines.into_iter().flat_map(|(head, servers)| std::iter::once(head).chain(servers)).collect()
    }

    /// Does the daemon say of the table what the kernel says?
    pub(crate) fn agrees_with(&self, table: &Table) -> bool {
        let mut kernel = table.configuration();
        let mut told = self.as_configuration();
        kernel.sort();
        told.sort();
        kernel == told
    }
}
