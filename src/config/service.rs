//! `[real_server.NAME]` and `[virtual_service.NAME]`: from tables to virtual services.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::checks::read_checks;
use super::keys;
use super::report::{At, Draft, Report};
use super::tree::{Entry, Node, Table, Value};
use super::value::{self, quote, show};
use super::view::{View, address, named_tables, one_or_many, unknown_key, wrong_type};
use super::{OnFailure, RealServer, VirtualService};
use crate::ipvs::{Forwarding, Protocol, Scheduler, ServiceKey};

/// `[real_server.NAME]`.
#[derive(Debug)]
pub(super) struct NamedServer {
    pub(super) at: At,
    pub(super) used: bool,
    server: Option<RealServer>,
}

/// All `[real_server.*]`, by name.
pub(super) type NamedServers<'a> = HashMap<&'a str, NamedServer>;

/// A real server of a virtual service, with places for later complaints.
#[derive(Debug)]
pub(super) struct ServerDraft {
    pub(super) server: RealServer,
    pub(super) at: At,
}

/// `[virtual_service.NAME]` as far as it could be read.
#[derive(Debug)]
pub(super) struct ServiceDraft<'a> {
    pub(super) name: &'a str,
    pub(super) listen: Vec<(Protocol, SocketAddr, At)>,
    pub(super) forward: Option<Forwarding>,
    pub(super) servers: Vec<ServerDraft>,
    pub(super) check_at: At,
    pub(super) service: Option<VirtualService>,
}

/// All `[real_server.*]`.
pub(super) fn read_real_servers<'a>(root: &'a Table, out: &mut Report) -> NamedServers<'a> {
    let mut servers = HashMap::new();
    for (entry, table) in named_tables(root, "real_server", out) {
        let view = View { section: &keys::REAL_SERVER, at: entry.at, own: table, defaults: None };
        view.check_keys(out);
        if value::address(&entry.key).is_ok() {
            let title = format!("`{}` cannot be a name", entry.key);
            out.push(Draft::new("E0115", entry.at, title).label("looks like an address"));
        }
        let address = view.required("address", out).and_then(|_| view.text("address", out));
        let address = address.and_then(|(text, at)| self::address("real server", text, at, out));
        let port = view.number("port", out);
        let weight = view.number("weight", out);
        let server = address.zip(weight).map(|(address, weight)| RealServer {
            name: Some(entry.key.clone()),
            address,
            port,
            weight,
        });
        servers.insert(entry.key.as_str(), NamedServer { at: entry.at, used: false, server });
    }
    servers
}

/// What `[defaults]` says about virtual services.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServiceDefaults<'a> {
    pub(super) service: Option<&'a Table>,
    pub(super) check: Option<&'a Table>,
}

/// All `[virtual_service.*]`.
pub(super) fn read_services<'a>(
    root: &'a Table,
    named: &mut NamedServers<'_>,
    defaults: ServiceDefaults<'a>,
    out: &mut Report,
) -> Vec<ServiceDraft<'a>> {
    let tables = named_tables(root, "virtual_service", out);
    let read = |(entry, table)| read_service(entry, table, named, defaults, out);
    tables.into_iter().map(read).collect()
}

fn read_service<'a>(
    entry: &'a Entry,
    table: &'a Table,
    named: &mut NamedServers<'_>,
    defaults: ServiceDefaults<'a>,
    out: &mut Report,
) -> ServiceDraft<'a> {
    let section = &keys::VIRTUAL_SERVICE;
    let view = View { section, at: entry.at, own: table, defaults: defaults.service };
    view.check_keys(out);
    let listen = view.required("listen", out);
    let listen = listen.map_or_else(Vec::new, |listen| read_listen(&listen.node, out));
    let settings = read_settings(&view, out);
    let servers = view.required("real_servers", out);
    let servers = servers.map_or_else(Vec::new, |entry| read_servers(&entry.node, named, out));
    let check = view.entry("check");
    if check.is_none() && !view.is_misnamed("check", out) {
        let title = format!("`{}` has no check", quote(&entry.key));
        out.push(
            Draft::new("E0402", entry.at, title)
                .label("a failed real server would go on getting connections")
                .help("write check = \"tcp\", or check = \"none\" to go without"),
        );
    }
    let checks = check.and_then(|entry| read_checks(entry, defaults.check, out));
    let service = || {
        Some(VirtualService {
            name: entry.key.clone(),
            listen: listen
                .iter()
                .map(|(protocol, address, _)| ServiceKey::Address(*protocol, *address))
                .collect(),
            forward: settings.forward?,
            scheduler: settings.scheduler.clone()?,
            persistence: settings.persistence,
            on_failure: settings.on_failure,
            real_servers: servers.iter().map(|draft| draft.server.clone()).collect(),
            checks: checks?,
        })
    };
    let service = service();
    let check_at = check.map_or(entry.at, |check| check.node.at);
    let forward = settings.forward;
    ServiceDraft { name: &entry.key, listen, forward, servers, check_at, service }
}

