//! The program as its users meet it: exit codes, files, tables, signals, and a sentence for everything that is wrong.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends by panicking")]

#[path = "../src/platform/checkout.rs"]
mod checkout;
#[path = "cli/damage.rs"]
mod damage;
#[path = "cli/program.rs"]
mod program;
#[path = "cli/race.rs"]
mod race;
#[path = "cli/signals.rs"]
mod signals;
#[path = "cli/subcommands.rs"]
mod subcommands;
#[path = "learning/tiny_model.rs"]
mod tiny_model;
#[path = "cli/wrong_calls.rs"]
mod wrong_calls;
