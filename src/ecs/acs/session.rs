//! What follows from each message of ACS, and from what was asked having become durable or not.
//!
//! ```text
//!  frame ──► read ──► Job: take tasks in, stop tasks, keep credentials, keep a number
//!                        │ done(job, durable?)
//!                        ▼
//!                   acknowledge, or say nothing: ACS sends it again
//! ```
//!
//! **Invariants.** Nothing is acknowledged before its job was done. A payload with a task that cannot be read, or that
//! could not be made durable, is not acknowledged at all, and its good tasks run. Every message may come twice. Jobs
//! outlive a connection; what they would answer then goes out on the next one, where nobody minds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::attachments::{self, Attachment};
use super::codec::{Decoded, Inbound, Outbound, decode};
use super::credentials::{Delivery, Given, role_kind};
use super::wire::{
    AckRequest, Addressed, HeartbeatAckRequest, IamRoleCredentialsMessage, NackRequest,
    PayloadMessage, TaskIdentifier, TaskManifestMessage, TaskStopVerificationAck,
    TaskStopVerificationMessage,
};
use crate::domain::ids::TaskArn;
use crate::domain::status::DesiredStatus;
use crate::ecs::payload::{PayloadTask, Trouble, Unreadable, read_task};

/// Answer to updates, which this version leaves to the host's package manager (reference agent's words).
const UPDATES_DISABLED: &str = "Updates are disabled";

/// What the session must know of the engine.
pub trait Tasks {
    /// Whether there is such a task.
    fn knows(&self, arn: &TaskArn) -> bool;

    /// Tasks of the control plane that are wanted running, internal ones left out.
    fn wanted_running(&self) -> Vec<TaskArn>;
}

/// Names a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobId(u64);

/// What is to be made durable.
#[derive(Clone, Debug, PartialEq)]
pub enum Job {
    /// Tasks of a payload.
    Take {
        /// Those that shall run or stop, in this order: those to be stopped come first.
        tasks: Vec<PayloadTask>,
        /// Those that can never run here, with the reason to report.
        stopped: Vec<(TaskArn, String)>,
        /// Those that are here and shall stop, though what is said of them now cannot be read.
        stops: Vec<TaskArn>,
    },
    /// Stop these tasks.
    Stop(Vec<TaskArn>),
    /// Keep the number of the last manifest.
    KeepSequence(i64),
    /// Serve these credentials.
    Keep(Delivery),
}

/// What the session wants done, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Say this.
    Send(Outbound),
    /// Do this and tell by [`Session::done`].
    Do(JobId, Job),
    /// Report a task as stopped that cannot be taken in.
    Reject(TaskArn, String),
    /// Look how well the instance is.
    CheckHealth,
    /// For the log.
    Note(Note),
}

