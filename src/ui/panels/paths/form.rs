//! What path is to be measured: its ends, its form, and how finely.

use super::adapters::{self, Choice, Folders};
use super::control::{self, Control};
use crate::engine::config::ExperimentConfig;
use crate::engine::protocol::{AdapterSource, CURVE_LEARNING_RATE, PathCommand};
use crate::ui::panel::Context;
use crate::ui::state::AppState;
use crate::ui::state::run::RunView;
use crate::ui::theme::Theme;
use egui::{ComboBox, DragValue, RichText, Ui};

/// Name in the command, on screen, and what it is.
pub const SHAPES: [(&str, &str, &str); 5] = [
    ("line", "straight line", "Mixes the factors A and B of the two adapters, t of the second and 1 - t of the first."),
    (
        "product",
        "product line",
        "Mixes the updates B A themselves: what averaging the two fine-tuned models would give.",
    ),
    ("slerp", "great circle (slerp)", "Turns from one adapter to the other and keeps its length, as on a globe."),
    (
        "bezier",
        "Bezier curve",
        "A smooth curve whose bends are trained to keep the loss low: it can walk around a barrier.",
    ),
    ("polychain", "polygonal chain", "Straight pieces whose corners are trained: the simplest way around a barrier."),
];

/// Whether a form has bends to be trained.
fn is_trained(shape: &str) -> bool {
    matches!(shape, "bezier" | "polychain")
}

/// What is asked for.
#[derive(Debug)]
pub struct Form {
    /// In order; the first and the last are the ends.
    pub anchors: Vec<AdapterSource>,
    shape: &'static str,
    points: usize,
    beyond: f64,
    bends: usize,
    steps: usize,
    learning_rate: f64,
    examples: usize,
    scores: bool,
    /// The independent control that was queued: measured as soon as it is there.
    waiting: Option<Control>,
    pub folders: Folders,
    /// Whether ends were proposed already: what people cleared stays cleared.
    proposed: bool,
}

impl Default for Form {
    fn default() -> Self {
        Self {
            anchors: Vec::new(),
            shape: "line",
            points: 26,
            beyond: 0.0,
            bends: 1,
            steps: 200,
            learning_rate: CURVE_LEARNING_RATE,
            examples: 50,
            scores: true,
            waiting: None,
            folders: Folders::default(),
            proposed: false,
        }
    }
}

impl Form {
    /// Drops what is gone, and proposes ends the first time that there are some.
    pub fn keep_up(&mut self, state: &AppState, choices: &[Choice]) {
        self.anchors.retain(|source| adapters::find(choices, source).is_some());
        if !self.proposed
            && let Some(run) = adapters::run_with_adapters(state)
        {
            self.proposed = true;
            self.take_first_to_last(run, choices);
        }
    }

    fn take_first_to_last(&mut self, run: &RunView, choices: &[Choice]) {
        let all = adapters::of_learner(choices, run.number, &adapters::headline(run));
        if let [first, .., last] = all.as_slice() {
            self.anchors = vec![first.source.clone(), last.source.clone()];
        }
    }

    /// The adapters of an independent control that was asked for and is there by now, and the experiment that both learnt:
    /// what is to be measured without another click.
    pub fn finished_control(&mut self, state: &AppState, choices: &[Choice]) -> Option<ExperimentConfig> {
        let (anchors, experiment) = control::finished(&mut self.waiting, state, choices)?;
        (self.anchors, self.shape) = (anchors, "line");
        Some(experiment)
    }

    /// The command, or what is missing.
    pub fn command(&self, choices: &[Choice]) -> Result<PathCommand, String> {
        let anchors = adapters::named(choices, &self.anchors);
        if anchors.len() < 2 {
            return Err("Choose two adapters: where the path begins and where it ends.".into());
        }
        if anchors.windows(2).any(|pair| pair[0].1 == pair[1].1) {
            return Err("The path would go from an adapter to the same one: choose another.".into());
        }
        if anchors.len() > 2 && self.shape != "line" {
            let (_, form, _) = SHAPES.iter().find(|(name, ..)| *name == self.shape).unwrap_or(&SHAPES[0]);
            let count = anchors.len();
            return Err(format!(
                "A {form} joins two adapters, and {count} are chosen: choose the straight line, or only the ends."
            ));
        }
        let (bends, steps) = if is_trained(self.shape) { (self.bends, self.steps) } else { (0, 0) };
        Ok(PathCommand {
            anchors,
            shape: self.shape.into(),
            points: self.points,
            beyond: if self.shape == "line" || self.shape == "product" { self.beyond } else { 0.0 },
            bends,
            steps,
            learning_rate: self.learning_rate,
            examples: self.examples,
            scores: self.scores,
        })
    }

