//! What no table can know of itself: names and addresses that must fit together.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

use super::report::{At, Draft, Report};
use super::router::{NodeSection, RouterDraft};
use super::service::{NamedServers, ServerDraft, ServiceDraft};
use crate::check::Kind;
use crate::ipvs::{Forwarding, Protocol};

/// Virtual addresses, where they were written, and the virtual router.
type Vips<'a> = HashMap<IpAddr, (At, &'a str)>;

/// Complaints about virtual routers and services as a whole.
pub(super) fn check(
    nodes: &[NodeSection<'_>],
    routers: &[RouterDraft<'_>],
    services: &[ServiceDraft<'_>],
    out: &mut Report,
) {
    if routers.is_empty() && services.is_empty() {
        out.push(
            Draft::new(
                "E0208",
                At::file(0),
                "nothing to do: no [vrrp.NAME] and no [virtual_service.NAME]",
            )
            .help("conf.d/diarch.toml of the source is a commented start"),
        );
    }
    let vips = check_routers(routers, out);
    for node in nodes {
        for (address, at) in &node.addresses {
            if let Some((vip, router)) = vips.get(address) {
                let title = format!("{address} is a VIP and an address of node `{}`", node.name);
                out.push(
                    Draft::new("E0304", *at, title)
                        .label("must be the node's own address")
                        .related(*vip, format!("a VIP of `{router}`"))
                        .note("a VIP moves between directors; their own addresses stay"),
                );
            }
        }
    }
    // A VIP that could not be read might be the one that is looked for.
    let known = !routers.is_empty() && routers.iter().all(|router| router.all_vips);
    let mut listening = HashMap::new();
    for service in services {
        check_listen(service, &mut listening, out);
        if known {
            check_owners(service, &vips, out);
        }
        check_servers(service, &vips, out);
        check_protocol(service, out);
    }
}

fn check_routers<'a>(routers: &[RouterDraft<'a>], out: &mut Report) -> Vips<'a> {
    let mut vips: Vips<'a> = HashMap::new();
    let mut vrids = HashMap::new();
    for router in routers {
        for (vip, at) in &router.vips {
            if let Some((first, owner)) = vips.get(&vip.address) {
                let title = format!("VIP {} is listed twice", vip.address);
                let draft = Draft::new("E0201", *at, title).label("listed again here");
                out.push(draft.related(*first, format!("first listed here, in `{owner}`")));
            } else {
                vips.insert(vip.address, (*at, router.name));
            }
        }
        let Some((vrid, at)) = router.vrid else { continue };
        if let Some((first, name)) = vrids.get(&(vrid, router.interface.as_ref())) {
            let title = match &router.interface {
                Some(interface) => format!("two virtual routers on {interface} have the same vrid"),
                None => "two virtual routers have the same vrid".to_owned(),
            };
            out.push(
                Draft::new("E0202", at, title)
                    .label(format!("`{}` would take `{name}` for its peer", router.name))
                    .related(*first, format!("the vrid of `{name}`"))
                    .note(
                        "RFC 9568 section 5.2.3: the vrid tells virtual routers on one LAN apart",
                    ),
            );
        } else {
            vrids.insert((vrid, router.interface.as_ref()), (at, router.name));
        }
    }
    vips
}

fn check_listen<'a>(
    service: &ServiceDraft<'a>,
    listening: &mut HashMap<(Protocol, SocketAddr), (At, &'a str)>,
    out: &mut Report,
) {
    for (protocol, address, at) in &service.listen {
        if let Some((first, name)) = listening.get(&(*protocol, *address)) {
            let title = format!("{address}/{protocol} is listened on twice");
            let draft = Draft::new("E0206", *at, title).label("listened on again here");
            out.push(draft.related(*first, format!("first here, by `{name}`")));
        } else {
            listening.insert((*protocol, *address), (*at, service.name));
        }
    }
}

/// Whether somebody answers ARP for the addresses clients connect to.
fn check_owners(service: &ServiceDraft<'_>, vips: &Vips<'_>, out: &mut Report) {
    for (protocol, address, at) in &service.listen {
        let ip = address.ip();
        if vips.contains_key(&ip) {
            continue;
        }
        let mut draft = Draft::new("W0201", *at, format!("no virtual router owns {ip}"))
            .label(format!("`{}` listens here", service.name))
            .note(format!(
                "neither director would answer ARP for {ip}; clients get \"no route to host\""
            ));
        let names: Vec<String> = vips.keys().map(ToString::to_string).collect();
        if let Some(near) = out.near(&ip.to_string(), names.iter().map(String::as_str)) {
            let vip = near.parse::<IpAddr>().ok().and_then(|near| vips.get(&near));
            if let Some((vip, router)) = vip {
                draft = draft.related(*vip, format!("a VIP of `{router}`"));
            }
            let suffix = if *protocol == Protocol::Tcp { "" } else { protocol.name() };
            let slash = if suffix.is_empty() { "" } else { "/" };
            let fix = format!("\"{near}:{}{slash}{suffix}\"", address.port());
            draft = draft.replace("a VIP with a similar address exists", *at, fix);
        }
        out.push(draft);
    }
}

