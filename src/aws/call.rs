//! One call of a service that speaks JSON 1.1, signed with the credentials of a role or with the host's own.
//!
//! A client of the SDK for each service would be megabytes for four operations: what they have in common is here.
//!
//! **Invariants.** Nothing is tried twice: who asks decides about that. No answer is passed on as text beyond its code,
//! and the message of codes that are known to hold no secret.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials as Key;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sdk_sts::config::http::{HttpRequest, HttpResponse};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use http_body_util::{BodyExt as _, Limited};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::chain;
use super::endpoint::{Service, address};
use super::error::{kind_of, unreadable, words_of, words_of_base};
use super::host::{HostCredentials, HostSettings, host_credentials};
use super::ways::Ways;
use super::wire::Refusal;
use crate::boundary::{BoundaryError, Clock, ErrorKind, OwnCredentials};
use crate::domain::credentials::CredentialsId;
use crate::domain::endpoint::endpoint;
use crate::domain::fips::FipsEndpoints;

/// Longest call (reference agent).
const LIMIT: Duration = Duration::from_secs(5);

/// Longest answer that is read, in bytes: ten parameters of the largest kind, with room.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// How media of the protocol are named.
const JSON: &str = "application/x-amz-json-1.1";

/// The name under which calls are made.
const USER_AGENT: &str = concat!("berth/", env!("CARGO_PKG_VERSION"));

/// Settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallConfig {
    /// Address of ECR; `None` = the region's.
    pub ecr: Option<String>,
    /// Address of Systems Manager; `None` = the region's.
    pub ssm: Option<String>,
    /// Address of Secrets Manager; `None` = the region's.
    pub secrets_manager: Option<String>,
    /// Region where a call names none; `None` = what AWS programs on this host use.
    pub region: Option<String>,
    /// Endpoints that are validated for FIPS.
    pub fips: FipsEndpoints,
    /// Endpoints that have IPv6 too.
    pub dual_stack: bool,
    /// Where the host's own credentials are looked for.
    pub host: HostSettings,
}

/// Makes the calls.
pub struct Calls {
    pub(super) config: CallConfig,
    ways: Ways,
    roles: Arc<dyn OwnCredentials>,
    host: Box<dyn Fn(&str) -> HostCredentials + Send + Sync>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Calls")
    }
}

/// What is called.
pub(super) struct Call<'a> {
    pub(super) service: &'a Service,
    /// Name of the operation.
    pub(super) operation: &'static str,
    pub(super) region: &'a str,
    /// Where; `None` = at the region's address.
    pub(super) endpoint: Option<&'a str>,
    /// As whom; `None` = as this host.
    pub(super) role: Option<&'a CredentialsId>,
    pub(super) body: &'a Value,
}

impl Calls {
    /// Nothing is asked before the first call.
    pub fn new(
        config: CallConfig,
        ways: Ways,
        roles: Arc<dyn OwnCredentials>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (settings, time) = (config.host.clone(), clock.clone());
        let own_ways = ways.clone();
        let host =
            move |region: &str| host_credentials(region, &settings, own_ways.clone(), time.clone());
        Self {
            config,
            ways,
            roles,
            host: Box::new(host),
            clock,
        }
    }

