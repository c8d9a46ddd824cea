//! The name under which calls are made.

use aws_sdk_ecs::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_ecs::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ecs::error::BoxError;

use crate::ecs::config::AgentVersion;

/// Puts the agent's name in place of the SDK's. It is no part of the signature.
#[derive(Debug)]
pub(super) struct UserAgent(String);

impl UserAgent {
    /// In the form of ECS agents.
    pub(super) fn new(version: &AgentVersion, os: &str) -> Self {
        let AgentVersion { version, commit } = version;
        Self(format!(
            "Amazon ECS Agent - v{version} ({commit}) ({os}) (+http://aws.amazon.com/ecs/)"
        ))
    }
}

impl Intercept for UserAgent {
    fn name(&self) -> &'static str {
        "UserAgent"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // The SDK's other header of this kind is part of the signature and stays.
        let headers = context.request_mut().headers_mut();
        headers.insert("user-agent", self.0.clone());
        Ok(())
    }
}
