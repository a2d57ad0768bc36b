//! What the panel says at each stage of a run, and what its buttons do.

use super::live::{Fall, falls, full_row, live_row};
use super::*;
use crate::continual::metrics::AccuracyMatrix;
use crate::engine::protocol::{AdapterSource, Command, Event};
use crate::engine::report::{CurvePoint, StepReport};
use crate::engine::report_csv::matrix_csv;
use crate::ui::action::Export;
use crate::ui::sample;
use crate::ui::state::AppState;
use crate::ui::widgets::matrix::matrix_text;
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

/// The panel, what is known, what was done.
type Shown = (ForgettingPanel, AppState, Vec<Action>);

fn shown(state: AppState) -> Harness<'static, Shown> {
    let mut harness = Harness::builder().with_size([1000.0, 2200.0]).build_ui_state(
        |ui, (panel, state, actions): &mut Shown| {
            let theme = Theme::default();
            panel.show(ui, &mut Context { state, theme: &theme, actions, now_secs: 0.0 });
        },
        (ForgettingPanel::default(), state, Vec::new()),
    );
    harness.run();
    harness
}

fn click(harness: &mut Harness<'_, Shown>, label: &str) {
    harness.get_by_label(label).click();
    harness.run();
}

fn done(harness: &mut Harness<'_, Shown>) -> Vec<Action> {
    std::mem::take(&mut harness.state_mut().2)
}

/// I-LoRA in the middle of its fifth task, scored on a subset there.
fn going() -> AppState {
    let mut state = sample::state_after(3);
    let events = sample::run_events(1, "i_lora");
    let end = events.iter().position(|event| matches!(event, Event::Stepped { step, .. } if step.step > 340)).unwrap();
    for event in events.into_iter().take(end) {
        state.apply(event, 0.0);
    }
    for (learner, first) in [("working", 0.41), ("long_term", 0.9)] {
        let mut task_scores = vec![Some(0.93); 8];
        task_scores[0] = Some(first);
        let point = CurvePoint { step: 340, task_scores };
        state.apply(Event::CurvePointScored { run: 1, learner: learner.into(), point }, 0.0);
    }
    state
}

#[test]
fn before_any_run_it_says_what_will_be_here_and_starts_it() {
    let mut harness = shown(sample::state_after(1));
    harness.get_by_label("Here you will see what is forgotten");
    harness.get_by_label_contains("Accuracy matrix, nothing measured yet: 0 of 8 tasks learnt");
    click(&mut harness, "Watch it forget");
    assert_eq!(done(&mut harness), [Action::WatchItForget]);
}

#[test]
fn a_run_that_waits_leads_to_the_one_that_goes() {
    let mut state = going();
    let experiment = Box::new(sample::experiment("seq"));
    state.apply(Event::RunQueued { run: 7, method_label: "Seq".into(), experiment }, 0.0);
    state.selected = Some(7);
    let mut harness = shown(state);
    harness.get_by_label_contains("waits for its turn");
    click(&mut harness, "Show the run in progress");
    assert_eq!(done(&mut harness), [Action::Select(1)]);
}

#[test]
fn a_failure_is_told_with_its_reason() {
    let mut state = going();
    state.apply(Event::Failed { run: 1, message: "the loss is not finite".into() }, 0.0);
    let harness = shown(state);
    harness.get_by_label_contains("failed after 4 of 8 tasks: the loss is not finite");
    let mut early = sample::state_after(1);
    let experiment = Box::new(sample::experiment("seq"));
    early.apply(Event::RunQueued { run: 0, method_label: "Seq".into(), experiment }, 0.0);
    early.apply(Event::Failed { run: 0, message: "no such model".into() }, 0.0);
    let mut harness = shown(early);
    harness.get_by_label_contains("no such model");
    click(&mut harness, "Show the log");
    assert_eq!(done(&mut harness), [Action::Show(PanelKind::Log)]);
}

