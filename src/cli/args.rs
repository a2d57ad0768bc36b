//! What can be typed: subcommands, flags, defaults and their help. Values that can be checked alone are checked here.

mod landscape;
mod models;
mod pretraining;
mod racing;
mod values;

pub use landscape::{GroundArgs, LandscapeArgs, PathArgs, PathKind, PlaneArgs, SimilarityArgs};
pub use models::{AdapterCommand, AdapterInfoArgs, AdapterMergeArgs, CapsuleArgs, EvalArgs, GenerateArgs};
pub use pretraining::PretrainArgs;
pub use racing::RaceArgs;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use values::{at_least_one, at_least_two, device, method, seconds};

/// Names of the experiments that are part of the program.
pub const PRESETS: [&str; 3] = ["demo", "demo-quick", "paper"];

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "thalweg", version, about, after_help = "Without a command, `demo` runs.")]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags of every subcommand.
#[derive(Debug, Args)]
pub struct GlobalArgs {
    /// Messages of the program on stderr: error, warn, info, debug, trace, off, or directives such as wgpu=info
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log: Option<String>,
    /// No progress; results and errors only
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// What is done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Forget, then don't: Seq and I-LoRA on the built-in model and tasks, with the same seed
    Demo(DemoArgs),
    /// Run an experiment: a file, a preset, or the flags alone
    Run(Box<RunArgs>),
    /// Go on with a run that was stopped or killed
    Resume(ResumeArgs),
    /// Compare methods on one stream: every method with every seed, one report
    Race(RaceArgs),
    /// Score a model, or a model with an adapter, on tasks
    Eval(EvalArgs),
    /// Continue a text
    Generate(GenerateArgs),
    /// Look at adapters in PEFT's format, or merge one into a model
    Adapter {
        #[command(subcommand)]
        action: AdapterCommand,
    },
    /// Look into a capsule (a whole run in one .thalweg file), or unpack it
    Capsule(CapsuleArgs),
    /// List the CPU and all WebGPU adapters, with a measured training step
    Devices(DevicesArgs),
    /// Losses and scores on the way from one adapter to another
    Path(Box<PathArgs>),
    /// Losses and scores on a plane through adapters
    Plane(Box<PlaneArgs>),
    /// How near adapters are: distances, principal angles, and CKA of what the model makes of the same inputs
    Similarity(Box<SimilarityArgs>),
    /// Train a small model from text files
    Pretrain(PretrainArgs),
    /// Look at tasks
    Tasks {
        #[command(subcommand)]
        action: TasksCommand,
    },
    /// List the methods with their settings, presets and sources
    Methods,
    /// Measure LoRA training steps, and PyTorch beside them; or paths and planes, and merged models beside them
    Bench(BenchArgs),
}

/// How progress is told.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct EventArgs {
    /// Print every event as a line of JSON on stdout instead of bars and tables
    #[arg(long)]
    pub json_events: bool,
}

/// Arguments of `demo`.
#[derive(Debug, Default, Args)]
pub struct DemoArgs {
    /// Seed of tasks, order, and adapters
    #[arg(long)]
    pub seed: Option<u64>,
    /// auto, cpu, webgpu, webgpu:NUMBER or webgpu:NAME
    #[arg(long, value_parser = device)]
    pub device: Option<String>,
    /// Folder for the runs and the report
    #[arg(long, value_name = "DIR")]
    pub output: Option<String>,
    /// Methods to compare, such as `seq,i_lora`
    #[arg(long, value_name = "A,B", value_delimiter = ',', value_parser = method)]
    pub methods: Vec<String>,
    /// Fewer and smaller tasks: shows the way, not the numbers
    #[arg(long)]
    pub quick: bool,
    #[command(flatten)]
    pub events: EventArgs,
}

