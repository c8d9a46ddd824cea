//! Parameters of a container's process, each seen from inside the container or by inspect.
#![cfg(feature = "e2e")]

use std::time::Duration;

use berth::domain::definition::{
    ContainerDefinition, Device, HealthCheck, IpcMode, PidMode, RestartPolicy, TaskDefinition,
    Tmpfs, Ulimit,
};
use berth::domain::depends_on::{Condition, Dependency};
use berth::domain::ids::TaskArn;
use berth::domain::status::{Health, TaskStatus};
use berth::domain::task::TaskOptions;

use crate::support::rig::{Rig, with_engine};
use crate::support::view::{SERVE, cause, exit_code, is, known, name};

/// Puts a task of that one container, waits for its end and returns what it wrote.
async fn said(rig: &mut Rig, container: ContainerDefinition) -> (TaskArn, String) {
    let definition = Rig::definition(vec![container]);
    said_of(rig, definition).await
}

async fn said_of(rig: &mut Rig, definition: TaskDefinition) -> (TaskArn, String) {
    let container = definition.containers[0].name.to_string();
    let options = TaskOptions::default();
    let arn = rig.put_definition(definition, options).await;
    rig.until_task(&arn, "ends", is(TaskStatus::Stopped)).await;
    let output = rig.output(&arn, &container).await;
    (arn, output)
}

#[track_caller]
fn assert_says(output: &str, lines: &[&str]) {
    for line in lines {
        assert!(
            output.lines().any(|said| said == *line),
            "{line:?} is not in {output}"
        );
    }
}

#[tokio::test]
async fn a_process_is_what_the_definition_says() {
    with_engine(async |rig| {
        let mut app = rig.shell(
            "app",
            "echo \"$A|$0|$*\"; pwd; id -u; id -g; cat /proc/sys/kernel/hostname; \
             ulimit -n; cat /proc/sys/net/ipv4/ip_default_ttl; cat /etc/resolv.conf; \
             cat /etc/hosts",
        );
        app.entry_point = Some(["sh", "-c"].map(str::to_owned).to_vec());
        let script = app.command.take().expect("a command").pop();
        app.command = Some(vec![
            script.expect("a script"),
            "zero".to_owned(),
            "one two".to_owned(),
        ]);
        app.environment.insert("A".to_owned(), "b=c d".to_owned());
        app.working_directory = Some("/tmp".to_owned());
        app.user = Some("1234:5678".to_owned());
        app.hostname = Some("known".to_owned());
        app.ulimits = vec![Ulimit {
            name: "nofile".to_owned(),
            soft: 111,
            hard: 222,
        }];
        let (control, value) = ("net.ipv4.ip_default_ttl", "77");
        app.system_controls
            .insert(control.to_owned(), value.to_owned());
        app.dns_servers = vec!["192.0.2.53".to_owned()];
        app.dns_search_domains = vec!["example.test".to_owned()];
        app.extra_hosts = vec![("peer".to_owned(), "192.0.2.7".to_owned())];
        app.docker_labels
            .insert("team".to_owned(), "blue".to_owned());
        app.interactive = true;
        app.pseudo_terminal = false;
        let (arn, output) = said(rig, app).await;
        let expected = [
            "b=c d|zero|one two",
            "/tmp",
            "1234",
            "5678",
            "known",
            "111",
            "77",
            "nameserver 192.0.2.53",
            "search example.test",
            "192.0.2.7\tpeer",
        ];
        assert_says(&output, &expected);
        let shown = rig.inspect(&rig.docker_id(&arn, "app")).await;
        assert_eq!(shown["Config"]["Labels"]["team"], "blue");
        assert_eq!(shown["Config"]["OpenStdin"], true);
    })
    .await;
}

#[tokio::test]
async fn a_terminal_is_one() {
    with_engine(async |rig| {
        let mut app = rig.shell("app", "test -t 1 && echo terminal");
        app.pseudo_terminal = true;
        let (_, output) = said(rig, app).await;
        assert!(output.starts_with("terminal"), "{output:?}");
    })
    .await;
}

