//! What was seen and what came of steps, from the notation.

use std::collections::BTreeMap;

use crate::boundary::error::ErrorKind;
use crate::boundary::host::{CgroupLimits, PortHolder};
use crate::boundary::images::ReadyImage;
use crate::boundary::secrets::SecretsWish;
use crate::boundary::store::ImageRecord;
use crate::domain::credentials::CredentialsId;
use crate::domain::ids::{ContainerName, DockerId, UnixMillis};
use crate::domain::image::ImageRef;
use crate::domain::names;
use crate::domain::reason::ReasonName;
use crate::domain::registry::RegistryAccess;
use crate::domain::runtime::{ListedContainer, ObservedContainer, RunState};
use crate::domain::sample;
use crate::domain::status::Health;
use crate::domain::task::Exit;
use crate::reconcile::action::{Action, Failure, Outcome, Subject, Verb};
use crate::reconcile::observe::Observation;
use crate::reconcile::settings::EngineSettings;
use crate::testing::contract;

use super::read::{binding, subject};
use super::scene::{Input, docker_id};
use super::words::Words;

/// The attempt of the containers that tables see, unless they say `attempt=`.
const FIRST_ATTEMPT: u32 = 0;

pub(super) fn read(kind: &str, words: &mut Words<'_>) -> Input {
    let about = words.next();
    if kind == "did" {
        return did(about, words);
    }
    let name = sample::name(about);
    let seen = match kind {
        "saw" => Observation::Inspected(observed(&name, words).map(Box::new)),
        "list" => listed(&name, words),
        "died" => Observation::Died {
            id: id(&name, words),
            code: words.value("code").map(|code| code.parse().unwrap()),
            at: words.at("at").unwrap(),
        },
        "signal" => Observation::Signalled,
        "probe" => Observation::Probed(Health::from_text(words.next()).unwrap()),
        "change" => Observation::Changed,
        other => panic!("{other} is no line of the notation"),
    };
    Input::Seen(name, seen)
}

fn attempt(words: &mut Words<'_>) -> u32 {
    let attempt = words.number("attempt");
    attempt.map_or(FIRST_ATTEMPT, |attempt| u32::try_from(attempt).unwrap())
}

fn id(name: &ContainerName, words: &mut Words<'_>) -> DockerId {
    if words.flag("other") {
        return docker_id(&sample::name("stranger"), 0);
    }
    docker_id(name, attempt(words))
}

fn docker_name(name: &ContainerName, attempt: u32) -> String {
    let task = sample::task(sample::definition(&[]));
    task.desired.docker_name(name, attempt)
}

/// Labels of a creation of the container, made by the agent under test.
fn labels(name: &ContainerName, attempt: u32) -> BTreeMap<String, String> {
    let instance = EngineSettings::default().instance;
    [
        (names::LABEL_INSTANCE, instance),
        (names::LABEL_TASK_ARN, sample::arn("abc").to_string()),
        (names::LABEL_CONTAINER_NAME, name.to_string()),
        (names::LABEL_ATTEMPT, attempt.to_string()),
    ]
    .map(|(label, value)| (label.to_owned(), value))
    .into()
}

fn observed(name: &ContainerName, words: &mut Words<'_>) -> Option<ObservedContainer> {
    let state = words.next();
    if state == "absent" {
        return None;
    }
    let state = RunState::from_text(state).unwrap();
    let attempt = attempt(words);
    let started_at = words.at("started");
    let code = words.value("code").map(|code| code.parse().unwrap());
    let exit = words.at("at").map(|at| Exit {
        code,
        at,
        oom_killed: words.flag("oom"),
    });
    let health = words.value("health").and_then(Health::from_text);
    let port = words
        .number("port")
        .map(|port| u16::try_from(port).unwrap());
    let other = words.flag("other");
    let labels = if words.flag("stranger") {
        BTreeMap::new()
    } else {
        labels(name, attempt)
    };
    let error = words.rest();
    Some(ObservedContainer {
        id: if other {
            docker_id(&sample::name("stranger"), 0)
        } else {
            docker_id(name, attempt)
        },
        docker_name: docker_name(name, attempt),
        labels,
        state,
        exit,
        error: (!error.is_empty()).then_some(error),
        created_at: None,
        started_at,
        health: health.unwrap_or_default(),
        probe: None,
        bindings: port.map(binding).into_iter().collect(),
        image_id: "sha256:image".to_owned(),
        networks: Vec::new(),
        mounts: Vec::new(),
        pid: None,
    })
}

