//! The session by the checks of the specification: frames in, effects out.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::ids::TaskArn;

const CLUSTER: &str = "arn:aws:ecs:us-west-2:123456789012:cluster/lab";
const INSTANCE: &str = "arn:aws:ecs:us-west-2:123456789012:container-instance/lab/4641";

fn arn(id: &str) -> String {
    format!("arn:aws:ecs:us-west-2:123456789012:task/lab/{id}")
}

/// Tasks by id; true = wanted running.
#[derive(Default)]
struct World(BTreeMap<String, bool>);

impl World {
    fn with(tasks: &[(&str, bool)]) -> Self {
        Self(tasks.iter().map(|(id, runs)| (arn(id), *runs)).collect())
    }
}

impl Tasks for World {
    fn knows(&self, arn: &TaskArn) -> bool {
        self.0.contains_key(arn.as_str())
    }

    fn wanted_running(&self) -> Vec<TaskArn> {
        let running = self.0.iter().filter(|(_, runs)| **runs);
        running
            .map(|(arn, _)| TaskArn::parse(arn).unwrap())
            .collect()
    }
}

struct Rig {
    session: Session,
    world: World,
}

/// What was said, as JSON, and the jobs begun.
#[derive(Debug, Default)]
struct Out {
    said: Vec<Value>,
    jobs: Vec<(JobId, Job)>,
    rejected: Vec<(String, String)>,
    health_checks: usize,
}

impl Rig {
    fn new(world: World) -> Self {
        Self {
            session: Session::new(None),
            world,
        }
    }

    fn say(&mut self, kind: &str, message: Value) -> Out {
        let mut frame = json!({"type": kind});
        frame["message"] = message;
        let (alive, effects) = self.session.on_frame(&frame.to_string(), &self.world);
        assert!(alive, "{kind}");
        out(effects)
    }

    fn done(&mut self, job: JobId, durable: bool) -> Vec<Value> {
        out(self.session.done(job, durable, &self.world)).said
    }
}

fn out(effects: Vec<Effect>) -> Out {
    let mut out = Out::default();
    for effect in effects {
        match effect {
            Effect::Send(message) => out
                .said
                .push(serde_json::from_str(&encode(&message)).unwrap()),
            Effect::Do(id, job) => out.jobs.push((id, job)),
            Effect::Reject(arn, reason) => out.rejected.push((arn.to_string(), reason)),
            Effect::CheckHealth => out.health_checks += 1,
            Effect::Note(_) => {}
        }
    }
    out
}

fn task(id: &str, status: &str) -> Value {
    json!({
        "arn": arn(id), "desiredStatus": status, "family": "lab", "version": "1",
        "containers": [{"name": "main", "image": "busybox:local", "essential": true, "memory": 32}],
    })
}

fn payload(tasks: &[Value]) -> Value {
    json!({"messageId": "m1", "clusterArn": CLUSTER, "containerInstanceArn": INSTANCE, "seqNum": 7, "tasks": tasks})
}

fn ack(message_id: &str) -> Value {
    json!({
        "type": "AckRequest",
        "message": {"cluster": CLUSTER, "containerInstance": INSTANCE, "messageId": message_id},
    })
}

fn credentials(id: &str) -> Value {
    json!({
        "credentialsId": id, "roleArn": "arn:aws:iam::123456789012:role/r", "accessKeyId": "K",
        "secretAccessKey": "marked", "sessionToken": "marked", "expiration": "2026-11-23T17:51:52Z",
    })
}

fn manifest(timeline: i64, tasks: &[(&str, &str)]) -> Value {
    let tasks: Vec<Value> = tasks
        .iter()
        .map(|(id, status)| json!({"taskArn": arn(id), "taskClusterArn": CLUSTER, "desiredStatus": status}))
        .collect();
    json!({
        "messageId": format!("manifest-{timeline}"), "clusterArn": CLUSTER, "containerInstanceArn": INSTANCE,
        "timeline": timeline, "tasks": tasks,
    })
}

#[test]
fn check_058_what_is_no_message_or_unknown_changes_nothing_and_is_no_sign_of_life() {
    let mut session = Session::new(None);
    for text in [
        "",
        "{",
        "[]",
        "5",
        "{}",
        r#"{"type": 5}"#,
        r#"{"type": "NewMessage", "message": {}}"#,
        r#"{"type": "HeartbeatMessage", "message": {"messageId": 5}}"#,
        &"[".repeat(10_000),
    ] {
        let (alive, effects) = session.on_frame(text, &World::default());
        assert!(
            !alive && matches!(effects.as_slice(), [Effect::Note(Note::Dropped(_))]),
            "{text}"
        );
    }
}

