//! The window from outside, without a screen: a whole session through the real engine by the names that a screen reader
//! gives, small pictures of what must look as it does, and two commands: the screenshots (`just shots`) and the frame times
//! (`just frames`).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends by panicking")]
#![cfg(feature = "app")]

#[path = "../src/platform/checkout.rs"]
mod checkout;
#[path = "ui/frames.rs"]
mod frames;
#[path = "ui/session.rs"]
mod session;
#[path = "ui/shots.rs"]
mod shots;
#[path = "ui/stage.rs"]
mod stage;
