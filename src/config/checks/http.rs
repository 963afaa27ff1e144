//! The keys of `type = "http"`.

use regex::Regex;

use crate::check::http::{BodyMatch, Spec};
use crate::config::report::{At, Draft, Report};
use crate::config::tree::{Node, Value};
use crate::config::value::{quote, size};
use crate::config::view::{View, one_or_many, wrong_type};

/// Most of a body that may be read.
const MOST_BODY: u64 = 16 * 1024 * 1024;

pub(super) fn read(view: &View<'_>, out: &mut Report) -> Option<Spec> {
    let path = read_path(view, out);
    let method = read_method(view, out);
    let host = view.text("host", out).map(|(text, at)| host(text, at, out));
    let headers = read_headers(view, out);
    let status = match view.entry("status") {
        Some(entry) => read_status(&entry.node, out),
        None => vec![(200, 299)],
    };
    let body = read_body(view, out);
    let max_body = read_max_body(view, out);
    if let (Some(method), Some(_)) = (&method, &body)
        && method == "HEAD"
    {
        let at = view.entry("method").map_or(view.at, |entry| entry.node.at);
        let draft = Draft::new("E0407", at, "the answer to HEAD has no body");
        out.push(draft.label("`body` and `body_regex` could never match").replace(
            "to look at the body, write",
            at,
            "\"GET\"",
        ));
    }
    let host = match host {
        Some(host) => Some(host?),
        None => None,
    };
    if status.is_empty() {
        return None;
    }
    Some(Spec { method: method?, path: path?, host, headers, status, body, max_body: max_body? })
}

fn read_path(view: &View<'_>, out: &mut Report) -> Option<String> {
    let path = view.text_or_default("path", out);
    let at = view.entry("path").map_or(view.at, |entry| entry.node.at);
    if !path.starts_with('/') {
        let title = format!("`path` `{}` does not begin with `/`", quote(path));
        let draft = Draft::new("E0404", at, title).label("expected a path such as \"/healthz\"");
        let rest = path.split_once("://").map_or(path, |(_, rest)| {
            rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or("/")
        });
        let fix = format!("\"/{}\"", rest.trim_start_matches('/').escape_default());
        out.push(draft.replace("write it as", at, fix));
        return None;
    }
    if path.bytes().any(|byte| !byte.is_ascii_graphic()) || path.contains('#') {
        let title = format!("`path` `{}` cannot be sent", quote(path));
        let draft = Draft::new("E0404", at, title);
        let label = "no white space, `#` or characters beyond ASCII; percent-encode them";
        out.push(draft.label(label).note("RFC 9112 section 3.2.1: origin-form"));
        return None;
    }
    Some(path.to_owned())
}

/// `token` of RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    let mark = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || mark(byte))
}

fn read_method(view: &View<'_>, out: &mut Report) -> Option<String> {
    let method = view.text_or_default("method", out);
    let at = view.entry("method").map_or(view.at, |entry| entry.node.at);
    let upper = method.to_ascii_uppercase();
    let known = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];
    let right_case = upper == method || !known.contains(&upper.as_str());
    if is_token(method) && right_case && method != "CONNECT" {
        return Some(method.to_owned());
    }
    let title = format!("`{}` is no request method", quote(method));
    let draft = Draft::new("E0406", at, title).label("expected a method such as \"GET\"");
    out.push(if known.contains(&upper.as_str()) {
        draft.note("RFC 9110 section 9.1: methods are case-sensitive").replace(
            "write it as",
            at,
            format!("\"{upper}\""),
        )
    } else {
        draft
    });
    None
}

fn host(text: &str, at: At, out: &mut Report) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]%".contains(&byte);
    if !text.is_empty() && text.len() <= 255 && text.bytes().all(allowed) {
        return Some(text.to_owned());
    }
    let draft = Draft::new("E0406", at, format!("`{}` is no host name", quote(text)));
    out.push(draft.label("expected a name such as \"www.example.com\""));
    None
}

