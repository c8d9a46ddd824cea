//! Asks the instance that this host is for the settings that its user data may hold, before anything else is done.

use std::time::Duration;

use super::settings;
use crate::aws::Imds;
use crate::boundary::{InstanceFact, InstanceMetadata as _};
use crate::config::{Config, settings_in};

/// Longest that the start waits for them: the service is on the same machine.
const LIMIT: Duration = Duration::from_secs(1);

/// What a settings file would have of them. A host is asked that is to be an instance of ECS on EC2 by all other
/// settings; one that does not answer has none.
pub async fn settings_of_instance(config: &Config) -> Option<String> {
    config.connected.as_ref().filter(|it| !it.external)?;
    let service = Imds::new(&settings::instance_metadata(&config.instance_metadata))?;
    let asked = service.read(InstanceFact::UserData);
    let user_data = tokio::time::timeout(LIMIT, asked).await.ok()?.ok()??;
    settings_in(&user_data)
}
