//! TOML text as a tree that remembers where everything was written; several files become one tree.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::report::{At, Draft, Report};

/// A value and its place.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) at: At,
    pub(super) value: Value,
}

/// What TOML can say.
#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    /// Saturated where it does not fit.
    Integer(i64),
    Float,
    Boolean(bool),
    Datetime,
    Array(Vec<Node>),
    Table(Table),
}

impl Value {
    /// The string, if it is one.
    pub(super) fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// With its article, for messages.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float => "a number with a fraction",
            Self::Boolean(_) => "a boolean",
            Self::Datetime => "a date or time",
            Self::Array(_) => "an array",
            Self::Table(_) => "a table",
        }
    }
}

/// Keys in the order written.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) entries: Vec<Entry>,
}

/// A key, its place and its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) at: At,
    pub(super) node: Node,
}

impl Table {
    /// The value of a key. Linear: for tables whose keys we define, which are few.
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}

/// Syntax errors reported per file: after so many it is not TOML at all.
const MOST_SYNTAX_ERRORS: usize = 20;

/// Reads one file. Returns the places where the text could not be understood.
pub(super) fn parse(file: usize, out: &mut Report) -> (Table, Vec<At>) {
    let sources = out.sources();
    let text = sources.get(file).map_or("", |source| source.text.as_str());
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut broken = Vec::new();
    let mut errors: Vec<_> =
        errors.iter().map(|error| (error.span().unwrap_or(0..0), error.message())).collect();
    errors.sort_by_key(|(span, _)| span.start);
    for (span, message) in errors.into_iter().take(MOST_SYNTAX_ERRORS) {
        let at = At { file, start: span.start, end: span.end };
        if message == "duplicate key" {
            out.push(duplicate(text, document.get_ref(), at));
        } else {
            broken.push(at);
            out.push(syntax(text, at, message));
        }
    }
    (table(file, document.into_inner()), broken)
}

fn syntax(text: &str, at: At, message: &str) -> Draft {
    const QUOTES: &str = "text is written between double quotes";
    let (from, word) = word_around(text, at.start);
    let address = word.split(['/', ':']).next().unwrap_or_default();
    if address.parse::<IpAddr>().is_ok() {
        let at = At { end: from.saturating_add(word.len()), start: from, ..at };
        return Draft::new("E0001", at, format!("not TOML: {QUOTES}"))
            .label("an address without them")
            .replace("write it as", at, format!("\"{word}\""));
    }
    let message = message.strip_suffix(", expected nothing").unwrap_or(message);
    let draft = Draft::new("E0001", at, format!("not TOML: {message}")).label("here");
    if message.contains("string") { draft.note(format!("{QUOTES}: \"eth0\"")) } else { draft }
}

/// What stands between spaces, commas, brackets and quotes at a byte, and where it begins.
fn word_around(text: &str, at: usize) -> (usize, &str) {
    let boundary = |c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']' | '{' | '}' | '"');
    let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
    let start = before.rfind(boundary).map_or(0, |found| found.saturating_add(1));
    let end = at.saturating_add(after.find(boundary).unwrap_or(after.len()));
    // White space beyond ASCII is longer than the one byte skipped: then there is no word.
    (start, text.get(start..end).unwrap_or_default())
}

fn duplicate(text: &str, document: &DeTable<'_>, at: At) -> Draft {
    let key = text.get(at.start..at.end).unwrap_or_default();
    let draft = Draft::new("E0002", at, format!("`{key}` is set twice")).label("set again here");
    let first = earlier_header(text, at.start).or_else(|| earlier_key(text, document, at));
    match first {
        Some(first) => draft.related(At { file: at.file, ..first_at(first) }, "first set here"),
        None => draft,
    }
}

const fn first_at(span: Range<usize>) -> At {
    At { file: 0, start: span.start, end: span.end }
}

/// The first line that is the same `[header]` as the one around `start`.
fn earlier_header(text: &str, start: usize) -> Option<Range<usize>> {
    let line_start = text.get(..start)?.rfind('\n').map_or(0, |at| at.saturating_add(1));
    let header = |line: &str| {
        let line = line.split('#').next().unwrap_or_default().trim();
        line.starts_with('[').then(|| line.to_owned())
    };
    let wanted = header(text.get(line_start..)?.lines().next()?)?;
    let mut at = 0_usize;
    for line in text.get(..line_start)?.split_inclusive('\n') {
        if header(line).as_ref() == Some(&wanted) {
            let indent = line.len().saturating_sub(line.trim_start().len());
            let from = at.saturating_add(indent);
            return Some(from..from.saturating_add(wanted.len()));
        }
        at = at.saturating_add(line.len());
    }
    None
}

