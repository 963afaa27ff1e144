//! Where the daemon's log goes: standard error, or journald with its fields.

use std::io::{self, IsTerminal};
use std::os::unix::fs::MetadataExt;

use anyhow::{Context, Result};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::args::{Color, LogFormat};

/// Which events are kept; see [`EnvFilter`].
const FILTER: &str = "DIARCH_LOG";
const DEFAULT: &str = "info";

/// Sends all events of the process to where `format` says; returns what `auto` came to.
///
/// # Errors
/// `DIARCH_LOG` is no filter, or there is no journald though it was asked for.
pub(super) fn start(format: LogFormat, color: Color) -> Result<LogFormat> {
    let filter = std::env::var(FILTER).unwrap_or_else(|_| DEFAULT.to_owned());
    let filter = EnvFilter::builder()
        .parse(&filter)
        .with_context(|| format!("cannot understand {FILTER}={filter}"))?;
    let registry = tracing_subscriber::registry().with(filter);
    let stderr = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let format = resolve(format, stderr_is_journal());
    match format {
        LogFormat::Journald => {
            let journal = tracing_journald::layer().context("cannot reach journald")?;
            registry.with(journal.with_syslog_identifier("diarch".to_owned())).try_init()
        }
        LogFormat::Json => registry.with(stderr.json().flatten_event(true)).try_init(),
        LogFormat::Auto | LogFormat::Text => {
            let ansi = match color {
                Color::Always => true,
                Color::Never => false,
                Color::Auto => io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
            };
            registry.with(stderr.with_ansi(ansi)).try_init()
        }
    }
    .context("cannot set up the log")?;
    Ok(format)
}

/// What `auto` means here.
const fn resolve(format: LogFormat, journal: bool) -> LogFormat {
    match (format, journal) {
        (LogFormat::Auto, true) => LogFormat::Journald,
        (LogFormat::Auto, false) => LogFormat::Text,
        (LogFormat::Text | LogFormat::Json | LogFormat::Journald, _) => format,
    }
}

/// systemd says which file it connected to the journal (systemd.exec(5), `$JOURNAL_STREAM`); only
/// when that still is our standard error may we take the shorter way.
fn stderr_is_journal() -> bool {
    let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    std::fs::metadata("/proc/self/fd/2")
        .is_ok_and(|stderr| is_stream(&stream, stderr.dev(), stderr.ino()))
}

/// Whether `device:inode` names this file.
fn is_stream(stream: &str, device: u64, inode: u64) -> bool {
    stream
        .split_once(':')
        .is_some_and(|(left, right)| left.parse() == Ok(device) && right.parse() == Ok(inode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journald_is_chosen_only_when_it_reads_our_standard_error() {
        assert!(is_stream("9:12345", 9, 12345));
        for other in ["", "9", "9:1", "8:12345", "a:b"] {
            assert!(!is_stream(other, 9, 12345), "{other}");
        }
        assert_eq!(resolve(LogFormat::Auto, true), LogFormat::Journald);
        assert_eq!(resolve(LogFormat::Auto, false), LogFormat::Text);
        assert_eq!(resolve(LogFormat::Json, true), LogFormat::Json);
    }
}
