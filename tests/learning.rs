//! The learning rules and the runs, from outside: what spec/i-lora.md section 10 asks of a re-implementation (checks 1-5
//! and 11; 6-9 belong to the landscape, 10 is tested in `continual/metrics.rs`), and what a run owes its user (pause,
//! stop, resume bit for bit, sentences). Everything on the CPU, with tiny models that are made on the spot.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends by panicking")]

#[path = "learning/demo.rs"]
mod demo;
#[path = "learning/every_method.rs"]
mod every_method;
#[path = "learning/host.rs"]
mod host;
#[path = "learning/interruptions.rs"]
mod interruptions;
#[path = "learning/landscape.rs"]
mod landscape;
#[path = "learning/landscape_content.rs"]
mod landscape_content;
#[path = "learning/method_rules.rs"]
mod method_rules;
#[path = "learning/presets.rs"]
mod presets;
#[path = "learning/replay_rules.rs"]
mod replay_rules;
#[path = "learning/runs.rs"]
mod runs;
#[path = "learning/stream.rs"]
mod stream;
#[path = "learning/tiny_model.rs"]
mod tiny_model;