/// The keys `[defaults.virtual_service]` may set, too.
#[derive(Debug)]
struct Settings {
    /// `None` where it could not be read: what depends on it is not judged then.
    forward: Option<Forwarding>,
    scheduler: Option<Scheduler>,
    persistence: Option<Duration>,
    on_failure: OnFailure,
}

fn read_settings(view: &View<'_>, out: &mut Report) -> Settings {
    let forward = match view.choice("forward", out) {
        Some("dr") => Some(Forwarding::DirectRoute),
        Some("nat") => Some(Forwarding::Masquerade),
        Some("tunnel") => Some(Forwarding::Tunnel),
        _ => None,
    };
    let scheduler = view.choice("scheduler", out);
    let on_failure = match view.choice("on_failure", out) {
        Some("remove") => OnFailure::Remove,
        _ => OnFailure::Quiesce,
    };
    Settings {
        forward,
        scheduler: scheduler.and_then(|name| Scheduler::named(name).ok()),
        persistence: read_persistence(view, out),
        on_failure,
    }
}

fn read_persistence(view: &View<'_>, out: &mut Report) -> Option<Duration> {
    let persistence = view.duration("persistence", out)?;
    if persistence.subsec_nanos() != 0 {
        let at = view.entry("persistence").map_or(view.at, |entry| entry.node.at);
        let title = format!("`persistence` {} has a fraction of a second", show(persistence));
        let draft = Draft::new("E0104", at, title).label("expected whole seconds");
        out.push(draft.note("ipvsadm(8) --persistent: the kernel counts it in seconds"));
    }
    Some(persistence)
}

/// Reads `[defaults.virtual_service]` for its own sake.
pub(super) fn try_defaults(entry: &Entry, table: &Table, check: Option<&Table>, out: &mut Report) {
    let section = &keys::VIRTUAL_SERVICE;
    let view = View { section, at: entry.at, own: table, defaults: None };
    read_settings(&view, out);
    if let Some(entry) = view.entry("check") {
        read_checks(entry, check, out);
    }
}

fn read_listen(node: &Node, out: &mut Report) -> Vec<(Protocol, SocketAddr, At)> {
    let nodes = one_or_many(node);
    if nodes.is_empty() {
        let draft = Draft::new("E0105", node.at, "`listen` is empty");
        out.push(draft.label("clients need an address to connect to"));
    }
    let mut listen = Vec::with_capacity(nodes.len());
    for node in nodes {
        match &node.value {
            Value::Text(text) => listen.extend(
                listen_on(text, node.at, out).map(|(protocol, key)| (protocol, key, node.at)),
            ),
            Value::Table(_) => {
                let title = "`listen` as a table (firewall marks) is not available in this version";
                let draft = Draft::new("E0112", node.at, title);
                out.push(draft.label("expected a string such as \"192.168.0.101:80\""));
            }
            Value::Integer(_)
            | Value::Float
            | Value::Boolean(_)
            | Value::Datetime
            | Value::Array(_) => {
                wrong_type::<()>("listen", "a string such as \"192.168.0.101:80\"", node, out);
            }
        }
    }
    listen
}

fn listen_on(text: &str, at: At, out: &mut Report) -> Option<(Protocol, SocketAddr)> {
    let (place, protocol) = match text.rsplit_once('/') {
        None => (text, Protocol::Tcp),
        Some((place, "tcp")) => (place, Protocol::Tcp),
        Some((place, "udp")) => (place, Protocol::Udp),
        Some((place, "sctp")) => (place, Protocol::Sctp),
        Some((_, other)) => {
            let title = format!("unknown protocol `{}`", quote(other));
            let draft = Draft::new("E0108", at, title).label("expected /tcp, /udp or /sctp");
            let lower = other.to_ascii_lowercase();
            let known = ["tcp", "udp", "sctp"].contains(&lower.as_str());
            let fix = text.strip_suffix(other).filter(|_| known);
            out.push(match fix {
                Some(start) => draft.replace("write it as", at, format!("\"{start}{lower}\"")),
                None => draft,
            });
            return None;
        }
    };
    let (address, port) = split_port(place);
    let address = self::address("listening on", address, at, out)?;
    let Some(port) = port else {
        let draft = Draft::new("E0109", at, format!("`{}` has no port", quote(text)));
        out.push(draft.label("expected ADDRESS:PORT, such as \"192.168.0.101:80\""));
        return None;
    };
    Some((protocol, SocketAddr::new(address, self::port(port, at, out)?)))
}

/// Address and port, taken apart at the colon; IPv6 stays whole, so that it can be named.
fn split_port(text: &str) -> (&str, Option<&str>) {
    if let Some((address, port)) = text.rsplit_once("]:") {
        return (address.trim_start_matches('['), Some(port));
    }
    match text.split_once(':') {
        Some((address, port)) if !port.contains(':') => (address, Some(port)),
        _ => (text, None),
    }
}

