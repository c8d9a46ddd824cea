//! The address of containers for a foreground run: claimed before anything starts, so that the run knows whether roles
//! of its task can be served, and given back in the end.
//!
//! **Invariant.** An address that somebody else serves is left alone. One that the host had before stays.

use std::net::{SocketAddr, TcpListener};

use super::handed::{HandedOver, TASK_SERVER_ADDRESS, TASK_SERVER_LOCAL};
use super::task_address::TASK_SERVER;
use crate::boundary::TaskAddress as _;
use crate::config::Config;
use crate::config::credentials::CredentialsFrom;
use crate::domain::definition::TaskDefinition;
use crate::error::ErrorChain;
use crate::platform::{TaskLink, listen_ahead};

/// Why the role of a task is not served by a foreground run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// Somebody serves there, or this user may not.
    #[error(
        "{TASK_SERVER} cannot be had ({0}): an agent that runs on this host has it, or root is needed"
    )]
    Listen(String),
    /// The host cannot be given the address.
    #[error("this host cannot be given {ip} ({0})", ip = TASK_SERVER.ip())]
    Address(String),
}

/// Where containers of the run are served.
#[derive(Debug)]
pub struct Claim {
    address: TcpListener,
    local: Option<TcpListener>,
    was_held: bool,
}

/// Claims the addresses for a task with a role and sets `config` so that it is served; `None` = it has none, or the
/// operator wants none served.
///
/// # Errors
/// They cannot be had: the task then runs without its role.
pub async fn claim(
    config: &mut Config,
    definition: &TaskDefinition,
) -> Result<Option<Claim>, ClaimError> {
    let wanted = definition.task_role_arn.is_some()
        && config.credentials.source != CredentialsFrom::Off
        && config.listen.task_address;
    if !wanted {
        return Ok(None);
    }
    let address =
        listen_ahead(TASK_SERVER).map_err(|error| ClaimError::Listen(error.to_string()))?;
    let link = TaskLink::default();
    let failed = |error| ClaimError::Address(ErrorChain(&error).to_string());
    let was_held = link.look().await.map_err(failed)?.is_some();
    link.ensure().await.map_err(failed)?;
    config.engine.endpoints.credentials = true;
    config.engine.endpoints.metadata = true;
    Ok(Some(Claim {
        address,
        // For programs of this host only: a run does without.
        local: listen_ahead(config.listen.task_server).ok(),
        was_held,
    }))
}

impl Claim {
    /// The sockets as if they had been handed over, and which listeners they are for.
    pub(super) fn handed(
        &self,
        config: &Config,
    ) -> std::io::Result<(HandedOver, Vec<(&'static str, SocketAddr)>)> {
        let mut handed = HandedOver::default();
        let mut listeners = vec![(TASK_SERVER_ADDRESS, TASK_SERVER)];
        handed.give(TASK_SERVER_ADDRESS, self.address.try_clone()?);
        if let Some(local) = &self.local {
            handed.give(TASK_SERVER_LOCAL, local.try_clone()?);
            listeners.push((TASK_SERVER_LOCAL, config.listen.task_server));
        }
        Ok((handed, listeners))
    }

    /// Gives the address back.
    pub async fn release(self) {
        if !self.was_held
            && let Err(error) = TaskLink::default().release().await
        {
            let error = ErrorChain(&error).to_string();
            tracing::warn!(
                event = "task-address-stays",
                error,
                "the address of containers stays on this host"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Origin, Strings};
    use crate::domain::sample;

    #[tokio::test]
    async fn nothing_is_claimed_for_a_task_without_a_role_or_where_none_is_to_be_served() {
        let read = |pairs: &[(&str, &str)]| {
            let texts = pairs
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
            Config::read(&Strings::new().below(Origin::Flag, texts))
        };
        let plain = sample::definition(&["app"]);
        let mut role = sample::definition(&["app"]);
        role.task_role_arn = Some("arn:aws:iam::123456789012:role/web".to_owned());
        let off = read(&[("BERTH_CREDENTIALS", "off")]);
        let no_address = read(&[("BERTH_TASK_ADDRESS", "false")]);
        for (config, definition) in [(read(&[]), &plain), (off, &role), (no_address, &role)] {
            let mut changed = config.clone();
            let claimed = claim(&mut changed, definition).await;
            assert!(matches!(claimed, Ok(None)));
            assert_eq!(changed.engine, config.engine);
        }
    }

    #[test]
    fn words_name_the_address_and_what_may_help() {
        let error = ClaimError::Listen("address in use".to_owned());
        let words = "169.254.170.2:80 cannot be had (address in use): an agent that runs on this host has it, or root \
                     is needed";
        assert_eq!(error.to_string(), words);
        let error = ClaimError::Address("denied".to_owned());
        assert_eq!(
            error.to_string(),
            "this host cannot be given 169.254.170.2 (denied)"
        );
    }
}
