//! What can be done with runs now, and why not where it cannot. No drawing here.

use crate::engine::protocol::{Command, Steer};
use crate::ui::action::Action;
use crate::ui::state::AppState;
use crate::ui::state::run::{RunStatus, RunView};

/// Something that can be done, or the reason why not.
pub type Offer = Result<Action, String>;

fn send(command: Command) -> Action {
    Action::Send(Box::new(command))
}

/// Queueing the draft; `checked` says what is wrong with it.
pub fn start(state: &AppState, checked: &Result<(), String>) -> Offer {
    if !state.engine.ready {
        return Err("The engine is not there yet; it takes a moment after the program starts.".into());
    }
    checked.clone().map_err(|problem| format!("The settings cannot be run yet: {problem}"))?;
    Ok(Action::StartDraft)
}

fn active(state: &AppState) -> Result<&RunView, String> {
    state.active_run().ok_or_else(|| "No run is in progress.".to_string())
}

/// Waiting after the present step, or going on.
pub fn pause(state: &AppState) -> Offer {
    let run = active(state)?;
    let steer = if run.status == RunStatus::Paused { Steer::Resume } else { Steer::Pause };
    Ok(send(Command::Steer { steer }))
}

/// One step, then waiting.
pub fn single_step(state: &AppState) -> Offer {
    active(state)?;
    Ok(send(Command::Steer { steer: Steer::SingleStep }))
}

/// Ending the run and keeping what it did.
pub fn stop(state: &AppState) -> Offer {
    active(state)?;
    Ok(send(Command::Steer { steer: Steer::Stop }))
}

/// Going on with the selected run, which was stopped or failed.
pub fn resume_run(state: &AppState) -> Offer {
    let run = state.selected_run().ok_or_else(|| "Select a stopped run to go on with it.".to_string())?;
    let reason = match &run.status {
        RunStatus::Queued => "This run has not begun; it starts when its turn comes.",
        RunStatus::Running => "This run is in progress.",
        RunStatus::Paused => "This run is paused: press Resume instead.",
        RunStatus::Finished => "This run is finished; start another.",
        RunStatus::Failed(_) if !run.resumable => "This run failed before its first checkpoint; start it again.",
        RunStatus::Stopped if !run.resumable => "This run has no checkpoint to go on from; start it again.",
        RunStatus::Stopped | RunStatus::Failed(_) if state.active.is_some() => {
            "Another run is in progress; wait for its end or stop it."
        }
        RunStatus::Stopped | RunStatus::Failed(_) => {
            let folder = run.folder.clone().ok_or_else(|| {
                "This run has no folder, so it cannot be gone on with; a capsule holds results only.".to_string()
            })?;
            return Ok(send(Command::ResumeRun { run: run.number, folder }));
        }
    };
    Err(reason.into())
}

/// What to do about a run that failed with this sentence.
#[must_use]
pub fn advice(message: &str, resumable: bool) -> String {
    let text = message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let cause = if has(&["does not answer", "was lost", "adapter "]) {
        "Choose another device in the Model panel, or start the program again. "
    } else if has(&["not a number", "no gradient is left"]) {
        "Lower the learning rate, or clip the gradient norm, and start again. "
    } else if has(&["memory", "allocat"]) {
        "Use fewer examples in a step or a shorter longest example, and start again. "
    } else if has(&["no such file", "permission", "disk", "folder", "written"]) {
        "See that the folder is there, can be written and has room, and start again. "
    } else {
        "The log has the lines before it. "
    };
    let kept = if resumable {
        "What was learnt up to the last checkpoint is kept: Resume run goes on from there."
    } else {
        ""
    };
    format!("{cause}{kept}").trim_end().to_string()
}
