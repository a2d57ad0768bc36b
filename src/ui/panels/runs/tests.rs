//! The panel driven by its accessible names, as by a screen reader: what is clicked becomes the right action.

use super::*;
use crate::engine::config::{ExperimentConfig, MethodConfig};
use crate::engine::protocol::{AdapterSource, Command, Event, Level};
use crate::ui::action::{Export, Purpose};
use crate::ui::sample;
use crate::ui::state::AppState;
use crate::ui::state::draft::Draft;
use crate::ui::state::run::RunStatus;
use egui_kittest::{Harness, kittest::Queryable as _};

const SIZE: [f32; 2] = [1_300.0, 1_100.0];

struct Scene {
    panel: RunsPanel,
    state: AppState,
    actions: Vec<Action>,
}

fn harness(state: AppState) -> Harness<'static, Scene> {
    let scene = Scene { panel: RunsPanel::default(), state, actions: Vec::new() };
    let mut harness = Harness::builder().with_size(SIZE).build_ui_state(
        |ui, scene: &mut Scene| {
            let theme = Theme::default();
            let Scene { panel, state, actions } = scene;
            panel.show(ui, &mut Context { state, theme: &theme, actions, now_secs: 0.0 });
        },
        scene,
    );
    harness.run_steps(4);
    harness
}

/// Clicks one after the other, with time for menus to open, and gives what was asked for.
fn clicked(harness: &mut Harness<'static, Scene>, labels: &[&str]) -> Vec<Action> {
    for label in labels {
        harness.get_by_label(label).click();
        harness.run_steps(3);
    }
    std::mem::take(&mut harness.state_mut().actions)
}

/// Two finished runs, one that stopped, one that failed and two that wait.
fn busy() -> AppState {
    let mut state = sample::state();
    for (run, seed) in [(2, 7), (3, 8), (4, 9), (5, 10)] {
        let experiment = Box::new(ExperimentConfig { seed, ..sample::experiment("seq") });
        state.apply(Event::RunQueued { run, method_label: "Seq".into(), experiment }, 0.0);
    }
    for run in [2, 3] {
        let folder = Some(format!("runs/seq-{run}"));
        let report = Some(Box::new(sample::report("seq")));
        let begun = Event::RunStarted {
            run,
            runs: 1,
            method_label: "Seq".into(),
            tasks: Vec::new(),
            steps_done: 0,
            steps_total: 600,
            folder,
            report,
        };
        state.apply(begun, 0.0);
        state.apply(Event::CheckpointSaved { run, step: 75 }, 0.0);
    }
    state.apply(Event::Stopped { run: 2, step: 80 }, 0.0);
    state.apply(Event::Failed { run: 3, message: "the loss is no number".into() }, 0.0);
    state
}

fn send(command: Command) -> Action {
    Action::Send(Box::new(command))
}

#[test]
fn an_empty_panel_offers_the_first_steps() {
    let mut harness = harness(AppState::default());
    assert_eq!(clicked(&mut harness, &["Watch it forget"]), [Action::WatchItForget]);
    assert_eq!(clicked(&mut harness, &["Open run folder"]), [Action::Open(Purpose::RunFolder)]);
    assert_eq!(clicked(&mut harness, &["Open capsule"]), [Action::Open(Purpose::Capsule)]);
}

#[test]
fn runs_are_selected_and_compared() {
    let mut harness = harness(sample::state());
    assert_eq!(clicked(&mut harness, &["Seq, seed 1"]), [Action::Select(0)]);
    assert_eq!(clicked(&mut harness, &["Compare Seq, seed 1"]), [Action::Compare { run: 0, on: true }]);
    harness.state_mut().state.compared.insert(0);
    harness.run_steps(2);
    assert_eq!(clicked(&mut harness, &["Compare Seq, seed 1"]), [Action::Compare { run: 0, on: false }]);
    // both are shown now
    for name in ["Curve Seq, seed 1", "Curve I-LoRA, seed 1"] {
        assert_eq!(harness.query_all_by_label(name).count(), 2, "{name}: in both plots");
    }
}

#[test]
fn what_waits_is_removed_and_what_stopped_goes_on() {
    let mut harness = harness(busy());
    assert_eq!(clicked(&mut harness, &["Remove Seq, seed 9 from the queue"]), [send(Command::Unqueue { run: 4 })]);
    let resume = |run: usize| send(Command::ResumeRun { run, folder: format!("runs/seq-{run}") });
    assert_eq!(clicked(&mut harness, &["Resume Seq, seed 7"]), [resume(2)]);
    assert_eq!(clicked(&mut harness, &["Actions for Seq, seed 8", "Resume"]), [resume(3)]);
    assert_eq!(
        clicked(&mut harness, &["Actions for Seq, seed 10", "Remove from the queue"]),
        [send(Command::Unqueue { run: 5 })]
    );
    assert!(harness.query_by_label("Resume Seq, seed 1").is_none(), "a finished run has no end to reach");
}

