//! What this host is to EC2: asked of the instance metadata service, where it may be.
//!
//! **Invariants.** Nothing waits for the service longer than its budget, and nothing ends because it does not answer.
//! An external instance does not ask it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::agent::Shared;
use super::registrar::Trouble;
use crate::boundary::ecs_facts::InstancePlace;
use crate::boundary::{BoundaryError, ErrorKind, InstanceFact, InstanceMetadata};
use crate::ecs::config::Ec2Settings;
use crate::ecs::link::{Backoff, BackoffSettings, Chance};
use crate::ecs::register::{
    Ec2Identity, code_of_refusal, ec2_endpoint, found_no_source, interruption, is_in_service,
    is_rebalance, tags_of_answer, tags_question,
};
use crate::error::ErrorChain;

/// Longest that a part of the identity is tried for (reference agent).
const IDENTITY_BUDGET: Duration = Duration::from_secs(30);

/// Waits between those tries (reference agent).
const IDENTITY_BACKOFF: BackoffSettings = BackoffSettings {
    first: Duration::from_millis(100),
    longest: Duration::from_secs(5),
    jitter_percent: 20,
    growth_percent: 200,
};

/// How often what is needed at the start is tried, and the waits between (reference agent).
const START_TRIES: u32 = 5;
const START_BACKOFF: BackoffSettings = BackoffSettings {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(5),
    jitter_percent: 20,
    growth_percent: 130,
};

/// How often it is looked for a notice of interruption (reference agent).
const NOTICE_PACE: Duration = Duration::from_secs(1);

/// How often an instance of a warm pool looks whether it may begin (reference agent).
const POOL_PACE: Duration = Duration::from_mins(1);

/// How often it is looked whether the instance still has user data that nobody has seen.
const USER_DATA_PACE: Duration = Duration::from_mins(5);

/// How often it is asked where the instance is, until it says so.
const PLACE_PACE: Duration = Duration::from_mins(1);

/// The service, asked with patience.
#[derive(Clone)]
pub(super) struct Ec2(Arc<dyn InstanceMetadata>);

impl Ec2 {
    pub(super) fn new(service: Arc<dyn InstanceMetadata>) -> Self {
        Self(service)
    }

    /// The fact, tried a few times; `None` = there is none, or nobody says.
    pub(super) async fn at_start(&self, fact: InstanceFact) -> Option<String> {
        let mut backoff = Backoff::new(START_BACKOFF);
        for _ in 1..START_TRIES {
            match self.0.read(fact).await {
                Ok(found) => return found,
                Err(_) => sleep(backoff.wait(Chance::default())).await,
            }
        }
        self.0.read(fact).await.unwrap_or_else(|error| {
            let error = ErrorChain(&error).to_string();
            warn!(
                event = "instance-metadata-failing",
                error,
                "the instance metadata service does not answer; what it would say is left out"
            );
            None
        })
    }

    /// Who the instance is, for a registration; parts that cannot be had are empty.
    pub(super) async fn identity(&self) -> Ec2Identity {
        let document = self.patiently(InstanceFact::IdentityDocument).await;
        let signature = if document.is_empty() {
            String::new()
        } else {
            self.patiently(InstanceFact::IdentitySignature).await
        };
        let outpost = self.0.read(InstanceFact::OutpostArn).await;
        Ec2Identity {
            document,
            signature,
            outpost: outpost.ok().flatten().filter(|arn| !arn.is_empty()),
            ..Ec2Identity::default()
        }
    }

    async fn patiently(&self, fact: InstanceFact) -> String {
        let until = Instant::now() + IDENTITY_BUDGET;
        let mut backoff = Backoff::new(IDENTITY_BACKOFF);
        loop {
            let error = match self.0.read(fact).await {
                Ok(found) => return found.unwrap_or_default(),
                Err(error) => error,
            };
            let wait = backoff.wait(Chance::default());
            if Instant::now() + wait >= until {
                let error = ErrorChain(&error).to_string();
                warn!(
                    event = "instance-metadata-failing",
                    error,
                    "the instance metadata service does not answer; what it would say is left out"
                );
                return String::new();
            }
            sleep(wait).await;
        }
    }

