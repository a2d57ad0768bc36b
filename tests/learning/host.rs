//! The engine as a window has it: commands in, events out, and everything that can go wrong between them.

use super::stream::{config, method, without_dropout};
use super::tiny_model::Scratch;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thalweg::continual::replay::ReplayPolicy;
use thalweg::engine::config::{ExperimentConfig, TaskConfig};
use thalweg::engine::host::Host;
use thalweg::engine::landscape_report::{Measure, PathReport};
use thalweg::engine::protocol::buffer::BufferEdit;
use thalweg::engine::protocol::{
    AdapterSource, Command, Event, PathCommand, PlaneCommand, SamplingConfig, SimilarityCommand, Steer,
};
use thalweg::engine::report::RunReport;

/// A host and everything that it told.
struct Session {
    host: Host,
    told: Vec<Event>,
}

impl Session {
    fn new(folder: &Path) -> Self {
        let host = Host::start(&folder.display().to_string(), Arc::new(|| {})).unwrap();
        Self { host, told: Vec::new() }
    }

    fn send(&self, command: Command) {
        self.host.send(command);
    }

    /// Waits for an event and returns what `of` makes of it; events before it stay in `told`.
    #[allow(clippy::disallowed_methods, reason = "a test may ask the clock")]
    fn wait<T>(&mut self, what: &str, mut of: impl FnMut(&Event) -> Option<T>) -> T {
        let start = Instant::now();
        let mut looked = 0;
        loop {
            self.told.extend(self.host.receive());
            while looked < self.told.len() {
                if let Some(found) = of(&self.told[looked]) {
                    // What was waited for is behind us.
                    self.told.drain(..=looked);
                    return found;
                }
                looked += 1;
            }
            assert!(start.elapsed() < Duration::from_mins(2), "{what} did not come; told: {:#?}", self.told.last());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn finished(&mut self, run: usize) -> RunReport {
        self.wait("the end of the run", |event| match event {
            Event::Finished { run: ended, report } if *ended == run => Some((**report).clone()),
            Event::Failed { message, .. } | Event::EngineDied { message } => panic!("{message}"),
            _ => None,
        })
    }

    fn refused(&mut self) -> String {
        self.wait("a refusal", |event| match event {
            Event::Refused { message, .. }
            | Event::Failed { message, .. }
            | Event::GenerationFailed { message, .. } => Some(message.clone()),
            _ => None,
        })
    }
}

/// Long enough that somebody can come between.
fn experiment(name: &str, folder: &Path) -> ExperimentConfig {
    let mut experiment = config(method(name, &[]));
    (experiment.output, experiment.training.steps_per_task) = (folder.display().to_string(), 200);
    experiment
}

fn generate(id: u64, sources: Vec<AdapterSource>, experiment: &ExperimentConfig) -> Command {
    let sampling = SamplingConfig { max_new_tokens: 3, ..SamplingConfig::default() };
    Command::Generate { id, prompt: "Stance: the".into(), sources, sampling, experiment: Box::new(experiment.clone()) }
}

#[test]
fn a_paused_run_shows_its_buffer_lets_it_be_changed_and_writes_with_its_learners() {
    let _alone = without_dropout();
    let scratch = Scratch::new("host-paused");
    let experiment = experiment("i_lora", scratch.path());
    let mut session = Session::new(scratch.path());
    session.wait("ready", |event| matches!(event, Event::Ready { .. }).then_some(()));
    session.send(Command::EditBuffer { edit: BufferEdit::Drop { id: 0 } });
    assert!(session.refused().contains("no run is in progress"));
    session.send(Command::WatchBuffer { on: true });
    session.send(Command::Start { run: 4, experiment: Box::new(experiment.clone()) });
    session.wait("the queue", |event| matches!(event, Event::RunQueued { run: 4, .. }).then_some(()));
    session.wait("a step", |event| matches!(event, Event::Stepped { run: 4, .. }).then_some(()));
    session.send(Command::Steer { steer: Steer::Pause });
    session.wait("the pause", |event| matches!(event, Event::Paused { run: 4, .. }).then_some(()));

    session.send(Command::EditBuffer { edit: BufferEdit::Pin { id: 1, pinned: true } });
    let change = session.wait("the pinned item", |event| match event {
        Event::BufferChanged { change, .. } => {
            let pinned = |id, state: &thalweg::engine::protocol::buffer::ItemState| id == 1 && state.pinned;
            let found = change.changed.iter().any(|(id, state)| pinned(*id, state))
                || change.added.iter().any(|item| pinned(item.id, &item.state));
            found.then(|| change.clone())
        }
        _ => None,
    });
    assert!(change.capacity > 0);
    session.send(Command::EditBuffer { edit: BufferEdit::Drop { id: 0 } });
    session.wait("the dropped item", |event| match event {
        Event::BufferChanged { change, .. } => change.removed.contains(&0).then_some(()),
        _ => None,
    });
    session.send(Command::EditBuffer { edit: BufferEdit::Drop { id: 0 } });
    assert!(session.refused().contains("not in the buffer any more"));
    session.send(Command::PreviewBuffer { policy: ReplayPolicy::Ring, capacity: 2 });
    let kept = session.wait("the preview", |event| match event {
        Event::BufferPreviewed { preview, .. } => Some(preview.kept.clone()),
        _ => None,
    });
    assert!(kept.len() == 2 && kept.contains(&1), "the pinned one and the latest: {kept:?}");
    session.send(Command::MapBuffer);
    let map = session.wait("the map", |event| match event {
        Event::BufferMapped { map, .. } => Some(map.clone()),
        _ => None,
    });
    assert!(map.learner == "long_term" && map.points.len() > 2 && map.explained[0] >= map.explained[1]);

    let live = |learner: &str| AdapterSource::Live { learner: learner.into() };
    session.send(generate(9, vec![AdapterSource::Base, live("working"), live("long_term")], &experiment));
    let mut done = [false; 3];
    session.wait("three texts", |event| {
        if let Event::Generated { id: 9, source, done: true, .. } = event {
            done[*source] = true;
        }
        done.iter().all(|done| *done).then_some(())
    });
    session.send(generate(10, vec![live("model")], &experiment));
    assert!(session.refused().contains("it has: working, long_term"));
    session.send(Command::Mark {
        id: 3,
        source: live("working"),
        examples: vec![(0, 0), (1, 1), (7, 0)],
        experiment: Box::new(experiment.clone()),
    });
    let marks = session.wait("the marks", |event| match event {
        Event::Marked { id: 3, examples } => Some(examples.clone()),
        _ => None,
    });
    assert_eq!(marks.iter().map(|mark| (mark.task, mark.example)).collect::<Vec<_>>(), [(0, 0), (1, 1)]);
    let exported = scratch.join("exported");
    session.send(Command::ExportAdapter { from: live("working"), path: exported.display().to_string() });
    session.wait("the export", |event| matches!(event, Event::Exported { .. }).then_some(()));
    assert!(exported.join("adapter_model.safetensors").is_file());

    session.send(Command::Steer { steer: Steer::Resume });
    let report = session.finished(4);
    let by_hand: Vec<&String> = report.warnings.iter().filter(|line| line.contains("by hand")).collect();
    assert_eq!(by_hand.len(), 2, "{:?}", report.warnings);
    assert_eq!(report.learners[1].matrix.learnt(), report.tasks.len());
}

#[test]
fn the_buffer_of_a_stopped_run_is_there_again_and_its_losses_have_a_history() {
    let _alone = without_dropout();
    let scratch = Scratch::new("host-buffer");
    let experiment = experiment("i_lora", scratch.path());
    let mut session = Session::new(scratch.path());
    // Somebody shows buffers, and does not look at one now.
    session.send(Command::WatchBuffer { on: false });
    session.send(Command::Start { run: 0, experiment: Box::new(experiment) });
    session.wait("replays, though nobody looks", |event| match event {
        Event::BufferChanged { run: 0, change } => {
            change.changed.iter().any(|(_, state)| state.replay_count > 0).then_some(())
        }
        _ => None,
    });
    session.send(Command::Steer { steer: Steer::Stop });
    let last = session.wait("the stop", |event| match event {
        Event::Stopped { run: 0, step } => Some(*step),
        _ => None,
    });
    let folder = scratch.join("i_lora-seed5");
    assert!(!folder.join("buffer.jsonl").exists(), "only a finished run writes it");
    session.send(Command::OpenRuns { run: 1, folder: folder.display().to_string() });
    let (buffer, report) = session.wait("the interrupted run", |event| match event {
        Event::RunOpened { run: 1, resumable: true, buffer, report, .. } => Some((buffer.clone(), report.clone())),
        _ => None,
    });
    let buffer = buffer.expect("the buffer of its checkpoint");
    assert!(buffer.whole && buffer.step == last && !buffer.added.is_empty() && buffer.capacity > 0);
    assert!(buffer.added.iter().any(|item| item.state.replay_count > 0 && !item.prompt.is_empty()));
    let summary = report.unwrap().buffer.unwrap();
    assert_eq!((summary.len, summary.n_seen), (buffer.added.len(), buffer.n_seen));
}

#[test]
fn a_stopped_run_is_resumed_packed_opened_and_explored() {
    let _alone = without_dropout();
    let scratch = Scratch::new("host-stopped");
    let experiment = experiment("seq", scratch.path());
    let mut session = Session::new(scratch.path());
    session.send(Command::Start { run: 0, experiment: Box::new(experiment.clone()) });
    session.wait("a step", |event| matches!(event, Event::Stepped { .. }).then_some(()));
    session.send(Command::Steer { steer: Steer::Stop });
    session.wait("the stop", |event| matches!(event, Event::Stopped { run: 0, .. }).then_some(()));
    let folder = scratch.join("seq-seed5").display().to_string();
    session.send(Command::OpenRuns { run: 1, folder: folder.clone() });
    session.wait("the interrupted run", |event| match event {
        Event::RunOpened { run: 1, resumable, report, steps, .. } => {
            assert!(*resumable && report.is_some() && !steps.is_empty());
            Some(())
        }
        _ => None,
    });
    // What it has measured so far travels in a capsule, too.
    let unfinished = scratch.join("unfinished.thalweg").display().to_string();
    session.send(Command::SaveCapsule { run: 0, folder: folder.clone(), path: unfinished.clone() });
    session.wait("the capsule of the interrupted run", |event| matches!(event, Event::Exported { .. }).then_some(()));
    session.send(Command::OpenCapsule { run: 5, path: unfinished });
    session.wait("the interrupted run of the capsule", |event| match event {
        Event::RunOpened { run: 5, resumable: false, report: Some(_), steps, steps_total, folder: None, .. } => {
            assert!(!steps.is_empty() && *steps_total > steps.last().unwrap().step);
            Some(())
        }
        _ => None,
    });
    session.send(Command::ResumeRun { run: 0, folder: folder.clone() });
    session.wait("its place in the queue", |event| match event {
        Event::RunQueued { run: 0, experiment: own, .. } => {
            assert_eq!(own.training, experiment.training, "with the settings it was begun with");
            Some(())
        }
        _ => None,
    });
    let report = session.finished(0);
    assert_eq!(report.learners[0].matrix.learnt(), report.tasks.len());

    session.send(Command::RenameRun { run: 0, folder: folder.clone(), title: " a better name ".into() });
    session.wait("the name", |event| {
        matches!(event, Event::RunRenamed { title, .. } if title == "a better name").then_some(())
    });
    let capsule = scratch.join("run.thalweg").display().to_string();
    session.send(Command::SaveCapsule { run: 0, folder: folder.clone(), path: capsule.clone() });
    session.wait("the capsule", |event| matches!(event, Event::Exported { .. }).then_some(()));
    session.send(Command::OpenCapsule { run: 2, path: capsule });
    let adapters = session.wait("the run of the capsule", |event| match event {
        Event::RunOpened { run: 2, folder: None, report: Some(opened), adapters, resumable: false, .. } => {
            assert_eq!(opened.learners, report.learners);
            Some(adapters.clone())
        }
        _ => None,
    });
    assert_eq!(adapters.len(), report.tasks.len());
    session.send(Command::OpenCapsule { run: 3, path: scratch.join("seq-seed5/config.toml").display().to_string() });
    assert!(session.refused().contains("not a capsule"));

    explore(&mut session, &scratch, &adapters, &experiment);

    session.send(Command::DeleteRun { run: 0, folder: scratch.path().display().to_string() });
    assert!(session.refused().contains("is no run's folder"), "only a run is ever deleted");
    session.send(Command::DeleteRun { run: 0, folder: folder.clone() });
    session.wait("the deletion", |event| matches!(event, Event::RunDeleted { run: 0 }).then_some(()));
    assert!(!Path::new(&folder).exists());
}

/// Measures a path, whole.
fn measure(session: &mut Session, id: u64, path: &PathCommand, experiment: &ExperimentConfig) -> Box<PathReport> {
    session.send(Command::MeasurePath { id, path: Box::new(path.clone()), experiment: Box::new(experiment.clone()) });
    session.wait("the path", |event| match event {
        Event::PathMeasured { id: of, report, done: true } if *of == id => Some(report.clone()),
        Event::ExplorationFailed { message, .. } => panic!("{message}"),
        _ => None,
    })
}

/// A path between two adapters of a run: known by content, and its points can be asked and exported.
fn explore(
    session: &mut Session,
    scratch: &Scratch,
    adapters: &[(usize, String, String)],
    experiment: &ExperimentConfig,
) {
    let ends = [&adapters[0], &adapters[1]]
        .map(|(_, name, path)| (name.clone(), AdapterSource::Folder { path: path.clone() }));
    let path = PathCommand {
        anchors: ends.to_vec(),
        shape: "line".into(),
        points: 9,
        beyond: 0.0,
        bends: 1,
        steps: 2,
        learning_rate: 0.01,
        examples: 2,
        scores: false,
    };
    let first = measure(session, 70, &path, experiment);
    assert_eq!(first.points.len(), 9);
    assert_eq!(
        measure(session, 71, &path, experiment),
        first,
        "the second look is free and the same, down to its seconds"
    );
    session.send(generate(11, vec![AdapterSource::OnPath { path: 71, t: 0.25 }], experiment));
    session.wait("a text at the point", |event| {
        matches!(event, Event::Generated { id: 11, done: true, .. }).then_some(())
    });
    let point = scratch.join("point").display().to_string();
    session.send(Command::ExportAdapter { from: AdapterSource::OnPath { path: 71, t: 0.25 }, path: point.clone() });
    session.wait("the point's adapter", |event| {
        matches!(event, Event::Exported { path, .. } if *path == point).then_some(())
    });
    // Both numbers are the one path's.
    session.send(generate(12, vec![AdapterSource::OnPath { path: 70, t: 0.5 }], experiment));
    session.wait("a text at the same point", |event| {
        matches!(event, Event::Generated { id: 12, done: true, .. }).then_some(())
    });
    session.send(generate(13, vec![AdapterSource::OnPath { path: 69, t: 0.5 }], experiment));
    assert!(session.refused().contains("measure it again"), "nobody measured that one");
    let mark = |id: u64, path: u64| Command::Mark {
        id,
        source: AdapterSource::OnPath { path, t: 0.5 },
        examples: vec![(0, 0)],
        experiment: Box::new(experiment.clone()),
    };
    session.send(mark(14, 69));
    session.wait("why there are no marks", |event| match event {
        Event::MarkFailed { id: 14, message } if message.contains("measure it again") => Some(()),
        Event::Marked { .. } | Event::Refused { .. } => panic!("{event:?}"),
        _ => None,
    });
    assert!(first.command.starts_with("thalweg path ") && first.command.contains("--points 9"), "{}", first.command);

    // An adapter of the same size and time with another content is another adapter.
    let weights = Path::new(&adapters[1].2).join("adapter_model.safetensors");
    let (before, when) = (std::fs::read(&weights).unwrap(), std::fs::metadata(&weights).unwrap().modified().unwrap());
    let mut other = before.clone();
    let half = other.len() / 2;
    let last = other.len() - 4;
    assert!(half < last, "a factor stands at the end");
    other[last..].copy_from_slice(&0.75_f32.to_le_bytes());
    std::fs::write(&weights, &other).unwrap();
    std::fs::File::options().write(true).open(&weights).unwrap().set_modified(when).unwrap();
    let changed = measure(session, 72, &path, experiment);
    assert_ne!(changed.points[8].losses, first.points[8].losses, "the changed end was measured");
    std::fs::write(&weights, &before).unwrap();
    assert_eq!(measure(session, 73, &path, experiment).points, first.points, "and the first content is known still");
    curves_and_products(session, scratch, &path, experiment);
    another_model(session, scratch, &path, experiment);
}

/// A trained curve lies in its own plane, a point of a product line is exported as an adapter, and the ends are compared.
fn curves_and_products(session: &mut Session, scratch: &Scratch, path: &PathCommand, experiment: &ExperimentConfig) {
    let bezier = PathCommand { shape: "bezier".into(), points: 3, steps: 3, ..path.clone() };
    let report = measure(session, 80, &bezier, experiment);
    assert!(report.is_whole() && report.training.as_ref().is_some_and(|training| training.done == 3));
    assert!(report.command.contains("--kind bezier") && report.command.contains("--steps 3"), "{}", report.command);
    let at = |t: f64| (format!("t = {t}"), AdapterSource::OnPath { path: 80, t });
    let plane = PlaneCommand {
        shape: "three adapters".into(),
        anchors: vec![at(0.0), at(0.5), at(1.0)],
        others: Vec::new(),
        tracks: Vec::new(),
        curves: vec![("the curve".into(), 80)],
        side: 2,
        margin: 0.25,
        examples: 2,
        scores: false,
    };
    let experiment_of = || Box::new(experiment.clone());
    session.send(Command::MeasurePlane { id: 81, plane: Box::new(plane), experiment: experiment_of() });
    let plane = session.wait("the plane", |event| match event {
        Event::PlaneMeasured { id: 81, report, done: true } => Some(report.clone()),
        Event::ExplorationFailed { message, .. } => panic!("{message}"),
        _ => None,
    });
    let curve = &plane.tracks[0];
    assert_eq!((curve.name.as_str(), curve.points.len()), ("the curve", 25));
    assert!(curve.points.iter().all(|mark| mark.residual < 1e-3), "with one bend it lies in the plane of its points");
    assert!(plane.losses.iter().all(Option::is_some) && plane.unmeasured() == 0);

    let product = PathCommand { shape: "product".into(), points: 3, ..path.clone() };
    measure(session, 82, &product, experiment);
    let folder = scratch.join("product").display().to_string();
    session.send(Command::ExportAdapter { from: AdapterSource::OnPath { path: 82, t: 0.5 }, path: folder.clone() });
    session.wait("a point of the product line", |event| match event {
        Event::Exported { path, .. } if *path == folder => Some(()),
        Event::Refused { message, .. } => panic!("{message}"),
        _ => None,
    });
    let settings = std::fs::read_to_string(Path::new(&folder).join("adapter_config.json")).unwrap();
    let rank = 2 * experiment.lora.rank;
    assert!(settings.contains(&format!("\"r\": {rank}")), "{settings}");

    let similarity = SimilarityCommand { adapters: path.anchors.clone(), features: true, examples: 2 };
    let similarity = Box::new(similarity);
    session.send(Command::MeasureSimilarity { id: 83, similarity, experiment: experiment_of() });
    let near = session.wait("the comparison", |event| match event {
        Event::SimilarityMeasured { id: 83, report } => Some(report.clone()),
        Event::ExplorationFailed { message, .. } => panic!("{message}"),
        _ => None,
    });
    assert!(near.value(Measure::Cka, 0, 1).is_some() && near.value(Measure::UpdateDistance, 0, 1).is_some());
}

/// The path 71 and its exported point, when another model was loaded since.
fn another_model(session: &mut Session, scratch: &Scratch, path: &PathCommand, experiment: &ExperimentConfig) {
    let point = scratch.join("point").display().to_string();
    // A point belongs to the model that it was measured with, whatever was loaded since.
    let mut elsewhere = experiment.clone();
    elsewhere.model = super::tiny_model::same_shape_model().display().to_string();
    session.send(generate(15, vec![AdapterSource::Base], &elsewhere));
    session.wait("a text of another model", |event| {
        matches!(event, Event::Generated { id: 15, done: true, .. }).then_some(())
    });
    let later = scratch.join("later").display().to_string();
    session.send(Command::ExportAdapter { from: AdapterSource::OnPath { path: 71, t: 0.25 }, path: later.clone() });
    session.wait("the point's adapter again", |event| {
        matches!(event, Event::Exported { path, .. } if *path == later).then_some(())
    });
    let settings = |folder: &str| std::fs::read_to_string(Path::new(folder).join("adapter_config.json")).unwrap();
    assert_eq!(settings(&later), settings(&point), "the base model that it names");
    let file = |folder: &str| std::fs::read(Path::new(folder).join("adapter_model.safetensors")).unwrap();
    assert!(file(&later) == file(&point), "values and fingerprint");
    session.send(generate(16, vec![AdapterSource::OnPath { path: 71, t: 0.5 }], &elsewhere));
    assert!(session.refused().contains("another model"));
    // And no path joins adapters with a model that is not theirs.
    let across = Command::MeasurePath { id: 74, path: Box::new(path.clone()), experiment: Box::new(elsewhere) };
    session.send(across);
    session.wait("a refusal", |event| match event {
        Event::ExplorationFailed { id: 74, message } if message.contains("trained on other weights") => Some(()),
        Event::ExplorationFailed { message, .. } => panic!("{message}"),
        _ => None,
    });
}

#[test]
fn what_vanishes_or_is_full_is_told_and_the_engine_goes_on() {
    let _alone = without_dropout();
    let scratch = Scratch::new("host-wrong");
    let good = experiment("seq", scratch.path());
    let mut session = Session::new(scratch.path());
    let start = |session: &Session, run, experiment: &ExperimentConfig| {
        session.send(Command::Start { run, experiment: Box::new(experiment.clone()) });
    };
    let mut gone = good.clone();
    gone.tasks.push(TaskConfig::Source(scratch.join("vanished.jsonl").display().to_string()));
    start(&session, 0, &gone);
    assert!(session.refused().contains("vanished.jsonl"));
    let mut no_model = good.clone();
    no_model.model = scratch.join("no-model").display().to_string();
    start(&session, 1, &no_model);
    assert!(session.refused().contains("no-model"));
    std::fs::write(scratch.join("a-file"), "x").unwrap();
    let mut no_place = good.clone();
    no_place.output = scratch.join("a-file").display().to_string();
    start(&session, 2, &no_place);
    assert!(session.refused().contains("a-file"));
    start(&session, 3, &ExperimentConfig { tasks: Vec::new(), ..good.clone() });
    assert!(session.refused().contains("`tasks` is empty"));

    // The disk takes nothing any more while a run goes on: the training goes on, its numbers are told, and then the error.
    start(&session, 5, &good);
    session.wait("a step", |event| matches!(event, Event::Stepped { run: 5, .. }).then_some(()));
    let folder = scratch.join("seq-seed5");
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::write(&folder, "in the way").unwrap();
    let mut warned = false;
    let report = session.wait("the numbers", |event| match event {
        Event::Warned { message } => {
            warned |= message.contains("no checkpoint was written, the run goes on");
            None
        }
        Event::Finished { run: 5, report } => Some(report.clone()),
        Event::Failed { run: 5, message } => panic!("before its numbers: {message}"),
        _ => None,
    });
    assert!(warned && report.learners[0].matrix.learnt() == report.tasks.len());
    assert!(session.refused().contains("seq-seed5"));

    // A run that waits can be taken back; one that was queued behind it comes.
    std::fs::remove_file(&folder).unwrap();
    start(&session, 6, &good);
    start(&session, 7, &good);
    session.send(Command::Unqueue { run: 7 });
    session.wait("the run taken back", |event| matches!(event, Event::Unqueued { run: 7 }).then_some(()));
    session.finished(6);
    start(&session, 8, &good);
    session.finished(8);
    assert!(!session.told.iter().any(|event| matches!(event, Event::RunStarted { run: 7, .. })));
}
