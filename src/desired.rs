//! What the kernel's IPVS table should hold: the configuration, seen through what is believed of the
//! real servers. Pure; the balancer makes it so.

use std::net::SocketAddr;

use crate::config::{Config, OnFailure, RealServer, VirtualService};
use crate::ipvs::{self, Destination, DestinationKey, ServiceKey, Table};

/// What is believed of one real server of one virtual service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belief {
    /// Its checks pass, or it has none.
    Up,
    /// A check fails.
    Down,
    /// Not known yet, and nothing in the kernel speaks for it: no traffic before it has shown itself.
    New,
    /// Not known yet, but the kernel sent it traffic before we came: what was found goes on.
    Adopted,
}

/// The table that `config` asks for, given what is believed and what the kernel held (`found`) when
/// belief began.
///
/// A real server that is not up keeps its place with weight 0 (`on_failure = "quiesce"`) or has none
/// (`"remove"`). An adopted one keeps the very weight found, service by service.
pub fn table(
    config: &Config,
    found: &Table,
    belief: impl Fn(&VirtualService, &RealServer) -> Belief,
) -> Table {
    let mut table = Table::new();
    for service in &config.services {
        for &key in &service.listen {
            table.insert(key, virtual_service(service, key, found, &belief));
        }
    }
    table
}

fn virtual_service(
    service: &VirtualService,
    key: ServiceKey,
    found: &Table,
    belief: impl Fn(&VirtualService, &RealServer) -> Belief,
) -> ipvs::VirtualService {
    let settings =
        ipvs::Service { scheduler: service.scheduler.clone(), persistence: service.persistence };
    let destinations = service.real_servers.iter().filter_map(|server| {
        let at = destination(key, server);
        let found = found_weight(found, key, at);
        let weight = weight(service, server, belief(service, server), found)?;
        Some((at, Destination { weight, forwarding: service.forward }))
    });
    ipvs::VirtualService { settings, destinations: destinations.collect() }
}

/// Weight in the kernel, or `None` for no destination at all.
fn weight(
    service: &VirtualService,
    server: &RealServer,
    belief: Belief,
    found: Option<u16>,
) -> Option<u16> {
    match belief {
        Belief::Up => Some(server.weight),
        Belief::Adopted if found.is_some() => found,
        Belief::Adopted | Belief::Down | Belief::New => match service.on_failure {
            OnFailure::Quiesce => Some(0),
            OnFailure::Remove => None,
        },
    }
}

/// Where packets for `server` go when they come in by `key`.
pub fn destination(key: ServiceKey, server: &RealServer) -> DestinationKey {
    let listening = match key {
        ServiceKey::Address(_, address) => address.port(),
        ServiceKey::Fwmark(..) => 0,
    };
    SocketAddr::new(server.address, server.port.unwrap_or(listening))
}

/// Whether `table` sends `server` traffic by any of the service's addresses.
pub fn carries_traffic(table: &Table, service: &VirtualService, server: &RealServer) -> bool {
    let weights =
        service.listen.iter().map(|&key| found_weight(table, key, destination(key, server)));
    weights.flatten().any(|weight| weight > 0)
}

fn found_weight(found: &Table, key: ServiceKey, at: DestinationKey) -> Option<u16> {
    found.get(&key)?.destinations.get(&at).map(|destination| destination.weight)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipvs::{Forwarding, Protocol, Scheduler};

    fn server(last: u8, port: Option<u16>, weight: u16) -> RealServer {
        RealServer { name: None, address: [192, 168, 0, last].into(), port, weight }
    }

    fn key(port: u16) -> ServiceKey {
        ServiceKey::Address(Protocol::Tcp, ([192, 168, 0, 101], port).into())
    }

    fn service(on_failure: OnFailure) -> VirtualService {
        VirtualService {
            name: "www".to_owned(),
            listen: vec![key(80), key(443)],
            forward: Forwarding::DirectRoute,
            scheduler: Scheduler::named("wlc").unwrap(),
            persistence: None,
            on_failure,
            real_servers: vec![server(3, None, 1), server(4, None, 2)],
            checks: Vec::new(),
        }
    }

    fn config(services: Vec<VirtualService>) -> Config {
        Config {
            node: "lb1".to_owned(),
            nodes: Vec::new(),
            routers: Vec::new(),
            services,
            files: Vec::new(),
            digest: String::new(),
        }
    }

    /// Weights at port 80 of .3 and .4; `None` where there is no destination.
    fn weights(table: &Table) -> [Option<u16>; 2] {
        [3, 4].map(|last| found_weight(table, key(80), ([192, 168, 0, last], 80).into()))
    }

    #[test]
    fn belief_decides_the_weight() {
        let quiesce = config(vec![service(OnFailure::Quiesce)]);
        let remove = config(vec![service(OnFailure::Remove)]);
        let none = Table::new();
        for (belief, quiesced, removed) in [
            (Belief::Up, [Some(1), Some(2)], [Some(1), Some(2)]),
            (Belief::Down, [Some(0), Some(0)], [None, None]),
            (Belief::New, [Some(0), Some(0)], [None, None]),
            (Belief::Adopted, [Some(0), Some(0)], [None, None]),
        ] {
            assert_eq!(weights(&table(&quiesce, &none, |_, _| belief)), quiesced, "{belief:?}");
            assert_eq!(weights(&table(&remove, &none, |_, _| belief)), removed, "{belief:?}");
        }
    }

    #[test]
    fn an_adopted_server_keeps_the_weight_that_was_found() {
        let config = config(vec![service(OnFailure::Quiesce)]);
        let mut found = table(&config, &Table::new(), |_, _| Belief::Up);
        let www = found.get_mut(&key(80)).unwrap();
        www.destinations.get_mut(&([192, 168, 0, 4], 80).into()).unwrap().weight = 7;
        let adopted = table(&config, &found, |_, _| Belief::Adopted);
        assert_eq!(weights(&adopted), [Some(1), Some(7)]);
    }

    #[test]
    fn a_port_follows_the_address_listened_on_unless_written() {
        assert_eq!(destination(key(443), &server(3, None, 1)).port(), 443);
        assert_eq!(destination(key(443), &server(3, Some(8443), 1)).port(), 8443);
    }

    #[test]
    fn weight_zero_in_the_kernel_is_no_traffic() {
        let config = config(vec![service(OnFailure::Quiesce)]);
        let www = &config.services[0];
        let down = table(&config, &Table::new(), |_, _| Belief::Down);
        assert!(!carries_traffic(&down, www, &www.real_servers[0]));
        let up = table(&config, &Table::new(), |_, _| Belief::Up);
        assert!(carries_traffic(&up, www, &www.real_servers[0]));
    }
}
