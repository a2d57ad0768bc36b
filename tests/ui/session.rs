//! A whole session: tasks are added, settings changed, a run started, paused, stepped, stopped, resumed, exported and opened
//! again, all by the names that a screen reader gives.

use super::stage::{Scratch, Stage};
use thalweg::ui::action::Purpose;
use thalweg::ui::files::Chosen;
use thalweg::ui::session::Session;
use thalweg::ui::state::run::RunStatus;

/// The session of somebody who works with two short tasks.
fn short_draft() -> Session {
    let text = r#"
        title = "Two short tasks"
        device = "cpu"
        methods = ["seq"]
        tasks = ["builtin:stance", "builtin:finance"]
        [training]
        steps_per_task = 150
        batch_size = 4
        max_length = 64
        pad_multiple = 8
        max_train_examples = 60
        report_every = 1
        [evaluation]
        max_examples = 8
    "#;
    Session { draft: Some(text.into()), ..Session::default() }
}

#[test]
fn a_whole_session_by_the_names_of_things() {
    let mut stage = Stage::new("session", [1600.0, 1000.0], short_draft(), false);
    stage.wait("the engine", 60, |state| state.engine.ready.then_some(()));
    stage.wait("the tasks", 60, |state| (state.tasks.values().filter(|task| task.is_ok()).count() >= 2).then_some(()));
    stage.wait("the model", 60, |state| matches!(state.model, Some(Ok(_))).then_some(()));

    // A task file.
    let file = stage.scratch.file("rain.jsonl");
    let lines: Vec<String> = (0..40)
        .map(|n| {
            format!(
                r#"{{"prompt": "Rain: {n} drops Answer:", "answer": " {}"}}"#,
                if n % 2 == 0 { "wet" } else { "dry" }
            )
        })
        .collect();
    std::fs::write(&file, lines.join("\n")).unwrap();
    stage.click_first("Tasks");
    stage.click("Add files\u{2026}");
    assert_eq!(stage.files.opened(), [Purpose::TaskFiles]);
    stage.files.choose(Chosen::Opened { purpose: Purpose::TaskFiles, paths: vec![file.clone()] });
    stage.wait("the added task", 60, |state| (state.draft.config.tasks.len() == 3).then_some(()));
    stage.wait("its card", 60, |state| (state.tasks.values().filter(|task| task.is_ok()).count() >= 3).then_some(()));
    assert!(stage.shows("rain"));

    // A setting, changed and taken back.
    stage.click_first("Model");
    let modules = stage.state().draft.config.lora.target_modules.clone();
    stage.click("o_proj");
    assert_ne!(stage.state().draft.config.lora.target_modules, modules);
    stage.click("Undo");
    assert_eq!(stage.state().draft.config.lora.target_modules, modules);
    stage.click("Undo");
    assert_eq!(stage.state().draft.config.tasks.len(), 2);
    stage.click("Redo");
    assert_eq!(stage.state().draft.config.tasks.len(), 3);

    // Start, pause, one step, go on, stop.
    stage.click_first("Training");
    stage.click_first("Start");
    stage.wait("a step", 60, |state| state.active_run().filter(|run| run.steps_done > 2).map(|_| ()));
    stage.click_first("Pause");
    let paused = stage.wait("the pause", 60, |state| {
        state.active_run().filter(|run| run.status == RunStatus::Paused).map(|run| run.steps_done)
    });
    stage.click_first("Single step");
    stage.wait("one step", 60, |state| state.active_run().filter(|run| run.steps_done == paused + 1).map(|_| ()));
    stage.wait("the pause after it", 60, |state| {
        state.active_run().filter(|run| run.status == RunStatus::Paused).map(|_| ())
    });
    stage.click_first("Resume");
    stage.wait("more steps", 60, |state| state.active_run().filter(|run| run.steps_done > paused + 2).map(|_| ()));
    stage.click_first("Stop and keep");
    stage.wait("the stop", 60, |state| (state.runs[0].status == RunStatus::Stopped).then_some(()));
    assert!(stage.state().runs[0].resumable);

    // Resume to the end.
    stage.click_first("Resume run");
    stage.wait("the end", 120, |state| (state.runs[0].status == RunStatus::Finished).then_some(()));
    let learnt = stage.state().runs[0].report.learners[0].matrix.clone();
    assert_eq!(learnt.learnt(), 3);

    // A capsule, and back from it.
    let capsule = stage.scratch.file("session.thalweg");
    stage.files.will_save_to(&capsule);
    stage.click_first("Runs");
    stage.click("Export Seq, seed 0");
    stage.click("Capsule (.thalweg)");
    stage.wait("the capsule", 60, |_| std::path::Path::new(&capsule).is_file().then_some(()));
    stage.click("Open capsule");
    stage.files.choose(Chosen::Opened { purpose: Purpose::Capsule, paths: vec![capsule] });
    stage.wait("the run of the capsule", 60, |state| {
        state.runs.get(1).filter(|run| run.report.learners.first().is_some_and(|own| own.matrix == learnt)).map(|_| ())
    });
    assert_eq!(stage.state().runs[1].folder, None);
}

#[test]
fn a_window_closed_in_the_middle_is_resumed_at_the_next_start() {
    let mut stage = Stage::new("closing", [1400.0, 900.0], short_draft(), false);
    stage.wait("the engine", 60, |state| state.engine.ready.then_some(()));
    stage.click_first("Start");
    stage.wait("a step", 60, |state| state.active_run().filter(|run| run.steps_done > 5).map(|_| ()));
    // The window is gone without a word: what the program remembers at that moment is all there is.
    let session = stage.harness.state().session();
    assert!(session.interrupted.is_some());
    let scratch = std::mem::replace(&mut stage.scratch, Scratch::new("nothing"));
    use eframe::App as _;
    stage.harness.state_mut().on_exit();
    let session = Session::from_json(&stage.harness.state().session().to_json()).0;
    drop(stage);

    let mut stage = Stage::on(scratch, [1400.0, 900.0], session, false);
    stage.wait("the engine", 60, |state| state.engine.ready.then_some(()));
    stage.click_first("Resume last session");
    let done = stage.wait("the run", 60, |state| state.active_run().map(|run| run.steps_done));
    assert!(done > 0, "it goes on from its checkpoint");
    stage.wait("the end", 120, |state| (state.runs[0].status == RunStatus::Finished).then_some(()));
}

#[test]
fn what_is_kept_is_listed_and_deleted_when_somebody_says_so() {
    let scratch = Scratch::new("kept");
    let run = scratch.0.join("runs/by-hand");
    std::fs::create_dir_all(&run).unwrap();
    std::fs::write(run.join("metrics.csv"), vec![b'1'; 2_000_000]).unwrap();
    let mut stage = Stage::on(scratch, [1200.0, 800.0], Session::default(), false);
    stage.wait("the engine", 60, |state| state.engine.ready.then_some(()));
    stage.click("Storage");
    let lists = |state: &thalweg::ui::state::AppState| {
        state.storage.as_ref().map(|listing| listing.items.iter().any(|item| item.name == "by-hand"))
    };
    stage.wait("the list", 60, |state| lists(state).filter(|listed| *listed));
    assert!(stage.shows("by-hand") && stage.shows("2 MB"));
    // On a machine that keeps much it may be scrolled out of sight.
    stage.click_first("Delete by-hand");
    assert!(run.is_dir(), "asked first");
    stage.click("Delete it");
    stage.wait("the list without it", 60, |state| lists(state).filter(|listed| !listed));
    assert!(!run.exists() && !stage.shows("by-hand"));
}
