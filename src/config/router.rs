//! `[node.NAME]` and `[vrrp.NAME]`: from tables to virtual routers as this node runs them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::keys;
use super::report::{At, Draft, Report};
use super::tree::{Entry, Node, Table, Value};
use super::value::{quote, show};
use super::view::{View, address, integer_node, named_tables, one_or_many, wrong_type};
use super::{Transport, Vip, VirtualRouter};
use crate::net::IfName;
use crate::vrrp::{Interval, Priority, Vrid};

/// `[node.NAME]`.
#[derive(Debug)]
pub(super) struct NodeSection<'a> {
    pub(super) name: &'a str,
    pub(super) at: At,
    pub(super) addresses: Vec<(IpAddr, At)>,
    priority: NodePriority,
}

#[derive(Debug)]
enum NodePriority {
    Unsaid,
    All(Priority),
    Each(HashMap<String, Priority>),
}

impl NodeSection<'_> {
    /// What the node says about its priority in a virtual router.
    pub(super) fn priority(&self, router: &str) -> Option<Priority> {
        match &self.priority {
            NodePriority::Unsaid => None,
            NodePriority::All(priority) => Some(*priority),
            NodePriority::Each(priorities) => priorities.get(router).copied(),
        }
    }
}

/// `[vrrp.NAME]` as far as it could be read, with places for later complaints.
#[derive(Debug)]
pub(super) struct RouterDraft<'a> {
    pub(super) name: &'a str,
    pub(super) vrid: Option<(Vrid, At)>,
    pub(super) interface: Option<IfName>,
    pub(super) vips: Vec<(Vip, At)>,
    /// Whether `vips` is all there was: some may not have been readable.
    pub(super) all_vips: bool,
    pub(super) router: Option<VirtualRouter>,
}

/// All `[node.*]`; complains when this node is not among them.
pub(super) fn read_nodes<'a>(root: &'a Table, me: &str, out: &mut Report) -> Vec<NodeSection<'a>> {
    let tables = named_tables(root, "node", out);
    let routers = root.get("vrrp").map(|entry| &entry.node.value);
    let mut known = Vec::new();
    if let Some(Value::Table(table)) = routers {
        known = table.entries.iter().map(|entry| entry.key.as_str()).collect();
    }
    let nodes: Vec<_> =
        tables.iter().map(|(entry, table)| read_node(entry, table, &known, out)).collect();
    let mut owners: HashMap<IpAddr, (At, &str)> = HashMap::new();
    for node in &nodes {
        for (address, at) in &node.addresses {
            if let Some((first, _)) = owners.insert(*address, (*at, node.name)) {
                let title = format!("address {address} is written twice");
                let draft = Draft::new("E0209", *at, title).label("written again here");
                out.push(draft.related(first, "first written here"));
            }
        }
    }
    if let Some(first) = nodes.first()
        && !nodes.iter().any(|node| node.name == me)
    {
        let names: Vec<&str> = nodes.iter().map(|node| node.name).collect();
        let title = format!("this node, `{}`, has no [node.NAME] section", quote(me));
        let mut draft = Draft::new("E0204", first.at, title)
            .label(format!("sections exist for: {}", names.join(", ")))
            .note("a node is known by its short host name, or by --node NAME");
        if let Some(near) = out.near(me, names.iter().copied()) {
            draft = draft.help(format!("a node with a similar name exists: `{near}`"));
        }
        out.push(draft);
    }
    nodes
}

