//! The adapters that a path or a plane can go through: those in the folders of all runs, and folders in PEFT's format that
//! people named. Learners of a run in progress are none of them: the engine measures when no run goes on.

use crate::engine::config::ExperimentConfig;
use crate::engine::protocol::AdapterSource;
use crate::ui::action::{Action, Purpose};
use crate::ui::panel::Context;
use crate::ui::state::AppState;
use crate::ui::state::run::RunView;
use egui::{ComboBox, Ui};

/// From this width on the form stands beside what it measured.
const BESIDE: f32 = 820.0;

/// An adapter to choose.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    pub source: AdapterSource,
    /// Number of its run.
    pub run: Option<usize>,
    /// The task after which it was written.
    pub task: Option<usize>,
    /// `working`, `long_term` or `model`; empty for a folder that people named.
    pub learner: String,
    /// Under this heading in the list.
    pub group: String,
    /// Unique within its group.
    pub name: String,
}

/// The short name of a learner among several.
#[must_use]
pub fn learner_name(learner: &str) -> &str {
    match learner {
        "working" => "fast learner",
        "long_term" => "slow learner",
        other => other,
    }
}

/// All that there is, run by run.
#[must_use]
pub fn choices(state: &AppState) -> Vec<Choice> {
    let mut all = Vec::new();
    for run in &state.runs {
        let group = group(run);
        for (task, learner, path) in &run.adapters {
            let after =
                run.report.tasks.get(*task).map_or_else(|| format!("task {}", task + 1), |task| task.name.clone());
            let name = match learner_name(learner) {
                "model" => format!("after {after}"),
                learner => format!("after {after}, {learner}"),
            };
            let source = AdapterSource::Folder { path: path.clone() };
            let learner = learner.clone();
            all.push(Choice { source, run: Some(run.number), task: Some(*task), learner, group: group.clone(), name });
        }
    }
    for path in &state.adapter_folders {
        let parts: Vec<&str> = path.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
        all.push(Choice {
            source: AdapterSource::Folder { path: path.clone() },
            run: None,
            task: None,
            learner: String::new(),
            group: "Opened folders".into(),
            name: parts[parts.len().saturating_sub(2)..].join("/"),
        });
    }
    all
}

fn group(run: &RunView) -> String {
    if run.title.is_empty() { format!("Run {}", run.number + 1) } else { run.title.clone() }
}

/// The choice that this adapter is.
#[must_use]
pub fn find<'a>(choices: &'a [Choice], source: &AdapterSource) -> Option<&'a Choice> {
    choices.iter().find(|choice| choice.source == *source)
}

/// Names for people and where the adapters are; the run is named where they come from several.
#[must_use]
pub fn named(choices: &[Choice], sources: &[AdapterSource]) -> Vec<(String, AdapterSource)> {
    let found: Vec<&Choice> = sources.iter().filter_map(|source| find(choices, source)).collect();
    let one_group = found.windows(2).all(|pair| pair[0].group == pair[1].group);
    let name = |choice: &&Choice| {
        let name = if one_group { choice.name.clone() } else { format!("{}: {}", choice.group, choice.name) };
        (name, choice.source.clone())
    };
    found.iter().map(name).collect()
}

/// The experiment whose model and tasks these adapters belong to: that of the first run among them, or the shown run's, or
/// the draft.
#[must_use]
pub fn experiment_of(state: &AppState, choices: &[Choice], sources: &[AdapterSource]) -> ExperimentConfig {
    let run = sources.iter().find_map(|source| state.run(find(choices, source)?.run?));
    run.or_else(|| state.selected_run()).map_or(&state.draft.config, |run| &run.experiment).clone()
}

/// The adapters of one learner of a run in the order of the tasks.
#[must_use]
pub fn of_learner<'a>(choices: &'a [Choice], run: usize, learner: &str) -> Vec<&'a Choice> {
    let mut found: Vec<&Choice> = choices
        .iter()
        .filter(|choice| choice.run == Some(run) && choice.learner == learner && choice.task.is_some())
        .collect();
    found.sort_by_key(|choice| choice.task);
    found
}

/// The run to begin with: the one that the panels show if it has adapters, or the last that has some.
#[must_use]
pub fn run_with_adapters(state: &AppState) -> Option<&RunView> {
    let has = |run: &&RunView| !run.adapters.is_empty();
    state.selected_run().filter(has).or_else(|| state.runs.iter().rev().find(has))
}

/// The learner that a run is judged by.
#[must_use]
pub fn headline(run: &RunView) -> String {
    let first = || run.adapters.first().map(|(_, learner, _)| learner.clone());
    run.report.headline_learner().map(|learner| learner.name.clone()).or_else(first).unwrap_or_default()
}

/// A labelled list of all adapters; says whether another one was chosen.
pub fn pick(ui: &mut Ui, label: &str, choices: &[Choice], chosen: &mut Option<AdapterSource>) -> bool {
    let present = chosen.as_ref().and_then(|source| find(choices, source));
    let several = choices.windows(2).any(|pair| pair[0].group != pair[1].group);
    let text = match present {
        Some(choice) if several => format!("{}: {}", choice.group, choice.name),
        Some(choice) => choice.name.clone(),
        None => "choose an adapter".into(),
    };
    let before = chosen.clone();
    ui.horizontal(|ui| {
        let label = ui.label(label);
        let width = ui.available_width().clamp(80.0, 380.0);
        let list =
            ComboBox::from_id_salt(("adapter", label.id)).selected_text(text).width(width).truncate().height(320.0);
        let shown = list.show_ui(ui, |ui| {
            for part in choices.chunk_by(|a, b| a.group == b.group) {
                if let (true, Some(first)) = (several, part.first()) {
                    ui.weak(&first.group);
                }
                for choice in part {
                    ui.selectable_value(chosen, Some(choice.source.clone()), &choice.name);
                }
            }
        });
        shown.response.labelled_by(label.id);
    });
    *chosen != before
}

