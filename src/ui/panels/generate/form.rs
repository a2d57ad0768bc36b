//! What is asked: the prompt, the expected answer, who answers and how.

use super::GeneratePanel;
use super::examples::{self, Taken};
use super::sources::{Source, sources};
use crate::engine::protocol::Command;
use crate::ui::action::Action;
use crate::ui::panel::Context;
use crate::ui::state::run::RunStatus;
use crate::ui::state::task_id;
use crate::ui::theme::Theme;
use egui::{Color32, DragValue, Key, Modifiers, RichText, TextEdit, TextStyle, Ui};

/// Lines of the prompt's field.
const LINES: usize = 4;
/// Width that a number's field takes, with the gap before it.
const FIELD: f32 = 62.0;
/// Longest text that can be asked for, in tokens.
const MOST_TOKENS: usize = 1024;

/// Less important text.
pub(super) fn muted(theme: &Theme, text: impl Into<String>) -> RichText {
    RichText::new(text).small().color(theme.muted())
}

impl GeneratePanel {
    pub(super) fn form(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        let id = ui.make_persistent_id("prompt");
        // Before the field sees it, which would take it as a new line.
        let pressed = ui.memory(|memory| memory.has_focus(id))
            && ui.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::Enter));
        let label = ui.label("Prompt");
        let field = TextEdit::multiline(&mut self.prompt).id(id).desired_rows(LINES).desired_width(f32::INFINITY);
        let field = ui.add(field.hint_text("Write something, or take an example of a task.")).labelled_by(label.id);
        if field.changed() {
            self.taken = None;
        }
        self.examples(ui, context);
        let label = ui.label("Expected answer, if there is one");
        ui.add(TextEdit::singleline(&mut self.expected).desired_width(f32::INFINITY)).labelled_by(label.id);
        ui.add_space(Theme::GAP);
        let all = sources(context.state);
        self.choose(ui, context, &all);
        ui.add_space(Theme::GAP);
        self.sampling(ui);
        let chosen: Vec<Source> =
            all.into_iter().filter(|source| source.blocked.is_none() && self.is_on(source)).collect();
        let missing = if self.prompt.trim().is_empty() {
            Some("Write a prompt first, or take an example.")
        } else if chosen.is_empty() {
            Some("Choose at least one that answers.")
        } else {
            None
        };
        ui.add_space(Theme::GAP);
        ui.horizontal_wrapped(|ui| {
            let button = egui::Button::new(RichText::new("Generate").strong());
            let clicked = ui.add_enabled(missing.is_none(), button).on_hover_text("Ctrl+Enter in the prompt").clicked();
            if (clicked || pressed) && missing.is_none() {
                self.ask(context, chosen);
            }
            let going = self.asked.front().is_some_and(|asked| asked.is_going(context.state));
            if going && ui.button("Stop").clicked() {
                self.stop(context);
            }
            let active = context.state.active_run().map(|run| &run.status);
            let note = match (missing, active) {
                (Some(missing), _) => missing,
                (None, Some(RunStatus::Running)) => "A run goes on: it answers between two steps.",
                (None, Some(RunStatus::Paused)) => "The run is paused and answers as it is now.",
                (None, _) => "Ctrl+Enter",
            };
            ui.label(muted(context.theme, note));
        });
    }

    fn is_on(&self, source: &Source) -> bool {
        self.switched.get(&source.label).copied().unwrap_or(source.on)
    }

    fn examples(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        ui.horizontal_wrapped(|ui| {
            ui.menu_button("Take an example of\u{2026}", |ui| {
                egui::ScrollArea::vertical().max_height(320.0).show(ui, |ui| {
                    for task in 0..examples::experiment(context.state).tasks.len() {
                        self.example_of(ui, context, task);
                    }
                });
            });
            if let Some(taken) = self.taken.clone() {
                if ui.button("Next example").clicked() {
                    self.take(context, taken.task, taken.place + 1);
                }
                ui.label(muted(context.theme, taken.origin));
            }
            if !self.prompt.is_empty() && ui.button("Clear").clicked() {
                self.prompt.clear();
                self.expected.clear();
                self.taken = None;
            }
        });
    }

    fn example_of(&mut self, ui: &mut Ui, context: &mut Context<'_>, task: usize) {
        let name = examples::name(context.state, task);
        if examples::any(context.state, task) {
            if ui.button(name).clicked() {
                self.take(context, task, 0);
            }
        } else if ui.button(format!("{name}: read its examples")).clicked() {
            let experiment = examples::experiment(context.state);
            if let Some(config) = experiment.tasks.get(task) {
                let id = task_id(config, experiment);
                let (experiment, task) = (Box::new(experiment.clone()), Box::new(config.clone()));
                context.send(Command::InspectTask { id, experiment, task });
            }
        }
    }

    fn take(&mut self, context: &Context<'_>, task: usize, place: usize) {
        if let Some((place, example)) = examples::example(context.state, task, place) {
            (self.prompt, self.expected) = (example.prompt, example.answer);
            self.taken = Some(Taken { task, place, origin: example.origin });
        }
    }

    /// Who answers.
    fn choose(&mut self, ui: &mut Ui, context: &mut Context<'_>, all: &[Source]) {
        ui.label("Answered by");
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = Theme::GROUP_GAP;
            for source in all.iter().filter(|source| !source.is_kept()) {
                self.switch(ui, context.theme, source);
            }
        });
        if all.iter().any(Source::is_kept) {
            ui.label(muted(context.theme, "Adapters that the selected run kept"));
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing.x = Theme::GROUP_GAP;
                for source in all.iter().filter(|source| source.is_kept()) {
                    self.switch(ui, context.theme, source);
                }
            });
        }
        let state = context.state;
        if state.runs.is_empty() {
            ui.horizontal_wrapped(|ui| {
                ui.label(muted(
                    context.theme,
                    "Only the base model can answer so far. A run brings learners to compare it with.",
                ));
                if ui.button("Watch it forget").clicked() {
                    context.actions.push(Action::WatchItForget);
                }
            });
        }
        // What a run of this session kept is listed when its folder is read.
        let unread = state.selected_run().filter(|run| run.adapters.is_empty() && !run.status.is_active());
        if let Some((run, folder)) = unread.and_then(|run| Some((run.number, run.folder.clone()?)))
            && ui.button("List the adapters that this run kept").clicked()
        {
            context.send(Command::OpenRuns { run, folder });
        }
    }

    fn switch(&mut self, ui: &mut Ui, theme: &Theme, source: &Source) {
        let mut on = source.blocked.is_none() && self.is_on(source);
        let text = RichText::new(&source.label).color(source.colour(theme));
        let answer = ui.add_enabled(source.blocked.is_none(), egui::Checkbox::new(&mut on, text));
        if answer.changed() {
            self.switched.insert(source.label.clone(), on);
        }
        if let Some(reason) = source.blocked {
            answer.on_disabled_hover_text(reason);
        }
    }

    /// How the text is generated.
    fn sampling(&mut self, ui: &mut Ui) {
        let sampling = &mut self.sampling;
        ui.horizontal_wrapped(|ui| {
            number(
                ui,
                true,
                "Longest text in tokens",
                DragValue::new(&mut sampling.max_new_tokens).range(1..=MOST_TOKENS),
            );
            let temperature = DragValue::new(&mut sampling.temperature).range(0.0..=5.0).speed(0.01).max_decimals(2);
            number(ui, true, "Temperature", temperature)
                .on_hover_text("0 takes the likeliest token always; the larger, the more is left to chance.");
            let chance = sampling.temperature > 0.0;
            number(ui, chance, "Top k", DragValue::new(&mut sampling.top_k).range(0..=100_000))
                .on_hover_text("Only this many likeliest tokens are drawn from; 0 takes all.");
            number(ui, chance, "Seed", DragValue::new(&mut sampling.seed))
                .on_hover_text("The same seed draws the same text.");
        });
    }
}

/// A number with its name before it, both in one line of a wrapped row.
fn number(ui: &mut Ui, enabled: bool, name: &str, field: DragValue<'_>) -> egui::Response {
    let font = TextStyle::Body.resolve(ui.style());
    let name_width = ui.painter().layout_no_wrap(name.to_string(), font, Color32::WHITE).size().x;
    if ui.available_size_before_wrap().x < name_width + FIELD {
        ui.end_row();
    }
    let both = ui.horizontal(|ui| {
        let label = ui.add_enabled(enabled, egui::Label::new(name));
        ui.add_enabled(enabled, field).labelled_by(label.id)
    });
    both.inner
}