#[test]
fn check_058_known_messages_without_a_handler_are_signs_of_life_and_get_no_reply() {
    let mut rig = Rig::new(World::default());
    for kind in [
        "CloseMessage",
        "AckRequest",
        "ErrorMessage",
        "InvalidClusterException",
    ] {
        assert_eq!(
            rig.say(kind, json!({"message": "x"})).said,
            [Value::Null; 0],
            "{kind}"
        );
    }
}

#[test]
fn check_059_unknown_members_are_passed_over() {
    let mut rig = Rig::new(World::default());
    let said = rig
        .say(
            "HeartbeatMessage",
            json!({"messageId": "h", "new": {"a": []}}),
        )
        .said;
    assert_eq!(said.len(), 1);
}

#[test]
fn check_061_and_062_a_heartbeat_is_echoed_and_looks_at_health() {
    let mut rig = Rig::new(World::default());
    let out = rig.say(
        "HeartbeatMessage",
        json!({"healthy": true, "messageId": "h1"}),
    );
    assert_eq!(
        out.said,
        [json!({"type": "HeartbeatAckRequest", "message": {"messageId": "h1"}})]
    );
    assert_eq!(out.health_checks, 1);
    let without = rig.say("HeartbeatMessage", json!({})).said;
    assert_eq!(
        without,
        [json!({"type": "HeartbeatAckRequest", "message": {}})],
        "check 057: no nulls"
    );
}

#[test]
fn check_063_and_065_a_payload_is_acknowledged_when_it_is_durable() {
    let mut rig = Rig::new(World::default());
    let out = rig.say("PayloadMessage", payload(&[task("a", "RUNNING")]));
    assert_eq!(out.said, [Value::Null; 0]);
    let [(job, Job::Take { tasks, .. })] = out.jobs.as_slice() else {
        panic!("{out:?}");
    };
    assert_eq!(tasks[0].arn.as_str(), arn("a"));
    assert_eq!(rig.done(*job, true), [ack("m1")]);
    assert_eq!(rig.done(*job, true), [Value::Null; 0], "once");
}

#[test]
fn check_064_a_repeated_payload_is_acknowledged_again() {
    let mut rig = Rig::new(World::default());
    for _ in 0..2 {
        let out = rig.say("PayloadMessage", payload(&[task("a", "RUNNING")]));
        assert_eq!(rig.done(out.jobs[0].0, true), [ack("m1")]);
    }
}

#[test]
fn check_066_a_payload_that_lacks_an_address_is_not_acted_upon() {
    for member in ["messageId", "clusterArn", "containerInstanceArn"] {
        for nothing in [Value::Null, json!("")] {
            let mut rig = Rig::new(World::default());
            let mut message = payload(&[task("a", "RUNNING")]);
            message[member] = nothing;
            let out = rig.say("PayloadMessage", message);
            assert!(out.said.is_empty() && out.jobs.is_empty(), "{member}");
        }
    }
}

#[test]
fn check_067_and_068_a_bad_task_is_reported_the_good_ones_run_and_nothing_is_acknowledged() {
    let mut rig = Rig::new(World::default());
    let mut good = task("good", "RUNNING");
    good["roleCredentials"] = credentials("c1");
    let mut bad = task("bad", "RUNNING");
    bad["containers"] = json!([{"name": "x"}]);
    let out = rig.say(
        "PayloadMessage",
        payload(&[bad, json!(null), json!({"family": "f"}), good]),
    );
    let [(job, Job::Take { tasks, stopped, .. })] = out.jobs.as_slice() else {
        panic!("{out:?}");
    };
    assert_eq!((tasks.len(), stopped.len()), (1, 0));
    let [(rejected, reason)] = out.rejected.as_slice() else {
        panic!("{out:?}");
    };
    assert_eq!(*rejected, arn("bad"));
    assert!(
        reason.starts_with("UnrecogniedTaskError: Error loading task - containerDefinitions[0]."),
        "{reason}"
    );
    assert_eq!(rig.done(*job, true), [Value::Null; 0]);
}

