//! Who may know whom: edges between rooms, homes of foreign crates, purity of decisions.
//!
//! Test code is free: its edges bind nothing.

use super::modules;
use super::source::{self, Source};

/// Rooms below `src/` and the rooms they may name. A longer prefix wins: `reconcile/plan` has its own line. A room
/// that is not here may name nothing.
const EDGES: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("boundary", &["domain"]),
    // The engine.
    ("reconcile", &["boundary", "domain", "images"]),
    ("reconcile/plan", &["boundary", "domain"]),
    ("images", &["boundary", "domain"]),
    ("images/plan", &["boundary", "domain"]),
    ("credentials", &["boundary", "domain"]),
    ("credentials/plan", &["boundary", "domain"]),
    ("secrets", &["boundary", "domain"]),
    ("secrets/plan", &["boundary", "domain"]),
    ("stats", &["boundary", "domain"]),
    // Reading task definitions: a room of its own, since four others need it (ADR 0002).
    ("definition", &["domain"]),
    // Drivers: into the engine through its handle.
    (
        "standalone",
        &["boundary", "definition", "domain", "reconcile"],
    ),
    (
        "ecs",
        &[
            "boundary",
            "credentials",
            "definition",
            "domain",
            "reconcile",
            "stats",
        ],
    ),
    // What it says and hears decides nothing about how it travels.
    ("ecs/acs", &["boundary", "domain"]),
    ("ecs/payload", &["definition", "domain"]),
    (
        "api",
        &[
            "boundary",
            "credentials",
            "definition",
            "domain",
            // Programs of the host connect to a socket or to a named pipe.
            "platform",
            "reconcile",
            "stats",
        ],
    ),
    // What is counted; figures of tasks and of the host are read off snapshots.
    ("metrics", &["boundary", "domain", "reconcile"]),
    // Adapters: never each other.
    ("docker", &["boundary", "domain"]),
    // What makes a file private differs between systems.
    ("store", &["boundary", "definition", "domain", "platform"]),
    ("platform", &["boundary", "domain"]),
    ("aws", &["boundary", "domain"]),
    // The record of requests: its file is for the owner only.
    ("audit", &["boundary", "domain", "platform"]),
    // Sealed files are for the owner only, and the key is the kernel's.
    ("vault", &["boundary", "domain", "platform"]),
    // The parent of the agent runs programs and keeps sockets.
    ("supervise", &["platform"]),
    ("supervise/plan", &[]),
    // Settings become sections, which name values of the domain and of the engine.
    ("config", &["credentials", "domain", "reconcile"]),
    // Those who put it together.
    // `run` has the engine in its own process and shows its snapshots; the other subcommands ask the admin API.
    (
        "cli",
        &[
            "api",
            "app",
            "config",
            "definition",
            "domain",
            // The other end of that.
            "platform",
            "reconcile",
            "standalone",
        ],
    ),
    ("main", &["app", "cli", "config"]),
    (
        "app",
        &[
            "api",
            "audit",
            "aws",
            "boundary",
            "config",
            "credentials",
            "definition",
            "docker",
            "domain",
            "ecs",
            "images",
            "metrics",
            "platform",
            "reconcile",
            "secrets",
            "standalone",
            "stats",
            "store",
            "supervise",
            "vault",
        ],
    ),
    (
        "testing",
        &[
            "api",
            "audit",
            "aws",
            "boundary",
            "config",
            "credentials",
            "definition",
            "docker",
            "domain",
            "ecs",
            "images",
            "platform",
            "reconcile",
            "standalone",
            "store",
        ],
    ),
    ("error", &[]),
    // The file of a service's lines is for the owner only.
    ("telemetry", &["config", "platform"]),
];

/// Rooms that every room may name.
const FREE: &[&str] = &["error", "telemetry"];

/// Foreign crates that live in certain rooms only (style A4).
const HOMES: &[(&[&str], &[&str])] = &[
    (&["bollard"], &["docker"]),
    (&["sqlx"], &["store"]),
    (
        &["aws_config", "aws_credential_types", "aws_sdk_sts"],
        &["aws"],
    ),
    (
        &[
            "aws_sdk_ecs",
            "rustls_native_certs",
            "tokio_rustls",
            "tokio_tungstenite",
        ],
        &["ecs"],
    ),
    // Both sign and connect by themselves where no client of the SDK does.
    (
        &[
            "aws_sigv4",
            "aws_smithy_http_client",
            "aws_smithy_runtime_api",
        ],
        &["aws", "ecs"],
    ),
    (
        &["axum", "tower", "tower_http", "utoipa", "utoipa_axum"],
        &["api"],
    ),
    (&["clap", "indicatif"], &["cli"]),
    (&["console"], &["cli"]),
    // The admin socket is served with limits that the framework's own server does not have.
    // EC2 is asked one question, for which its SDK would be a large dependency.
    (
        &["hyper", "hyper_util"],
        &["api", "cli", "docker", "ecs/connect"],
    ),
    (
        &[
            "netlink_packet_core",
            "netlink_packet_sock_diag",
            "netlink_sys",
            "command_fds",
            "linux_keyutils",
            "nix",
            "rtnetlink",
            "windows",
            "windows_registry",
            "windows_service",
            "windows_sys",
        ],
        &["platform"],
    ),
    (&["prometheus_client"], &["metrics"]),
    (&["ring"], &["vault"]),
    (&["tracing_subscriber"], &["telemetry"]),
    (&["anyhow"], &["cli", "main"]),
];

