//! Paths and planes between trained adapters: their ends and anchors are the adapters' own values, several points in one pass
//! are what each is alone, averaging updates is averaging models, a trained curve goes below the line, a stop keeps what there is.

use super::stream::{config, method, prepare, without_dropout};
use super::tiny_model::{Scratch, files_below};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thalweg::engine::config::ExperimentConfig;
use thalweg::engine::curve::CurveSettings;
use thalweg::engine::explorer::{Explorer, ExplorerSettings, Measured};
use thalweg::engine::landscape::{
    Anchor, Known, Look, PathRequest, PathShape, PlaneRequest, PlaneShape, Track, beside_path, explore_path,
    explore_plane, explore_similarity, read_anchors,
};
use thalweg::engine::landscape_report::{Measure, PathReport, PlaneReport, SimilarityReport};
use thalweg::engine::prepare::Prepared;
use thalweg::engine::protocol::{Event, Steer};
use thalweg::engine::{Control, experiment};
use thalweg::landscape::refactor::combine_updates;
use thalweg::model::{Adapter, Overlay, Pass};
use thalweg::platform::block_on;

/// Three tasks learnt one after the other, with large steps so that the adapters lie apart.
pub struct Scene {
    pub scratch: Scratch,
    pub run: PathBuf,
    pub prepared: Arc<Prepared>,
}

pub fn training(name: &str) -> ExperimentConfig {
    let mut config = config(method(name, &[]));
    config.training.learning_rate = 0.03;
    config.training.steps_per_task = 12;
    config
}

impl Scene {
    pub fn new(name: &str) -> Self {
        let scratch = Scratch::new("landscape");
        let config = training(name);
        let (control, mut sink) = (Control::default(), |_| {});
        let trained = experiment::run_experiment(&config, Some(scratch.path()), "a test", &control, &mut sink);
        assert_eq!(block_on(trained).unwrap().unwrap().reports.len(), 1);
        let run = scratch.join(&format!("{name}-seed5"));
        Self { run, prepared: prepare(&config), scratch }
    }

    pub fn folders(&self, learner: &str) -> Vec<PathBuf> {
        let adapters = self.run.join("adapters");
        let mut found: Vec<PathBuf> = files_below(&adapters)
            .iter()
            .filter(|name| name.ends_with(&format!("{learner}/adapter_config.json")))
            .map(|name| adapters.join(name).parent().unwrap().to_path_buf())
            .collect();
        found.sort();
        assert_eq!(found.len(), 3);
        found
    }

    pub fn anchors(&self, learner: &str) -> Vec<Anchor> {
        let folders = self.folders(learner);
        read_anchors(&folders.iter().map(PathBuf::as_path).collect::<Vec<_>>(), &self.prepared).unwrap()
    }

    pub fn path(&self, anchors: &[Anchor], shape: PathShape, points: usize, points_at_once: usize) -> PathReport {
        let request = request(shape, points);
        let (look, control) = (look(points_at_once), Control::default());
        let mut sink = |_| {};
        let mut ignore = |_| {};
        let report = explore_path(&self.prepared, anchors, &request, &look, &control, &mut sink, &mut ignore);
        block_on(report).unwrap().unwrap().0
    }

    pub fn similarity(&self, anchors: &[Anchor], features: bool, control: &Control) -> SimilarityReport {
        let (look, mut sink) = (look(1), |_| {});
        let report = explore_similarity(&self.prepared, anchors, features, &look, control, &mut sink);
        block_on(report).unwrap().unwrap()
    }

    /// One adapter alone.
    pub fn values(&self, adapter: &Adapter) -> Measured {
        let explorer = Explorer::new(&self.prepared, look(1).explorer).unwrap();
        let (points, mut tell) = (|_| adapter.vars(false), |_: usize, _: &[Measured]| true);
        let measured = explorer.measure(1, &points, &mut tell);
        block_on(measured).unwrap().unwrap().remove(0)
    }
}

pub fn look(points_at_once: usize) -> Look {
    Look {
        title: "a test".into(),
        seed: 1,
        explorer: ExplorerSettings { examples: 6, points_at_once, scores: true },
        command: "thalweg path".into(),
        known: Known::default(),
    }
}

