//! Whether the whole system is being shut down, and not the agent alone.

use std::time::Duration;

use crate::platform::command::Command;

/// Longest that systemd may take to say so.
const LIMIT: Duration = Duration::from_secs(2);

/// What systemd says of itself while it ends everything. Old ones do not know how to say the value alone.
const STOPPING: &str = "SystemState=stopping";

/// Whether systemd ends everything. Where there is none, and where it does not answer, nobody says so.
pub async fn host_goes_down() -> bool {
    let asked = Command::new("systemctl", LIMIT).args(["show", "--property=SystemState"]);
    let said = asked.run().await;
    said.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).trim() == STOPPING)
}
