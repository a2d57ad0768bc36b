//! A made-up session for tests of the window: two runs over eight tasks, as events in the order in which an engine tells
//! them. The numbers are closed forms that look like a real run; no engine and no chance is involved.

use super::state::AppState;
use crate::continual::metrics::AccuracyMatrix;
use crate::continual::replay::ReplayPolicy;
use crate::engine::config::{ExperimentConfig, MethodConfig};
use crate::engine::protocol::Event;
use crate::engine::protocol::buffer::{BufferChange, BufferItem, BufferMap, ItemState};
use crate::engine::protocol::cards::{
    Catalogue, DeviceCard, KnobCard, KnobShape, MemoryEstimate, MethodCard, ModelCard, PreviewExample, PreviewToken,
    TaskCard,
};
use crate::engine::report::{BufferSummary, LearnerReport, RunReport, StepReport, TaskSummary};

/// Names of the tasks.
pub const TASKS: [&str; 8] =
    ["stance", "finance", "summary", "science", "arithmetic", "simplification", "medicine", "law"];
/// Steps of each task.
pub const TASK_STEPS: u64 = 75;

fn knob(name: &str, kind: KnobShape, default: &str, about: &str) -> KnobCard {
    KnobCard { name: name.into(), kind, default: default.into(), about: about.into() }
}

/// Three methods, as the engine would describe them.
pub fn catalogue() -> Catalogue {
    let method = |name: &str, label: &str, about: &str, formula: &str, replays, knobs| MethodCard {
        name: name.into(),
        label: label.into(),
        about: about.into(),
        formula: formula.into(),
        source: "arXiv 2402.18865".into(),
        replays,
        knobs,
        presets: Vec::new(),
    };
    let mut i_lora = method(
        "i_lora",
        "I-LoRA",
        "A fast learner on task and replay, a slow one that follows it by interpolation.",
        "slow = lambda * slow + (1 - lambda) * fast\nL = CE(task) + CE(replay) + gamma * |h_fast - h_slow|^2",
        true,
        vec![
            knob(
                "half_life_steps",
                KnobShape::Number { min: 0.0, max: Some(1e6) },
                "30",
                "Steps after which half of the slow learner is new.",
            ),
            knob("gamma", KnobShape::Number { min: 0.0, max: None }, "1", "Weight of the consistency term."),
            knob(
                "features",
                KnobShape::Choice(vec!["hidden".into(), "logits".into()]),
                "hidden",
                "What the consistency term compares.",
            ),
            knob("replay_current", KnobShape::Switch, "false", "Replay examples of the task being learnt as well."),
        ],
    );
    i_lora.presets = vec![("released_code".into(), vec![("half_life_steps".into(), "1".into())])];
    Catalogue {
        methods: vec![
            method("seq", "Seq", "Plain fine-tuning, one task after another.", "L = CE(task)", false, Vec::new()),
            method("er", "ER", "Replays old examples.", "L = CE(task) + CE(replay)", true, Vec::new()),
            i_lora,
        ],
        tasks: TASKS.iter().map(ToString::to_string).collect(),
        presets: vec![("demo".into(), "title = \"Watch it forget\"\n".into())],
        version: "0.1.0".into(),
    }
}

/// The frozen configuration of one of the runs.
pub fn experiment(method: &str) -> ExperimentConfig {
    ExperimentConfig {
        title: "Watch it forget".into(),
        methods: vec![MethodConfig::Name(method.into())],
        seed: 1,
        ..ExperimentConfig::default()
    }
}

/// Score on `task` after `row`: learnt, then forgotten faster by `forgets`.
fn score(row: usize, task: usize, forgets: f64) -> f64 {
    if row < task { 0.2 + 0.02 * task as f64 } else { 0.25 + 0.7 * (-(forgets * (row - task) as f64)).exp() }
}

fn learners(method: &str) -> Vec<LearnerReport> {
    let names: &[&str] = if method == "i_lora" { &["working", "long_term"] } else { &["model"] };
    names
        .iter()
        .map(|name| {
            let mut matrix = AccuracyMatrix::new(TASKS.len());
            for task in 0..TASKS.len() {
                matrix.set_chance(task, 0.25);
            }
            LearnerReport { name: (*name).into(), matrix, curve: Vec::new() }
        })
        .collect()
}

/// The report of a run at its start.
pub fn report(method: &str) -> RunReport {
    RunReport {
        title: format!("{method} on eight tasks"),
        method: method.into(),
        method_label: if method == "i_lora" { "I-LoRA".into() } else { "Seq".into() },
        seed: 1,
        device: "CPU (2 threads)".into(),
        model: "builtin".into(),
        tasks: TASKS
            .iter()
            .map(|name| TaskSummary {
                name: (*name).into(),
                title: (*name).into(),
                metric: "accuracy (likelihood)".into(),
                chance: 0.25,
                zero_shot: Some(0.22),
                train: 400,
                eval: 100,
                source: "builtin".into(),
            })
            .collect(),
        headline: usize::from(method == "i_lora"),
        learners: learners(method),
        settings: vec![("method".into(), method.into()), ("training.learning_rate".into(), "0.003".into())],
        command: "thalweg demo".into(),
        version: "0.1.0".into(),
        buffer: (method == "i_lora").then(BufferSummary::default),
        ..RunReport::default()
    }
}

