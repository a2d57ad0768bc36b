//! Prompts whose answers are regenerated as a point moves: typed, or taken from what is known of the tasks.

use crate::engine::config::ExperimentConfig;
use crate::engine::protocol::{AdapterSource, Command, SamplingConfig};
use crate::ui::panel::Context;
use crate::ui::state::{AppState, task_id};
use egui::{RichText, Role, TextEdit, Ui, WidgetInfo};

/// Most prompts at once.
pub const MOST: usize = 3;
/// Tokens of an answer.
const TOKENS: usize = 40;

/// A prompt with the answer that was asked for last.
#[derive(Clone, Debug, Default)]
struct Prompt {
    text: String,
    asked: Option<u64>,
    /// What it answered before, shown until the first word of the new answer.
    before: String,
}

/// The prompts of one panel.
#[derive(Clone, Debug, Default)]
pub struct Prompts {
    list: Vec<Prompt>,
    /// Whether one was proposed already.
    proposed: bool,
}

impl Prompts {
    /// Proposes the first example of the first task whose examples are known, once.
    pub fn propose(&mut self, state: &AppState, experiment: &ExperimentConfig) {
        if self.proposed || self.list.iter().any(|prompt| !prompt.text.is_empty()) {
            return;
        }
        let mut examples = Vec::new();
        for_each_example(state, experiment, |_, text| {
            if examples.is_empty() {
                examples.push(text);
            }
        });
        if let Some(text) = examples.pop() {
            self.proposed = true;
            self.list = vec![Prompt { text, ..Prompt::default() }];
        }
    }

    /// Asks for the answers of a point; earlier questions that are still being answered are stopped.
    pub fn ask(
        &mut self,
        context: &mut Context<'_>,
        source: &AdapterSource,
        experiment: &ExperimentConfig,
        mut number: impl FnMut() -> u64,
    ) {
        for prompt in &mut self.list {
            if let Some(id) = prompt.asked {
                match context.state.generations.get(&id) {
                    Some(view) if view.columns.first().is_some_and(|(_, done)| *done) || view.failed.is_some() => {}
                    _ => context.send(Command::StopGenerating { id }),
                }
                let text = context.state.generations.get(&id).and_then(|view| view.columns.first());
                if let Some((text, _)) = text.filter(|(text, _)| !text.is_empty()) {
                    prompt.before.clone_from(text);
                }
            }
            prompt.asked = None;
            if prompt.text.trim().is_empty() {
                continue;
            }
            let id = number();
            prompt.asked = Some(id);
            context.send(Command::Generate {
                id,
                prompt: prompt.text.clone(),
                sources: vec![source.clone()],
                sampling: SamplingConfig { max_new_tokens: TOKENS, ..SamplingConfig::default() },
                experiment: Box::new(experiment.clone()),
            });
        }
    }

    /// Forgets the answers, as of another path.
    pub fn forget(&mut self) {
        for prompt in &mut self.list {
            (prompt.asked, prompt.before) = (None, String::new());
        }
    }

    /// The prompts with their answers; says whether a prompt was changed.
    pub fn show(&mut self, ui: &mut Ui, context: &Context<'_>, experiment: &ExperimentConfig) -> bool {
        if self.list.is_empty() {
            self.list.push(Prompt::default());
        }
        let (mut changed, mut removed, several) = (false, None, self.list.len() > 1);
        for (index, prompt) in self.list.iter_mut().enumerate() {
            context.theme.card_frame().fill(context.theme.ground()).show(ui, |ui| {
                ui.set_width(ui.available_width());
                ui.horizontal(|ui| {
                    let label = ui.label(format!("Prompt {}", index + 1));
                    let buttons = if several { 190.0 } else { 118.0 };
                    let width = (ui.available_width() - buttons).max(60.0);
                    let field =
                        TextEdit::singleline(&mut prompt.text).hint_text("text for the model").desired_width(width);
                    changed |= ui.add(field).labelled_by(label.id).changed();
                    changed |= from_a_task(ui, context.state, experiment, &mut prompt.text);
                    let name = format!("Remove prompt {}", index + 1);
                    if several {
                        let button = ui.button("Remove");
                        button.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
                        if button.on_hover_text(&name).clicked() {
                            removed = Some(index);
                        }
                    }
                });
                answer(ui, context, prompt);
            });
        }
        if let Some(index) = removed {
            self.list.remove(index);
        }
        ui.horizontal(|ui| {
            if self.list.len() < MOST && ui.button("Add a prompt").clicked() {
                self.list.push(Prompt::default());
            }
        });
        changed
    }
}

/// What the model answers, or what it answered before, or why it does not.
fn answer(ui: &mut Ui, context: &Context<'_>, prompt: &Prompt) {
    let view = prompt.asked.and_then(|id| context.state.generations.get(&id));
    if let Some(message) = view.and_then(|view| view.failed.as_ref()) {
        ui.colored_label(context.theme.bad(), message);
        return;
    }
    match view.and_then(|view| view.columns.first()) {
        Some((text, _)) if !text.trim().is_empty() => {
            ui.label(RichText::new(text.trim()).monospace());
        }
        Some((_, true)) => {
            ui.weak("(an empty answer)");
        }
        _ if !prompt.before.is_empty() => {
            ui.label(RichText::new(prompt.before.trim()).monospace().color(context.theme.muted()));
        }
        _ if prompt.asked.is_some() => {
            ui.weak("waiting for the first word...");
        }
        _ => {}
    }
}

/// Calls with the name of a task and the prompt of each of its examples that are known.
fn for_each_example(state: &AppState, experiment: &ExperimentConfig, mut each: impl FnMut(&str, String)) {
    for task in &experiment.tasks {
        // What was read for the draft shows the same examples, whatever the run's seed is.
        let known = [experiment, &state.draft.config].map(|experiment| state.tasks.get(&task_id(task, experiment)));
        let Some(Ok(card)) = known.into_iter().flatten().next() else { continue };
        for example in &card.preview {
            let tokens = example.tokens.iter().filter(|token| !token.trained).map(|token| token.text.as_str());
            // What marks the beginning or the end of a text is no part of what people would type.
            let text: String = tokens.filter(|text| !(text.starts_with('<') && text.ends_with('>'))).collect();
            if !text.trim().is_empty() {
                each(&card.name, text.trim().to_string());
            }
        }
    }
}

/// A menu of the tasks' examples; says whether one was taken.
fn from_a_task(ui: &mut Ui, state: &AppState, experiment: &ExperimentConfig, prompt: &mut String) -> bool {
    let mut taken = false;
    ui.menu_button("From a task", |ui| {
        ui.set_max_width(360.0);
        let (mut last, mut count) = (String::new(), 0);
        egui::ScrollArea::vertical().max_height(300.0).show(ui, |ui| {
            for_each_example(state, experiment, |task, text| {
                count = if last == task { count + 1 } else { 0 };
                if count == 0 {
                    ui.label(RichText::new(task).strong());
                    last = task.to_string();
                }
                if count < 4 && ui.add(egui::Button::new(&text).truncate()).clicked() {
                    (*prompt, taken) = (text, true);
                    ui.close();
                }
            });
            if last.is_empty() {
                ui.label("No example of these tasks is known yet: the Tasks panel shows them.");
            }
        });
    });
    taken
}
