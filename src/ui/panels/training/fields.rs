//! The settings of training, replay and scoring as a table: name, sentence, unit, range, and how each is read and written.

use crate::continual::replay::ReplayPolicy;
use crate::engine::config::{ExperimentConfig, Schedule};
use crate::ui::widgets::setting::{Numbers, plain_number};

/// What a field takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Number(Numbers),
    /// Words as they are written in files.
    Words(&'static [&'static str]),
}

/// One field of the experiment.
pub struct Field {
    /// As it is written with `--set`.
    pub name: &'static str,
    pub label: &'static str,
    /// One sentence.
    pub about: &'static str,
    pub unit: &'static str,
    pub kind: Kind,
    /// The value as it would be typed.
    pub read: fn(&ExperimentConfig) -> String,
    /// `None` for text that is no such value.
    pub write: fn(&mut ExperimentConfig, &str) -> Option<()>,
}

/// The fields under one heading.
pub struct Group {
    pub title: &'static str,
    /// Whether it is open at first.
    pub open: bool,
    pub fields: &'static [Field],
}

/// A number as it is written.
macro_rules! number {
    ($name:literal, $label:literal, $unit:literal, $numbers:expr, $($part:ident).+, $about:literal) => {
        Field {
            name: $name,
            label: $label,
            about: $about,
            unit: $unit,
            kind: Kind::Number($numbers),
            read: |config| config.$($part).+.to_string(),
            write: |config, text| {
                config.$($part).+ = text.parse().ok()?;
                Some(())
            },
        }
    };
}

/// A number with decimals.
macro_rules! real {
    ($name:literal, $label:literal, $unit:literal, $numbers:expr, $($part:ident).+, $about:literal) => {
        Field {
            read: |config| plain_number(config.$($part).+),
            ..number!($name, $label, $unit, $numbers, $($part).+, $about)
        }
    };
}

/// All groups in the order in which they are shown.
pub const GROUPS: [Group; 4] = [
    Group { title: "Length and batches", open: true, fields: &LENGTH },
    Group { title: "Optimiser", open: true, fields: &OPTIMISER },
    Group { title: "Replay buffer settings", open: false, fields: &REPLAY },
    Group { title: "Scoring", open: false, fields: &SCORING },
];

const LENGTH: [Field; 9] = [
    number!(
        "training.steps_per_task",
        "Steps per task",
        "steps",
        Numbers::whole(0.0),
        training.steps_per_task,
        "Optimiser steps for each task; 0 takes the passes below instead."
    ),
    real!(
        "training.epochs",
        "Passes over a task",
        "epochs",
        Numbers::above(0.0),
        training.epochs,
        "How often each task's examples are gone through when the steps per task are 0."
    ),
    number!(
        "training.batch_size",
        "Batch size",
        "examples",
        Numbers::whole(1.0),
        training.batch_size,
        "Examples of the current task in one step; more need more memory."
    ),
    number!(
        "training.gradient_accumulation",
        "Accumulation",
        "batches",
        Numbers::whole(1.0),
        training.gradient_accumulation,
        "Batches whose gradients are averaged into one step: a larger batch without more memory."
    ),
    number!(
        "training.max_length",
        "Longest example",
        "tokens",
        Numbers::whole(8.0),
        training.max_length,
        "A longer example loses the left of its prompt."
    ),
    number!(
        "training.max_train_examples",
        "Examples per task",
        "examples",
        Numbers::whole(0.0),
        training.max_train_examples,
        "At most this many training examples of each task; 0 takes all."
    ),
    number!(
        "training.pad_multiple",
        "Padding",
        "tokens",
        Numbers::whole(1.0),
        training.pad_multiple,
        "Batches are filled up to a multiple of this many tokens, so that a device meets few shapes."
    ),
    number!(
        "training.report_every",
        "Report every",
        "steps",
        Numbers::whole(1.0),
        training.report_every,
        "Losses are read back from the device every so many steps; each reading costs a little time."
    ),
    SEED,
];

/// The seed of everything that is left to chance.
const SEED: Field = Field {
    name: "seed",
    label: "Seed",
    about: "All that is left to chance comes from this number: the same seed repeats the same run.",
    unit: "",
    kind: Kind::Number(Numbers { max: Some(9_223_372_036_854_775_807.0), ..Numbers::whole(0.0) }),
    read: |config| config.seed.to_string(),
    write: |config, text| {
        config.seed = text.parse().ok()?;
        Some(())
    },
};

