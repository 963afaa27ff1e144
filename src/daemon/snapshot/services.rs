//! Virtual services and real servers, from belief and kernel to the status document.

use std::collections::BTreeMap;
use std::time::SystemTime;

use jiff::Timestamp;

use crate::config::{Check, Config, RealServer, VirtualService};
use crate::daemon::beliefs::{self, Beliefs};
use crate::daemon::checks::ServerId;
use crate::desired;
use crate::health::Health;
use crate::ipvs::{self, ServiceKey, Table, Traffic};
use crate::status;

/// What the service part of the document is made from.
#[derive(Debug, Clone, Copy)]
pub(in crate::daemon) struct Sources<'a> {
    pub(in crate::daemon) config: &'a Config,
    pub(in crate::daemon) beliefs: &'a Beliefs,
    /// What the kernel should hold.
    pub(in crate::daemon) wanted: &'a Table,
    /// What it counts.
    pub(in crate::daemon) traffic: &'a Traffic,
    /// States of services, by name.
    pub(in crate::daemon) states: &'a BTreeMap<String, (status::ServiceState, Timestamp)>,
}

impl Sources<'_> {
    /// All services, in the order of the configuration.
    pub(in crate::daemon) fn services(&self) -> Vec<status::Service> {
        self.config.services.iter().map(|service| self.service(service)).collect()
    }

    fn service(&self, service: &VirtualService) -> status::Service {
        let known = self.states.get(&service.name).copied();
        let (state, since) =
            known.unwrap_or((status::ServiceState::Unknown, Timestamp::UNIX_EPOCH));
        let servers = service.real_servers.iter();
        status::Service {
            name: service.name.clone(),
            listen: service.listen.iter().map(|&key| listen(key)).collect(),
            forward: service.forward.name().to_owned(),
            scheduler: service.scheduler.as_str().to_owned(),
            persistence_s: service.persistence.map(|time| time.as_secs()),
            state,
            since,
            real_servers: servers.map(|server| self.real_server(service, server)).collect(),
        }
    }

    fn real_server(&self, service: &VirtualService, server: &RealServer) -> status::RealServer {
        let known = self.beliefs.server(&ServerId::of(&service.name, server));
        let checks = service.checks.iter().enumerate().map(|(index, check)| {
            let seen = known.and_then(|known| known.checks.get(index));
            check_status(service, server, check, seen)
        });
        status::RealServer {
            name: server.name.clone(),
            address: server.address,
            port: port(service, server),
            state: known.map_or(status::RealServerState::Unknown, |known| state(known.health)),
            since: known.map_or(Timestamp::UNIX_EPOCH, |known| known.since),
            weight: status::Weight {
                configured: server.weight,
                effective: self.effective_weight(service, server),
            },
            connections: self.connections(service, server),
            checks: checks.collect(),
        }
    }

    /// The greatest weight over the service's addresses: they differ only while adopted.
    fn effective_weight(&self, service: &VirtualService, server: &RealServer) -> u16 {
        let weights = service.listen.iter().filter_map(|&key| {
            let at = desired::destination(key, server);
            self.wanted.get(&key)?.destinations.get(&at).map(|destination| destination.weight)
        });
        weights.max().unwrap_or(0)
    }

    /// Summed over the service's addresses; `None` where the kernel has none of them.
    fn connections(
        &self,
        service: &VirtualService,
        server: &RealServer,
    ) -> Option<status::Connections> {
        let counted = service.listen.iter().filter_map(|&key| {
            self.traffic.get(&(key, desired::destination(key, server))).copied()
        });
        counted.fold(None, |sum: Option<status::Connections>, more| {
            let sum = sum.unwrap_or_default();
            Some(status::Connections {
                active: sum.active.saturating_add(more.active),
                inactive: sum.inactive.saturating_add(more.inactive),
            })
        })
    }
}

/// How well a service is served, from what is believed of its servers.
pub(in crate::daemon) fn service_state(
    beliefs: &Beliefs,
    service: &VirtualService,
) -> status::ServiceState {
    let health =
        |server| beliefs.server(&ServerId::of(&service.name, server)).map(|known| known.health);
    let health: Vec<_> = service.real_servers.iter().map(health).collect();
    let count = |wanted| health.iter().filter(|&&health| health == Some(wanted)).count();
    if count(Health::Up) == health.len() {
        status::ServiceState::Up
    } else if count(Health::Up) > 0 {
        status::ServiceState::Degraded
    } else if count(Health::Down) == health.len() {
        status::ServiceState::Down
    } else {
        status::ServiceState::Unknown
    }
}

/// The port to show for a server: its own, else that of the first address listened on.
pub(in crate::daemon) fn port(service: &VirtualService, server: &RealServer) -> u16 {
    let first = service.listen.first().map(|&key| desired::destination(key, server).port());
    first.unwrap_or_default()
}

/// The name under which events and problems speak of a server.
pub(in crate::daemon) fn object(service: &VirtualService, server: &RealServer) -> String {
    let at = std::net::SocketAddr::new(server.address, port(service, server));
    format!("service/{}/{at}", service.name)
}

/// The document's word for what we believe.
pub(in crate::daemon) const fn state(health: Health) -> status::RealServerState {
    match health {
        Health::Up => status::RealServerState::Up,
        Health::Down => status::RealServerState::Down,
        Health::Unknown => status::RealServerState::Unknown,
    }
}

fn listen(key: ServiceKey) -> status::Listen {
    match key {
        ServiceKey::Address(ipvs::Protocol::Tcp, at) => {
            status::Listen::address(at, status::Protocol::Tcp)
        }
        ServiceKey::Address(ipvs::Protocol::Udp, at) => {
            status::Listen::address(at, status::Protocol::Udp)
        }
        ServiceKey::Address(ipvs::Protocol::Sctp, at) => {
            status::Listen::address(at, status::Protocol::Sctp)
        }
        ServiceKey::Fwmark(_, mark) => status::Listen::fwmark(mark.get()),
    }
}

fn check_status(
    service: &VirtualService,
    server: &RealServer,
    check: &Check,
    seen: Option<&beliefs::Check>,
) -> status::Check {
    let last = seen.and_then(|seen| seen.last.as_ref());
    let failure = seen.and_then(|seen| seen.last_failure.as_ref());
    status::Check {
        kind: check.kind.name().to_owned(),
        port: check.port.unwrap_or_else(|| port(service, server)),
        state: match last.map(|report| report.health) {
            Some(Health::Up) => status::CheckState::Ok,
            Some(Health::Down) => status::CheckState::Failing,
            Some(Health::Unknown) | None => status::CheckState::Unknown,
        },
        last_at: last.map(|report| timestamp(report.at)),
        duration_ms: last.map(|report| report.duration.as_secs_f64() * 1e3),
        detail: last.map(|report| match &report.outcome {
            Ok(success) => success.detail.to_string(),
            Err(failure) => failure.to_string(),
        }),
        rise: check.hysteresis.rise.get(),
        fall: check.hysteresis.fall.get(),
        streak: last.map_or(0, |report| report.streak),
        last_failure: failure.map(|failure| status::LastFailure {
            at: timestamp(failure.at),
            code: failure.code.to_owned(),
            detail: failure.detail.clone(),
        }),
    }
}

/// Wall-clock times of the shell, as the document writes them.
pub(in crate::daemon) fn timestamp(at: SystemTime) -> Timestamp {
    Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH)
}
