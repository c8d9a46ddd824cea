//! The task that recorded answers of the reference agent are about, and how a router is asked, for tests.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::Views;
use crate::domain::container_facts::ContainerNetwork;
use crate::domain::definition::{HealthCheck, TaskDefinition};
use crate::domain::ids::{DockerId, Family, TaskArn, UnixMillis};
use crate::domain::image::ImageRef;
use crate::domain::port_mapping::{PortBinding, Protocol};
use crate::domain::sample::{container, desired, name, port};
use crate::domain::status::{ContainerStatus, Health, TaskStatus};
use crate::domain::task::{EcsFacts, KnownContainer, Task, TaskOptions};
use crate::domain::task_ids::EndpointId;
use crate::reconcile::detached::detached;
use crate::reconcile::snapshot::{Snapshot, TaskView};

pub(crate) const ARN: &str =
    "arn:aws:ecs:us-west-2:123456789012:task/lab/404ae002db0a4643adc86a3a5a4fe53a";
pub(crate) const MAIN_ID: &str = "1b9c48a3104f978500a77a2a8d7886fc5db62f3e6170e977378f7241d8b09f7b";
pub(crate) const SIDE_ID: &str = "31eeed46b6876a7a752cc372d523e0042b6823d5e4973b93771b337538706b52";
pub(crate) const MAIN_ENDPOINT: &str = "f022e92f-216e-4f3f-ba2b-f232f1c08c9b";
pub(crate) const SIDE_ENDPOINT: &str = "00000000-0000-4000-8000-000000000001";
const IMAGE_ID: &str = "sha256:938dc22bc37c9a94bd89f6af8bc7a0e9cc98adbf1874f799c4ffeaa4c1e6876b";

fn definition() -> TaskDefinition {
    let mut containers = vec![container("main"), container("side")];
    for container in &mut containers {
        container.image = ImageRef::parse("busybox:local").unwrap();
        container.cpu_units = 10;
        container.memory_mib = Some(32);
    }
    containers[0].port_mappings = vec![port(80, None)];
    containers[0].docker_labels = [("app".to_owned(), "lab".to_owned())].into();
    containers[0].health_check = Some(HealthCheck {
        command: vec!["CMD".to_owned(), "true".to_owned()],
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(5),
        retries: 3,
        start_period: Duration::ZERO,
    });
    let mut definition = TaskDefinition::new(Family::parse("lab").unwrap(), containers);
    definition.revision = 1;
    definition.cpu_units = Some(256);
    definition.memory_mib = Some(256);
    definition
}

/// The recorded task. Its environment and ids of credentials must be in no answer: both are marked.
pub(crate) fn lab() -> Task {
    let mut definition = definition();
    for container in &mut definition.containers {
        container.environment = [("A".to_owned(), "marked-value".to_owned())].into();
    }
    let mut task = Task::new(desired(definition, TaskOptions::default()));
    task.desired.arn = TaskArn::parse(ARN).unwrap();
    task.desired.ids.task_role = crate::domain::credentials::CredentialsId::parse("marked-id").ok();
    task.desired.ids.endpoints = [("main", MAIN_ENDPOINT), ("side", SIDE_ENDPOINT)]
        .map(|(container, id)| (name(container), EndpointId::parse(id).unwrap()))
        .into();
    task.desired.ecs = EcsFacts {
        launch_type: Some("EC2".to_owned()),
        service_name: Some("lab-svc".to_owned()),
        container_arns: [("main", MAIN_ARN), ("side", SIDE_ARN)]
            .map(|(container, arn)| (name(container), arn.to_owned()))
            .into(),
    };
    task.known.status = TaskStatus::Running;
    let running = |id: &str, address: &str, created_at: i64, started_at: i64| KnownContainer {
        status: ContainerStatus::Running,
        docker_id: DockerId::parse(id).ok(),
        image_id: Some(IMAGE_ID.to_owned()),
        created_at: Some(UnixMillis(created_at)),
        started_at: Some(UnixMillis(started_at)),
        networks: vec![ContainerNetwork {
            name: "bridge".to_owned(),
            ipv4: address.to_owned(),
            ..ContainerNetwork::default()
        }],
        ..KnownContainer::default()
    };
    let mut main = running(MAIN_ID, "172.17.0.3", 1_795_452_718_154, 1_795_452_718_413);
    main.bindings = ["0.0.0.0", "::"]
        .map(|bind_ip| PortBinding {
            container_port: 80,
            protocol: Protocol::Tcp,
            bind_ip: bind_ip.to_owned(),
            host_port: 32775,
        })
        .to_vec();
    main.health = Health::Healthy;
    main.health_since = Some(UnixMillis(1_795_452_719_460));
    let side = running(SIDE_ID, "172.17.0.2", 1_795_452_718_142, 1_795_452_718_363);
    task.known.containers = [(name("main"), main), (name("side"), side)].into();
    task
}

const MAIN_ARN: &str =
    "arn:aws:ecs:us-west-2:123456789012:container/lab/c6f14d89-af23-451d-8b36-9ed69ff88818";

const SIDE_ARN: &str =
    "arn:aws:ecs:us-west-2:123456789012:container/lab/57c43edb-c337-45e5-a44a-3acf5c917202";

/// Docker name of a container of the recorded task: its digits are ours.
pub(crate) fn docker_name(container: &str) -> String {
    lab().desired.docker_name(&name(container), 0)
}

/// Views of an engine that knows these tasks.
pub(crate) fn views(tasks: impl IntoIterator<Item = Task>) -> Arc<Views> {
    let tasks = tasks.into_iter().map(|task| {
        let arn = task.arn().clone();
        let view = TaskView {
            task,
            in_flight: Vec::new(),
            planned: Vec::new(),
            timeline: Arc::default(),
        };
        (arn, Arc::new(view))
    });
    let snapshot = Snapshot {
        tasks: tasks.collect(),
        ..Snapshot::default()
    };
    let (handle, _engine) = detached(snapshot);
    Arc::new(Views::new(handle, "lab".to_owned()))
}

/// Status, content type and body of an answer.
pub(crate) async fn ask(router: &Router, method: Method, path: &str) -> (u16, String, String) {
    let request = Request::builder().method(method).uri(path);
    let request = request.body(Body::empty()).expect("a request");
    let response = router.clone().oneshot(request).await.expect("infallible");
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type");
    let kind = kind.map_or("", |kind| kind.to_str().unwrap()).to_owned();
    let body = response.into_body().collect().await.expect("a body");
    let body = String::from_utf8(body.to_bytes().to_vec()).expect("text");
    (status, kind, body)
}
