//! The status document as the overview of `diarch status`. Pure.

use super::table::{Align, Cell, Style, Table, styled};
use super::words::{age, count};
use crate::status::{
    Check, CheckState, Kernel, Problem, RealServer, RealServerState, RouterState, Service,
    ServiceState, Severity, Status, Vip, VirtualRouter,
};

/// Who am I, what is wrong, and why everything is as it is. With terminal codes.
pub(super) fn overview(status: &Status) -> String {
    let mut text = verdict(status);
    if !status.vrrp.is_empty() {
        text.push('\n');
        text.push_str(&routers(status));
    }
    if !status.services.is_empty() {
        text.push('\n');
        text.push_str(&services(status));
    }
    text.push('\n');
    text.push_str(&kernel(&status.kernel));
    text
}

fn verdict(status: &Status) -> String {
    let (node, config, now) = (&status.node, &status.config, status.time);
    let who = format!(
        "{}  diarch {}, up {}; configuration {}, loaded {} ago\n",
        styled(&node.name, Style::Head),
        node.version,
        age(node.started_at, now),
        config.digest,
        age(config.loaded_at, now),
    );
    let refused = config.last_reload.as_ref().filter(|reload| !reload.ok).map(|reload| {
        let error = reload.error.as_deref().unwrap_or("see diarch check");
        let refused = styled("REFUSED", Style::Bad);
        format!("the last reload was {refused} {} ago: {error}\n", age(reload.at, now))
    });
    [who, refused.unwrap_or_default(), problems(status)].concat()
}

fn problems(status: &Status) -> String {
    match status.health.problems.as_slice() {
        [] => "no problems\n".to_owned(),
        [only] if only.hint.is_none() => format!("1 problem: {}\n", problem(only, status)),
        all => {
            let head = format!("{}:\n", count(all.len(), "problem"));
            let lines = all.iter().map(|one| {
                let hint = one.hint.as_ref().map(|hint| format!("    {hint}\n"));
                format!("  {}\n{}", problem(one, status), hint.unwrap_or_default())
            });
            [head].into_iter().chain(lines).collect()
        }
    }
}

fn problem(problem: &Problem, status: &Status) -> String {
    let style = match problem.severity {
        Severity::Critical => Style::Bad,
        Severity::Warning | Severity::Unknown => Style::Doubtful,
    };
    let object = problem.object.strip_prefix("service/").unwrap_or(&problem.object);
    let severity = if problem.severity == Severity::Critical { "CRITICAL " } else { "" };
    let since = age(problem.since, status.time);
    format!("{}, for {since}: {}", styled(&format!("{severity}{object}"), style), problem.message)
}

fn routers(status: &Status) -> String {
    let mut table = Table::new(&[
        ("VRRP", Align::Left),
        ("VRID", Align::Right),
        ("STATE", Align::Left),
        ("PRIO", Align::Right),
        ("FOR", Align::Left),
        ("ACTIVE", Align::Left),
        ("ON", Align::Left),
        ("VIPS", Align::Left),
        ("BECAUSE", Align::Left),
    ]);
    for router in &status.vrrp {
        table.row(vec![
            router.name.as_str().into(),
            router.vrid.to_string().into(),
            router_state(router.state),
            priority(router).into(),
            age(router.since, status.time).into(),
            active(router).into(),
            router.interface.as_deref().unwrap_or("-").into(),
            vips(router),
            router.cause_text.as_str().into(),
        ]);
    }
    table.render("  ")
}

fn router_state(state: RouterState) -> Cell {
    match state {
        RouterState::Active | RouterState::Backup => state.name().into(),
        RouterState::Init | RouterState::Unknown => Cell::new(state.name(), Style::Doubtful),
        RouterState::Fault => Cell::new("FAULT", Style::Bad),
    }
}

fn priority(router: &VirtualRouter) -> String {
    let configured = router.priority.configured;
    match router.priority.effective {
        Some(effective) if effective == configured => configured.to_string(),
        Some(effective) => format!("{effective}/{configured}"),
        None => format!("-/{configured}"),
    }
}

fn active(router: &VirtualRouter) -> String {
    match &router.active {
        Some(active) if active.is_self => "here".to_owned(),
        Some(active) => format!("{} (prio {})", active.address, active.priority),
        None => "not heard".to_owned(),
    }
}

/// The addresses, and which of them are not where they should be.
fn vips(router: &VirtualRouter) -> Cell {
    let mut style = Style::Plain;
    let words: Vec<String> = router
        .vips
        .iter()
        .map(|vip| {
            let address = short(vip);
            match (router.state == RouterState::Active, vip.present) {
                (true, false) => {
                    style = Style::Bad;
                    format!("{address} MISSING")
                }
                (false, true) => {
                    style = Style::Bad;
                    format!("{address} STILL HERE")
                }
                (true, true) | (false, false) => address.to_owned(),
            }
        })
        .collect();
    Cell::new(words.join(", "), style)
}

/// A prefix length that says no more than the address does is left out.
fn short(vip: &Vip) -> &str {
    let host = if vip.address.contains(':') { "/128" } else { "/32" };
    vip.address.strip_suffix(host).unwrap_or(&vip.address)
}