fn read_node<'a>(
    entry: &'a Entry,
    table: &'a Table,
    routers: &[&str],
    out: &mut Report,
) -> NodeSection<'a> {
    let view = View { section: &keys::NODE, at: entry.at, own: table, defaults: None };
    view.check_keys(out);
    let mut addresses = Vec::new();
    for node in view.entry("address").map_or(&[][..], |entry| one_or_many(&entry.node)) {
        if let Value::Text(text) = &node.value {
            let found = address("node address", text, node.at, out);
            addresses.extend(found.map(|address| (address, node.at)));
        } else {
            wrong_type::<()>("address", "a string or an array of strings", node, out);
        }
    }
    let priority = match view.entry("priority").map(|entry| &entry.node) {
        None => NodePriority::Unsaid,
        Some(Node { value: Value::Table(table), .. }) => {
            let mut each = HashMap::new();
            for entry in &table.entries {
                if !routers.contains(&entry.key.as_str()) {
                    unknown_router(entry, routers, out);
                }
                if let Some(priority) = priority(&entry.node, out) {
                    each.insert(entry.key.clone(), priority);
                }
            }
            NodePriority::Each(each)
        }
        Some(node) => priority(node, out).map_or(NodePriority::Unsaid, NodePriority::All),
    };
    NodeSection { name: &entry.key, at: entry.at, addresses, priority }
}

fn unknown_router(entry: &Entry, routers: &[&str], out: &mut Report) {
    let title = format!("there is no virtual router `{}`", quote(&entry.key));
    let draft = Draft::new("E0203", entry.at, title).label("no [vrrp.NAME] of this name");
    match out.near(&entry.key, routers.iter().copied()) {
        Some(near) => {
            out.push(draft.replace("a virtual router with a similar name exists", entry.at, near));
        }
        None => out.push(draft),
    }
}

/// A priority a director may have.
fn priority(node: &Node, out: &mut Report) -> Option<Priority> {
    if matches!(node.value, Value::Integer(255)) {
        out.push(
            Draft::new("E0104", node.at, "`priority` 255 is out of range")
                .label("must be between 1 and 254")
                .note("RFC 9568 section 5.2.4: 255 is for the owner of the address; the VIPs of a director pair are owned by nobody")
                .replace("the highest priority of a director is", node.at, "254"),
        );
        return None;
    }
    let number = integer_node("priority", node, (1, 254), out)?;
    Priority::try_from(u8::try_from(number).ok()?).ok()
}

/// What the virtual routers are read with.
#[derive(Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) me: &'a str,
    pub(super) nodes: &'a [NodeSection<'a>],
    pub(super) defaults: Option<&'a Table>,
}

/// All `[vrrp.*]`.
pub(super) fn read_routers<'a>(
    root: &'a Table,
    around: &Surroundings<'a>,
    out: &mut Report,
) -> Vec<RouterDraft<'a>> {
    let tables = named_tables(root, "vrrp", out);
    tables.into_iter().map(|(entry, table)| read_router(entry, table, around, out)).collect()
}

fn read_router<'a>(
    entry: &'a Entry,
    table: &'a Table,
    around: &Surroundings<'a>,
    out: &mut Report,
) -> RouterDraft<'a> {
    let view = View { section: &keys::VRRP, at: entry.at, own: table, defaults: around.defaults };
    view.check_keys(out);
    check_version(&view, out);
    let vrid = view.required("vrid", out).and_then(|_| view.integer("vrid", out));
    let vrid =
        vrid.and_then(|(number, at)| Some((Vrid::try_from(u8::try_from(number).ok()?).ok()?, at)));
    let interface = read_interface(&view, out);
    let vips = view.required("vips", out).map_or_else(Vec::new, |vips| read_vips(&vips.node, out));
    let written = view.entry("vips").map_or(0, |entry| one_or_many(&entry.node).len());
    let shared = match view.entry("priority") {
        Some(entry) => priority(&entry.node, out),
        None => default_priority(),
    };
    let said = around.nodes.iter().find(|node| node.name == around.me);
    let priority = said.and_then(|node| node.priority(&entry.key)).or(shared);
    let preempt = view.boolean("preempt", out);
    let preempt_delay = view.duration("preempt_delay", out).unwrap_or_default();
    warn_about_preemption(&view, preempt, preempt_delay, (&entry.key, shared), around, out);
    let interval = read_interval(&view, out);
    let transport = read_transport(&view, around, out);
    let router = || {
        Some(VirtualRouter {
            name: entry.key.clone(),
            interface: interface.clone(),
            vrid: vrid?.0,
            vips: vips.iter().map(|(vip, _)| *vip).collect(),
            priority: priority?,
            interval: interval?,
            preempt,
            preempt_delay,
            transport: transport?,
        })
    };
    let router = router();
    let all_vips = written == vips.len() && !vips.is_empty();
    RouterDraft { name: &entry.key, vrid, interface, vips, all_vips, router }
}

