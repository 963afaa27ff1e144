//! What may be written on the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use anstream::ColorChoice;
use clap::builder::NonEmptyStringValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

const AFTER_HELP: &str = "\
Exit status: 0 ok, 1 failed or problems found, 2 bad usage, 3 daemon not running,
4 permission denied, 6 timed out.  `diarch run` ends with 78 on a refused configuration.";

/// A highly available pair of Linux Virtual Server (IPVS) directors
#[derive(Debug, Parser)]
#[command(
    name = "diarch",
    version,
    arg_required_else_help = true,
    after_help = AFTER_HELP
)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) options: Options,
    #[command(subcommand)]
    pub(super) command: Command,
}

impl Args {
    /// Reads a command line, the program's own name first.
    ///
    /// # Errors
    /// What is wrong with it, to be printed; help and the version come this way too.
    pub(super) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        let checks = arguments.iter().any(|argument| argument == "check");
        Self::try_parse_from(arguments).map_err(|mut error| {
            let word = error.get(ContextKind::InvalidArg).map(ToString::to_string);
            let is_file = word.is_some_and(|word| !word.starts_with('-'));
            if checks && is_file && error.kind() == ErrorKind::UnknownArgument {
                let tip = "the file is named with -c: diarch -c FILE check";
                let tip = ContextValue::StyledStrs(vec![tip.into()]);
                drop(error.insert(ContextKind::Suggested, tip));
            }
            error.with_cmd(&Self::command())
        })
    }
}

fn event_count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("`{text}` is no number of events: 0, 1, 2 ..."))
}

/// What holds for every verb.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Options {
    /// Configuration file; conf.d/*.toml beside it is read too
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        default_value = "/etc/diarch/diarch.toml"
    )]
    pub(super) config: PathBuf,
    /// Where the daemon's sockets and state live
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "DIARCH_RUNTIME_DIR",
        default_value = "/run/diarch"
    )]
    pub(super) runtime_dir: PathBuf,
    /// Act as this [node.NAME] instead of the short host name
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "DIARCH_NODE",
        value_parser = NonEmptyStringValueParser::new()
    )]
    pub(super) node: Option<String>,
    /// Print JSON: one object; one per line for events and for the log of run
    #[arg(short, long, global = true)]
    pub(super) json: bool,
    /// When to colour
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        default_value_t = Color::Auto,
        help = "Colour: auto follows the terminal, NO_COLOR and CLICOLOR_FORCE"
    )]
    pub(super) color: Color,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

impl Color {
    pub(super) const fn choice(self) -> ColorChoice {
        match self {
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the daemon in the foreground (what the service unit starts)
    Run(Run),
    /// Validate the configuration and explain every mistake at once
    #[command(after_help = "To check other files than those of /etc/diarch: diarch -c FILE check")]
    Check,
    /// One-look overview: who is active, which services serve, what is down and why
    Status(Status),
    /// What happened: state changes, with reasons
    Events(Events),
    /// Apply the configuration files to the running daemon
    #[command(
        after_help = "The daemon reads the files it was started with, whatever -c says here."
    )]
    Reload,
}

#[derive(Debug, clap::Args)]
pub(super) struct Run {
    /// Form of the log
    #[arg(
        long,
        value_name = "FORMAT",
        value_enum,
        default_value_t = LogFormat::Auto,
        help = "Form of the log on standard error; auto: journald's own under systemd, else text. \
                DIARCH_LOG filters it: debug, diarch::daemon=trace"
    )]
    pub(super) log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    Auto,
    Text,
    Json,
    Journald,
}

#[derive(Debug, clap::Args)]
pub(super) struct Status {
    /// Only this virtual router, virtual service or real server: a name, an address, or as problems
    /// and events write it (www/192.168.0.3:80); may be repeated
    #[arg(value_name = "NAME")]
    pub(super) names: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Events {
    /// Go on with events as they happen
    #[arg(short, long)]
    pub(super) follow: bool,
    /// How many of the kept events to show
    #[arg(
        short = 'n',
        long = "lines",
        value_name = "N",
        default_value_t = 50,
        value_parser = event_count,
        allow_negative_numbers = true
    )]
    pub(super) lines: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn global_options_may_stand_before_and_after_the_verb() {
        for line in ["diarch -c a.toml --json events -n 3 -f", "diarch events -fn3 -c a.toml -j"] {
            let args = Args::try_parse_from(line.split(' ')).unwrap();
            assert!(args.options.json && args.options.config.as_os_str() == "a.toml");
            assert!(matches!(args.command, Command::Events(Events { follow: true, lines: 3 })));
        }
    }

    #[test]
    fn mistakes_on_the_command_line_are_answered_with_what_is_expected() {
        for (line, words) in [
            ("diarch events -n abc", "`abc` is no number of events"),
            ("diarch events -n -1", "`-1` is no number of events"),
            ("diarch check /etc/diarch/diarch.toml", "diarch -c FILE check"),
        ] {
            let error = Args::read(line.split(' ').map(Into::into)).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(words), "{error}");
        }
        let nameless = Args::read(["diarch", "--node", "", "check"].map(Into::into)).unwrap_err();
        assert_eq!(nameless.exit_code(), 2);
        let help = Args::read(["diarch", "help", "check"].map(Into::into)).unwrap_err();
        assert_eq!(help.exit_code(), 0);
    }

    #[test]
    fn bad_usage_ends_with_2() {
        let error = Args::try_parse_from(["diarch", "statsu"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }
}
