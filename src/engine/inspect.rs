//! What a model or a task is, told before anything is trained: the cards that front ends show. Plain numbers, no tensors.
//!
//! [`task`] reads a task as a run would and shows what the model will see of it; `lines` says what is wrong with a file, line
//! by line; [`model`] reads a model's headers, and [`memory`] estimates from shapes what a run will need.

mod lines;
pub mod memory;
pub mod model;
pub mod task;

pub use model::inspect_model;
pub use task::{inspect_task, open_tokenizer};

#[cfg(test)]
mod tests;