/// The same key in the same table, before `dup`.
fn earlier_key(text: &str, table: &DeTable<'_>, dup: At) -> Option<Range<usize>> {
    let word = text.get(dup.start..dup.end)?.trim_matches(['"', '\'']);
    let mut best: Option<Range<usize>> = None;
    for (key, value) in table {
        if key.get_ref() == word && key.span().start < dup.start {
            best = latest(best, Some(key.span()));
        }
        let span = value.span();
        let inline = text.get(span.clone()).is_some_and(|text| text.starts_with('{'));
        if let DeValue::Table(inner) = value.get_ref()
            && (!inline || span.contains(&dup.start))
        {
            best = latest(best, earlier_key(text, inner, dup));
        }
    }
    best
}

fn latest(a: Option<Range<usize>>, b: Option<Range<usize>>) -> Option<Range<usize>> {
    [a, b].into_iter().flatten().max_by_key(|span| span.start)
}

fn table(file: usize, table: DeTable<'_>) -> Table {
    let mut entries: Vec<Entry> = Vec::with_capacity(table.len());
    for (key, value) in table {
        let at = At { file, start: key.span().start, end: key.span().end };
        let node = node(file, value.span(), value.into_inner());
        entries.push(Entry { key: key.into_inner().into_owned(), at, node });
    }
    entries.sort_by_key(|entry| entry.at.start);
    Table { entries }
}

fn node(file: usize, span: Range<usize>, value: DeValue<'_>) -> Node {
    let value = match value {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(integer) => {
            let negative = integer.as_str().starts_with('-');
            let beyond = if negative { i64::MIN } else { i64::MAX };
            let number = i64::from_str_radix(integer.as_str(), integer.radix());
            Value::Integer(number.unwrap_or(beyond))
        }
        DeValue::Float(_) => Value::Float,
        DeValue::Boolean(boolean) => Value::Boolean(boolean),
        DeValue::Datetime(_) => Value::Datetime,
        DeValue::Array(array) => {
            let items = array.into_iter();
            Value::Array(items.map(|item| node(file, item.span(), item.into_inner())).collect())
        }
        DeValue::Table(inner) => Value::Table(table(file, inner)),
    };
    Node { at: At { file, start: span.start, end: span.end }, value }
}

/// One tree of all files: sections merge, what they hold may be written only once.
pub(super) fn merge(trees: Vec<Table>, out: &mut Report) -> Table {
    let mut merged = Table::default();
    let mut sections: HashMap<String, usize> = HashMap::new();
    let mut names: HashMap<(String, String), At> = HashMap::new();
    for entry in trees.into_iter().flat_map(|tree| tree.entries) {
        let Entry { key: section, at, node } = entry;
        let index = *sections.entry(section.clone()).or_insert(merged.entries.len());
        let Some(first) = merged.entries.get_mut(index) else {
            if let Value::Table(table) = &node.value {
                let keys = table.entries.iter();
                names.extend(keys.map(|e| ((section.clone(), e.key.clone()), e.at)));
            }
            merged.entries.push(Entry { key: section, at, node });
            continue;
        };
        if let (Value::Table(old), Value::Table(new)) = (&mut first.node.value, node.value) {
            for entry in new.entries {
                if let Some(before) = names.get(&(section.clone(), entry.key.clone())) {
                    out.push(twice(&section, &entry, *before));
                } else {
                    names.insert((section.clone(), entry.key.clone()), entry.at);
                    old.entries.push(entry);
                }
            }
        } else {
            let draft = Draft::new("E0002", at, format!("`{section}` is set twice"));
            out.push(draft.label("set again here").related(first.at, "first set here"));
        }
    }
    merged
}

fn twice(section: &str, entry: &Entry, before: At) -> Draft {
    Draft::new("E0002", entry.at, format!("`{section}.{}` is defined twice", entry.key))
        .label("defined again here")
        .related(before, "first defined here")
        .note("files are read together: each name may be defined in one of them only")
}