#[test]
fn a_title_is_written_in_its_place() {
    let mut harness = harness(sample::state());
    assert!(clicked(&mut harness, &["Actions for Seq, seed 1", "Rename"]).is_empty());
    let field = "New title of Seq, seed 1";
    assert!(harness.get_by_label(field).is_focused());
    let typed = |harness: &mut Harness<'static, Scene>, text: &str, key: egui::Key| {
        harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
        harness.run_steps(1);
        harness.get_by_label(field).type_text(text);
        harness.run_steps(1);
        harness.key_press(key);
        harness.run_steps(2);
        std::mem::take(&mut harness.state_mut().actions)
    };
    let renamed = Command::RenameRun { run: 0, folder: "runs/seq-seed1".into(), title: "baseline".into() };
    assert_eq!(typed(&mut harness, " baseline ", egui::Key::Enter), [send(renamed)]);
    assert!(harness.query_by_label(field).is_none());
    clicked(&mut harness, &["Actions for Seq, seed 1", "Rename"]);
    assert_eq!(typed(&mut harness, "dropped", egui::Key::Escape), []);
    clicked(&mut harness, &["Actions for Seq, seed 1", "Rename"]);
    let answer = typed(&mut harness, "  ", egui::Key::Enter);
    assert!(matches!(&answer[..], [Action::Toast { level: Level::Warning, .. }]), "{answer:?}");
}

#[test]
fn only_runs_with_a_folder_are_renamed_and_saved_as_capsules() {
    let mut state = sample::state();
    state.runs[0].folder = None;
    let mut harness = harness(state);
    assert_eq!(clicked(&mut harness, &["Actions for Seq, seed 1", "Rename"]), []);
    assert!(harness.query_by_label("New title of Seq, seed 1").is_none());
    harness.key_press(egui::Key::Escape);
    harness.run_steps(2);
    assert_eq!(clicked(&mut harness, &["Export Seq, seed 1", "Capsule (.thalweg)"]), []);
}

#[test]
fn deleting_is_asked_for_but_not_while_a_run_goes_on() {
    let mut harness = harness(sample::state());
    assert_eq!(clicked(&mut harness, &["Actions for I-LoRA, seed 1", "Delete…"]), [Action::Delete(1)]);
    harness.state_mut().state.runs[1].status = RunStatus::Running;
    harness.run_steps(2);
    assert_eq!(clicked(&mut harness, &["Actions for I-LoRA, seed 1", "Delete…"]), []);
}

#[test]
fn a_run_is_exported_in_every_form() {
    let mut state = sample::state();
    state.runs[1].adapters = vec![
        (0, "working".into(), "runs/i/adapters/01-stance/working".into()),
        (1, "long_term".into(), "runs/i/adapters/02-finance/long_term".into()),
    ];
    let mut harness = harness(state);
    let menu = "Export I-LoRA, seed 1";
    let text = |actions: Vec<Action>| match <[Action; 1]>::try_from(actions) {
        Ok([Action::Export(Export::Text { name, content })]) => (name, content),
        other => panic!("{other:?}"),
    };
    for (entry, file, holds) in [
        ("Metrics of every step (CSV)", "i-lora-seed-1-metrics.csv", "loss_consistency"),
        ("Accuracy matrices (CSV)", "i-lora-seed-1-matrix.csv", "long_term,law,8"),
        ("Accuracy matrix (SVG)", "i-lora-seed-1-matrix.svg", "thalweg demo"),
        ("Report (HTML)", "i-lora-seed-1-report.html", "I-LoRA ends at"),
        ("Settings (TOML)", "i-lora-seed-1-config.toml", "methods = [\"i_lora\"]"),
    ] {
        let (name, content) = text(clicked(&mut harness, &[menu, entry]));
        assert_eq!(name, file);
        assert!(content.contains(holds), "{entry}: {content}");
    }
    let capsule = Command::SaveCapsule { run: 1, folder: "runs/i_lora-seed1".into(), path: String::new() };
    let export = Export::Command { name: "i-lora-seed-1.thalweg".into(), command: Box::new(capsule) };
    assert_eq!(clicked(&mut harness, &[menu, "Capsule (.thalweg)"]), [Action::Export(export)]);
    let from = AdapterSource::Folder { path: "runs/i/adapters/02-finance/long_term".into() };
    let command = Box::new(Command::ExportAdapter { from, path: String::new() });
    let export = Export::Command { name: "i-lora-seed-1-02-long-term".into(), command };
    let chosen = clicked(&mut harness, &[menu, "Adapter (PEFT)", "After task 2 finance, slow learner"]);
    assert_eq!(chosen, [Action::Export(export)]);
    let copied = clicked(&mut harness, &["Actions for I-LoRA, seed 1", "Copy command line"]);
    assert_eq!(copied, [Action::Copy("thalweg demo".into())]);
}

