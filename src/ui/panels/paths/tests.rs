//! The panel by its labels: what it sends, when, and what it says of what comes back.

mod again;

use super::stage::{self, folder, path};
use super::*;
use crate::engine::landscape_report::{BarrierLine, GainLine, PathMark, PathPoint};
use crate::engine::protocol::{AdapterSource, Event, MarkedExample};
use crate::ui::sample;
use egui::accesskit::Role;
use egui_kittest::{Harness, kittest::Queryable as _};

type World = crate::ui::panels::paths::stage::World<PathsPanel>;

fn harness(world: World) -> Harness<'static, World> {
    stage::harness(world, [1100.0, 1500.0])
}

/// Mean losses 2, 3, 5, 3, 1 over five points: a barrier of 3.5 in the middle. Task 1 has a hole where it is asked for.
fn report(hole: Option<usize>) -> PathReport {
    let mean = [2.0, 3.0, 5.0, 3.0, 1.0];
    let points = mean.iter().enumerate().map(|(index, mean)| {
        let other = if hole == Some(index) { f64::NAN } else { mean + 0.5 };
        PathPoint {
            t: index as f64 / 4.0,
            arc_length: index as f64,
            losses: vec![Some(mean - 0.5), Some(other)],
            scores: vec![Some(0.5), Some(0.25 * index as f64)],
            ..PathPoint::default()
        }
    });
    // As the engine judges it: the first of three curves of one form, and no barrier without an end.
    let ends_known = |task: usize| task == 1 || !matches!(hole, Some(0 | 4));
    let tasks = [None, Some("stance"), Some("law")];
    let barriers = tasks.into_iter().enumerate().map(|(index, task)| BarrierLine {
        task: task.map(String::from),
        entezari: ends_known(index).then_some(3.5),
        entezari_at: ends_known(index).then_some(0.5),
        frankle: ends_known(index).then_some(3.25),
        frankle_at: ends_known(index).then_some(0.5),
        holes: index != 1 && hole.is_some(),
    });
    PathReport {
        kind: "line".into(),
        barriers: barriers.collect(),
        planned: 5,
        ends: vec!["after stance".into(), "after law".into()],
        points: points.collect(),
        tasks: vec!["stance".into(), "law".into()],
        gain: Some(GainLine { gain: 0.063, at_t: 0.75 }),
        marks: vec![PathMark { name: "somewhere".into(), t: 0.3 }],
        ..PathReport::default()
    }
}

fn measured(world: &mut World, id: u64, report: PathReport, done: bool) {
    world.state.apply(Event::PathMeasured { id, report: Box::new(report), done }, world.now_secs);
}

/// A window in which one path was asked for and told.
fn with_path(report: PathReport) -> Harness<'static, World> {
    let mut harness = harness(World::new());
    harness.get_by_label("Measure the path").click();
    harness.run();
    measured(harness.state_mut(), FIRST_NUMBER, report, true);
    harness.state_mut().actions.clear();
    harness.run();
    harness
}

#[test]
fn measuring_sends_the_chosen_ends_and_form() {
    let mut harness = harness(World::new());
    // Proposed: the slow learner's way through the shown run, which is I-LoRA's.
    harness.get_by_label("Measure the path").click();
    harness.run();
    let sent = harness.state_mut().commands();
    let [Command::MeasurePath { id, path, experiment }] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!((*id, path.shape.as_str(), path.points, path.bends), (FIRST_NUMBER, "line", 26, 0));
    let sources: Vec<AdapterSource> = path.anchors.iter().map(|(_, source)| source.clone()).collect();
    assert_eq!(sources, [folder(1, 0, "long_term"), folder(1, 7, "long_term")]);
    assert_eq!(experiment.methods, harness.state().state.runs[1].experiment.methods);

    harness.get_by_role_and_label(Role::ComboBox, "To").click();
    harness.run();
    harness.get_by_label("after science, fast learner").scroll_to_me();
    harness.run();
    harness.get_by_label("after science, fast learner").click();
    harness.run();
    harness.get_by_role_and_label(Role::ComboBox, "Form").click();
    harness.run();
    harness.get_by_label("Bezier curve").click();
    harness.run();
    harness.get_by_label("Swap").click();
    harness.run();
    harness.get_by_label("Measure the path").click();
    harness.run();
    let sent = harness.state_mut().commands();
    let [Command::MeasurePath { id, path, .. }] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!((*id, path.shape.as_str(), path.bends, path.steps), (FIRST_NUMBER + 1, "bezier", 1, 200));
    assert_eq!(path.anchors[0], ("after science, fast learner".into(), folder(1, 3, "working")));
    assert_eq!(path.anchors[1], ("after stance, slow learner".into(), folder(1, 0, "long_term")));
}

