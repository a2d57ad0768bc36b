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
    /// A tensor that could not be read back from the device.
    pub(crate) fn reading(error: &impl std::fmt::Display) -> Self {
        Self::Run(format!(
            "a result could not be read from the device: {error}. If its memory is full, use a smaller batch_size or max_length, or `--device cpu`"
        ))
    }
}
