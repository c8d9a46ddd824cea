//! The one integration test binary: one link step for all of them, one module a subject.
//!
//! Modules whose name starts with `e2e` need a real Docker Engine; `make unit` leaves them out.
#![cfg(test)]
#![cfg(unix)]

mod support;

mod tidy;

mod sim;

mod contract;

mod bad_input;

mod unusable_docker;

mod bad_clients;

mod fuzz;

mod host_rules;

mod socket_activation;

mod windows_deploy;

mod e2e_docker_contract;

mod e2e_engine;

mod e2e_interference;

mod e2e_api_trouble;

mod e2e_churn;

mod e2e_dockerd;

mod e2e_registry;

mod e2e_ecr;

mod e2e_secrets;

mod e2e_usage;

mod e2e_sdk;

mod e2e_credentials;

mod e2e_task_address;

mod e2e_metadata_file;
mod e2e_moto_ecs;

mod e2e_supervise;

mod e2e_sdk_containers;

mod e2e_parameters_process;

mod e2e_parameters_host;

mod e2e_pause_image;

mod e2e_cli_life;

mod e2e_cli_run;

mod e2e_cli_kill;

mod e2e_cli_damage;

mod e2e_cli_faults;

mod e2e_operators;

mod e2e_flood;

mod e2e_connected;

mod e2e_connected_kill;

mod e2e_name_resolution;

mod e2e_ec2_tags;

mod connected;

mod e2e_logs;

mod e2e_log_role;

mod e2e_two_agents;
