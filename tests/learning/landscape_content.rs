//! Paths and planes by what they are made of: what is known is not measured again, curves go on where they were stopped,
//! adapters of other ranks find a place, stops come through in the middle of a pass, and what is not finite spoils only itself.

use super::landscape::{Scene, look, mean, near, request, training};
use super::stream::without_dropout;
use thalweg::engine::config::ExperimentConfig;
use thalweg::engine::explorer::{Explorer, ExplorerSettings, Measured};
use thalweg::engine::landscape::{
    Anchor, Look, PathGround, PathRequest, PathShape, PlaneRequest, PlaneShape, Track, beside_path, explore_path,
    explore_plane,
};
use thalweg::engine::landscape_report::{Measure, PathReport, PlaneReport};
use thalweg::engine::protocol::{Event, Steer};
use thalweg::engine::{Control, experiment};
use thalweg::model::{Adapter, LoraConfig, Overlay};
use thalweg::platform::block_on;

/// A path with what it told on the way: how many points (or steps) were done, and the reports in between.
struct Told {
    report: PathReport,
    ground: PathGround,
    done: Vec<(usize, usize)>,
    partial: Vec<PathReport>,
}

fn path(scene: &Scene, anchors: &[Anchor], request: &PathRequest, look: &Look, stop_at: Option<usize>) -> Told {
    let control = Control::default();
    let (to, mut done, mut partial) = (control.clone(), Vec::new(), Vec::new());
    let mut emit = |event: Event| {
        if let Event::EvaluationProgressed { done: now, total, .. } = event {
            done.push((now, total));
            if Some(now) == stop_at {
                to.send(Steer::Stop);
            }
        }
    };
    let mut keep = |report: PathReport| partial.push(report);
    let explored = explore_path(&scene.prepared, anchors, request, look, &control, &mut emit, &mut keep);
    let (report, ground) = block_on(explored).unwrap().unwrap();
    Told { report, ground, done, partial }
}

fn plane(scene: &Scene, anchors: &[Anchor], request: &PlaneRequest) -> PlaneReport {
    let (control, look) = (Control::default(), look(0));
    let (mut emit, mut ignore) = (|_| {}, |_| {});
    let laid = (anchors, if request.shape == PlaneShape::Random { 1 } else { 3 });
    let explored = explore_plane(&scene.prepared, laid, request, &look, &control, &mut emit, &mut ignore);
    block_on(explored).unwrap().unwrap().0
}

fn plane_request(shape: PlaneShape, margin: f64, tracks: Vec<Track>) -> PlaneRequest {
    PlaneRequest { shape, points: 2, margin, tracks, curves: Vec::new() }
}

#[test]
fn a_finer_path_measures_only_what_is_new() {
    let _alone = without_dropout();
    let scene = Scene::new("seq");
    let anchors = scene.anchors("model");
    let look = look(1);
    let coarse = path(&scene, &anchors[..2], &request(PathShape::Line, 5), &look, None);
    assert_eq!(coarse.done, (1..=5).map(|done| (done, 5)).collect::<Vec<_>>());
    let fine = path(&scene, &anchors[..2], &request(PathShape::Line, 9), &look, None);
    assert_eq!(fine.done, (5..=9).map(|done| (done, 9)).collect::<Vec<_>>(), "five are known and come at once");
    for (index, point) in coarse.report.points.iter().enumerate() {
        assert_eq!((&point.losses, &point.scores), {
            let same = &fine.report.points[2 * index];
            (&same.losses, &same.scores)
        });
    }
    // The ends of any other path between them are known too, the middle is not.
    let slerp = path(&scene, &anchors[..2], &request(PathShape::Slerp, 3), &look, None);
    assert_eq!(slerp.done[0], (2, 3));
    // Other examples are another measurement.
    let more = Look { explorer: ExplorerSettings { examples: 5, ..look.explorer }, ..look.clone() };
    assert_eq!(path(&scene, &anchors[..2], &request(PathShape::Line, 5), &more, None).done[0], (1, 5));
}

