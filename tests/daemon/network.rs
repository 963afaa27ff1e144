//! Two hosts and a bridge between them, each a network namespace.

use std::collections::BTreeSet;
use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) fn ip(arguments: &str) -> Result<String, String> {
    let output = Command::new("ip").args(arguments.split_whitespace()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() { Ok(text) } else { Err(format!("ip {arguments}: {error}")) }
}

/// .1 and .2 of 192.0.2.0/24 on `ve0`; the bridge is .254.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) hosts: [String; 2],
    pub(crate) switch: String,
}

impl Network {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = |end| format!("diarchd-{}-{number}{end}", std::process::id());
        let network = Self { hosts: [name("a"), name("b")], switch: name("s") };
        for namespace in network.hosts.iter().chain([&network.switch]) {
            ip(&format!("netns add {namespace}")).unwrap();
            ip(&format!("-n {namespace} link set lo up")).unwrap();
        }
        network.at_switch("link add br0 type bridge");
        network.at_switch("addr add 192.0.2.254/24 dev br0");
        network.at_switch("link set br0 up");
        network.plug(0);
        network.plug(1);
        network
    }

    /// Gives a host its interface, or a new one after [`Network::unplug`].
    pub(crate) fn plug(&self, host: usize) {
        let (name, switch) = (&self.hosts[host], &self.switch);
        let pair = format!("type veth peer name p{host} netns {switch}");
        ip(&format!("link add ve0 netns {name} {pair}")).unwrap();
        self.at_switch(&format!("link set p{host} master br0 up"));
        self.at(host, &format!("addr add 192.0.2.{}/24 dev ve0", host + 1));
        self.at(host, "link set ve0 up");
    }

    /// Takes a host's interface away.
    pub(crate) fn unplug(&self, host: usize) {
        self.at(host, "link del ve0");
    }

    /// Runs `ip` on a host.
    pub(crate) fn at(&self, host: usize, arguments: &str) -> String {
        ip(&format!("-n {} {arguments}", self.hosts[host])).unwrap()
    }

    fn at_switch(&self, arguments: &str) {
        ip(&format!("-n {} {arguments}", self.switch)).unwrap();
    }

    /// Whether an address is on the host's interface.
    pub(crate) fn holds(&self, host: usize, address: &str) -> bool {
        let all = ip(&format!("-n {} -o -4 addr show", self.hosts[host])).unwrap_or_default();
        all.contains(&format!(" {address}/"))
    }

    /// Starts to note every change of addresses on a host.
    pub(crate) fn watch(&self, host: usize) -> Changes {
        let monitor = Command::new("ip")
            .args(["-n", &self.hosts[host], "-o", "monitor", "address"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        super::wait(100);
        Changes(monitor)
    }

    /// Runs `work` in the namespace of the switch.
    pub(crate) fn inside_switch<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        let file = File::open(format!("/run/netns/{}", self.switch)).unwrap();
        let thread = std::thread::spawn(move || {
            nix::sched::setns(file, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            work()
        });
        thread.join().unwrap()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in self.hosts.iter().chain([&self.switch]) {
            drop(ip(&format!("netns del {namespace}")));
        }
    }
}

/// Changes of addresses, as `ip monitor` tells them.
#[derive(Debug)]
pub(crate) struct Changes(Child);

impl Changes {
    /// `+192.0.2.100/32` and `-192.0.2.100/32`, each once, however often it happened.
    pub(crate) fn end(mut self) -> BTreeSet<String> {
        super::wait(100);
        self.0.kill().unwrap();
        let output = self.0.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let change = |line: &str| {
            let (_, rest) = line.split_once(" inet ")?;
            let sign = if line.starts_with("Deleted") { '-' } else { '+' };
            Some(format!("{sign}{}", rest.split_whitespace().next()?))
        };
        text.lines().filter_map(change).collect()
    }
}
