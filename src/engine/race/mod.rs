//! A race: several methods on one stream of tasks with the same seeds, and a report that compares them.
//!
//! In reading order: [`config`] with [`variants`] and [`order`] (what is asked), [`plan`] (the runs it means), [`inputs`]
//! (model, tasks and device, looked at before anything trains), [`folder`] (what is on the disk already, and what is
//! written), then what the reports are made from: [`record`], [`statistics`], [`summary`], [`csv`], [`html`].
//!
//! The runs themselves are the engine's ordinary ones. Whoever has them done (`cli::race` starts a process for each) needs
//! only their folders: each holds a frozen configuration, and a report once it is finished.

pub mod config;
pub mod csv;
pub mod folder;
pub mod html;
pub mod inputs;
pub mod order;
pub mod plan;
pub mod record;
pub mod statistics;
pub mod summary;
pub mod variants;
