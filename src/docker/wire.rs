//! Docker's answers, as far as they are used: every member may be missing, every word may be new.
//!
//! **Invariant.** No member is a closed enum, so that one new word cannot make a whole answer unreadable.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// `null` counts as absent: Docker writes `null` for empty lists and maps.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// `GET /version`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Version {
    #[serde(rename = "Version")]
    pub(super) engine: String,
    #[serde(rename = "ApiVersion")]
    pub(super) newest_api: String,
    #[serde(rename = "MinAPIVersion")]
    pub(super) oldest_api: Option<String>,
}

/// `GET /info`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Info {
    pub(super) server_version: String,
    #[serde(rename = "OSType")]
    pub(super) os_type: String,
    pub(super) architecture: String,
    #[serde(rename = "NCPU")]
    pub(super) cpus: u32,
    pub(super) mem_total: u64,
    /// API 1.40 and newer.
    pub(super) cgroup_version: Option<String>,
    pub(super) cgroup_driver: Option<String>,
    pub(super) swap_limit: bool,
    #[serde(deserialize_with = "or_default")]
    pub(super) security_options: Vec<String>,
    pub(super) docker_root_dir: String,
    /// API 1.39 and newer.
    #[serde(rename = "OSVersion")]
    pub(super) os_version: Option<String>,
    /// Windows only.
    pub(super) isolation: Option<String>,
    pub(super) plugins: Plugins,
    pub(super) system_time: Option<String>,
}

/// `Plugins` of [`Info`].
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Plugins {
    #[serde(deserialize_with = "or_default")]
    pub(super) log: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) volume: Vec<String>,
}

/// One entry of `GET /containers/json`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Summary {
    pub(super) id: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) names: Vec<String>,
    #[serde(rename = "ImageID")]
    pub(super) image_id: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) labels: BTreeMap<String, String>,
    pub(super) state: String,
    pub(super) status: String,
    /// API 1.52 and newer.
    pub(super) health: Option<Health>,
    #[serde(deserialize_with = "or_default")]
    pub(super) ports: Vec<SummaryPort>,
    #[serde(deserialize_with = "or_default")]
    pub(super) network_settings: SummaryNetworks,
}

/// `NetworkSettings` of [`Summary`].
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct SummaryNetworks {
    #[serde(deserialize_with = "or_default")]
    pub(super) networks: BTreeMap<String, Option<Endpoint>>,
}

/// A port of [`Summary`].
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct SummaryPort {
    #[serde(rename = "IP")]
    pub(super) ip: Option<String>,
    pub(super) private_port: u16,
    pub(super) public_port: Option<u16>,
    #[serde(rename = "Type")]
    pub(super) protocol: String,
}

/// `GET /containers/{id}/json`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Inspect {
    pub(super) id: String,
    pub(super) created: String,
    pub(super) name: String,
    pub(super) image: String,
    pub(super) state: State,
    pub(super) config: Config,
    #[serde(deserialize_with = "or_default")]
    pub(super) network_settings: NetworkSettings,
    #[serde(deserialize_with = "or_default")]
    pub(super) mounts: Vec<Mount>,
}

/// `State` of [`Inspect`].
#[expect(
    clippy::struct_excessive_bools,
    reason = "the flags are Docker's own, and may disagree with its word"
)]
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct State {
    pub(super) status: String,
    pub(super) running: bool,
    pub(super) paused: bool,
    pub(super) restarting: bool,
    pub(super) dead: bool,
    #[serde(rename = "OOMKilled")]
    pub(super) oom_killed: bool,
    pub(super) pid: u32,
    pub(super) exit_code: Option<i64>,
    pub(super) error: String,
    pub(super) started_at: String,
    pub(super) finished_at: String,
    pub(super) health: Option<Health>,
}

/// Health of [`State`] and, without a log, of [`Summary`].
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Health {
    pub(super) status: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) log: Vec<Probe>,
}

/// One run of a probe.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Probe {
    pub(super) exit_code: i64,
    pub(super) output: String,
}

/// Something mounted.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Mount {
    pub(super) name: String,
    pub(super) source: String,
    pub(super) destination: String,
}

/// `Config` of [`Inspect`].
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Config {
    #[serde(deserialize_with = "or_default")]
    pub(super) labels: BTreeMap<String, String>,
    pub(super) tty: bool,
}

/// `NetworkSettings` of [`Inspect`].
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct NetworkSettings {
    #[serde(deserialize_with = "or_default")]
    pub(super) ports: BTreeMap<String, Option<Vec<HostBinding>>>,
    #[serde(deserialize_with = "or_default")]
    pub(super) networks: BTreeMap<String, Option<Endpoint>>,
}

/// A host side of a published port.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct HostBinding {
    pub(super) host_ip: String,
    pub(super) host_port: String,
}

/// A network that a container is in.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Endpoint {
    #[serde(rename = "IPAddress")]
    pub(super) ip_address: String,
    #[serde(rename = "IPPrefixLen")]
    pub(super) ip_prefix_len: u8,
    pub(super) gateway: String,
    #[serde(rename = "GlobalIPv6Address")]
    pub(super) global_ipv6_address: String,
    #[serde(rename = "GlobalIPv6PrefixLen")]
    pub(super) global_ipv6_prefix_len: u8,
    #[serde(rename = "IPv6Gateway")]
    pub(super) ipv6_gateway: String,
    pub(super) mac_address: String,
}

