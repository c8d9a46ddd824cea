//! Tasks of a scenario: a container a line, options after commas.

use std::time::Duration;

use berth::domain::definition::{
    ContainerDefinition, HealthCheck, PidMode, RestartPolicy, TaskDefinition,
};
use berth::domain::depends_on::{Condition, Dependency};
use berth::domain::ids::VolumeName;
use berth::domain::port_mapping::{ContainerPorts, PortMapping, Protocol};
use berth::domain::volume::{MountPoint, Volume, VolumeSource};
use berth::testing::sim::{ROLE, SERVE, STUBBORN, shell, task};

use super::read::{container_name, duration, number};
use super::step::{Line, Step};

type Wrong = String;

/// A task whose lines are being read.
pub(super) struct TaskText {
    name: String,
    definition: TaskDefinition,
}

impl TaskText {
    pub(super) fn new(name: &str) -> Self {
        let name = name.trim().to_owned();
        let definition = task(Vec::new());
        Self { name, definition }
    }

    pub(super) fn take_line(&mut self, line: &str) -> Result<(), Wrong> {
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["cpu", units] => self.definition.cpu_units = Some(number(units)?),
            ["memory", mib] => self.definition.memory_mib = Some(number(mib)?),
            ["pid", "task"] => self.definition.pid_mode = PidMode::Task,
            ["role"] => self.definition.task_role_arn = Some(ROLE.to_owned()),
            _ => {
                let (name, rest) = line.split_once(": ").ok_or("is no `NAME: …`")?;
                self.take_container(name, rest)?;
            }
        }
        Ok(())
    }

    fn take_container(&mut self, name: &str, rest: &str) -> Result<(), Wrong> {
        container_name(name)?;
        let mut parts = rest.split(',').map(str::trim);
        let command = command(parts.next().unwrap_or_default())?;
        let mut container = shell(name, "image", &command);
        container.stop_timeout = Some(Duration::from_secs(10));
        for option in parts {
            self.take_option(&mut container, option)?;
        }
        self.definition.containers.push(container);
        Ok(())
    }

    fn take_option(
        &mut self,
        container: &mut ContainerDefinition,
        option: &str,
    ) -> Result<(), Wrong> {
        match option.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["optional"] => container.essential = false,
            ["after", other, condition] => container.depends_on.push(Dependency {
                container: container_name(other)?,
                condition: condition_of(condition)?,
            }),
            ["restart", "after", time] => {
                container.restart_policy = Some(RestartPolicy {
                    ignored_exit_codes: vec![0],
                    restart_attempt_period: duration(time)?,
                });
            }
            ["stop", "within", time] => container.stop_timeout = Some(duration(time)?),
            ["start", "within", time] => container.start_timeout = Some(duration(time)?),
            ["health", "check"] => container.health_check = Some(health_check()),
            ["port", port] => container.port_mappings.push(self::port(port)?),
            ["image", image] => container.image = shell("x", image, "").image,
            ["cpu", units] => container.cpu_units = number(units)?,
            ["memory", mib] => container.memory_mib = Some(number(mib)?),
            ["volume", name] => self.mount(container, name)?,
            _ => return Err(format!("{option} is no option of a container")),
        }
        Ok(())
    }

    fn mount(&mut self, container: &mut ContainerDefinition, name: &str) -> Result<(), Wrong> {
        let name = VolumeName::parse(name).map_err(|error| format!("volume {name} {error}"))?;
        if self.definition.volume(&name).is_none() {
            self.definition.volumes.push(Volume {
                name: name.clone(),
                source: VolumeSource::Empty,
            });
        }
        container.mount_points.push(MountPoint {
            container_path: format!("/{name}"),
            source_volume: name,
            read_only: false,
        });
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Line, Wrong> {
        let name = self.name;
        if self.definition.containers.is_empty() {
            return Err(format!("task {name} has no containers"));
        }
        Ok(Line {
            text: format!("task {name}"),
            step: Step::Define(name, Box::new(self.definition)),
        })
    }
}

fn command(text: &str) -> Result<String, Wrong> {
    Ok(
        match text.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["serve"] => SERVE.to_owned(),
            ["stubborn"] => STUBBORN.to_owned(),
            ["exits", code] => format!("exit {}", number::<u8>(code)?),
            ["runs", time, "exits", code] => {
                let secs = duration(time)?.as_secs();
                format!("sleep {secs}; exit {}", number::<u8>(code)?)
            }
            _ => {
                let known = "serve, stubborn, exits CODE, runs TIME exits CODE";
                return Err(format!("{text} is not what a container does: {known}"));
            }
        },
    )
}

fn condition_of(word: &str) -> Result<Condition, Wrong> {
    const ALL: [Condition; 4] = [
        Condition::Start,
        Condition::Complete,
        Condition::Success,
        Condition::Healthy,
    ];
    let found = ALL.into_iter().find(|known| known.as_str() == word);
    found.ok_or_else(|| format!("{word} is no condition"))
}

/// `8080:80` = host port and container port, `80` = Docker chooses, `8000-8002` = the agent chooses.
fn port(text: &str) -> Result<PortMapping, Wrong> {
    let (host_port, container) = if let Some((host, container)) = text.split_once(':') {
        let host = number(host)?;
        (Some(host), ContainerPorts::Single(number(container)?))
    } else if let Some((first, last)) = text.split_once('-') {
        let (first, last) = (number(first)?, number(last)?);
        (None, ContainerPorts::Range { first, last })
    } else {
        (None, ContainerPorts::Single(number(text)?))
    };
    Ok(PortMapping {
        container,
        host_port,
        protocol: Protocol::Tcp,
        name: None,
        app_protocol: None,
    })
}

fn health_check() -> HealthCheck {
    HealthCheck {
        command: vec!["CMD-SHELL".to_owned(), "true".to_owned()],
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(2),
        retries: 2,
        start_period: Duration::ZERO,
    }
}
