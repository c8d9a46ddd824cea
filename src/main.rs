//! The `berth` program: arguments in, exit code out.

use std::io::Write;
use std::process::ExitCode;

use berth::cli::entry;
use berth::cli::root::Cli;

fn main() -> ExitCode {
    let cli = Cli::of_process();
    match entry::run(&cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // If standard error is closed there is nobody to tell.
            drop(writeln!(std::io::stderr(), "berth: {error:#}"));
            ExitCode::from(entry::exit_code_of(&error))
        }
    }
}