pub fn request(shape: PathShape, points: usize) -> PathRequest {
    let curve = CurveSettings { bends: 1, steps: 40, batch_size: 8, learning_rate: 0.03, seed: 3, pad_multiple: 8 };
    PathRequest { shape, points, beyond: 0.0, curve, watches: false }
}

pub fn mean(values: &[Option<f64>]) -> f64 {
    values.iter().map(|value| value.unwrap()).sum::<f64>() / values.len() as f64
}

pub fn near(a: &[Option<f64>], b: &[Option<f64>], tolerance: f64, what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (a, b) in a.iter().zip(b) {
        assert!((a.unwrap() - b.unwrap()).abs() <= tolerance, "{what}: {a:?} is not {b:?}");
    }
}

/// Check 6 of the spec, and the batched pass against single ones.
#[test]
fn ends_are_the_adapters_and_points_together_are_points_alone() {
    let _alone = without_dropout();
    let scene = Scene::new("seq");
    let anchors = scene.anchors("model");
    let pair = &anchors[..2];
    for shape in [PathShape::Line, PathShape::Slerp, PathShape::Bezier, PathShape::PolyChain, PathShape::Product] {
        let together = scene.path(pair, shape, 5, 5);
        assert_eq!(together.points.len(), 5);
        for (point, anchor) in [(&together.points[0], &anchors[0]), (&together.points[4], &anchors[1])] {
            let alone = scene.values(&anchor.adapter);
            near(&point.losses, &alone.losses, 2e-6, &format!("{shape:?}"));
            near(&point.scores, &alone.scores, 1e-9, &format!("{shape:?}"));
        }
        let one_by_one = scene.path(pair, shape, 5, 1);
        for (a, b) in together.points.iter().zip(&one_by_one.points) {
            near(&a.losses, &b.losses, 2e-6, &format!("{shape:?} at {}", a.t));
        }
        // tasks and their mean
        assert_eq!(together.barriers.len(), 4);
        assert!(together.points.windows(2).all(|pair| pair[0].arc_length < pair[1].arc_length));
    }
    // The same adapter twice has no barrier, and a chain goes through all of them.
    let same = [anchors[0].clone(), anchors[0].clone()];
    let flat = scene.path(&same, PathShape::Line, 4, 0);
    assert!(flat.barriers.iter().all(|line| line.entezari.unwrap().abs() < 2e-6), "{:?}", flat.barriers);
    let chain = scene.path(&anchors, PathShape::Line, 9, 0);
    assert_eq!((chain.kind.as_str(), chain.ends.len()), ("chain", 3));
    // Nine even places, and the inner adapter wherever it stands.
    let inner = chain.marks[1].t;
    let at_inner = chain.points.iter().find(|point| point.t == inner).unwrap();
    near(&at_inner.losses, &scene.values(&anchors[1].adapter).losses, 2e-6, "the middle of the chain");
    near(
        &chain.points.last().unwrap().losses,
        &scene.values(&anchors[2].adapter).losses,
        2e-6,
        "the last of the chain",
    );
}

/// Half of the way along the product line stands the average of the two merged models.
#[test]
fn averaging_updates_is_averaging_models() {
    let _alone = without_dropout();
    let scene = Scene::new("seq");
    let anchors = scene.anchors("model");
    let line = scene.path(&anchors[..2], PathShape::Product, 3, 3);
    let rank = anchors[0].plain.config.rank;
    let average = combine_updates(&[(0.5, &anchors[0].plain), (0.5, &anchors[1].plain)], 2 * rank).unwrap();
    let llama = &scene.prepared.model.llama;
    let average = Adapter::from_plain(&average.adapter, &llama.config, llama.device()).unwrap();
    near(&line.points[1].losses, &scene.values(&average).losses, 1e-4, "the average model");
    let factors = scene.path(&anchors[..2], PathShape::Line, 3, 3);
    let apart = (mean(&line.points[1].losses) - mean(&factors.points[1].losses)).abs();
    assert!(apart > 1e-4, "averaging factors is something else: {apart}");
}

