//! Registers this host and keeps who it is.
//!
//! **Invariant.** Nothing waits for it but the session with ACS: tasks run and are reported meanwhile. It never gives
//! up for good.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::agent::Shared;
use super::ec2::{self, saved};
use super::origin::INSTANCE_ID;
use crate::boundary::InstanceStore;
use crate::domain::host::HostFacts;
use crate::ecs::api::{ApiError, Registered};
use crate::ecs::config::DEFAULT_CLUSTER;
use crate::ecs::register::{
    Ec2Identity, Identity, Verdict, Waits, judge_error, judge_registered, registration,
    unfit_to_begin,
};
use crate::error::ErrorChain;

/// How often something is tried that somebody must change something about first.
const HOPELESS_PACE: Duration = Duration::from_mins(5);

/// How often a store that cannot be used is tried again.
pub(super) const STORE_PACE: Duration = Duration::from_secs(1);

/// Names of facts in the store.
pub(super) const INSTANCE: &str = "container-instance-arn";
pub(super) const CLUSTER: &str = "cluster-name";
const ZONE: &str = "availability-zone";
pub(super) const SEQUENCE: &str = "task-manifest-seq-num";

/// The attribute that names the zone.
const ZONE_ATTRIBUTE: &str = "ecs.availability-zone";

/// Registers, and returns the ARN of the instance; `None` = told to end.
pub(super) async fn register(shared: &Shared, shutdown: &CancellationToken) -> Option<String> {
    shutdown.run_until_cancelled(registered(shared)).await
}

