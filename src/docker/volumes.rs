//! `VolumeRuntime` on Docker.

use async_trait::async_trait;
use bollard::query_parameters::RemoveVolumeOptions;
use serde_json::json;

use super::client::{Call, Docker};
use super::containers::{or_gone, or_none};
use super::raw::Request;
use super::wire;
use crate::boundary::{BoundaryError, ErrorKind, VolumeRuntime};
use crate::domain::names::LABEL_INSTANCE;
use crate::domain::runtime::VolumeSpec;

#[async_trait]
impl VolumeRuntime for Docker {
    async fn create_volume(&self, spec: &VolumeSpec) -> Result<(), BoundaryError> {
        let operation = format!("create volume {}", spec.name);
        let call = Call::engine(operation, self.deadlines().volume);
        let body = json!({
            "Name": spec.name,
            "Driver": spec.driver.as_deref().unwrap_or("local"),
            "DriverOpts": spec.driver_opts,
            "Labels": spec.labels,
        });
        // Docker gives an existing volume of that name and driver back as it is.
        let request = Request::post("/volumes/create").json(&body);
        let made: wire::Volume = self.ask(&call, request).await?;
        let asked = spec.labels.get(LABEL_INSTANCE);
        let holder = made.labels.get(LABEL_INSTANCE).filter(|_| asked.is_some());
        match holder.filter(|holder| Some(*holder) != asked) {
            Some(holder) => {
                let words = format!("the volume {} is held by agent {holder}", spec.name);
                Err(BoundaryError::new(
                    format!("create volume {}", spec.name),
                    ErrorKind::Conflict,
                    words,
                ))
            }
            None => Ok(()),
        }
    }

    async fn inspect_volume(&self, name: &str) -> Result<Option<VolumeSpec>, BoundaryError> {
        let call = Call::engine(format!("inspect volume {name}"), self.deadlines().volume);
        let request = Request::get(&format!("/volumes/{name}"));
        let found: Option<wire::Volume> = or_none(self.ask(&call, request).await)?;
        Ok(found.map(|volume| VolumeSpec {
            name: volume.name,
            driver: Some(volume.driver).filter(|driver| !driver.is_empty()),
            driver_opts: volume.options,
            labels: volume.labels,
        }))
    }

    async fn remove_volume(&self, name: &str) -> Result<(), BoundaryError> {
        // Two agents on one Docker may come to the same name.
        let found = self.inspect_volume(name).await?;
        let holder = found.and_then(|found| found.labels.get(LABEL_INSTANCE).cloned());
        if holder.is_some_and(|holder| holder != self.config().instance) {
            return Ok(());
        }
        let call = Call::engine(format!("remove volume {name}"), self.deadlines().volume);
        let done = self
            .run(&call, async |docker| {
                docker
                    .remove_volume(name, None::<RemoveVolumeOptions>)
                    .await
            })
            .await;
        or_gone(done)
    }
}
