//! A table as its section defines it: typed reading, defaults, and complaints about everything else.

use std::time::Duration;

use super::keys::{Key, Kind, Section};
use super::report::{At, Draft, Report};
use super::tree::{Entry, Node, Table, Value};
use super::value::{self, BadAddress, BadDuration, quote};
use std::net::IpAddr;

/// A table, the section that defines it, and the `[defaults.*]` behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) section: &'static Section,
    /// Where it was defined.
    pub(super) at: At,
    pub(super) own: &'a Table,
    pub(super) defaults: Option<&'a Table>,
}

impl<'a> View<'a> {
    /// The entry that counts: the table's own, else that of the defaults.
    pub(super) fn entry(&self, key: &str) -> Option<&'a Entry> {
        let inherits = self.section.key(key).is_some_and(|key| key.inherits);
        let inherited = || self.defaults.filter(|_| inherits)?.get(key);
        self.own.get(key).or_else(inherited)
    }

    /// Complains about keys that do not exist here.
    pub(super) fn check_keys(&self, out: &mut Report) {
        for entry in &self.own.entries {
            if self.section.key(&entry.key).is_none() {
                unknown_key(self.section, entry, out);
            }
        }
    }

    /// Whether the key is there under another name, which [`Self::check_keys`] has told: then it is
    /// not missing as well.
    pub(super) fn is_misnamed(&self, key: &str, out: &mut Report) -> bool {
        let names = || self.section.keys.iter().map(|key| key.name);
        self.own.entries.iter().any(|entry| {
            let word = entry.key.as_str();
            let absent = self.section.absent.iter().any(|(absent, _)| *absent == word);
            if self.section.key(word).is_some() || absent {
                return false;
            }
            let meant = self.section.key_called(word).map(|key| key.name);
            meant.or_else(|| out.near(word, names())) == Some(key)
        })
    }

    /// The entry of a key the table needs; a complaint when it is absent.
    pub(super) fn required(&self, key: &str, out: &mut Report) -> Option<&'a Entry> {
        let entry = self.entry(key);
        if entry.is_none() && !self.is_misnamed(key, out) {
            let title = format!("`{key}` is missing in {}", self.section.title);
            let mut draft = Draft::new("E0105", self.at, title).label("needed here");
            if let Some(key) = self.section.key(key) {
                draft = draft.note(format!("{}: {}", key.name, key.doc));
            }
            out.push(draft);
        }
        entry
    }

    /// A string.
    pub(super) fn text(&self, key: &str, out: &mut Report) -> Option<(&'a str, At)> {
        let node = &self.entry(key)?.node;
        match node.value.as_text() {
            Some(text) => Some((text, node.at)),
            None => wrong_type(key, "a string", node, out),
        }
    }

    /// A string, or the default of its key.
    pub(super) fn text_or_default(&self, key: &str, out: &mut Report) -> &'a str {
        let default = self.section.key(key).and_then(|key| key.default).unwrap_or_default();
        self.text(key, out).map_or(default, |(text, _)| text)
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self, key: &str, out: &mut Report) -> bool {
        let default = self.section.key(key).and_then(|key| key.default) == Some("true");
        let Some(entry) = self.entry(key) else { return default };
        if let Value::Boolean(boolean) = &entry.node.value {
            return *boolean;
        }
        let draft = wrong_type_draft(key, "true or false", &entry.node);
        out.push(match entry.node.value.as_text() {
            Some("true" | "yes" | "on") => draft.replace("write it as", entry.node.at, "true"),
            Some("false" | "no" | "off") => draft.replace("write it as", entry.node.at, "false"),
            _ => draft,
        });
        default
    }

    /// An integer within the bounds of its key; `None` when absent without default, or wrong.
    pub(super) fn integer(&self, key: &str, out: &mut Report) -> Option<(i64, At)> {
        let definition = self.section.key(key)?;
        let Some(entry) = self.entry(key) else {
            return Some((definition.default?.parse().ok()?, self.at));
        };
        let Kind::Integer { min, max } = definition.kind else { return None };
        let number = integer_node(key, &entry.node, (min, max), out)?;
        Some((number, entry.node.at))
    }

    /// An unsigned 16-bit integer: a port, a weight.
    pub(super) fn number(&self, key: &str, out: &mut Report) -> Option<u16> {
        self.integer(key, out).and_then(|(number, _)| u16::try_from(number).ok())
    }

    /// A duration within the bounds of its key; the default where it is absent or wrong.
    pub(super) fn duration(&self, key: &str, out: &mut Report) -> Option<Duration> {
        let definition = self.section.key(key)?;
        let default = || definition.default.and_then(|text| value::duration(text).ok());
        let Some(entry) = self.entry(key) else { return default() };
        duration_node(definition, &entry.node, out).or_else(default)
    }

    /// One of the words of its key; the default where it is absent, `None` where it is wrong.
    pub(super) fn choice(&self, key: &str, out: &mut Report) -> Option<&'a str> {
        let definition = self.section.key(key)?;
        let Kind::Choice(words) = definition.kind else { return None };
        if self.entry(key).is_none() {
            return definition.default;
        }
        let (text, at) = self.text(key, out)?;
        if words.contains(&text) {
            return Some(text);
        }
        out_of_choice(definition, words, (text, at), out);
        None
    }
}

