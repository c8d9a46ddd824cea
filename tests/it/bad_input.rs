//! Bad task definitions as a user hands them in: a documented exit code, soon, and words that name the place.
//!
//! No Docker is needed: what is refused here is refused before anybody asks it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::berth::{Berth, Done};

/// Exit codes (`berth::cli::exit`).
const FAILED: i32 = 1;
const REFUSED: i32 = 5;

/// What a refusal may take, the slowest machine included.
const SOON: Duration = Duration::from_mins(1);

/// A directory with a user who has no Docker.
struct Desk {
    dir: TempDir,
    berth: Berth,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name).display().to_string();
        let berth = Berth::default()
            .env("HOME", at(""))
            .env("ECS_DATADIR", at("data"))
            .env("DOCKER_HOST", format!("unix://{}", at("no.sock")));
        Self { dir, berth }
    }

    fn write(&self, content: impl AsRef<[u8]>) -> String {
        let path = self.dir.path().join("task.json");
        std::fs::write(&path, content).expect("a file");
        path.display().to_string()
    }

    /// `plan` and `run` of a file; both must say the same and leave nothing.
    async fn refused(&self, path: &str, code: i32) -> String {
        let plan = self.berth.run_within(&["plan", path], SOON).await;
        let run = self.berth.run_within(&["run", path], SOON).await;
        assert_eq!(plan.failing(code), run.failing(code));
        assert!(!self.dir.path().join("data").exists(), "nothing is made");
        plan.err
    }
}

fn app(more: &Value) -> Value {
    let mut app = json!({ "name": "app", "image": "busybox", "memory": 64 });
    let object = app.as_object_mut().expect("an object");
    object.extend(more.as_object().expect("members").clone());
    app
}

fn task(more: &Value) -> String {
    json!({ "family": "web", "containerDefinitions": [app(more)] }).to_string()
}

#[tokio::test]
async fn text_that_is_no_json_is_refused_with_its_place() {
    let desk = Desk::new();
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let cases: [(&str, &[u8], &str); 9] = [
        (
            "a colon is missing",
            b"{\"family\": \"x\",\n \"a\" 1}",
            "line 2, column 6",
        ),
        (
            "it ends too early",
            b"{\"family\": \"x\",",
            "line 1, column 15",
        ),
        ("something follows", b"{} {}", "line 1, column 4"),
        ("no JSON at all", b"family: web\n", "line 1, column 3"),
        ("binary", b"\x7fELF\x02\x01\x01\0\xff\xfe", "line 1"),
        ("empty", b"", "empty"),
        ("only space", b" \n\t ", "empty"),
        ("a number", b"12", "must be a task definition"),
        (
            "nested too deep",
            deep.as_bytes(),
            "recursion limit exceeded: line 1",
        ),
    ];
    for (what, text, words) in cases {
        let said = desk.refused(&desk.write(text), REFUSED).await;
        assert!(said.contains(words), "{what}: {said}");
    }
}

