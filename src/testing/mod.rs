//! Fakes, builders, contract suites and fuzz entry points.

pub mod clock;

pub mod world;

pub mod images;

pub mod credentials;

pub mod connections;

pub mod barrier;

pub mod lead;

pub mod memory_store;

pub mod acs;

pub mod store_contract;

pub mod sim;

pub mod contract;

pub mod fuzz;

pub mod skip;