/// Complains about a key that its table does not have, as helpfully as possible.
pub(super) fn unknown_key(section: &'static Section, entry: &Entry, out: &mut Report) {
    let word = quote(&entry.key);
    let draft = Draft::new("E0102", entry.at, format!("unknown key `{word}` in {}", section.title));
    let absent = section.absent.iter().find(|(absent, _)| *absent == entry.key);
    let draft = if let Some((_, hint)) = absent {
        draft.label(*hint)
    } else if let Some(key) = section.key_called(&entry.key) {
        draft.label("not a key of this table").replace(
            format!("`{word}` of other programs is called `{}` here", key.name),
            entry.at,
            key.name,
        )
    } else if let Some(near) = out.near(&entry.key, section.keys.iter().map(|key| key.name)) {
        draft.label("not a key of this table").replace(
            "a key with a similar name exists",
            entry.at,
            near,
        )
    } else {
        let names: Vec<&str> = section.keys.iter().map(|key| key.name).collect();
        draft.label("not a key of this table").note(format!("known keys: {}", names.join(", ")))
    };
    out.push(draft);
}

fn wrong_type_draft(key: &str, expected: &str, node: &Node) -> Draft {
    Draft::new("E0101", node.at, format!("`{key}` is {}", node.value.kind()))
        .label(format!("expected {expected}"))
}

/// Complains about a value of another type.
pub(super) fn wrong_type<T>(key: &str, expected: &str, node: &Node, out: &mut Report) -> Option<T> {
    out.push(wrong_type_draft(key, expected, node));
    None
}

/// An integer within bounds.
pub(super) fn integer_node(
    key: &str,
    node: &Node,
    (min, max): (i64, i64),
    out: &mut Report,
) -> Option<i64> {
    let expected = format!("an integer from {min} to {max}");
    let Value::Integer(number) = node.value else {
        let draft = wrong_type_draft(key, &expected, node);
        out.push(match node.value.as_text().filter(|text| text.parse::<i64>().is_ok()) {
            Some(text) => draft.replace("write it as", node.at, text),
            None => draft,
        });
        return None;
    };
    if (min..=max).contains(&number) {
        return Some(number);
    }
    let title = format!("`{key}` {number} is out of range");
    let draft = Draft::new("E0104", node.at, title).label(match max.checked_sub(min) {
        Some(0) => format!("must be {min}"),
        _ => format!("must be between {min} and {max}"),
    });
    out.push(match source_of_bounds(key) {
        Some(source) => draft.note(source),
        None => draft,
    });
    None
}

fn source_of_bounds(key: &str) -> Option<&'static str> {
    match key {
        "vrid" => Some(
            "RFC 9568 section 5.2.3: the virtual router identifier is one octet, 0 is reserved",
        ),
        "priority" => Some(
            "RFC 9568 section 5.2.4: 1 to 254 for directors; 0 means \"resigning\" on the wire",
        ),
        "weight" => Some("ip_vs.h: the kernel takes weights up to 65535"),
        "version" => Some("this version speaks VRRP version 3 (RFC 9568) only"),
        _ => None,
    }
}

/// A duration within the bounds of its key.
fn duration_node(key: &Key, node: &Node, out: &mut Report) -> Option<Duration> {
    let Kind::Duration { min, max } = key.kind else { return None };
    let bad = || Draft::new("E0103", node.at, "durations need a unit");
    let form = "expected a string such as \"5s\" or \"500ms\"";
    let text = match &node.value {
        Value::Text(text) => text,
        Value::Integer(number) => {
            let fix = format!("\"{number}s\"");
            out.push(bad().label(form).replace("write seconds as", node.at, fix));
            return None;
        }
        Value::Float => {
            out.push(bad().label(form));
            return None;
        }
        Value::Boolean(_) | Value::Datetime | Value::Array(_) | Value::Table(_) => {
            return wrong_type(key.name, "a duration such as \"5s\" or \"500ms\"", node, out);
        }
    };
    match value::duration(text) {
        Ok(duration) if duration < min || duration > max => {
            let title = format!("`{}` {} is out of range", key.name, quote(text));
            let label = format!("must be between {} and {}", value::show(min), value::show(max));
            out.push(Draft::new("E0104", node.at, title).label(label));
            None
        }
        Ok(duration) => Some(duration),
        Err(BadDuration::NoUnit) => {
            let fix = format!("\"{text}s\"");
            out.push(bad().label(form).replace("write seconds as", node.at, fix));
            None
        }
        Err(BadDuration::Form) => {
            let title = format!("`{}` is no duration", quote(text));
            let draft = Draft::new("E0103", node.at, title).label(form);
            out.push(draft.note("units are ms, s, m and h"));
            None
        }
    }
}

