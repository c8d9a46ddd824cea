//! The `berth` program: arguments in, exit code out.

use std::io::Write;
use std::process::ExitCode;

use berth::cli::entry;
use berth::cli::root::Cli;
use clap::Parser;

fn main() -> ExitCode {
    // Wrong arguments, --help and --version print and exit by themselves.
    let cli = Cli::parse();
    match entry::run(&cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // If standard error is closed there is nobody to tell.
            drop(writeln!(std::io::stderr(), "berth: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
