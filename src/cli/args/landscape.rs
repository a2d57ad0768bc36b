//! Arguments of `path`, `plane` and `similarity`: where between adapters to look, and on what.

use super::values::{at_least_one, device};
use crate::engine::protocol::CURVE_LEARNING_RATE;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What all of them look at.
#[derive(Debug, Args)]
pub struct GroundArgs {
    /// Folder of the run whose model, tasks and seed are used [default: the run that the first adapter lies in]
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    /// Hugging Face folder, or `builtin`
    #[arg(long)]
    pub model: Option<String>,
    /// `builtin:NAME`, a file, or a folder with train/eval/test; may be repeated
    #[arg(long, value_name = "TASK")]
    pub task: Vec<String>,
    /// auto, cpu, webgpu, webgpu:NUMBER or webgpu:NAME
    #[arg(long, value_parser = device)]
    pub device: Option<String>,
    /// Folder for the page, the JSON and the CSV files
    #[arg(long, value_name = "DIR", default_value = "landscape")]
    pub output: PathBuf,
    /// Title of the page
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// Seed of curves and random directions
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

/// What paths and planes are measured with.
#[derive(Debug, Args)]
pub struct LandscapeArgs {
    #[command(flatten)]
    pub ground: GroundArgs,
    /// Evaluation examples of each task that every point is measured on
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = at_least_one)]
    pub examples: usize,
    /// Points in one pass through the model; 0 chooses
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub points_at_once: usize,
    /// Measure losses only, not the tasks' metrics
    #[arg(long)]
    pub no_scores: bool,
}

/// The form of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PathKind {
    /// Straight in the factors; through all adapters, one after the other, when there are more than two
    Line,
    /// Straight in the updates B·A: what averaging the two models would give
    Product,
    /// Along the great circle between the two
    Slerp,
    /// A Bezier curve whose bends are trained
    Bezier,
    /// Straight pieces whose corners are trained
    Polychain,
}

/// Arguments of `path`.
#[derive(Debug, Args)]
pub struct PathArgs {
    /// Folders of two or more adapters in PEFT's format, such as RUN/adapters/01-stance/model
    #[arg(value_name = "ADAPTER", num_args = 2.., required = true)]
    pub adapters: Vec<PathBuf>,
    /// Forms to compare on one page
    #[arg(long, value_enum, value_delimiter = ',', value_name = "A,B", default_value = "line")]
    pub kind: Vec<PathKind>,
    /// Points on each path, ends included
    #[arg(long, value_name = "N", default_value_t = 26)]
    pub points: usize,
    /// Go on beyond both ends of a straight line by this share of it
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    pub beyond: f64,
    /// Trained points between the ends of a curve
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    pub bends: usize,
    /// Training steps of a curve
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub steps: usize,
    /// Examples in a step, drawn from all tasks
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = at_least_one)]
    pub batch_size: usize,
    /// Learning rate of a curve's bends
    #[arg(long, value_name = "X", default_value_t = CURVE_LEARNING_RATE)]
    pub learning_rate: f64,
    /// More adapters to show where they are nearest to each path, with their own losses
    #[arg(long, value_name = "ADAPTER")]
    pub also: Vec<PathBuf>,
    /// A path.json that was written before: its paths come first on the page and in path.svg
    #[arg(long, value_name = "FILE")]
    pub with: Vec<PathBuf>,
    #[command(flatten)]
    pub look: LandscapeArgs,
}

/// Arguments of `plane`.
#[derive(Debug, Args)]
pub struct PlaneArgs {
    /// Three adapters that the plane goes through; with --pca three or more; with --random the one in its middle
    #[arg(value_name = "ADAPTER", num_args = 1.., required = true)]
    pub adapters: Vec<PathBuf>,
    /// The plane that holds most of what these adapters differ by
    #[arg(long, conflicts_with = "random")]
    pub pca: bool,
    /// Two random directions, each row as long as the adapter's own (filter-normalised)
    #[arg(long)]
    pub random: bool,
    /// More adapters to show on the plane, with their distance from it
    #[arg(long, value_name = "ADAPTER")]
    pub also: Vec<PathBuf>,
    /// A run whose learners' ways are drawn on the plane, from task to task
    #[arg(long, value_name = "RUN")]
    pub track: Vec<PathBuf>,
    /// Points along each side
    #[arg(long, value_name = "N", default_value_t = 21)]
    pub points: usize,
    /// How far the grid goes beyond the adapters and tracks, as a share of their extent
    #[arg(long, value_name = "X", default_value_t = 0.2, conflicts_with = "random")]
    pub margin: f64,
    #[command(flatten)]
    pub look: LandscapeArgs,
}

/// Arguments of `similarity`.
#[derive(Debug, Args)]
pub struct SimilarityArgs {
    /// Folders of adapters in PEFT's format, such as RUN/adapters/01-stance/model; two or more, with those of --track
    #[arg(value_name = "ADAPTER", num_args = 1.., required_unless_present = "track")]
    pub adapters: Vec<PathBuf>,
    /// All adapters that this run wrote: each learner's after each task
    #[arg(long, value_name = "RUN")]
    pub track: Vec<PathBuf>,
    /// Compare the adapters alone: no hidden states, so no model is run
    #[arg(long)]
    pub no_cka: bool,
    /// Evaluation examples of each task whose hidden states are compared; 500 or more in all say something
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = at_least_one)]
    pub examples: usize,
    #[command(flatten)]
    pub ground: GroundArgs,
}
