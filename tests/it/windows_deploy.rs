//! What an operator of Windows installs, as text: no PowerShell is here to run it.

use std::fs;
use std::path::Path;

use berth::config::ecs_env::{WITHOUT_EFFECT, find};

const MODULE: &str = "Berth.psm1";
const ROUTE: &str = "Add-TaskServerRoute.ps1";

fn read(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/windows");
    fs::read_to_string(folder.join(name)).expect("a file of deploy/windows")
}

/// The script without its comments and texts.
fn bare(script: &str) -> String {
    let mut bare = String::new();
    for line in script.lines() {
        let mut quote = None;
        for c in line.chars() {
            match (quote, c) {
                (None, '#') => break,
                (None, '\'' | '"') => quote = Some(c),
                (None, c) => bare.push(c),
                (Some(open), c) if c == open => quote = None,
                (Some(_), _) => {}
            }
        }
        assert_eq!(quote, None, "a text that does not end: {line}");
        bare.push('\n');
    }
    bare
}

#[test]
fn brackets_of_the_scripts_are_closed() {
    for name in [MODULE, ROUTE] {
        let mut open = Vec::new();
        for c in bare(&read(name)).chars() {
            match c {
                '(' => open.push(')'),
                '[' => open.push(']'),
                '{' => open.push('}'),
                ')' | ']' | '}' => assert_eq!(open.pop(), Some(c), "{name}"),
                _ => {}
            }
        }
        assert!(open.is_empty(), "{name}: {open:?}");
    }
}

#[test]
fn the_module_sets_only_settings_that_there_are() {
    let module = read(MODULE);
    let is_part = |c: char| c.is_ascii_uppercase() || c == '_';
    let words = module.split(|c: char| !is_part(c));
    let names: Vec<&str> = words
        .filter(|word| word.starts_with("ECS_") || word.starts_with("BERTH_"))
        .collect();
    assert!(names.len() > 5, "{names:?}");
    for name in names {
        assert!(
            find(name).is_some() || WITHOUT_EFFECT.contains(&name),
            "{name}"
        );
    }
}

#[test]
fn the_module_has_the_parameters_of_the_instance_user_data() {
    let module = read(MODULE);
    for parameter in [
        "[string]$Cluster",
        "[switch]$EnableTaskIAMRole",
        "[string]$LoggingDrivers",
        "[switch]$EnableTaskENI",
        "[switch]$AwsvpcBlockIMDS",
        "[string]$AwsvpcAdditionalLocalRoutes",
    ] {
        assert!(module.contains(parameter), "{parameter}");
    }
}

#[test]
fn a_container_is_led_to_the_address_of_the_task_server() {
    let route = read(ROUTE);
    for part in ["169.254.170.2/32", "0.0.0.0/0", "New-NetRoute", "NextHop"] {
        assert!(route.contains(part), "{part}");
    }
}