/// Foreign crates that the domain may use; it is values and rules. `regex_lite` matches patterns of placement
/// constraints: a pure function of text. `sha2` names files of credential specs as ECS agents do: a pure function of bytes.
/// `zeroize` is how a secret goes: std has no write that is surely done.
const DOMAIN_CRATES: &[&str] = &["regex_lite", "sha2", "thiserror", "zeroize"];

/// Rooms whose code decides and does nothing else (style A1).
const PURE: &[&str] = &[
    "domain",
    "reconcile/plan",
    "images/plan",
    "credentials/plan",
    "secrets/plan",
    "stats/aggregate",
    "ecs/link",
    "ecs/acs",
    "ecs/tcs",
    "ecs/payload",
    "ecs/register",
    "ecs/report/plan",
    "ecs/report/bindings",
    "ecs/report/change",
    "ecs/report/lanes",
    "ecs/connect/address",
    "ecs/connect/proxy",
    "supervise/plan",
];

/// What a pure room has no use for.
const IMPURE_CRATES: &[&str] = &[
    "async_trait",
    "futures_util",
    "rand",
    "tokio",
    "tokio_util",
    "tracing",
];

/// Where `Serialize` and `Deserialize` may be derived (style A5).
const WIRE_FILES: &[&str] = &["wire.rs", "rows.rs"];
const WIRE_FOLDERS: &[&str] = &["src/config/"];

/// Whether a module lies in a room, which may be written with `/`.
fn lies_in(source: &Source, room: &str) -> bool {
    let module = source.module().join("/");
    module == room
        || module
            .strip_prefix(room)
            .is_some_and(|rest| rest.starts_with('/'))
}

/// First segment of the module: its room.
fn room(source: &Source) -> &str {
    source.module().first().copied().unwrap_or_default()
}

/// What the module may name: the line with the longest room that it lies in.
fn allowed(source: &Source) -> &'static [&'static str] {
    EDGES
        .iter()
        .filter(|(room, _)| lies_in(source, room))
        .max_by_key(|(room, _)| room.len())
        .map_or(&[], |(_, allowed)| *allowed)
}

/// Sources of the program and of `testing/`, without unit tests and `lib.rs`, which is only the list of rooms.
fn program() -> Vec<Source> {
    let mut sources = source::sources_below("src");
    let roots = ["src/lib.rs", "src/main.rs", "src/testing/mod.rs"];
    let ours = modules::of_the_program(&sources, &roots);
    sources.retain(|source| ours.contains(&source.path) && source.path != "src/lib.rs");
    sources
}

fn bad_edges(source: &Source) -> Vec<String> {
    let code = source.code();
    let crate_name = if source.path == "src/main.rs" {
        "berth"
    } else {
        "crate"
    };
    let mut bad: Vec<String> = source::rooms_named(&code, crate_name)
        .into_iter()
        .filter(|named| {
            let name = named.name.as_str();
            name != room(source) && !FREE.contains(&name) && !allowed(source).contains(&name)
        })
        .map(|named| format!("{}:{}: names {}", source.path, named.line, named.name))
        .collect();
    let depth = source.module().len();
    bad.extend(
        source::supers(&code)
            .into_iter()
            .filter(|(_, count)| *count >= depth)
            .map(|(line, _)| format!("{}:{line}: leaves its room by `super`", source.path)),
    );
    bad
}

fn bad_homes(source: &Source, sources: &[Source]) -> Vec<String> {
    source::heads(&source.code())
        .into_iter()
        .filter(|head| {
            HOMES.iter().any(|(crates, homes)| {
                crates.contains(&head.name.as_str())
                    && !homes.iter().any(|home| lies_in(source, home))
            })
        })
        .filter(|head| !modules::is_near(source, &head.name, sources))
        .map(|head| format!("{}:{}: uses {}", source.path, head.line, head.name))
        .collect()
}

