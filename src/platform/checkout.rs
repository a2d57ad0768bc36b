//! The checkout whose tests run; the tests beside the library take this file in, too.

use std::path::PathBuf;

/// Asked when the tests run, not when they were compiled: a target directory that two checkouts share (CI's lies outside the
/// clone) may hold a test that was compiled for the other one.
#[must_use]
pub fn checkout() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}
