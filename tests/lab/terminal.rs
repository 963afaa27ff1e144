//! Progress as text for people.

use std::io::IsTerminal;

use crate::progress::{Progress, Tone};

/// A line without colour, for test output.
pub(crate) fn plain(progress: &Progress) -> String {
    Painter::new(false).paint(progress)
}

/// Renders progress, with colour where that is welcome.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Painter {
    colour: bool,
}

impl Painter {
    pub(crate) fn new(colour: bool) -> Self {
        Self { colour }
    }

    pub(crate) fn has_colour(self) -> bool {
        self.colour
    }

    /// Colour only on a terminal, and never against <https://no-color.org>.
    pub(crate) fn for_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colour: std::io::stdout().is_terminal() && !refused }
    }

    pub(crate) fn paint(self, progress: &Progress) -> String {
        match progress {
            Progress::Title { title, text } => {
                let mut out = format!("\n{}\n", self.style("1", title));
                for line in wrap(text, 76) {
                    out += &format!("  {}\n", self.style("2", &line));
                }
                out.trim_end().to_owned()
            }
            Progress::Line { at_ms, tone, text } => {
                let time = format!("{:>4}.{:03}", at_ms / 1000, at_ms % 1000);
                let (sign, code) = match tone {
                    Tone::Act => (">", "36"),
                    Tone::See => (" ", "0"),
                    Tone::Good => ("+", "32"),
                    Tone::Bad => ("!", "31"),
                };
                let line = format!("{sign} {text}");
                format!("  {}  {}", self.style("2", &time), self.style(code, &line))
            }
            Progress::Block { text } => format!("\n{text}"),
        }
    }

    fn style(self, code: &str, text: &str) -> String {
        if self.colour && code != "0" {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Breaks a paragraph into lines of at most `width` characters.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.len() + 1 + word.len() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}
