//! What an operator of Windows installs, as text: no PowerShell is here to run it.

use std::fs;
use std::path::Path;

use berth::config::ecs_env::find;

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
fn the_module_sets_only_settings_that_something_comes_of() {
    let module = read(MODULE);
    let is_part = |c: char| c.is_ascii_uppercase() || c == '_';
    let words = module.split(|c: char| !is_part(c));
    let names: Vec<&str> = words
        .filter(|word| word.starts_with("ECS_") || word.starts_with("BERTH_"))
        .collect();
    assert!(names.len() > 3, "{names:?}");
    for name in names {
        // Others would be told of at each start of the agent.
        assert!(find(name).is_some(), "{name}");
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
        "[string]$Version",
    ] {
        assert!(module.contains(parameter), "{parameter}");
    }
}

/// A new host starts its Docker when it likes: what only Docker brings keeps nothing else from its start.
#[test]
fn the_module_starts_the_service_before_it_needs_what_docker_brings() {
    let module = read(MODULE);
    let place = |part: &str| module.find(part).unwrap_or_else(|| panic!("{part}"));
    let setup = place("'host', 'setup'");
    assert!(place("'service', 'start'") < setup);
    let attempt = module[..setup].rfind("try {").expect("an attempt");
    assert!(place("'service', 'start'") < attempt);
    let after = &module[setup..];
    let warning = after.find("} catch {").zip(after.find("Write-Warning"));
    assert!(warning.is_some_and(|(catch, warning)| catch < warning));
}

/// Otherwise `Web` stays where `web` is meant: names of clusters count their case.
#[test]
fn the_module_sees_a_change_of_case() {
    let module = read(MODULE);
    assert!(module.contains("$now -cne $Value"));
    assert!(!module.contains("$now -ne"));
}

#[test]
fn a_container_is_led_to_the_address_of_the_task_server() {
    let route = read(ROUTE);
    for part in ["169.254.170.2/32", "0.0.0.0/0", "New-NetRoute", "NextHop"] {
        assert!(route.contains(part), "{part}");
    }
    // Whoever reaches the host's own credentials has said so.
    let asked = "if ($InstanceMetadata) { $addresses += '169.254.169.254/32' }";
    assert!(route.contains(asked));
    assert_eq!(bare(&route).matches("New-NetRoute").count(), 1);
}

/// PowerShell hands everything behind `-File` to the script: a command there would never be started.
#[test]
fn the_start_of_a_container_that_is_shown_runs_the_route_and_then_the_program() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/windows.md"));
    for text in [read(ROUTE), page.expect("a page")] {
        assert!(!text.contains("-NoProfile -File"));
        let start = r#""entryPoint": ["powershell", "-NoProfile", "-Command"]"#;
        assert!(text.contains(start));
        let command =
            r#""command": ["C:\\Add-TaskServerRoute.ps1; C:\\app\\app.exe; exit $LASTEXITCODE"]"#;
        assert!(text.contains(command));
    }
}

#[test]
fn what_the_module_sets_counts_in_its_own_window_too() {
    let module = read(MODULE);
    let set = |place: &str| format!("SetEnvironmentVariable($Name, $Value, '{place}')");
    // The service reads those of the machine; `host setup` and whoever asks next in that window those of the process.
    for place in ["Machine", "Process"] {
        assert!(module.contains(&set(place)), "{place}");
    }
}