fn services(status: &Status) -> String {
    let mut table = Table::new(&[
        ("SERVICE", Align::Left),
        ("STATE", Align::Left),
        ("FOR", Align::Left),
        ("WEIGHT", Align::Right),
        ("ACTIVECONN", Align::Right),
        ("INACTCONN", Align::Right),
        ("WHY", Align::Left),
    ]);
    for service in &status.services {
        let sum = |count: fn(&crate::status::Connections) -> u32| -> Option<u64> {
            let known: Vec<u64> = service
                .real_servers
                .iter()
                .filter_map(|server| server.connections.as_ref().map(|found| count(found).into()))
                .collect();
            (!known.is_empty()).then(|| known.iter().sum())
        };
        let shown = |sum: Option<u64>| sum.map_or_else(|| "-".to_owned(), |sum| sum.to_string());
        table.row(vec![
            service.name.as_str().into(),
            service_state(service.state),
            age(service.since, status.time).into(),
            "".into(),
            shown(sum(|found| found.active)).into(),
            shown(sum(|found| found.inactive)).into(),
            service_why(service).into(),
        ]);
        service.real_servers.iter().for_each(|server| table.row(real_server(server, status)));
    }
    table.render("  ")
}

fn service_state(state: ServiceState) -> Cell {
    match state {
        ServiceState::Up => state.name().into(),
        ServiceState::Degraded => Cell::new("DEGRADED", Style::Doubtful),
        ServiceState::Down => Cell::new("DOWN", Style::Bad),
        ServiceState::Unknown => Cell::new(state.name(), Style::Doubtful),
    }
}

fn service_why(service: &Service) -> String {
    let listen: Vec<String> = service.listen.iter().map(ToString::to_string).collect();
    let serving =
        service.real_servers.iter().filter(|server| server.state == RealServerState::Up).count();
    let sticky = match service.persistence_s {
        Some(seconds) => format!(", persistent {seconds} s"),
        None => String::new(),
    };
    format!(
        "{} {} {}{sticky}, {serving} of {} serving",
        listen.join(" "),
        service.scheduler,
        service.forward,
        service.real_servers.len(),
    )
}

fn real_server(server: &RealServer, status: &Status) -> Vec<Cell> {
    let state = match server.state {
        RealServerState::Down => Cell::new("DOWN", Style::Bad),
        RealServerState::Up => server.state.name().into(),
        RealServerState::Drain | RealServerState::Maintenance | RealServerState::Unknown => {
            Cell::new(server.state.name(), Style::Doubtful)
        }
    };
    let weight = match (server.weight.effective, server.weight.configured) {
        (effective, configured) if effective == configured => configured.to_string(),
        (effective, configured) => format!("{effective}/{configured}"),
    };
    let (active, inactive) = match server.connections {
        Some(found) => (found.active.to_string(), found.inactive.to_string()),
        None => ("-".to_owned(), "-".to_owned()),
    };
    vec![
        format!("  {}", server_name(server)).into(),
        state,
        age(server.since, status.time).into(),
        weight.into(),
        active.into(),
        inactive.into(),
        server_why(server).into(),
    ]
}

fn server_name(server: &RealServer) -> String {
    let address = std::net::SocketAddr::new(server.address, server.port);
    match &server.name {
        Some(name) => format!("{name} ({address})"),
        None => address.to_string(),
    }
}

/// What the checks say; if any fails, only what those say.
fn server_why(server: &RealServer) -> String {
    if server.checks.is_empty() {
        return "not checked".to_owned();
    }
    let failing = |check: &&Check| check.state == CheckState::Failing || check.streak < 0;
    let mut shown: Vec<&Check> = server.checks.iter().filter(failing).collect();
    if shown.is_empty() {
        shown = server.checks.iter().collect();
    }
    shown.into_iter().map(check_why).collect::<Vec<_>>().join("; ")
}

fn check_why(check: &Check) -> String {
    let kind = &check.kind;
    let Some(detail) = &check.detail else { return format!("{kind}: no result yet") };
    let row = check.streak.unsigned_abs();
    let took = check.duration_ms.map_or_else(String::new, |took| format!(" in {took:.1} ms"));
    match (check.state, check.streak < 0) {
        (CheckState::Failing, true) => match row {
            1 => format!("{kind}: {detail}"),
            _ => format!("{kind}: {detail}, {row} checks in a row"),
        },
        (CheckState::Ok, true) => format!("{kind}: {detail}, {row} of {} failures", check.fall),
        (CheckState::Ok, false) => format!("{kind}: {detail}{took}"),
        (CheckState::Failing | CheckState::Unknown, false) => {
            format!("{kind}: {detail}{took}, {row} of {} successes", check.rise)
        }
        (CheckState::Unknown, true) => {
            format!("{kind}: {detail}, {row} of {} failures", check.fall)
        }
    }
}

fn kernel(kernel: &Kernel) -> String {
    let mut parts = vec![match &kernel.ip_vs_version {
        Some(version) => format!("ip_vs {version}"),
        None => styled("ip_vs DOES NOT ANSWER", Style::Bad),
    }];
    parts.push(match (kernel.in_sync, &kernel.last_error) {
        (true, _) => "in sync".to_owned(),
        (false, None) => styled("NOT IN SYNC YET", Style::Doubtful),
        (false, Some(error)) => format!("{}: {error}", styled("NOT IN SYNC", Style::Bad)),
    });
    if kernel.drift_repairs > 0 {
        let times = usize::try_from(kernel.drift_repairs).unwrap_or(usize::MAX);
        parts.push(format!("{} of what another program changed", count(times, "repair")));
    }
    if kernel.foreign_services > 0 {
        let services = usize::try_from(kernel.foreign_services).unwrap_or(usize::MAX);
        parts.push(format!("{} not ours, left alone", count(services, "service")));
    }
    format!("kernel: {}\n", parts.join("; "))
}

#[cfg(test)]
mod tests;
