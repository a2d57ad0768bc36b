//! Ctrl-C: the first asks the engine to stop after its present step and keep everything, the second quits at once.

use super::terminal::note;
use crate::engine::Control;
use crate::engine::protocol::Steer;
use std::sync::atomic::{AtomicBool, Ordering};

/// Exit code of a program that a signal ended, as shells count (128 + SIGINT).
pub(super) const INTERRUPTED: i32 = 130;

/// Sends [`Steer::Stop`] at the first Ctrl-C. Where no handler can be set, Ctrl-C ends the program as ever.
pub(super) fn listen(control: &Control, what_happens: &'static str) {
    let control = control.clone();
    let asked = AtomicBool::new(false);
    let set = crate::platform::on_interrupt(move || {
        if asked.swap(true, Ordering::SeqCst) {
            std::process::exit(INTERRUPTED);
        }
        control.send(Steer::Stop);
        note(&format!("\n{what_happens} (Ctrl-C again quits at once)"));
    });
    if let Err(error) = set {
        tracing::warn!(
            "Ctrl-C cannot be caught ({error}): it ends the program at once; checkpoints still allow to resume"
        );
    }
}
