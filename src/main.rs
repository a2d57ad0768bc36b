//! The program: hands over to the command line.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::todo,
    clippy::unimplemented,
    clippy::dbg_macro
)]

use std::process::ExitCode;

fn main() -> ExitCode {
    thalweg::cli::main()
}