#[tokio::test]
async fn security_parameters_hold() {
    with_engine(async |rig| {
        let status = "while read a b; do case $a in Cap[EB]*|NoNew*) echo $a $b;; esac; done < /proc/self/status";
        let script = format!("{status}; echo x > /x || echo readonly; ls /dev/mapped; echo y > /scratch/y && echo wrote");
        let mut app = rig.shell("app", &script);
        app.readonly_root_filesystem = true;
        app.docker_security_options = vec!["no-new-privileges".to_owned()];
        let linux = &mut app.linux_parameters;
        linux.capabilities_drop = vec!["ALL".to_owned()];
        linux.capabilities_add = vec!["NET_ADMIN".to_owned()];
        linux.init_process_enabled = true;
        linux.shared_memory_mib = Some(7);
        linux.devices = vec![Device {
            host_path: "/dev/null".to_owned(),
            container_path: "/dev/mapped".to_owned(),
            permissions: "rw".to_owned(),
        }];
        linux.tmpfs = vec![Tmpfs {
            container_path: "/scratch".to_owned(),
            size_mib: 3,
            mount_options: vec!["noexec".to_owned()],
        }];
        linux.max_swap_mib = Some(16);
        linux.swappiness = Some(30);
        let (arn, output) = said(rig, app).await;
        let expected = [
            // Only bit 12, NET_ADMIN.
            "CapEff: 0000000000001000",
            "NoNewPrivs: 1",
            "readonly",
            "/dev/mapped",
            "wrote",
        ];
        assert_says(&output, &expected);
        let shown = rig.inspect(&rig.docker_id(&arn, "app")).await;
        let host = &shown["HostConfig"];
        assert_eq!(host["Init"], true);
        assert_eq!(host["ShmSize"], 7 << 20);
        assert_eq!(host["MemorySwap"], (32 + 16) << 20);
        assert_eq!(host["MemorySwappiness"], 30);
        assert!(host["Tmpfs"]["/scratch"].to_string().contains("noexec"));
        let mut root = rig.shell("root", status);
        root.privileged = true;
        let (arn, _) = said(rig, root).await;
        let shown = rig.inspect(&rig.docker_id(&arn, "root")).await;
        assert_eq!(shown["HostConfig"]["Privileged"], true);
    })
    .await;
}

#[tokio::test]
async fn a_stop_timeout_ends_in_a_kill() {
    with_engine(async |rig| {
        let mut app = rig.shell("app", "trap '' TERM; echo ready; while :; do sleep 1; done");
        app.stop_timeout = Some(Duration::from_secs(2));
        let arn = rig.put(vec![app]).await;
        rig.until_task(&arn, "runs", is(TaskStatus::Running)).await;
        crate::support::view::eventually("it ignores the signal", async || {
            rig.output(&arn, "app")
                .await
                .contains("ready")
                .then_some(())
        })
        .await;
        rig.stop(&arn).await;
        let view = rig.until_task(&arn, "stops", is(TaskStatus::Stopped)).await;
        assert_eq!(exit_code(&view, "app"), Some(137));
        let app = known(&view, "app");
        let asked = app.stop_requested_at.expect("asked");
        let ended = app.exit.as_ref().expect("an exit").at;
        assert!(ended.since(asked) >= Duration::from_secs(1));
    })
    .await;
}

#[tokio::test]
async fn a_start_timeout_fails_what_is_waited_for() {
    with_engine(async |rig| {
        let mut slow = rig.shell("slow", SERVE);
        slow.start_timeout = Some(Duration::from_secs(1));
        slow.health_check = Some(health("false", 10));
        let mut app = rig.shell("app", SERVE);
        app.depends_on = vec![Dependency {
            container: name("slow"),
            condition: Condition::Healthy,
        }];
        let arn = rig.put(vec![slow, app]).await;
        let view = rig.until_task(&arn, "fails", is(TaskStatus::Stopped)).await;
        let words = "container ordering dependency [slow] for target [app] has timed out";
        assert!(cause(&view).contains(words), "{}", cause(&view));
        assert_eq!(known(&view, "app").started_at, None, "it never ran");
    })
    .await;
}

