//! The engine: owns every tensor, runs experiments, and reports in plain data.
//!
//! Front ends send a [`protocol::Command`] and read [`protocol::Event`]s; they never see a tensor. In reading order:
//! [`config`] (what is asked), [`device`] and [`prepare`] (what is needed), [`trainer`] (THE loop, with `feed` for its examples),
//! [`evaluator`] (scores),
//! [`run`] (one method on one stream), [`experiment`] (several), [`race`] (many, compared), [`report`] (numbers out), [`host`] (all of it behind a window), [`worker`] (the same in a browser).

pub mod bench;
pub mod buffer_map;
pub mod builtin_model;
pub mod catalogue;
pub mod caught;
pub mod choose;
pub mod config;
pub mod control;
pub mod curve;
pub mod device;
mod error;
pub mod evaluator;
pub mod experiment;
pub mod explorer;
mod feed;
pub mod host;
pub mod inspect;
pub mod landscape;
pub mod landscape_report;
pub mod optimiser;
pub mod prepare;
pub mod pretrain;
pub mod protocol;
pub mod race;
pub mod report;
pub mod report_csv;
pub mod report_html;
pub mod run;
pub mod run_folder;
pub mod trainer;
pub mod worker;
pub mod writer;

pub use control::Control;
pub use error::EngineError;