#[test]
fn a_stopped_curve_goes_on_where_it_was() {
    let _alone = without_dropout();
    let scene = Scene::new("seq");
    let anchors = scene.anchors("model");
    let request = request(PathShape::Bezier, 3);
    let whole = path(&scene, &anchors[..2], &request, &look(0), None).report;
    let look = look(0);
    let part = path(&scene, &anchors[..2], &request, &look, Some(15)).report;
    assert_eq!(part.training.as_ref().unwrap().done, 15);
    assert!(!part.is_whole() && part.warnings[0].contains("after 15 of 40 steps"), "{:?}", part.warnings);
    let rest = path(&scene, &anchors[..2], &request, &look, None);
    assert_eq!(rest.done[0], (16, 40), "it begins with the next step");
    assert!(rest.report.is_whole() && rest.report.warnings.is_empty());
    for (a, b) in rest.report.points.iter().zip(&whole.points) {
        near(&a.losses, &b.losses, 0.0, "as if it had not been stopped");
    }
    // More points along a curve that is trained need no training.
    let finer = PathRequest { points: 5, ..request.clone() };
    let finer = path(&scene, &anchors[..2], &finer, &look, None);
    assert_eq!((finer.done[0], finer.report.training.as_ref().unwrap().done), ((3, 5), 40));
    assert!(!finer.report.training.unwrap().losses.is_empty());
}

#[test]
fn a_curve_is_watched_while_it_bends() {
    let _alone = without_dropout();
    let scene = Scene::new("seq");
    let anchors = scene.anchors("model");
    let watched = PathRequest { watches: true, ..request(PathShape::Bezier, 3) };
    let told = path(&scene, &anchors[..2], &watched, &look(0), None);
    let glance = &told.partial[0];
    let training = glance.training.as_ref().unwrap();
    assert!(training.done >= 1 && training.done < 40 && training.examples == Some(6), "{training:?}");
    assert_eq!((glance.points.len(), training.outline.len(), training.bends.len()), (7, 25, 1));
    assert!(glance.points.iter().all(|point| point.losses.iter().all(Option::is_some)));
    let end = told.report.training.as_ref().unwrap();
    assert!(end.outline[0] == [0.0, 0.0] && (end.outline[24][0] - 1.0).abs() < 1e-6 && end.outline[24][1] < 1e-6);
    assert!(end.bends[0][1] > training.bends[0][1] && end.outline[12][1] > 0.0, "it bends away: {end:?}");
    assert!(end.losses.len() > 10 && end.losses.iter().all(|(_, loss)| loss.is_some()));
    // Watching changes nothing.
    let alone = path(&scene, &anchors[..2], &request(PathShape::Bezier, 3), &look(0), None);
    near(&alone.report.points[1].losses, &told.report.points[1].losses, 0.0, "the same curve");
    assert!(alone.partial.iter().all(|report| report.training.as_ref().unwrap().examples.is_none()));
}

#[test]
fn corners_are_measured_and_lengths_begin_at_the_first_point() {
    let _alone = without_dropout();
    let scene = Scene::new("seq");
    let anchors = scene.anchors("model");
    let mut corners = request(PathShape::PolyChain, 4);
    (corners.curve.bends, corners.curve.steps) = (4, 2);
    let report = path(&scene, &anchors[..2], &corners, &look(0), None).report;
    let marks: Vec<f64> = report.marks.iter().map(|mark| mark.t).collect();
    assert_eq!((marks.len(), report.marks[1].name.as_str()), (6, "bend 1"));
    assert!(marks.iter().all(|t| report.points.iter().any(|point| point.t == *t)), "{marks:?}");
    assert_eq!((report.planned, report.points.len(), report.is_whole()), (8, 8, true));
    let product = PathRequest { beyond: 0.5, ..request(PathShape::Product, 5) };
    let told = path(&scene, &anchors[..2], &product, &look(0), None);
    let lengths: Vec<f64> = told.report.points.iter().map(|point| point.arc_length).collect();
    assert!(lengths[0] == 0.0 && lengths.windows(2).all(|pair| pair[0] < pair[1]), "{lengths:?}");
    // A point of the product line as one adapter, factored anew.
    let plain = told.ground.refactored(0.5).unwrap().unwrap();
    assert_eq!(plain.config.rank, 2 * anchors[0].plain.config.rank);
    let llama = &scene.prepared.model.llama;
    let adapter = Adapter::from_plain(&plain, &llama.config, llama.device()).unwrap();
    let middle = told.report.points.iter().find(|point| point.t == 0.5).unwrap();
    near(&scene.values(&adapter).losses, &middle.losses, 1e-4, "the same update");
    assert!(told.ground.adapter(0.5).is_none());
    let line = path(&scene, &anchors[..2], &request(PathShape::Line, 3), &look(0), None);
    assert!(line.ground.refactored(0.5).unwrap().is_none() && line.ground.adapter(0.5).is_some());
}

