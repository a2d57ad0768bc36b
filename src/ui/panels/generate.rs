//! *Generate*: a prompt in, and text from the base model, the learners as they are now and kept adapters beside each
//! other, streamed, whether a run goes on or not. For examples of tasks the expected answer and a mark stand beside it.

mod answers;
mod examples;
mod form;
mod sources;
#[cfg(test)]
mod tests;

use crate::engine::protocol::{Command, SamplingConfig};
use crate::ui::panel::{Context, Panel, PanelKind};
use crate::ui::theme::Theme;
use egui::Ui;
use examples::Taken;
use sources::Source;
use std::collections::{BTreeMap, VecDeque};

/// The first number of this panel's generations, so that those of other panels do not meet them.
const FIRST_ID: u64 = 1 << 40;
/// Most prompts that are remembered.
const REMEMBERED: usize = 20;

/// See the file's head.
#[derive(Default)]
pub struct GeneratePanel {
    prompt: String,
    /// Empty where none is known.
    expected: String,
    /// Where the prompt was taken from.
    taken: Option<Taken>,
    /// Sources that somebody switched, by their labels; the others are as they come.
    switched: BTreeMap<String, bool>,
    sampling: SamplingConfig,
    /// What was asked, the latest first.
    asked: VecDeque<Asked>,
    /// Which of them is shown.
    shown: usize,
}

/// A prompt that was sent.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    id: u64,
    prompt: String,
    expected: String,
    sources: Vec<Source>,
    sampling: SamplingConfig,
    /// Somebody stopped it.
    stopped: bool,
}

impl Panel for GeneratePanel {
    fn kind(&self) -> PanelKind {
        PanelKind::Generate
    }

    fn show(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            // The scroll bar floats over the right edge.
            ui.set_max_width(ui.available_width() - Theme::GAP - 2.0);
            self.form(ui, context);
            ui.add_space(Theme::GROUP_GAP);
            self.answers(ui, context);
            self.history(ui, context);
        });
    }
}

impl GeneratePanel {
    /// Sends the prompt to the sources that are on, and stops what is still being written.
    fn ask(&mut self, context: &mut Context<'_>, sources: Vec<Source>) {
        self.stop(context);
        let known = context.state.generations.keys().next_back().copied().unwrap_or(0);
        let own = self.asked.front().map_or(0, |asked| asked.id);
        let id = known.max(own).max(FIRST_ID) + 1;
        let state = context.state;
        let experiment = state.selected_run().map_or(&state.draft.config, |run| &run.experiment);
        context.send(Command::Generate {
            id,
            prompt: self.prompt.clone(),
            sources: sources.iter().map(|source| source.adapter.clone()).collect(),
            sampling: self.sampling.clone(),
            experiment: Box::new(experiment.clone()),
        });
        self.asked.truncate(REMEMBERED - 1);
        self.asked.push_front(Asked {
            id,
            prompt: self.prompt.clone(),
            expected: self.expected.trim().to_string(),
            sources,
            sampling: self.sampling.clone(),
            stopped: false,
        });
        self.shown = 0;
    }

    /// Stops the latest, if it is still being written.
    fn stop(&mut self, context: &mut Context<'_>) {
        if let Some(latest) = self.asked.front_mut()
            && latest.is_going(context.state)
        {
            latest.stopped = true;
            let id = latest.id;
            context.send(Command::StopGenerating { id });
        }
    }
}
