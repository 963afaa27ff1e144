//! Every key the configuration knows: the one definition that loading, suggestions and documentation share.

use std::time::Duration;

mod table;

pub use table::{
    CHECK, DEFAULTS, NODE, REAL_SERVER, ROOT, SECTIONS, SERVER_ENTRY, VIRTUAL_SERVICE, VRRP,
};

/// What a key accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// `true` or `false`.
    Boolean,
    /// An integer within bounds, both included.
    Integer {
        /// Lowest.
        min: i64,
        /// Highest.
        max: i64,
    },
    /// A string with a unit, such as `"250ms"`, within bounds, both included.
    Duration {
        /// Shortest.
        min: Duration,
        /// Longest.
        max: Duration,
    },
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// Something with a form of its own, described in words.
    Form(&'static str),
}

/// One key of one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// As written in the file.
    pub name: &'static str,
    /// What it accepts.
    pub kind: Kind,
    /// What it is for: one line for operators.
    pub doc: &'static str,
    /// Value when absent, as it would be written (strings without quotes).
    pub default: Option<&'static str>,
    /// Whether the table makes no sense without it.
    pub required: bool,
    /// Whether `[defaults.*]` may set it.
    pub inherits: bool,
    /// The `type` of check it belongs to; `None`: all.
    pub only: Option<&'static str>,
    /// Names of the same thing elsewhere: keepalived, ldirectord, ipvsadm.
    pub also: &'static [&'static str],
}

impl Key {
    const fn new(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self {
            name,
            kind,
            doc,
            default: None,
            required: false,
            inherits: false,
            only: None,
            also: &[],
        }
    }

    const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    const fn inherits(self) -> Self {
        Self { inherits: true, ..self }
    }

    const fn only(self, kind: &'static str) -> Self {
        Self { only: Some(kind), ..self }
    }

    const fn also(self, also: &'static [&'static str]) -> Self {
        Self { also, ..self }
    }
}

/// A table of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// As it is written: `[vrrp.NAME]`.
    pub title: &'static str,
    /// What it is for: one line for operators.
    pub doc: &'static str,
    /// Its keys, in the order to document them.
    pub keys: &'static [Key],
    /// Words that are not keys here though operators may expect them, and what to say then.
    pub absent: &'static [(&'static str, &'static str)],
}

impl Section {
    /// The key of this name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The key that is called `name` by other programs.
    pub fn key_called(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.also.contains(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_key_is_documented_and_named_once() {
        for section in SECTIONS {
            let mut names = HashSet::new();
            for key in section.keys {
                assert!(key.doc.len() > 10, "{} {}", section.title, key.name);
                assert!(names.insert(key.name), "{} {}", section.title, key.name);
                assert!(!(key.required && key.default.is_some()), "{} {}", section.title, key.name);
            }
            let words = section.keys.iter().flat_map(|key| key.also).copied();
            for word in words.chain(section.absent.iter().map(|(word, _)| *word)) {
                assert!(names.insert(word), "{} {word}", section.title);
            }
        }
    }

    #[test]
    fn the_documented_defaults_are_those_of_the_contract() {
        let default = |section: &Section, key: &str| section.key(key).unwrap().default;
        for (section, key, value) in [
            (&VRRP, "priority", "254"),
            (&VRRP, "advert_interval", "200ms"),
            (&VRRP, "preempt", "false"),
            (&VIRTUAL_SERVICE, "forward", "dr"),
            (&VIRTUAL_SERVICE, "scheduler", "wlc"),
            (&VIRTUAL_SERVICE, "on_failure", "quiesce"),
            (&REAL_SERVER, "weight", "1"),
            (&CHECK, "interval", "2s"),
            (&CHECK, "fast_interval", "500ms"),
            (&CHECK, "timeout", "1s"),
            (&CHECK, "rise", "2"),
            (&CHECK, "fall", "3"),
        ] {
            assert_eq!(default(section, key), Some(value), "{key}");
        }
    }
}
