//! What a reload changes, in words.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use super::value::show;
use super::{Check, Config, OnFailure, RealServer, Transport, VirtualRouter, VirtualService};
use crate::check::Kind;

/// Whether something comes, stays otherwise, or goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sign {
    /// `+`
    Added,
    /// `~`
    Changed,
    /// `-`
    Removed,
}

/// One line of what a reload changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Added, changed or removed.
    pub sign: Sign,
    /// What, and for changes from what to what: `vrrp main: advert_interval 1s -> 200ms`.
    pub text: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.sign {
            Sign::Added => '+',
            Sign::Changed => '~',
            Sign::Removed => '-',
        };
        write!(f, "{sign} {}", self.text)
    }
}

/// What changes from `old` to `new`, in the order of names; empty when they do the same.
pub fn diff(old: &Config, new: &Config) -> Vec<Change> {
    let mut changes = Vec::new();
    if old.node != new.node {
        changes.push(changed(format!("node name: {} -> {}", old.node, new.node)));
    }
    let routers = pair(&old.routers, &new.routers, |router| router.name.clone());
    for (name, both) in routers {
        match both {
            (Some(old), Some(new)) => router(old, new, &mut changes),
            (old, _) => changes.push(one_side(old.is_some(), format!("vrrp {name}"))),
        }
    }
    let services = pair(&old.services, &new.services, |service| service.name.clone());
    for (name, both) in services {
        match both {
            (Some(old), Some(new)) => service(old, new, &mut changes),
            (old, _) => changes.push(one_side(old.is_some(), format!("virtual_service {name}"))),
        }
    }
    changes
}

const fn changed(text: String) -> Change {
    Change { sign: Sign::Changed, text }
}

const fn one_side(old: bool, text: String) -> Change {
    Change { sign: if old { Sign::Removed } else { Sign::Added }, text }
}

/// Old and new things of the same key together.
type Pairs<'a, K, T> = BTreeMap<K, (Option<&'a T>, Option<&'a T>)>;

fn pair<'a, K: Ord, T>(old: &'a [T], new: &'a [T], key: impl Fn(&T) -> K) -> Pairs<'a, K, T> {
    let mut pairs: Pairs<'a, K, T> = BTreeMap::new();
    for thing in old {
        pairs.entry(key(thing)).or_default().0 = Some(thing);
    }
    for thing in new {
        pairs.entry(key(thing)).or_default().1 = Some(thing);
    }
    pairs
}

/// `~ object: setting old -> new`, for each setting that differs.
fn settings(object: &str, settings: &[(&str, String, String)], changes: &mut Vec<Change>) {
    for (setting, old, new) in settings {
        if old != new {
            changes.push(changed(format!("{object}: {setting} {old} -> {new}")));
        }
    }
}

fn router(old: &VirtualRouter, new: &VirtualRouter, changes: &mut Vec<Change>) {
    let object = format!("vrrp {}", new.name);
    let interface = |router: &VirtualRouter| {
        router.interface.as_ref().map_or("by subnet".to_owned(), ToString::to_string)
    };
    let interval = |router: &VirtualRouter| show(router.interval.to_duration());
    let transport = |router: &VirtualRouter| match &router.transport {
        Transport::Multicast => "multicast".to_owned(),
        Transport::Unicast(peers) => format!("unicast to {}", join(peers)),
    };
    let values = [
        ("interface", interface(old), interface(new)),
        ("vrid", old.vrid.get().to_string(), new.vrid.get().to_string()),
        ("priority", old.priority.get().to_string(), new.priority.get().to_string()),
        ("advert_interval", interval(old), interval(new)),
        ("preempt", old.preempt.to_string(), new.preempt.to_string()),
        ("preempt_delay", show(old.preempt_delay), show(new.preempt_delay)),
        ("transport", transport(old), transport(new)),
    ];
    settings(&object, &values, changes);
    let before = changes.len();
    for (vip, (old, new)) in pair(&old.vips, &new.vips, |vip| *vip) {
        if old.is_some() != new.is_some() {
            let text = format!("VIP {}/{} of {}", vip.address, vip.prefix, object);
            changes.push(one_side(old.is_some(), text));
        }
    }
    if old.vips != new.vips && changes.len() == before {
        changes.push(changed(format!("{object}: order of vips")));
    }
}