#[test]
fn while_it_learns_the_worst_falls_are_told_for_each_learner() {
    let harness = shown(going());
    harness.get_by_label("stance: 95 % when learnt, about 41 % now");
    harness.get_by_label("stance: 95 % when learnt, about 90 % now");
    harness.get_by_label("learning arithmetic, step 40 of 75");
    let matrices: Vec<_> = harness.get_all_by_label_contains("Accuracy matrix, ").collect();
    assert_eq!(matrices.len(), 2, "fast and slow side by side");
    assert!(matrices[0].rect().right() <= matrices[1].rect().left(), "beside each other");
}

#[test]
fn learners_are_stacked_where_it_is_narrow() {
    let mut harness = shown(going());
    harness.set_size(egui::vec2(400.0, 2200.0));
    harness.run();
    let areas: Vec<_> = harness.get_all_by_label_contains("Accuracy matrix, ").map(|node| node.rect()).collect();
    assert!(areas[0].bottom() <= areas[1].top() && areas.iter().all(|area| area.right() <= 400.0), "{areas:?}");
}

#[test]
fn an_evaluation_shows_how_far_it_is() {
    let mut state = going();
    state.apply(Event::PhaseStarted { phase: "evaluating".into(), detail: "after task 5".into() }, 0.0);
    state.apply(Event::EvaluationProgressed { run: 1, done: 30, total: 120 }, 0.0);
    let harness = shown(state);
    let bar = harness.get_by_role(egui::accesskit::Role::ProgressIndicator);
    assert_eq!(bar.accesskit_node().numeric_value(), Some(25.0));
}

#[test]
fn points_at_the_ends_of_tasks_are_told_from_those_on_a_subset() {
    let state = going();
    let run = state.run(1).unwrap();
    let learner = run.learner("working").unwrap();
    let rows: Vec<Option<usize>> =
        learner.curve.iter().filter(|point| point.step > 0).map(|point| full_row(learner, point)).collect();
    assert_eq!(rows, [Some(0), Some(1), Some(2), Some(3), None]);
    let live = live_row(run, learner).unwrap();
    assert_eq!((live.row, live.scores[0], live.going), (4, Some(0.41), true));
    let none = CurvePoint { step: 9, task_scores: vec![None; 8] };
    assert_eq!(full_row(learner, &none), None, "empty rows are like nothing measured");
}

#[test]
fn a_stopped_run_keeps_its_last_subset_and_a_finished_one_has_no_open_row() {
    let mut state = going();
    state.apply(Event::Stopped { run: 1, step: 340 }, 0.0);
    let run = state.run(1).unwrap();
    assert!(!live_row(run, run.learner("working").unwrap()).unwrap().going);
    let finished = sample::state();
    let run = finished.run(1).unwrap();
    assert!(live_row(run, run.learner("working").unwrap()).is_none());
}

#[test]
fn learning_all_tasks_at_once_fills_the_last_row() {
    let mut state = going();
    let run = state.runs.iter_mut().find(|run| run.number == 1).unwrap();
    let learner = &mut run.report.learners[0];
    learner.matrix = AccuracyMatrix::new(8);
    learner.curve.clear();
    run.last_step = Some(StepReport { step: 5, task_step: 5, task_steps: 600, ..StepReport::default() });
    assert_eq!(live_row(run, &run.report.learners[0]).unwrap().row, 7);
}

#[test]
fn falls_are_the_worst_first_and_a_task_that_got_better_is_none() {
    let mut matrix = AccuracyMatrix::new(4);
    for (row, scores) in [vec![0.9], vec![0.8, 0.7], vec![0.6, 0.75, 0.9]].into_iter().enumerate() {
        for (task, score) in scores.into_iter().enumerate() {
            matrix.set_score(row, task, score);
        }
    }
    let learner = LearnerReport { name: "model".into(), matrix, curve: Vec::new() };
    let told = falls(&learner, None);
    assert_eq!(told, [Fall { task: 0, learnt: 0.9, now: 0.6, subset: false }]);
    let subset = [Some(0.8), Some(0.2)];
    let live = crate::ui::widgets::matrix::LiveRow { row: 3, scores: &subset, going: true };
    let tasks: Vec<(usize, bool)> = falls(&learner, Some(&live)).iter().map(|fall| (fall.task, fall.subset)).collect();
    assert_eq!(tasks, [(1, true), (0, true)]);
}

