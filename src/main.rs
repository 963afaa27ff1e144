//! The `diarch` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    diarch::cli::main()
}