fn check_servers(service: &ServiceDraft<'_>, vips: &Vips<'_>, out: &mut Report) {
    for draft in &service.servers {
        if let Some((vip, router)) = vips.get(&draft.server.address) {
            let title = format!("real server {} is a VIP", draft.server.address);
            out.push(
                Draft::new("E0302", draft.at, title)
                    .label("must be the real server's own address")
                    .related(*vip, format!("a VIP of `{router}`"))
                    .note("the director would send the connection to itself"),
            );
        }
    }
    for (_, address, at) in &service.listen {
        check_destinations(service, (*address, *at), out);
    }
    if service.listen.is_empty() {
        // Without a port to compare with, at least the same text twice shows.
        find_twice(service, 0, out);
    }
    let idle = service.servers.iter().all(|draft| draft.server.weight == 0);
    if let Some(last) = service.servers.last().filter(|_| idle) {
        let title = format!("all real servers of `{}` have weight 0", service.name);
        let draft = Draft::new("W0301", last.at, title).label("nobody gets new connections");
        out.push(draft.note("ipvsadm(8) --weight: 0 means no new connections"));
    }
}

/// What the kernel would be told for one address of a service.
fn check_destinations(
    service: &ServiceDraft<'_>,
    (listen, at): (SocketAddr, At),
    out: &mut Report,
) {
    let method = service.forward.filter(|forward| *forward != Forwarding::Masquerade);
    for draft in &service.servers {
        if let (Some(method), Some(port)) = (method, draft.server.port)
            && port != listen.port()
        {
            out.push(other_port(method, draft, port, listen, at));
        }
    }
    find_twice(service, listen.port(), out);
}

fn other_port(
    method: Forwarding,
    draft: &ServerDraft,
    port: u16,
    listen: SocketAddr,
    at: At,
) -> Draft {
    let (what, how) = match method {
        Forwarding::DirectRoute => ("direct routing", "rewrites only the MAC address"),
        Forwarding::Tunnel => ("tunnelling", "wraps the packet unchanged"),
        Forwarding::Masquerade | Forwarding::Other(_) => ("this forwarding method", "keeps ports"),
    };
    let title = format!("{what} cannot change the port");
    let found = Draft::new("E0301", draft.at, title)
        .label(format!("port {port} differs from the virtual service's {}", listen.port()))
        .related(at, "the virtual service's port")
        .note(format!("forward = \"{method}\" {how}; use forward = \"nat\" to translate ports"));
    if draft.server.name.is_none() && draft.server.weight == 1 {
        found.replace("drop the port", draft.at, format!("\"{}\"", draft.server.address))
    } else {
        found.help("drop the port")
    }
}

fn find_twice(service: &ServiceDraft<'_>, port: u16, out: &mut Report) {
    let mut seen: HashMap<(IpAddr, u16), At> = HashMap::new();
    for draft in &service.servers {
        let key = (draft.server.address, draft.server.port.unwrap_or(port));
        if let Some(first) = seen.get(&key) {
            let title = format!("real server {} is listed twice in `{}`", key.0, service.name);
            let draft = Draft::new("E0207", draft.at, title).label("listed again here");
            out.push(draft.related(*first, "first listed here"));
        } else {
            seen.insert(key, draft.at);
        }
    }
}

/// A check over TCP says little about a service over something else.
fn check_protocol(service: &ServiceDraft<'_>, out: &mut Report) {
    let protocols: HashSet<Protocol> =
        service.listen.iter().map(|(protocol, ..)| *protocol).collect();
    let checks = service.service.as_ref().map_or(&[][..], |service| &service.checks);
    let over_tcp = checks.iter().any(|check| {
        let tcp = match check.kind {
            Kind::Tcp(_) | Kind::Http(_) => true,
        };
        tcp && check.port.is_none()
    });
    if over_tcp && !protocols.is_empty() && !protocols.contains(&Protocol::Tcp) {
        let title = format!("`{}` is checked over TCP, but does not serve it", service.name);
        out.push(
            Draft::new("W0401", service.check_at, title)
                .label("passes only where the same port answers over TCP, too")
                .help("write `port` in the check, or check = \"none\""),
        );
    }
}

/// Names that nothing refers to.
pub(super) fn check_unused(named: &NamedServers<'_>, out: &mut Report) {
    let mut unused: Vec<_> = named.iter().filter(|(_, server)| !server.used).collect();
    unused.sort_by_key(|(_, server)| server.at);
    for (name, server) in unused {
        let title = format!("real server `{name}` is used by no virtual service");
        out.push(Draft::new("W0204", server.at, title).label("defined here"));
    }
}
