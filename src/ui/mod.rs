//! The window: shows [`state::AppState`], which only [`state::AppState::apply`] changes, and turns what people do into
//! [`action::Action`]s. It sends `Command`s and reads `Event`s; it never names a tensor and never waits.
//!
//! In reading order: [`state`] (what is known), [`action`] (what can be done), [`panel`] (what a panel is), [`theme`] (all
//! colours and sizes), `panels` (one file each), `widgets` (what several panels draw), [`app`] (the frame around them), [`link`] and [`files`] (what stands
//! between the window and the rest), [`start`] (opens it).

pub mod action;
pub mod address;
pub mod app;
pub mod files;
mod fonts;
pub mod link;
mod pace;
pub mod panel;
pub mod panels;
#[cfg(test)]
mod sample;
pub mod series;
pub mod session;
#[cfg(test)]
mod snapshots;
pub mod start;
pub mod state;
pub mod system_files;
pub mod theme;
mod tree;
pub mod widgets;
pub mod words;
pub mod worker_link;