/// Between independent minima the trained bend finds lower losses than the straight line; the ends stay.
#[test]
fn a_trained_curve_lies_lower_than_the_line() {
    let _alone = without_dropout();
    let scene = Scene::new("seq");
    let anchors = scene.anchors("model");
    let pair = [anchors[0].clone(), anchors[2].clone()];
    let middle =
        |report: &PathReport| mean(&report.points[2..5].iter().map(|p| Some(mean(&p.losses))).collect::<Vec<_>>());
    let line = scene.path(&pair, PathShape::Line, 7, 0);
    for shape in [PathShape::Bezier, PathShape::PolyChain] {
        let curve = scene.path(&pair, shape, 7, 0);
        eprintln!("{shape:?}: {} on the curve, {} on the line", middle(&curve), middle(&line));
        assert!(middle(&curve) < middle(&line), "{shape:?}");
        assert_eq!(curve.ends[1], "bend 1");
        assert!(curve.points[6].arc_length > line.points[6].arc_length, "a detour is longer");
    }
}

#[test]
fn a_plane_shows_its_anchors_where_they_are() {
    let _alone = without_dropout();
    let scene = Scene::new("i_lora");
    let slow = scene.anchors("long_term");
    let track = Track { name: "slow".into(), folders: scene.folders("long_term") };
    for (shape, laying, tracks) in [
        (PlaneShape::Through, 3, vec![track.clone()]),
        (PlaneShape::Principal, 3, vec![]),
        (PlaneShape::Random, 1, vec![]),
    ] {
        let request = PlaneRequest { shape, points: 3, margin: 0.2, tracks, curves: Vec::new() };
        let control = Control::default();
        let look = look(0);
        let mut sink = |_| {};
        let mut told = Vec::new();
        let mut partial = |report: PlaneReport| told.push(report.losses.iter().flatten().count());
        let plane = explore_plane(&scene.prepared, (&slow, laying), &request, &look, &control, &mut sink, &mut partial);
        let (plane, ground) = block_on(plane).unwrap().unwrap();
        assert!(told.is_sorted() && told.last() == Some(&9), "{told:?}");
        let corner = ground.adapter(plane.xs[2], plane.ys[0]).unwrap();
        near(&plane.losses[2..3], &[Some(mean(&scene.values(&corner).losses))], 1e-5, "a corner of the grid");
        assert_eq!((plane.losses.len(), plane.per_task_losses.len(), plane.anchors.len()), (9, 3, 3), "{shape:?}");
        assert!(plane.losses.iter().all(Option::is_some), "{shape:?}");
        if shape == PlaneShape::Random {
            // The centre of the grid is the adapter.
            near(&plane.losses[4..5], &[Some(mean(&scene.values(&slow[0].adapter).losses))], 1e-5, "centre");
            assert!(plane.anchors[0].residual < 1e-4 && plane.anchors[1].residual > 1e-3);
        } else {
            // Three points lie on their plane, and so does a track through them.
            assert!(plane.anchors.iter().all(|mark| mark.residual < 1e-3), "{shape:?}: {:?}", plane.anchors);
            for track in &plane.tracks {
                for (mark, anchor) in track.points.iter().zip(&plane.anchors) {
                    assert!((mark.x - anchor.x).abs() < 1e-4 && (mark.y - anchor.y).abs() < 1e-4);
                }
            }
        }
    }
}