#[test]
fn quick_picks_choose_chains_and_learners_and_refuse_what_does_not_go() {
    let mut harness = harness(World::new());
    harness.get_by_label("All checkpoints").click();
    harness.run();
    harness.get_by_label("Measure the path").click();
    harness.run();
    let sent = harness.state_mut().commands();
    let [Command::MeasurePath { path, .. }] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!((path.anchors.len(), path.shape.as_str()), (8, "line"));

    harness.get_by_role_and_label(Role::ComboBox, "Form").click();
    harness.run();
    harness.get_by_label("great circle (slerp)").click();
    harness.run();
    assert!(harness.query_by_label_contains("joins two adapters, and 8 are chosen").is_some());
    harness.get_by_label("Measure the path").click();
    harness.run();
    assert_eq!(harness.state_mut().commands(), []);

    harness.get_by_label("Fast to slow learner").click();
    harness.run();
    harness.get_by_label("Measure the path").click();
    harness.run();
    let sent = harness.state_mut().commands();
    let [Command::MeasurePath { path, .. }] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!(path.anchors[0].1, folder(1, 7, "working"));
    assert_eq!((&path.anchors[1].1, path.shape.as_str()), (&folder(1, 7, "long_term"), "slerp"));
}

#[test]
fn the_table_adds_and_removes_adapters() {
    let mut harness = harness(World::new());
    harness.get_by_label("Pick in the table").click();
    harness.run();
    harness.get_by_label("Clear").click();
    harness.run();
    assert!(harness.query_by_label_contains("Choose two adapters").is_some());
    for name in
        ["after law, fast learner", "after medicine, slow learner", "after law, fast learner", "after stance, fast"]
    {
        harness
            .get_by(|node| node.role() == Role::Button && node.label().is_some_and(|label| label.starts_with(name)))
            .click();
        harness.run();
    }
    assert_eq!(harness.state().panel.form.anchors, [folder(1, 6, "long_term"), folder(1, 0, "working")]);
}

#[test]
fn an_independent_control_uses_another_seed_or_queues_one() {
    let mut harness = harness(World::new());
    harness.get_by_label("Independent control").click();
    harness.run();
    harness.get_by_label("Learn the first task again, and measure").click();
    harness.run();
    let world = harness.state_mut();
    let [Action::Edit { draft, .. }, Action::StartDraft, Action::Undo] = world.actions.as_slice() else {
        panic!("{:?}", world.actions)
    };
    assert_eq!((draft.seed, draft.tasks.len(), draft.methods.len()), (2, 1, 1));
    let draft = draft.clone();
    world.actions.clear();
    // While it goes on nothing is measured; when it is over the path is, on the task that both learnt.
    for event in sample::run_events(2, "i_lora") {
        world.state.apply(event, 0.0);
    }
    let run = world.state.runs.iter_mut().find(|run| run.number == 2).unwrap();
    run.experiment = *draft;
    run.status = crate::ui::state::run::RunStatus::Running;
    run.adapters = vec![(0, "long_term".into(), path(2, 0, "long_term"))];
    world.state.selected = Some(1);
    harness.run();
    assert_eq!(harness.state_mut().commands(), []);
    let run = harness.state_mut().state.runs.iter_mut().find(|run| run.number == 2).unwrap();
    run.status = crate::ui::state::run::RunStatus::Finished;
    harness.run();
    let ends = [folder(1, 0, "long_term"), folder(2, 0, "long_term")];
    let measures = |sent: Vec<Command>| {
        let [Command::MeasurePath { path, experiment, .. }] = sent.as_slice() else { panic!("{sent:?}") };
        let sources: Vec<AdapterSource> = path.anchors.iter().map(|(_, source)| source.clone()).collect();
        assert_eq!((sources.as_slice(), path.shape.as_str(), experiment.tasks.len()), (&ends[..], "line", 1));
    };
    let sent = harness.state_mut().commands();
    measures(sent);
    harness.run();
    assert_eq!(harness.state_mut().commands(), [], "once");
    // With both there it is one click as well; a measurement that goes on would not be asked for twice.
    measured(harness.state_mut(), FIRST_NUMBER, report(None), true);
    harness.run();
    harness.state_mut().actions.clear();
    harness.get_by_label("Independent control").click();
    harness.run();
    harness.get_by_label("Measure between the two runs that are there").click();
    harness.run();
    let sent = harness.state_mut().commands();
    measures(sent);
}

