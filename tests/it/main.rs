//! One integration binary: each promise of the product in a module of its own.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod architecture;
mod checks;
mod cloud_contract;
mod command_line;
mod correlations;
mod cost;
mod crash;
mod detections;
mod emulator;
mod environments;
mod isolation;
mod lake;
mod lease_contract;
mod notifications;
mod objects_contract;
mod onboarding;
mod queue_contract;
mod readers;
mod readme;
mod rendered;
mod review;
mod rollout;
mod rollout_faults;
mod rollout_in_memory;
mod rollout_properties;
mod rollout_watch;
mod schedules;
mod secrets_contract;
mod service_faults;
mod silence;
mod simulation;
mod tasks;
mod upkeep;
mod whole_way;
mod world;