#[test]
fn a_stop_keeps_what_was_measured() {
    let _alone = without_dropout();
    let scene = Scene::new("seq");
    let anchors = scene.anchors("model");
    let control = Control::default();
    let to = control.clone();
    let mut stop = |event: Event| {
        if matches!(event, Event::EvaluationProgressed { done: 2, .. }) {
            to.send(Steer::Stop);
        }
    };
    let look = look(1);
    let request = request(PathShape::Line, 9);
    let mut told = 0;
    let mut ignore = |_| told += 1;
    let report = explore_path(&scene.prepared, &anchors[..2], &request, &look, &control, &mut stop, &mut ignore);
    let (report, ground) = block_on(report).unwrap().unwrap();
    assert_eq!((report.points.len(), report.points[1].t), (2, 1.0), "the ends come first");
    assert!(told > 0, "what is known is told while it grows");
    let middle = ground.adapter(0.5).unwrap();
    assert!(report.warnings[0].contains("2 of 9 points"), "{:?}", report.warnings);
    let whole = scene.path(&anchors[..2], PathShape::Line, 9, 1);
    near(&report.points[1].losses, &whole.points[8].losses, 0.0, "kept as it was");
    near(&scene.values(&middle).losses, &whole.points[4].losses, 1e-6, "the ground gives the points");
}

#[test]
fn what_makes_no_path_or_plane_is_refused() {
    let _alone = without_dropout();
    let scene = Scene::new("seq");
    let anchors = scene.anchors("model");
    let said = |anchors: &[Anchor], shape: PathShape| {
        let (request, look, control) = (request(shape, 3), look(0), Control::default());
        let (mut sink, mut ignore) = (|_| {}, |_| {});
        let path = explore_path(&scene.prepared, anchors, &request, &look, &control, &mut sink, &mut ignore);
        block_on(path).unwrap().err().unwrap().to_string()
    };
    assert!(said(&anchors[..1], PathShape::Line).contains("at least two adapters"));
    assert!(said(&anchors, PathShape::Bezier).contains("joins two adapters, and 3 were given"));
    let plane = |anchors: &[Anchor], shape: PlaneShape| {
        let request = PlaneRequest { shape, points: 2, margin: 0.2, tracks: Vec::new(), curves: Vec::new() };
        let (look, control) = (look(0), Control::default());
        let laid = (anchors, anchors.len());
        let (mut sink, mut ignore) = (|_| {}, |_| {});
        let plane = explore_plane(&scene.prepared, laid, &request, &look, &control, &mut sink, &mut ignore);
        block_on(plane).unwrap().err().unwrap().to_string()
    };
    assert!(plane(&anchors[..2], PlaneShape::Through).contains("give three"));
    let mut collinear = anchors.clone();
    collinear[1].adapter = anchors[0].adapter.lerp(&anchors[2].adapter, 0.5);
    let message = plane(&collinear, PlaneShape::Through);
    assert!(message.contains("line"), "{message}");
    // Two adapters of one name are told apart by their runs.
    let folder = scene.folders("model")[0].clone();
    let names: Vec<String> = [&folder, &folder]
        .map(|folder| read_anchors(&[folder, folder], &scene.prepared).unwrap()[0].name.clone())
        .to_vec();
    assert_eq!(names[0], "seq-seed5, 01-stance, model");
    assert_eq!(anchors[0].name, "01-stance, model");
    let missing = scene.scratch.join("nowhere");
    let message = read_anchors(&[Path::new(&missing)], &scene.prepared).unwrap_err().to_string();
    assert!(message.contains("nowhere"), "{message}");
}

/// Passes on several threads give what one after the other gives.
#[test]
fn tasks_side_by_side_are_tasks_one_after_the_other() {
    let _alone = without_dropout();
    let scene = Scene::new("seq");
    let anchors = scene.anchors("model");
    let mut one_by_one = prepare(&training("seq"));
    let prepared = Arc::get_mut(&mut one_by_one).unwrap();
    prepared.model.passes_at_once = 1;
    let mut several = prepare(&training("seq"));
    Arc::get_mut(&mut several).unwrap().model.passes_at_once = 3;
    let overlay = Overlay::from(Adapter::stack(&[&anchors[0].adapter, &anchors[1].adapter]));
    let [left, right] = [one_by_one, several].map(|prepared| {
        let explorer = Explorer::new(&prepared, look(2).explorer).unwrap();
        block_on(explorer.measure_overlay(2, &overlay)).unwrap().unwrap().unwrap()
    });
    assert_eq!((left.len(), left[0].losses.len()), (2, 3));
    for (left, right) in left.iter().zip(&right) {
        near(&left.losses, &right.losses, 1e-6, "losses");
        near(&left.scores, &right.scores, 1e-9, "scores");
    }
}

