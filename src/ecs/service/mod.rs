//! Connected mode put together: registers, talks with ACS, reports. Carries out what the pure parts decide.

mod status;

mod discovery;

mod facts;

mod ec2;

mod origin;

mod registrar;

mod session;

mod jobs;

mod conversation;

mod telemetry;

mod agent;

pub use agent::{Outside, Usage, service};
pub use status::{ConnectedStatus, StatusHandle};