/// A plane of rank 2 with the track of a run of rank 3 and another scale.
#[test]
fn tracks_of_other_ranks_are_filled_up() {
    let _alone = without_dropout();
    let scene = Scene::new("i_lora");
    let anchors = scene.anchors("long_term");
    let lora = LoraConfig { rank: 3, lora_alpha: 1.5, ..training("seq").lora };
    let wide = ExperimentConfig { lora, ..training("seq") };
    let folder = scene.scratch.join("wide");
    let (control, mut sink) = (Control::default(), |_| {});
    let trained = experiment::run_experiment(&wide, Some(&folder), "a test", &control, &mut sink);
    block_on(trained).unwrap().unwrap();
    let below = folder.join("seq-seed5/adapters");
    let mut found: Vec<_> =
        std::fs::read_dir(&below).unwrap().flatten().map(|entry| entry.path().join("model")).collect();
    found.sort();
    let count = found.len();
    let track = Track { name: "wide".into(), folders: found };
    let own = Track { name: "own".into(), folders: scene.folders("long_term") };
    let report = plane(&scene, &anchors, &plane_request(PlaneShape::Through, 0.2, vec![own, track]));
    assert_eq!((report.tracks[0].points.len(), report.tracks[1].points.len()), (3, count));
    assert!(report.tracks[0].points.iter().all(|mark| mark.residual < 1e-3), "the plane goes through them still");
    assert!(report.tracks[1].points.iter().all(|mark| mark.residual > 1e-3 && mark.residual.is_finite()));
    let padded = report.warnings.iter().any(|warning| warning.contains("the ranks differ (2, 2, 2, 2, 2, 2, 3"));
    assert!(padded, "{:?}", report.warnings);
    let alone = plane(&scene, &anchors, &plane_request(PlaneShape::Through, 0.2, Vec::new()));
    let apart = |report: &PlaneReport| (report.anchors[0].x - report.anchors[2].x).abs();
    assert!((apart(&report) - apart(&alone)).abs() < 1e-5, "zeros change no distance");
}

#[test]
fn the_margin_and_the_share_of_motion_are_those_that_were_asked_for() {
    let _alone = without_dropout();
    let scene = Scene::new("seq");
    let anchors = scene.anchors("model");
    let bare = plane(&scene, &anchors, &plane_request(PlaneShape::Through, 0.0, Vec::new()));
    let wide = plane(&scene, &anchors, &plane_request(PlaneShape::Through, 0.5, Vec::new()));
    let (dx, last) = (bare.xs[1] - bare.xs[0], bare.anchors[2].x);
    assert!(bare.xs[0].abs() < 1e-9 && (dx - last).abs() < 1e-6);
    assert!((wide.xs[0] + 0.5 * dx).abs() < 1e-6 && (wide.xs[1] - 1.5 * dx).abs() < 1e-6, "{:?}", wide.xs);
    let (control, look) = (Control::default(), look(0));
    let broken = plane_request(PlaneShape::Through, f64::NAN, Vec::new());
    let (mut emit, mut ignore) = (|_| {}, |_| {});
    let refused = explore_plane(&scene.prepared, (&anchors, 3), &broken, &look, &control, &mut emit, &mut ignore);
    assert!(block_on(refused).unwrap().err().unwrap().to_string().contains("margin"));

    let track = || Track { name: "way".into(), folders: scene.folders("model") };
    let both = |report: &PlaneReport| report.share_of_motion.unwrap().iter().sum::<f64>();
    let through = plane(&scene, &anchors, &plane_request(PlaneShape::Through, 0.2, vec![track()]));
    assert!((both(&through) - 1.0).abs() < 1e-4, "three checkpoints lie in their plane: {:?}", through.share_of_motion);
    let random = plane(&scene, &anchors[..1], &plane_request(PlaneShape::Random, 0.2, vec![track()]));
    assert!(both(&random) < 0.5 && random.warnings.is_empty(), "{:?}", random.share_of_motion);
    let blind = plane(&scene, &anchors[..1], &plane_request(PlaneShape::Random, 0.2, Vec::new()));
    assert!(blind.share_of_motion.is_none() && blind.warnings[0].contains("not known"), "{:?}", blind.warnings);
}