#[test]
fn an_adapter_beside_a_path_is_shown_where_it_is_nearest() {
    let _alone = without_dropout();
    let scene = Scene::new("seq");
    let anchors = scene.anchors("model");
    let (request, look, control) = (request(PathShape::Line, 9), look(0), Control::default());
    let (mut sink, mut ignore) = (|_| {}, |_| {});
    let path = explore_path(&scene.prepared, &anchors[..2], &request, &look, &control, &mut sink, &mut ignore);
    let (report, ground) = block_on(path).unwrap().unwrap();
    // One that lies on the line, and one beside it, whose distance is worked out from the values.
    let mut on_it = anchors[2].clone();
    on_it.adapter = anchors[0].adapter.lerp(&anchors[1].adapter, 0.25);
    let also = [on_it, anchors[2].clone()];
    let places = beside_path(&scene.prepared, &ground, &report, &also, &look, &control);
    let places = block_on(places).unwrap().unwrap();
    assert!(places[0].t == 0.25 && places[0].distance < 1e-5, "{:?}", places[0]);
    near(&places[0].losses, &report.points[2].losses, 2e-6, "on the line");
    near(&places[1].losses, &scene.values(&anchors[2].adapter).losses, 2e-6, "its own losses");
    let flat = |anchor: &Anchor| anchor.adapter.flat().into_data().try_into_vec::<f32>().unwrap();
    let (a, b, c) = (flat(&anchors[0]), flat(&anchors[1]), flat(&anchors[2]));
    let away = |t: f64| {
        let point = a.iter().zip(&b).map(|(a, b)| (1.0 - t) * f64::from(*a) + t * f64::from(*b));
        point.zip(&c).map(|(p, c)| (p - f64::from(*c)).powi(2)).sum::<f64>().sqrt()
    };
    let expected = report.points.iter().map(|point| away(point.t)).fold(f64::INFINITY, f64::min);
    assert!((places[1].distance - expected).abs() < 1e-5 && (away(places[1].t) - expected).abs() < 1e-5);
}

#[test]
fn similarity_is_told_pair_by_pair() {
    let _alone = without_dropout();
    let scene = Scene::new("i_lora");
    let mut anchors = scene.anchors("long_term");
    // The second adapter twice: it is its own twin.
    anchors[2] = anchors[1].clone();
    let report = scene.similarity(&anchors, true, &Control::default());
    assert_eq!((report.adapters.len(), report.ranks.clone(), report.examples), (3, vec![2; 3], 18));
    assert_eq!(report.states.len(), 2, "after the first block, and the output of the second");
    assert_eq!(report.modules.len(), 3 * 2 * 2, "pairs, layers, q and v");
    let value = |measure| report.value(measure, 1, 2).unwrap();
    for (measure, same) in Measure::ALL.map(|measure| (measure, measure.of_itself())) {
        // an angle of 0 is known from its sine to half of the digits of f32
        let tolerance = if matches!(measure, Measure::AngleA | Measure::AngleB) { 0.1 } else { 1e-6 };
        assert!((value(measure) - same).abs() < tolerance, "{measure:?}: {} is not {same}", value(measure));
        assert!((report.value(measure, 0, 1).unwrap() - same).abs() > 1e-6, "{measure:?} tells two adapters apart");
    }
    let squares: f64 =
        report.modules.iter().filter(|m| (m.left, m.right) == (0, 1)).map(|m| m.update_distance.powi(2)).sum();
    assert!((squares.sqrt() - report.value(Measure::UpdateDistance, 0, 1).unwrap()).abs() < 1e-9);
    let few = &report.warnings;
    assert!(few.len() == 1 && few[0].contains("18 examples"), "{few:?}");
    let alone = scene.similarity(&anchors, false, &Control::default());
    assert!(alone.states.is_empty() && alone.warnings.is_empty() && alone.value(Measure::Cka, 0, 1).is_none());
    assert_eq!(alone.value(Measure::FactorDistance, 0, 1), report.value(Measure::FactorDistance, 0, 1));
}

