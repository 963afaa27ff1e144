//! The network of the classic LVS how-to, and its real servers.
//!
//! ```text
//!  direct routing (and the checks)             NAT: the real servers on a network of their own
//!
//!   client .200                                 client .200
//!      |                                           |
//!  ----+------ 192.168.0.0/24 ------+---        ---+-- 192.168.0.0/24 --+------------+--
//!      |         |         |        |                                   |            |
//!   lb1 .1    lb2 .2    rs1 .3    rs2 .4                             lb1 .1       lb2 .2
//!      VIP 192.168.0.101                                                |            |
//!      (on lo of rs1 and rs2)                   ---+-- 10.0.0.0/24 -----+----+-------+--
//!                                                rs1 .3                   rs2 .4
//!                                               default gateway: the inside VIP 10.0.0.254
//! ```

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::netns::{Namespace, sh};

/// The address the clients know.
pub(crate) const VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 101);
/// Who asks for the web pages.
pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 200);
/// With NAT: the real servers' default gateway.
pub(crate) const INSIDE_VIP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 254);

/// How the directors hand packets to the real servers; also decides where the real servers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forward {
    Dr,
    Nat,
}

/// One of the two directors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Lb1,
    Lb2,
}

impl Node {
    pub(crate) const BOTH: [Self; 2] = [Self::Lb1, Self::Lb2];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lb1 => "lb1",
            Self::Lb2 => "lb2",
        }
    }

    /// Its own address, which it also advertises from.
    pub(crate) fn address(self) -> Ipv4Addr {
        match self {
            Self::Lb1 => Ipv4Addr::new(192, 168, 0, 1),
            Self::Lb2 => Ipv4Addr::new(192, 168, 0, 2),
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Self::Lb1 => Self::Lb2,
            Self::Lb2 => Self::Lb1,
        }
    }

    pub(crate) fn index(self) -> usize {
        match self {
            Self::Lb1 => 0,
            Self::Lb2 => 1,
        }
    }
}

/// The five machines.
#[derive(Debug)]
pub(crate) struct Topology {
    pub(crate) client: Namespace,
    pub(crate) directors: [Namespace; 2],
    pub(crate) real_servers: [RealServer; 2],
}