#[expect(clippy::too_many_lines, reason = "a table")]
#[tokio::test]
async fn fields_that_are_wrong_are_named() {
    let desk = Desk::new();
    for (more, field) in [
        (
            json!({ "memory": "lots" }),
            "containerDefinitions[0].memory",
        ),
        (json!({ "memory": 0 }), "containerDefinitions[0].memory"),
        (json!({ "memory": -5 }), "containerDefinitions[0].memory"),
        (json!({ "memory": 1e20 }), "containerDefinitions[0].memory"),
        (json!({ "memory": [64] }), "containerDefinitions[0].memory"),
        (
            json!({ "memoryReservation": 128 }),
            "containerDefinitions[0].memoryReservation",
        ),
        (json!({ "cpu": -1 }), "containerDefinitions[0].cpu"),
        (json!({ "essential": false }), "essential"),
        (
            json!({ "essential": "perhaps" }),
            "containerDefinitions[0].essential",
        ),
        (
            json!({ "command": "sleep 1" }),
            "containerDefinitions[0].command",
        ),
        (
            json!({ "command": ["a\0b"] }),
            "containerDefinitions[0].command[0]",
        ),
        (
            json!({ "entryPoint": ["\0"] }),
            "containerDefinitions[0].entryPoint[0]",
        ),
        (
            json!({ "environment": { "A": "b" } }),
            "containerDefinitions[0].environment",
        ),
        (
            json!({ "environment": [{ "name": "", "value": "b" }] }),
            "containerDefinitions[0].environment[0].name",
        ),
        (
            json!({ "environment": [{ "name": "A=B", "value": "b" }] }),
            "containerDefinitions[0].environment[0].name",
        ),
        (
            json!({ "environment": [{ "name": "A", "value": "b\0" }] }),
            "containerDefinitions[0].environment[0].value",
        ),
        (json!({ "image": "" }), "containerDefinitions[0].image"),
        (
            json!({ "image": "UPPER case" }),
            "containerDefinitions[0].image",
        ),
        (json!({ "name": "" }), "containerDefinitions[0].name"),
        (
            json!({ "name": "x".repeat(300) }),
            "containerDefinitions[0].name",
        ),
        (
            json!({ "stopTimeout": "soon" }),
            "containerDefinitions[0].stopTimeout",
        ),
        (
            json!({ "portMappings": [{ "containerPort": 70_000 }] }),
            "containerDefinitions[0].portMappings[0].containerPort",
        ),
        (
            json!({ "portMappings": [{ "containerPort": 80, "hostPort": 80 }, { "containerPort": 81, "hostPort": 80 }] }),
            "containerDefinitions[0].portMappings[1]",
        ),
        (
            json!({ "healthCheck": { "command": [] } }),
            "containerDefinitions[0].healthCheck.command",
        ),
        (
            json!({ "healthCheck": { "command": ["CMD", "a"], "interval": 0 } }),
            "containerDefinitions[0].healthCheck.interval",
        ),
        (
            json!({ "dependsOn": [{ "containerName": "db", "condition": "START" }] }),
            "containerDefinitions[0].dependsOn[0].containerName",
        ),
        (
            json!({ "dependsOn": [{ "containerName": "app", "condition": "START" }] }),
            "containerDefinitions[0].dependsOn",
        ),
        (
            json!({ "dependsOn": [{ "containerName": "app", "condition": "SOMEDAY" }] }),
            "containerDefinitions[0].dependsOn[0].condition",
        ),
        (
            json!({ "mountPoints": [{ "sourceVolume": "none", "containerPath": "/x" }] }),
            "containerDefinitions[0].mountPoints[0].sourceVolume",
        ),
        (
            json!({ "ulimits": [{ "name": "wings", "softLimit": 1, "hardLimit": 1 }] }),
            "containerDefinitions[0].ulimits[0].name",
        ),
        (
            json!({ "ulimits": [{ "name": "nofile", "softLimit": 9, "hardLimit": 1 }] }),
            "containerDefinitions[0].ulimits[0]",
        ),
    ] {
        let said = desk.refused(&desk.write(task(&more)), REFUSED).await;
        assert!(said.contains(field), "{more} names {field}: {said}");
    }
}

#[tokio::test]
async fn every_reason_is_said_at_once_and_to_programs_as_json() {
    let desk = Desk::new();
    // One of the definition, and one of any host that is no Fargate.
    let text = json!({
        "family": "web",
        "requiresCompatibilities": ["FARGATE"],
        "containerDefinitions": [app(&json!({ "memory": "lots" }))],
    });
    let path = desk.write(text.to_string());
    let said = desk.refused(&path, REFUSED).await;
    for field in ["containerDefinitions[0].memory", "requiresCompatibilities"] {
        assert!(said.contains(field), "{field}: {said}");
    }
    for command in ["plan", "run"] {
        let done = desk
            .berth
            .run_within(&[command, &path, "--json"], SOON)
            .await;
        let shown: Value = serde_json::from_str(done.with(REFUSED)).expect("JSON");
        let paths = shown["findings"].as_array().expect("findings").iter();
        let paths: Vec<_> = paths.map(|finding| finding["path"].as_str()).collect();
        assert_eq!(shown["refused"], true);
        assert_eq!(
            paths,
            [
                Some("containerDefinitions[0].memory"),
                Some("requiresCompatibilities")
            ]
        );
    }
}

#[tokio::test]
async fn a_docker_that_hangs_keeps_nobody_from_the_reasons() {
    let mut desk = Desk::new();
    let socket = desk.dir.path().join("silent.sock");
    // It accepts connections; nobody ever reads from them.
    let _silent = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    desk.berth = desk
        .berth
        .env("DOCKER_HOST", format!("unix://{}", socket.display()));
    let path = desk.write(task(&json!({ "memory": "lots" })));
    let said = desk.refused(&path, REFUSED).await;
    assert!(said.contains("containerDefinitions[0].memory"), "{said}");
}

