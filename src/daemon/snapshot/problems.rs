//! What is wrong now, each with what to look at.

use std::net::SocketAddr;

use jiff::Timestamp;

use crate::daemon::hub::Hub;
use crate::status::{
    CheckState, Problem, RealServer, RealServerState, RouterState, Service, ServiceState, Severity,
    VirtualRouter,
};

/// Every problem of this director, in no particular order.
pub(super) fn problems(hub: &Hub, routers: &[VirtualRouter], services: &[Service]) -> Vec<Problem> {
    let mut problems: Vec<_> = routers.iter().filter_map(router).collect();
    for service in services {
        problems.extend(self::service(service));
        problems
            .extend(service.real_servers.iter().filter_map(|server| real_server(service, server)));
    }
    if let Some((error, since)) = &hub.kernel.error {
        problems.push(kernel(error, *since));
    }
    if let Some(reload) = hub.last_reload.as_ref().filter(|reload| !reload.ok) {
        problems.push(Problem {
            id: "reload_refused".to_owned(),
            severity: Severity::Warning,
            object: "config".to_owned(),
            since: reload.at,
            message: format!(
                "the files have mistakes, an older configuration is in effect: {}",
                reload.error.as_deref().unwrap_or("see diarch check")
            ),
            hint: Some("diarch check shows every mistake; then diarch reload".to_owned()),
        });
    }
    problems
}

fn router(router: &VirtualRouter) -> Option<Problem> {
    let object = format!("vrrp/{}", router.name);
    let missing = router.vips.iter().find(|vip| !vip.present);
    let (id, message, hint) = match router.state {
        RouterState::Fault => ("vrrp_fault", router.cause_text.clone(), fault_hint(router)),
        RouterState::Active => (
            "vip_missing",
            format!("{} is not on its interface, though we are Active", missing?.address),
            "diarch events tells why the kernel refused it".to_owned(),
        ),
        RouterState::Init | RouterState::Backup | RouterState::Unknown => return None,
    };
    let (id, hint) = (id.to_owned(), Some(hint));
    Some(Problem { id, severity: Severity::Critical, object, since: router.since, message, hint })
}

/// What to look at when a router is in fault. It goes by what is missing, and by the kernel's own words
/// (`EPERM`), which are the same whatever was refused.
fn fault_hint(router: &VirtualRouter) -> String {
    if router.cause_text.contains("not permitted") {
        "run the daemon as root, or with CAP_NET_ADMIN and CAP_NET_RAW".to_owned()
    } else if router.interface.is_none() {
        let name = &router.name;
        format!("look with: ip -br address; or name one: interface = \"eth0\" in [vrrp.{name}]")
    } else {
        "this director cannot take over; look at the interface with: ip -br address".to_owned()
    }
}

fn service(service: &Service) -> Option<Problem> {
    (service.state == ServiceState::Down).then(|| Problem {
        id: "service_down".to_owned(),
        severity: Severity::Critical,
        object: format!("service/{}", service.name),
        since: service.since,
        message: "no real server is up: clients are refused".to_owned(),
        hint: Some("see each real server's reason below".to_owned()),
    })
}

fn real_server(service: &Service, server: &RealServer) -> Option<Problem> {
    if server.state != RealServerState::Down {
        return None;
    }
    let at = SocketAddr::new(server.address, server.port);
    let failing = server.checks.iter().find(|check| check.state == CheckState::Failing);
    let detail = failing.and_then(|check| check.detail.clone());
    let code = failing.and_then(|check| check.last_failure.as_ref());
    let code = code.map_or("", |failure| failure.code.as_str());
    let times = failing.map_or(0, |check| check.streak.unsigned_abs());
    let detail = detail.unwrap_or_else(|| "its check fails".to_owned());
    Some(Problem {
        id: "real_server_down".to_owned(),
        severity: Severity::Warning,
        object: format!("service/{}/{at}", service.name),
        since: server.since,
        message: format!("{detail} ({times} in a row)"),
        hint: hint(code, at),
    })
}

/// What to look at first, where the failure suggests it.
fn hint(code: &str, at: SocketAddr) -> Option<String> {
    match code {
        "connect_refused" => {
            Some(format!("nothing listens on {at}: is the server process running there?"))
        }
        "connect_timeout" | "timeout" | "no_route" => Some(format!(
            "is {} up, and does its firewall let us in? try: ping {}",
            at.ip(),
            at.ip()
        )),
        _ => None,
    }
}

fn kernel(error: &str, since: Timestamp) -> Problem {
    Problem {
        id: "kernel_out_of_sync".to_owned(),
        severity: Severity::Critical,
        object: "kernel".to_owned(),
        since,
        message: error.to_owned(),
        hint: Some(
            "it is tried again all the time; the kernel's own words: dmesg, ipvsadm -Ln".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::{Counters, Priority};
    use jiff::Timestamp;

    fn faulted(interface: Option<&str>, cause_text: &str) -> VirtualRouter {
        VirtualRouter {
            name: "main".to_owned(),
            vrid: 51,
            interface: interface.map(str::to_owned),
            state: RouterState::Fault,
            since: Timestamp::UNIX_EPOCH,
            cause: "fault".to_owned(),
            cause_text: cause_text.to_owned(),
            priority: Priority { configured: 254, effective: None },
            active: None,
            advert_interval_ms: 200,
            active_down_interval_ms: None,
            preempt: false,
            vips: Vec::new(),
            counters: Counters::default(),
        }
    }

    #[test]
    fn a_router_in_fault_comes_with_what_to_do_about_it() {
        for (interface, cause, expected) in [
            (Some("eth0"), "interface eth0 is down", "ip -br address"),
            (
                None,
                "no interface has a subnet that holds 10.9.8.7",
                "interface = \"eth0\" in [vrrp.main]",
            ),
            (Some("eth0"), "cannot open a VRRP socket: Operation not permitted", "CAP_NET_RAW"),
        ] {
            let problem = router(&faulted(interface, cause)).unwrap();
            assert_eq!((problem.id.as_str(), problem.message.as_str()), ("vrrp_fault", cause));
            assert!(problem.hint.unwrap().contains(expected), "{cause}");
        }
    }
}