fn health(command: &str, retries: u32) -> HealthCheck {
    HealthCheck {
        command: vec!["CMD-SHELL".to_owned(), command.to_owned()],
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(5),
        retries,
        start_period: Duration::ZERO,
    }
}

#[tokio::test]
async fn health_checks_and_restart_policies_do_as_they_say() {
    with_engine(async |rig| {
        let mut well = rig.shell("well", SERVE);
        well.health_check = Some(health("true", 1));
        let mut ill = rig.shell("ill", SERVE);
        ill.health_check = Some(health("false", 1));
        ill.essential = false;
        let mut again = rig.shell("again", "sleep 2; exit 9");
        again.essential = false;
        again.restart_policy = Some(RestartPolicy {
            ignored_exit_codes: vec![0],
            restart_attempt_period: Duration::from_secs(1),
        });
        let mut once = rig.shell("once", "sleep 2; exit 8");
        once.essential = false;
        once.restart_policy = Some(RestartPolicy {
            ignored_exit_codes: vec![8],
            restart_attempt_period: Duration::from_secs(1),
        });
        let arn = rig.put(vec![well, ill, again, once]).await;
        let view = rig
            .until_task(&arn, "comes to it", |view| {
                let containers = &view.task.known.containers;
                let is = |container: &str, holds: &dyn Fn(&berth::domain::task::KnownContainer) -> bool| {
                    containers.get(&name(container)).is_some_and(holds)
                };
                is("well", &|one| one.health == Health::Healthy)
                    && is("ill", &|one| one.health == Health::Unhealthy)
                    && is("again", &|one| one.restart_count >= 2)
                    && is("once", &|one| one.exit.is_some())
            })
            .await;
        assert_eq!(view.task.known.status, TaskStatus::Running);
        assert_eq!(known(&view, "once").restart_count, 0);
        assert_eq!(exit_code(&view, "once"), Some(8));
    })
    .await;
}

#[tokio::test]
async fn namespaces_are_shared_as_the_task_says() {
    with_engine(async |rig| {
        let own = |kind: &str| {
            let link = std::fs::read_link(format!("/proc/self/ns/{kind}"));
            link.expect("a namespace").to_string_lossy().into_owned()
        };
        for (pid, ipc) in [
            (PidMode::Host, IpcMode::Host),
            (PidMode::Task, IpcMode::Task),
            (PidMode::Private, IpcMode::None),
        ] {
            let command = "ls -l /proc/self/ns/pid /proc/self/ns/ipc; sleep 1";
            let mut definition =
                Rig::definition(vec![rig.shell("a", command), rig.shell("b", command)]);
            (definition.pid_mode, definition.ipc_mode) = (pid, ipc);
            let options = TaskOptions::default();
            let arn = rig.put_definition(definition, options).await;
            rig.until_task(&arn, "ends", is(TaskStatus::Stopped)).await;
            let namespaces = async |container: &str| -> Vec<String> {
                let output = rig.output(&arn, container).await;
                let lines = output.lines().filter_map(|line| line.split_once("-> "));
                lines.map(|(_, target)| target.to_owned()).collect()
            };
            let (a, b) = (namespaces("a").await, namespaces("b").await);
            assert_eq!(a.len(), 2, "{a:?}");
            let host = [own("ipc"), own("pid")];
            assert_eq!(
                a.iter().all(|one| host.contains(one)),
                pid == PidMode::Host,
                "{a:?}"
            );
            assert_eq!(a == b, pid != PidMode::Private, "{pid:?}: {a:?} {b:?}");
        }
    })
    .await;
}
