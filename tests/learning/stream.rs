//! Short streams of tasks, and ways to go through them step by step.

use super::tiny_model::tiny_model;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};
use thalweg::engine::config::{
    EvaluationConfig, ExperimentConfig, MethodConfig, ReplayConfig, TaskConfig, TrainingConfig,
};
use thalweg::engine::experiment;
use thalweg::engine::prepare::Prepared;
use thalweg::engine::report::StepReport;
use thalweg::engine::trainer::Trainer;
use thalweg::model::{Adapter, LoraConfig};
use thalweg::platform::block_on;

/// Dropout draws from the CPU backend's one generator, which every step seeds: a test with dropout must train alone.
static DROPOUT: RwLock<()> = RwLock::new(());

pub fn without_dropout() -> RwLockReadGuard<'static, ()> {
    DROPOUT.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

pub fn with_dropout() -> RwLockWriteGuard<'static, ()> {
    DROPOUT.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A method by name with settings as they would be typed.
pub fn method(name: &str, settings: &[(&str, &str)]) -> MethodConfig {
    settings.iter().fold(MethodConfig::Name(name.into()), |method, (name, value)| method.with_setting(name, value))
}

/// Three built-in tasks on the tiny model: 24 examples each, 8 steps of 4 (one epoch and a third), a buffer of 16.
pub fn config(method: MethodConfig) -> ExperimentConfig {
    ExperimentConfig {
        model: tiny_model().display().to_string(),
        device: "cpu".into(),
        seed: 5,
        methods: vec![method],
        tasks: ["stance", "finance", "medicine"].map(|name| TaskConfig::Source(format!("builtin:{name}"))).to_vec(),
        lora: LoraConfig { rank: 2, lora_alpha: 4.0, ..LoraConfig::default() },
        training: TrainingConfig {
            steps_per_task: 8,
            batch_size: 4,
            max_length: 64,
            pad_multiple: 8,
            max_train_examples: 24,
            report_every: 3,
            ..TrainingConfig::default()
        },
        replay: ReplayConfig { capacity: 16, ..ReplayConfig::default() },
        evaluation: EvaluationConfig { max_examples: 6, batch_size: 6, ..EvaluationConfig::default() },
        ..ExperimentConfig::default()
    }
}

pub fn prepare(config: &ExperimentConfig) -> Arc<Prepared> {
    block_on(experiment::load(config, &mut |_| {})).unwrap().unwrap()
}

/// The adapter's flat vector on the host.
pub fn flat(adapter: &Adapter) -> Vec<f32> {
    adapter.flat().into_data().try_into_vec::<f32>().unwrap()
}

/// The flat vector of the learner of this name.
pub fn learner(trainer: &Trainer, name: &str) -> Vec<f32> {
    let learners = trainer.learners(0);
    flat(learners.iter().find(|learner| learner.name == name).unwrap().learnt.adapter().unwrap())
}

/// Numbers as their bits: NaN equals NaN, and -0 is not 0.
pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Makes all steps of all tasks; `after` sees the trainer after each, with its report where there is one.
pub fn train(
    config: &ExperimentConfig,
    prepared: &Prepared,
    mut after: impl FnMut(&Trainer, Option<&StepReport>),
) -> Trainer {
    let mut trainer = Trainer::new(config, prepared).unwrap();
    for phase in 0..trainer.phases(prepared) {
        for _ in 0..trainer.phase_steps(prepared, phase) {
            let report = block_on(trainer.step(prepared)).unwrap().unwrap();
            after(&trainer, report.as_ref());
        }
        assert!(block_on(trainer.end_phase(prepared, &mut |_, _| true)).unwrap().unwrap());
    }
    trainer
}

/// The flat vector of one learner after each step of the whole stream.
pub fn trajectory(config: &ExperimentConfig, name: &str) -> Vec<Vec<f32>> {
    let mut seen = Vec::new();
    train(config, &prepare(config), |trainer, _| seen.push(learner(trainer, name)));
    seen
}
