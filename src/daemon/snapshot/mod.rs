//! From what the daemon knows to what it shows. The only place where core values become status types.

mod problems;
mod routers;
mod services;

use jiff::Timestamp;

pub(super) use routers::{code, state as router_state};
pub(super) use services::{object, service_state, state};

use super::hub::Hub;
use crate::status::{self, Event, Kind, RouterState, ServiceState, Status};

/// The whole picture, taken at one moment.
pub(super) fn status(hub: &Hub) -> Status {
    let view = hub.threads.election.view().borrow().clone();
    let observed = hub.threads.balancer.observed().borrow().clone();
    let sources = services::Sources {
        config: &hub.config,
        beliefs: &hub.beliefs,
        wanted: &hub.kernel.wanted.table,
        traffic: &observed.traffic,
        states: &hub.service_states,
    };
    let vrrp = routers::routers(&hub.config, &view);
    let services = sources.services();
    let health = status::Health::of(problems::problems(hub, &vrrp, &services));
    Status {
        api_version: status::API_VERSION.to_owned(),
        time: Timestamp::now(),
        node: status::Node {
            name: hub.config.node.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started_at: hub.started_at,
        },
        config: status::Configuration {
            digest: hub.config.digest.clone(),
            files: hub.config.files.iter().map(|file| file.display().to_string()).collect(),
            loaded_at: hub.loaded_at,
            last_reload: hub.last_reload.clone(),
        },
        health,
        vrrp,
        services,
        kernel: kernel(hub),
    }
}

fn kernel(hub: &Hub) -> status::Kernel {
    let observed = hub.threads.balancer.observed().borrow().clone();
    let foreign = hub.kernel.wanted.foreign(&observed.table);
    let as_wanted = hub
        .kernel
        .wanted
        .table
        .iter()
        .all(|(key, want)| observed.table.get(key).is_some_and(|have| have == want));
    status::Kernel {
        ip_vs_version: observed
            .version
            .map(|(major, minor, patch)| format!("{major}.{minor}.{patch}")),
        in_sync: hub.kernel.ready && hub.kernel.error.is_none() && as_wanted,
        drift_repairs: hub.kernel.drift_repairs,
        foreign_services: u32::try_from(foreign).unwrap_or(u32::MAX),
        last_error: hub.kernel.error.as_ref().map(|(error, _)| error.clone()),
    }
}

/// The state of every object, as the events with which a stream begins.
pub(super) fn current(hub: &Hub) -> Vec<Event> {
    let status = status(hub);
    let node = hub.config.node.as_str();
    let mut events = Vec::new();
    for router in &status.vrrp {
        let kind = match router.state {
            RouterState::Active => Kind::VrrpActive,
            RouterState::Backup => Kind::VrrpBackup,
            RouterState::Fault => Kind::VrrpFault,
            RouterState::Init | RouterState::Unknown => Kind::VrrpInit,
        };
        let object = format!("vrrp/{}", router.name);
        let event = Event::state(router.since, node, kind, object, router.state.name());
        events.push(event.because(router.cause.clone(), router.cause_text.clone()));
    }
    for service in &status.services {
        let kind = match service.state {
            ServiceState::Up => Kind::ServiceUp,
            ServiceState::Degraded => Kind::ServiceDegraded,
            ServiceState::Down => Kind::ServiceDown,
            ServiceState::Unknown => Kind::Other("service.unknown".to_owned()),
        };
        let object = format!("service/{}", service.name);
        events.push(Event::state(service.since, node, kind, object, service.state.name()));
        events.extend(service.real_servers.iter().map(|server| real_server(node, service, server)));
    }
    events
}

fn real_server(node: &str, service: &status::Service, server: &status::RealServer) -> Event {
    let kind = match server.state {
        status::RealServerState::Up => Kind::RealServerUp,
        status::RealServerState::Down => Kind::RealServerDown,
        status::RealServerState::Drain
        | status::RealServerState::Maintenance
        | status::RealServerState::Unknown => Kind::RealServerUnknown,
    };
    let at = std::net::SocketAddr::new(server.address, server.port);
    let object = format!("service/{}/{at}", service.name);
    let event = Event::state(server.since, node, kind, object, server.state.name());
    let details = server.checks.iter().filter_map(|check| check.detail.as_deref());
    let details: Vec<_> = details.collect();
    if details.is_empty() { event } else { event.because("checks", details.join("; ")) }
}