#[test]
fn a_stop_comes_through_in_the_middle_of_a_pass() {
    let _alone = without_dropout();
    let scene = Scene::new("seq");
    let anchors = scene.anchors("model");
    let control = Control::default();
    let explorer = Explorer::new(&scene.prepared, look(1).explorer).unwrap().stopped_by(&control);
    let overlay = Overlay::from(anchors[0].adapter.vars(false));
    assert!(block_on(explorer.measure_overlay(1, &overlay)).unwrap().unwrap().is_some());
    control.send(Steer::Stop);
    assert!(block_on(explorer.measure_overlay(1, &overlay)).unwrap().unwrap().is_none());
    let (points, mut told) = (|_| anchors[0].adapter.vars(false), 0);
    let mut tell = |_: usize, part: &[Measured]| {
        told += part.len();
        true
    };
    assert!(block_on(explorer.measure(3, &points, &mut tell)).unwrap().unwrap().is_empty() && told == 0);
    let line = path(&scene, &anchors[..2], &request(PathShape::Line, 3), &look(0), None);
    let (look, also) = (look(0), &anchors[2..]);
    let beside = beside_path(&scene.prepared, &line.ground, &line.report, also, &look, &control);
    assert!(block_on(beside).unwrap().unwrap().is_empty());
    // A stopped plane says which of its points are unknown.
    let control = Control::default();
    let to = control.clone();
    let mut stop = |event: Event| {
        if matches!(event, Event::EvaluationProgressed { done: 1, .. }) {
            to.send(Steer::Stop);
        }
    };
    let request = plane_request(PlaneShape::Through, 0.2, Vec::new());
    let (one, mut ignore) = (self::look(1), |_| {});
    let explored = explore_plane(&scene.prepared, (&anchors, 3), &request, &one, &control, &mut stop, &mut ignore);
    let report = block_on(explored).unwrap().unwrap().0;
    assert_eq!((report.unmeasured(), report.losses.iter().flatten().count()), (3, 1));
    assert!(report.warnings[0].contains("stopped after 1 of 4 points") && report.fault().is_none());
}

/// An adapter so large that the model's states overflow: everything that does not need them is there.
#[test]
fn one_broken_adapter_spoils_only_its_own_comparisons() {
    let _alone = without_dropout();
    let scene = Scene::new("seq");
    let mut anchors = scene.anchors("model");
    let broken = &mut anchors[1];
    for factors in broken.plain.factors.values_mut() {
        factors.lora_a.iter_mut().chain(&mut factors.lora_b).for_each(|value| *value = 1e25 * (*value + 0.1));
    }
    let llama = &scene.prepared.model.llama;
    broken.adapter = Adapter::from_plain(&broken.plain, &llama.config, llama.device()).unwrap();
    let report = scene.similarity(&anchors, true, &Control::default());
    assert!(report.value(Measure::Cka, 0, 2).is_some());
    for other in [0, 2] {
        assert_eq!(report.value(Measure::Cka, 1, other), None);
        assert!(report.value(Measure::UpdateDistance, 1, other).is_some_and(f64::is_finite));
    }
    assert!(report.warnings.iter().any(|warning| warning.contains("not finite under 02-")), "{:?}", report.warnings);
    let losses = scene.values(&anchors[0].adapter).losses;
    assert!(mean(&losses).is_finite());
}
