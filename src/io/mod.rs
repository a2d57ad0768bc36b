//! What is read from and written to the disk: models, adapters, checkpoints. Plain numbers; no tensors.
//!
//! Everything that is read is checked first and refused with a sentence; everything that is written appears whole or not at all.

pub mod atomic;
pub mod capsule;
pub mod checkpoint;
pub mod error;
pub mod hf_folder;
pub mod hub;
pub mod merge;
pub mod peft;
pub mod safetensors;

#[cfg(test)]
mod test_model;

pub use checkpoint::Checkpoint;
pub use error::IoError;
pub use hf_folder::HfFolder;
pub use safetensors::SafetensorsFile;