    /// Returns when the host is set up as whoever launched the instance wanted it, as far as that can be seen: it is not
    /// where there is user data that cloud-init has not found. Settings may be in it, and the host would register in a
    /// cluster that it does not belong to. `tell` hears why it is waited.
    pub(super) async fn set_up(
        &self,
        cloud_init: &(dyn Fn() -> String + Sync),
        tell: impl Fn(&str),
    ) {
        let has_some = |data: Option<String>| data.is_some_and(|data| !data.is_empty());
        while found_no_source(&cloud_init())
            && has_some(self.at_start(InstanceFact::UserData).await)
        {
            tell(
                "the instance has user data that cloud-init has not seen at this boot: start it anew, or run cloud-init again",
            );
            sleep(USER_DATA_PACE).await;
        }
    }

    /// Returns when the Auto Scaling group wants the instance in service. `tell` hears why it is waited.
    pub(super) async fn in_service(&self, tell: impl Fn(&str)) {
        loop {
            let words = match self.0.read(InstanceFact::TargetLifecycleState).await {
                Ok(Some(state)) if is_in_service(&state) => return,
                Ok(Some(state)) => format!("the Auto Scaling group wants the instance {state:?}"),
                Ok(None) => "the Auto Scaling group says nothing of the instance yet".to_owned(),
                Err(error) => ErrorChain(&error).to_string(),
            };
            tell(&words);
            sleep(POOL_PACE).await;
        }
    }

    /// Returns what the first notice announces, of those that are looked for.
    async fn notice(&self, settings: Ec2Settings) -> String {
        loop {
            if settings.spot_draining
                && let Some(action) = self.seen(InstanceFact::SpotAction).await
                && let Some(action) = interruption(&action)
            {
                return action;
            }
            if settings.rebalance_draining
                && let Some(notice) = self.seen(InstanceFact::RebalanceRecommendation).await
                && is_rebalance(&notice)
            {
                return "rebalance".to_owned();
            }
            sleep(NOTICE_PACE).await;
        }
    }

    /// Where the instance is, once the service answers.
    async fn place(&self) -> InstancePlace {
        loop {
            if let Ok(place) = self.try_place().await {
                return place;
            }
            // Why is told where more depends on the service.
            sleep(PLACE_PACE).await;
        }
    }

    async fn try_place(&self) -> Result<InstancePlace, BoundaryError> {
        let private_ipv4 = self.part(InstanceFact::PrivateIpv4).await?;
        let ipv6 = match &private_ipv4 {
            Some(_) => None,
            None => self.part(InstanceFact::Ipv6).await?,
        };
        Ok(InstancePlace {
            vpc: self.part(InstanceFact::VpcId).await?,
            zone_id: self.part(InstanceFact::ZoneId).await?,
            public_ipv4: self.part(InstanceFact::PublicIpv4).await?,
            private_ipv4,
            ipv6,
        })
    }

