//! Arguments of what is done with a finished model: scoring it, writing with it, its adapters.

use super::values::{at_least_one, device, probability, temperature};
use crate::engine::config::BUILTIN_MODEL;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Arguments of `eval`.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// Hugging Face folder, or `builtin`
    #[arg(long, default_value = BUILTIN_MODEL)]
    pub model: String,
    /// Folder of an adapter in PEFT's format
    #[arg(long, value_name = "DIR")]
    pub adapter: Option<PathBuf>,
    /// `builtin:NAME`, a file, or a folder with train/eval/test; may be repeated
    #[arg(long, value_name = "TASK", required = true)]
    pub task: Vec<String>,
    /// Score at most so many examples a task; 0 takes all
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub max_examples: usize,
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub batch_size: usize,
    /// Longest example in tokens
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub max_length: usize,
    /// auto, cpu, webgpu, webgpu:NUMBER or webgpu:NAME
    #[arg(long, default_value = "auto", value_parser = device)]
    pub device: String,
    /// Seed of the built-in tasks and of held-out examples
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Print the first N predictions of each task
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub show: usize,
}

/// Arguments of `capsule`.
#[derive(Debug, Args)]
pub struct CapsuleArgs {
    #[arg(value_name = "FILE.thalweg")]
    pub file: PathBuf,
    /// Unpack it into this folder, which must not exist yet: a run's folder, as `thalweg run` writes it
    #[arg(long, value_name = "DIR")]
    pub unpack: Option<PathBuf>,
}

/// Arguments of `generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// Hugging Face folder, or `builtin`
    #[arg(long, default_value = BUILTIN_MODEL)]
    pub model: String,
    /// Folder of an adapter in PEFT's format
    #[arg(long, value_name = "DIR")]
    pub adapter: Option<PathBuf>,
    /// The text to continue
    #[arg(long, value_name = "TEXT")]
    pub prompt: String,
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = at_least_one)]
    pub max_new_tokens: usize,
    /// 0 takes the most likely token each time
    #[arg(long, value_name = "X", default_value_t = 0.0, value_parser = temperature)]
    pub temperature: f32,
    /// Choose among the K most likely tokens; 0 among all
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub top_k: usize,
    /// Choose among the most likely tokens that together have this probability
    #[arg(long, value_name = "P", default_value_t = 1.0, value_parser = probability)]
    pub top_p: f32,
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// auto, cpu, webgpu, webgpu:NUMBER or webgpu:NAME
    #[arg(long, default_value = "cpu", value_parser = device)]
    pub device: String,
}

/// What is done with an adapter.
#[derive(Debug, Subcommand)]
pub enum AdapterCommand {
    /// What an adapter is, and whether it fits a model
    Info(AdapterInfoArgs),
    /// Write a plain model with the adapter merged into its weights
    Merge(AdapterMergeArgs),
}

/// Arguments of `adapter info`.
#[derive(Debug, Args)]
pub struct AdapterInfoArgs {
    /// Folder with `adapter_config.json` and `adapter_model.safetensors`
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Check that it fits this model: a Hugging Face folder, or `builtin`
    #[arg(long)]
    pub model: Option<String>,
}

/// Arguments of `adapter merge`.
#[derive(Debug, Args)]
pub struct AdapterMergeArgs {
    /// Folder with `adapter_config.json` and `adapter_model.safetensors`
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Hugging Face folder of the base model
    #[arg(long)]
    pub model: PathBuf,
    /// New folder for the merged model
    #[arg(long, value_name = "DIR")]
    pub output: PathBuf,
}
