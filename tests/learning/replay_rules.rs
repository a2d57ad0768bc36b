//! What enters the buffer, what comes out of it, and that the methods which need it do use it: checks 5 and 11.

use super::stream::{config, learner, method, prepare, train, without_dropout};
use super::tiny_model::Scratch;
use std::collections::BTreeSet;
use thalweg::data::batch::Batch;
use thalweg::engine::config::{ExperimentConfig, TaskConfig};
use thalweg::engine::prepare::Prepared;
use thalweg::engine::report::StepReport;
use thalweg::model::AdapterVars;
use thalweg::model::llama::Pass;

/// Goes through the stream and checks after each step what must hold for every method with a memory.
fn watched(config: &ExperimentConfig) -> Vec<StepReport> {
    let prepared = prepare(config);
    let mut reports = Vec::new();
    let trainer = train(config, &prepared, |trainer, report| {
        let (buffer, position) = (trainer.buffer().unwrap(), trainer.position());
        // `position.task` is the task of the step just made: the phase has not been ended yet
        assert!(buffer.items().iter().all(|item| item.task <= position.task), "an item of a future task");
        assert!(buffer.len() <= config.replay.capacity);
        let train_examples = prepared.tasks[0].train.len();
        let batch = config.training.batch_size;
        let seen = position.task * train_examples + (position.task_step * batch).min(train_examples);
        assert_eq!(buffer.n_seen(), seen as u64, "each example once, in its first epoch; step {}", position.step);
        let unique: BTreeSet<_> = buffer.items().iter().map(|item| (item.task, item.example_index)).collect();
        assert_eq!(unique.len(), buffer.len(), "no example twice");
        for item in buffer.items() {
            let example = &prepared.tasks[item.task].train[item.example_index];
            assert_eq!((&item.tokens, item.answer_start), (&example.tokens, example.answer_start));
        }
        reports.extend(report.cloned());
    });
    assert_eq!(trainer.buffer().unwrap().n_seen(), 72);
    reports
}

#[test]
fn the_buffer_holds_each_example_once_and_none_of_the_future() {
    let _alone = without_dropout();
    let reports = watched(&config(method("er", &[])));
    assert_eq!(reports.last().unwrap().buffer_len, 16, "it is full at the end");
    // Two epochs and more: repeats must not be offered again.
    let mut long = config(method("i_lora", &[("insert", "before_forward"), ("replay_current", "true")]));
    long.training.steps_per_task = 15;
    watched(&long);
}

#[test]
fn the_task_being_learnt_is_replayed_only_when_asked_for() {
    let _alone = without_dropout();
    for (replay_current, insert) in [("false", "after_step"), ("true", "after_step"), ("true", "before_forward")] {
        let mut config = config(method("er", &[("replay_current", replay_current), ("insert", insert)]));
        config.replay.capacity = 100;
        let prepared = prepare(&config);
        let mut replayed_while_learnt = 0;
        let mut replayed_at_first_step = false;
        train(&config, &prepared, |trainer, _| {
            let task = trainer.position().task;
            let own = trainer.buffer().unwrap().items().iter().filter(|item| item.task == task);
            let count: u64 = own.map(|item| item.replay_count).sum();
            replayed_while_learnt += count;
            replayed_at_first_step |= trainer.position().step == 1 && count > 0;
        });
        assert_eq!(replayed_while_learnt > 0, replay_current == "true", "{replay_current} {insert}");
        assert_eq!(replayed_at_first_step, insert == "before_forward", "only then does a step see its own batch");
    }
}

