//! Asks the instance that this host is for the settings that its user data may hold, before anything else is done.

use std::time::Duration;

use super::settings;
use crate::aws::Imds;
use crate::boundary::{BoundaryError, InstanceFact, InstanceMetadata as _};
use crate::config::{Config, settings_in};

/// Longest that the start waits for them: the service is on the same machine.
const LIMIT: Duration = Duration::from_secs(1);

/// What a settings file would have of them; `None` = there are none. The instance is asked where all other settings
/// name a cluster on EC2, so that whether it answers decides nothing about where the host belongs.
///
/// # Errors
/// It does not answer.
pub async fn settings_of_instance(config: &Config) -> Result<Option<String>, BoundaryError> {
    let connected = config.connected.as_ref();
    let asks = connected.is_some_and(|it| !it.external && it.cluster.is_some());
    let service = Imds::new(&settings::instance_metadata(&config.instance_metadata));
    let Some(service) = service.filter(|_| asks) else {
        return Ok(None);
    };
    let asked = tokio::time::timeout(LIMIT, service.read(InstanceFact::UserData)).await;
    let user_data =
        asked.unwrap_or_else(|_| Err(BoundaryError::deadline("ask for user data", LIMIT)))?;
    Ok(user_data.as_deref().and_then(settings_in))
}
