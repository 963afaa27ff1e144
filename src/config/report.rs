//! Collects problems while the tree is walked: at which bytes of which file, then in lines and columns.

use std::collections::HashSet;
use std::sync::Arc;

use super::problem::{Help, Level, Place, Problem, Problems, Related, Source};

/// Bytes of one of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct At {
    pub(super) file: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl At {
    /// A file as a whole.
    pub(super) const fn file(file: usize) -> Self {
        Self { file, start: usize::MAX, end: usize::MAX }
    }
}

/// A problem in the making.
#[derive(Debug)]
#[must_use]
pub(super) struct Draft {
    level: Level,
    code: &'static str,
    title: String,
    at: At,
    label: String,
    related: Vec<(At, String)>,
    notes: Vec<String>,
    help: Vec<(String, Option<(At, String)>)>,
}

impl Draft {
    /// A problem at a place; codes that begin with `W` are warnings.
    pub(super) fn new(code: &'static str, at: At, title: impl Into<String>) -> Self {
        let level = if code.starts_with('W') { Level::Warning } else { Level::Error };
        Self {
            level,
            code,
            title: title.into(),
            at,
            label: String::new(),
            related: Vec::new(),
            notes: Vec::new(),
            help: Vec::new(),
        }
    }

    pub(super) fn is_error(&self) -> bool {
        self.level == Level::Error
    }

    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(super) fn related(mut self, at: At, label: impl Into<String>) -> Self {
        self.related.push((at, label.into()));
        self
    }

    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    pub(super) fn help(mut self, message: impl Into<String>) -> Self {
        self.help.push((message.into(), None));
        self
    }

    pub(super) fn replace(
        mut self,
        message: impl Into<String>,
        at: At,
        text: impl Into<String>,
    ) -> Self {
        self.help.push((message.into(), Some((at, text.into()))));
        self
    }
}

/// Similar names are looked for this often: comparing every wrong name with every right one is quadratic.
const SEARCHES: usize = 50;

/// The problems so far, and the files they are in.
#[derive(Debug)]
pub(super) struct Report {
    sources: Arc<Vec<Source>>,
    line_starts: Vec<Vec<usize>>,
    drafts: Vec<Draft>,
    seen: HashSet<(At, &'static str, String)>,
    searches: usize,
}

impl Report {
    pub(super) fn new(sources: Vec<Source>) -> Self {
        let starts = |source: &Source| {
            let breaks = source.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0).chain(breaks.map(|(at, _)| at.saturating_add(1))).collect()
        };
        let line_starts = sources.iter().map(starts).collect();
        let sources = Arc::new(sources);
        Self { sources, line_starts, drafts: Vec::new(), seen: HashSet::new(), searches: 0 }
    }

    pub(super) fn sources(&self) -> Arc<Vec<Source>> {
        Arc::clone(&self.sources)
    }

    /// Adds a problem, unless the same was found before: defaults are read once per user of them.
    pub(super) fn push(&mut self, draft: Draft) {
        if self.seen.insert((draft.at, draft.code, draft.title.clone())) {
            self.drafts.push(draft);
        }
    }

    /// Takes back what only follows from text that could not be read: `broken` are the places of syntax errors.
    pub(super) fn drop_consequences(&mut self, broken: &[At]) {
        if broken.is_empty() {
            return;
        }
        let lines: HashSet<(usize, usize)> =
            broken.iter().map(|at| (at.file, self.line_index(at.file, at.start))).collect();
        // Codes that judge one value by itself.
        let local = |code: &str| {
            (code.starts_with("E01") && code != "E0105")
                || (code.starts_with("E04") && code != "E0402")
        };
        let drafts = std::mem::take(&mut self.drafts);
        let kept = drafts.into_iter().filter(|draft| {
            let line = (draft.at.file, self.line_index(draft.at.file, draft.at.start));
            // The parser leaves an empty value without a place where it found none.
            let placed = draft.at.start < draft.at.end;
            draft.code.get(1..3) == Some("00")
                || (local(draft.code) && placed && !lines.contains(&line))
        });
        self.drafts = kept.collect();
    }

    /// The candidate that `word` was probably meant to be.
    pub(super) fn near<'c>(
        &mut self,
        word: &str,
        candidates: impl Iterator<Item = &'c str>,
    ) -> Option<&'c str> {
        if self.searches >= SEARCHES || word.len() > 64 {
            return None;
        }
        self.searches = self.searches.saturating_add(1);
        let limit = 2.max(word.len() / 3);
        candidates
            .filter(|candidate| candidate.len().abs_diff(word.len()) <= limit)
            .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
            .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.len())
            .min()
            .map(|(_, candidate)| candidate)
    }

    pub(super) fn has_errors(&self) -> bool {
        self.drafts.iter().any(Draft::is_error)
    }

    /// Puts everything in the order of the files.
    pub(super) fn finish(mut self) -> Problems {
        let whole = |at: At| (at.file, at.start.wrapping_add(1), at.end);
        let mut drafts = std::mem::take(&mut self.drafts);
        drafts.sort_by(|a, b| (whole(a.at), a.code).cmp(&(whole(b.at), b.code)));
        let list = drafts.into_iter().map(|draft| self.problem(draft)).collect();
        Problems { list, sources: self.sources }
    }

    fn problem(&self, draft: Draft) -> Problem {
        let place = self.place(draft.at);
        let related = |(at, label)| Related { place: self.place(at), label };
        let help = |(message, replacement): (String, Option<(At, String)>)| Help {
            message,
            replacement: replacement.map(|(at, text)| (self.place(at), text)),
        };
        Problem {
            level: draft.level,
            code: draft.code,
            title: draft.title,
            span: place.span(),
            file: place.file,
            line: place.line,
            column: place.column,
            label: draft.label,
            related: draft.related.into_iter().map(related).collect(),
            notes: draft.notes,
            help: draft.help.into_iter().map(help).collect(),
        }
    }

    /// Index of the line a byte is in.
    fn line_index(&self, file: usize, byte: usize) -> usize {
        let starts = self.line_starts.get(file).map_or(&[][..], Vec::as_slice);
        starts.partition_point(|start| *start <= byte).saturating_sub(1)
    }

    fn place(&self, at: At) -> Place {
        let Some(source) = self.sources.get(at.file) else {
            return Place { file: "".into(), line: 0, column: 0, start: 0, end: 0 };
        };
        let file = source.path.clone();
        if at == At::file(at.file) {
            return Place { file, line: 0, column: 0, start: 0, end: 0 };
        }
        let index = self.line_index(at.file, at.start);
        let start = self.line_starts.get(at.file).and_then(|starts| starts.get(index));
        let start = start.copied().unwrap_or(0);
        let before = source.text.as_bytes().get(start..at.start).unwrap_or_default();
        // Bytes that do not continue a character: columns count characters.
        let column = before.iter().filter(|byte| (**byte & 0xc0) != 0x80).count();
        Place {
            file,
            line: index.saturating_add(1),
            column: column.saturating_add(1),
            start: at.start,
            end: at.end,
        }
    }
}
