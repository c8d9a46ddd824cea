//! The task's slice, made known to systemd: what systemd starts below a slice that it does not know, it starts with
//! that slice's limits reset.
//!
//! The names say the nesting: `ecstasks-<taskid>.slice` lies in `ecstasks.slice` because of its dash. A task id has none.

use std::path::PathBuf;
use std::time::Duration;

use super::tree::Limits;
use super::v2::{TaskPath, weight};
use crate::boundary::{BoundaryError, ErrorKind};
use crate::domain::ids::TaskId;
use crate::platform::command::{Command, CommandError};

/// Longest answer of systemd.
const LIMIT: Duration = Duration::from_secs(30);

/// Parent of all tasks.
pub(super) const PARENT: &str = "ecstasks.slice";

/// Asks systemd.
#[derive(Clone, Debug)]
pub(in crate::platform::linux) struct Systemd {
    /// The program.
    pub(in crate::platform::linux) systemctl: PathBuf,
}

pub(super) fn slice_path(task: &TaskId) -> TaskPath {
    TaskPath {
        parent: PARENT,
        name: slice_name(task),
    }
}

fn slice_name(task: &TaskId) -> String {
    format!("ecstasks-{task}.slice")
}

impl Systemd {
    /// It is there and can be spoken to.
    pub(in crate::platform::linux) async fn answers(&self) -> Result<(), BoundaryError> {
        self.ask(vec!["show".to_owned(), "--property=Version".to_owned()])
            .await
    }

    /// The slice is there with these limits.
    pub(in crate::platform::linux) async fn start(
        &self,
        task: &TaskId,
        limits: Limits,
    ) -> Result<(), BoundaryError> {
        self.ask(property_args(task, limits)).await?;
        self.ask(vec!["start".to_owned(), slice_name(task)]).await
    }

    /// The slice is unknown to systemd. It is for the caller to know that nothing runs in it: this ends what does.
    pub(in crate::platform::linux) async fn forget(
        &self,
        task: &TaskId,
    ) -> Result<(), BoundaryError> {
        self.ask(vec!["stop".to_owned(), slice_name(task)]).await?;
        self.ask(vec!["revert".to_owned(), slice_name(task)]).await
    }

    async fn ask(&self, args: Vec<String>) -> Result<(), BoundaryError> {
        let operation = format!("systemctl {}", args.join(" "));
        let asked = Command::new(&self.systemctl, LIMIT).args(&args).run().await;
        asked.map(drop).map_err(|error| {
            let kind = match &error {
                CommandError::Missing { .. } => ErrorKind::Invalid,
                CommandError::Deadline { .. } => ErrorKind::DeadlineExceeded,
                CommandError::Start { .. }
                | CommandError::Pipe { .. }
                | CommandError::Failed { .. } => ErrorKind::Transient,
            };
            BoundaryError::new(operation, kind, error.to_string()).because(error)
        })
    }
}

/// `--runtime`: a slice does not outlive the host's run.
fn property_args(task: &TaskId, limits: Limits) -> Vec<String> {
    let millis = limits.task.cpu_millis;
    // Thousandths of a CPU are tenths of systemd's percent; empty takes a quota away.
    let quota = millis.map_or(String::new(), |m| format!("{}.{}%", m / 10, m % 10));
    let memory = limits.task.memory_bytes;
    let mut args = vec![
        "set-property".to_owned(),
        "--runtime".to_owned(),
        slice_name(task),
        format!("CPUQuota={quota}"),
        format!("CPUQuotaPeriodSec={}us", limits.period_micros()),
        format!("CPUWeight={}", weight(limits.task.cpu_shares)),
        format!(
            "MemoryMax={}",
            memory.map_or("infinity".to_owned(), |bytes| bytes.to_string())
        ),
    ];
    args.extend(limits.pids.map(|pids| format!("TasksMax={pids}")));
    args
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boundary::host::CgroupLimits;

    #[test]
    fn limits_become_properties() {
        let task = TaskId::parse("0123456789abcdef0123456789abcdef").unwrap();
        let mut limits = Limits {
            task: CgroupLimits {
                cpu_millis: Some(1255),
                cpu_shares: 1024,
                memory_bytes: Some(512),
            },
            cpu_period: Duration::from_millis(100),
            pids: Some(7),
        };
        let unit = "ecstasks-0123456789abcdef0123456789abcdef.slice";
        assert_eq!(
            property_args(&task, limits).join(" "),
            format!(
                "set-property --runtime {unit} CPUQuota=125.5% CPUQuotaPeriodSec=100000us \
                 CPUWeight=39 MemoryMax=512 TasksMax=7"
            )
        );
        limits.task.cpu_millis = None;
        limits.task.memory_bytes = None;
        limits.pids = None;
        assert_eq!(
            property_args(&task, limits).join(" "),
            format!(
                "set-property --runtime {unit} CPUQuota= CPUQuotaPeriodSec=100000us \
                 CPUWeight=39 MemoryMax=infinity"
            )
        );
    }
}
