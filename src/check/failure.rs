//! Why a probe failed: a stable code for programs, a sentence for operators.

use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How far a probe had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// No connection yet.
    Connecting,
    /// Connected; no complete answer, or header of one, yet.
    Waiting,
    /// Reading the body.
    Reading,
}

/// Why a real server is not fit to serve, or why we could not tell ([`Failure::Local`]).
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// RST, or ICMP port unreachable, in answer to SYN.
    #[error("connection refused")]
    Refused,
    /// The probe's time was up.
    #[error("{} {limit:?}", missing(*phase))]
    Timeout {
        /// What it was doing then.
        phase: Phase,
        /// How long it may take.
        limit: Duration,
    },
    /// The kernel gave up before our limit did (`ETIMEDOUT`).
    #[error("connection timed out")]
    TimedOut,
    /// Nobody carries our packets there.
    #[error("{0}")]
    NoRoute(&'static str),
    /// RST after the handshake.
    #[error("connection reset by the server")]
    Reset,
    /// FIN before the answer was complete.
    #[error("connection closed before the answer was complete")]
    Closed,
    /// An HTTP status other than wanted.
    #[error("HTTP {got}, expected {expected}")]
    Status {
        /// Status code of the answer.
        got: u16,
        /// Those that count as success.
        expected: Arc<str>,
    },
    /// The body is not as wanted.
    #[error("{}the body does not match {wanted}", prefix(*truncated_at))]
    Body {
        /// The condition: a quoted text or `/expression/`.
        wanted: Arc<str>,
        /// Set when only this many bytes of a longer body were looked at.
        truncated_at: Option<u64>,
    },
    /// What came is not HTTP.
    #[error("not a valid HTTP answer: {0}")]
    BadAnswer(String),
    /// We lack what it takes to ask: says nothing about the real server.
    #[error("cannot probe: {0}")]
    Local(String),
    /// Anything else the network told.
    #[error("{0}")]
    Other(String),
}

impl Failure {
    /// Stable name of the reason.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused => "connect_refused",
            Self::Timeout { phase: Phase::Connecting, .. } | Self::TimedOut => "connect_timeout",
            Self::Timeout { phase: Phase::Waiting | Phase::Reading, .. } => "timeout",
            Self::NoRoute(_) => "no_route",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::Status { .. } => "bad_status",
            Self::Body { .. } => "body_mismatch",
            Self::BadAnswer(_) => "bad_answer",
            Self::Local(_) => "local",
            Self::Other(_) => "other",
        }
    }

    /// Whether it says something about the real server. A shortage of our own does not, and must
    /// not take servers out.
    pub const fn is_evidence(&self) -> bool {
        !matches!(self, Self::Local(_))
    }

    /// What a refused system call means.
    pub(super) fn from_io(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::ECONNREFUSED) => Self::Refused,
            Some(libc::ECONNRESET | libc::ECONNABORTED | libc::EPIPE) => Self::Reset,
            Some(libc::ETIMEDOUT) => Self::TimedOut,
            Some(libc::EHOSTUNREACH | libc::EHOSTDOWN) => Self::NoRoute("no route to host"),
            Some(libc::ENETUNREACH) => Self::NoRoute("network unreachable"),
            Some(libc::ENETDOWN) => Self::NoRoute("network is down"),
            // ICMPv6 "administratively prohibited", or a `prohibit` route.
            Some(libc::EACCES) => Self::NoRoute("administratively prohibited"),
            Some(
                libc::EMFILE
                | libc::ENFILE
                | libc::ENOBUFS
                | libc::ENOMEM
                | libc::EAGAIN
                | libc::EADDRNOTAVAIL
                | libc::EADDRINUSE
                | libc::EAFNOSUPPORT
                | libc::EPERM,
            ) => Self::Local(error.to_string()),
            Some(_) | None if error.kind() == io::ErrorKind::UnexpectedEof => Self::Closed,
            Some(_) | None => Self::Other(error.to_string()),
        }
    }
}

fn missing(phase: Phase) -> &'static str {
    match phase {
        Phase::Connecting => "no connection within",
        Phase::Waiting => "connected, but no answer within",
        Phase::Reading => "answered, but the body was not complete within",
    }
}

fn prefix(truncated_at: Option<u64>) -> String {
    truncated_at.map(|bytes| format!("in its first {bytes} bytes, ")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_errors_become_stable_codes() {
        for (errno, code) in [
            (libc::ECONNREFUSED, "connect_refused"),
            (libc::ECONNRESET, "reset"),
            (libc::ETIMEDOUT, "connect_timeout"),
            (libc::EHOSTUNREACH, "no_route"),
            (libc::ENETUNREACH, "no_route"),
            (libc::EACCES, "no_route"),
            (libc::EMFILE, "local"),
            (libc::EADDRNOTAVAIL, "local"),
            (libc::EPERM, "local"),
            (libc::EPROTO, "other"),
        ] {
            let failure = Failure::from_io(&io::Error::from_raw_os_error(errno));
            assert_eq!(failure.code(), code, "errno {errno}");
            assert_eq!(failure.is_evidence(), code != "local", "errno {errno}");
        }
    }

    #[test]
    fn details_are_in_operators_words() {
        let limit = Duration::from_secs(1);
        let timeout = |phase| Failure::Timeout { phase, limit }.to_string();
        assert_eq!(timeout(Phase::Connecting), "no connection within 1s");
        assert_eq!(timeout(Phase::Waiting), "connected, but no answer within 1s");
        assert_eq!(timeout(Phase::Reading), "answered, but the body was not complete within 1s");
        let status = Failure::Status { got: 503, expected: "200-299".into() };
        assert_eq!(status.to_string(), "HTTP 503, expected 200-299");
        let body = |truncated_at| Failure::Body { wanted: "\"ok\"".into(), truncated_at };
        assert_eq!(body(None).to_string(), "the body does not match \"ok\"");
        let cut = "in its first 64 bytes, the body does not match \"ok\"";
        assert_eq!(body(Some(64)).to_string(), cut);
    }
}
