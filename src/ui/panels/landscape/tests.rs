//! The panel by its labels: what it sends, and what it makes of planes that are whole, growing, broken or lost.

use super::*;
use crate::engine::landscape_report::{PlaneMark, PlaneTrack};
use crate::engine::protocol::{AdapterSource, Event};
use crate::ui::panels::paths::stage::{self, folder};
use egui::accesskit::Role;
use egui_kittest::{Harness, kittest::Queryable as _};

type World = crate::ui::panels::paths::stage::World<LandscapePanel>;

fn harness(world: World) -> Harness<'static, World> {
    stage::harness(world, [1100.0, 1600.0])
}

/// 5 by 4 points of a bowl with its floor at (1, 1), two tasks, one track, and one adapter beside the plane.
fn report() -> PlaneReport {
    let (xs, ys) = (vec![0.0, 1.0, 2.0, 3.0, 4.0], vec![0.0, 1.0, 2.0, 3.0]);
    let bowl = |lift: f64| -> Vec<Option<f64>> {
        ys.iter()
            .flat_map(|y| xs.iter().map(move |x| Some(lift + 0.5 + (x - 1.0_f64).powi(2) + (y - 1.0_f64).powi(2))))
            .collect()
    };
    let score: Vec<Option<f64>> = bowl(0.0).into_iter().map(|loss| loss.map(|loss| (-loss / 5.0).exp())).collect();
    let mark = |name: &str, x: f64, y: f64, residual: f64| PlaneMark { name: name.into(), x, y, residual };
    PlaneReport {
        kind: "three adapters".into(),
        losses: bowl(0.5),
        per_task_losses: vec![bowl(0.0), bowl(1.0)],
        scores: score.clone(),
        per_task_scores: vec![score.clone(), score],
        tasks: vec!["stance".into(), "law".into()],
        anchors: vec![mark("after stance", 0.5, 0.5, 0.0), mark("multitask", 2.0, 2.0, 0.9)],
        tracks: vec![PlaneTrack {
            name: "run, long_term".into(),
            points: vec![mark("after stance", 0.5, 0.5, 0.0), mark("after law", 1.5, 1.0, 0.25)],
        }],
        explained: Some([0.5, 0.25]),
        xs,
        ys,
        ..PlaneReport::default()
    }
}

fn told(harness: &mut Harness<'static, World>, id: u64, report: PlaneReport, done: bool) {
    let now = harness.state().now_secs;
    harness.state_mut().state.apply(Event::PlaneMeasured { id, report: Box::new(report), done }, now);
    harness.run();
}

fn with_plane(report: PlaneReport) -> Harness<'static, World> {
    let mut harness = harness(World::new());
    harness.get_by_label("Measure the plane").click();
    harness.run();
    harness.state_mut().actions.clear();
    told(&mut harness, FIRST_NUMBER, report, true);
    harness
}

#[test]
fn measuring_sends_three_adapters_and_the_tracks() {
    let mut harness = harness(World::new());
    harness.get_by_label("Measure the plane").click();
    harness.run();
    let sent = harness.state_mut().commands();
    let [Command::MeasurePlane { id, plane, experiment }] = sent.as_slice() else { panic!("{sent:?}") };
    let sources: Vec<AdapterSource> = plane.anchors.iter().map(|(_, source)| source.clone()).collect();
    assert_eq!(sources, [folder(1, 0, "working"), folder(1, 7, "long_term"), folder(1, 7, "working")]);
    assert_eq!((*id, plane.shape.as_str(), plane.side), (FIRST_NUMBER, "three adapters", 21));
    assert_eq!(plane.tracks, ["runs/i_lora-seed1"]);
    assert_eq!(experiment.methods, harness.state().state.runs[1].experiment.methods);
}

