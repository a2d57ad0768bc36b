//! `just frames`: how long the CPU works on one frame of the window, with 10,000 items in the replay buffer, 1,000,000 loss
//! points, and a training beside it. Drawing on the graphics device is not counted.

use super::stage::Stage;
use std::time::Instant;
use thalweg::continual::metrics::AccuracyMatrix;
use thalweg::engine::config::{ExperimentConfig, MethodConfig};
use thalweg::engine::protocol::Event;
use thalweg::engine::protocol::buffer::{BufferChange, BufferItem, BufferMap};
use thalweg::engine::report::{LearnerReport, RunReport, StepReport, TaskSummary};
use thalweg::ui::app::App;
use thalweg::ui::files::Scripted;
use thalweg::ui::link::Recorded;
use thalweg::ui::panel::PanelKind;
use thalweg::ui::panels;
use thalweg::ui::session::Session;

const POINTS: u64 = 1_000_000;
const ITEMS: u64 = 10_000;
const FRAMES: usize = 200;

/// A run with as much in it as anybody will have.
fn heavy_run() -> Vec<Event> {
    let tasks = ["stance", "finance", "summary", "science", "arithmetic", "simplification", "medicine", "law"];
    let learner = |name: &str| {
        let mut matrix = AccuracyMatrix::new(8);
        for row in 0..8 {
            for task in 0..8 {
                matrix.set_score(row, task, 1.0 / (1.0 + (row as f64 - task as f64).abs()));
            }
        }
        LearnerReport { name: name.into(), matrix, curve: Vec::new() }
    };
    let report = RunReport {
        method: "i_lora".into(),
        method_label: "I-LoRA".into(),
        learners: vec![learner("working"), learner("long_term")],
        headline: 1,
        tasks: tasks
            .iter()
            .map(|name| TaskSummary { name: (*name).into(), chance: 0.2, ..TaskSummary::default() })
            .collect(),
        ..RunReport::default()
    };
    let steps = (1..=POINTS).map(|step| {
        let each = POINTS / 8;
        let noise = ((step.wrapping_mul(2_654_435_761) >> 7) % 1000) as f32 / 1000.0;
        StepReport {
            step,
            task: ((step - 1) / each) as usize,
            task_step: (step - 1) % each + 1,
            task_steps: each,
            losses: vec![("total".into(), 1.0 + noise), ("task".into(), 0.6 + noise), ("replay".into(), 0.4 * noise)],
            learning_rate: 1e-3,
            gradient_norm: noise,
            learner_distance: Some(noise),
            ..StepReport::default()
        }
    });
    let item = |id: u64| BufferItem {
        id,
        task: (id % 8) as usize,
        prompt: format!("the council will raise the fee number {id} Answer:"),
        answer: "yes".into(),
        tokens: 30,
        inserted_step: id * 90,
        ..BufferItem::default()
    };
    let buffer = BufferChange {
        step: POINTS,
        capacity: ITEMS as usize,
        n_seen: 4 * ITEMS,
        whole: true,
        added: (0..ITEMS).map(item).collect(),
        ..BufferChange::default()
    };
    let places = (0..ITEMS).map(|id| (id, [(id as f32 * 0.37).sin(), (id as f32 * 0.91).cos()])).collect();
    let map = BufferMap { step: POINTS, learner: "long_term".into(), points: places, explained: [0.4, 0.2] };
    let experiment =
        ExperimentConfig { methods: vec![MethodConfig::Name("i_lora".into())], ..ExperimentConfig::default() };
    vec![
        Event::Ready { catalogue: Box::new(thalweg::engine::catalogue::catalogue()), runs_folder: "runs".into() },
        Event::RunOpened {
            run: 0,
            folder: None,
            experiment: Box::new(experiment),
            report: Some(Box::new(report)),
            steps: steps.collect(),
            steps_total: POINTS,
            buffer: Some(Box::new(buffer)),
            adapters: Vec::new(),
            resumable: false,
        },
        Event::BufferMapped { run: 0, map: Box::new(map) },
    ]
}

/// Times of frames with what egui needs to hand over to the graphics device, in milliseconds, ascending.
#[allow(clippy::disallowed_methods, reason = "a benchmark asks the clock")]
fn frames(app: &mut App, context: &egui::Context) -> Vec<f64> {
    let mut times = Vec::with_capacity(FRAMES);
    for frame in 0..FRAMES + 10 {
        let input = egui::RawInput {
            screen_rect: Some(egui::Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(1440.0, 900.0))),
            time: Some(frame as f64 / 60.0),
            // The pointer wanders, so that hovering counts too.
            events: vec![egui::Event::PointerMoved(egui::pos2(
                300.0 + (frame % 700) as f32,
                200.0 + (frame % 400) as f32,
            ))],
            ..egui::RawInput::default()
        };
        let start = Instant::now();
        let output = context.run_ui(input, |ui| app.ui(ui));
        let drawn = context.tessellate(output.shapes, output.pixels_per_point);
        let time = start.elapsed().as_secs_f64() * 1e3;
        assert!(!drawn.is_empty());
        if frame >= 10 {
            times.push(time);
        }
    }
    times.sort_by(f64::total_cmp);
    times
}

fn told(name: &str, times: &[f64]) {
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("{name:<44} p50 {:6.2}  p95 {:6.2}  max {:6.2} ms", at(0.5), at(0.95), at(1.0));
}

#[test]
#[ignore = "a benchmark: `just frames`"]
fn frame_times() {
    println!("CPU time of one frame, 1440 x 900, {FRAMES} frames; target: p95 at most 20 ms");
    let heavy = heavy_run();
    for kind in [None].into_iter().chain(PanelKind::ALL.map(Some)) {
        let link = Recorded::new(heavy.clone(), 0);
        let mut app = App::new(Box::new(link), Box::new(Scripted::default()), panels::all(), Session::default());
        let context = egui::Context::default();
        let first = frames_until_read(&mut app, &context);
        if let Some(kind) = kind {
            app.show_alone(kind);
        }
        let name =
            kind.map_or_else(|| "all panels of the first layout".to_string(), |kind| format!("{} alone", kind.title()));
        told(&format!("{name}, 1,000,000 points, 10,000 items"), &frames(&mut app, &context));
        if kind.is_none() {
            println!("(taking in the million points once: {first:.0} ms)");
        }
    }
    // And while the CPU trains.
    let mut stage = Stage::new("frames", [1440.0, 900.0], Session::default(), false);
    stage.wait("the engine", 60, |state| state.engine.ready.then_some(()));
    stage.click_first("Watch it forget");
    stage.wait("a step", 60, |state| state.active_run().filter(|run| run.steps_done > 3).map(|_| ()));
    let mut times = Vec::new();
    while stage.state().runs.iter().any(|run| run.status.is_active()) && times.len() < 1500 {
        times.push(timed_step(&mut stage));
        std::thread::sleep(std::time::Duration::from_millis(16));
    }
    times.sort_by(f64::total_cmp);
    told("the demonstration training on the CPU", &times);
}

#[allow(clippy::disallowed_methods, reason = "a benchmark asks the clock")]
fn frames_until_read(app: &mut App, context: &egui::Context) -> f64 {
    let start = Instant::now();
    let _ = context.run_ui(egui::RawInput::default(), |ui| app.ui(ui));
    start.elapsed().as_secs_f64() * 1e3
}

#[allow(clippy::disallowed_methods, reason = "a benchmark asks the clock")]
fn timed_step(stage: &mut Stage) -> f64 {
    let start = Instant::now();
    stage.harness.step();
    start.elapsed().as_secs_f64() * 1e3
}