#[test]
fn a_comparison_is_exported() {
    let mut state = sample::state();
    state.compared.insert(0);
    let mut harness = harness(state);
    let menu = "Export the comparison";
    for (entry, file) in [
        ("Numbers (CSV)", "comparison.csv"),
        ("Curves (SVG)", "comparison.svg"),
        ("Report of these runs (HTML)", "comparison.html"),
    ] {
        let actions = clicked(&mut harness, &[menu, entry]);
        let [Action::Export(Export::Text { name, content })] = &actions[..] else { panic!("{actions:?}") };
        assert_eq!(name, file);
        assert!(content.contains("Seq") && content.contains("I-LoRA"), "{entry}");
    }
    let area = [0.0, 0.0, SIZE[0], SIZE[1]];
    let actions = clicked(&mut harness, &[menu, "What is shown (PNG)"]);
    let [Action::Export(Export::Picture { area: found, .. })] = &actions[..] else { panic!("{actions:?}") };
    assert!(found.iter().zip(area).all(|(found, whole)| (found - whole).abs() < 12.0), "{found:?}");
}

#[test]
fn the_draft_is_queued_again_with_the_next_seeds() {
    let mut state = sample::state();
    let methods = ["seq", "i_lora"].map(|name| MethodConfig::Name(name.into()));
    state.draft = Draft::new(ExperimentConfig { seed: 40, methods: methods.into(), ..ExperimentConfig::default() });
    let draft = state.draft.config.clone();
    let mut harness = harness(state);
    let start = |run: usize, seed: u64| {
        send(Command::Start { run, experiment: Box::new(ExperimentConfig { seed, ..draft.clone() }) })
    };
    assert_eq!(clicked(&mut harness, &["Queue"]), [start(2, 41), start(4, 42), start(6, 43)]);
    harness.state_mut().state.draft.config.tasks.clear();
    harness.run_steps(2);
    assert_eq!(clicked(&mut harness, &["Queue"]), [], "a draft that cannot run is not queued");
}

#[test]
fn columns_sort_both_ways_and_back() {
    let mut harness = harness(busy());
    let order = |harness: &Harness<'static, Scene>| -> Vec<usize> {
        let mut rows: Vec<(f32, usize)> = harness
            .state()
            .state
            .runs
            .iter()
            .map(|run| (harness.get_by_label(&format!("Actions for {}", run.title)).rect().top(), run.number))
            .collect();
        rows.sort_by(|one, two| one.0.total_cmp(&two.0));
        rows.into_iter().map(|(_, number)| number).collect()
    };
    assert_eq!(order(&harness), [0, 1, 2, 3, 4, 5]);
    clicked(&mut harness, &["Sort by average accuracy"]);
    assert_eq!(order(&harness), [0, 1, 2, 3, 4, 5], "what has no score comes last");
    clicked(&mut harness, &["Sort by average accuracy"]);
    assert_eq!(order(&harness), [1, 0, 2, 3, 4, 5]);
    clicked(&mut harness, &["Sort by average accuracy"]);
    clicked(&mut harness, &["Sort by seed", "Sort by seed"]);
    assert_eq!(order(&harness), [5, 4, 3, 2, 0, 1]);
    clicked(&mut harness, &["Sort by seed"]);
    assert_eq!(order(&harness), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn changed_settings_stand_under_the_title() {
    let mut state = sample::state();
    state.runs[1].experiment.training.learning_rate = 0.01;
    let mut harness = harness(state);
    harness.get_by_label("method i_lora");
    harness.get_by_label("learning_rate 0.01");
    clicked(&mut harness, &["Actions for I-LoRA, seed 1", "Compare all settings with this run"]);
    harness.get_by_label("method seq");
    harness.get_by_label("learning_rate 0.003");
}

#[test]
fn a_failed_run_says_why() {
    let mut state = busy();
    state.selected = Some(3);
    let harness = harness(state);
    harness.get_by_label("Seq, seed 8 failed: the loss is no number");
}

#[test]
fn two_thousand_runs_are_drawn_in_little_time() {
    let mut state = sample::state();
    for run in 2..2_000 {
        let experiment = Box::new(ExperimentConfig { seed: run as u64, ..sample::experiment("seq") });
        state.apply(Event::RunQueued { run, method_label: "Seq".into(), experiment }, 0.0);
    }
    let mut harness = harness(state);
    let rows = harness.query_all_by_label_contains("Actions for").count();
    assert!((4..20).contains(&rows), "only what can be seen is drawn: {rows} rows");
    let before = crate::platform::now_secs();
    harness.run_steps(10);
    let each = (crate::platform::now_secs() - before) / 10.0;
    // the stand-in for a few milliseconds of an optimised build; a table that draws every row takes seconds
    assert!(each < 0.25, "{each} s");
}
