//! What is wrong with a configuration, as plain data: for people (see [`Problems::render`]) and for JSON.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The configuration is not accepted.
    Error,
    /// Accepted, but probably not what was meant.
    Warning,
}

impl Level {
    /// `error` or `warning`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Part of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file, as it was named when loading.
    pub file: PathBuf,
    /// Line, from 1; 0 when the file as a whole is meant.
    pub line: usize,
    /// Column in characters, from 1; 0 when the file as a whole is meant.
    pub column: usize,
    /// Bytes `start..end` of the file.
    pub start: usize,
    /// See [`Self::start`].
    pub end: usize,
}

impl Place {
    /// The bytes meant.
    pub const fn span(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// Another place that has to do with a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// Where.
    pub place: Place,
    /// What is there.
    pub label: String,
}

/// What to do about a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Help {
    /// In words.
    pub message: String,
    /// Text to put in the place of other text, where that is all it takes.
    pub replacement: Option<(Place, String)>,
}

/// One mistake, or one doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Error or warning.
    pub level: Level,
    /// Stable identifier: `E` or `W` and four digits, never used again for something else.
    pub code: &'static str,
    /// One line: what is wrong.
    pub title: String,
    /// File it is in.
    pub file: PathBuf,
    /// Line, from 1; 0 when the file as a whole is meant.
    pub line: usize,
    /// Column in characters, from 1; 0 when the file as a whole is meant.
    pub column: usize,
    /// Bytes of the file it is about.
    pub span: Range<usize>,
    /// What to say under the source text; may be empty.
    pub label: String,
    /// Other places involved.
    pub related: Vec<Related>,
    /// Why, with the source: an RFC, a manual page.
    pub notes: Vec<String>,
    /// What to do.
    pub help: Vec<Help>,
}

/// A file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name.
    pub path: PathBuf,
    /// Its text; bytes that are not UTF-8 replaced.
    pub text: String,
}

/// Everything found wrong with a configuration, in the order of the files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    pub(super) list: Vec<Problem>,
    pub(super) sources: Arc<Vec<Source>>,
}

impl std::fmt::Display for Problems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "configuration not accepted: {}", self.count())
    }
}

impl std::error::Error for Problems {}

impl Problems {
    /// The problems, in the order of the files and of the lines in them.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// How many there are, warnings included.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is nothing to complain about.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many errors there are.
    pub fn errors(&self) -> usize {
        self.iter().filter(|problem| problem.level == Level::Error).count()
    }

    /// How many warnings there are.
    pub fn warnings(&self) -> usize {
        self.iter().filter(|problem| problem.level == Level::Warning).count()
    }

    /// How many of each, in words: `7 errors, 1 warning`.
    pub fn count(&self) -> String {
        let words = |count: usize, word: &str| match count {
            0 => None,
            1 => Some(format!("1 {word}")),
            _ => Some(format!("{count} {word}s")),
        };
        let parts = [words(self.errors(), "error"), words(self.warnings(), "warning")];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "no problems".to_owned() } else { parts.join(", ") }
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
