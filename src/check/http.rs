//! `type = "http"`: the real server answers a request as it should.

mod client;
mod probe;

pub use client::{Client, ClientError};
pub use probe::Prepared;

use super::BadSpec;

/// What to ask, and what to accept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Spec {
    /// Request method, such as `GET` or `HEAD`.
    pub method: String,
    /// Request target in origin form: begins with `/`.
    pub path: String,
    /// `Host` header; the real server's address and port when absent.
    pub host: Option<String>,
    /// Further header fields, in the order written.
    pub headers: Vec<(String, String)>,
    /// Status codes that count as success, as inclusive ranges within 100–599. Never empty.
    pub status: Vec<(u16, u16)>,
    /// What the body must hold, if anything.
    pub body: Option<BodyMatch>,
    /// At most this many bytes of the body are read; 1 to 16 MiB.
    pub max_body: u64,
}

/// A condition on the answer's body.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BodyMatch {
    /// Holds this text.
    Contains(String),
    /// Matches this regular expression (syntax of the `regex` crate; checked when the configuration is read).
    Regex(String),
}

impl Spec {
    /// As [`super::Kind::validate`].
    pub(super) fn validate(&self) -> Result<(), BadSpec> {
        probe::Question::new(self).map(drop)
    }

    /// As [`super::Clients::prepare`].
    pub(super) fn prepare(&self, client: &Client) -> Result<Prepared, BadSpec> {
        Ok(Prepared::new(client.clone(), probe::Question::new(self)?))
    }
}

#[cfg(test)]
mod tests;
