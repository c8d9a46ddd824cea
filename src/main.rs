//! The `berth` program: arguments in, exit code out.

use std::io::Write;
use std::process::ExitCode;

use berth::cli::entry;
use berth::cli::exit;
use berth::cli::root::Cli;

fn main() -> ExitCode {
    let cli = Cli::of_process();
    match entry::run(&cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let code = entry::exit_code_of(&error);
            // A reader of our output that went away is an error without being a failure: nothing to tell.
            if code != exit::OK {
                // If standard error is closed there is nobody to tell.
                drop(writeln!(std::io::stderr(), "berth: {error:#}"));
            }
            ExitCode::from(code)
        }
    }
}