    pub fn show(&mut self, ui: &mut Ui, context: &mut Context<'_>, choices: &[Choice]) {
        self.quick_picks(ui, context, choices);
        ui.add_space(Theme::GAP);
        self.ends(ui, choices);
        self.table(ui, context, choices);
        self.shapes(ui, context);
        egui::CollapsingHeader::new("Points, examples, folders").show(ui, |ui| {
            self.settings(ui);
            ui.add_space(Theme::GAP);
            self.folders.show(ui, context);
        });
    }

    fn ends(&mut self, ui: &mut Ui, choices: &[Choice]) {
        let mut from = self.anchors.first().cloned();
        let mut to = if self.anchors.len() > 1 { self.anchors.last().cloned() } else { None };
        if adapters::pick(ui, "From", choices, &mut from)
            && let Some(from) = from
        {
            match self.anchors.first_mut() {
                Some(first) => *first = from,
                None => self.anchors.push(from),
            }
        }
        if adapters::pick(ui, "To", choices, &mut to)
            && let Some(to) = to
        {
            if self.anchors.len() > 1 {
                self.anchors.pop();
            }
            self.anchors.push(to);
        }
        ui.horizontal_wrapped(|ui| {
            if ui.add_enabled(self.anchors.len() > 1, egui::Button::new("Swap")).clicked() {
                self.anchors.reverse();
            }
            if self.anchors.len() > 2 {
                let between = self.anchors.len() - 2;
                ui.label(format!("through {between} {}", if between == 1 { "other" } else { "others" }));
                if ui.button("Only the ends").clicked() {
                    self.anchors.drain(1..=between);
                }
            }
        });
    }

    /// The adapters of a run by task and learner, with the mean score after each task.
    fn table(&mut self, ui: &mut Ui, context: &Context<'_>, choices: &[Choice]) {
        let of_anchor = self.anchors.first().and_then(|source| adapters::find(choices, source)?.run);
        let run =
            of_anchor.and_then(|run| context.state.run(run)).or_else(|| adapters::run_with_adapters(context.state));
        let Some(run) = run else { return };
        let mut learners: Vec<&str> = run.adapters.iter().map(|(_, learner, _)| learner.as_str()).collect();
        learners.sort_unstable();
        learners.dedup();
        egui::CollapsingHeader::new("Pick in the table").show(ui, |ui| {
            let hint = "Click adapters in the order of the path. Percent: mean score on the tasks learnt so far.";
            ui.label(RichText::new(hint).small().color(context.theme.muted()));
            egui::Grid::new("adapters of the run").spacing([Theme::GAP, 2.0]).show(ui, |ui| {
                ui.label("");
                for learner in &learners {
                    ui.label(if *learner == "model" { "adapter" } else { adapters::learner_name(learner) });
                }
                ui.end_row();
                for (task, summary) in run.report.tasks.iter().enumerate() {
                    ui.colored_label(context.theme.task(task), format!("after {}", summary.name));
                    for learner in &learners {
                        let here = |choice: &&Choice| {
                            choice.run == Some(run.number) && choice.task == Some(task) && choice.learner == *learner
                        };
                        match choices.iter().find(here) {
                            Some(choice) => self.cell(ui, run, choice, task),
                            None => {
                                ui.weak("-");
                            }
                        }
                    }
                    ui.end_row();
                }
            });
            if ui.add_enabled(!self.anchors.is_empty(), egui::Button::new("Clear")).clicked() {
                self.anchors.clear();
            }
        });
    }

    fn cell(&mut self, ui: &mut Ui, run: &RunView, choice: &Choice, task: usize) {
        let score = run.learner(&choice.learner).and_then(|learner| learner.matrix.average_accuracy_after(task));
        let score = score.map_or_else(|| "-".into(), |score| format!("{:.0} %", 100.0 * score));
        let place = self.anchors.iter().position(|source| *source == choice.source);
        let text = place.map_or_else(|| score.clone(), |place| format!("{}. {score}", place + 1));
        let button = egui::Button::selectable(place.is_some(), text).min_size(egui::vec2(76.0, Theme::TARGET));
        let button = ui.add(button).on_hover_text(&choice.name);
        let (enabled, name) = (button.enabled(), format!("{} {score}", choice.name));
        button.widget_info(|| egui::WidgetInfo::selected(egui::Role::Button, enabled, place.is_some(), &name));
        if button.clicked() {
            match place {
                Some(place) => drop(self.anchors.remove(place)),
                None => self.anchors.push(choice.source.clone()),
            }
        }
    }

