//! What something is, told before it is used: the program's own catalogue, devices, a model with its needs, a task.

use crate::data::check::LabelCount;
use serde::{Deserialize, Serialize};

/// What the program brings along.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalogue {
    /// In the order in which they are shown.
    pub methods: Vec<MethodCard>,
    /// Names of the built-in tasks, without `builtin:`.
    pub tasks: Vec<String>,
    /// Experiments by name, as TOML.
    pub presets: Vec<(String, String)>,
    /// Version of the program.
    pub version: String,
}

impl Catalogue {
    /// The method of this name.
    #[must_use]
    pub fn method(&self, name: &str) -> Option<&MethodCard> {
        self.methods.iter().find(|method| method.name == name)
    }
}

/// A method of the register.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MethodCard {
    /// Name in files and flags.
    pub name: String,
    /// Name on screen.
    pub label: String,
    /// One sentence.
    pub about: String,
    /// Its equation in one or a few lines of plain text.
    pub formula: String,
    /// Where it was published.
    pub source: String,
    /// Keeps a replay buffer.
    pub replays: bool,
    pub knobs: Vec<KnobCard>,
    /// Each preset's name and changed settings.
    pub presets: Vec<(String, Vec<(String, String)>)>,
}

/// One setting of a method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnobCard {
    pub name: String,
    pub kind: KnobShape,
    /// As it would be typed.
    pub default: String,
    /// One sentence.
    pub about: String,
}

/// What a setting may be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnobShape {
    /// A number in a closed range; `max` is `None` where there is no bound.
    Number {
        min: f64,
        max: Option<f64>,
    },
    Choice(Vec<String>),
    Switch,
}

/// A device with its measured speed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeviceCard {
    /// As it is written in a configuration: `cpu`, `webgpu:0`.
    pub setting: String,
    pub name: String,
    /// Kind, driver and limits in a few words; empty for the CPU.
    pub detail: String,
    /// Median time of a LoRA step of a small model.
    pub step_secs: Option<f64>,
    /// Why it cannot be used.
    pub error: Option<String>,
}

/// Memory that a run needs, in bytes, estimated from shapes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryEstimate {
    /// Frozen weights.
    pub base: u64,
    /// All adapters that the method keeps.
    pub adapters: u64,
    /// AdamW's two moments and the gradient.
    pub optimiser: u64,
    /// What the backward pass keeps of one step.
    pub activations: u64,
    /// Logits at the targets.
    pub logits: u64,
    /// The replay buffer.
    pub buffer: u64,
}

impl MemoryEstimate {
    #[must_use]
    pub fn total(&self) -> u64 {
        self.base + self.adapters + self.optimiser + self.activations + self.logits + self.buffer
    }
}

/// A model, read from its configuration and the header of its weights.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// Path, or `builtin`.
    pub model: String,
    pub model_type: String,
    pub parameters: u64,
    /// Of the files.
    pub weights_bytes: u64,
    /// Storage types in the files, such as `BF16`.
    pub dtypes: Vec<String>,
    pub vocab_size: u64,
    pub hidden_size: u64,
    pub intermediate_size: u64,
    pub num_hidden_layers: u64,
    pub num_attention_heads: u64,
    pub num_key_value_heads: u64,
    pub max_position_embeddings: u64,
    pub tie_word_embeddings: bool,
    /// What the experiment's adapter would train.
    pub trainable_parameters: u64,
    pub memory: MemoryEstimate,
    /// Memory of the machine that is free now, where the platform tells it.
    pub available_bytes: Option<u64>,
    /// Why it would not fit and what to change; `None` where it should.
    pub too_large: Option<String>,
    pub warnings: Vec<String>,
}

/// A task with what training would see of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskCard {
    pub name: String,
    pub source: String,
    /// Name of the metric for people.
    pub metric: String,
    pub chance: f64,
    /// Share of the most frequent label among the scored examples.
    pub majority: f64,
    pub train: usize,
    pub eval: usize,
    pub labels: Vec<LabelCount>,
    /// Tokens of each training example, prompt and answer.
    pub token_lengths: Vec<u32>,
    /// Training examples that are longer than `training.max_length` and lose the left of their prompt.
    pub cut: usize,
    pub preview: Vec<PreviewExample>,
    /// Columns of the file, where it is one.
    pub columns: Vec<String>,
    pub warnings: Vec<String>,
}

/// A training example as the model sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PreviewExample {
    pub tokens: Vec<PreviewToken>,
}

/// A token and whether the loss is taken on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PreviewToken {
    pub text: String,
    pub id: u32,
    pub trained: bool,
}

/// What keeps a file from being a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskProblem {
    pub message: String,
    /// Lines that are wrong: number from 1 and what is wrong with it.
    pub lines: Vec<(usize, String)>,
    /// Columns that were found, to map by hand.
    pub columns: Vec<String>,
}

/// One scored example as a learner answered it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MarkedExample {
    pub task: usize,
    /// Index among the task's scored examples.
    pub example: usize,
    pub prompt: String,
    pub answer: String,
    pub prediction: String,
    /// In `[0, 1]`.
    pub score: f64,
}
