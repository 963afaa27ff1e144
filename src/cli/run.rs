//! `diarch run`.

use std::io::Write;

use super::args::{self, LogFormat};
use super::failure::{CONFIG, DENIED, FAILED, Failure, USAGE, is_denied};
use super::{Terminal, logging};
use crate::daemon::{self, RunError};

pub(super) fn run(
    options: &args::Options,
    args: &args::Run,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let auto = args.log_format == LogFormat::Auto;
    let format = if auto && options.json { LogFormat::Json } else { args.log_format };
    let format =
        logging::start(format, options.color).map_err(|error| Failure::new(USAGE, error))?;
    let options = daemon::Options {
        config: options.config.clone(),
        runtime_dir: options.runtime_dir.clone(),
        node: options.node.clone(),
    };
    match daemon::run(&options) {
        Ok(()) => Ok(()),
        Err(RunError::Refused(problems)) => {
            if format == LogFormat::Text {
                write!(terminal.err, "{}", problems.render(true))?;
            } else {
                tracing::error!("configuration refused\n{}", problems.render(false));
            }
            Err(Failure::said(CONFIG))
        }
        Err(error) => {
            let error = anyhow::Error::from(error);
            let (status, next) = verdict(&error);
            tracing::error!(error = format!("{error:#}"), next, "daemon ended");
            Err(Failure::said(status))
        }
    }
}

/// The exit status, and what to do where that is known.
fn verdict(error: &anyhow::Error) -> (u8, Option<&'static str>) {
    if is_denied(error) {
        let next = "run it as root, or let systemd start it: systemctl start diarch";
        (DENIED, Some(next))
    } else {
        (FAILED, None)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_runtime_directory_one_may_not_make_is_4_with_advice() {
        let denied = anyhow::Error::from(io::Error::from(io::ErrorKind::PermissionDenied))
            .context("cannot create the runtime directory /run/diarch");
        let (status, next) = verdict(&denied);
        assert_eq!(status, DENIED);
        assert!(next.unwrap().contains("root"));
        assert_eq!(verdict(&anyhow!("another diarch daemon is running")), (FAILED, None));
    }
}
