//! The composition root: builds every component from the settings, owns them while they run, ends them in order.

pub mod error;

pub mod instance;

pub mod readiness;

pub mod lifecycle;

pub mod containers;

pub mod plan_report;

mod plan_from_outside;

pub mod plan_print;

pub mod codec;

pub mod judge;

pub mod settings;

mod by_system;

pub mod user_data;

pub mod network;

mod registry_auth;

mod tracked;

pub mod place;

pub mod planner;

pub mod credentials;

pub mod engine;

pub mod daemon;

mod connected;

mod farewell;

pub mod foreground;

mod plan_source;

mod callers;

pub mod task_address;

pub mod task_redirect;

pub mod task_lead;

pub mod task_way;

mod holders;

pub mod metadata_barrier;

mod host_rules;

mod kept_rules;

mod conditions;

mod metadata_files;

mod listeners;

mod bridge;
mod handed;

pub mod supervisor;

pub mod claim;

pub mod surroundings;

pub mod measured;

pub mod doctor;

pub mod figures;

pub use error::AppError;