fn read_headers(view: &View<'_>, out: &mut Report) -> Vec<(String, String)> {
    let Some(entry) = view.entry("headers") else { return Vec::new() };
    let Value::Table(table) = &entry.node.value else {
        wrong_type::<()>("headers", "a table such as { accept = \"*/*\" }", &entry.node, out);
        return Vec::new();
    };
    let mut headers = Vec::new();
    for entry in &table.entries {
        let name = quote(&entry.key);
        let Value::Text(text) = &entry.node.value else {
            wrong_type::<()>(&name, "a string", &entry.node, out);
            continue;
        };
        let refusal = if !is_token(&entry.key) {
            Some((entry.at, "is no name of a header"))
        } else if entry.key.eq_ignore_ascii_case("host") {
            Some((entry.at, "is written as the key `host` of the check"))
        } else if ["content-length", "transfer-encoding", "connection"]
            .contains(&entry.key.to_ascii_lowercase().as_str())
        {
            Some((entry.at, "is set by the check itself"))
        } else if text.bytes().any(|byte| byte != b'\t' && !(0x20..0x7f).contains(&byte)) {
            Some((entry.node.at, "has a value that cannot be sent"))
        } else {
            None
        };
        match refusal {
            Some((at, why)) => {
                let draft = Draft::new("E0406", at, format!("header `{name}` {why}"));
                out.push(draft.label("not accepted").note("RFC 9110 section 5: header fields"));
            }
            None => headers.push((entry.key.clone(), text.clone())),
        }
    }
    headers
}

fn read_status(node: &Node, out: &mut Report) -> Vec<(u16, u16)> {
    let nodes = one_or_many(node);
    if nodes.is_empty() {
        let draft = Draft::new("E0405", node.at, "`status` is empty");
        out.push(draft.label("no answer could ever be right"));
    }
    nodes.iter().filter_map(|node| status(node, out)).collect()
}

fn status(node: &Node, out: &mut Report) -> Option<(u16, u16)> {
    let code = |text: &str| {
        let good = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|code| good && (100..=599).contains(code))
    };
    let (shown, found, fix) = match &node.value {
        Value::Integer(number) => {
            let text = number.to_string();
            let range = code(&text).map(|code| (code, code));
            (text, range, None)
        }
        Value::Text(text) => {
            let (low, high) = text.split_once('-').unwrap_or((text, text));
            let range = code(low.trim()).zip(code(high.trim())).filter(|(low, high)| low <= high);
            let class = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX"));
            let fix = class.map(|class| format!("\"{class}00-{class}99\""));
            (quote(text), range, fix.filter(|fix| code(fix.get(1..4).unwrap_or("")).is_some()))
        }
        Value::Float | Value::Boolean(_) | Value::Datetime | Value::Array(_) | Value::Table(_) => {
            return wrong_type("status", "a code such as 200, or \"200-299\"", node, out);
        }
    };
    if found.is_none() {
        let draft = Draft::new("E0405", node.at, format!("`{shown}` is no status code"))
            .label("expected a code from 100 to 599 or a range such as \"200-299\"");
        out.push(match fix {
            Some(fix) => draft.replace("write the range as", node.at, fix),
            None => draft,
        });
    }
    found
}

fn read_body(view: &View<'_>, out: &mut Report) -> Option<BodyMatch> {
    let contains = view.text("body", out);
    let regex = view.text("body_regex", out);
    match (contains, regex) {
        (Some((_, at)), Some((_, other))) => {
            let draft = Draft::new("E0407", other, "`body` and `body_regex` exclude each other");
            out.push(draft.label("one of them says it all").related(at, "the other one"));
            None
        }
        (Some((text, at)), None) => {
            if text.is_empty() {
                let draft = Draft::new("E0407", at, "`body` is empty");
                out.push(draft.label("every answer would hold this text"));
            }
            Some(BodyMatch::Contains(text.to_owned()))
        }
        (None, Some((text, at))) => match Regex::new(text) {
            Ok(_) => Some(BodyMatch::Regex(text.to_owned())),
            Err(error) => {
                let message = error.to_string();
                let last = message.lines().last().unwrap_or_default();
                let cause = last.strip_prefix("error: ").unwrap_or(last).to_owned();
                let draft = Draft::new("E0403", at, "`body_regex` is no regular expression");
                out.push(draft.label(cause).note(message));
                None
            }
        },
        (None, None) => None,
    }
}

fn read_max_body(view: &View<'_>, out: &mut Report) -> Option<u64> {
    let Some(entry) = view.entry("max_body") else {
        return size(view.section.key("max_body")?.default?);
    };
    let bytes = match &entry.node.value {
        Value::Integer(number) => u64::try_from(*number).ok(),
        Value::Text(text) => size(text),
        Value::Float | Value::Boolean(_) | Value::Datetime | Value::Array(_) | Value::Table(_) => {
            return wrong_type("max_body", "bytes, such as \"64KiB\"", &entry.node, out);
        }
    };
    let within = bytes.filter(|bytes| (1..=MOST_BODY).contains(bytes));
    if within.is_none() {
        let draft = Draft::new("E0104", entry.node.at, "`max_body` is out of range");
        let draft = draft.label("must be between 1 byte and \"16MiB\"");
        out.push(draft.note("units are B, kB, MB, KiB and MiB"));
    }
    within
}