#[test]
fn other_planes_ask_for_what_they_need() {
    let mut harness = harness(World::new());
    let choose = |harness: &mut Harness<'static, World>, list: &str, entry: &str| {
        harness.get_by_role_and_label(Role::ComboBox, list).click();
        harness.run();
        harness.get_by_label(entry).click();
        harness.run();
    };
    choose(&mut harness, "Plane", "main directions of a run");
    harness.get_by_label("16 adapters lay the plane.");
    harness.get_by_label("Measure the plane").click();
    harness.run();
    choose(&mut harness, "Plane", "two random directions");
    assert!(harness.query_by_label_contains("almost never hold the way of training").is_some());
    harness.get_by_label("Measure the plane").click();
    harness.run();
    let sent = harness.state_mut().commands();
    let [Command::MeasurePlane { plane: first, .. }, Command::MeasurePlane { id, plane: second, .. }] = sent.as_slice()
    else {
        panic!("{sent:?}")
    };
    assert_eq!((first.shape.as_str(), first.anchors.len()), ("PCA", 16));
    assert_eq!((second.shape.as_str(), &second.anchors[0].1), ("random directions", &folder(1, 7, "long_term")));
    assert_eq!(*id, FIRST_NUMBER + 1);
    // The same adapter twice lays no plane.
    choose(&mut harness, "Plane", "through three adapters");
    choose(&mut harness, "Second", "after stance, fast learner");
    assert!(harness.query_by_label_contains("Two of the three are the same adapter").is_some());
    harness.get_by_label("Measure the plane").click();
    harness.run();
    assert_eq!(harness.state_mut().commands(), []);
}

#[test]
fn a_plane_is_told_and_drawn_as_map_and_as_surface() {
    let mut harness = with_plane(report());
    harness.get_by_label("The two directions hold 50.0 % and 25.0 % of the motion of the adapters, 75.0 % together.");
    harness.get_by_label("run, long_term: 0.125 from the plane on average.");
    harness.get_by_label("Map of the mean loss, from 1.000 to 14.00");
    harness.get_by_label("Colours: mean loss, nats (logarithmic), from 1.000 to 14.00");
    harness.get_by_label("Surface").click();
    harness.run();
    harness.get_by_label("Surface of the mean loss, from 1.000 to 14.00");
    assert!(harness.query_by_label_contains("cannot draw surfaces").is_some(), "this window has no GPU interface");
    harness.get_by_label("Score").click();
    harness.run();
    harness.get_by_role_and_label(Role::ComboBox, "of").click();
    harness.run();
    harness.get_by_label("law").click();
    harness.run();
    harness.get_by_label("Surface of the score of law, from 6.7 % to 90.5 %");
}

#[test]
fn the_surface_turns_by_keys_and_by_the_pointer() {
    let mut harness = with_plane(report());
    harness.get_by_label("Surface").click();
    harness.run();
    let before = harness.state().panel.relief.view.camera;
    let surface = harness.get_by_label_contains("Surface of the");
    let middle = surface.rect().center();
    surface.focus();
    harness.run();
    harness.key_press(egui::Key::ArrowRight);
    harness.run();
    harness.key_press(egui::Key::Minus);
    harness.run();
    let turned = harness.state().panel.relief.view.camera;
    assert!(turned.yaw > before.yaw && turned.distance > before.distance, "{turned:?}");
    harness.drag_at(middle);
    harness.run();
    harness.hover_at(middle + egui::vec2(0.0, 60.0));
    harness.run();
    harness.drop_at(middle + egui::vec2(0.0, 60.0));
    harness.run();
    assert!(harness.state().panel.relief.view.camera.pitch > turned.pitch);
    harness.get_by_label("Reset the view").click();
    harness.run();
    assert_eq!(harness.state().panel.relief.view.camera, before);
}

#[test]
fn a_click_on_the_map_asks_the_model_there_once() {
    let mut harness = with_plane(report());
    let map = harness.get_by_label_contains("Map of the").rect();
    harness.state_mut().now_secs = 5.0;
    // The map begins 46 points from the left, and its cells reach half a step beyond the outer points.
    harness.get_by_label_contains("Map of the").click();
    harness.run();
    let [x, y] = harness.state().panel.picked.place.unwrap();
    assert!((1.8..2.3).contains(&x) && (1.3..1.8).contains(&y), "({x}, {y}) in {map:?}");
    assert_eq!(harness.state_mut().commands(), [], "it has not rested yet");
    harness.state_mut().now_secs = 5.3;
    harness.run();
    let sent = harness.state_mut().commands();
    let [Command::Generate { id, sources, prompt, .. }] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!(
        (sources.as_slice(), prompt.as_str()),
        (&[AdapterSource::OnPlane { plane: FIRST_NUMBER, x, y }][..], "stance: the fee is fair")
    );
    assert!(*id > 3_500_000);
    // From there the arrow keys go along the grid.
    use egui::Key::{ArrowDown, ArrowLeft, ArrowRight, ArrowUp};
    for key in [ArrowLeft, ArrowLeft, ArrowLeft, ArrowRight, ArrowDown, ArrowDown, ArrowDown, ArrowUp] {
        harness.key_press(key);
        harness.step();
    }
    assert_eq!(harness.state().panel.picked.place, Some([1.0, 1.0]));
    assert!(
        harness
            .query_by_label("mean loss 1.000, mean score 90.5 %, stance 0.500 (90.5 %), law 1.500 (90.5 %)")
            .is_some()
    );
    harness.get_by_label("Export this point...").click();
    harness.run();
    let exported = harness.state().actions.iter().any(|action| {
        let Action::Export(Export::Command { command, .. }) = action else { return false };
        **command
            == Command::ExportAdapter {
                from: AdapterSource::OnPlane { plane: FIRST_NUMBER, x: 1.0, y: 1.0 },
                path: String::new(),
            }
    });
    assert!(exported, "{:?}", harness.state().actions);
}