    /// With credentials of the host of its own, whatever this host has.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn with_host_key(mut self, access_key_id: &str, secret_access_key: &str) -> Self {
        let own = Key::new(access_key_id, secret_access_key, None, None, "fixed");
        self.host = Box::new(move |_| HostCredentials::new(own.clone()));
        self
    }

    /// That region, else the usual one.
    pub(super) async fn region(&self, named: Option<&str>) -> String {
        let named = named.or(self.config.region.as_deref());
        chain::region(named).await.to_string()
    }

    /// The answer to the call.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
    ) -> Result<T, BoundaryError> {
        let operation = || format!("call {} of {}", call.operation, call.service.name);
        let made = tokio::time::timeout(LIMIT, self.make(call)).await;
        let made = made.map_err(|_| BoundaryError::deadline(operation(), LIMIT))?;
        made.map_err(|(kind, words)| BoundaryError::new(operation(), kind, words))
    }

    async fn make<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, (ErrorKind, String)> {
        if call.region.is_empty() {
            let words = "it is not known in which region".to_owned();
            return Err((ErrorKind::Invalid, words));
        }
        let usual = || {
            let fips = self.config.fips.count_in(call.region);
            address(call.service, call.region, fips, self.config.dual_stack)
        };
        let unfit = |url: &str| {
            let words = format!("{url} is no address that can be called");
            (ErrorKind::Invalid, words)
        };
        let url = match call.endpoint {
            Some(text) => endpoint(text).ok_or_else(|| unfit(text))?,
            None => usual(),
        };
        let key = self.key(call).await?;
        let request = self.request(call, &url, key).ok_or_else(|| unfit(&url))?;
        let answer = self.ways.to(&url).call(request).await;
        let answer = answer.map_err(|error| {
            if error.is_timeout() {
                return (ErrorKind::DeadlineExceeded, "no answer in time".to_owned());
            }
            let words = format!("{} cannot be reached at {url}", call.service.name);
            (ErrorKind::Unavailable, words)
        })?;
        read(call.service, answer).await
    }

    async fn key(&self, call: &Call<'_>) -> Result<Key, (ErrorKind, String)> {
        let Some(id) = call.role else {
            let found = (self.host)(call.region).provide_credentials().await;
            return found.map_err(|error| {
                let words = words_of_base(&error);
                let words = format!("this host has no credentials of its own: {words}");
                // They may be had later: nothing about the call is wrong.
                (ErrorKind::Transient, words)
            });
        };
        let Some(own) = self.roles.own(id) else {
            // The reference agent's words. They may have ended a moment ago, and come again.
            let words = format!("engine {} credentials: not found", call.service.signing);
            return Err((ErrorKind::Transient, words));
        };
        let token = own.session_token.expose();
        Ok(Key::new(
            own.access_key_id.expose(),
            own.secret_access_key.expose(),
            (!token.is_empty()).then(|| token.clone()),
            None,
            "role",
        ))
    }

    /// `None` = the address is none.
    fn request(&self, call: &Call<'_>, url: &str, key: Key) -> Option<HttpRequest> {
        let body = call.body.to_string();
        let target = format!("{}.{}", call.service.target, call.operation);
        let authority = url.split_once("://")?.1;
        let host = authority.split('/').next()?;
        let now = u64::try_from(self.clock.now().0).ok()?;
        let identity = key.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(call.region)
            .name(call.service.signing)
            .time(SystemTime::UNIX_EPOCH + Duration::from_millis(now))
            .settings(SigningSettings::default())
            .build()
            .ok()?;
        // The root, with the slash that requests have on the wire.
        let url = if authority.contains('/') {
            url.to_owned()
        } else {
            format!("{url}/")
        };
        let headers = [
            ("host", host),
            ("content-type", JSON),
            ("x-amz-target", &target),
        ];
        let signable = SignableRequest::new(
            "POST",
            url.as_str(),
            headers.into_iter(),
            SignableBody::Bytes(body.as_bytes()),
        );
        let (signed, _) = sign(signable.ok()?, &parameters.into()).ok()?.into_parts();
        let mut request = HttpRequest::new(body.into());
        request.set_method("POST").ok()?;
        request.set_uri(url).ok()?;
        let names = request.headers_mut();
        for (name, value) in headers {
            names.insert(name, value.to_owned());
        }
        names.insert("user-agent", USER_AGENT);
        for (name, value) in signed.headers() {
            names.insert(name.to_owned(), value.to_owned());
        }
        Some(request)
    }
}

async fn read<T: DeserializeOwned>(
    service: &Service,
    answer: HttpResponse,
) -> Result<T, (ErrorKind, String)> {
    let status = answer.status().as_u16();
    let header = answer.headers().get("x-amzn-errortype").map(str::to_owned);
    let unreadable = || (kind_of("", status), unreadable(service.name, status));
    let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect();
    let body = body.await.map_err(|_| unreadable())?.to_bytes();
    if (200..300).contains(&status) {
        return serde_json::from_slice(&body).map_err(|_| unreadable());
    }
    let refusal: Refusal = serde_json::from_slice(&body).unwrap_or_default();
    let code = header.or(refusal.code).unwrap_or_default();
    // `namespace#Code:address`.
    let code = code.split(':').next().unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or_default();
    let words = words_of(code, refusal.message.as_deref());
    Err((
        kind_of(code, status),
        words.unwrap_or_else(|| unreadable().1),
    ))
}