#[test]
fn check_069_each_credential_set_of_an_accepted_payload_is_acknowledged() {
    let mut rig = Rig::new(World::default());
    let mut both = task("a", "RUNNING");
    both["roleCredentials"] = credentials("c1");
    both["executionRoleCredentials"] = credentials("c2");
    let out = rig.say("PayloadMessage", payload(&[both]));
    let credentials_ack = |id: &str| {
        json!({"type": "IAMRoleCredentialsAckRequest", "message": {
            "messageId": "m1", "expiration": "2026-11-23T17:51:52Z", "credentialsId": id}})
    };
    let said = rig.done(out.jobs[0].0, true);
    assert_eq!(
        said,
        [ack("m1"), credentials_ack("c1"), credentials_ack("c2")]
    );
}

#[test]
fn check_070_what_is_to_be_stopped_comes_first() {
    let mut rig = Rig::new(World::default());
    let tasks = [
        task("a", "RUNNING"),
        task("b", "STOPPED"),
        task("c", "RUNNING"),
        task("d", "STOPPED"),
    ];
    let out = rig.say("PayloadMessage", payload(&tasks));
    let (_, Job::Take { tasks, .. }) = &out.jobs[0] else {
        panic!("{out:?}");
    };
    let order: Vec<&str> = tasks
        .iter()
        .map(|task| task.arn.task_id().as_str())
        .collect();
    assert_eq!(order, ["b", "d", "a", "c"]);
}

#[test]
fn check_072_a_task_that_can_never_run_is_reported_and_the_payload_acknowledged() {
    let mut rig = Rig::new(World::default());
    let mut bad = task("bad", "RUNNING");
    bad["containers"][0]["dockerConfig"] = json!({"hostConfig": "{"});
    let out = rig.say("PayloadMessage", payload(&[bad]));
    let [(job, Job::Take { tasks, stopped, .. })] = out.jobs.as_slice() else {
        panic!("{out:?}");
    };
    assert_eq!((tasks.len(), stopped.len()), (0, 1));
    assert_eq!(rig.done(*job, true), [ack("m1")]);
}

/// After a downgrade, say: what an agent took in, another cannot read.
#[test]
fn a_known_task_that_cannot_be_read_any_more_is_not_called_stopped() {
    let mut no_task = task("a", "RUNNING");
    no_task["containers"] = json!([{"name": "x"}]);
    let mut no_run = task("b", "STOPPED");
    no_run["containers"][0]["dockerConfig"] = json!({"hostConfig": "{"});
    let mut rig = Rig::new(World::with(&[("a", true), ("b", true)]));
    let out = rig.say("PayloadMessage", payload(&[no_task, no_run]));
    assert_eq!(out.rejected, []);
    let [(job, job_done)] = out.jobs.as_slice() else {
        panic!("{out:?}");
    };
    let expected = Job::Take {
        tasks: Vec::new(),
        stopped: Vec::new(),
        stops: vec![TaskArn::parse(&arn("b")).unwrap()],
    };
    assert_eq!(*job_done, expected);
    assert_eq!(rig.done(*job, true), [ack("m1")]);
}

#[test]
fn check_073_what_is_not_durable_is_not_acknowledged() {
    let mut rig = Rig::new(World::default());
    let out = rig.say("PayloadMessage", payload(&[task("a", "RUNNING")]));
    assert_eq!(rig.done(out.jobs[0].0, false), [Value::Null; 0]);
}

fn refresh(change: impl FnOnce(&mut Value)) -> Value {
    let mut message = json!({
        "messageId": "r1", "taskArn": arn("a"), "roleType": "TaskApplication", "roleCredentials": credentials("c1"),
    });
    change(&mut message);
    message
}

#[test]
fn check_075_new_credentials_of_a_known_task_are_kept_and_acknowledged() {
    let mut rig = Rig::new(World::with(&[("a", true)]));
    let out = rig.say("IAMRoleCredentialsMessage", refresh(|_| ()));
    let [(job, Job::Keep(delivery))] = out.jobs.as_slice() else {
        panic!("{out:?}");
    };
    assert_eq!(
        delivery.given.credentials.secret_access_key.expose(),
        "marked"
    );
    assert!(!format!("{out:?}").contains("marked"), "check 079");
    let said = rig.done(*job, true);
    assert_eq!(
        said,
        [json!({"type": "IAMRoleCredentialsAckRequest", "message": {
            "messageId": "r1", "expiration": "2026-11-23T17:51:52Z", "credentialsId": "c1"}})]
    );
}