const OPTIMISER: [Field; 8] = [
    real!(
        "training.learning_rate",
        "Learning rate",
        "",
        Numbers::from(0.0),
        training.learning_rate,
        "How far AdamW moves the adapter in one step."
    ),
    Field {
        name: "training.schedule",
        label: "Schedule",
        about: "How the learning rate goes over the steps of each task; it starts anew at every task.",
        unit: "",
        kind: Kind::Words(&["constant", "linear", "cosine"]),
        read: |config| {
            match config.training.schedule {
                Schedule::Constant => "constant",
                Schedule::Linear => "linear",
                Schedule::Cosine => "cosine",
            }
            .into()
        },
        write: |config, text| {
            config.training.schedule = match text {
                "constant" => Schedule::Constant,
                "linear" => Schedule::Linear,
                "cosine" => Schedule::Cosine,
                _ => return None,
            };
            Some(())
        },
    },
    real!(
        "training.warmup_ratio",
        "Warm-up",
        "of a task",
        Numbers::share(),
        training.warmup_ratio,
        "Share of a task's steps over which the learning rate rises from 0."
    ),
    real!(
        "training.max_grad_norm",
        "Gradient clip",
        "",
        Numbers::from(0.0),
        training.max_grad_norm,
        "A longer gradient is shortened to this norm; 0 does not clip."
    ),
    real!(
        "training.weight_decay",
        "Weight decay",
        "",
        Numbers::from(0.0),
        training.weight_decay,
        "How strongly AdamW pulls the adapter's weights towards 0."
    ),
    real!(
        "training.beta_1",
        "Beta 1",
        "",
        Numbers::share(),
        training.beta_1,
        "AdamW's memory of the gradient, as a share kept in each step."
    ),
    real!(
        "training.beta_2",
        "Beta 2",
        "",
        Numbers::share(),
        training.beta_2,
        "AdamW's memory of the squared gradient, as a share kept in each step."
    ),
    real!("training.epsilon", "Epsilon", "", Numbers::above(0.0), training.epsilon, "Keeps AdamW from dividing by 0."),
];

const REPLAY: [Field; 3] = [
    Field {
        name: "replay.policy",
        label: "Policy",
        about: "Which examples a full replay buffer keeps: all seen with equal chance (reservoir), the latest (ring), or as many of each task (balanced).",
        unit: "",
        kind: Kind::Words(&["reservoir", "ring", "balanced"]),
        read: |config| {
            match config.replay.policy {
                ReplayPolicy::Reservoir => "reservoir",
                ReplayPolicy::Ring => "ring",
                ReplayPolicy::Balanced => "balanced",
            }
            .into()
        },
        write: |config, text| {
            config.replay.policy = match text {
                "reservoir" => ReplayPolicy::Reservoir,
                "ring" => ReplayPolicy::Ring,
                "balanced" => ReplayPolicy::Balanced,
                _ => return None,
            };
            Some(())
        },
    },
    number!(
        "replay.capacity",
        "Capacity",
        "examples",
        Numbers::whole(1.0),
        replay.capacity,
        "Examples that the replay buffer holds at most."
    ),
    number!(
        "replay.batch_size",
        "Replayed per step",
        "examples",
        Numbers::whole(0.0),
        replay.batch_size,
        "Examples from the replay buffer in one step; 0 takes the batch size."
    ),
];

const SCORING: [Field; 4] = [
    number!(
        "evaluation.max_examples",
        "Scored per task",
        "examples",
        Numbers::whole(0.0),
        evaluation.max_examples,
        "At most this many scored examples of each task; 0 takes all."
    ),
    number!(
        "evaluation.batch_size",
        "Scored at once",
        "examples",
        Numbers::whole(1.0),
        evaluation.batch_size,
        "Examples that are scored in one pass; more are faster and need more memory."
    ),
    number!(
        "evaluation.every_steps",
        "Score every",
        "steps",
        Numbers::whole(0.0),
        evaluation.every_steps,
        "Scores a subset in the middle of a task, for the curves of forgetting; 0 scores only where a task ends."
    ),
    number!(
        "evaluation.subset",
        "Subset size",
        "examples",
        Numbers::whole(1.0),
        evaluation.subset,
        "Examples of each task that are scored in the middle of a task."
    ),
];