fn join<T: fmt::Display>(things: &[T]) -> String {
    things.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn service(old: &VirtualService, new: &VirtualService, changes: &mut Vec<Change>) {
    let persistence =
        |service: &VirtualService| service.persistence.map_or("none".to_owned(), show);
    let on_failure = |service: &VirtualService| match service.on_failure {
        OnFailure::Quiesce => "quiesce".to_owned(),
        OnFailure::Remove => "remove".to_owned(),
    };
    let values = [
        ("listen", join(&old.listen), join(&new.listen)),
        ("forward", old.forward.to_string(), new.forward.to_string()),
        ("scheduler", old.scheduler.to_string(), new.scheduler.to_string()),
        ("persistence", persistence(old), persistence(new)),
        ("on_failure", on_failure(old), on_failure(new)),
    ];
    settings(&format!("virtual_service {}", new.name), &values, changes);
    real_servers(old, new, changes);
    checks(old, new, changes);
}

fn real_servers(old: &VirtualService, new: &VirtualService, changes: &mut Vec<Change>) {
    let key = |server: &RealServer| (server.address, server.port);
    let before = changes.len();
    for ((address, port), both) in pair(&old.real_servers, &new.real_servers, key) {
        let object = format!("real server {} of {}", endpoint(address, port), new.name);
        let (Some(old), Some(new)) = both else {
            changes.push(one_side(both.0.is_some(), object));
            continue;
        };
        let name = |server: &RealServer| server.name.clone().unwrap_or("none".to_owned());
        let values = [
            ("weight", old.weight.to_string(), new.weight.to_string()),
            ("name", name(old), name(new)),
        ];
        settings(&object, &values, changes);
    }
    if old.real_servers != new.real_servers && changes.len() == before {
        changes.push(changed(format!("virtual_service {}: order of real_servers", new.name)));
    }
}

fn endpoint(address: IpAddr, port: Option<u16>) -> String {
    match port {
        Some(port) => std::net::SocketAddr::new(address, port).to_string(),
        None => address.to_string(),
    }
}

fn checks(old: &VirtualService, new: &VirtualService, changes: &mut Vec<Change>) {
    let object = format!("check of {}", new.name);
    if let ([old], [new]) = (old.checks.as_slice(), new.checks.as_slice()) {
        check(&object, old, new, changes);
        return;
    }
    if old.checks != new.checks {
        let kinds = |service: &VirtualService| {
            let kinds: Vec<&str> = service.checks.iter().map(|check| check.kind.name()).collect();
            if kinds.is_empty() { "none".to_owned() } else { kinds.join(" and ") }
        };
        let (before, after) = (kinds(old), kinds(new));
        let text = if before == after {
            format!("{object}: settings of {after}")
        } else {
            format!("{object}: {before} -> {after}")
        };
        changes.push(changed(text));
    }
}

fn check(object: &str, old: &Check, new: &Check, changes: &mut Vec<Change>) {
    let port = |check: &Check| check.port.map_or("the real server's".to_owned(), |p| p.to_string());
    let values = [
        ("type", old.kind.name().to_owned(), new.kind.name().to_owned()),
        ("port", port(old), port(new)),
        ("interval", show(old.timing.interval), show(new.timing.interval)),
        ("fast_interval", show(old.timing.fast_interval), show(new.timing.fast_interval)),
        ("jitter", show(old.timing.jitter), show(new.timing.jitter)),
        ("timeout", show(old.timing.timeout), show(new.timing.timeout)),
        ("rise", old.hysteresis.rise.to_string(), new.hysteresis.rise.to_string()),
        ("fall", old.hysteresis.fall.to_string(), new.hysteresis.fall.to_string()),
    ];
    settings(object, &values, changes);
    if let (Kind::Http(old), Kind::Http(new)) = (&old.kind, &new.kind)
        && old != new
    {
        let text = if old.path == new.path {
            format!("{object}: request or expected answer")
        } else {
            format!("{object}: path {} -> {}", old.path, new.path)
        };
        changes.push(changed(text));
    }
}

#[cfg(test)]
mod tests;