#[test]
fn check_075_credentials_right_behind_the_payload_of_their_task_wait_for_it() {
    for taken in [true, false] {
        let mut rig = Rig::new(World::default());
        let begun = rig.say("PayloadMessage", payload(&[task("a", "RUNNING")]));
        let [(take, Job::Take { .. })] = begun.jobs.as_slice() else {
            panic!("{begun:?}");
        };
        let early = rig.say("IAMRoleCredentialsMessage", refresh(|_| ()));
        assert!(early.said.is_empty() && early.jobs.is_empty(), "{early:?}");
        if taken {
            rig.world.0.insert(arn("a"), true);
        }
        let after = out(rig.session.done(*take, taken, &rig.world));
        if taken {
            assert_eq!(after.said, [ack("m1")]);
            assert!(matches!(
                after.jobs.as_slice(),
                [(_, Job::Keep(delivery))] if delivery.task.as_str() == arn("a")
            ));
        } else {
            assert!(after.said.is_empty() && after.jobs.is_empty(), "{after:?}");
        }
    }
}

#[test]
fn check_075_newer_credentials_are_not_held_up_by_a_payload_nor_followed_by_older_ones() {
    let mut rig = Rig::new(World::default());
    let begun = rig.say("PayloadMessage", payload(&[task("a", "RUNNING")]));
    let take = begun.jobs[0].0;
    rig.say("IAMRoleCredentialsMessage", refresh(|_| ()));
    rig.world.0.insert(arn("a"), true);
    let newer = rig.say("IAMRoleCredentialsMessage", refresh(|_| ()));
    assert!(
        matches!(newer.jobs.as_slice(), [(_, Job::Keep(_))]),
        "{newer:?}"
    );
    let after = out(rig.session.done(take, true, &rig.world));
    assert_eq!(after.said, [ack("m1")]);
    assert!(after.jobs.is_empty(), "{after:?}");
}

#[test]
fn check_076_credentials_that_are_for_nobody_are_dropped() {
    let changes: [fn(&mut Value); 6] = [
        |message| message["roleType"] = json!("Bogus"),
        |message| message["roleCredentials"] = json!({}),
        |message| message["roleCredentials"] = Value::Null,
        |message| message["taskArn"] = Value::Null,
        |message| message["messageId"] = json!(""),
        |message| message["taskArn"] = json!(arn("unknown")),
    ];
    for change in changes {
        let mut rig = Rig::new(World::with(&[("a", true)]));
        let out = rig.say("IAMRoleCredentialsMessage", refresh(change));
        assert!(out.said.is_empty() && out.jobs.is_empty(), "{out:?}");
    }
}

#[test]
fn check_087_an_old_manifest_is_discarded() {
    let mut rig = Rig::new(World::with(&[("a", true)]));
    rig.say("PayloadMessage", payload(&[]));
    for timeline in [-1, 6, 7] {
        let out = rig.say("TaskManifestMessage", manifest(timeline, &[]));
        assert!(out.said.is_empty() && out.jobs.is_empty(), "{timeline}");
    }
    let first = rig.say("TaskManifestMessage", manifest(8, &[]));
    assert_eq!(first.jobs.len(), 1);
    let again = rig.say("TaskManifestMessage", manifest(8, &[]));
    assert!(again.jobs.is_empty());
}

#[test]
fn check_088_a_manifest_is_acknowledged_and_what_it_lacks_is_asked_about() {
    let world = World::with(&[
        ("listed", true),
        ("stopping", false),
        ("told-to-stop", true),
        ("unlisted", true),
    ]);
    let mut rig = Rig::new(world);
    let out = rig.say(
        "TaskManifestMessage",
        manifest(8, &[("listed", "RUNNING"), ("told-to-stop", "STOPPED")]),
    );
    let [(job, Job::KeepSequence(8))] = out.jobs.as_slice() else {
        panic!("{out:?}");
    };
    let said = rig.done(*job, true);
    let candidate = |id: &str| json!({"taskArn": arn(id), "taskClusterArn": CLUSTER, "desiredStatus": "STOPPED"});
    assert_eq!(
        said,
        [
            ack("manifest-8"),
            json!({"type": "TaskStopVerificationMessage", "message": {
                "messageId": "manifest-8", "stopCandidates": [candidate("told-to-stop"), candidate("unlisted")]}})
        ]
    );
    let all = rig.say(
        "TaskManifestMessage",
        manifest(
            9,
            &[
                ("listed", "RUNNING"),
                ("told-to-stop", "RUNNING"),
                ("unlisted", "RUNNING"),
            ],
        ),
    );
    assert_eq!(rig.done(all.jobs[0].0, true), [ack("manifest-9")]);
}

