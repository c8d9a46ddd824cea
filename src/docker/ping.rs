//! Whether Docker answers at all.

use std::time::Duration;

use async_trait::async_trait;

use super::client::{Call, Docker};
use crate::boundary::{BoundaryError, RuntimePing};

#[async_trait]
impl RuntimePing for Docker {
    async fn ping(&self, limit: Duration) -> Result<(), BoundaryError> {
        let call = Call::engine("ping Docker", limit);
        let said = self.run(&call, async |docker| docker.ping().await).await;
        said.map(|_| ())
    }
}
