//! `check`: from tables to health checks.

use std::num::NonZeroU32;
use std::time::Duration;

use super::keys;
use super::report::{At, Draft, Report};
use super::tree::{Entry, Node, Table, Value};
use super::value::{quote, show};
use super::view::{View, one_or_many, wrong_type};
use super::{Check, Timing};
use crate::check;
use crate::health::Hysteresis;

mod http;

const FORMS: &str = "a table with `type`, an array of such tables, \"tcp\" or \"none\"";

/// The checks of one virtual service; `None` where they could not be read.
pub(super) fn read_checks(
    entry: &Entry,
    defaults: Option<&Table>,
    out: &mut Report,
) -> Option<Vec<Check>> {
    let nodes = match &entry.node.value {
        Value::Text(text) if text == "none" => return Some(Vec::new()),
        Value::Text(_) | Value::Table(_) | Value::Array(_) => one_or_many(&entry.node),
        Value::Integer(_) | Value::Float | Value::Boolean(_) | Value::Datetime => {
            return wrong_type("check", FORMS, &entry.node, out);
        }
    };
    if nodes.is_empty() {
        let draft = Draft::new("E0402", entry.node.at, "`check` is empty");
        let draft = draft.label("nothing would be checked");
        out.push(draft.replace("to go without checks, write", entry.node.at, "\"none\""));
        return None;
    }
    // All of them are read before one that failed spoils the result.
    let checks: Vec<Option<Check>> =
        nodes.iter().map(|node| read_check(node, defaults, out)).collect();
    checks.into_iter().collect()
}

fn read_check(node: &Node, defaults: Option<&Table>, out: &mut Report) -> Option<Check> {
    let nothing = Table::default();
    let (own, word) = match &node.value {
        Value::Table(table) => (table, None),
        Value::Text(text) => (&nothing, Some((text.as_str(), node.at))),
        Value::Integer(_)
        | Value::Float
        | Value::Boolean(_)
        | Value::Datetime
        | Value::Array(_) => return wrong_type("check", FORMS, node, out),
    };
    let view = View { section: &keys::CHECK, at: node.at, own, defaults };
    let kind = match word {
        Some(word) => known_kind(word, out),
        None => read_type(&view, out),
    };
    check_keys(&view, kind, out);
    let timing = read_timing(&view, out)?;
    let port = view.number("port", out);
    let count = |key, out: &mut Report| {
        let (number, _) = view.integer(key, out)?;
        NonZeroU32::new(u32::try_from(number).ok()?)
    };
    let (rise, fall) = (count("rise", out), count("fall", out));
    let kind = match kind? {
        "http" => check::Kind::Http(http::read(&view, out)?),
        _ => check::Kind::Tcp(check::tcp::Spec::default()),
    };
    Some(Check { kind, port, timing, hysteresis: Hysteresis { rise: rise?, fall: fall? } })
}

fn read_type(view: &View<'_>, out: &mut Report) -> Option<&'static str> {
    if view.entry("type").is_none() {
        let draft = Draft::new("E0105", view.at, "`type` is missing in check");
        let known = check::Kind::NAMES.join(", ");
        out.push(draft.label("what shall be asked?").note(format!("known types: {known}")));
        return None;
    }
    known_kind(view.text("type", out)?, out)
}

fn known_kind((text, at): (&str, At), out: &mut Report) -> Option<&'static str> {
    if let Some(known) = check::Kind::NAMES.iter().find(|name| **name == text) {
        return Some(known);
    }
    let known = check::Kind::NAMES.join(", ");
    let word = quote(text);
    let later = ["https", "dns", "udp", "icmp", "ping", "smtp", "script", "grpc", "tls", "ssl"];
    let draft = if later.contains(&text) {
        Draft::new("E0401", at, format!("check type `{word}` is not available yet"))
            .label(format!("known: {known}"))
    } else {
        Draft::new("E0401", at, format!("unknown check type `{word}`"))
            .label(format!("known: {known}"))
    };
    let keepalived = match text.to_ascii_uppercase().as_str() {
        "TCP_CHECK" | "CONNECT" | "TCP" => Some("tcp"),
        "HTTP_GET" | "NEGOTIATE" | "HTTP" => Some("http"),
        _ => None,
    };
    let near = match keepalived {
        None if !later.contains(&text) => out.near(text, check::Kind::NAMES.iter().copied()),
        found => found,
    };
    out.push(match near {
        Some(near) => draft.replace("perhaps you mean", at, format!("\"{near}\"")),
        None => draft,
    });
    None
}

/// Complains about unknown keys, and about keys of another type of check.
fn check_keys(view: &View<'_>, kind: Option<&'static str>, out: &mut Report) {
    view.check_keys(out);
    for entry in &view.own.entries {
        let only = view.section.key(&entry.key).and_then(|key| key.only);
        if let (Some(only), Some(kind)) = (only, kind)
            && only != kind
        {
            let title = format!("`{}` is no key of a {kind} check", entry.key);
            let draft = Draft::new("E0102", entry.at, title);
            out.push(draft.label(format!("belongs to `type = \"{only}\"`")));
        }
    }
}

fn read_timing(view: &View<'_>, out: &mut Report) -> Option<Timing> {
    let interval = view.duration("interval", out)?;
    let timeout = view.duration("timeout", out)?;
    let fast = view.duration("fast_interval", out)?;
    let place = |key| view.entry(key).map(|entry| entry.node.at);
    if let Some(at) = place("fast_interval")
        && view.own.get("fast_interval").is_some()
        && fast > interval
    {
        let title = format!("`fast_interval` {} is longer than `interval`", show(fast));
        let draft = Draft::new("W0503", at, title).label("taken as the interval");
        out.push(draft.note(format!("`interval` is {}", show(interval))));
    }
    if let Some(at) = place("timeout").filter(|_| timeout > interval) {
        let title = format!("`timeout` {} is longer than `interval`", show(timeout));
        let label = "a hanging real server is asked less often than the interval says";
        let draft = Draft::new("W0502", at, title).label(label);
        out.push(draft.note(format!("`interval` is {}", show(interval))));
    }
    let jitter = match view.duration("jitter", out) {
        Some(jitter) if jitter > interval => {
            let title = format!("`jitter` {} is longer than `interval`", show(jitter));
            let draft = Draft::new("E0502", place("jitter").unwrap_or(view.at), title);
            out.push(draft.label(format!("must not be longer than {}", show(interval))));
            return None;
        }
        Some(jitter) => jitter,
        // To whole milliseconds: nobody wants to read `jitter 33.333333ms`.
        None => Duration::from_millis(u64::try_from(interval.as_millis() / 10).unwrap_or(0)),
    };
    Some(Timing { interval, fast_interval: fast.min(interval), jitter, timeout })
}

/// Reads `[defaults.check]` for its own sake: a mistake in it counts even when nothing uses it.
pub(super) fn try_defaults(entry: &Entry, table: &Table, out: &mut Report) {
    let view = View { section: &keys::CHECK, at: entry.at, own: table, defaults: None };
    view.check_keys(out);
    let kind = view.entry("type").and_then(|_| read_type(&view, out));
    check_keys(&view, kind, out);
    read_timing(&view, out);
    view.number("port", out);
    view.integer("rise", out);
    view.integer("fall", out);
    http::read(&view, out);
}