#[test]
fn while_a_run_goes_on_nothing_is_asked() {
    let mut harness = with_plane(report());
    harness.state_mut().state.active = Some(1);
    harness.get_by_label_contains("Map of the").click();
    harness.run();
    harness.state_mut().now_secs = 60.0;
    harness.run();
    assert_eq!(harness.state_mut().commands(), []);
    assert!(harness.query_by_label_contains("A run is in progress").is_some());
}

#[test]
fn holes_are_told_and_a_growing_plane_is_filled() {
    let mut holes = report();
    (holes.losses[7], holes.losses[12]) = (Some(f64::NAN), None);
    let harness = with_plane(holes.clone());
    assert!(harness.query_by_label_contains("2 points have no finite value").is_some());
    let triangles = harness.state().panel.scene.as_ref().unwrap().field.triangles().1.len();
    assert_eq!(triangles, (12 - 6) * 6);
    drop(harness);
    let mut harness = self::harness(World::new());
    harness.get_by_label("Measure the plane").click();
    harness.run();
    holes.measured = (0..20).map(|index| index != 7 && index != 12).collect();
    told(&mut harness, FIRST_NUMBER, holes, false);
    assert!(harness.query_by_label_contains("have no finite value").is_none(), "they may have one yet");
    assert!(harness.query_by_label_contains("2 points are not measured").is_some());
    harness.get_by_label("Stop").click();
    harness.run();
    assert_eq!(harness.state_mut().commands().last(), Some(&Command::StopMeasuring { id: FIRST_NUMBER }));
    let mut stopped = report();
    stopped.losses[19] = None;
    stopped.measured = (0..20).map(|index| index != 19).collect();
    stopped.warnings = vec!["stopped after 19 of 20 points".into()];
    told(&mut harness, FIRST_NUMBER, stopped, true);
    assert!(harness.query_by_label_contains("1 points are not measured").is_some());
    harness.get_by_label("stopped after 19 of 20 points");
    // It can be asked for again, as every plane can: the engine answers at once what it has, and it stays one plane.
    harness.state_mut().actions.clear();
    harness.get_by_label("Measure the plane").click();
    harness.run();
    told(&mut harness, FIRST_NUMBER, report(), true);
    harness.get_by_label("Measure the plane").click();
    harness.run();
    let sent = harness.state_mut().commands();
    assert!(sent.iter().all(|command| matches!(command, Command::MeasurePlane { id: FIRST_NUMBER, .. })), "{sent:?}");
    assert_eq!((sent.len(), harness.state().panel.measured.len()), (2, 1));
}