fn out_of_choice(key: &Key, words: &[&'static str], (text, at): (&str, At), out: &mut Report) {
    let word = quote(text);
    let listed = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let draft = match key.name {
        "scheduler" => Draft::new("E0106", at, format!("unknown scheduler `{word}`"))
            .label("not an IPVS scheduler")
            .note(format!("known schedulers (ipvsadm(8)): {}", words.join(", "))),
        "forward" => Draft::new("E0107", at, format!("unknown forwarding method `{word}`"))
            .label(format!("expected one of {listed}")),
        name => Draft::new("E0108", at, format!("`{name}` cannot be `{word}`"))
            .label(format!("expected one of {listed}")),
    };
    if let Some((message, known)) = foreign_word(key.name, text) {
        out.push(draft.replace(message, at, format!("\"{known}\"")));
    } else if let Some(known) = words.iter().find(|known| known.eq_ignore_ascii_case(text)) {
        out.push(draft.replace("it is written in small letters", at, format!("\"{known}\"")));
    } else if let Some(near) = out.near(text, words.iter().copied()) {
        let what = if key.name == "scheduler" { "a scheduler" } else { "a word" };
        let message = format!("{what} with a similar name exists");
        out.push(draft.replace(message, at, format!("\"{near}\"")));
    } else {
        out.push(draft);
    }
}

/// What other programs call a value of ours.
fn foreign_word(key: &str, text: &str) -> Option<(&'static str, &'static str)> {
    match (key, text.to_ascii_lowercase().as_str()) {
        (
            "forward",
            "dr" | "direct-routing" | "direct" | "route" | "gate" | "gatewaying" | "-g",
        ) => Some(("direct routing (ipvsadm -g) is written", "dr")),
        ("forward", "nat" | "masq" | "masquerade" | "masquerading" | "-m") => {
            Some(("address translation (ipvsadm -m) is written", "nat"))
        }
        ("forward", "tun" | "tunnel" | "tunneling" | "ipip" | "-i") => {
            Some(("IP in IP (ipvsadm -i) is written", "tunnel"))
        }
        _ => None,
    }
}

/// An IPv4 address; `what` has it, such as "real server".
pub(super) fn address(what: &str, text: &str, at: At, out: &mut Report) -> Option<IpAddr> {
    let word = quote(text);
    let draft = match value::address(text) {
        Ok(address) => return Some(address),
        Err(BadAddress::Ipv6) => {
            Draft::new("E0112", at, format!("{what} {word}: IPv6 is not supported yet"))
                .label("an IPv6 address")
                .note("this version balances IPv4 only")
        }
        Err(BadAddress::Special(meaning)) => {
            Draft::new("E0109", at, format!("{what} {word} {meaning}"))
                .label("no machine can have this address")
        }
        Err(BadAddress::Form) => {
            Draft::new("E0109", at, format!("`{word}` is not an IPv4 address"))
                .label("expected an address such as 192.168.0.3")
        }
    };
    out.push(draft);
    None
}

/// `NAME` of a table: what status lines, metrics and arguments call it.
pub(super) fn good_name(entry: &Entry, out: &mut Report) -> bool {
    let name = &entry.key;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let good = !name.is_empty() && name.len() <= 64 && name.chars().all(plain);
    if !good {
        let title = format!("`{}` cannot be a name", quote(name));
        out.push(
            Draft::new("E0115", entry.at, title)
                .label("1 to 64 letters, digits, `-`, `_` or `.`")
                .note("names appear in commands, metrics and status lines"),
        );
    }
    good
}

/// The tables `[section.NAME]`.
pub(super) fn named_tables<'a>(
    root: &'a Table,
    section: &str,
    out: &mut Report,
) -> Vec<(&'a Entry, &'a Table)> {
    let Some(entry) = root.get(section) else { return Vec::new() };
    let Value::Table(names) = &entry.node.value else {
        wrong_type::<()>(section, &format!("tables [{section}.NAME]"), &entry.node, out);
        return Vec::new();
    };
    let mut tables = Vec::with_capacity(names.entries.len());
    for entry in &names.entries {
        good_name(entry, out);
        if let Value::Table(table) = &entry.node.value {
            tables.push((entry, table));
        } else {
            // `[vrrp] vrid = 51`: the name was left out.
            let title = format!("`{section}.{}` is {}", quote(&entry.key), entry.node.value.kind());
            let draft = Draft::new("E0101", entry.at, title).label("expected a table");
            out.push(draft.help(format!("give the table a name of your choice: [{section}.NAME]")));
        }
    }
    tables
}

/// A value, or an array of them, as a list.
pub(super) fn one_or_many(node: &Node) -> &[Node] {
    match &node.value {
        Value::Array(nodes) => nodes,
        Value::Text(_)
        | Value::Integer(_)
        | Value::Float
        | Value::Boolean(_)
        | Value::Datetime
        | Value::Table(_) => std::slice::from_ref(node),
    }
}
