//! Does the program compute what transformers, PEFT and torch compute, and what the formulas say? All on the CPU device,
//! in this process, without Python.
//!
//! `fixtures/README.md` says where the expected numbers come from. Each comparison prints the largest difference it found
//! (`cargo test --release --test parity -- --nocapture`).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends by panicking")]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "sizes and token ids of tests are small"
)]

#[path = "parity/adapters.rs"]
mod adapters;
#[path = "../src/platform/checkout.rs"]
mod checkout;
#[path = "parity/cross_entropy.rs"]
mod cross_entropy;
#[path = "parity/generation.rs"]
mod generation;
#[path = "parity/i_lora.rs"]
mod i_lora;
#[path = "parity/kernels.rs"]
mod kernels;
#[path = "parity/landscape.rs"]
mod landscape;
#[path = "parity/methods.rs"]
mod methods;
#[path = "parity/models.rs"]
mod models;
#[path = "parity/oracle.rs"]
mod oracle;
#[path = "parity/real_models.rs"]
mod real_models;
