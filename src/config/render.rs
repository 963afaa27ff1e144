//! Problems as text for people, the way rustc prints them.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{
    Annotation, AnnotationKind, Group, Level as Heading, Origin, Patch, Renderer, Snippet,
};

use super::problem::{Level, Place, Problem, Problems};

/// Problems printed in full. Nobody reads more, and a wrong file can have as many as it has lines.
const SHOWN: usize = 100;

impl Problems {
    /// All problems with their source lines, then a line that counts them; empty when there are none.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let mut text = String::new();
        for problem in self.iter().take(SHOWN) {
            text.push_str(&renderer.render(&self.report(problem)));
            text.push_str("\n\n");
        }
        // Writing to a String cannot fail.
        if self.len() > SHOWN {
            let _infallible = writeln!(text, "... and {} more", self.len().saturating_sub(SHOWN));
        }
        let first = self.sources.first().map(|source| source.path.as_path());
        if let Some(path) = first.filter(|_| !self.is_empty()) {
            let _infallible = writeln!(text, "{}: {}", path.display(), self.count());
        }
        text
    }

    fn text_of(&self, file: &Path) -> Option<&str> {
        self.sources.iter().find(|source| source.path == file).map(|source| source.text.as_str())
    }

    fn report<'a>(&'a self, problem: &'a Problem) -> Vec<Group<'a>> {
        let heading = match problem.level {
            Level::Error => Heading::ERROR,
            Level::Warning => Heading::WARNING,
        };
        let title = heading.primary_title(clean(&problem.title)).id(problem.code);
        let text = self.text_of(&problem.file).filter(|_| problem.line > 0);
        let mut main = match text {
            Some(text) => title.element(snippet(problem, text)),
            None => title.element(Origin::path(problem.file.to_string_lossy())),
        };
        for related in problem.related.iter().filter(|related| related.place.file != problem.file) {
            if let Some(text) = self.text_of(&related.place.file) {
                let mark = context(text, &related.place, &related.label);
                let path = related.place.file.to_string_lossy();
                main = main.element(Snippet::source(text).path(path).annotation(mark));
            }
        }
        for note in &problem.notes {
            main = main.element(Heading::NOTE.message(clean(note)));
        }
        let mut groups = Vec::new();
        for help in &problem.help {
            let patch = help.replacement.as_ref().and_then(|(place, replacement)| {
                let text = self.text_of(&place.file)?;
                Some((text, place, replacement))
            });
            if let Some((text, place, replacement)) = patch {
                let change = Patch::new(within(text, place.span()), replacement.as_str());
                let file = place.file.to_string_lossy();
                let snippet = Snippet::source(text).path(file).patch(change);
                let title = Heading::HELP.secondary_title(clean(&help.message));
                groups.push(title.element(snippet));
            } else {
                main = main.element(Heading::HELP.message(clean(&help.message)));
            }
        }
        groups.insert(0, main);
        groups
    }
}

fn snippet<'a>(problem: &'a Problem, text: &'a str) -> Snippet<'a, Annotation<'a>> {
    let mark = AnnotationKind::Primary.span(within(text, problem.span.clone()));
    let mark = if problem.label.is_empty() { mark } else { mark.label(clean(&problem.label)) };
    let path = problem.file.to_string_lossy();
    let mut snippet = Snippet::source(text).path(path).annotation(mark);
    for related in problem.related.iter().filter(|related| related.place.file == problem.file) {
        snippet = snippet.annotation(context(text, &related.place, &related.label));
    }
    snippet
}

fn context<'a>(text: &str, place: &Place, label: &'a str) -> Annotation<'a> {
    AnnotationKind::Context.span(within(text, place.span())).label(clean(label))
}

/// The span, made to fit the text.
fn within(text: &str, span: Range<usize>) -> Range<usize> {
    let boundary = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at = at.saturating_sub(1);
        }
        at
    };
    let start = boundary(span.start);
    start..boundary(span.end).max(start)
}

/// Without control characters: a configuration file shall not drive the terminal.
fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' {
            out.extend(c.escape_debug());
        } else {
            out.push(c);
        }
    }
    out
}
