//! `ImageRuntime` on Docker.

use std::collections::BTreeSet;

use async_trait::async_trait;
use bollard::query_parameters::RemoveImageOptions;
use futures_util::StreamExt;

use super::auth;
use super::client::{Call, Docker};
use super::containers::{or_gone, or_none};
use super::convert::disk;
use super::convert::image::{inspected, listed, manifest};
use super::convert::progress::error_of;
use super::raw::Request;
use super::wire;
use crate::boundary::images::PullStream;
use crate::boundary::{BoundaryError, ImageRuntime};
use crate::domain::disk::DiskUse;
use crate::domain::image::ImageRef;
use crate::domain::registry::RegistryLogin;
use crate::domain::runtime::{LocalImage, RemoteManifest};

#[async_trait]
impl ImageRuntime for Docker {
    async fn inspect_image(&self, reference: &str) -> Result<Option<LocalImage>, BoundaryError> {
        let operation = format!("inspect image {reference}");
        let call = Call::engine(operation, self.deadlines().inspect);
        let request = Request::get(&format!("/images/{reference}/json"));
        Ok(or_none(self.ask(&call, request).await)?.map(inspected))
    }

    async fn remote_manifest(
        &self,
        image: &ImageRef,
        login: Option<&RegistryLogin>,
    ) -> Result<RemoteManifest, BoundaryError> {
        let operation = format!("ask the registry for image {image}");
        let call = Call::registry(operation, self.deadlines().manifest);
        let request =
            Request::get(&format!("/distribution/{image}/json")).registry_auth(auth::header(login));
        let said = self.ask(&call, request).await?;
        manifest(said).ok_or_else(|| call.unreadable("it names no digest"))
    }

    async fn pull(
        &self,
        image: &ImageRef,
        login: Option<&RegistryLogin>,
    ) -> Result<PullStream, BoundaryError> {
        self.pull_stream(image, login).await
    }

    async fn list_images(&self) -> Result<Vec<LocalImage>, BoundaryError> {
        let call = Call::engine("list images", self.deadlines().image_list);
        let said: Vec<wire::ImageSummary> = self.ask(&call, Request::get("/images/json")).await?;
        Ok(said.into_iter().map(listed).collect())
    }

    async fn images_in_use(&self) -> Result<Vec<String>, BoundaryError> {
        let call = Call::engine("list images in use", self.deadlines().list);
        let request = Request::get("/containers/json").query("all", "true");
        let said: Vec<wire::Summary> = self.ask(&call, request).await?;
        let ids: BTreeSet<String> = said.into_iter().map(|summary| summary.image_id).collect();
        Ok(ids.into_iter().filter(|id| !id.is_empty()).collect())
    }

    async fn remove_image(&self, reference: &str) -> Result<(), BoundaryError> {
        let operation = format!("remove image {reference}");
        let call = Call::engine(operation, self.deadlines().image_remove);
        let done = self
            .run(&call, async |docker| {
                docker
                    .remove_image(reference, None::<RemoveImageOptions>, None)
                    .await
            })
            .await;
        or_gone(done.map(drop))
    }

    async fn load_image(&self, archive: Vec<u8>) -> Result<(), BoundaryError> {
        let call = Call::engine("load an image archive", self.deadlines().image_load);
        let request = Request::post("/images/load")
            .query("quiet", "true")
            .tar(archive.into());
        self.within(&call, async {
            let mut lines = self.open_lines(request).await?;
            while let Some(line) = lines.next().await {
                let line = line.map_err(|cause| self.judge(&call, cause))?;
                // Some daemons answer with plain words; those are no errors.
                let said = serde_json::from_slice::<wire::Progress>(&line).unwrap_or_default();
                if let Some(words) = error_of(&said) {
                    return Err(call.refused(&words));
                }
            }
            Ok(())
        })
        .await
    }

    async fn disk_use(&self) -> Result<DiskUse, BoundaryError> {
        let call = Call::engine("ask Docker what takes its disk", self.deadlines().disk_use);
        // Daemons that know no `type` count the build cache too, and those that know no `verbose` always list.
        let request = Request::get("/system/df")
            .query("type", "image")
            .query("type", "container")
            .query("type", "volume")
            .query("verbose", "true");
        let said = self.ask(&call, request).await?;
        Ok(disk::used(said, &self.config().instance))
    }
}
