//! Whole runs without an interruption: pause and single steps, schedules, accumulation, time left, divergence.

use super::stream::{bits, config, learner, method, prepare, train, without_dropout};
use super::tiny_model::{Scratch, files_below, without_times};
use std::path::Path;
use thalweg::engine::Control;
use thalweg::engine::config::{ExperimentConfig, Schedule, TaskConfig};
use thalweg::engine::experiment::run_experiment;
use thalweg::engine::protocol::{Event, Steer};
use thalweg::engine::report::StepReport;
use thalweg::platform::block_on;

/// Runs an experiment to its end and returns what was told.
fn events(config: &ExperimentConfig, folder: &Path, control: &Control, mut react: impl FnMut(&Event)) -> Vec<Event> {
    let mut all = Vec::new();
    let outcome = block_on(run_experiment(config, Some(folder), "a test", control, &mut |event| {
        react(&event);
        all.push(event);
    }));
    outcome.unwrap().unwrap();
    all
}

fn metrics(folder: &Path) -> String {
    without_times(&std::fs::read_to_string(folder.join("metrics.csv")).unwrap())
}

#[test]
fn pause_and_single_steps_change_nothing_but_the_time() {
    let _alone = without_dropout();
    let config = config(method("i_lora", &[]));
    let (plain, paused) = (Scratch::new("plain"), Scratch::new("paused"));
    let told = events(&config, plain.path(), &Control::default(), |_| {});
    assert!(!told.iter().any(|event| matches!(event, Event::Paused { .. } | Event::Resumed { .. })));

    let control = Control::default();
    control.send(Steer::Pause);
    let to = control.clone();
    let mut pauses = 0;
    let told = events(&config, paused.path(), &control, |event| {
        if let Event::Paused { .. } = event {
            pauses += 1;
            to.send(if pauses <= 2 { Steer::SingleStep } else { Steer::Resume });
        }
    });
    let shown: Vec<&str> = told
        .iter()
        .filter_map(|event| match event {
            Event::Paused { .. } => Some("paused"),
            Event::Resumed { .. } => Some("resumed"),
            Event::Finished { .. } => Some("finished"),
            _ => None,
        })
        .collect();
    assert_eq!(shown, ["paused", "resumed", "paused", "resumed", "paused", "resumed", "finished"]);
    let (plain, paused) = (plain.join("i_lora-seed5"), paused.join("i_lora-seed5"));
    assert_eq!(metrics(&plain), metrics(&paused));
    assert_eq!(std::fs::read(plain.join("matrix.csv")).unwrap(), std::fs::read(paused.join("matrix.csv")).unwrap());
}

#[test]
fn a_run_tells_the_time_left_and_leaves_a_whole_folder() {
    let _alone = without_dropout();
    let scratch = Scratch::new("whole");
    let mut config = config(method("er", &[]));
    config.evaluation.every_steps = 4;
    config.evaluation.subset = 3;
    let told = events(&config, scratch.path(), &Control::default(), |_| {});
    let mut stepped = 0;
    for event in &told {
        if let Event::Stepped { step, eta_secs, steps_total, .. } = event {
            stepped += 1;
            assert_eq!(*steps_total, 24);
            assert_eq!(eta_secs.is_some(), step.step >= 2);
            assert!(eta_secs.is_none_or(|secs| secs.is_finite() && secs >= 0.0), "{eta_secs:?}");
        }
    }
    assert!(stepped >= 3, "the last step of each task is always told");
    let Some(Event::Finished { report, .. }) = told.last() else { panic!("{:?}", told.last()) };
    let curve: Vec<u64> = report.learners[0].curve.iter().map(|point| point.step).collect();
    assert_eq!(curve, [0, 4, 8, 12, 16, 20, 24], "before training, in the middle and at the end of each task");
    assert!(report.total_tokens > 0 && report.peak_memory_bytes.is_none_or(|bytes| bytes > 1 << 20));
    let names = files_below(&scratch.join("er-seed5"));
    let expected = [
        "adapters/01-stance/model/adapter_config.json",
        "adapters/01-stance/model/adapter_model.safetensors",
        "adapters/02-finance/model/adapter_config.json",
        "adapters/02-finance/model/adapter_model.safetensors",
        "adapters/03-medicine/model/adapter_config.json",
        "adapters/03-medicine/model/adapter_model.safetensors",
        "buffer.jsonl",
        "checkpoint.thalweg",
        "checkpoint.thalweg.previous",
        "config.toml",
        "matrix.csv",
        "metrics.csv",
        "report.html",
        "report.json",
    ];
    assert_eq!(names, expected);
    assert_eq!(files_below(scratch.path()).last().unwrap(), "report.html", "and the report of the experiment");
}

/// The reports of all steps.
fn reports(config: &ExperimentConfig) -> Vec<StepReport> {
    let mut all = Vec::new();
    train(config, &prepare(config), |_, report| all.extend(report.cloned()));
    all
}

#[test]
fn schedules_start_again_at_each_task() {
    let _alone = without_dropout();
    let mut config = config(method("seq", &[]));
    config.training.report_every = 1;
    config.training.warmup_ratio = 0.25;
    config.training.learning_rate = 0.012;
    for schedule in [Schedule::Constant, Schedule::Linear, Schedule::Cosine] {
        config.training.schedule = schedule;
        let rates: Vec<f64> = reports(&config).iter().map(|report| report.learning_rate).collect();
        assert_eq!((rates.len(), &rates[..8], &rates[..8]), (24, &rates[8..16], &rates[16..]), "{schedule:?}");
        assert!(0.0 < rates[0] && rates[0] < rates[1] && rates[1] < rates[2], "two steps of warm-up: {rates:?}");
        // six steps from the top: a straight line, or half a cosine, that would reach 0 at the seventh
        let expected = |step: f64| match schedule {
            Schedule::Constant => 0.012,
            Schedule::Linear => 0.012 * (6.0 - step) / 6.0,
            Schedule::Cosine => 0.006 * (1.0 + (std::f64::consts::PI * step / 6.0).cos()),
        };
        for (step, rate) in rates[2..8].iter().enumerate() {
            assert!((rate - expected(step as f64)).abs() < 1e-12, "{schedule:?} step {step}: {rate}");
        }
    }
}