/// The report of one step.
pub fn step(method: &str, step: u64) -> StepReport {
    let (task, task_step) = ((step - 1) / TASK_STEPS, (step - 1) % TASK_STEPS + 1);
    let wave = (step as f64 * 1.7).sin() * 0.08;
    let loss = (0.3 + 2.5 * (-(task_step as f64) / 18.0).exp() + wave) as f32;
    let mut losses = vec![("total".to_string(), loss), ("task".to_string(), loss)];
    if method == "i_lora" {
        losses = vec![
            ("total".into(), loss * 1.4 + 0.02),
            ("task".into(), loss),
            ("replay".into(), loss * 0.4),
            ("consistency".into(), 0.02),
        ];
    }
    StepReport {
        step,
        task: task as usize,
        task_step,
        task_steps: TASK_STEPS,
        losses,
        learning_rate: 0.003,
        gradient_norm: 0.8 + wave as f32,
        tokens: 700,
        tokens_per_sec: 18_000.0,
        secs_per_step: 0.04,
        buffer_len: if method == "i_lora" { (step as usize * 12).min(500) } else { 0 },
        learner_distance: (method == "i_lora").then_some(1.0 + task_step as f32 * 0.01),
        diagnostics: if method == "i_lora" { vec![("half_life_steps".into(), 30.0)] } else { Vec::new() },
    }
}

/// One kept example.
pub fn buffer_item(id: u64) -> BufferItem {
    let task = (id as usize * 8 / 500).min(7) % 8;
    BufferItem {
        id,
        task,
        example_index: id as usize,
        prompt: format!("{}: the council will raise the fee number {id} Answer:", TASKS[task]),
        answer: ["yes", "no", "maybe"][id as usize % 3].into(),
        tokens: 24 + id as usize % 17,
        inserted_step: 1 + id / 12,
        state: ItemState {
            replay_count: id % 7,
            last_replay_step: (!id.is_multiple_of(7)).then_some(300 + id % 300),
            loss_working: (!id.is_multiple_of(7)).then_some(0.1 + (id % 23) as f32 * 0.09),
            loss_long_term: (!id.is_multiple_of(7)).then_some(0.2 + (id % 19) as f32 * 0.05),
            pinned: id == 3,
        },
    }
}

/// A whole buffer of so many items.
pub fn buffer(items: u64, step: u64) -> BufferChange {
    let spread = |id: u64| BufferItem { task: (id * 8 / items.max(1)) as usize, ..buffer_item(id) };
    BufferChange {
        step,
        policy: ReplayPolicy::Reservoir,
        capacity: items as usize,
        n_seen: items * 2,
        whole: true,
        added: (0..items).map(spread).collect(),
        ..BufferChange::default()
    }
}

/// A map of so many items: a cloud for each task.
pub fn map(items: u64) -> BufferMap {
    let point = |id: u64| {
        let task = (id * 8 / items.max(1)) as f32;
        let angle = task * 0.785 + (id % 13) as f32 * 0.02;
        (id, [angle.cos() * (2.0 + (id % 7) as f32 * 0.1), angle.sin() * (2.0 + (id % 5) as f32 * 0.1)])
    };
    BufferMap {
        step: 600,
        learner: "long_term".into(),
        points: (0..items).map(point).collect(),
        explained: [0.41, 0.18],
    }
}

/// One run from its start to its end.
pub fn run_events(run: usize, method: &str) -> Vec<Event> {
    let label = report(method).method_label;
    let mut events = vec![
        Event::RunQueued { run, method_label: label.clone(), experiment: Box::new(experiment(method)) },
        Event::PhaseStarted { phase: "loading".into(), detail: "builtin".into() },
        Event::DeviceChosen { name: "CPU (2 threads)".into(), reason: "there is no other".into() },
        Event::RunStarted {
            run,
            runs: 2,
            method_label: label,
            tasks: TASKS.iter().map(ToString::to_string).collect(),
            steps_done: 0,
            steps_total: TASK_STEPS * 8,
            folder: Some(format!("runs/{method}-seed1")),
            report: Some(Box::new(report(method))),
        },
        Event::Evaluated { run, after_task: None, learner: "base".into(), scores: vec![Some(0.22); 8] },
    ];
    let names: Vec<String> = learners(method).into_iter().map(|learner| learner.name).collect();
    for task in 0..8_usize {
        events.push(Event::PhaseStarted { phase: "training".into(), detail: TASKS[task].into() });
        for task_step in (1..=TASK_STEPS).filter(|step| step % 5 == 0 || *step == 1) {
            let at = task as u64 * TASK_STEPS + task_step;
            let left = (TASK_STEPS * 8 - at) as f64 * 0.04;
            events.push(Event::Stepped {
                run,
                step: step(method, at),
                steps_total: TASK_STEPS * 8,
                eta_secs: Some(left),
            });
        }
        for name in &names {
            let forgets = match name.as_str() {
                "long_term" => 0.02,
                "working" => 0.08,
                _ => 0.5,
            };
            let scores = (0..8).map(|other| Some(score(task, other, forgets))).collect();
            events.push(Event::Evaluated { run, after_task: Some(task), learner: name.clone(), scores });
        }
        events.push(Event::CheckpointSaved { run, step: (task as u64 + 1) * TASK_STEPS });
    }
    if method == "i_lora" {
        events.push(Event::BufferChanged { run, change: Box::new(buffer(500, 600)) });
        events.push(Event::BufferMapped { run, map: Box::new(map(500)) });
    }
    let mut finished = report(method);
    let mut state = AppState::default();
    for event in &events {
        state.apply(event.clone(), 0.0);
    }
    if let Some(view) = state.run(run) {
        finished.learners.clone_from(&view.report.learners);
    }
    (finished.train_secs, finished.eval_secs, finished.total_tokens) = (24.0, 6.0, 420_000);
    events.push(Event::Finished { run, report: Box::new(finished) });
    events
}

