//! Thalweg fine-tunes small language models on one task after another and shows what is forgotten, and why.
//!
//! The modules below are declared in reading order, lowest layer first. ARCHITECTURE.md says who may use whom.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::todo,
    clippy::unimplemented,
    clippy::dbg_macro
)]

pub mod platform;

pub mod data;
pub mod kernels;

pub mod model;

pub mod continual;
pub mod io;
pub mod landscape;

pub mod engine;

pub mod cli;
#[cfg(feature = "app")]
pub mod ui;
