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
use thalweg::platform::{self, Role};

/// The page's window, or its worker's engine. What fails there is shown by the page.
#[cfg(feature = "app")]
fn in_a_browser(role: Role) -> ExitCode {
    let started = match role {
        Role::Worker => thalweg::engine::worker::start(),
        Role::Page | Role::Desktop => thalweg::ui::start::start(role, None),
    };
    if let Err(error) = started {
        platform::give_up(&error.to_string());
    }
    ExitCode::SUCCESS
}

/// Nothing to do but to look: no argument, or one capsule (as a file manager calls the program).
#[cfg(feature = "app")]
fn window() -> Option<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let capsule = match arguments.as_slice() {
        [] => None,
        [path] if path.ends_with(".thalweg") => Some(path.as_str()),
        _ => return None,
    };
    match thalweg::ui::start::start(Role::Desktop, capsule) {
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
    let role = platform::begin();
    // A constant, so that nothing below is part of a page.
    #[cfg(feature = "app")]
    if platform::IN_A_BROWSER {
        return in_a_browser(role);
    }
    #[cfg(feature = "app")]
    if let Some(code) = window() {
        return code;
    }
    thalweg::cli::main()
}
