//! One call of a Query API of AWS: a signed form is posted over a connection of its own, and a text comes back.
//!
//! For a single question to a service whose SDK would be larger than all the rest.
//!
//! **Invariant.** Each step has a limit, and the answer a size.

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;

use super::proxy::Target;
use super::sign::{Unsigned, sign_request};
use super::stream::{connect, within};
use super::{Connector, OpenError};

/// Largest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

impl Connector {
    /// Posts the form to the service at that address. Gives status and text of the answer.
    ///
    /// # Errors
    /// [`OpenError`]: there is no answer, or none that can be read.
    pub async fn query(
        &self,
        service: &str,
        url: &str,
        form: String,
    ) -> Result<(u16, String), OpenError> {
        let address = || OpenError::Address(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| address())?;
        let authority = uri.authority().ok_or_else(address)?.as_str();
        let target = Target::of_url(url).ok_or_else(address)?;
        let own = [("host", authority), ("content-type", FORM)];
        let unsigned = Unsigned {
            method: "POST",
            service,
            url,
            headers: &own,
            body: form.as_bytes(),
        };
        let signed = sign_request(&unsigned, self.signer().await?)?;
        let mut request = Request::post(uri.path());
        for (name, value) in own {
            request = request.header(name, value);
        }
        for (name, value) in &signed {
            request = request.header(name, value);
        }
        let body = Full::new(Bytes::from(form));
        let request = request.body(body).map_err(|_| address())?;
        let broken = |error: hyper::Error| OpenError::Answer(error.to_string());
        let stream = connect(&self.network, target).await?;
        let opened = within(handshake(TokioIo::new(stream))).await?;
        let (mut sender, connection) = opened.map_err(broken)?;
        // Ends with this call.
        let mut driven = JoinSet::new();
        driven.spawn(connection);
        let answer = within(sender.send_request(request)).await?;
        let answer = answer.map_err(broken)?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect();
        let body = within(body).await?;
        let body = body.map_err(|error| OpenError::Answer(error.to_string()))?;
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        Ok((status, text))
    }
}