    fn shapes(&mut self, ui: &mut Ui, context: &Context<'_>) {
        let (_, name, help) = SHAPES.iter().find(|(name, ..)| *name == self.shape).unwrap_or(&SHAPES[0]);
        ui.horizontal(|ui| {
            let label = ui.label("Form");
            let list = ComboBox::from_id_salt("form of the path").selected_text(*name).width(180.0);
            let shown = list.show_ui(ui, |ui| {
                for (shape, name, help) in SHAPES {
                    ui.selectable_value(&mut self.shape, shape, name).on_hover_text(help);
                }
            });
            shown.response.labelled_by(label.id);
        });
        ui.label(RichText::new(*help).small().color(context.theme.muted()));
        if is_trained(self.shape) {
            ui.horizontal_wrapped(|ui| {
                number(ui, "Bends", DragValue::new(&mut self.bends).range(1..=7), "Trained points between the ends.");
                let steps = DragValue::new(&mut self.steps).range(1..=20_000).speed(5.0);
                number(ui, "Steps", steps, "Steps of training for the bends.");
                let rate = DragValue::new(&mut self.learning_rate).range(1e-6..=1.0).speed(1e-4).max_decimals(6);
                number(
                    ui,
                    "Learning rate",
                    rate,
                    "Of the bends. With a larger one they move farther and may get lost.",
                );
            });
        } else if self.anchors.len() == 2 && (self.shape == "line" || self.shape == "product") {
            ui.horizontal_wrapped(|ui| {
                let beyond = DragValue::new(&mut self.beyond).range(0.0..=2.0).speed(0.01).fixed_decimals(2);
                let help = "How far the line goes on beyond its ends, as a share of it.";
                number(ui, "Beyond the ends", beyond, help);
            });
        }
    }

    fn settings(&mut self, ui: &mut Ui) {
        ui.horizontal_wrapped(|ui| {
            let help = "Places along the path that are measured, ends included.";
            number(ui, "Points", DragValue::new(&mut self.points).range(2..=401), help);
            let help = "Scored examples of each task that every point is measured on.";
            number(ui, "Examples of each task", DragValue::new(&mut self.examples).range(1..=10_000), help);
        });
        ui.checkbox(&mut self.scores, "Measure the scores too")
            .on_hover_text("The tasks' own metrics as well as the losses. Takes longer where text is generated.");
    }

    fn quick_picks(&mut self, ui: &mut Ui, context: &mut Context<'_>, choices: &[Choice]) {
        let Some(run) = adapters::run_with_adapters(context.state) else { return };
        let learner = adapters::headline(run);
        ui.horizontal_wrapped(|ui| {
            let all = adapters::of_learner(choices, run.number, &learner);
            if ui
                .add_enabled(all.len() > 1, egui::Button::new("First to last task"))
                .on_hover_text("From the adapter after the first task of the shown run to the one after its last.")
                .clicked()
            {
                self.take_first_to_last(run, choices);
            }
            if ui
                .add_enabled(all.len() > 2, egui::Button::new("All checkpoints"))
                .on_hover_text("Straight from each task's adapter to the next one's, through all of the shown run.")
                .clicked()
            {
                self.anchors = all.iter().map(|choice| choice.source.clone()).collect();
                self.shape = "line";
            }
            let last = |learner: &str| adapters::of_learner(choices, run.number, learner).last().copied();
            let both = last("working").zip(last("long_term"));
            if ui
                .add_enabled(both.is_some(), egui::Button::new("Fast to slow learner"))
                .on_hover_text("From the fast learner after the last task to the slow one that followed it.")
                .on_disabled_hover_text("Only a method with two learners has both, such as I-LoRA.")
                .clicked()
                && let Some((fast, slow)) = both
            {
                self.anchors = vec![fast.source.clone(), slow.source.clone()];
            }
            control::show(ui, context, run, choices, &mut self.waiting, &mut self.anchors);
        });
    }
}

/// A labelled number.
pub fn number(ui: &mut Ui, label: &str, value: DragValue<'_>, help: &str) {
    ui.horizontal(|ui| {
        let label = ui.label(label).on_hover_text(help);
        ui.add(value).on_hover_text(help).labelled_by(label.id);
    });
}