/// A curve is looked at in its own plane, on which it is drawn; a straight line has none.
#[test]
fn a_measured_curve_lays_a_plane() {
    use crate::engine::landscape_report::PathReport;
    let mut harness = harness(World::new());
    let choose = |harness: &mut Harness<'static, World>, list: &str, entry: &str| {
        harness.get_by_role_and_label(Role::ComboBox, list).click();
        harness.run();
        harness.get_by_label(entry).click();
        harness.run();
    };
    choose(&mut harness, "Plane", "of a measured path");
    assert!(harness.query_by_label_contains("Measure a curve in the panel Paths first").is_some());
    for (id, kind) in [(1_000_000, "bezier"), (1_000_001, "line")] {
        let path = crate::engine::protocol::PathCommand {
            anchors: vec![("a".into(), folder(1, 0, "working")), ("b".into(), folder(1, 7, "working"))],
            shape: kind.into(),
            points: 3,
            beyond: 0.0,
            bends: 1,
            steps: 1,
            learning_rate: 0.01,
            examples: 1,
            scores: false,
        };
        let state = &mut harness.state_mut().state;
        let experiment = Box::new(state.runs[1].experiment.clone());
        state.paths.entry(id).or_default().ask(&Command::MeasurePath { id, path: Box::new(path), experiment });
        let report = PathReport { kind: kind.into(), ..PathReport::default() };
        state.apply(Event::PathMeasured { id, report: Box::new(report), done: true }, 0.0);
    }
    harness.run();
    harness.get_by_label("Measure the plane").click();
    harness.run();
    let sent = harness.state_mut().commands();
    let [Command::MeasurePlane { plane, .. }] = sent.as_slice() else { panic!("{sent:?}") };
    let at = |t: f64| AdapterSource::OnPath { path: 1_000_000, t };
    let sources: Vec<AdapterSource> = plane.anchors.iter().map(|(_, source)| source.clone()).collect();
    assert_eq!(sources, [at(0.0), at(0.5), at(1.0)]);
    assert_eq!(plane.curves, [("Bezier curve: a – b".to_string(), 1_000_000)]);
}

#[test]
fn random_directions_are_shown_with_their_share_of_the_motion() {
    let mut random = report();
    (random.kind, random.explained) = ("random directions".into(), None);
    let harness = with_plane(random.clone());
    assert!(harness.query_by_label_contains("What share of the motion of training").is_some());
    drop(harness);
    random.share_of_motion = Some([0.0625, 0.03125]);
    let harness = with_plane(random);
    harness.get_by_label("The two directions hold 6.2 % and 3.1 % of the motion of the adapters, 9.4 % together.");
}

#[test]
fn a_failure_keeps_the_plane_before_it() {
    let mut harness = with_plane(report());
    harness.get_by_role_and_label(Role::ComboBox, "Plane").click();
    harness.run();
    harness.get_by_label("main directions of a run").click();
    harness.run();
    harness.get_by_label("Measure the plane").click();
    harness.run();
    let event = Event::ExplorationFailed { id: FIRST_NUMBER + 1, message: "The adapters lie on one line.".into() };
    harness.state_mut().state.apply(event, 9.0);
    harness.run();
    harness.get_by_label("The adapters lie on one line.");
    harness.get_by_label("Map of the mean loss, from 1.000 to 14.00");
}

#[test]
fn broken_planes_do_no_harm() {
    let refused = |damage: fn(&mut PlaneReport), words: &str| {
        let mut broken = report();
        damage(&mut broken);
        let mut harness = with_plane(broken);
        assert!(harness.query_by_label_contains(words).is_some(), "{words}");
        if harness.query_by_label("Surface").is_some() {
            harness.get_by_label("Surface").click();
            harness.run();
        }
    };
    refused(|plane| plane.xs[1] = f64::NAN, "not finite and ascending");
    refused(|plane| plane.losses.truncate(3), "a list of 3 values");
    refused(|plane| plane.losses = vec![None; 20], "No point has a finite mean loss");
    refused(
        |plane| {
            plane.anchors[0].x = f64::NAN;
            plane.tracks[0].points[0].y = f64::INFINITY;
            plane.tracks[0].points[1].residual = f64::NAN;
            plane.losses = vec![Some(2.0); 20];
        },
        "The two directions hold",
    );
    refused(
        |plane| {
            plane.ys.truncate(1);
            plane.per_task_losses.clear();
            plane.per_task_scores.clear();
            plane.losses.truncate(5);
            plane.scores = vec![None; 5];
        },
        "Map of the mean loss",
    );
}

#[test]
fn without_adapters_the_panel_says_what_it_will_show() {
    let mut harness = harness(World { state: AppState::default(), ..World::new() });
    harness.get_by_label("Open a PEFT folder...").click();
    harness.run();
    assert_eq!(harness.state().actions, [Action::Open(crate::ui::action::Purpose::AdapterFolder)]);
    assert!(harness.query_by_label_contains("valleys, ridges").is_some());
}
