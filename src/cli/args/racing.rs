//! Arguments of `race`.

use super::values::{at_least_one, device};
use crate::engine::race::config::RACE_PRESETS;
use clap::Args;
use std::path::PathBuf;

/// Flags override the file or preset. The same call again goes on with what is not finished.
#[derive(Debug, Default, Args)]
pub struct RaceArgs {
    /// The race, as `--print-config` shows it
    #[arg(value_name = "RACE.toml")]
    pub file: Option<PathBuf>,
    /// A race that is part of the program
    #[arg(long, value_parser = RACE_PRESETS, conflicts_with = "file")]
    pub preset: Option<String>,
    /// Runs at once, each a process of its own [default: one for each core on the CPU, one on a GPU]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub jobs: Option<usize>,
    /// Folder for the runs and the reports
    #[arg(long, value_name = "DIR")]
    pub output: Option<String>,
    /// Seeds of tasks, order, and adapters
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub seeds: Vec<u64>,
    /// Train these only: labels, methods, or titles of sweeps; the reports show everything that is finished
    #[arg(long, value_name = "VARIANT,..", value_delimiter = ',')]
    pub only: Vec<String>,
    /// auto, cpu, webgpu, webgpu:NUMBER or webgpu:NAME; auto is decided once, for all runs
    #[arg(long, value_parser = device)]
    pub device: Option<String>,
    /// Print the race as TOML and exit
    #[arg(long)]
    pub print_config: bool,
    /// Load and check everything, print what would run, train nothing
    #[arg(long)]
    pub dry_run: bool,
}