/// Something to be logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A frame that is no message: why.
    Dropped(String),
    /// A message that gets no answer: its type, and why.
    Unanswered(&'static str, String),
    /// A task that is here is sent again, and what is said of it cannot be read: why.
    KnownUnreadable(TaskArn, String),
    /// An exception of the service: name and text.
    Exception(&'static str, String),
    /// A message that is acknowledged, and what it announces is not attached: how long ECS waits for it.
    NotAttached(&'static str, Duration),
}

/// What waits for a job.
#[derive(Clone, Debug)]
enum Pending {
    Acks(Vec<Outbound>),
    Manifest {
        message: TaskManifestMessage,
        before: i64,
    },
    Nothing,
}

/// The conversation. Lives as long as the agent, across connections.
#[derive(Clone, Debug)]
pub struct Session {
    /// Highest number of a payload or manifest so far.
    sequence: i64,
    /// The manifest whose stops may be confirmed.
    manifest: Option<String>,
    pending: BTreeMap<JobId, Pending>,
    /// Tasks that are being taken in, and credentials for them that came meanwhile.
    arriving: BTreeMap<JobId, Arriving>,
    next_job: u64,
}

/// Messages are handled one after another: what comes for a task behind its payload waits for that.
#[derive(Clone, Debug)]
struct Arriving {
    tasks: BTreeSet<TaskArn>,
    behind: Vec<(Delivery, Outbound)>,
}

impl Session {
    /// Goes on from the number that was kept; `None` = none was.
    pub fn new(sequence: Option<i64>) -> Self {
        Self {
            sequence: sequence.unwrap_or(-1),
            manifest: None,
            pending: BTreeMap::new(),
            arriving: BTreeMap::new(),
            next_job: 0,
        }
    }

    /// Takes a frame in. `true` = it is a sign of life.
    pub fn on_frame(&mut self, text: &str, tasks: &dyn Tasks) -> (bool, Vec<Effect>) {
        match decode(text) {
            Decoded::Nothing(why) => (false, vec![Effect::Note(Note::Dropped(why))]),
            Decoded::Message(message) => (true, self.on_message(message, tasks)),
        }
    }

    /// A job was done: durably, or not.
    pub fn done(&mut self, job: JobId, durable: bool, tasks: &dyn Tasks) -> Vec<Effect> {
        let mut effects = self.answer(job, durable, tasks);
        for (delivery, ack) in self
            .arriving
            .remove(&job)
            .map(|it| it.behind)
            .unwrap_or_default()
        {
            effects.push(if tasks.knows(&delivery.task) {
                self.begin(Job::Keep(delivery), Pending::Acks(vec![ack]))
            } else {
                nobody(&delivery.task)
            });
        }
        effects
    }

    fn answer(&mut self, job: JobId, durable: bool, tasks: &dyn Tasks) -> Vec<Effect> {
        match self.pending.remove(&job) {
            Some(Pending::Acks(acks)) if durable => acks.into_iter().map(Effect::Send).collect(),
            Some(Pending::Manifest { message, .. }) if durable => compare(&message, tasks),
            Some(Pending::Manifest { message, before }) => {
                // It comes again under the same number.
                self.sequence = before;
                if self.manifest == message.message_id {
                    self.manifest = None;
                }
                Vec::new()
            }
            Some(Pending::Acks(_) | Pending::Nothing) | None => Vec::new(),
        }
    }

    fn on_message(&mut self, message: Inbound, tasks: &dyn Tasks) -> Vec<Effect> {
        match message {
            Inbound::Heartbeat(heartbeat) => {
                let message_id = heartbeat.message_id;
                let ack = HeartbeatAckRequest { message_id };
                vec![
                    Effect::Send(Outbound::HeartbeatAck(ack)),
                    Effect::CheckHealth,
                ]
            }
            Inbound::Payload(payload) => self.on_payload(payload, tasks),
            Inbound::Credentials(message) => self
                .on_credentials(message, tasks)
                .unwrap_or_else(|why| unanswered("IAMRoleCredentialsMessage", why)),
            Inbound::Manifest(manifest) => self.on_manifest(manifest),
            Inbound::StopVerified(ack) => self.on_stops(ack, tasks),
            Inbound::StageUpdate(update) | Inbound::PerformUpdate(update) => refuse_update(update),
            Inbound::TaskInterfaces(message) => not_attached(
                "AttachTaskNetworkInterfacesMessage",
                attachments::interfaces(&message, true),
            ),
            Inbound::InstanceInterfaces(message) => not_attached(
                "AttachInstanceNetworkInterfacesMessage",
                attachments::interfaces(&message, false),
            ),
            Inbound::Volume(message) => {
                not_attached("ConfirmAttachmentMessage", attachments::volume(&message))
            }
            Inbound::Exception(name, text) => vec![Effect::Note(Note::Exception(name, text))],
            Inbound::Unhandled(name) => unanswered(name, "is not handled"),
        }
    }

    fn on_payload(&mut self, payload: PayloadMessage, known: &dyn Tasks) -> Vec<Effect> {
        let (Some(message_id), Some(cluster), Some(instance)) = (
            given(payload.message_id),
            given(payload.cluster_arn),
            given(payload.container_instance_arn),
        ) else {
            let why = "lacks messageId, clusterArn or containerInstanceArn";
            return unanswered("PayloadMessage", why);
        };
        self.sequence = self.sequence.max(payload.seq_num.unwrap_or(-1));
        let (mut effects, mut refused) = (Vec::new(), false);
        let (mut tasks, mut stopped, mut stops) = (Vec::new(), Vec::new(), Vec::new());
        for task in payload.tasks.unwrap_or_default() {
            match read_task(task) {
                Ok(task) => tasks.push(task),
                // It was taken in when it could be read, and may run: it is not to be called stopped.
                Err(Unreadable {
                    task: Some(arn),
                    stops: stop,
                    why,
                    ..
                }) if known.knows(&arn) => {
                    effects.push(Effect::Note(Note::KnownUnreadable(arn.clone(), why)));
                    stops.extend(Some(arn).filter(|_| stop));
                }
                Err(Unreadable {
                    task: Some(arn),
                    trouble: Trouble::CannotRun,
                    why,
                    ..
                }) => {
                    stopped.push((arn, why));
                }
                Err(unreadable) => {
                    refused = true;
                    effects.push(reject(unreadable));
                }
            }
        }
        // What is to be stopped makes room for what is to run.
        tasks.sort_by_key(|task| task.status == DesiredStatus::Running);
        let ack = Outbound::Ack(AckRequest {
            cluster: Some(cluster),
            container_instance: Some(instance),
            message_id: Some(message_id.clone()),
        });
        let deliveries = tasks.iter().flat_map(|task| &task.deliveries);
        let credentials = deliveries.map(|it| Outbound::CredentialsAck(it.given.ack(&message_id)));
        let acks = std::iter::once(ack).chain(credentials).collect();
        let pending = if refused {
            Pending::Nothing
        } else {
            Pending::Acks(acks)
        };
        let arriving = Arriving {
            tasks: tasks.iter().map(|task| task.arn.clone()).collect(),
            behind: Vec::new(),
        };
        self.arriving.insert(JobId(self.next_job), arriving);
        let job = Job::Take {
            tasks,
            stopped,
            stops,
        };
        effects.push(self.begin(job, pending));
        effects
    }

    fn on_credentials(
        &mut self,
        message: IamRoleCredentialsMessage,
        tasks: &dyn Tasks,
    ) -> Result<Vec<Effect>, String> {
        let message_id = given(message.message_id).ok_or("lacks messageId")?;
        let task = given(message.task_arn).ok_or("lacks taskArn")?;
        let task = TaskArn::parse(&task).map_err(|error| format!("taskArn {error}"))?;
        let kind = message.role_type.as_deref().and_then(role_kind);
        let kind =
            kind.ok_or("has a roleType that is neither TaskApplication nor TaskExecution")?;
        let credentials = message.role_credentials.ok_or("lacks roleCredentials")?;
        let given = Given::read(credentials)?;
        let ack = Outbound::CredentialsAck(given.ack(&message_id));
        let delivery = Delivery { task, kind, given };
        // What is held back for the same role is older.
        for it in self.arriving.values_mut() {
            it.behind
                .retain(|(held, _)| (&held.task, held.kind) != (&delivery.task, delivery.kind));
        }
        if tasks.knows(&delivery.task) {
            let keep = self.begin(Job::Keep(delivery), Pending::Acks(vec![ack]));
            return Ok(vec![keep]);
        }
        let mut arriving = self.arriving.values_mut().rev();
        match arriving.find(|it| it.tasks.contains(&delivery.task)) {
            Some(it) => {
                it.behind.push((delivery, ack));
                Ok(Vec::new())
            }
            None => Ok(vec![nobody(&delivery.task)]),
        }
    }

    fn on_manifest(&mut self, manifest: TaskManifestMessage) -> Vec<Effect> {
        let number = manifest.timeline.unwrap_or(-1);
        if number <= self.sequence {
            let why = format!("has number {number}, and {} was seen", self.sequence);
            return unanswered("TaskManifestMessage", why);
        }
        if given(manifest.message_id.clone()).is_none() {
            return unanswered("TaskManifestMessage", "lacks messageId");
        }
        let before = std::mem::replace(&mut self.sequence, number);
        self.manifest.clone_from(&manifest.message_id);
        let pending = Pending::Manifest {
            message: manifest,
            before,
        };
        vec![self.begin(Job::KeepSequence(number), pending)]
    }

    fn on_stops(&mut self, ack: TaskStopVerificationAck, tasks: &dyn Tasks) -> Vec<Effect> {
        let confirmed = given(ack.message_id);
        if confirmed.is_none() || confirmed != self.manifest {
            return unanswered("TaskStopVerificationAck", "is not for the last manifest");
        }
        self.manifest = None;
        let named = ack.stop_tasks.unwrap_or_default().into_iter();
        let known: Vec<TaskArn> = named
            .filter_map(|task| TaskArn::parse(&task.task_arn?).ok())
            .filter(|arn| tasks.knows(arn))
            .collect();
        vec![self.begin(Job::Stop(known), Pending::Nothing)]
    }

    fn begin(&mut self, job: Job, pending: Pending) -> Effect {
        let id = JobId(self.next_job);
        self.next_job = self.next_job.wrapping_add(1);
        self.pending.insert(id, pending);
        Effect::Do(id, job)
    }
}

/// Empty is as good as absent.
fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn nobody(task: &TaskArn) -> Effect {
    let why = format!("there is no task {task}");
    Effect::Note(Note::Unanswered("IAMRoleCredentialsMessage", why))
}

fn unanswered(kind: &'static str, why: impl Into<String>) -> Vec<Effect> {
    vec![Effect::Note(Note::Unanswered(kind, why.into()))]
}

fn reject(unreadable: Unreadable) -> Effect {
    match unreadable.task {
        Some(arn) => {
            // The misspelling is the reference agent's and is matched on.
            let reason = format!(
                "UnrecogniedTaskError: Error loading task - {}",
                unreadable.why
            );
            Effect::Reject(arn, reason)
        }
        None => Effect::Note(Note::Unanswered("PayloadMessage", unreadable.why)),
    }
}

/// Heard, and that is all: nothing is reported, and ECS gives up in its time.
fn not_attached(kind: &'static str, read: Result<Attachment, String>) -> Vec<Effect> {
    match read {
        Ok(Attachment { ack, wait }) => vec![
            Effect::Send(Outbound::Ack(ack)),
            Effect::Note(Note::NotAttached(kind, wait)),
        ],
        Err(why) => unanswered(kind, why),
    }
}

fn refuse_update(update: Addressed) -> Vec<Effect> {
    if given(update.message_id.clone()).is_none() {
        return unanswered("an update", "lacks messageId");
    }
    vec![Effect::Send(Outbound::Nack(NackRequest {
        of: AckRequest {
            cluster: update.cluster_arn,
            container_instance: update.container_instance_arn,
            message_id: update.message_id,
        },
        reason: UPDATES_DISABLED.to_owned(),
    }))]
}

/// The answer to a manifest whose number is durable: an acknowledgement, and what runs here without being in it.
fn compare(manifest: &TaskManifestMessage, tasks: &dyn Tasks) -> Vec<Effect> {
    let listed = manifest.tasks.iter().flatten();
    let wanted: BTreeSet<&str> = listed
        .filter(|task| task.desired_status.as_deref() == Some(DesiredStatus::Running.as_str()))
        .filter_map(|task| task.task_arn.as_deref())
        .collect();
    let running = tasks.wanted_running().into_iter();
    let candidates: Vec<TaskIdentifier> = running
        .filter(|arn| !wanted.contains(arn.as_str()))
        .map(|arn| TaskIdentifier {
            task_arn: Some(arn.to_string()),
            task_cluster_arn: manifest.cluster_arn.clone(),
            desired_status: Some(DesiredStatus::Stopped.as_str().to_owned()),
        })
        .collect();
    let mut effects = vec![Effect::Send(Outbound::Ack(AckRequest {
        cluster: manifest.cluster_arn.clone(),
        container_instance: manifest.container_instance_arn.clone(),
        message_id: manifest.message_id.clone(),
    }))];
    if !candidates.is_empty() {
        let message = TaskStopVerificationMessage {
            message_id: manifest.message_id.clone().unwrap_or_default(),
            stop_candidates: candidates,
        };
        effects.push(Effect::Send(Outbound::VerifyStops(message)));
    }
    effects
}
