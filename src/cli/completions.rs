//! `berth completions` and `berth man`: generated from the command line itself, so that they cannot fall behind it.

use std::io::{self, Write};

use clap::CommandFactory;

use super::root::Cli;

pub use clap_complete::Shell;

/// Writes the completion script for `shell`.
///
/// # Errors
/// If it cannot be written.
pub fn completions(shell: Shell, out: &mut dyn Write) -> io::Result<()> {
    // The generator panics on a failed write, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "berth", &mut script);
    out.write_all(&script)
}

/// Writes the manual page: all commands on one page.
///
/// # Errors
/// If it cannot be written.
pub fn man(out: &mut dyn Write) -> io::Result<()> {
    let command = Cli::command();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let sub = sub
            .clone()
            .display_name(format!("berth {}", sub.get_name()));
        let part = clap_mangen::Man::new(sub);
        part.render_name_section(&mut page)?;
        part.render_synopsis_section(&mut page)?;
        part.render_options_section(&mut page)?;
    }
    out.write_all(&page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_gets_every_command() {
        for shell in [
            Shell::Bash,
            Shell::Zsh,
            Shell::Fish,
            Shell::PowerShell,
            Shell::Elvish,
        ] {
            let mut script = Vec::new();
            completions(shell, &mut script).expect("written");
            let script = String::from_utf8(script).expect("UTF-8");
            assert!(script.contains("check-config"), "{shell}");
        }
    }

    #[test]
    fn the_manual_page_has_every_command() {
        let mut page = Vec::new();
        man(&mut page).expect("written");
        let page = String::from_utf8(page).expect("UTF-8");
        for command in Cli::command()
            .get_subcommands()
            .filter(|one| !one.is_hide_set())
        {
            let name = command.get_name().replace('-', "\\-");
            assert!(page.contains(&name), "{name}");
        }
    }
}