    /// The fact; what the service refuses to tell is none.
    async fn part(&self, fact: InstanceFact) -> Result<Option<String>, BoundaryError> {
        match self.0.read(fact).await {
            Ok(found) => Ok(found.filter(|text| !text.is_empty())),
            Err(error) if matches!(error.kind, ErrorKind::Denied | ErrorKind::Invalid) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// There is no notice most of the time, and no answer is none.
    async fn seen(&self, notice: InstanceFact) -> Option<String> {
        self.0.read(notice).await.ok().flatten()
    }
}

/// Tells where this host is, for containers to read. Ends when that is known, or at `shutdown`.
pub(super) async fn tell_place(shared: &Shared, shutdown: &CancellationToken) {
    let place = match &shared.ec2 {
        Some(ec2) => shutdown.run_until_cancelled(ec2.place()).await,
        None => Some(InstancePlace::default()),
    };
    if let Some(mut place) = place {
        place.zone_id = place.zone_id.filter(|_| !shared.config.hide_zone);
        shared.facts.placed(place);
    }
}

/// The call, for words about its failures.
const TAGS: &str = "tags of the instance are waited for: DescribeTags";

/// Tags that EC2 has of the instance, where the settings ask for them.
///
/// # Errors
/// Why they are not known.
pub(super) async fn tags(shared: &Shared) -> Result<BTreeMap<String, String>, Trouble> {
    if !shared.config.ec2.propagate_tags {
        return Ok(BTreeMap::new());
    }
    let id = match (&shared.instance_id, &shared.ec2) {
        (Some(id), _) => Some(id.clone()),
        (None, Some(ec2)) => ec2.at_start(InstanceFact::InstanceId).await,
        (None, None) => None,
    };
    let unanswered = |why: &str| Trouble::Unanswered(format!("{TAGS}: {why}"));
    let id = id.ok_or_else(|| unanswered("nobody says which instance this is"))?;
    let config = &shared.config;
    let endpoint = config.ec2_endpoint.clone();
    let endpoint =
        endpoint.unwrap_or_else(|| ec2_endpoint(&shared.region, config.network.endpoints));
    let asking = shared.connector.query("ec2", &endpoint, tags_question(&id));
    let answer = tokio::time::timeout(config.call_limit, asking).await;
    let (status, text) = answer
        .map_err(|_| unanswered("no answer in time"))?
        .map_err(|error| unanswered(&ErrorChain(&error).to_string()))?;
    let tags = tags_of_answer(&text).filter(|_| status == 200);
    tags.ok_or_else(|| {
        let code = code_of_refusal(&text).unwrap_or_default();
        Trouble::Refused(format!("{TAGS}: status {status} {code}"))
    })
}

/// Drains the instance in ECS when EC2 says that it will be interrupted, or is likely to be; once. Runs until `shutdown`.
pub(super) async fn watch_notices(shared: &Shared, instance: &str, shutdown: CancellationToken) {
    let drained = async {
        let settings = shared.config.ec2;
        let looks = settings.spot_draining || settings.rebalance_draining;
        let Some(ec2) = shared.ec2.as_ref().filter(|_| looks) else {
            return;
        };
        let action = ec2.notice(settings).await;
        info!(
            event = "interruption-announced",
            action, "EC2 announces that it will or may interrupt this instance; it is drained"
        );
        while let Err(error) = shared.api.drain(shared.config.cluster(), instance).await {
            warn!(event = "draining-failing", %error, "ECS does not drain the instance; trying again");
            sleep(NOTICE_PACE).await;
        }
        info!(event = "instance-drained", "ECS drains this instance");
    };
    if shutdown.run_until_cancelled(drained).await.is_some() {
        shutdown.cancelled().await;
    }
}

/// What the store says of the instance of before.
pub(super) fn saved<'a>(facts: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    let text = facts.get(name).map(String::as_str);
    text.filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    /// Answers from a list, the last one for ever; and keeps what it was asked for.
    struct Script {
        answers: Mutex<Vec<Result<Option<&'static str>, ErrorKind>>>,
        asked: Mutex<Vec<InstanceFact>>,
    }

    #[async_trait]
    impl InstanceMetadata for Script {
        async fn read(&self, fact: InstanceFact) -> Result<Option<String>, BoundaryError> {
            self.asked.lock().unwrap().push(fact);
            let mut answers = self.answers.lock().unwrap();
            let answer = if answers.len() > 1 {
                answers.remove(0)
            } else {
                answers[0]
            };
            answer
                .map(|text| text.map(ToOwned::to_owned))
                .map_err(|kind| BoundaryError::new("ask", kind, "no"))
        }
    }

    fn scripted(answers: &[Result<Option<&'static str>, ErrorKind>]) -> (Arc<Script>, Ec2) {
        let script = Arc::new(Script {
            answers: Mutex::new(answers.to_vec()),
            asked: Mutex::default(),
        });
        (script.clone(), Ec2::new(script))
    }

    #[tokio::test(start_paused = true)]
    async fn check_025_and_026_the_document_is_tried_for_half_a_minute_and_then_left_out() {
        let (script, ec2) = scripted(&[Err(ErrorKind::Unavailable)]);
        let before = Instant::now();
        assert_eq!(ec2.identity().await, Ec2Identity::default());
        let took = before.elapsed();
        assert!(
            took > Duration::from_secs(20) && took <= IDENTITY_BUDGET,
            "{took:?}"
        );
        let asked = script.asked.lock().unwrap().clone();
        assert!(!asked.contains(&InstanceFact::IdentitySignature));
        let late = [
            Err(ErrorKind::Unavailable),
            Err(ErrorKind::Transient),
            Ok(Some("x")),
        ];
        let (_, ec2) = scripted(&late);
        let before = Instant::now();
        let found = ec2.identity().await;
        assert_eq!(
            (found.document.as_str(), found.signature.as_str()),
            ("x", "x")
        );
        assert!(before.elapsed() < Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_needed_at_the_start_is_tried_five_times() {
        let (script, ec2) = scripted(&[Err(ErrorKind::Unavailable)]);
        let before = Instant::now();
        assert_eq!(ec2.at_start(InstanceFact::InstanceId).await, None);
        assert_eq!(script.asked.lock().unwrap().len(), 5);
        assert!(before.elapsed() < Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn where_the_instance_is_is_asked_until_somebody_says_it() {
        let (script, ec2) = scripted(&[
            Err(ErrorKind::Unavailable),
            Ok(None),
            Ok(Some("fd00::1")),
            Ok(Some("vpc-1")),
            Err(ErrorKind::Denied),
            Ok(Some("")),
        ]);
        let before = Instant::now();
        let expected = InstancePlace {
            vpc: Some("vpc-1".to_owned()),
            ipv6: Some("fd00::1".to_owned()),
            ..InstancePlace::default()
        };
        assert_eq!(ec2.place().await, expected);
        assert_eq!(before.elapsed(), PLACE_PACE);
        assert_eq!(script.asked.lock().unwrap().len(), 6);
        let (script, ec2) = scripted(&[Ok(Some("10.0.0.1"))]);
        let place = ec2.place().await;
        assert_eq!(place.private_ipv4.as_deref(), Some("10.0.0.1"));
        assert_eq!(place.ipv6, None);
        let asked = script.asked.lock().unwrap().clone();
        assert!(
            !asked.contains(&InstanceFact::Ipv6),
            "it has one of version 4"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn check_140_a_warm_pool_is_looked_at_each_minute() {
        let (script, ec2) = scripted(&[
            Ok(None),
            Err(ErrorKind::Transient),
            Ok(Some("Warmed:Pending")),
            Ok(Some("InService")),
        ]);
        let told = Mutex::new(0);
        let before = Instant::now();
        ec2.in_service(|_| *told.lock().unwrap() += 1).await;
        assert_eq!(before.elapsed(), 3 * POOL_PACE);
        assert_eq!(
            (*told.lock().unwrap(), script.asked.lock().unwrap().len()),
            (3, 4)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn check_138_a_notice_is_seen_within_a_second_and_rubbish_is_none() {
        let (_, ec2) = scripted(&[
            Ok(None),
            Err(ErrorKind::Unavailable),
            Ok(Some("{")),
            Ok(Some(r#"{"action": "nap"}"#)),
            Ok(Some(r#"{"action": "stop"}"#)),
        ]);
        let before = Instant::now();
        let spot = Ec2Settings {
            spot_draining: true,
            ..Ec2Settings::default()
        };
        assert_eq!(ec2.notice(spot).await, "stop");
        assert_eq!(before.elapsed(), 4 * NOTICE_PACE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_recommendation_to_rebalance_is_looked_for_on_its_own() {
        let (script, ec2) = scripted(&[
            Ok(None),
            Ok(Some(r#"{"action": "stop"}"#)),
            Ok(Some(r#"{"noticeTime": "2026-01-01T00:00:00Z"}"#)),
        ]);
        let rebalance = Ec2Settings {
            rebalance_draining: true,
            ..Ec2Settings::default()
        };
        assert_eq!(ec2.notice(rebalance).await, "rebalance");
        let asked = script.asked.lock().unwrap().clone();
        assert_eq!(asked, [InstanceFact::RebalanceRecommendation; 3]);
    }
}