#[tokio::test]
async fn tasks_that_are_wrong_as_a_whole_are_refused_with_the_field() {
    let desk = Desk::new();
    let wait = |name: &str, on: &str| {
        app(&json!({ "name": name, "dependsOn": [{ "containerName": on, "condition": "START" }] }))
    };
    let port = |name: &str| {
        app(&json!({ "name": name, "portMappings": [{ "containerPort": 80, "hostPort": 80 }] }))
    };
    let many: Vec<Value> = (0..1000)
        .map(|n| app(&json!({ "name": format!("c{n}") })))
        .collect();
    for (containers, field) in [
        (json!([]), "containerDefinitions: is empty"),
        (json!({}), "containerDefinitions: must be a list"),
        (
            json!([app(&json!({})), app(&json!({}))]),
            "containerDefinitions[1].name",
        ),
        (
            json!([wait("a", "b"), wait("b", "c"), wait("c", "a")]),
            "a -> b -> c -> a",
        ),
        (
            json!([port("a"), port("b")]),
            "containerDefinitions[1].portMappings[0]",
        ),
        (json!(many), "containerDefinitions: has 1000 containers"),
    ] {
        let text = json!({ "family": "web", "containerDefinitions": containers }).to_string();
        let said = desk.refused(&desk.write(text), REFUSED).await;
        assert!(said.contains(field), "{field}: {said}");
    }
    let text = json!({ "memory": "64", "containerDefinitions": [app(&json!({ "memory": 640 }))] });
    let said = desk.refused(&desk.write(text.to_string()), REFUSED).await;
    assert!(said.contains("containerDefinitions[0].memory"), "{said}");
}

#[tokio::test]
async fn no_field_leads_out_of_its_place() {
    let desk = Desk::new();
    for bad in [
        "../../etc",
        "..",
        "a/../../b",
        "/etc/passwd",
        "a\\..\\b",
        "a\0b",
    ] {
        let mount = json!([{ "sourceVolume": bad, "containerPath": "/x" }]);
        for (text, field) in [
            (
                json!({ "family": bad, "containerDefinitions": [app(&json!({}))] }),
                "family",
            ),
            (
                json!({ "containerDefinitions": [app(&json!({ "name": bad }))] }),
                "containerDefinitions[0].name",
            ),
            (
                json!({ "volumes": [{ "name": bad }], "containerDefinitions": [app(&json!({ "mountPoints": mount }))] }),
                "volumes[0].name",
            ),
        ] {
            let said = desk.refused(&desk.write(text.to_string()), REFUSED).await;
            assert!(said.contains(field), "{bad:?} in {field}: {said}");
        }
    }
    for bad in ["../x", "/a/../../x", "x", ""] {
        let mount = json!([{ "sourceVolume": "v", "containerPath": bad }]);
        let text = json!({ "volumes": [{ "name": "v" }], "containerDefinitions": [app(&json!({ "mountPoints": mount }))] });
        let said = desk.refused(&desk.write(text.to_string()), REFUSED).await;
        assert!(
            said.contains("mountPoints[0].containerPath"),
            "{bad:?}: {said}"
        );
    }
    for bad in ["../../etc", "/srv/../../etc", "relative"] {
        let text = json!({
            "volumes": [{ "name": "v", "host": { "sourcePath": bad } }], "containerDefinitions": [app(&json!({}))],
        });
        let said = desk.refused(&desk.write(text.to_string()), REFUSED).await;
        assert!(
            said.contains("volumes[0].host.sourcePath"),
            "{bad:?}: {said}"
        );
    }
}

/// The paths of devices, memory file systems and working directories too.
#[tokio::test]
async fn no_path_inside_a_container_leads_out_of_its_place() {
    let desk = Desk::new();
    for bad in ["../x", "/dev/../../x", "x", "/a\0b"] {
        for (more, field) in [
            (
                json!({ "linuxParameters": { "devices": [{ "hostPath": bad }] } }),
                "linuxParameters.devices[0].hostPath",
            ),
            (
                json!({ "linuxParameters": { "devices": [{ "hostPath": "/dev/null", "containerPath": bad }] } }),
                "linuxParameters.devices[0].containerPath",
            ),
            (
                json!({ "linuxParameters": { "tmpfs": [{ "containerPath": bad, "size": 1 }] } }),
                "linuxParameters.tmpfs[0].containerPath",
            ),
            (json!({ "workingDirectory": bad }), "workingDirectory"),
        ] {
            let said = desk.refused(&desk.write(task(&more)), REFUSED).await;
            assert!(said.contains(field), "{bad:?} in {field}: {said}");
        }
    }
}

