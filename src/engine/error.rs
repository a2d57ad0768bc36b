//! What can go wrong in a run, as sentences for people.

use thiserror::Error;

/// A failure of the engine. Everything finished before it is kept.
#[derive(Debug, Error)]
pub enum EngineError {
    /// A setting that cannot be used.
    #[error("{0}")]
    Setting(String),
    /// A device that is not there or cannot be opened.
    #[error("{0}")]
    Device(String),
    /// Something that happened while a run was going.
    #[error("{0}")]
    Run(String),
    #[error(transparent)]
    Knob(#[from] crate::continual::knobs::KnobError),
    #[error(transparent)]
    Method(#[from] crate::continual::MethodError),
    #[error(transparent)]
    Model(#[from] crate::model::ModelError),
    #[error(transparent)]
    Data(#[from] crate::data::DataError),
    #[error(transparent)]
    Io(#[from] crate::io::IoError),
}

impl EngineError {
    /// A tensor that could not be read back from the device: it was lost, or what it had to compute failed.
    pub(crate) fn reading(error: &impl std::fmt::Display) -> Self {
        let told = error.to_string();
        // What follows the first line is a trace for programmers.
        let cause = told.lines().next().unwrap_or_default();
        Self::Device(format!(
            "the device does not answer any more ({cause}). If its memory was full, use a smaller batch_size or max_length; else use another device, such as the CPU (`--device cpu`)"
        ))
    }
}