/// Answer of `POST /containers/create`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Created {
    pub(super) id: String,
}

/// One message of `GET /events`. The old `status` and `id` at the top are gone from API 1.52.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    #[serde(rename = "Type")]
    pub(super) kind: String,
    #[serde(rename = "Action")]
    pub(super) action: String,
    #[serde(rename = "Actor")]
    pub(super) actor: Actor,
    /// Seconds.
    pub(super) time: i64,
    #[serde(rename = "timeNano")]
    pub(super) time_nano: i64,
}

/// `Actor` of [`Event`]. Attributes are labels and details of the action.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Actor {
    #[serde(rename = "ID")]
    pub(super) id: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) attributes: BTreeMap<String, String>,
}

/// One message of a pull or load.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Progress {
    pub(super) id: Option<String>,
    pub(super) status: String,
    #[serde(rename = "progressDetail", deserialize_with = "or_default")]
    pub(super) detail: ProgressDetail,
    pub(super) error: Option<String>,
    #[serde(rename = "errorDetail")]
    pub(super) error_detail: Option<ErrorDetail>,
}

/// `progressDetail` of [`Progress`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ProgressDetail {
    pub(super) current: Option<i64>,
    pub(super) total: Option<i64>,
    /// `s` where the image store counts seconds instead of bytes.
    pub(super) units: Option<String>,
}

/// `errorDetail` of [`Progress`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorDetail {
    pub(super) message: String,
}

/// `GET /images/{name}/json`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Image {
    pub(super) id: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) repo_tags: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) repo_digests: Vec<String>,
    pub(super) size: i64,
    pub(super) created: Option<String>,
    pub(super) os: String,
    pub(super) architecture: String,
    pub(super) os_version: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) config: ImageConfig,
}

/// `Config` of [`Image`].
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ImageConfig {
    /// `NAME=value`, one each.
    #[serde(deserialize_with = "or_default")]
    pub(super) env: Vec<String>,
}

/// One entry of `GET /images/json`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ImageSummary {
    pub(super) id: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) repo_tags: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) repo_digests: Vec<String>,
    pub(super) size: i64,
    /// Seconds since 1970.
    pub(super) created: i64,
}

/// `GET /system/df`. The members of its own kind are those of API 1.52 and newer, the lists those of older ones.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct DiskUse {
    pub(super) layers_size: i64,
    #[serde(deserialize_with = "or_default")]
    pub(super) containers: Vec<DiskContainer>,
    #[serde(deserialize_with = "or_default")]
    pub(super) volumes: Vec<DiskVolume>,
    pub(super) image_usage: Option<ImageUsage>,
    #[serde(deserialize_with = "or_default")]
    pub(super) container_usage: ContainerUsage,
    #[serde(deserialize_with = "or_default")]
    pub(super) volume_usage: VolumeUsage,
}

/// `ImageUsage` of [`DiskUse`].
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ImageUsage {
    pub(super) total_size: i64,
}

/// `ContainerUsage` of [`DiskUse`].
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ContainerUsage {
    #[serde(deserialize_with = "or_default")]
    pub(super) items: Vec<DiskContainer>,
}

/// `VolumeUsage` of [`DiskUse`].
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct VolumeUsage {
    #[serde(deserialize_with = "or_default")]
    pub(super) items: Vec<DiskVolume>,
}

/// A container of [`DiskUse`].
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct DiskContainer {
    #[serde(deserialize_with = "or_default")]
    pub(super) labels: BTreeMap<String, String>,
    /// Absent while nothing is written.
    pub(super) size_rw: i64,
    #[serde(deserialize_with = "or_default")]
    pub(super) mounts: Vec<Mount>,
}

/// A volume of [`DiskUse`].
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct DiskVolume {
    pub(super) name: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) usage_data: VolumeUsageData,
}

/// `UsageData` of [`DiskVolume`].
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct VolumeUsageData {
    /// -1 where the driver does not say.
    pub(super) size: i64,
}

/// `GET /distribution/{name}/json`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Distribution {
    pub(super) descriptor: Descriptor,
    #[serde(deserialize_with = "or_default")]
    pub(super) platforms: Vec<Platform>,
}

/// `Descriptor` of [`Distribution`].
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Descriptor {
    /// Written `MediaType` by daemons older than 20.10.
    #[serde(alias = "MediaType")]
    pub(super) media_type: String,
    /// Written `Digest` by daemons older than 20.10.
    #[serde(alias = "Digest")]
    pub(super) digest: String,
}

/// A platform of [`Distribution`].
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Platform {
    #[serde(alias = "OS")]
    pub(super) os: String,
    #[serde(alias = "Architecture")]
    pub(super) architecture: String,
    #[serde(rename = "os.version", alias = "OSVersion")]
    pub(super) os_version: Option<String>,
}

/// `GET /volumes/{name}`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Volume {
    pub(super) name: String,
    pub(super) driver: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) options: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) labels: BTreeMap<String, String>,
}