impl Topology {
    pub(crate) fn build(forward: Forward) -> Result<Self> {
        bridge("br0")?;
        let client = host("client", &CLIENT.to_string())?;
        let [lb1, lb2] = Node::BOTH.map(|node| host(node.name(), &node.address().to_string()));
        let directors = [lb1?, lb2?];
        let names: [(&'static str, u8); 2] = [("rs1", 3), ("rs2", 4)];
        if forward == Forward::Nat {
            bridge("br1")?;
            for (director, number) in directors.iter().zip([1, 2]) {
                attach(director, "br1", "eth1", &format!("10.0.0.{number}"))?;
                director.sysctl("net/ipv4/ip_forward", "1")?;
            }
        }
        let [one, two] = names.map(|(name, number)| RealServer::build(name, number, forward));
        Ok(Self { client, directors, real_servers: [one?, two?] })
    }

    pub(crate) fn director(&self, node: Node) -> &Namespace {
        &self.directors[node.index()]
    }

    /// Cuts the cable of `host` at the switch, or plugs it in again.
    pub(crate) fn cable(host: &str, plugged: bool) -> Result<()> {
        let state = if plugged { "up" } else { "down" };
        sh(&format!("ip link set br0-{host} {state}")).map(drop)
    }
}

fn bridge(name: &str) -> Result<()> {
    sh(&format!("ip link add {name} type bridge forward_delay 0 mcast_snooping 0"))?;
    sh(&format!("ip link set {name} up")).map(drop)
}

fn host(name: &'static str, address: &str) -> Result<Namespace> {
    let namespace = Namespace::create(name)?;
    attach(&namespace, "br0", "eth0", address)?;
    Ok(namespace)
}

fn attach(host: &Namespace, bridge: &str, device: &str, address: &str) -> Result<()> {
    let name = host.name();
    let port = format!("{bridge}-{name}");
    sh(&format!("ip link add {port} type veth peer name {device} netns {name}"))?;
    sh(&format!("ip link set {port} master {bridge} up"))?;
    host.ip(&format!("link set {device} up"))?;
    host.ip(&format!("address add {address}/24 dev {device}")).map(drop)
}

/// A machine with a web server that answers its own name, and a telnet-like banner on port 23.
#[derive(Debug)]
pub(crate) struct RealServer {
    pub(crate) namespace: Namespace,
    pub(crate) address: Ipv4Addr,
    web: Option<Child>,
}

impl RealServer {
    fn build(name: &'static str, number: u8, forward: Forward) -> Result<Self> {
        let (namespace, address) = match forward {
            Forward::Dr => {
                let address = Ipv4Addr::new(192, 168, 0, number);
                let namespace = host(name, &address.to_string())?;
                // The real server accepts packets to the VIP but must never answer ARP for it.
                namespace.sysctl("net/ipv4/conf/all/arp_ignore", "1")?;
                namespace.sysctl("net/ipv4/conf/all/arp_announce", "2")?;
                namespace.ip(&format!("address add {VIP}/32 dev lo"))?;
                (namespace, address)
            }
            Forward::Nat => {
                let address = Ipv4Addr::new(10, 0, 0, number);
                let namespace = Namespace::create(name)?;
                attach(&namespace, "br1", "eth0", &address.to_string())?;
                namespace.ip(&format!("route add default via {INSIDE_VIP}"))?;
                (namespace, address)
            }
        };
        banner(&namespace)?;
        let mut server = Self { namespace, address, web: None };
        server.start_web()?;
        Ok(server)
    }

    pub(crate) fn name(&self) -> &'static str {
        self.namespace.name()
    }

    /// Starts nginx, and returns once it accepts connections.
    pub(crate) fn start_web(&mut self) -> Result<()> {
        let name = self.name();
        let directory = Path::new("/run").join(name);
        std::fs::create_dir_all(&directory).context("making nginx's directory")?;
        let file = directory.join("nginx.conf");
        std::fs::write(&file, nginx_conf(name)).context("writing nginx.conf")?;
        let mut command = self.namespace.command("nginx");
        command.arg("-e").arg(directory.join("nginx.log")).arg("-p").arg(&directory).arg("-c");
        command.arg(&file).stdin(Stdio::null());
        self.web = Some(command.spawn().context("starting nginx")?);
        let address = self.address;
        let up = self.namespace.run(move || {
            for _ in 0..200 {
                if std::net::TcpStream::connect((address, 80)).is_ok() {
                    return true;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            false
        })?;
        anyhow::ensure!(up, "nginx on {name} does not listen");
        Ok(())
    }

    /// Stops nginx at once (its fast shutdown): new connections are refused from then on.
    pub(crate) fn stop_web(&mut self) -> Result<()> {
        let Some(mut web) = self.web.take() else { return Ok(()) };
        kill(Pid::from_raw(i32::try_from(web.id())?), Signal::SIGTERM).context("stopping nginx")?;
        web.wait().context("waiting for nginx").map(drop)
    }

    /// Drops whatever arrives for port 80, unanswered, as a firewall would.
    pub(crate) fn black_hole(&self) -> Result<()> {
        self.namespace.sh("tc qdisc add dev eth0 ingress")?;
        let filter = "parent ffff: protocol ip u32 match ip dport 80 0xffff action drop";
        self.namespace.sh(&format!("tc filter add dev eth0 {filter}")).map(drop)
    }

    /// Undoes [`Self::black_hole`].
    pub(crate) fn open_up(&self) -> Result<()> {
        self.namespace.sh("tc qdisc del dev eth0 ingress").map(drop)
    }
}

fn nginx_conf(name: &str) -> String {
    format!(
        "daemon off; worker_processes 1; pid nginx.pid; user root;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; keepalive_timeout 1h; keepalive_requests 1000000;\n\
           client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3;\n\
           uwsgi_temp_path t4; scgi_temp_path t5;\n\
           server {{ listen 80; location / {{ return 200 \"{name}\\n\"; }} }} }}\n"
    )
}

/// Greets on port 23 and hangs up.
fn banner(namespace: &Namespace) -> Result<()> {
    let name = namespace.name();
    namespace
        .run(move || -> Result<()> {
            let listener = TcpListener::bind(("0.0.0.0", 23)).context("listening on port 23")?;
            // The listener stays in the namespace it was made in.
            std::thread::spawn(move || {
                for mut stream in listener.incoming().flatten() {
                    drop(stream.write_all(format!("{name} login: ").as_bytes()));
                }
            });
            Ok(())
        })?
        .with_context(|| format!("on {name}"))
}
