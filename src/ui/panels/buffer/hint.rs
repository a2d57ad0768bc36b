//! What is told about an item under the pointer.

use super::Scene;
use super::reading::{Reading, counted, loss_text, task_name};
use egui::{Response, RichText, Tooltip, Ui};

/// Longest text of a hint, in characters.
const LONGEST: usize = 160;

/// The beginning of a text, in one line.
pub fn beginning(text: &str, longest: usize) -> String {
    let mut short: String =
        text.chars().take(longest).map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if text.chars().nth(longest).is_some() {
        short.push('…');
    }
    short
}

/// Tells of an item beside the pointer.
pub fn show(scene: &Scene<'_>, over: &Response, id: u64) {
    let Some(item) = scene.run.buffer.items.get(&id) else { return };
    Tooltip::for_widget(over).at_pointer().gap(12.0).width(320.0).show(|ui: &mut Ui| {
        ui.horizontal(|ui| {
            let name = task_name(scene.run, item.task);
            ui.label(RichText::new(name).strong().color(scene.theme.task(item.task)));
            let pinned = if item.state.pinned { ", pinned" } else { "" };
            ui.label(RichText::new(format!("item {id}{pinned}")).color(scene.theme.muted()));
        });
        ui.label(beginning(&item.prompt, LONGEST));
        ui.label(RichText::new(beginning(&item.answer, LONGEST)).strong());
        ui.label(RichText::new(line(scene, id)).color(scene.theme.muted()));
    });
}

/// Age, replays and losses of an item in one line.
pub fn line(scene: &Scene<'_>, id: u64) -> String {
    let buffer = &scene.run.buffer;
    let Some(item) = buffer.items.get(&id) else { return String::new() };
    let age = counted(buffer.step.saturating_sub(item.inserted_step), "step", "steps");
    let replays = counted(item.state.replay_count, "replay", "replays");
    let fast = loss_text(Reading::LossFast.of(item, buffer.step));
    if scene.two_learners {
        let slow = loss_text(Reading::LossSlow.of(item, buffer.step));
        format!("{age} old, {replays}, loss fast {fast}, slow {slow}")
    } else {
        format!("{age} old, {replays}, loss {fast}")
    }
}
