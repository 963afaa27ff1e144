//! From an error to words, advice and an exit status.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use super::kernel_table;
use super::table::{Style, styled};
use crate::client::ClientError;

/// Exit statuses: `diarch --help` lists them.
pub(super) const FAILED: u8 = 1;
pub(super) const USAGE: u8 = 2;
const NOT_RUNNING: u8 = 3;
pub(super) const DENIED: u8 = 4;
const TIMED_OUT: u8 = 6;
/// `EX_CONFIG` of sysexits.h: the unit does not start the daemon again after it.
pub(super) const CONFIG: u8 = 78;

/// Why a verb ends without success.
#[derive(Debug)]
pub(super) struct Failure {
    status: u8,
    /// `None`: all has been said.
    error: Option<anyhow::Error>,
    /// Lines of what to know and do next: a word, and a text.
    advice: Vec<(&'static str, String)>,
}

impl Failure {
    /// Everything was said already.
    pub(super) const fn said(status: u8) -> Self {
        Self { status, error: None, advice: Vec::new() }
    }

    /// With this exit status.
    pub(super) fn new(status: u8, error: impl Into<anyhow::Error>) -> Self {
        Self { status, error: Some(error.into()), advice: Vec::new() }
    }

    fn advise(mut self, word: &'static str, text: impl Into<String>) -> Self {
        self.advice.push((word, text.into()));
        self
    }

    /// What a client verb says when the daemon does not answer.
    pub(super) fn client(error: ClientError, config: &Path) -> Self {
        let timed_out = error.is_timeout();
        let check = if config == Path::new("/etc/diarch/diarch.toml") {
            "diarch check".to_owned()
        } else {
            format!("diarch -c {} check", config.display())
        };
        if matches!(error, ClientError::NotRunning { .. }) {
            let failure = Self::new(NOT_RUNNING, error);
            let failure = match kernel_table::read() {
                Some(text) => failure.advise("kernel", text),
                None => failure,
            };
            failure
                .advise("next", format!("{check}; systemctl status diarch; systemctl start diarch"))
        } else if matches!(error, ClientError::Denied { .. }) {
            let group = "orders are for root and members of the group diarch";
            Self::new(DENIED, error).advise("why", group).advise("next", "use sudo")
        } else if timed_out {
            Self::new(TIMED_OUT, error).advise("next", "journalctl -u diarch -n 20")
        } else {
            Self::new(FAILED, error)
        }
    }

    /// Says what there is to say, and gives the exit status.
    pub(super) fn report(self, err: &mut impl Write) -> ExitCode {
        if self.closed_pipe() {
            return ExitCode::SUCCESS;
        }
        // When even standard error is closed there is nobody left to tell.
        drop(self.write(err));
        ExitCode::from(self.status)
    }

    /// The reader has seen enough: `diarch events | head`.
    fn closed_pipe(&self) -> bool {
        let cause = self.error.as_ref().and_then(|error| error.downcast_ref::<io::Error>());
        cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
    }

    fn write(&self, err: &mut impl Write) -> io::Result<()> {
        if let Some(error) = &self.error {
            writeln!(err, "{} {error}", styled("error:", Style::Bad))?;
            let mut said = error.to_string();
            for cause in error.chain().skip(1).map(ToString::to_string) {
                if cause != said {
                    advice(err, "why", &cause)?;
                    said = cause;
                }
            }
        }
        self.advice.iter().try_for_each(|(word, text)| advice(err, word, text))
    }
}

fn advice(err: &mut impl Write, word: &str, text: impl Display) -> io::Result<()> {
    writeln!(err, "  {:<8} {text}", format!("{word}:"))
}

/// Whether the system said that one may not.
pub(super) fn is_denied(error: &anyhow::Error) -> bool {
    let causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.into_iter().any(|cause| cause.kind() == io::ErrorKind::PermissionDenied)
}

/// What is written to the standard streams is all the I/O there is without words of its own.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(FAILED, anyhow::Error::from(error).context("cannot write the output"))
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(FAILED, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(failure: &Failure) -> String {
        let mut text = Vec::new();
        failure.write(&mut text).unwrap();
        anstream::adapter::strip_str(&String::from_utf8(text).unwrap()).to_string()
    }

    fn error(kind: io::ErrorKind) -> ClientError {
        let (socket, source) = (Path::new("/run/diarch/admin.sock").to_owned(), kind.into());
        if kind == io::ErrorKind::NotFound {
            ClientError::NotRunning { socket, source }
        } else {
            ClientError::Denied { socket, source }
        }
    }

    #[test]
    fn a_missing_daemon_is_3_and_says_what_to_do() {
        let failure = Failure::client(error(io::ErrorKind::NotFound), Path::new("/tmp/a.toml"));
        assert_eq!(failure.status, 3);
        let text = told(&failure);
        let begin = "error: diarch is not running: no answer on /run/diarch/admin.sock\n";
        assert!(text.starts_with(begin), "{text}");
        assert!(text.contains("  next:    diarch -c /tmp/a.toml check; systemctl "), "{text}");
    }

    #[test]
    fn a_lack_of_permission_is_4_and_time_run_out_6() {
        let denied = error(io::ErrorKind::PermissionDenied);
        let failure = Failure::client(denied, Path::new("/etc/diarch/diarch.toml"));
        assert_eq!(failure.status, 4);
        assert!(told(&failure).contains("group diarch"));
        let late = ClientError::TimedOut {
            socket: "/run/diarch/status.sock".into(),
            limit: std::time::Duration::from_secs(6),
        };
        let failure = Failure::client(late, Path::new("/etc/diarch/diarch.toml"));
        assert_eq!(failure.status, 6);
        assert!(
            told(&failure).starts_with("error: no answer on /run/diarch/status.sock within 6 s")
        );
    }

    #[test]
    fn a_cause_that_repeats_what_was_said_is_left_out() {
        let cause = anyhow::anyhow!("the cause").context("the cause").context("the attempt");
        assert_eq!(
            told(&Failure::new(FAILED, cause)),
            "error: the attempt\n  why:     the cause\n"
        );
    }

    #[test]
    fn output_that_cannot_be_written_is_told_as_such() {
        let text = told(&Failure::from(io::Error::from(io::ErrorKind::StorageFull)));
        assert!(text.starts_with("error: cannot write the output\n  why: "), "{text}");
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        let mut text = Vec::new();
        assert_eq!(failure.report(&mut text), ExitCode::SUCCESS);
        assert!(text.is_empty());
    }
}