/// Reads `[defaults.vrrp]` for its own sake: a mistake in it counts even when nothing uses it.
pub(super) fn try_defaults(entry: &Entry, table: &Table, out: &mut Report) {
    let view = View { section: &keys::VRRP, at: entry.at, own: table, defaults: None };
    check_version(&view, out);
    view.boolean("preempt", out);
    view.duration("preempt_delay", out);
    view.choice("transport", out);
    read_interface(&view, out);
    read_interval(&view, out);
    if let Some(entry) = view.entry("priority") {
        priority(&entry.node, out);
    }
}

fn default_priority() -> Option<Priority> {
    let text = keys::VRRP.key("priority")?.default?;
    Priority::try_from(text.parse::<u8>().ok()?).ok()
}

/// There is one version so far: nothing to keep.
fn check_version(view: &View<'_>, out: &mut Report) {
    let entry = view.entry("version").map(|entry| &entry.node);
    if let Some(Node { at, value: Value::Integer(2) }) = entry {
        let draft = Draft::new("E0112", *at, "VRRP version 2 is not available yet");
        let draft = draft.label("must be 3, which is the default");
        out.push(draft.note("this version speaks VRRP version 3 (RFC 9568) only"));
    } else {
        view.integer("version", out);
    }
}

fn read_interface(view: &View<'_>, out: &mut Report) -> Option<IfName> {
    let (text, at) = view.text("interface", out)?;
    if let Ok(name) = IfName::try_from(text) {
        Some(name)
    } else {
        let title = format!("`{}` cannot name a network interface", quote(text));
        let label = "1 to 15 characters, no `/`, `:` or white space";
        out.push(Draft::new("E0115", at, title).label(label));
        None
    }
}

fn read_vips(node: &Node, out: &mut Report) -> Vec<(Vip, At)> {
    let nodes = one_or_many(node);
    if nodes.is_empty() {
        let draft = Draft::new("E0105", node.at, "`vips` is empty");
        out.push(draft.label("a virtual router needs at least one virtual address"));
    } else if nodes.len() > 255 {
        let title = format!("{} VIPs in one virtual router", nodes.len());
        let draft = Draft::new("E0104", node.at, title).label("at most 255");
        out.push(draft.note("RFC 9568 section 5.2.5: the number of addresses is one octet"));
    }
    nodes.iter().filter_map(|node| Some((read_vip(node, out)?, node.at))).collect()
}

fn read_vip(node: &Node, out: &mut Report) -> Option<Vip> {
    let Value::Text(text) = &node.value else {
        return wrong_type("vips", "strings such as \"192.168.0.101/24\"", node, out);
    };
    let (plain, length) = text.split_once('/').map_or((text.as_str(), None), |(a, p)| (a, Some(p)));
    let address = address("VIP", plain, node.at, out)?;
    let prefix = match length {
        None => 32,
        Some(length) => {
            if let Some(prefix) =
                length.parse::<u8>().ok().filter(|length| (1..=32).contains(length))
            {
                prefix
            } else {
                let title = format!("`/{}` is no prefix length", quote(length));
                let draft = Draft::new("E0109", node.at, title);
                out.push(draft.label("expected an address such as \"192.168.0.101/24\""));
                return None;
            }
        }
    };
    if let IpAddr::V4(v4) = address
        && prefix < 31
    {
        let host = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
        let part = v4.to_bits() & host;
        if part == 0 || part == host {
            let what = if part == 0 { "network" } else { "broadcast" };
            let title = format!("VIP {text} is the {what} address of its subnet");
            let draft = Draft::new("E0109", node.at, title);
            out.push(draft.label("no machine can have this address"));
            return None;
        }
    }
    Some(Vip { address, prefix })
}

