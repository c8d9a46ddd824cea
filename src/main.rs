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
            let code = entry::exit_code_of(&error);
            // A reader that has gone away (`berth ps | head`) is no failure, and has nobody to tell.
            if code != 0 {
                drop(writeln!(std::io::stderr(), "berth: {error:#}"));
            }
            ExitCode::from(code)
        }
    }
}