/// The card of the embedded model.
pub fn model_card() -> ModelCard {
    ModelCard {
        model: "builtin".into(),
        model_type: "llama".into(),
        parameters: 262_000,
        weights_bytes: 1_048_000,
        dtypes: vec!["F32".into()],
        vocab_size: 512,
        hidden_size: 64,
        intermediate_size: 172,
        num_hidden_layers: 5,
        num_attention_heads: 8,
        num_key_value_heads: 4,
        max_position_embeddings: 512,
        tie_word_embeddings: true,
        trainable_parameters: 40_960,
        memory: MemoryEstimate {
            base: 1_048_000,
            adapters: 327_680,
            optimiser: 491_520,
            activations: 20_000_000,
            logits: 3_000_000,
            buffer: 200_000,
        },
        available_bytes: Some(8_000_000_000),
        too_large: None,
        warnings: Vec::new(),
    }
}

/// The card of a task.
pub fn task_card(name: &str) -> TaskCard {
    let token =
        |(index, text): (usize, &str)| PreviewToken { text: text.into(), id: index as u32 + 5, trained: index >= 6 };
    let words = [" stance", ":", " the", " fee", " is", " fair", " yes", "</s>"];
    let example = PreviewExample { tokens: words.into_iter().enumerate().map(token).collect() };
    TaskCard {
        name: name.into(),
        source: format!("builtin:{name}"),
        metric: "accuracy (likelihood)".into(),
        chance: 0.5,
        majority: 0.53,
        train: 400,
        eval: 100,
        labels: Vec::new(),
        token_lengths: (0..400).map(|index| 18 + (index * 7) % 23).collect(),
        cut: 0,
        preview: vec![example; 6],
        columns: Vec::new(),
        warnings: Vec::new(),
    }
}

/// The session up to the end of both runs.
pub fn session() -> Vec<Event> {
    let mut events = vec![
        Event::Ready { catalogue: Box::new(catalogue()), runs_folder: "/tmp/runs".into() },
        Event::ModelInspected { model: "builtin".into(), result: Ok(Box::new(model_card())) },
        Event::DevicesFound {
            devices: vec![DeviceCard {
                setting: "cpu".into(),
                name: "CPU (2 threads)".into(),
                step_secs: Some(0.012),
                ..DeviceCard::default()
            }],
        },
    ];
    events.extend(run_events(0, "seq"));
    events.extend(run_events(1, "i_lora"));
    events
}

/// The state after so many of the session's events (all of them if there are fewer).
pub fn state_after(events: usize) -> AppState {
    let mut state = AppState::default();
    let draft = state.draft.config.clone();
    for (index, event) in session().into_iter().take(events).enumerate() {
        state.apply(event, index as f64 * 0.1);
    }
    for task in &draft.tasks {
        if let crate::engine::config::TaskConfig::Source(source) = task {
            let name = source.trim_start_matches("builtin:");
            state.tasks.insert(super::state::task_id(task, &draft), Ok(task_card(name)));
        }
    }
    state
}

/// The state after the whole session.
pub fn state() -> AppState {
    state_after(usize::MAX)
}

#[test]
fn the_session_gives_two_finished_runs_with_full_matrices() {
    let state = state();
    assert_eq!((state.runs.len(), state.active, state.selected), (2, None, Some(1)));
    for run in &state.runs {
        assert_eq!(run.status, super::state::run::RunStatus::Finished);
        for learner in &run.report.learners {
            assert_eq!(learner.matrix.learnt(), 8, "{}", learner.name);
            assert_eq!(learner.curve.len(), 9);
        }
        assert_eq!(run.curves.boundaries.len(), 8);
        assert_eq!(run.curves.losses["total"].len(), 8 * 16);
    }
    assert_eq!(state.runs[1].buffer.items.len(), 500);
    let middle = state_after(60);
    assert_eq!(middle.active, Some(0));
    assert!(middle.active_run().unwrap().progress() > 0.0);
}