/// Dependencies by the names that code uses, from `Cargo.toml`.
fn dependencies() -> Vec<String> {
    let text = std::fs::read_to_string(source::root().join("Cargo.toml")).unwrap_or_default();
    text.lines()
        .skip_while(|line| *line != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.trim().replace('-', "_"))
        .collect()
}

fn impurities(source: &Source, dependencies: &[String]) -> Vec<String> {
    let code = source.code();
    let in_domain = lies_in(source, "domain");
    let mut bad: Vec<String> = source::heads(&code)
        .into_iter()
        .filter(|head| {
            let name = head.name.as_str();
            IMPURE_CRATES.contains(&name)
                || in_domain && dependencies.contains(&head.name) && !DOMAIN_CRATES.contains(&name)
        })
        .map(|head| format!("{}:{}: uses {}", source.path, head.line, head.name))
        .collect();
    for (index, line) in code.lines().enumerate() {
        for word in ["async ", ".await", "SystemTime::now", "Instant::now"] {
            if line.contains(word) {
                bad.push(format!(
                    "{}:{}: has `{}`",
                    source.path,
                    index + 1,
                    word.trim()
                ));
            }
        }
    }
    bad
}

fn assert_none(bad: &[String], rule: &str) {
    assert!(bad.is_empty(), "{rule}:\n{}", bad.join("\n"));
}

#[test]
fn rooms_name_only_the_rooms_they_may() {
    let bad: Vec<String> = program().iter().flat_map(bad_edges).collect();
    assert_none(
        &bad,
        "edges that the table in tests/it/tidy/edges.rs does not have",
    );
}

#[test]
fn foreign_crates_stay_at_home() {
    let sources = program();
    let bad: Vec<String> = sources
        .iter()
        .filter(|source| !lies_in(source, "testing"))
        .flat_map(|source| bad_homes(source, &sources))
        .collect();
    assert_none(&bad, "foreign crates outside their homes");
}

#[test]
fn decisions_are_pure() {
    let dependencies = dependencies();
    assert!(
        dependencies.contains(&"tokio".to_owned()),
        "Cargo.toml was read"
    );
    let bad: Vec<String> = program()
        .iter()
        .filter(|source| PURE.iter().any(|room| lies_in(source, room)))
        .flat_map(|source| impurities(source, &dependencies))
        .collect();
    assert_none(&bad, "I/O, waiting or chance in code that decides");
}

#[test]
fn only_wire_types_promise_a_format() {
    let mut bad = Vec::new();
    for source in program() {
        let at_home = WIRE_FILES.contains(&source.file_name())
            || WIRE_FOLDERS
                .iter()
                .any(|folder| source.path.starts_with(folder));
        if !at_home {
            let lines = source::derives(&source.code(), &["Serialize", "Deserialize"]);
            bad.extend(lines.iter().map(|line| format!("{}:{line}", source.path)));
        }
    }
    assert_none(
        &bad,
        "Serialize or Deserialize derived outside wire.rs, rows.rs and config/",
    );
}

#[test]
fn only_the_platform_asks_for_the_operating_system() {
    let mut bad = Vec::new();
    for source in program()
        .iter()
        .filter(|source| !lies_in(source, "platform"))
    {
        for (index, line) in source.code().lines().enumerate() {
            if [
                "target_os",
                "target_family",
                "cfg(unix)",
                "cfg(windows)",
                "cfg!(unix)",
                "cfg!(windows)",
            ]
            .iter()
            .any(|word| line.contains(word))
            {
                bad.push(format!("{}:{}", source.path, index + 1));
            }
        }
    }
    assert_none(&bad, "conditions on the operating system outside platform/");
}

#[test]
fn a_forbidden_edge_crate_or_wait_is_found() {
    let source = |path: &str, text: &str| Source {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let edge = source(
        "src/docker/client.rs",
        "//! x\nuse crate::store::open;\nuse super::super::api;",
    );
    assert_eq!(
        bad_edges(&edge),
        [
            "src/docker/client.rs:2: names store",
            "src/docker/client.rs:3: leaves its room by `super`"
        ]
    );
    let plan = source(
        "src/reconcile/plan/start.rs",
        "use crate::images::x;\nasync fn f() { tokio::y() }",
    );
    assert_eq!(
        bad_edges(&plan),
        ["src/reconcile/plan/start.rs:1: names images"]
    );
    assert_eq!(impurities(&plan, &[]).len(), 2);
    let home = source("src/api/x.rs", "fn f(e: sqlx::Error) {}");
    assert_eq!(bad_homes(&home, &[]), ["src/api/x.rs:1: uses sqlx"]);
    let own = [source("src/api/sqlx.rs", "")];
    assert!(bad_homes(&home, &own).is_empty(), "a module of that name");
}
