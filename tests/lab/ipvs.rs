//! What the kernel's IPVS table holds, as `ipvsadm -Ln` or `/proc/net/ip_vs` say it.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use crate::netns::Namespace;

/// One destination (real server) of a virtual service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Destination {
    pub(crate) address: SocketAddrV4,
    /// The kernel's word: `Route`, `Masq`, `Tunnel`.
    pub(crate) forward: String,
    pub(crate) weight: u32,
    pub(crate) active: u32,
    pub(crate) inactive: u32,
}

/// One virtual service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Service {
    pub(crate) address: SocketAddrV4,
    pub(crate) scheduler: String,
    pub(crate) destinations: Vec<Destination>,
}

/// All virtual services of one director, in the order of their addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table(pub(crate) Vec<Service>);

impl Table {
    /// Reads `ipvsadm -Ln` or `/proc/net/ip_vs` (the same layout, with addresses in hexadecimal).
    pub(crate) fn parse(text: &str) -> Self {
        let mut services: Vec<Service> = Vec::new();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["TCP" | "UDP" | "SCTP", address, scheduler, ..] => {
                    let Some(address) = endpoint(address) else { continue };
                    let scheduler = (*scheduler).to_owned();
                    services.push(Service { address, scheduler, destinations: Vec::new() });
                }
                ["->", address, forward, weight, active, inactive] => {
                    let (Some(address), Some(service)) = (endpoint(address), services.last_mut())
                    else {
                        continue;
                    };
                    service.destinations.push(Destination {
                        address,
                        forward: (*forward).to_owned(),
                        weight: weight.parse().unwrap_or(0),
                        active: active.parse().unwrap_or(0),
                        inactive: inactive.parse().unwrap_or(0),
                    });
                }
                _ => {}
            }
        }
        for service in &mut services {
            service.destinations.sort();
        }
        services.sort();
        Self(services)
    }

    /// Reads the table from `/proc`: cheap enough to be sampled each few milliseconds.
    ///
    /// Only for tables of less than a page: in a longer one the kernel (6.1) skips services where
    /// other
    /// namespaces have some too.
    pub(crate) fn of(namespace: &Namespace) -> Result<Self> {
        namespace.run(Self::of_this_thread)
    }

    /// As [`Self::of`], for a thread that already lives in the namespace.
    pub(crate) fn of_this_thread() -> Self {
        // Without the module there is no file, and no table.
        Self::parse(&std::fs::read_to_string("/proc/thread-self/net/ip_vs").unwrap_or_default())
    }

    /// Reads the table as an administrator does.
    pub(crate) fn of_ipvsadm(namespace: &Namespace) -> Result<Self> {
        Ok(Self::parse(&namespace.sh("ipvsadm -Ln").context("listing the IPVS table")?))
    }

    /// The weight of a destination; `None` when it is not in the table.
    pub(crate) fn weight(&self, service: SocketAddrV4, real_server: Ipv4Addr) -> Option<u32> {
        let service = self.0.iter().find(|candidate| candidate.address == service)?;
        let found = service.destinations.iter().find(|one| *one.address.ip() == real_server)?;
        Some(found.weight)
    }

    /// Destinations that get new connections.
    pub(crate) fn in_use(&self) -> usize {
        let all = self.0.iter().flat_map(|service| &service.destinations);
        all.filter(|destination| destination.weight > 0).count()
    }

    /// Everything but the connection counts, which change without anybody changing the table.
    pub(crate) fn configuration(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for service in &self.0 {
            lines.push(format!("{} {}", service.address, service.scheduler));
            for one in &service.destinations {
                lines.push(format!("  {} {} {}", one.address, one.forward, one.weight));
            }
        }
        lines
    }
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.configuration() {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }
}

/// Watches a table, and keeps every state of it that it saw.
#[derive(Debug)]
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Vec<Table>>>,
}

impl Watch {
    pub(crate) fn start(namespace: &Namespace) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = namespace.spawn(move || {
            let mut seen: Vec<Table> = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let now = Table::of_this_thread();
                let before = seen.last().map(Table::configuration);
                if before.is_none_or(|before| before != now.configuration()) {
                    seen.push(now);
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            seen
        });
        Self { stop, thread }
    }

    pub(crate) fn stop(self) -> Result<Vec<Table>> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the table's watcher panicked"))?
    }
}

/// The least number of destinations in use in any of these states.
pub(crate) fn least_in_use(seen: &[Table]) -> usize {
    seen.iter().map(Table::in_use).min().unwrap_or(0)
}

/// `192.168.0.101:80` or `C0A80065:0050`.
fn endpoint(text: &str) -> Option<SocketAddrV4> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let (address, port) = text.split_once(':')?;
    let address = u32::from_str_radix(address, 16).ok()?;
    Some(SocketAddrV4::new(Ipv4Addr::from(address), u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const WWW: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 101), 80);

    pub(crate) fn ipvsadm() {
        let table = Table::parse(
            "IP Virtual Server version 1.2.1 (size=4096)\n\
             Prot LocalAddress:Port Scheduler Flags\n\
             \x20 -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n\
             TCP  192.168.0.101:80 wrr\n\
             \x20 -> 192.168.0.4:80               Route   0      1          0         \n\
             \x20 -> 192.168.0.3:80               Route   2      10         7         \n",
        );
        assert_eq!(table.weight(WWW, Ipv4Addr::new(192, 168, 0, 3)), Some(2));
        assert_eq!(table.weight(WWW, Ipv4Addr::new(192, 168, 0, 5)), None);
        assert_eq!(table.in_use(), 1);
        assert_eq!(
            table.configuration(),
            ["192.168.0.101:80 wrr", "  192.168.0.3:80 Route 2", "  192.168.0.4:80 Route 0"]
        );
    }

    pub(crate) fn proc_net() {
        let table = Table::parse(
            "IP Virtual Server version 1.2.1 (size=4096)\n\
             Prot LocalAddress:Port Scheduler Flags\n\
             \x20 -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n\
             TCP  C0A80065:0050 rr  \n\
             \x20 -> C0A80003:0050      Masq    1      4          5         \n",
        );
        assert_eq!(table.0[0].address, WWW);
        assert_eq!(table.0[0].destinations[0].forward, "Masq");
        assert_eq!(table.0[0].destinations[0].inactive, 5);
    }
}
