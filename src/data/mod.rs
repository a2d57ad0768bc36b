//! From files to token batches, and from generated text to scores. Nothing here knows a tensor.
//!
//! In reading order: [`task`] says what a task is; [`import`] makes one from a file or folder (`records`, `read_json`,
//! `read_table`, `read_parquet` read the formats, [`mapping`] picks the columns, `kind` finds labels and metric) and
//! [`check`] reports on one; [`builtin`] makes eight from a seed; [`tokenizer`] and [`prompt`] turn examples into tokens;
//! [`batch`] puts those into rows; [`score`] compares what was generated with what was right ([`rouge`], [`sari`],
//! [`edit`]).

pub mod batch;
pub mod builtin;
pub mod check;
pub mod edit;
pub mod error;
pub mod import;
mod kind;
pub mod mapping;
pub mod prompt;
mod read_json;
mod read_parquet;
mod read_table;
pub mod records;
pub mod rouge;
pub mod sari;
pub mod score;
pub mod task;
pub mod tokenizer;

pub use error::DataError;
