//! Probes of real servers. One file per kind; this file is the only list of kinds.
//!
//! [`Kind`] is what the configuration says; [`Clients::prepare`] makes a [`Prepared`] probe of it,
//! once, which then asks any number of real servers. How often, and what follows, is decided elsewhere.

mod failure;
pub mod http;
pub mod tcp;

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

pub use failure::{Failure, Phase};

/// The kinds of probe: `type = "tcp"`, `type = "http"`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A TCP handshake.
    Tcp(tcp::Spec),
    /// An HTTP request, its status and body.
    Http(http::Spec),
}

impl Kind {
    /// Every `type` the configuration may name.
    pub const NAMES: &'static [&'static str] = &["tcp", "http"];

    /// The `type` of this kind.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Tcp(_) => "tcp",
            Self::Http(_) => "http",
        }
    }

    /// Whether a probe can be made of it; for whoever reads a configuration.
    ///
    /// # Errors
    /// Names the part that cannot be sent or compiled.
    pub fn validate(&self) -> Result<(), BadSpec> {
        match self {
            Self::Tcp(_) => Ok(()),
            Self::Http(spec) => spec.validate(),
        }
    }
}

/// Asks one real server one question.
pub trait Probe: Send + Sync + 'static {
    /// Probes `target` once; ends within `limit`, everything included.
    ///
    /// Cancel safe: dropping the future closes the connection.
    fn probe(&self, target: SocketAddr, limit: Duration) -> impl Future<Output = Outcome> + Send;
}

/// What a probe found.
pub type Outcome = Result<Success, Failure>;

/// The real server answered as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Success {
    /// What is worth showing of the answer, such as `HTTP 200`.
    pub detail: Cow<'static, str>,
}

/// Why no probe can be made of a specification.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BadSpec {
    /// Not a token (RFC 9110 §9.1).
    #[error("`{0}` is not an HTTP method")]
    Method(String),
    /// Not in origin form (RFC 9112 §3.2.1).
    #[error("`{0}` is not a request path: it must begin with `/` and hold no `#`")]
    Path(String),
    /// Not a field name, or a value with control characters.
    #[error("`{name}: {value}` is not an HTTP header field")]
    Header {
        /// Field name.
        name: String,
        /// Field value.
        value: String,
    },
    /// The regular expression does not compile, or compiles to something huge.
    #[error("cannot compile the regular expression `{text}`")]
    Regex {
        /// As configured.
        text: String,
        /// What is wrong with it.
        #[source]
        source: regex::Error,
    },
}

/// What probes share, whatever they ask.
#[derive(Debug, Clone)]
pub struct Clients {
    http: http::Client,
}

impl Clients {
    /// Sets up what probes share.
    ///
    /// # Errors
    /// When the HTTP client cannot be built.
    pub fn new() -> Result<Self, http::ClientError> {
        Ok(Self { http: http::Client::new()? })
    }

    /// Makes a probe: patterns are compiled and requests assembled here, not in each probe.
    ///
    /// # Errors
    /// As [`Kind::validate`].
    pub fn prepare(&self, kind: &Kind) -> Result<Prepared, BadSpec> {
        Ok(match kind {
            Kind::Tcp(spec) => Prepared::Tcp(spec.prepare()),
            Kind::Http(spec) => Prepared::Http(Box::new(spec.prepare(&self.http)?)),
        })
    }
}

/// A probe ready to be carried out any number of times.
#[derive(Debug)]
#[expect(missing_docs, reason = "one variant per kind")]
pub enum Prepared {
    Tcp(tcp::Prepared),
    Http(Box<http::Prepared>),
}

impl Probe for Prepared {
    async fn probe(&self, target: SocketAddr, limit: Duration) -> Outcome {
        match self {
            Self::Tcp(probe) => probe.probe(target, limit).await,
            Self::Http(probe) => probe.probe(target, limit).await,
        }
    }
}
