//! The `berth` program: arguments in, exit code out.

use std::io::Write;
use std::process::ExitCode;

use berth::cli::root::Cli;
use berth::cli::{entry, exit};

fn main() -> ExitCode {
    let cli = Cli::of_process();
    match entry::run(&cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let code = entry::exit_code_of(&error);
            // A reader that went away (`berth ps | head`) is no failure and not worth a word.
            if code != exit::OK {
                // If standard error is closed there is nobody to tell.
                drop(writeln!(std::io::stderr(), "berth: {error:#}"));
            }
            ExitCode::from(code)
        }
    }
}
