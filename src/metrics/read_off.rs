//! Families that are read off the agent's state when somebody asks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::counted::Labels;
use crate::boundary::images::{Inventory, PullState};
use crate::domain::ids::UnixMillis;
use crate::reconcile::plan::admission;
use crate::reconcile::snapshot::Snapshot;

type Gauges = Family<Labels, Gauge>;
type Fractions = Family<Labels, Gauge<f64, AtomicU64>>;

/// What the agent's own process uses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessUse {
    /// Memory in RAM, in bytes.
    pub resident_bytes: u64,
    /// CPU time in seconds.
    pub cpu_seconds: f64,
    /// Open file descriptors.
    pub open_files: u64,
    /// Threads.
    pub threads: u64,
    /// When it was started, in seconds since 1970.
    pub started_at: f64,
}

/// What one task uses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskUse {
    /// Family of its definition.
    pub family: String,
    /// Its id.
    pub task_id: String,
    /// CPU time in seconds, over all its containers.
    pub cpu_seconds: f64,
    /// Working set in bytes.
    pub memory_bytes: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
}

/// The agent's state at an instant.
pub struct ReadOff {
    /// Tasks and the engine's surroundings.
    pub snapshot: Arc<Snapshot>,
    /// Images.
    pub inventory: Inventory,
    /// The agent's process; `None` where the system does not tell.
    pub process: Option<ProcessUse>,
    /// Tasks whose use is read.
    pub tasks: Vec<TaskUse>,
    /// Requests for credentials that are missing in their record.
    pub audit_dropped: u64,
    /// The session with the control plane; `None` = the agent is not connected to one.
    pub control_plane: Option<ControlPlaneUse>,
    /// When that is.
    pub now: UnixMillis,
}

/// How connected mode is.
#[derive(Clone, Copy, Debug, Default)]
pub struct ControlPlaneUse {
    /// When the session that is open was opened; `None` = none is.
    pub session_since: Option<UnixMillis>,
    /// When the control plane last said something that counts.
    pub heard_at: Option<UnixMillis>,
    /// Tasks with something that it has not acknowledged.
    pub outstanding: u64,
}

