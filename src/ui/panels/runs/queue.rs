//! Above the table: opening runs, and queueing the draft again with further seeds.

use crate::engine::config::ExperimentConfig;
use crate::engine::protocol::{Command, Level};
use crate::ui::action::{Action, Purpose};
use crate::ui::panel::Context;
use crate::ui::state::AppState;
use crate::ui::state::run::RunStatus;
use egui::{Button, DragValue, RichText, Ui};

/// Most seeds that are queued at once.
const MOST_SEEDS: usize = 20;

/// How many seeds somebody wants.
pub struct SeedForm {
    seeds: usize,
}

impl Default for SeedForm {
    fn default() -> Self {
        Self { seeds: 3 }
    }
}

impl SeedForm {
    pub fn show(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        let state = context.state;
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new(tally(state)).color(context.theme.muted()));
            open_buttons(ui, context);
            ui.separator();
            let label = ui.label("Queue the draft again with");
            let field = DragValue::new(&mut self.seeds).range(1..=MOST_SEEDS);
            ui.add(field).labelled_by(label.id).on_hover_text("How many more seeds");
            let text = if self.seeds == 1 { "more seed" } else { "more seeds" };
            ui.label(text);
            let experiments = with_seeds(&state.draft.config, self.seeds);
            let wrong = state.draft.config.check().err().map(|error| error.to_string());
            let button = ui.add_enabled(wrong.is_none(), Button::new("Queue"));
            let button = button.on_hover_text(promise(state, &experiments));
            let button = match wrong {
                Some(reason) => button.on_disabled_hover_text(reason),
                None => button,
            };
            if button.clicked() {
                queue(context, experiments);
            }
        });
    }
}

/// Opens runs of other sessions and other machines.
pub fn open_buttons(ui: &mut Ui, context: &mut Context<'_>) {
    if ui.button("Open run folder").on_hover_text("A run's folder, or a folder of such folders").clicked() {
        context.actions.push(Action::Open(Purpose::RunFolder));
    }
    let about = "A whole run in one .thalweg file, to look at: curves, buffer, adapters, settings. It needs no model.";
    if ui.button("Open capsule").on_hover_text(about).clicked() {
        context.actions.push(Action::Open(Purpose::Capsule));
    }
}

/// How many runs there are and how many wait.
fn tally(state: &AppState) -> String {
    let queued = state.runs.iter().filter(|run| run.status == RunStatus::Queued).count();
    let runs = state.runs.len();
    let all = if runs == 1 { "1 run".to_string() } else { format!("{runs} runs") };
    if queued == 0 { all } else { format!("{all}, {queued} queued") }
}

/// The draft with each of the next seeds; fewer where there are no more numbers.
fn with_seeds(draft: &ExperimentConfig, seeds: usize) -> Vec<ExperimentConfig> {
    (1..=seeds as u64)
        // a frozen configuration is TOML, which has no larger whole numbers
        .filter_map(|more| draft.seed.checked_add(more).filter(|seed| i64::try_from(*seed).is_ok()))
        .map(|seed| ExperimentConfig { seed, ..draft.clone() })
        .collect()
}

/// What the button will do.
fn promise(state: &AppState, experiments: &[ExperimentConfig]) -> String {
    let label = |name: &str| state.catalogue.method(name).map_or_else(|| name.to_string(), |card| card.label.clone());
    let methods: Vec<String> = state.draft.config.methods.iter().map(|method| label(method.name())).collect();
    let seeds: Vec<String> = experiments.iter().map(|experiment| experiment.seed.to_string()).collect();
    format!(
        "{} runs: {} with seed {}. The draft's own seed is {}.",
        methods.len() * seeds.len(),
        super::figures::listed(&methods),
        super::figures::listed(&seeds),
        state.draft.config.seed
    )
}

fn queue(context: &mut Context<'_>, experiments: Vec<ExperimentConfig>) {
    if experiments.is_empty() {
        let message = "There is no larger seed than the draft's: choose a smaller one.".to_string();
        context.actions.push(Action::Toast { level: Level::Warning, message });
    }
    let mut run = context.state.next_run_number();
    for experiment in experiments {
        let methods = experiment.methods.len();
        context.send(Command::Start { run, experiment: Box::new(experiment) });
        run += methods;
    }
}
