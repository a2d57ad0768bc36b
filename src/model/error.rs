//! What can be wrong with a model, its configuration or an adapter.

use thiserror::Error;

/// A sentence that says what is wrong, where, and what to do about it.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum ModelError {
    /// The configuration asks for something this program does not do, or is contradictory.
    #[error("{where_}: {what}")]
    Config { where_: String, what: String },
    /// A tensor is absent, misshapen, of an unsupported type, or not finite.
    #[error("{where_}: tensor `{tensor}` {what}")]
    Tensor { where_: String, tensor: String, what: String },
    /// An adapter that does not fit the model.
    #[error("adapter {where_}: {what}")]
    Adapter { where_: String, what: String },
    /// A tensor is too large for the device.
    #[error("{0}")]
    Device(String),
}