#[test]
fn the_numbers_stand_on_tiles_and_explain_themselves() {
    let state = sample::state();
    let matrix = state.run(1).unwrap().learner("long_term").unwrap().matrix.clone();
    let mut harness = shown(state);
    let average = format!("{:.1} %", 100.0 * matrix.average_accuracy().unwrap());
    harness.get_by_label(&average);
    assert!(harness.query_by_label("1/T * sum over j of a(j, j)").is_none());
    click(&mut harness, "What is plasticity? (slow learner (long-term))");
    harness.get_by_label("1/T * sum over j of a(j, j)");
}

#[test]
fn a_number_that_is_not_known_yet_says_why() {
    // The first run after its first task: nothing can be forgotten yet.
    let events = sample::session().iter().position(|event| matches!(event, Event::CheckpointSaved { .. })).unwrap();
    let harness = shown(sample::state_after(events));
    assert_eq!(harness.get_all_by_label("it needs two learnt tasks").count(), 3);
    harness.get_by_label("One task learnt: there is nothing to forget yet.");
}

#[test]
fn the_curves_follow_the_chosen_learner_and_hide_tasks() {
    let mut harness = shown(sample::state());
    harness.get_by_label_contains("Scores of slow learner (long-term) over 600 steps");
    click(&mut harness, "fast learner");
    harness.get_by_label_contains("Scores of fast learner (working) over 600 steps");
    click(&mut harness, "Curve of finance");
    use egui::accesskit::Toggled;
    let toggled = |harness: &Harness<'_, Shown>, name: &str| harness.get_by_label(name).accesskit_node().toggled();
    assert_eq!(toggled(&harness, "Curve of finance"), Some(Toggled::False));
    assert_eq!(toggled(&harness, "Curve of law"), Some(Toggled::True));
}

#[test]
fn tables_and_pictures_leave_with_all_their_numbers() {
    let mut harness = shown(going());
    let choose = |harness: &mut Harness<'_, Shown>, item: &str| {
        click(harness, "Export");
        click(harness, item);
        done(harness).pop().unwrap()
    };
    let report = harness.state().1.run(1).unwrap().report.clone();
    let csv = Export::Text { name: "matrix-i-lora-seed-1.csv".into(), content: matrix_csv(&report) };
    assert_eq!(choose(&mut harness, "Matrix as table (CSV)"), Action::Export(csv));
    let Action::Export(Export::Text { name, content }) = choose(&mut harness, "Curves as table (CSV)") else {
        panic!()
    };
    assert_eq!(name, "curves-i-lora-seed-1.csv");
    assert!(content.starts_with("learner,step,scored,stance,finance,"), "{content}");
    assert!(content.contains("\nworking,300,all,") && content.contains("\nworking,340,subset,0.41,0.93,"), "{content}");
    let Action::Export(Export::Text { name, content }) =
        choose(&mut harness, "Picture of the slow learner (long-term) (SVG)")
    else {
        panic!()
    };
    assert_eq!(name, "matrix-i-lora-seed-1-long-term.svg");
    assert!(content.contains("I-LoRA, slow learner (long-term), after 4 of 8 tasks; model builtin, seed 1"));
    let Action::Export(Export::Picture { area, .. }) = choose(&mut harness, "What is shown (PNG)") else { panic!() };
    let matrices = harness.get_all_by_label_contains("Accuracy matrix, ").map(|node| node.rect());
    for rect in matrices {
        assert!(area[0] <= rect.left() && area[1] <= rect.top() && area[2] >= rect.right() && area[3] >= rect.bottom());
    }
    let text = matrix_text(&report.learners[0].matrix, &sample::TASKS);
    assert_eq!(choose(&mut harness, "Copy the fast learner (working) as text"), Action::Copy(text));
}