fn port(text: &str, at: At, out: &mut Report) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse::<u16>().ok().filter(|port| digits && *port != 0);
    if port.is_none() {
        let draft = Draft::new("E0109", at, format!("`{}` is no port", quote(text)));
        out.push(draft.label("must be a number between 1 and 65535"));
    }
    port
}

fn read_servers(node: &Node, named: &mut NamedServers<'_>, out: &mut Report) -> Vec<ServerDraft> {
    let nodes = one_or_many(node);
    if nodes.is_empty() {
        let draft = Draft::new("E0303", node.at, "`real_servers` is empty");
        out.push(draft.label("nobody would answer"));
    }
    let mut servers = Vec::with_capacity(nodes.len());
    for node in nodes {
        let server = match &node.value {
            Value::Text(text) => server_from_text(text, node.at, named, out),
            Value::Table(table) => server_from_table(table, node.at, named, out),
            Value::Integer(_)
            | Value::Float
            | Value::Boolean(_)
            | Value::Datetime
            | Value::Array(_) => wrong_type("real_servers", "strings or tables", node, out),
        };
        servers.extend(server.map(|server| ServerDraft { server, at: node.at }));
    }
    servers
}

fn server_from_text(
    text: &str,
    at: At,
    named: &mut NamedServers<'_>,
    out: &mut Report,
) -> Option<RealServer> {
    if let Some(server) = named.get_mut(text) {
        server.used = true;
        return server.server.clone();
    }
    let (plain, port) = split_port(text);
    if let (Some(server), Some(port)) = (named.get_mut(plain), port) {
        server.used = true;
        let title = format!("`{}` mixes a name and a port", quote(text));
        let draft = Draft::new("E0109", at, title).label("expected a name or an address");
        let fix = format!("{{ name = \"{plain}\", port = {port} }}");
        out.push(draft.replace("write it as", at, fix));
        return None;
    }
    let numeric = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '[' | ']');
    if !plain.chars().any(|c| c.is_ascii_digit()) || !text.chars().all(numeric) {
        unknown_server(plain, at, named, out);
        return None;
    }
    let weight = default_weight();
    let address = address("real server", plain, at, out)?;
    let port = match port {
        Some(port) => Some(self::port(port, at, out)?),
        None => None,
    };
    Some(RealServer { name: None, address, port, weight })
}

fn default_weight() -> u16 {
    let key = keys::SERVER_ENTRY.key("weight");
    key.and_then(|key| key.default?.parse().ok()).unwrap_or(1)
}

fn unknown_server(name: &str, at: At, named: &NamedServers<'_>, out: &mut Report) {
    let title = format!("there is no real server `{}`", quote(name));
    let draft = Draft::new("E0203", at, title);
    let near = out.near(name, named.keys().copied());
    out.push(match near {
        Some(near) => draft.label("no [real_server.NAME] of this name").replace(
            "a real server with a similar name exists",
            at,
            format!("\"{near}\""),
        ),
        None => draft
            .label("neither an address nor the NAME of a [real_server.NAME]")
            .note("host names are not looked up: name resolution can fail when it matters most"),
    });
}

fn server_from_table(
    table: &Table,
    at: At,
    named: &mut NamedServers<'_>,
    out: &mut Report,
) -> Option<RealServer> {
    let section = &keys::SERVER_ENTRY;
    for entry in &table.entries {
        if section.key(&entry.key).is_none() {
            unknown_key(section, entry, out);
        }
    }
    let view = View { section, at, own: table, defaults: None };
    let port = view.number("port", out);
    let weight = view.number("weight", out);
    let (name, address) = (view.entry("name"), view.entry("address"));
    let mut server = match (name, address) {
        (Some(_), None) => {
            let (name, at) = view.text("name", out)?;
            if let Some(server) = named.get_mut(name) {
                server.used = true;
                server.server.clone()?
            } else {
                unknown_server(name, at, named, out);
                return None;
            }
        }
        (None, Some(_)) => {
            let (text, at) = view.text("address", out)?;
            let address: IpAddr = self::address("real server", text, at, out)?;
            RealServer { name: None, address, port: None, weight: default_weight() }
        }
        (Some(name), Some(address)) => {
            let draft = Draft::new("E0108", address.at, "`name` and `address` exclude each other");
            out.push(draft.label("the name has an address").related(name.at, "the name"));
            return None;
        }
        (None, None) => {
            let draft = Draft::new("E0105", at, "a real server needs `address` or `name`");
            out.push(draft.label("neither is here"));
            return None;
        }
    };
    server.port = port.or(server.port);
    if view.entry("weight").is_some() {
        server.weight = weight?;
    }
    Some(server)
}