#[tokio::test]
async fn a_misspelt_field_is_answered_with_the_nearest_name() {
    let desk = Desk::new();
    let text = json!({ "family": "web", "containerDefinitons": [app(&json!({}))] }).to_string();
    let said = desk.refused(&desk.write(text), REFUSED).await;
    assert!(
        said.contains("did you mean containerDefinitions?"),
        "{said}"
    );
    // Without the field the task runs, so it is a warning.
    let path = desk.write(task(&json!({ "portMapings": [] })));
    let plan = desk.berth.run(&["plan", &path]).await;
    let said = plan.with(0);
    assert!(
        said.contains("containerDefinitions[0].portMapings"),
        "{said}"
    );
    assert!(said.contains("portMappings"), "{said}");
}

/// Of two equal keys JSON's readers keep one in silence: which one counts is said, with its place.
#[tokio::test]
async fn a_key_that_stands_twice_is_warned_of() {
    let desk = Desk::new();
    let text = r#"{
        "family": "web",
        "containerDefinitions": [
            { "name": "app", "image": "busybox", "memory": 32,
              "memory": 64 }
        ],
        "family": "shop"
    }"#;
    let path = desk.write(text);
    let plan = desk.berth.run(&["plan", &path]).await;
    let twice = "is given twice; the last one counts, here from line";
    for warning in [
        format!("warning  containerDefinitions[0].memory: {twice} 5"),
        format!("warning  family: {twice} 7"),
    ] {
        assert!(plan.with(0).contains(&warning), "{plan:?}");
    }
    assert!(plan.out.contains("Task definition shop:0"), "{plan:?}");
    let json = desk.berth.run(&["plan", "--json", &path]).await.json();
    let findings = json["findings"].as_array().expect("findings");
    let warned = |path: &str| {
        let mut all = findings.iter();
        all.any(|finding| finding["path"] == path && finding["effect"] == "warning")
    };
    assert!(warned("family") && warned("containerDefinitions[0].memory"));
    let bytes = 64 * 1024 * 1024;
    let steps = json["steps"].as_array().expect("steps");
    let mut bodies = steps
        .iter()
        .map(|step| &step["body"]["HostConfig"]["Memory"]);
    assert!(bodies.any(|memory| *memory == bytes), "{json}");
}

#[tokio::test]
async fn files_that_are_none_are_named() {
    let desk = Desk::new();
    let at = |name: &str| desk.dir.path().join(name).display().to_string();
    let said = desk.refused(&at("missing.json"), FAILED).await;
    assert!(said.contains("missing.json: No such file"), "{said}");
    let said = desk.refused(&at(""), FAILED).await;
    assert!(said.contains("directory"), "{said}");
    let large = desk.write(vec![b' '; 10 * 1024 * 1024 + 1]);
    let said = desk.refused(&large, REFUSED).await;
    assert!(said.contains("is larger than 10485760 bytes"), "{said}");
}

/// Just below the limit and nothing wrong with it: work that grows with the square of the text would not end.
#[tokio::test]
async fn a_definition_as_large_as_they_may_be_is_planned() {
    let desk = Desk::new();
    let variable =
        |number: u32| json!({ "name": format!("V{number}"), "value": "x".repeat(1_000) });
    let environment: Vec<Value> = (0..9_500).map(variable).collect();
    let text = task(&json!({ "environment": environment }));
    assert!(text.len() > 9_500_000, "{}", text.len());
    let plan = desk.berth.run(&["plan", &desk.write(text)]).await;
    assert!(plan.with(0).contains("V9499"));
}

#[tokio::test]
async fn what_comes_on_standard_input_is_judged_alike() {
    let desk = Desk::new();
    let plan = async |text: String| {
        let args = ["plan", "-"];
        desk.berth.run_with_input(&args, text.as_bytes()).await
    };
    let good = plan(task(&json!({}))).await;
    assert!(good.with(0).contains("app"));
    let bad = plan(task(&json!({ "memory": "lots" }))).await;
    assert!(
        bad.failing(REFUSED)
            .contains("containerDefinitions[0].memory")
    );
}

