//! The control plane of the integration tests as a program, for `tools/bench_connected.py`.
//!
//! Prints a line of JSON for everything that reaches it and for what it says: `at` in microseconds of Unix time,
//! `what`, `about`. The first line has its address. Takes commands as lines of JSON: `{"say": TYPE, "message": ..}`
//! and `{"away": BOOL}`. Ends with its input.

#[cfg(unix)]
#[expect(
    dead_code,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what tests share with this program is written for tests"
)]
#[path = "../tests/it/support/control_plane/mod.rs"]
mod control_plane;

#[cfg(unix)]
fn main() -> anyhow::Result<()> {
    use serde_json::{Value, json};

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let plane = runtime.block_on(control_plane::ControlPlane::start());
    plane.watch(tell);
    tell("listening", &json!({"url": plane.url()}));
    for line in std::io::stdin().lines() {
        let mut command: Value = serde_json::from_str(&line?)?;
        if let Some(away) = command.get("away").and_then(Value::as_bool) {
            plane.away(away);
        }
        if let Some(kind) = command.get("say").and_then(Value::as_str) {
            let kind = kind.to_owned();
            let message = command.get_mut("message").map(Value::take);
            runtime.block_on(plane.say(&kind, message.unwrap_or_default()));
        }
    }
    let bad = plane.bad_signatures();
    anyhow::ensure!(bad.is_empty(), "bad signatures: {bad:?}");
    Ok(())
}

#[cfg(unix)]
#[expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program for benches tells its driver, by the clock that Docker's events have"
)]
fn tell(what: &str, about: &serde_json::Value) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let at = now.unwrap_or_default().as_micros();
    println!(
        "{}",
        serde_json::json!({"at": u64::try_from(at).unwrap_or_default(), "what": what, "about": about})
    );
}

#[cfg(not(unix))]
fn main() {}
