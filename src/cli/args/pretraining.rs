//! Arguments of `pretrain`; the defaults are the engine's.

use super::EventArgs;
use super::values::{at_least_one, at_least_two, device, share};
use crate::engine::pretrain::PretrainConfig;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `pretrain`.
#[derive(Debug, Args)]
pub struct PretrainArgs {
    /// UTF-8 text file, blank lines between documents; may be repeated
    #[arg(long, value_name = "FILE")]
    pub text: Vec<PathBuf>,
    /// Take at most so many characters of each file; 0 takes all
    #[arg(long, value_name = "N", default_value_t = defaults().max_chars_per_text)]
    pub max_chars_per_text: usize,
    /// Sentences in the language of the built-in tasks to mix in; 0 for none
    #[arg(long, value_name = "N", default_value_t = defaults().builtin_sentences)]
    pub builtin_sentences: usize,
    /// Share of rows that are such sentences, from 0 to 1
    #[arg(long, value_name = "X", default_value_t = defaults().builtin_share, value_parser = share)]
    pub builtin_share: f64,
    /// Folder for the model
    #[arg(long, value_name = "DIR", default_value_os_t = defaults().output)]
    pub output: PathBuf,
    #[arg(long, value_name = "N", default_value_t = defaults().vocab_size)]
    pub vocab_size: usize,
    #[arg(long, value_name = "N", default_value_t = defaults().hidden_size)]
    pub hidden_size: usize,
    #[arg(long, value_name = "N", default_value_t = defaults().intermediate_size)]
    pub intermediate_size: usize,
    #[arg(long, visible_alias = "layers", value_name = "N", default_value_t = defaults().num_hidden_layers)]
    pub num_hidden_layers: usize,
    #[arg(long, visible_alias = "heads", value_name = "N", default_value_t = defaults().num_attention_heads)]
    pub num_attention_heads: usize,
    #[arg(long, visible_alias = "kv-heads", value_name = "N", default_value_t = defaults().num_key_value_heads)]
    pub num_key_value_heads: usize,
    /// Tokens in a row
    #[arg(long, value_name = "N", default_value_t = defaults().seq, value_parser = at_least_two)]
    pub seq: usize,
    /// Positions that the saved model declares
    #[arg(long, value_name = "N", default_value_t = defaults().max_position_embeddings)]
    pub max_position_embeddings: usize,
    #[arg(long, value_name = "N", default_value_t = defaults().batch_size, value_parser = at_least_one)]
    pub batch_size: usize,
    #[arg(long, value_name = "N", default_value_t = defaults().steps)]
    pub steps: usize,
    #[arg(long, value_name = "X", default_value_t = defaults().learning_rate)]
    pub learning_rate: f64,
    #[arg(long, default_value_t = defaults().seed)]
    pub seed: u64,
    /// cpu, webgpu, webgpu:NUMBER or webgpu:NAME
    #[arg(long, default_value_t = defaults().device, value_parser = device)]
    pub device: String,
    #[command(flatten)]
    pub events: EventArgs,
}

fn defaults() -> PretrainConfig {
    PretrainConfig::default()
}
