//! What several panels draw.

pub mod curves;
pub mod matrix;
pub mod setting;
pub mod surface;
pub mod toasts;