#[test]
fn check_089_and_090_only_the_confirmed_stops_of_the_last_manifest_are_done_and_once() {
    let mut rig = Rig::new(World::with(&[("a", true), ("b", true)]));
    let out = rig.say("TaskManifestMessage", manifest(8, &[]));
    rig.done(out.jobs[0].0, true);
    let confirm = |id: &str| json!({"messageId": id, "stopTasks": [{"taskArn": arn("a")}, {"taskArn": arn("unknown")}, {}]});
    for other in ["manifest-7", ""] {
        assert!(
            rig.say("TaskStopVerificationAck", confirm(other))
                .jobs
                .is_empty()
        );
    }
    let out = rig.say("TaskStopVerificationAck", confirm("manifest-8"));
    let [(_, Job::Stop(tasks))] = out.jobs.as_slice() else {
        panic!("{out:?}");
    };
    let stopped: Vec<&str> = tasks.iter().map(TaskArn::as_str).collect();
    assert_eq!(stopped, [arn("a")]);
    assert!(
        rig.say("TaskStopVerificationAck", confirm("manifest-8"))
            .jobs
            .is_empty()
    );
}

#[test]
fn check_091_a_manifest_whose_number_cannot_be_kept_is_taken_when_it_comes_again() {
    let mut rig = Rig::new(World::with(&[("a", true)]));
    let out = rig.say("TaskManifestMessage", manifest(8, &[]));
    assert_eq!(rig.done(out.jobs[0].0, false), [Value::Null; 0]);
    let out = rig.say("TaskManifestMessage", manifest(8, &[]));
    assert_eq!(rig.done(out.jobs[0].0, true).len(), 2);
    let mut restarted = Session::new(Some(8));
    let frame = json!({"type": "TaskManifestMessage", "message": manifest(8, &[])}).to_string();
    let (_, effects) = restarted.on_frame(&frame, &World::default());
    assert!(out_jobs(effects).is_empty(), "the number survives");
}

fn out_jobs(effects: Vec<Effect>) -> Vec<(JobId, Job)> {
    out(effects).jobs
}

#[test]
fn check_093_updates_are_refused() {
    let mut rig = Rig::new(World::default());
    for kind in ["StageUpdateMessage", "PerformUpdateMessage"] {
        let message = json!({"messageId": "u", "clusterArn": CLUSTER, "containerInstanceArn": INSTANCE, "updateInfo": {}});
        assert_eq!(
            rig.say(kind, message).said,
            [json!({"type": "NackRequest", "message": {
                "cluster": CLUSTER, "containerInstance": INSTANCE, "messageId": "u", "reason": "Updates are disabled"}})]
        );
        assert!(rig.say(kind, json!({})).said.is_empty());
    }
}