#[test]
fn a_learning_rate_of_0_moves_nothing() {
    let _alone = without_dropout();
    let mut config = config(method("er", &[]));
    config.training.learning_rate = 0.0;
    let mut first = None;
    train(&config, &prepare(&config), |trainer, _| {
        let now = bits(&learner(trainer, "model"));
        assert_eq!(*first.get_or_insert_with(|| now.clone()), now);
    });
}

/// Two batches of 8 in one step are one of 16, when every example has as many target tokens.
#[test]
fn gradient_accumulation_averages_over_micro_batches() {
    let _alone = without_dropout();
    let scratch = Scratch::new("accumulation");
    let line = |number: usize| format!("{{\"prompt\": \"Item {number} of the list? Answer:\", \"answer\": \"yes\"}}\n");
    let task = scratch.join("task");
    std::fs::create_dir_all(&task).unwrap();
    std::fs::write(task.join("train.jsonl"), (100..116).map(line).collect::<String>()).unwrap();
    std::fs::write(task.join("test.jsonl"), (200..204).map(line).collect::<String>()).unwrap();
    let mut config = config(method("seq", &[]));
    config.tasks = vec![TaskConfig::Source(task.display().to_string())];
    config.training.max_train_examples = 0;
    config.training.steps_per_task = 0;
    config.training.epochs = 6.0;
    config.training.max_grad_norm = 0.0;
    // Adam divides by the gradient's size: with a larger epsilon, rounding stays rounding.
    config.training.epsilon = 1e-3;
    let mut ends = Vec::new();
    for (batch_size, accumulation) in [(16, 1), (8, 2), (4, 4), (8, 1)] {
        (config.training.batch_size, config.training.gradient_accumulation) = (batch_size, accumulation);
        let trainer = train(&config, &prepare(&config), |_, _| {});
        ends.push((trainer.position().step, learner(&trainer, "model"), trainer.position().tokens));
    }
    let gap = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0_f32, f32::max);
    assert_eq!((ends[0].0, ends[1].0, ends[2].0, ends[3].0), (6, 6, 6, 12), "steps of the optimiser");
    assert_eq!((ends[0].2, ends[0].2), (ends[1].2, ends[2].2), "the same tokens");
    assert!(
        gap(&ends[0].1, &ends[1].1) < 1e-6 && gap(&ends[0].1, &ends[2].1) < 1e-6,
        "{}",
        gap(&ends[0].1, &ends[1].1)
    );
    assert!(gap(&ends[0].1, &ends[3].1) > 1e-4, "twelve small steps are not six large ones");
}

/// Numbers beyond f32 end as NaN, or as hidden states of 0, through which no gradient goes: both are told.
#[test]
fn a_diverging_run_ends_with_a_sentence_and_keeps_its_numbers() {
    let _alone = without_dropout();
    for (rate, expected) in [(1e6, "no gradient is left at step"), (1e20, "not a number any more at step")] {
        let scratch = Scratch::new("diverging");
        let mut config = config(method("seq", &[]));
        config.training.learning_rate = rate;
        config.training.warmup_ratio = 0.0;
        config.training.report_every = 1;
        config.lora.target_modules = thalweg::model::Projection::ALL.to_vec();
        let folder = Some(scratch.path());
        let outcome = block_on(run_experiment(&config, folder, "a test", &Control::default(), &mut |_| {}));
        let outcome = outcome.unwrap().unwrap();
        assert!(outcome.reports.is_empty() && outcome.stopped.is_empty());
        let [message] = outcome.failed.as_slice() else { panic!("{:?}", outcome.failed) };
        assert!(message.starts_with("seq-seed5: ") && message.contains(expected), "{message}");
        assert!(message.contains(&format!("lower training.learning_rate (now {rate})")), "{message}");
        let metrics = std::fs::read_to_string(scratch.join("seq-seed5/metrics.csv")).unwrap();
        assert!(metrics.lines().count() >= 2, "the steps before are kept: {metrics}");
    }
}

/// The tiny model has 192 positions. Prompts take some of them from all methods of an experiment, and what is resumed alone has to
/// know.
#[test]
fn a_run_keeps_how_its_examples_were_cut_beside_the_others() {
    let _alone = without_dropout();
    let scratch = Scratch::new("cut");
    let mut config = config(method("seq", &[]));
    config.methods.push(method("pp", &[("length", "10")]));
    (config.training.max_length, config.training.steps_per_task) = (192, 1);
    let told = events(&config, scratch.path(), &Control::default(), |_| {});
    assert_eq!(told.iter().filter(|event| matches!(event, Event::Finished { .. })).count(), 2);
    for run in ["seq-seed5", "pp-seed5"] {
        let kept = std::fs::read_to_string(scratch.join(run).join("config.toml")).unwrap();
        let kept = ExperimentConfig::parse(&kept, run).unwrap();
        assert_eq!((kept.training.max_length, prepare(&kept).format.max_length), (162, 162), "{run}");
    }
}