/// Where people name folders in PEFT's format.
#[derive(Clone, Debug, Default)]
pub struct Folders {
    typed: String,
}

impl Folders {
    /// A button for the dialogue and a field for those who know the path.
    pub fn show(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        ui.horizontal_wrapped(|ui| {
            if ui.button("Open a PEFT folder...").on_hover_text("An adapter of another program or machine.").clicked() {
                context.actions.push(Action::Open(Purpose::AdapterFolder));
            }
            let label = ui.label("or its path");
            let field = egui::TextEdit::singleline(&mut self.typed)
                .hint_text("folder with adapter_config.json")
                .desired_width(ui.available_width().clamp(100.0, 220.0));
            let field = ui.add(field).labelled_by(label.id);
            let entered = field.lost_focus() && ui.input(|input| input.key_pressed(egui::Key::Enter));
            let path = self.typed.trim().to_string();
            let add = ui.add_enabled(!path.is_empty(), egui::Button::new("Add"));
            if (add.clicked() || entered) && !path.is_empty() {
                context.actions.push(Action::AddAdapterFolder(path));
                self.typed.clear();
            }
        });
    }
}

/// The parts of a panel that asks for adapters and shows what lies between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The form.
    Ask,
    /// How far the measurement is.
    Status,
    /// What was measured.
    Look,
}

/// The form beside what it measured where there is room, else above it under `heading`; `fold` closes it.
pub fn arrange(ui: &mut Ui, heading: &str, fold: bool, mut show: impl FnMut(&mut Ui, Part)) {
    if ui.available_width() >= BESIDE {
        ui.horizontal_top(|ui| {
            ui.vertical(|ui| {
                ui.set_width(300.0);
                show(ui, Part::Ask);
                show(ui, Part::Status);
            });
            ui.separator();
            ui.vertical(|ui| {
                ui.set_width(ui.available_width());
                show(ui, Part::Look);
            });
        });
    } else {
        let header = egui::CollapsingHeader::new(heading).default_open(true).open(fold.then_some(false));
        header.show_unindented(ui, |ui| show(ui, Part::Ask));
        show(ui, Part::Status);
        ui.separator();
        show(ui, Part::Look);
    }
}

/// What both panels say before there is an adapter.
pub fn nothing_yet(ui: &mut Ui, context: &mut Context<'_>, about: &str) {
    ui.vertical_centered(|ui| {
        ui.add_space(crate::ui::theme::Theme::GROUP_GAP);
        ui.heading("No adapters yet");
        ui.label(about);
        ui.label("A run writes one adapter after each task. Start a run, open one, or open a folder in PEFT's format.");
        ui.add_space(crate::ui::theme::Theme::GAP);
        if context.state.runs.is_empty() && ui.button("Watch it forget").clicked() {
            context.actions.push(Action::WatchItForget);
        }
        if ui.button("Open a run folder...").clicked() {
            context.actions.push(Action::Open(Purpose::RunFolder));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::sample;

    #[test]
    fn adapters_are_told_by_task_and_learner_and_by_run_where_there_are_several() {
        let mut state = sample::state();
        for (number, learner) in [(0, "model"), (1, "long_term")] {
            let path = |task: usize| format!("runs/{number}/{task}/{learner}");
            state.runs[number].adapters = [0, 7].map(|task| (task, learner.to_string(), path(task))).to_vec();
        }
        state.runs[0].title = "Plain".into();
        state.add_adapter_folder("/home/a/adapters/mine".into());
        state.add_adapter_folder("/home/a/adapters/mine".into());
        let all = choices(&state);
        let names: Vec<&str> = all.iter().map(|choice| choice.name.as_str()).collect();
        let expected =
            ["after stance", "after law", "after stance, slow learner", "after law, slow learner", "adapters/mine"];
        assert_eq!(names, expected);
        let of = |index: usize| all[index].source.clone();
        assert_eq!(named(&all, &[of(0), of(1)])[1].0, "after law");
        assert_eq!(named(&all, &[of(1), of(3)])[0].0, "Plain: after law");
        assert_eq!(experiment_of(&state, &all, &[of(4), of(0)]).methods, state.runs[0].experiment.methods);
        assert_eq!(of_learner(&all, 1, "long_term").len(), 2);
        assert!(find(&all, &AdapterSource::Base).is_none());
    }

    #[test]
    fn the_run_to_begin_with_has_adapters() {
        let mut state = sample::state();
        assert!(run_with_adapters(&state).is_none(), "nothing is written yet");
        state.runs[0].adapters = vec![(0, "model".into(), "a".into())];
        assert_eq!((state.selected, run_with_adapters(&state).map(|run| run.number)), (Some(1), Some(0)));
        assert_eq!(headline(&state.runs[1]), "long_term");
    }
}