impl ReadOff {
    /// A registry with everything in it.
    pub(super) fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix("ecs_agent");
        build(&mut registry);
        self.surroundings(&mut registry);
        self.control_plane(&mut registry);
        self.work(&mut registry);
        self.host(&mut registry);
        self.images(&mut registry);
        self.usage(&mut registry);
        self.process(&mut registry);
        registry
    }

    fn surroundings(&self, registry: &mut Registry) {
        let engine = &self.snapshot.engine;
        let up = Gauges::default();
        let docker = engine.host.is_some() && engine.runtime_error.is_none();
        set(&up, &[("peer", "docker")], u64::from(docker));
        set(
            &up,
            &[("peer", "state_store")],
            u64::from(engine.store_error.is_none()),
        );
        if let Some(plane) = self.control_plane {
            let open = u64::from(plane.session_since.is_some());
            set(&up, &[("peer", "control_plane")], open);
        }
        registry.register(
            "connection_up",
            "Whether the agent can work with it now",
            up,
        );
        registry.register_with_unit(
            "last_success_age",
            "Since the last full list of containers, answer of Docker, commit, and word of the control plane",
            Unit::Seconds,
            self.ages(),
        );
        let seen = Family::<Labels, Counter>::default();
        for (how, count) in [
            ("announced", engine.events_seen),
            ("missed", engine.events_missed),
        ] {
            seen.get_or_create_owned(&vec![("how", how.to_owned())])
                .inc_by(count);
        }
        registry.register(
            "docker_changes",
            "Changes of containers that Docker announced, and those that only a full list found",
            seen,
        );
        let dropped = Counter::<u64>::default();
        dropped.inc_by(self.audit_dropped);
        registry.register(
            "audit_dropped",
            "Requests for credentials that are missing in the audit log",
            dropped,
        );
        let draining = Gauge::<i64>::default();
        draining.set(i64::from(engine.draining.is_some()));
        registry.register(
            "draining",
            "Whether no new task starts on this instance",
            draining,
        );
        let damage = Gauge::<i64>::default();
        damage.set(i64::try_from(engine.damage.len()).unwrap_or(i64::MAX));
        registry.register(
            "state_damage",
            "What was set aside at the last start",
            damage,
        );
    }

    fn work(&self, registry: &mut Registry) {
        let (mut tasks, mut blocked, mut steps) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for view in self.snapshot.tasks.values() {
            let known = view.task.known.status.as_str();
            let desired = view.task.effective_desired().as_str();
            count(
                &mut tasks,
                vec![("known", known.to_owned()), ("desired", desired.to_owned())],
            );
            for condition in &view.task.known.conditions {
                count(
                    &mut blocked,
                    vec![("kind", condition.cause.as_str().to_owned())],
                );
            }
            for step in &view.in_flight {
                count(&mut steps, vec![("op", step.step.as_str().to_owned())]);
            }
        }
        registry.register(
            "tasks",
            "Tasks by what is known and what is asked",
            gauges(tasks),
        );
        registry.register(
            "task_blocked",
            "Conditions that tasks wait for, by cause",
            gauges(blocked),
        );
        registry.register(
            "steps_in_flight",
            "Steps under way, by what is done",
            gauges(steps),
        );
    }

    fn host(&self, registry: &mut Registry) {
        let resources = Gauges::default();
        let (mut cpu, mut memory, mut ports) = (0_u64, 0_u64, 0_usize);
        for view in self.snapshot.tasks.values() {
            if admission::holds(&view.task) {
                let demand = admission::demand(&view.task);
                cpu = cpu.saturating_add(demand.cpu_units.into());
                memory = memory.saturating_add(demand.memory_mib.into());
                ports = ports.saturating_add(demand.ports.len());
            }
        }
        if let Some(host) = &self.snapshot.engine.host {
            let total = ("kind", "total");
            set(
                &resources,
                &[("resource", "cpu_units"), total],
                host.cpu_units.into(),
            );
            set(
                &resources,
                &[("resource", "memory_mebibytes"), total],
                host.memory_mib.into(),
            );
        }
        let reserved = ("kind", "reserved");
        set(&resources, &[("resource", "cpu_units"), reserved], cpu);
        set(
            &resources,
            &[("resource", "memory_mebibytes"), reserved],
            memory,
        );
        let ports = u64::try_from(ports).unwrap_or(u64::MAX);
        set(&resources, &[("resource", "ports"), reserved], ports);
        registry.register(
            "host_resource",
            "What tasks share: in all, and what is held",
            resources,
        );
    }

    fn images(&self, registry: &mut Registry) {
        let inventory = &self.inventory;
        let (mut kept, mut pulls) = (BTreeMap::new(), BTreeMap::new());
        let mut bytes = 0_u64;
        for image in &inventory.images {
            let fate = if image.kept.is_some() {
                "kept"
            } else {
                "removable"
            };
            count(&mut kept, vec![("fate", fate.to_owned())]);
            bytes = bytes.saturating_add(image.size_bytes);
            let state = image.pull.as_ref().map(|pull| match pull.state {
                PullState::Checking => "checking",
                PullState::Resolving => "resolving",
                PullState::Waiting { .. } => "waiting",
                PullState::Pulling { .. } => "pulling",
            });
            if let Some(state) = state {
                count(&mut pulls, vec![("state", state.to_owned())]);
            }
        }
        registry.register(
            "images",
            "Images, by what a clean-up would do",
            gauges(kept),
        );
        registry.register(
            "image_pulls_in_flight",
            "Images being made ready",
            gauges(pulls),
        );
        let sizes = Gauge::<i64>::default();
        sizes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        registry.register_with_unit(
            "image_size",
            "Sizes of images added up; shared layers count more than once",
            Unit::Bytes,
            sizes,
        );
        if let Some(disk) = &inventory.disk {
            let space = Gauges::default();
            set(&space, &[("kind", "total")], disk.space.total_bytes);
            set(&space, &[("kind", "free")], disk.space.free_bytes);
            registry.register_with_unit(
                "docker_disk",
                "The disk of Docker's images and containers",
                Unit::Bytes,
                space,
            );
        }
    }

    fn ages(&self) -> Fractions {
        let (engine, ages) = (&self.snapshot.engine, Fractions::default());
        for (what, at) in [
            ("relist", engine.relisted_at),
            ("docker", engine.runtime_answered_at),
            ("commit", engine.committed_at),
            (
                "control_plane",
                self.control_plane.and_then(|plane| plane.heard_at),
            ),
        ] {
            if let Some(at) = at {
                let labels = vec![("what", what.to_owned())];
                ages.get_or_create_owned(&labels)
                    .set(self.now.since(at).as_secs_f64());
            }
        }
        ages
    }

    fn control_plane(&self, registry: &mut Registry) {
        let Some(plane) = self.control_plane else {
            return;
        };
        let outstanding = Gauge::<i64>::default();
        outstanding.set(i64::try_from(plane.outstanding).unwrap_or(i64::MAX));
        registry.register(
            "control_plane_outstanding_tasks",
            "Tasks with a change that the control plane has not acknowledged",
            outstanding,
        );
        if let Some(since) = plane.session_since {
            let age = Gauge::<f64, AtomicU64>::default();
            age.set(self.now.since(since).as_secs_f64());
            registry.register_with_unit(
                "control_plane_session_age",
                "Since the present session with the control plane was opened",
                Unit::Seconds,
                age,
            );
        }
    }

    fn usage(&self, registry: &mut Registry) {
        let cpu = Family::<Labels, Counter<f64, AtomicU64>>::default();
        let (memory, traffic) = (Gauges::default(), Family::<Labels, Counter>::default());
        for task in &self.tasks {
            let of_task = vec![
                ("family", task.family.clone()),
                ("task", task.task_id.clone()),
            ];
            cpu.get_or_create_owned(&of_task).inc_by(task.cpu_seconds);
            let bytes = i64::try_from(task.memory_bytes).unwrap_or(i64::MAX);
            memory.get_or_create_owned(&of_task).set(bytes);
            for (direction, bytes) in [
                ("receive", task.received_bytes),
                ("transmit", task.sent_bytes),
            ] {
                let mut labels = of_task.clone();
                labels.push(("direction", direction.to_owned()));
                traffic.get_or_create_owned(&labels).inc_by(bytes);
            }
        }
        registry.register_with_unit("task_cpu", "CPU time of running tasks", Unit::Seconds, cpu);
        registry.register_with_unit(
            "task_memory_working_set",
            "Memory of running tasks that cannot be taken away",
            Unit::Bytes,
            memory,
        );
        registry.register_with_unit(
            "task_network",
            "Traffic of running tasks",
            Unit::Bytes,
            traffic,
        );
    }

    /// Under the names that every exporter has for its own process.
    fn process(&self, registry: &mut Registry) {
        let Some(process) = self.process else {
            return;
        };
        // The registry's prefix does not belong here; `format` takes it off again.
        let gauge = |value: u64| {
            let gauge = Gauge::<i64>::default();
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            gauge
        };
        let cpu = Counter::<f64, AtomicU64>::default();
        cpu.inc_by(process.cpu_seconds);
        registry.register_with_unit("process_cpu", "CPU time of the agent", Unit::Seconds, cpu);
        registry.register_with_unit(
            "process_resident_memory",
            "Memory of the agent in RAM",
            Unit::Bytes,
            gauge(process.resident_bytes),
        );
        registry.register(
            "process_open_fds",
            "Open files of the agent",
            gauge(process.open_files),
        );
        let started = Gauge::<f64, AtomicU64>::default();
        started.set(process.started_at);
        registry.register_with_unit(
            "process_start_time",
            "When the agent was started, since 1970",
            Unit::Seconds,
            started,
        );
        registry.register(
            "process_threads",
            "Threads of the agent",
            gauge(process.threads),
        );
    }
}

fn build(registry: &mut Registry) {
    let build = Gauges::default();
    set(&build, &[("version", env!("CARGO_PKG_VERSION"))], 1);
    registry.register("build_info", "Which agent this is; always 1", build);
}

fn count(counts: &mut BTreeMap<Labels, u64>, labels: Labels) {
    let count = counts.entry(labels).or_default();
    *count = count.saturating_add(1);
}

fn gauges(counts: BTreeMap<Labels, u64>) -> Gauges {
    let gauges = Gauges::default();
    for (labels, count) in counts {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        gauges.get_or_create_owned(&labels).set(count);
    }
    gauges
}

fn set(gauges: &Gauges, labels: &[(&'static str, &str)], value: u64) {
    let labels = labels
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    let value = i64::try_from(value).unwrap_or(i64::MAX);
    gauges.get_or_create_owned(&labels.collect()).set(value);
}