#[test]
fn other_runs_are_put_beside_it() {
    let mut harness = shown(sample::state());
    assert!(harness.query_by_label("Compared runs").is_none());
    click(&mut harness, "Compare");
    click(&mut harness, "Seq, seed 1");
    assert_eq!(done(&mut harness), [Action::Compare { run: 0, on: true }]);
    harness.state_mut().1.compared.insert(0);
    harness.run();
    harness.get_by_label_contains("Accuracy matrix, Seq, seed 1, Seq: 8 of 8 tasks learnt");
    let seq = harness.state().1.run(0).unwrap().report.learners[0].matrix.average_accuracy().unwrap();
    harness.get_by_label(&format!("{:.1} %", 100.0 * seq));
    click(&mut harness, "Hide Seq, seed 1");
    click(&mut harness, "Show Seq, seed 1");
    assert_eq!(done(&mut harness), [Action::Compare { run: 0, on: false }, Action::Select(0)]);
}

#[test]
fn the_difference_of_the_learners_is_worked_out() {
    let state = sample::state();
    let of = |name: &str| state.run(1).unwrap().learner(name).unwrap().matrix.average_accuracy().unwrap();
    let difference = format!("+{:.1} points", 100.0 * (of("long_term") - of("working")));
    let harness = shown(state);
    harness.get_by_label("slow learner minus fast learner");
    harness.get_by_label(&difference);
}

#[test]
fn a_chosen_row_tells_its_score_and_hands_out_its_adapter() {
    let mut state = sample::state();
    state.runs[1].adapters = vec![(1, "long_term".into(), "runs/x/adapters/task-2/long_term".into())];
    let mut harness = shown(state);
    click(&mut harness, "After finance, slow learner (long-term)");
    harness.get_by_label("slow learner (long-term): finance, just after learning it");
    click(&mut harness, "Export this adapter\u{2026}");
    let from = AdapterSource::Folder { path: "runs/x/adapters/task-2/long_term".into() };
    let command = Box::new(Command::ExportAdapter { from, path: String::new() });
    let name = "long-term-after-finance".into();
    assert_eq!(done(&mut harness), [Action::Export(Export::Command { name, command })]);
    click(&mut harness, "After law, slow learner (long-term)");
    assert!(harness.query_by_label("Export this adapter\u{2026}").is_none(), "that one is not at hand");
    harness.get_by_label("No adapter of this row is at hand.");
    click(&mut harness, "Close");
    assert!(harness.query_by_label("Close").is_none());
}

#[test]
fn the_adapters_of_a_finished_run_are_listed_on_demand() {
    let mut harness = shown(sample::state());
    click(&mut harness, "After finance, slow learner (long-term)");
    click(&mut harness, "List its adapters");
    let command = Command::OpenRuns { run: 1, folder: "runs/i_lora-seed1".into() };
    assert_eq!(done(&mut harness), [Action::Send(Box::new(command))]);
}

#[test]
fn a_run_without_scores_between_tasks_offers_them_for_the_next() {
    let mut harness = shown(going());
    click(&mut harness, "Score every 20 steps in the next run");
    let actions = done(&mut harness);
    let [Action::Edit { what, draft }] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!((what.as_str(), draft.evaluation.every_steps), ("scoring interval", 20));
}

#[test]
fn another_mode_shows_other_numbers_of_the_same_cells() {
    let mut harness = shown(sample::state());
    harness.get_by_label_contains("The bar in a cell is its score");
    click(&mut harness, "Change since learnt");
    harness.get_by_label_contains("Points gained or lost since the task was learnt");
    assert_eq!(harness.state().0.mode, MatrixMode::SinceLearnt);
}

#[test]
fn curves_are_computed_once_for_what_is_known_and_again_for_what_is_new() {
    let mut harness = shown(going());
    let length = |harness: &Harness<'_, Shown>| harness.state().0.curves.known_points();
    assert_eq!(length(&harness), Some(6));
    let point = CurvePoint { step: 345, task_scores: vec![Some(0.5); 8] };
    harness.state_mut().1.apply(Event::CurvePointScored { run: 1, learner: "long_term".into(), point }, 0.0);
    harness.run();
    assert_eq!(length(&harness), Some(7));
}
