//! A run that was stopped or killed goes on bit for bit: adapters, matrices, curves, buffer and metrics.

use super::stream::{config, method, prepare, with_dropout, without_dropout};
use super::tiny_model::{Scratch, copy_folder, files_below, same_shape_model, tiny_model, without_times};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use thalweg::continual::register;
use thalweg::engine::config::ExperimentConfig;
use thalweg::engine::experiment::{ExperimentOutcome, resume};
use thalweg::engine::protocol::{Event, Steer};
use thalweg::engine::report::RunReport;
use thalweg::engine::run::{Ending, Run};
use thalweg::engine::run_folder::RunFolder;
use thalweg::engine::{Control, EngineError};
use thalweg::platform::block_on;

/// What a run leaves, without what tells the time.
fn left_behind(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut left = BTreeMap::new();
    for name in files_below(folder) {
        let read = || std::fs::read(folder.join(&name)).unwrap();
        if name.starts_with("adapters/") || name == "matrix.csv" || name == "buffer.jsonl" {
            left.insert(name.clone(), read());
        } else if name == "metrics.csv" {
            left.insert(name.clone(), without_times(&String::from_utf8(read()).unwrap()).into_bytes());
        } else if name == "report.json" {
            let report: RunReport = serde_json::from_slice(&read()).unwrap();
            let numbers = (&report.learners, &report.tasks, &report.buffer, report.total_tokens, report.headline);
            left.insert(name.clone(), serde_json::to_vec_pretty(&numbers).unwrap());
        } else {
            let known = ["config.toml", "report.html", "checkpoint.thalweg", "checkpoint.thalweg.previous"];
            assert!(known.contains(&name.as_str()), "{name} should not be there");
        }
    }
    left
}

