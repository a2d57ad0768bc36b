//! The network and its adapters: a Llama-family decoder with a frozen base, and LoRA adapters that are plain values.
//!
//! `forward(&adapter, &batch)`: an adapter is an argument, never a part of the model. So the fast and the slow learner are two
//! values, interpolation is arithmetic on one flat vector, and several adapters can share one pass through the base.

pub mod adapter;
pub mod config;
mod cross_entropy;
mod error;
pub mod generate;
pub mod llama;
pub mod loader;
pub mod lora;
mod merged;
pub mod random;
pub mod soft_prompt;
pub mod trainable;

pub use adapter::{Adapter, AdapterLayout, AdapterVars};
pub use config::ModelConfig;
pub use cross_entropy::{CrossEntropy, Targets};
pub use error::ModelError;
pub use llama::{Hidden, Llama, LlamaOptions, Overlay, Pass};
pub use loader::TensorSource;
pub use lora::{Factors, LoraConfig, PlainAdapter, Projection};
pub use soft_prompt::SoftPrompt;