#[test]
fn the_barrier_is_told_where_it_is_and_holes_make_it_a_lower_bound() {
    let harness = with_path(report(None));
    harness.get_by_label("Barrier of the mean loss: 3.500 at t = 0.50.");
    harness.get_by_label("Best mean score inside: at t = 0.75, 6.3 points above the better end.");
    assert!(harness.query_by_label_contains("no finite mean loss").is_none());
    drop(harness);
    let harness = with_path(report(Some(1)));
    harness.get_by_label("Barrier of the mean loss: at least 3.500 at t = 0.50.");
    assert!(harness.query_by_label_contains("1 of 5 points have no finite mean loss").is_some());
    drop(harness);
    let harness = with_path(report(Some(0)));
    harness.get_by_label("No barrier can be given: the loss of an end is missing.");
}

/// A NaN, an empty report and a report without tasks are drawn too.
#[test]
fn broken_reports_do_no_harm() {
    let mut wild = report(Some(2));
    wild.points[1].t = f64::NAN;
    wild.points[3].losses.clear();
    wild.points[4].scores = vec![Some(f64::INFINITY); 5];
    with_path(wild);
    with_path(PathReport::default());
    with_path(PathReport { tasks: vec!["a".into(); 3], points: vec![PathPoint::default()], ..PathReport::default() });
}

#[test]
fn a_slider_at_rest_asks_once_for_texts_and_marks() {
    let mut harness = with_path(report(None));
    let prompt = harness.get_by_label("Prompt 1").value().unwrap();
    assert_eq!(prompt, "stance: the fee is fair", "proposed from the first task's examples");
    harness.get_by_role_and_label(Role::Slider, "place on the path, t").focus();
    harness.run();
    harness.state_mut().now_secs = 10.0;
    for _ in 0..30 {
        harness.key_press(egui::Key::ArrowRight);
        harness.step();
    }
    assert!((harness.state().panel.walk.t - 0.3).abs() < 1e-9, "{}", harness.state().panel.walk.t);
    harness.state_mut().now_secs = 10.2;
    harness.step();
    assert_eq!(harness.state_mut().commands(), [], "it has not rested yet");
    harness.state_mut().now_secs = 10.26;
    harness.step();
    let sent = harness.state_mut().commands();
    let [generate, Command::Mark { id: start, source: first, examples, .. }, Command::Mark { id: here, source, .. }] =
        sent.as_slice()
    else {
        panic!("{sent:?}")
    };
    let at = |t: f64| AdapterSource::OnPath { path: FIRST_NUMBER, t };
    let Command::Generate { id, prompt, sources, .. } = generate else { panic!("{generate:?}") };
    assert_eq!(
        (prompt.as_str(), sources.as_slice()),
        ("stance: the fee is fair", &[at(harness.state().panel.walk.t)][..])
    );
    assert_eq!((first, examples.len(), source == &sources[0]), (&at(0.0), 6, true));
    assert!([*id, *start, *here].iter().all(|id| *id > 3_000_000) && start != here && id != start);
    harness.state_mut().now_secs = 20.0;
    harness.step();
    assert_eq!(harness.state_mut().commands(), [], "once");

    // The answer streams in; a move stops it, and the old words stay until new ones come.
    let (id, start, here) = (*id, *start, *here);
    harness
        .state_mut()
        .state
        .apply(Event::Generated { id, source: 0, text: "a fair one".into(), done: false, tokens_per_sec: 9.0 }, 20.0);
    let mark = |task: usize, score: f64, prediction: &str| MarkedExample {
        task,
        example: 0,
        prompt: "the fee".into(),
        answer: "yes".into(),
        prediction: prediction.into(),
        score,
    };
    let events = [
        (start, vec![mark(0, 1.0, "yes"), mark(1, 0.0, "no")]),
        (here, vec![mark(0, 0.0, "maybe"), mark(1, 0.0, "no")]),
    ];
    for (id, examples) in events {
        harness.state_mut().state.apply(Event::Marked { id, examples }, 20.0);
    }
    harness.run();
    harness.get_by_label("a fair one");
    harness.get_by_label("0 of 2 right. Since t = 0: 0 won, 1 lost.");
    harness.get_by_label("stance 1: wrong, was right at t = 0");
    harness.get_by_label("law 1: wrong");
    harness.get_by_label("\"maybe\", was \"yes\", wanted \"yes\"");
    harness.key_press(egui::Key::ArrowRight);
    harness.step();
    harness.state_mut().now_secs = 21.0;
    harness.step();
    let sent = harness.state_mut().commands();
    assert_eq!(sent.len(), 3, "the start is known by now: {sent:?}");
    assert_eq!(sent[0], Command::StopGenerating { id });
    harness.run();
    harness.get_by_label("a fair one");
}