fn read_interval(view: &View<'_>, out: &mut Report) -> Option<Interval> {
    let interval = view.duration("advert_interval", out)?;
    let at = view.entry("advert_interval").map_or(view.at, |entry| entry.node.at);
    if !interval.as_nanos().is_multiple_of(10_000_000) {
        let title = format!("`advert_interval` {} is no multiple of 10ms", show(interval));
        let centis = interval.as_millis().div_ceil(10).saturating_mul(10);
        let fix = show(Duration::from_millis(u64::try_from(centis).unwrap_or(u64::MAX)));
        out.push(
            Draft::new("E0501", at, title)
                .label("advertisements carry the interval in hundredths of a second")
                .note("RFC 9568 section 5.2.7: Max Advertise Interval, in centiseconds")
                .replace("the next one is", at, format!("\"{fix}\"")),
        );
        return None;
    }
    if interval < Duration::from_millis(50) {
        let title = format!("`advert_interval` {} is very short", show(interval));
        out.push(
            Draft::new("W0501", at, title)
                .label("a delay of three intervals makes the backup director take over")
                .note("a busy machine can be late by tens of milliseconds; 200ms is the default"),
        );
    }
    let centis = u16::try_from(interval.as_millis() / 10).ok()?;
    Interval::from_centis(centis).ok()
}

/// `preempt` and `preempt_delay` where they do nothing.
fn warn_about_preemption(
    view: &View<'_>,
    preempt: bool,
    delay: Duration,
    (router, shared): (&str, Option<Priority>),
    around: &Surroundings<'_>,
    out: &mut Report,
) {
    if let Some(entry) = view.own.get("preempt_delay")
        && !preempt
        && !delay.is_zero()
    {
        let draft = Draft::new("W0202", entry.at, "`preempt_delay` does nothing without `preempt`");
        let draft = draft.label("a returning director stays backup anyway");
        out.push(draft.help("write `preempt = true`, or drop `preempt_delay`"));
    }
    let mut priorities = around.nodes.iter().map(|node| node.priority(router).or(shared));
    let first = priorities.next().flatten();
    let equal = around.nodes.len() > 1 && priorities.all(|priority| priority == first);
    if let Some(entry) = view.own.get("preempt")
        && preempt
        && equal
    {
        let title = "`preempt` does nothing: all nodes have the same priority";
        let draft = Draft::new("W0203", entry.at, title);
        let draft = draft.label(format!("whoever is active for `{router}` stays active"));
        out.push(draft.note("RFC 9568 section 6.4.2: only a higher priority preempts"));
    }
}

fn read_transport(
    view: &View<'_>,
    around: &Surroundings<'_>,
    out: &mut Report,
) -> Option<Transport> {
    if view.choice("transport", out)? == "multicast" {
        return Some(Transport::Multicast);
    }
    let at = view.entry("transport").map_or(view.at, |entry| entry.node.at);
    if around.nodes.is_empty() {
        let draft = Draft::new("E0205", at, "unicast needs to know the other nodes")
            .label("there is no [node.NAME] section");
        let example = "write [node.NAME] with `address` for each director";
        out.push(draft.help(example));
        return None;
    }
    for node in around.nodes.iter().filter(|node| node.addresses.is_empty()) {
        let title = format!("node `{}` has no address, which unicast needs", node.name);
        let draft = Draft::new("E0205", node.at, title).label("`address` is missing");
        out.push(draft.related(at, "needed for this"));
    }
    let others = || around.nodes.iter().filter(|node| node.name != around.me);
    if others().next().is_none() {
        let draft = Draft::new("E0205", at, "unicast needs another node");
        out.push(
            draft.label(format!("the only [node.NAME] section is `{}`, this node", around.me)),
        );
        return None;
    }
    let peers: Vec<IpAddr> =
        others().flat_map(|node| node.addresses.iter().map(|(address, _)| *address)).collect();
    Some(Transport::Unicast(peers)).filter(|_| others().any(|node| !node.addresses.is_empty()))
}