/// Check 11: the published baselines fail this.
#[test]
fn methods_with_a_memory_use_it_and_differ_from_seq() {
    let _alone = without_dropout();
    let seq = config(method("seq", &[]));
    let plain = train(&seq, &prepare(&seq), |trainer, _| assert!(trainer.buffer().is_none()));
    let plain = learner(&plain, "model");
    for (name, fast) in [("er", "model"), ("i_lora", "working")] {
        let config = config(method(name, &[]));
        let mut lengths = Vec::new();
        let mut replayed = Vec::new();
        let trainer = train(&config, &prepare(&config), |trainer, report| {
            let buffer = trainer.buffer().unwrap();
            lengths.push(buffer.len());
            replayed.push(buffer.items().iter().map(|item| item.replay_count).sum::<u64>());
            if let Some(report) = report.filter(|report| report.task > 0) {
                assert!(report.loss("replay").is_some(), "{name}: no replay loss at step {}", report.step);
            }
        });
        assert_eq!(&lengths[..5], [4, 8, 12, 16, 16], "{name}: the buffer grows by a batch, then is full");
        assert_eq!(replayed[7], 0, "{name}: nothing to replay in the first task");
        assert!(replayed[8] == 4 && *replayed.last().unwrap() > 0, "{name}: {replayed:?}");
        let with_losses = trainer.buffer().unwrap().items().iter().filter(|item| item.last_loss_working.is_some());
        assert!(with_losses.count() > 0, "{name}: losses of replayed examples are noted");
        let noted = trainer.buffer().unwrap().items().iter().any(|item| item.last_loss_long_term.is_some());
        assert_eq!(noted, name == "i_lora");
        assert_ne!(learner(&trainer, fast), plain, "{name} learns something else than seq");
    }
}

/// Mean loss over the training examples of a task.
fn loss(prepared: &Prepared, task: usize, vars: Option<&AdapterVars>) -> f64 {
    let rows: Vec<_> = prepared.tasks[task].train.iter().collect();
    let batch = Batch::from_encoded(&rows, 0, 8).unwrap();
    let llama = &prepared.model.llama;
    let hidden = llama.forward(&batch, Pass { adapter: vars, ..Pass::default() }).last;
    let nll = llama.nll(hidden, &batch.target_positions, &batch.target_ids).into_data().try_into_vec::<f32>().unwrap();
    nll.iter().map(|value| f64::from(*value)).sum::<f64>() / nll.len() as f64
}

/// Three tasks that contradict one another: each has one answer of its own.
fn one_answer_each(scratch: &Scratch) -> Vec<TaskConfig> {
    ["red", "blue", "green"]
        .iter()
        .map(|answer| {
            let line =
                |number: usize| format!("{{\"prompt\": \"Item {number}? Answer:\", \"answer\": \"{answer}\"}}\n");
            let path = scratch.join(&format!("{answer}.jsonl"));
            std::fs::write(&path, (100..140).map(line).collect::<String>()).unwrap();
            TaskConfig::Source(path.display().to_string())
        })
        .collect()
}

#[test]
fn joint_training_sees_all_tasks_at_once() {
    let _alone = without_dropout();
    let scratch = Scratch::new("joint");
    let stream = |name: &str| {
        let mut config = config(method(name, &[]));
        config.tasks = one_answer_each(&scratch);
        config.training.steps_per_task = 12;
        config.training.learning_rate = 0.03;
        config.lora.target_modules = thalweg::model::Projection::ALL.to_vec();
        config
    };
    let prepared = prepare(&stream("mtl"));
    let after_12 = |name: &str| {
        let mut losses = Vec::new();
        let trainer = train(&stream(name), &prepared, |trainer, _| {
            if trainer.position().step == 12 {
                let vars = trainer.learners(0)[0].learnt.adapter().unwrap().vars(false);
                losses = (0..3).map(|task| loss(&prepared, task, Some(&vars))).collect();
            }
        });
        assert_eq!((trainer.phases(&prepared), trainer.position().step), (if name == "mtl" { 1 } else { 3 }, 36));
        assert!(trainer.buffer().is_none());
        losses
    };
    let (before, joint, sequential) =
        ((0..3).map(|task| loss(&prepared, task, None)).collect::<Vec<_>>(), after_12("mtl"), after_12("seq"));
    eprintln!("losses of three tasks before {before:?}, after 12 steps of mtl {joint:?}, of seq {sequential:?}");
    for task in 0..3 {
        assert!(joint[task] < before[task] - 0.1, "mtl learns task {task} from the first steps on");
    }
    // Who has seen the first task alone does better there, and worse on the others.
    assert!(sequential[0] < joint[0] && sequential[1] > joint[1] && sequential[2] > joint[2]);
}