async fn registered(shared: &Shared) -> String {
    let mut identity = identity(shared).await;
    let host = host_facts(shared).await;
    if let Some(ec2) = &shared.ec2 {
        let tell = |words: &str| {
            shared.tell(words, "this host is not registered until it is set up");
        };
        ec2.set_up(&*shared.cloud_init, tell).await;
    }
    if let Some(ec2) = shared.ec2.as_ref().filter(|_| shared.config.ec2.warm_pools) {
        let tell = |words: &str| {
            shared.tell(words, "not registered yet: the warm pool is waited for");
        };
        ec2.in_service(tell).await;
    }
    let mut waits = Waits::default();
    loop {
        if let Some(ec2) = &shared.ec2 {
            // Anew each time: what could not be had may be there by now.
            identity.ec2 = ec2.identity().await;
        }
        let tried = match ec2::tags(shared).await {
            Ok(tags) => {
                identity.ec2.tags = tags;
                attempt(shared, &host, &identity).await
            }
            // Without its tags it would be another instance to whoever pays or permits by them.
            Err(trouble) => Err(trouble),
        };
        let wait = match tried {
            Ok(instance) => return instance,
            Err(Trouble::Hopeless(words)) => {
                shared.tell(
                    &words,
                    "this host cannot be registered until somebody changes something",
                );
                HOPELESS_PACE
            }
            Err(Trouble::Refused(words)) => {
                shared.tell(&words, "this host is not registered yet; trying again");
                waits.refused(shared.chance())
            }
            Err(Trouble::Unanswered(words)) => {
                shared.tell(&words, "this host is not registered yet; trying again");
                waits.unanswered(shared.chance())
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// Why this host is not registered, in words.
pub(super) enum Trouble {
    /// Somebody has answered, and may answer otherwise another time.
    Refused(String),
    /// Nobody has.
    Unanswered(String),
    /// Somebody must change something.
    Hopeless(String),
}

impl Trouble {
    /// Of a call that failed, whatever its code says of further tries.
    fn passing(error: &ApiError) -> Self {
        match judge_error(error, false) {
            Verdict::Unanswered => Self::Unanswered(error.to_string()),
            Verdict::Registered | Verdict::Again | Verdict::MakeCluster | Verdict::Hopeless(_) => {
                Self::Refused(error.to_string())
            }
        }
    }
}

async fn attempt(
    shared: &Shared,
    host: &HostFacts,
    identity: &Identity,
) -> Result<String, Trouble> {
    let config = &shared.config;
    if let Some(before) = identity
        .cluster
        .as_deref()
        .filter(|before| *before != config.cluster())
    {
        let now = config.cluster();
        return Err(Trouble::Hopeless(format!(
            "this host is registered in cluster {before}, and the settings name {now}: its state must be removed first"
        )));
    }
    if let Some(words) = unfit_to_begin(config, identity) {
        return Err(Trouble::Hopeless(words));
    }
    let request = registration(config, host, identity, &shared.client_token);
    let may_make = config.cluster.is_none();
    let answer = match shared.api.register(&request).await {
        Ok(answer) => answer,
        Err(error) => match judge_error(&error, may_make) {
            Verdict::Hopeless(words) => return Err(Trouble::Hopeless(words)),
            Verdict::MakeCluster => {
                let made = shared.api.create_cluster(DEFAULT_CLUSTER).await;
                made.map_err(|error| Trouble::passing(&error))?;
                let again = shared.api.register(&request).await;
                again.map_err(|error| Trouble::passing(&error))?
            }
            Verdict::Again | Verdict::Unanswered | Verdict::Registered => {
                return Err(Trouble::passing(&error));
            }
        },
    };
    if let Verdict::Hopeless(words) = judge_registered(&request, &answer) {
        return Err(Trouble::Hopeless(words));
    }
    Ok(keep(shared, identity, &answer).await)
}

/// Who this host is becomes durable before it is used; the ARN of the first registration stays.
async fn keep(shared: &Shared, identity: &Identity, answer: &Registered) -> String {
    let instance = identity
        .instance
        .clone()
        .unwrap_or_else(|| answer.instance.clone());
    let zone = answer.attributes.get(ZONE_ATTRIBUTE).cloned().flatten();
    let facts = [
        (INSTANCE, instance.as_str()),
        (CLUSTER, shared.config.cluster()),
        (ZONE, zone.as_deref().unwrap_or_default()),
        (
            INSTANCE_ID,
            shared.instance_id.as_deref().unwrap_or_default(),
        ),
    ];
    while let Err(error) = shared.store.keep(&facts).await {
        let words = ErrorChain(&error).to_string();
        shared.tell(
            &words,
            "the registration cannot be written down; trying again",
        );
        tokio::time::sleep(STORE_PACE).await;
    }
    info!(
        event = "registered",
        instance,
        cluster = shared.config.cluster(),
        again = identity.instance.is_some(),
        "registered with ECS"
    );
    shared.status.registered(&instance);
    show(shared, &instance, zone.as_deref());
    instance
}

/// Who and where this host is, for containers to read.
fn show(shared: &Shared, instance: &str, zone: Option<&str>) {
    let shown = zone.filter(|_| !shared.config.hide_zone);
    shared.facts.registered(instance, shown);
}

/// What the host can do is known once Docker has answered.
pub(super) async fn host_facts(shared: &Shared) -> Arc<HostFacts> {
    let mut changes = shared.engine.changes();
    loop {
        if let Some(host) = shared.engine.snapshot().engine.host.clone() {
            return host;
        }
        if changes.changed().await.is_err() {
            // The engine has ended, and so does everything soon.
            std::future::pending::<()>().await;
        }
    }
}

/// Who this host was registered as. It is that until ECS says otherwise, whether or not that answers.
async fn identity(shared: &Shared) -> Identity {
    let facts = store_facts(&shared.store).await;
    let fact = |name| saved(&facts, name).map(ToOwned::to_owned);
    let identity = Identity {
        instance: fact(INSTANCE),
        cluster: fact(CLUSTER),
        ec2: Ec2Identity::default(),
    };
    let same = identity.cluster.as_deref() == Some(shared.config.cluster());
    if let Some(instance) = identity.instance.as_deref().filter(|_| same) {
        shared.status.was_registered(instance);
        show(shared, instance, saved(&facts, ZONE));
    }
    identity
}

/// What the store has, as soon as it can be read.
pub(super) async fn store_facts(store: &Arc<dyn InstanceStore>) -> BTreeMap<String, String> {
    loop {
        match store.facts().await {
            Ok(facts) => return facts,
            Err(error) => {
                warn!(event = "identity-unreadable", error = %ErrorChain(&error), "who this host is cannot be read; trying again");
                tokio::time::sleep(STORE_PACE).await;
            }
        }
    }
}