#[test]
fn a_point_is_exported_and_the_curves_are_saved() {
    let mut harness = with_path(report(None));
    harness.state_mut().panel.walk.t = 0.35;
    harness.run();
    harness.get_by_label("Export this point...").click();
    harness.run();
    harness.get_by_label("Save as CSV...").click();
    harness.run();
    let actions = std::mem::take(&mut harness.state_mut().actions);
    let [Action::Export(Export::Command { name, command }), Action::Export(Export::Text { name: csv, content })] =
        actions.as_slice()
    else {
        panic!("{actions:?}")
    };
    let from = AdapterSource::OnPath { path: FIRST_NUMBER, t: 0.35 };
    assert_eq!(**command, Command::ExportAdapter { from, path: String::new() });
    assert!(name.ends_with("-t0.35") && csv.contains(".csv") && content.starts_with("t,arc_length"), "{name}");
}

#[test]
fn a_failure_is_told_and_what_was_measured_stays() {
    let mut harness = with_path(report(None));
    harness.get_by_label("Measure the path").click();
    harness.run();
    // The same again: the engine is asked, since only it knows whether it still has the adapters, and the path stays one.
    let sent = harness.state_mut().commands();
    let [Command::MeasurePath { id: FIRST_NUMBER, .. }] = sent.as_slice() else { panic!("{sent:?}") };
    // Another one, before its first point: the engine's sentence, and the earlier curves.
    harness.get_by_label("Swap").click();
    harness.run();
    harness.get_by_label("Measure the path").click();
    harness.run();
    harness
        .state_mut()
        .state
        .apply(Event::ExplorationFailed { id: FIRST_NUMBER + 1, message: "The device is out of memory.".into() }, 1.0);
    harness.run();
    harness.get_by_label("The device is out of memory.");
    harness.get_by_label("Barrier of the mean loss: 3.500 at t = 0.50.");
    // In the middle: what came is kept.
    harness.get_by_label("All checkpoints").click();
    harness.run();
    harness.get_by_label("Measure the path").click();
    harness.run();
    let mut part = report(None);
    part.points.truncate(3);
    measured(harness.state_mut(), FIRST_NUMBER + 2, part, false);
    harness.run();
    harness.get_by_label("Stop").click();
    harness.run();
    assert_eq!(harness.state_mut().commands().last(), Some(&Command::StopMeasuring { id: FIRST_NUMBER + 2 }));
    harness
        .state_mut()
        .state
        .apply(Event::ExplorationFailed { id: FIRST_NUMBER + 2, message: "The device was lost.".into() }, 2.0);
    harness.run();
    harness.get_by_label("The device was lost. What was measured is kept.");
    assert_eq!(harness.state().panel.measured.len(), 3);
}

#[test]
fn without_adapters_the_panel_says_what_it_will_show() {
    let world = World { state: AppState::default(), ..World::new() };
    let mut harness = harness(world);
    harness.get_by_label("Watch it forget").click();
    harness.run();
    assert_eq!(harness.state().actions, [Action::WatchItForget]);
    // A folder can be named by hand.
    let field = harness.get_by_label("or its path");
    field.focus();
    field.type_text("/home/a/one");
    harness.run();
    harness.get_by_label("Add").click();
    harness.run();
    let added = Action::AddAdapterFolder("/home/a/one".into());
    assert_eq!(harness.state().actions.last(), Some(&added));
    harness.state_mut().state.add_adapter_folder("/home/a/one".into());
    harness.run();
    assert!(harness.query_by_label_contains("Choose two adapters").is_some());
}