/// The features are the states of a whole pass at the last token before the answer, in the order of the tasks and,
/// in a task, of their lengths.
#[test]
fn features_are_the_states_of_a_whole_pass() {
    let _alone = without_dropout();
    let scene = Scene::new("seq");
    let anchor = scene.anchors("model").remove(0);
    let overlay = Overlay::from(anchor.adapter.vars(false));
    let explorer = Explorer::new(&scene.prepared, look(1).explorer).unwrap();
    let states = block_on(explorer.features(&overlay, &mut |_| true)).unwrap().unwrap().unwrap();
    let (model, width) = (&scene.prepared.model, 32);
    assert_eq!((states.len(), states[2].len()), (3, 18 * width));
    let task = &scene.prepared.tasks[1].task;
    let encode = |example| thalweg::data::prompt::encode_example(&model.tokenizer, example, &scene.prepared.format);
    let mut examples: Vec<_> = task.eval[..6].iter().map(|example| encode(example).unwrap()).collect();
    examples.sort_by_key(|example| example.tokens.len());
    let example = &examples[2];
    let batch = thalweg::data::batch::Batch::from_encoded(&[example], 0, 1).unwrap();
    let whole = model.llama.forward(&batch, Pass { keep_layers: true, ..overlay.pass() }).layers;
    for (state, whole) in states.iter().zip(whole) {
        let whole = whole.into_data().try_into_vec::<f32>().unwrap();
        let at = (example.answer_start - 1) * width;
        // of the second of three tasks with six examples each the third
        let row = &state[(6 + 2) * width..][..width];
        let worst = row.iter().zip(&whole[at..]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-5, "{worst}");
    }
}

#[test]
fn what_cannot_be_compared_is_refused_or_warned_about() {
    let _alone = without_dropout();
    let scene = Scene::new("seq");
    let anchors = scene.anchors("model");
    let refused = |anchors: &[Anchor]| {
        let (look, control, mut sink) = (look(1), Control::default(), |_| {});
        let report = explore_similarity(&scene.prepared, anchors, true, &look, &control, &mut sink);
        block_on(report).unwrap().unwrap_err().to_string()
    };
    assert!(refused(&anchors[..1]).contains("two adapters or more, and 1 was given"));
    let mut other = anchors[..2].to_vec();
    other[1].plain.factors.pop_last();
    assert!(refused(&other).contains("layer 1, v_proj"), "{}", refused(&other));
    // Another rank is filled up, and said; another base model of the same shape is said too.
    let wide = ExperimentConfig {
        lora: thalweg::model::LoraConfig { rank: 3, ..training("seq").lora },
        model: super::tiny_model::same_shape_model().display().to_string(),
        ..training("seq")
    };
    let folder = scene.scratch.join("wide");
    let (control, mut sink) = (Control::default(), |_| {});
    let trained = experiment::run_experiment(&wide, Some(&folder), "a test", &control, &mut sink);
    block_on(trained).unwrap().unwrap();
    let wide = folder.join("seq-seed5/adapters/01-stance/model");
    let mixed = read_anchors(&[&scene.folders("model")[0], &wide], &scene.prepared).unwrap();
    let report = scene.similarity(&mixed, false, &Control::default());
    assert_eq!(report.ranks, [2, 3]);
    assert!(report.warnings.iter().any(|warning| warning.contains("the ranks differ (2, 3)")), "{:?}", report.warnings);
    assert!(
        report.warnings.iter().any(|warning| warning.contains("trained on other weights")),
        "{:?}",
        report.warnings
    );
    // After a stop there is what was compared by then.
    let control = Control::default();
    control.send(Steer::Stop);
    let stopped = scene.similarity(&anchors, true, &control);
    assert!(stopped.warnings[0].contains("stopped after 1 of 3 pairs"), "{:?}", stopped.warnings);
    assert!(stopped.value(Measure::UpdateDistance, 0, 1).is_some());
    assert_eq!(stopped.value(Measure::UpdateDistance, 1, 2), None);
}