fn assert_same(expected: &BTreeMap<String, Vec<u8>>, folder: &Path, what: &str) {
    let left = left_behind(folder);
    assert_eq!(left.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{what}");
    for (name, bytes) in expected {
        if &left[name] != bytes {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            assert!(!name.contains(".safetensors"), "{what}: {name} differs");
            panic!("{what}: {name} differs:\n{}\n--- instead of\n{}", text(&left[name]), text(bytes));
        }
    }
}

/// Starts a run in a new folder. After each event `stop` may end it; a stepwise run pauses before each step.
fn start(
    config: &ExperimentConfig,
    parent: &Path,
    stepwise: bool,
    mut stop: impl FnMut(&Event, &Path) -> bool,
) -> (PathBuf, Ending) {
    let control = Control::default();
    if stepwise {
        control.send(Steer::Pause);
    }
    let folder = RunFolder::create(parent, "run", config).unwrap();
    let path = folder.path().to_path_buf();
    let mut run = Run::new(config.clone(), (0, 1), prepare(config), Some(folder), "a test".into()).unwrap();
    let to = control.clone();
    let ending = block_on(run.execute(&control, &mut |event| {
        if stop(&event, &path) {
            to.send(Steer::Stop);
        } else if matches!(event, Event::Paused { .. }) {
            to.send(Steer::SingleStep);
        }
    }));
    let ending = ending.unwrap().unwrap();
    (path, ending)
}

fn uninterrupted(config: &ExperimentConfig, scratch: &Scratch) -> BTreeMap<String, Vec<u8>> {
    let (path, ending) = start(config, &scratch.join("uninterrupted"), false, |_, _| false);
    assert!(matches!(ending, Ending::Finished(_)));
    left_behind(&path)
}

/// Goes on with a run; returns what was told.
fn go_on(folder: &Path) -> Result<(ExperimentOutcome, Vec<Event>), EngineError> {
    let mut told = Vec::new();
    let outcome = block_on(resume(folder, None, &Control::default(), &mut |event| told.push(event))).unwrap()?;
    Ok((outcome, told))
}

fn finishes(folder: &Path) -> Vec<Event> {
    let (outcome, told) = go_on(folder).unwrap();
    assert_eq!((outcome.reports.len(), outcome.stopped.len(), outcome.failed.len()), (1, 0, 0));
    told
}

/// Stops after so many steps of a stepwise run: the pause before the first step is number 1.
fn after_steps(steps: usize) -> impl FnMut(&Event, &Path) -> bool {
    let mut pauses = 0;
    move |event, _| {
        pauses += usize::from(matches!(event, Event::Paused { .. }));
        pauses > steps
    }
}

fn at_phase(phase: &'static str, detail: &'static str) -> impl FnMut(&Event, &Path) -> bool {
    move |event, _| matches!(event, Event::PhaseStarted { phase: p, detail: d } if p == phase && d == detail)
}

/// The stream of these tests: also a curve in the middle of each task.
fn with_curve(name: &str) -> ExperimentConfig {
    let mut config = config(method(name, &[]));
    config.evaluation.every_steps = 3;
    config.evaluation.subset = 2;
    config
}

#[test]
fn stopped_anywhere_and_resumed_is_the_same_run() {
    let _alone = without_dropout();
    let scratch = Scratch::new("stopped");
    let config = with_curve("i_lora");
    let expected = uninterrupted(&config, &scratch);
    assert!(expected.len() >= 3 * 2 * 2 + 3, "{:?}", expected.keys());
    type When = Box<dyn FnMut(&Event, &Path) -> bool>;
    let points: Vec<(&str, bool, u64, When)> = vec![
        ("before anything", false, 0, Box::new(at_phase("evaluating", "before training"))),
        ("before the first step", true, 0, Box::new(after_steps(0))),
        ("in the first task, between two reports", true, 5, Box::new(after_steps(5))),
        ("in the second epoch of the second task", true, 15, Box::new(after_steps(15))),
        (
            "at the last step of the second task, before its evaluation",
            false,
            16,
            Box::new(at_phase("evaluating", "after task 2")),
        ),
        (
            "between the two learners' evaluations",
            false,
            8,
            Box::new(|event, _| matches!(event, Event::Evaluated { learner, .. } if learner == "working")),
        ),
        ("at a boundary", false, 8, Box::new(|event, _| matches!(event, Event::CheckpointSaved { .. }))),
    ];
    for (what, stepwise, at, stop) in points {
        let (path, ending) = start(&config, &scratch.join("stopped"), stepwise, stop);
        assert!(matches!(ending, Ending::Stopped), "{what}");
        assert!(!path.join("report.json").exists(), "{what}: not finished");
        let told = finishes(&path);
        let from = told.iter().find_map(|event| match event {
            Event::RunStarted { steps_done, steps_total, .. } => Some((*steps_done, *steps_total)),
            _ => None,
        });
        assert_eq!(from, Some((at, 24)), "{what}");
        assert_same(&expected, &path, what);
    }
}

#[test]
fn stopped_inside_an_evaluation() {
    let _alone = without_dropout();
    let scratch = Scratch::new("inside");
    let mut config = with_curve("i_lora");
    // long enough for progress to be told in the middle (every 50 ms)
    (config.evaluation.max_examples, config.evaluation.subset, config.evaluation.batch_size) = (60, 60, 1);
    (config.evaluation.every_steps, config.training.steps_per_task) = (2, 3);
    config.tasks.truncate(2);
    let expected = uninterrupted(&config, &scratch);
    for (inside, detail) in [("training", "finance"), ("evaluating", "after task 1")] {
        let mut now = (String::new(), String::new());
        let stop = |event: &Event, _: &Path| {
            if let Event::PhaseStarted { phase, detail } = event {
                now = (phase.clone(), detail.clone());
            }
            (now.0.as_str(), now.1.as_str()) == (inside, detail) && matches!(event, Event::EvaluationProgressed { .. })
        };
        let (path, ending) = start(&config, &scratch.join("stopped"), false, stop);
        if matches!(ending, Ending::Finished(_)) {
            eprintln!("NOT TESTED: this machine evaluates so fast that nothing is told inside: {inside} {detail}");
            continue;
        }
        finishes(&path);
        assert_same(&expected, &path, &format!("{inside} {detail}"));
    }
}

#[test]
fn a_killed_run_goes_on_from_its_last_checkpoint() {
    let _alone = without_dropout();
    let scratch = Scratch::new("killed");
    let config = with_curve("i_lora");
    let expected = uninterrupted(&config, &scratch);
    // The folder as a killed process leaves it: copied in the middle of everything.
    let mut copies = Vec::new();
    let mut events = 0;
    let (path, _) = start(&config, &scratch.join("whole"), true, |event, path| {
        events += 1;
        let moment = match event {
            Event::Paused { .. } | Event::CheckpointSaved { .. } => events % 5 == 0,
            Event::PhaseStarted { .. } | Event::Evaluated { .. } => true,
            _ => false,
        };
        if moment {
            let copy = scratch.join(&format!("copy-{events}"));
            copy_folder(path, &copy);
            copies.push((copy, format!("{event:?}")));
        }
        false
    });
    assert_same(&expected, &path, "the run that was stepped through");
    assert!(copies.len() >= 12, "{}", copies.len());
    assert!(!copies[0].0.join("checkpoint.thalweg").exists(), "the first was killed before any checkpoint");
    for (copy, moment) in copies.iter().step_by(3).chain(copies.last()) {
        finishes(copy);
        assert_same(&expected, copy, moment);
    }
}

#[test]
fn stopped_again_and_again() {
    let _alone = without_dropout();
    // Without training there is nothing to interrupt.
    for name in register().iter().map(|entry| entry.name).filter(|name| *name != "zero_shot") {
        let scratch = Scratch::new("again");
        let mut config = with_curve(name);
        config.training.gradient_accumulation = 2;
        config.training.steps_per_task = 4;
        let expected = uninterrupted(&config, &scratch);
        let (path, ending) = start(&config, &scratch.join("stopped"), true, after_steps(3));
        assert!(matches!(ending, Ending::Stopped));
        let mut resumed = 0;
        loop {
            // five steps at a time
            let control = Control::default();
            control.send(Steer::Pause);
            let to = control.clone();
            let mut stop = after_steps(5);
            let outcome = block_on(resume(&path, None, &control, &mut |event| {
                if stop(&event, &path) {
                    to.send(Steer::Stop);
                } else if matches!(event, Event::Paused { .. }) {
                    to.send(Steer::SingleStep);
                }
            }));
            resumed += 1;
            if !outcome.unwrap().unwrap().reports.is_empty() {
                break;
            }
        }
        assert_eq!(resumed, 2, "{name}: 12 steps are 3 + 5 + 4");
        assert_same(&expected, &path, name);
    }
}

/// Dropout draws from the device's generator, which the run seeds before each step.
#[test]
fn dropout_goes_on_with_the_same_chance() {
    let _alone = with_dropout();
    let scratch = Scratch::new("dropout");
    let mut config = with_curve("i_lora");
    let without = uninterrupted(&config, &scratch);
    config.lora.lora_dropout = 0.1;
    let expected = uninterrupted(&config, &scratch);
    assert_ne!(without["metrics.csv"], expected["metrics.csv"], "dropout acts");
    for steps in [5, 15] {
        let (path, _) = start(&config, &scratch.join("stopped"), true, after_steps(steps));
        finishes(&path);
        assert_same(&expected, &path, &format!("after {steps} steps"));
    }
}

fn cut_in_half(file: &Path) {
    let bytes = std::fs::read(file).unwrap();
    std::fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
}

#[test]
fn a_cut_off_checkpoint_falls_back_to_the_one_before() {
    let _alone = without_dropout();
    let scratch = Scratch::new("cut-off");
    let config = with_curve("i_lora");
    let expected = uninterrupted(&config, &scratch);
    let (path, _) = start(&config, &scratch.join("stopped"), true, after_steps(12));
    let both = scratch.join("both");
    cut_in_half(&path.join("checkpoint.thalweg"));
    copy_folder(&path, &both);
    cut_in_half(&both.join("checkpoint.thalweg.previous"));

    let told = finishes(&path);
    let warnings: Vec<&String> = told
        .iter()
        .filter_map(|event| if let Event::Warned { message } = event { Some(message) } else { None })
        .collect();
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert!(warning.contains("cut off") && warning.contains("checkpoint before it"), "{warning}");
    let started = told.iter().find(|event| matches!(event, Event::RunStarted { .. })).unwrap();
    assert!(matches!(started, Event::RunStarted { steps_done: 8, .. }), "{started:?}");
    assert_same(&expected, &path, "from the boundary before");

    let message = go_on(&both).unwrap_err().to_string();
    assert!(message.contains("checkpoint.thalweg") && message.contains("cut off"), "{message}");
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let _alone = without_dropout();
    let scratch = Scratch::new("refused");
    let (path, _) = start(&with_curve("i_lora"), &scratch.join("stopped"), true, after_steps(3));
    let frozen = std::fs::read_to_string(path.join("config.toml")).unwrap();
    let (tiny, other) = (tiny_model().display().to_string(), same_shape_model().display().to_string());
    for (from, to, expected) in [
        (tiny.as_str(), other.as_str(), "was made with another base model than"),
        ("\nr = 2\n", "\nr = 4\n", "belongs to another model or other LoRA settings"),
    ] {
        let changed = frozen.replace(from, to);
        assert_ne!(changed, frozen, "{from}");
        std::fs::write(path.join("config.toml"), changed).unwrap();
        let message = go_on(&path).unwrap_err().to_string();
        assert!(message.contains(expected) && !message.contains('\n'), "{message}");
    }
    let message = go_on(&scratch.join("nowhere")).unwrap_err().to_string();
    assert!(message.contains("nowhere") && message.contains("holds no run"), "{message}");
    // and with the right configuration it still goes on
    std::fs::write(path.join("config.toml"), frozen).unwrap();
    finishes(&path);
}

#[test]
fn a_finished_run_is_not_run_again() {
    let _alone = without_dropout();
    let scratch = Scratch::new("finished");
    let config = with_curve("er");
    let (path, _) = start(&config, &scratch.join("run"), false, |_, _| false);
    let before = left_behind(&path);
    let told = finishes(&path);
    assert!(!told.iter().any(|event| matches!(event, Event::Stepped { .. } | Event::Evaluated { .. })));
    assert_same(&before, &path, "resumed after its end");
}