fn listed(name: &ContainerName, words: &mut Words<'_>) -> Observation {
    let state = words.next();
    if state == "nothing" {
        return Observation::Unlisted;
    }
    let other = words.flag("other");
    let attempt = attempt(words);
    let stranger = docker_id(&sample::name("stranger"), 0);
    Observation::Listed(ListedContainer {
        id: if other {
            stranger
        } else {
            docker_id(name, attempt)
        },
        docker_name: docker_name(name, attempt),
        task: sample::arn("abc"),
        container: name.clone(),
        attempt: Some(attempt),
        definition: None,
        state: RunState::from_text(state).unwrap(),
        health: words
            .value("health")
            .and_then(Health::from_text)
            .unwrap_or_default(),
        bindings: words
            .number("port")
            .map(|port| binding(u16::try_from(port).unwrap()))
            .into_iter()
            .collect(),
        networks: Vec::new(),
    })
}

/// `did SUBJECT VERB OUTCOME …`.
fn did(about: &str, words: &mut Words<'_>) -> Input {
    let subject = subject(about);
    let verb = verb(&subject, words);
    let outcome = match words.next() {
        "image" => Outcome::ImageReady(Box::new(image(words))),
        "made" => {
            let Subject::Container(name) = &subject else {
                panic!("only containers are made")
            };
            Outcome::Created(id(name, words))
        }
        "saw" => {
            let Subject::Container(name) = &subject else {
                panic!("only containers are looked at")
            };
            Outcome::Seen(observed(name, words).map(Box::new))
        }
        "gone" => Outcome::Gone,
        "ready" => Outcome::Ready,
        "failed" => Outcome::Failed(failure(words)),
        other => panic!("{other} is no outcome"),
    };
    Input::Done(Action { subject, verb }, outcome)
}

fn verb(subject: &Subject, words: &mut Words<'_>) -> Verb {
    let word = words.next();
    let image = ImageRef::parse("busybox:1").unwrap();
    let Subject::Container(name) = subject else {
        return match word {
            "create-cgroup" => Verb::CreateCgroup {
                limits: CgroupLimits {
                    cpu_millis: None,
                    cpu_shares: 2,
                    memory_bytes: None,
                },
            },
            "remove-cgroup" => Verb::RemoveCgroup,
            "remove-volume" => Verb::RemoveVolume {
                name: "v".to_owned(),
            },
            _ => Verb::ExpectVolume {
                name: "v".to_owned(),
            },
        };
    };
    let id = docker_id(name, FIRST_ATTEMPT);
    match word {
        "pull" => Verb::Pull {
            image,
            access: RegistryAccess::Operator,
            essential: true,
        },
        "secrets" => Verb::FetchSecrets {
            wish: SecretsWish {
                task: sample::arn("abc"),
                role: CredentialsId::parse("id").unwrap(),
                places: ["a".to_owned()].into(),
            },
        },
        "create" => Verb::Create {
            spec: Box::new(contract::container("any", &image, "exit 0")),
            replaces: None,
        },
        "start" => Verb::Start {
            id,
            ports: Vec::new(),
        },
        "stop" => Verb::Stop {
            id,
            grace: std::time::Duration::from_secs(30),
        },
        "kill" => Verb::Kill { id },
        "inspect" => Verb::Inspect {
            id_or_name: id.to_string(),
        },
        "remove" => Verb::Remove {
            ids_or_names: vec![id.to_string()],
        },
        other => panic!("{other} is no step"),
    }
}

fn image(words: &mut Words<'_>) -> ReadyImage {
    let pulled = !words.flag("cached");
    let at = |second: i64| pulled.then_some(UnixMillis(second * 1000));
    ReadyImage {
        image_id: "sha256:image".to_owned(),
        digest: None,
        pulled,
        size_bytes: 1,
        started_at: at(90),
        stopped_at: at(95),
        warning: words.value("warning").map(str::to_owned),
        record: ImageRecord {
            reference: "busybox:1".to_owned(),
            image_id: "sha256:image".to_owned(),
            pulled_at: None,
            last_used_at: UnixMillis(0),
            size_bytes: 1,
        },
        superseded: None,
    }
}

fn failure(words: &mut Words<'_>) -> Failure {
    let word = words.next();
    let kinds = [
        ErrorKind::Unavailable,
        ErrorKind::Transient,
        ErrorKind::NotFound,
        ErrorKind::Conflict,
        ErrorKind::PortTaken,
        ErrorKind::LogDriver,
        ErrorKind::Invalid,
        ErrorKind::Denied,
        ErrorKind::NoSpace,
        ErrorKind::DeadlineExceeded,
        ErrorKind::Cancelled,
    ];
    let kind = kinds.into_iter().find(|kind| kind.as_str() == word);
    let permanent = words.flag("permanent");
    let name = words.value("name").and_then(ReasonName::from_text);
    let port_holder = words.number("holder").map(|port| {
        let holder = PortHolder {
            pid: 812,
            command: "nginx".to_owned(),
        };
        (u16::try_from(port).unwrap(), holder)
    });
    Failure {
        kind: kind.unwrap(),
        name,
        message: words.rest(),
        permanent,
        port_holder,
    }
}
