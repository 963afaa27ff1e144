//! The command line: what each verb prints, and the exit status.
//!
//! Results go to standard output, errors and progress to standard error. `args` says what may be
//! written, one file per verb says what it does, `overview`, `table` and `words` turn the status
//! types into text without any I/O, and `failure` turns an error into advice and an exit status.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use anstream::AutoStream;
use anyhow::Context;

mod args;
mod check;
mod events;
mod failure;
mod kernel_table;
mod logging;
mod overview;
mod reload;
mod run;
mod status;
mod table;
mod words;

use args::{Args, Command};
use failure::Failure;

/// Where a verb writes: stripped of colour where the stream is no terminal.
struct Terminal {
    out: AutoStream<io::Stdout>,
    err: AutoStream<io::Stderr>,
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    run(std::env::args_os())
}

/// Runs the program with these arguments, the first being its own name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match Args::read(arguments) {
        Ok(args) => args,
        Err(error) => {
            // Help and version come this way too. A closed stream is no reason to say more.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let color = args.options.color.choice();
    let mut terminal = Terminal {
        out: AutoStream::new(io::stdout(), color),
        err: AutoStream::new(io::stderr(), color),
    };
    let done = match args.command {
        Command::Run(run) => run::run(&args.options, &run, &mut terminal),
        Command::Check => check::check(&args.options, &mut terminal),
        Command::Status(status) => status::status(&args.options, &status, &mut terminal),
        Command::Events(events) => events::events(&args.options, &events, &mut terminal),
        Command::Reload => reload::reload(&args.options, &mut terminal),
    };
    let done = done.and_then(|()| Ok(terminal.out.flush()?));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(&mut terminal.err),
    }
}

/// Drives a client to its end, on this thread.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start the runtime")?;
    Ok(runtime.block_on(work))
}
