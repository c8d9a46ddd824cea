//! Where sessions go: asked once in a while, by one at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::warn;

use crate::ecs::api::{ApiError, ControlPlane, Endpoints};

/// How long an answer is good (reference agent).
const LIFETIME: Duration = Duration::from_hours(12);

/// Asks and remembers. One that is out of date is better than none.
pub(super) struct Discovery {
    api: Arc<dyn ControlPlane>,
    /// Held while it is asked, so that nobody asks beside.
    answer: Mutex<Option<(Instant, Endpoints)>>,
}

impl Discovery {
    pub(super) fn new(api: Arc<dyn ControlPlane>) -> Self {
        Self {
            api,
            answer: Mutex::new(None),
        }
    }

    pub(super) async fn endpoints(
        &self,
        instance: &str,
        cluster: &str,
    ) -> Result<Endpoints, ApiError> {
        let mut held = self.answer.lock().await;
        if let Some((at, endpoints)) = &*held
            && at.elapsed() < LIFETIME
        {
            return Ok(endpoints.clone());
        }
        match (self.api.discover(instance, cluster).await, &*held) {
            (Ok(endpoints), _) => {
                *held = Some((Instant::now(), endpoints.clone()));
                Ok(endpoints)
            }
            (Err(error), Some((_, endpoints))) => {
                warn!(event = "endpoints-unknown", %error, "endpoints cannot be asked for; the last ones are used");
                Ok(endpoints.clone())
            }
            (Err(error), None) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::ecs::api::{Failure, Registered, Registration};
    use crate::ecs::report::TaskChange;

    /// Answers each question with its number, or fails.
    #[derive(Default)]
    struct Api {
        asked: AtomicU32,
        at_once: AtomicU32,
        fails: std::sync::atomic::AtomicBool,
    }

    #[async_trait]
    impl ControlPlane for Api {
        async fn register(&self, _: &Registration) -> Result<Registered, ApiError> {
            unreachable!("nobody registers")
        }

        async fn create_cluster(&self, _: &str) -> Result<String, ApiError> {
            unreachable!("nobody makes a cluster")
        }

        async fn discover(&self, instance: &str, cluster: &str) -> Result<Endpoints, ApiError> {
            assert_eq!((instance, cluster), ("i", "c"));
            assert_eq!(
                self.at_once.fetch_add(1, Ordering::Relaxed),
                0,
                "one at a time"
            );
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.at_once.fetch_sub(1, Ordering::Relaxed);
            let number = self.asked.fetch_add(1, Ordering::Relaxed);
            if self.fails.load(Ordering::Relaxed) {
                return Err(ApiError {
                    operation: "DiscoverPollEndpoint",
                    failure: Failure::Unreachable,
                    message: String::new(),
                });
            }
            Ok(Endpoints {
                acs: Some(number.to_string()),
                telemetry: None,
            })
        }

        async fn drain(&self, _: &str, _: &str) -> Result<(), ApiError> {
            unreachable!("nobody drains")
        }

        async fn submit(&self, _: &str, _: &TaskChange) -> Result<(), ApiError> {
            unreachable!("nobody reports")
        }
    }

    async fn ask(discovery: &Discovery) -> Option<String> {
        discovery.endpoints("i", "c").await.ok()?.acs
    }

    #[tokio::test(start_paused = true)]
    async fn check_037_one_call_in_twelve_hours() {
        let api = Arc::new(Api::default());
        let discovery = Discovery::new(api.clone());
        for _ in 0..3 {
            assert_eq!(ask(&discovery).await.as_deref(), Some("0"));
        }
        tokio::time::advance(LIFETIME).await;
        assert_eq!(ask(&discovery).await.as_deref(), Some("1"));
    }

    #[tokio::test(start_paused = true)]
    async fn check_038_an_answer_that_is_out_of_date_is_used_while_there_is_no_other() {
        let api = Arc::new(Api::default());
        let discovery = Discovery::new(api.clone());
        ask(&discovery).await;
        api.fails.store(true, Ordering::Relaxed);
        tokio::time::advance(LIFETIME).await;
        assert_eq!(ask(&discovery).await.as_deref(), Some("0"));
        assert_eq!(
            api.asked.load(Ordering::Relaxed),
            2,
            "it was asked all the same"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_not_remembered() {
        let api = Arc::new(Api::default());
        api.fails.store(true, Ordering::Relaxed);
        let discovery = Discovery::new(api.clone());
        assert_eq!(ask(&discovery).await, None);
        api.fails.store(false, Ordering::Relaxed);
        assert_eq!(ask(&discovery).await.as_deref(), Some("1"));
    }

    #[tokio::test(start_paused = true)]
    async fn check_040_who_asks_meanwhile_waits_for_the_answer_under_way() {
        let api = Arc::new(Api::default());
        let discovery = Discovery::new(api.clone());
        let (one, other) = tokio::join!(ask(&discovery), ask(&discovery));
        assert_eq!((one.as_deref(), other.as_deref()), (Some("0"), Some("0")));
    }
}