#[tokio::test]
async fn wrong_command_lines_end_with_their_own_code() {
    let desk = Desk::new();
    let path = desk.write(task(&json!({})));
    for (args, words) in [
        (vec![], "Usage: berth"),
        (vec!["bogus"], "unrecognized subcommand"),
        (vec!["plan"], "<FILE>"),
        (vec!["plan", &path, "--bogus"], "--bogus"),
        (vec!["plan", &path, "--var", "novalue"], "--var"),
        (vec!["plan", &path, "--env", "=x"], "--env"),
        (vec!["plan", &path, "--memory", "app=lots"], "--memory"),
        (vec!["plan", &path, "--network-as", "moon"], "bridge"),
        (vec!["ps", "--status", "gone"], "RUNNING"),
        (vec!["stop"], "<TASK>"),
        (vec!["rm"], "<TASK>"),
        (vec!["why", "x", "--events=-1"], "--events"),
    ] {
        let done = desk.berth.run_within(&args, SOON).await;
        assert!(done.failing(2).contains(words), "{args:?}: {done:?}");
    }
}

#[tokio::test]
async fn questions_without_an_agent_say_what_to_do() {
    let desk = Desk::new();
    for args in [
        &["ps"][..],
        &["why"],
        &["events"],
        &["logs", "x"],
        &["stop", "x"],
        &["rm", "x"],
        &["ps", "--json"],
    ] {
        let done = desk.berth.run_within(args, SOON).await;
        let said = done.failing(4);
        assert!(
            said.contains("berth.sock") && said.contains("`berth agent`"),
            "{said}"
        );
        assert!(
            said.contains("--data-dir") && !said.contains("--socket"),
            "{said}"
        );
        assert_eq!(done.out, "");
    }
}

#[tokio::test]
async fn help_fits_a_terminal_and_asks_nobody() {
    let desk = Desk::new();
    let narrow = desk.berth.clone().env("COLUMNS", "80");
    for command in [
        "",
        "run",
        "agent",
        "ps",
        "why",
        "events",
        "logs",
        "stop",
        "rm",
        "plan",
        "check-config",
        "completions",
        "man",
    ] {
        for flag in ["--help", "-h"] {
            let args: Vec<&str> = [command, flag]
                .into_iter()
                .filter(|word| !word.is_empty())
                .collect();
            let done = narrow.run_within(&args, SOON).await;
            let wide = done.with(0).lines().find(|line| line.chars().count() > 80);
            assert_eq!(wide, None, "{args:?}");
            assert!(done.out.contains("Usage: berth"), "{args:?}");
            assert!(!done.out.contains('\u{1b}'), "{args:?} has colours");
        }
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let done = desk.berth.run_within(&["completions", shell], SOON).await;
        assert!(done.with(0).contains("check-config"), "{shell}");
    }
}

/// Task definitions as people write them, if somebody has put them beside the repository.
fn corpus() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dirs = root.ancestors().map(|above| above.join("shared/corpus"));
    let Some(Ok(entries)) = dirs.map(std::fs::read_dir).find(Result::is_ok) else {
        eprintln!("skipped: there is no ../shared/corpus");
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
}

/// Whether a line of a refusal says where: `path.to[0].field: …` or `… line N …`.
fn says_where(line: &str) -> bool {
    let path = line.split(": ").next().unwrap_or_default().trim();
    let is_path = path
        .split(['.', '[', ']'])
        .all(|part| part.chars().all(char::is_alphanumeric));
    line.contains(": ") && (is_path || line.contains("line "))
}

#[tokio::test]
async fn what_people_write_is_planned_or_refused_with_the_field() {
    let desk = Desk::new();
    for path in corpus() {
        let path = path.display().to_string();
        let plan: Done = desk.berth.run_within(&["plan", &path], SOON).await;
        assert!(matches!(plan.code, Some(0 | REFUSED)), "{path}: {plan:?}");
        let as_json = desk
            .berth
            .run_within(&["plan", "--json", &path], SOON)
            .await;
        assert_eq!(as_json.code, plan.code, "{path}");
        let mut lines = plan.err.lines();
        if lines
            .next()
            .is_some_and(|first| first.contains("is refused"))
        {
            for line in lines.filter(|line| !line.trim().starts_with("warning: ")) {
                assert!(says_where(line), "{path}: {line}");
            }
        }
        if plan.code == Some(0) {
            let value: Value = serde_json::from_str(&as_json.out).expect("JSON");
            assert!(
                !value["steps"].as_array().expect("steps").is_empty(),
                "{path}"
            );
        }
    }
    assert!(!desk.dir.path().join("data").exists(), "nothing is made");
}