/// Flags override the file or preset, and `--set` overrides the flags.
#[derive(Debug, Default, Args)]
pub struct RunArgs {
    /// The experiment, as `--print-config` shows it
    #[arg(value_name = "EXPERIMENT.toml")]
    pub file: Option<PathBuf>,
    /// An experiment that is part of the program
    #[arg(long, value_parser = PRESETS, conflicts_with = "file")]
    pub preset: Option<String>,
    /// Hugging Face folder (config.json, model.safetensors, tokenizer.json), or `builtin`
    #[arg(long)]
    pub model: Option<String>,
    /// auto, cpu, webgpu, webgpu:NUMBER or webgpu:NAME
    #[arg(long, value_parser = device)]
    pub device: Option<String>,
    /// Seed of built-in tasks, order, and adapters
    #[arg(long)]
    pub seed: Option<u64>,
    /// Methods, one run each (see `thalweg methods`); a method of the file keeps its settings
    #[arg(long, visible_alias = "methods", value_name = "A,B", value_delimiter = ',', value_parser = method)]
    pub method: Vec<String>,
    /// `builtin:NAME`, a file, or a folder with train/eval/test; once for each task, in their order
    #[arg(long, value_name = "TASK")]
    pub task: Vec<String>,
    /// Folder for the run folders and the report
    #[arg(long, value_name = "DIR")]
    pub output: Option<String>,
    /// Title of the report
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// Optimiser steps for each task
    #[arg(long, value_name = "N", conflicts_with = "epochs")]
    pub steps: Option<usize>,
    /// Passes over each task's examples
    #[arg(long, value_name = "X")]
    pub epochs: Option<f64>,
    /// Examples of the current task in one step
    #[arg(long, value_name = "N")]
    pub batch_size: Option<usize>,
    /// Highest learning rate of AdamW
    #[arg(long, value_name = "X")]
    pub learning_rate: Option<f64>,
    /// Rank of the adapters (`lora_alpha` stays; `--set lora.lora_alpha=…` changes it)
    #[arg(long, value_name = "N")]
    pub rank: Option<usize>,
    /// Longest example in tokens
    #[arg(long, value_name = "N")]
    pub max_length: Option<usize>,
    /// Examples that the replay buffer holds
    #[arg(long, value_name = "N")]
    pub buffer: Option<usize>,
    /// Any setting, such as training.schedule=cosine, `evaluation.max_examples=50`, `i_lora.gamma=0.5` or `i_lora.preset=paper`
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    pub set: Vec<String>,
    /// Print the experiment as TOML and exit
    #[arg(long)]
    pub print_config: bool,
    /// Load and check everything, print what would run, train nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub events: EventArgs,
}

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// Folder of one run, with its config.toml
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Another device than the run was started on
    #[arg(long, value_parser = device)]
    pub device: Option<String>,
    /// Stop when standard input ends: whoever started this run holds the other end, and closes it to have it stop
    #[arg(long, hide = true)]
    pub stop_at_stdin_end: bool,
    #[command(flatten)]
    pub events: EventArgs,
}

/// Arguments of `devices`.
#[derive(Debug, Args)]
pub struct DevicesArgs {
    /// List only, measure nothing
    #[arg(long)]
    pub no_measure: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What is done with tasks.
#[derive(Debug, Subcommand)]
pub enum TasksCommand {
    /// Read a task file or folder and say what is in it
    Check(TasksCheckArgs),
    /// The built-in tasks, with two examples each
    List,
}

/// Arguments of `tasks check`.
#[derive(Debug, Args)]
pub struct TasksCheckArgs {
    /// JSON, JSONL, CSV, TSV or Parquet file, or a folder with train/eval/test
    #[arg(value_name = "FILE")]
    pub path: PathBuf,
    /// Column with the prompt
    #[arg(long, value_name = "COLUMN")]
    pub prompt: Option<String>,
    /// Column with the answer
    #[arg(long, value_name = "COLUMN")]
    pub answer: Option<String>,
    /// Prompt with {column} placeholders; `\n` is a line break
    #[arg(long, value_name = "TEXT")]
    pub template: Option<String>,
    /// The possible answers
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub labels: Vec<String>,
}

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// auto, cpu, webgpu, webgpu:NUMBER or webgpu:NAME
    #[arg(long, default_value = "cpu", value_parser = device)]
    pub device: String,
    #[arg(long, value_name = "A,B", value_delimiter = ',', value_parser = ["stories260K", "smollm2-135m"],
          ignore_case = true, default_value = "stories260K,smollm2-135m")]
    pub shapes: Vec<String>,
    /// Seconds for each measurement, after its first step
    #[arg(long, value_name = "S", default_value_t = 10.0, value_parser = seconds)]
    pub seconds: f64,
    /// Python with torch, transformers and peft: measures them with the same shapes and threads
    #[arg(long, value_name = "PYTHON")]
    pub pytorch: Option<PathBuf>,
    /// Makes just --fixed-steps steps of this method (scripts/count-dispatches.sh counts their kernels)
    #[arg(long, value_name = "METHOD", value_parser = method, requires = "fixed_steps")]
    pub method: Option<String>,
    /// Number of steps for --method
    #[arg(long, value_name = "N", requires = "method")]
    pub fixed_steps: Option<usize>,
    /// Measure the points of a path on the built-in model and tasks instead: adapters in shared passes, alone, and merged
    #[arg(long, conflicts_with_all = ["shapes", "seconds", "pytorch", "method"])]
    pub landscape: bool,
    /// With --landscape: evaluation examples of each task
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = at_least_one, requires = "landscape")]
    pub examples: usize,
    /// With --landscape: points of the path
    #[arg(long, value_name = "N", default_value_t = 21, value_parser = at_least_two, requires = "landscape")]
    pub points: usize,
    /// With --landscape: how often every way is measured, in turn; the shortest time counts
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = at_least_one, requires = "landscape")]
    pub rounds: usize,
    /// With --landscape: points along each side of the plane; 0 leaves it out
    #[arg(long, value_name = "N", default_value_t = 21, requires = "landscape")]
    pub side: usize,
}

#[cfg(test)]
mod tests;
