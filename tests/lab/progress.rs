//! What the guest tells the host while it works: one JSON object per line of the console.

use serde::{Deserialize, Serialize};

use crate::terminal::Painter;

/// Sets the guest's lines apart from what the kernel writes to the same console.
const MARK: &str = "@lab ";

/// How a line is to be taken by the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tone {
    /// Something done by the lab.
    Act,
    /// Something seen.
    See,
    /// Seen, and as it should be.
    Good,
    /// Seen, and a fault in what is being shown.
    Bad,
}

/// One line of progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Progress {
    /// A new part of the story begins.
    Title { title: String, text: String },
    /// One event, with its time since the lab started.
    Line { at_ms: u64, tone: Tone, text: String },
    /// Ready-made text: a drawing, a table.
    Block { text: String },
}

/// Set by the host when the guest has the user's terminal to itself: `colour` or `plain`.
pub(crate) const PAINT: &str = "DIARCH_LAB_PAINT";

/// Writes one line of progress to the console, for the host to read or, on the user's terminal, for
/// people.
pub(crate) fn write(progress: &Progress) {
    if let Ok(style) = std::env::var(PAINT) {
        println!("{}", Painter::new(style == "colour").paint(progress));
    } else if let Ok(json) = serde_json::to_string(progress) {
        println!("{MARK}{json}");
    }
}

/// The progress a console line stands for, if any.
pub(crate) fn read(line: &str) -> Option<Progress> {
    let (_, json) = line.split_once(MARK)?;
    serde_json::from_str(json).ok()
}
