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
use super::ec2::saved;
use super::origin::INSTANCE_ID;
use crate::boundary::InstanceStore;
use crate::domain::host::HostFacts;
use crate::ecs::api::Registered;
use crate::ecs::config::DEFAULT_CLUSTER;
use crate::ecs::link::{Backoff, BackoffSettings};
use crate::ecs::register::{
    Ec2Identity, Identity, Verdict, judge_error, judge_registered, registration,
};
use crate::error::ErrorChain;

/// Waits between tries (reference agent).
const BACKOFF: BackoffSettings = BackoffSettings {
    first: Duration::from_secs(3),
    longest: Duration::from_secs(192),
    jitter_percent: 20,
    growth_percent: 200,
};

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
    let host = host_facts(shared).await;
    if let Some(ec2) = shared.ec2.as_ref().filter(|_| shared.config.ec2.warm_pools) {
        let tell = |words: &str| {
            shared.tell(words, "not registered yet: the warm pool is waited for");
        };
        ec2.in_service(tell).await;
    }
    let mut identity = identity(shared).await;
    let mut backoff = Backoff::new(BACKOFF);
    loop {
        if let Some(ec2) = &shared.ec2 {
            // Anew each time: what could not be had may be there by now.
            identity.ec2 = ec2.identity().await;
        }
        let wait = match attempt(shared, &host, &identity).await {
            Ok(instance) => return instance,
            Err(Trouble::Hopeless(words)) => {
                shared.tell(
                    &words,
                    "this host cannot be registered until somebody changes something",
                );
                HOPELESS_PACE
            }
            Err(Trouble::Again(words)) => {
                shared.tell(&words, "this host is not registered yet; trying again");
                backoff.wait(shared.chance())
            }
        };
        tokio::time::sleep(wait).await;
    }
}

enum Trouble {
    Again(String),
    Hopeless(String),
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
    let request = registration(config, host, identity, &shared.client_token);
    let may_make = config.cluster.is_none();
    let answer = match shared.api.register(&request).await {
        Ok(answer) => answer,
        Err(error) => match judge_error(&error, may_make) {
            Verdict::Hopeless(words) => return Err(Trouble::Hopeless(words)),
            Verdict::MakeCluster => {
                let made = shared.api.create_cluster(DEFAULT_CLUSTER).await;
                made.map_err(|error| Trouble::Again(error.to_string()))?;
                let again = shared.api.register(&request).await;
                again.map_err(|error| Trouble::Again(error.to_string()))?
            }
            Verdict::Again | Verdict::Registered => return Err(Trouble::Again(error.to_string())),
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
    instance
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

async fn identity(shared: &Shared) -> Identity {
    let facts = store_facts(&shared.store).await;
    let fact = |name| saved(&facts, name).map(ToOwned::to_owned);
    Identity {
        instance: fact(INSTANCE),
        cluster: fact(CLUSTER),
        ec2: Ec2Identity::default(),
    }
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
