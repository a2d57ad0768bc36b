//! The program: without arguments the window, with them the command line.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::todo,
    clippy::unimplemented,
    clippy::dbg_macro
)]

use std::process::ExitCode;

/// Nothing to do but to look: no argument, or one capsule (as a file manager calls the program).
#[cfg(feature = "app")]
fn window() -> Option<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let capsule = match arguments.as_slice() {
        [] => None,
        [path] if path.ends_with(".thalweg") => Some(path.as_str()),
        _ => return None,
    };
    match thalweg::ui::start::start(capsule) {
        Ok(()) => Some(ExitCode::SUCCESS),
        Err(error) => {
            eprintln!(
                "{error}. Without a window the demonstration runs here in the terminal (`thalweg --help` shows what else there is)."
            );
            capsule.is_some().then_some(ExitCode::FAILURE)
        }
    }
}

fn main() -> ExitCode {
    #[cfg(feature = "app")]
    if let Some(code) = window() {
        return code;
    }
    thalweg::cli::main()
}