#[test]
fn check_047_a_refusal_names_its_exception_in_either_form() {
    for body in [
        r#"{"InactiveInstanceException": "gone"}"#,
        r#"{"type": "InactiveInstanceException", "message": {"message": "gone"}}"#,
    ] {
        let (name, text) = refusal(body).unwrap();
        assert!(is_inactive(name) && text == "gone", "{body}");
    }
    let long = json!({"InactiveInstanceException": "ä".repeat(9000)}).to_string();
    let (_, text) = refusal(&long).unwrap();
    assert_eq!(text.chars().count(), 500, "people read it");
    let other = refusal(r#"{"AccessDeniedException": "no"}"#).unwrap();
    assert!(!is_inactive(other.0));
    for none in [
        "",
        "no",
        r#"{"Other": "x"}"#,
        r#"{"InactiveInstanceException": "a", "b": "c"}"#,
    ] {
        assert_eq!(refusal(none), None);
    }
}

/// Names of messages that are known in either direction, and one that is not.
const KINDS: [&str; 16] = [
    "PayloadMessage",
    "HeartbeatMessage",
    "IAMRoleCredentialsMessage",
    "TaskManifestMessage",
    "TaskStopVerificationAck",
    "AttachTaskNetworkInterfacesMessage",
    "AttachInstanceNetworkInterfacesMessage",
    "ConfirmAttachmentMessage",
    "PerformUpdateMessage",
    "StageUpdateMessage",
    "ErrorMessage",
    "CloseMessage",
    "InactiveInstanceException",
    "AckRequest",
    "HeartbeatAckRequest",
    "NoSuchMessage",
];

/// Names of their members, and of members within.
const MEMBERS: [&str; 24] = [
    "messageId",
    "clusterArn",
    "containerInstanceArn",
    "seqNum",
    "tasks",
    "timeline",
    "stopTasks",
    "taskArn",
    "taskClusterArn",
    "desiredStatus",
    "roleType",
    "roleCredentials",
    "credentialsId",
    "expiration",
    "elasticNetworkInterfaces",
    "attachment",
    "attachmentArn",
    "attachmentProperties",
    "waitTimeoutMs",
    "ec2Id",
    "macAddress",
    "updateInfo",
    "arn",
    "message",
];

fn any_json() -> impl Strategy<Value = Value> {
    let texts = vec![
        String::new(),
        "m".to_owned(),
        CLUSTER.to_owned(),
        INSTANCE.to_owned(),
        arn("a"),
        "STOPPED".to_owned(),
        "TaskExecution".to_owned(),
        "2026-11-23T17:51:52Z".to_owned(),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(texts).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let members = (prop::sample::select(&MEMBERS[..]), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..3).prop_map(Value::from),
            prop::collection::vec(members, 0..8).prop_map(|members| Value::Object(
                members
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect()
            )),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_makes_the_session_fail(text in "\\PC{0,60}") {
        Session::new(None).on_frame(&text, &World::default());
    }

    /// Messages of every type with members of every shape, in a row, whole and cut off anywhere: the session goes on and
    /// answers a heartbeat.
    #[test]
    fn no_message_makes_the_session_fail(
        messages in prop::collection::vec((prop::sample::select(&KINDS[..]), any_json(), any::<bool>(), 0..2000_usize), 1..6),
    ) {
        let mut rig = Rig::new(World::with(&[("a", true)]));
        for (kind, message, durable, cut) in messages {
            let text = json!({"type": kind, "message": message}).to_string();
            // Half of them are whole.
            let end = text.char_indices().map(|(at, _)| at).find(|at| at * 1000 >= cut * text.len());
            let (_, effects) = rig.session.on_frame(&text[..end.unwrap_or(text.len())], &rig.world);
            for (job, _) in out(effects).jobs {
                rig.done(job, durable);
            }
        }
        let said = rig.say("HeartbeatMessage", json!({"messageId": "h"})).said;
        prop_assert_eq!(said, [json!({"type": "HeartbeatAckRequest", "message": {"messageId": "h"}})]);
    }

    /// Any sequence of messages: nothing is acknowledged but by a job that was durable, and no job is left behind.
    #[test]
    fn acknowledgements_follow_durable_jobs_only(steps in prop::collection::vec((0_u8..6, any::<bool>(), 0_i64..6), 0..40)) {
        let mut rig = Rig::new(World::with(&[("a", true), ("b", false)]));
        for (kind, durable, number) in steps {
            let (name, message) = match kind {
                0 => ("PayloadMessage", payload(&[task("a", "RUNNING"), task("c", "STOPPED")])),
                1 => ("PayloadMessage", payload(&[json!({"arn": arn("x")})])),
                2 => ("TaskManifestMessage", manifest(number + 8, &[("b", "RUNNING")])),
                3 => ("TaskStopVerificationAck", json!({"messageId": format!("manifest-{}", number + 8), "stopTasks": [{"taskArn": arn("a")}]})),
                4 => ("IAMRoleCredentialsMessage", refresh(|_| ())),
                _ => ("HeartbeatMessage", json!({"messageId": "h"})),
            };
            let out = rig.say(name, message);
            let heartbeats = out.said.iter().filter(|it| it["type"] == "HeartbeatAckRequest").count();
            prop_assert_eq!(out.said.len(), heartbeats, "said before anything was durable");
            for (job, what) in out.jobs {
                let said = rig.done(job, durable);
                if !durable || kind == 1 {
                    prop_assert!(said.is_empty());
                } else if !matches!(what, Job::Stop(_)) {
                    prop_assert!(!said.is_empty());
                }
            }
        }
    }
}
