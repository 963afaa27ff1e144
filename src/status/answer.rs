//! Answers to orders, and refusals.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What became of `POST /v1/reload`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReloadAnswer {
    /// The files are in effect.
    Applied(Reloaded),
    /// The files have mistakes; nothing changed.
    Refused(Refused),
}

/// A reload that was carried out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Digest of the configuration in effect now.
    pub digest: String,
    /// What changed, one line each; empty when nothing did.
    pub changes: Vec<String>,
    /// Warnings about the files, as text to show; empty when there are none.
    pub warnings: String,
}

/// A reload that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Digest of the configuration that stays in effect.
    pub digest: String,
    /// Since when that one is in effect.
    pub loaded_at: Timestamp,
    /// Every mistake.
    pub problems: Vec<ConfigProblem>,
    /// The same as text, with the source lines.
    pub rendered: String,
}

/// One mistake, or one doubt, about the configuration files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigProblem {
    /// Stable code, `E0106`.
    pub code: String,
    /// Whether it forbids using the files.
    pub level: Level,
    /// File it is in; `null` when it is about none.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<u64>,
    /// Column, from 1.
    pub column: Option<u64>,
    /// What is wrong.
    pub message: String,
}

/// Weight of a [`ConfigProblem`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The files cannot be used.
    Error,
    /// They can, but should be looked at.
    Warning,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

/// An answer that is not the one asked for: `application/problem+json` (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemDocument {
    /// Stable kind: `urn:diarch:not-found`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same in words.
    pub title: String,
    /// HTTP status code.
    pub status: u16,
    /// This case in words.
    pub detail: Option<String>,
    /// Extension of `urn:diarch:configuration-refused`.
    pub refused: Option<Refused>,
}
