//! The curves: scales, smoothing, legend, and what a hand can do with them.

use super::axis::{log_marks, round_marks};
use super::*;
use egui_kittest::{Harness, kittest::Queryable as _};
use egui_plot::GridInput;

fn bits(series: &Series) -> Vec<[u64; 2]> {
    series.points().map(|point| point.map(f64::to_bits)).collect()
}

fn noisy(index: u32) -> f64 {
    if index % 97 == 13 { f64::NAN } else { (f64::from(index) * 0.37).sin() + 2.0 }
}

fn series(points: u32) -> Series {
    let mut series = Series::default();
    (0..points).for_each(|index| series.push(f64::from(index), noisy(index)));
    series
}

fn follow_all(smooth: &mut Smooth, source: &Series, window: f64) {
    while !smooth.follow(source, window, &mut 7_000) {}
}

#[test]
fn the_average_that_grows_equals_the_one_made_at_once() {
    let (mut source, mut smooth) = (Series::default(), Smooth::default());
    for index in 0..12_000 {
        source.push(f64::from(index), noisy(index));
        if index % 613 == 5 {
            follow_all(&mut smooth, &source, 25.0);
            assert_eq!(bits(smooth.curve()), bits(&source.smoothed(25.0)), "after {index}");
        }
    }
    follow_all(&mut smooth, &source, 4.0);
    assert_eq!(bits(smooth.curve()), bits(&source.smoothed(4.0)), "another window");
    assert_eq!(smooth.gaps(), (0..12_000).filter(|index| index % 97 == 13).count());
}

#[test]
fn only_new_points_are_averaged() {
    let (mut source, mut smooth) = (series(50_000), Smooth::default());
    follow_all(&mut smooth, &source, 10.0);
    source.push(50_000.0, 1.0);
    let mut budget = 1_000;
    assert!(smooth.follow(&source, 10.0, &mut budget));
    assert_eq!(budget, 999);
    assert!(smooth.follow(&source, 10.0, &mut 0), "nothing is left");
}

#[test]
fn a_resumed_run_is_averaged_anew() {
    for regrown in [41, 80, 99, 100, 101, 140, 9_000] {
        let (mut source, mut smooth) = (series(100), Smooth::default());
        follow_all(&mut smooth, &source, 10.0);
        for index in 40..regrown {
            source.push(f64::from(index), noisy(index) + 0.25);
        }
        follow_all(&mut smooth, &source, 10.0);
        assert_eq!(bits(smooth.curve()), bits(&source.smoothed(10.0)), "grown again to {regrown}");
    }
    // Steps that were left out before are there now: as many points, at other places.
    let (mut source, mut smooth) = (Series::default(), Smooth::default());
    (0..50).for_each(|index| source.push(f64::from(index * 5), 1.0));
    follow_all(&mut smooth, &source, 10.0);
    (100..246).for_each(|index| source.push(f64::from(index), 2.0));
    source.push(246.0, 1.0);
    follow_all(&mut smooth, &source, 10.0);
    assert_eq!(bits(smooth.curve()), bits(&source.smoothed(10.0)));
}

#[test]
fn gaps_part_a_curve_and_what_a_logarithm_cannot_show_lies_on_the_floor() {
    let mut source = Series::default();
    for (index, value) in [1.0, 10.0, f64::NAN, f64::INFINITY, 0.0, 0.1, -3.0].into_iter().enumerate() {
        source.push(index as f64, value);
    }
    let mut drawn = Drawn::default();
    drawn.update(&source, [0.0, 6.0], 100);
    assert_eq!(
        drawn.stretches(Scale::Log, -2.0),
        [vec![[0.0, 0.0], [1.0, 1.0]], vec![[4.0, -2.0], [5.0, -1.0], [6.0, -2.0]]]
    );
    assert_eq!(drawn.extent([0.0, 6.0], Scale::Log), Some([-1.0, 1.0]));
    assert_eq!(drawn.extent([0.0, 6.0], Scale::Linear), Some([-3.0, 10.0]));
    assert_eq!(drawn.extent([0.0, 0.5], Scale::Linear), Some([1.0, 1.0]), "only what is shown");
    for (index, value) in [f64::MAX, f64::MIN].into_iter().enumerate() {
        source.push(7.0 + index as f64, value);
    }
    drawn.update(&source, [0.0, 8.0], 100);
    assert_eq!(drawn.extent([0.0, 8.0], Scale::Linear), Some([-3.0, 10.0]), "an axis cannot be infinitely high");
}

#[test]
fn a_long_curve_that_grows_is_not_reduced_anew_for_every_point() {
    let (mut source, mut drawn) = (series(100_000), Drawn::default());
    for index in 100_000..101_500 {
        source.push(f64::from(index), if index == 100_777 { 50.0 } else { f64::from(index).sin() });
        drawn.update(&source, [0.0, f64::from(index)], 500);
        let points: Vec<[f64; 2]> = drawn.stretches(Scale::Linear, 0.0).concat();
        assert!(points.len() <= 2 * 500 + 8, "{}", points.len());
        assert!(points.windows(2).all(|pair| pair[0][0] < pair[1][0]), "in order, none twice");
        let end = points.last().map(|point| point[0]);
        assert!(end.is_some_and(|end| end >= f64::from(index) - 1.0), "it reaches the last step: {end:?}");
        let high = drawn.extent([0.0, f64::from(index)], Scale::Linear).map(|extent| extent[1]);
        assert_eq!(high == Some(50.0), index >= 100_777, "no peak is lost at {index}");
    }
    source.push(60_000.0, -9.0);
    drawn.update(&source, [0.0, 60_000.0], 500);
    assert_eq!(drawn.stretches(Scale::Linear, 0.0).concat().last(), Some(&[60_000.0, -9.0]), "resumed");
}

#[test]
fn ticks_are_round_and_told_apart() {
    let labels = |scale: Scale, marks: Vec<egui_plot::GridMark>| -> Vec<String> {
        marks.into_iter().map(|mark| scale.label(mark)).filter(|label| !label.is_empty()).collect()
    };
    let decades = log_marks(&GridInput { bounds: (-3.0, 0.1), base_step_size: 0.1 });
    assert_eq!(
        labels(Scale::Log, decades),
        ["0.001", "0.002", "0.005", "0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"]
    );
    let near = log_marks(&GridInput { bounds: (2.0_f64.log10(), 3.0_f64.log10()), base_step_size: 0.01 });
    assert_eq!(labels(Scale::Log, near), ["2", "2.2", "2.4", "2.6", "2.8", "3"]);
    let wide = log_marks(&GridInput { bounds: (-30.0, 6.0), base_step_size: 1.0 });
    assert!((10..=14).contains(&wide.len()), "{}", wide.len());
    assert!(log_marks(&GridInput { bounds: (f64::NAN, 1.0), base_step_size: 1.0 }).is_empty());
    let even = |bounds, base_step_size| labels(Scale::Linear, round_marks(&GridInput { bounds, base_step_size }, 26.0));
    assert_eq!(even((0.72, 0.88), 0.0135), ["0.75", "0.80", "0.85"]);
    assert_eq!(even((0.0, 3e-6), 2e-7), ["0", "1e-6", "2e-6", "3e-6"]);
    assert_eq!([axis::step_label(1_250_000.0), axis::step_label(2.5)], ["1,250,000".to_string(), String::new()]);
    assert_eq!(
        [reading(0.432_19), reading(1.2e-5), reading(1_234.56), reading(f64::NAN)],
        ["0.4322", "1.2e-5", "1235", "not finite"]
    );
}

#[test]
fn the_view_stays_within_the_steps_and_follows_when_it_is_whole() {
    let full = [0.0, 1_000.0];
    let mut view = StepView::default();
    view.zoom(4.0, 500.0, full);
    assert_eq!(view.shown(full), [375.0, 625.0]);
    view.pan(10_000.0, full);
    assert_eq!(view.shown(full), [750.0, 1_000.0]);
    assert_eq!(view.shown([0.0, 100.0]), [0.0, 100.0], "a run that was resumed earlier has fewer steps");
    view.zoom(1e9, 800.0, full);
    let [from, to] = view.shown(full);
    assert!((to - from - 2.0).abs() < 1e-9, "{from} to {to}");
    view.zoom(1e-9, 800.0, full);
    assert!(view.is_whole());
    assert_eq!(view.shown([0.0, 2_000.0]), [0.0, 2_000.0], "a whole view grows with the run");
}

struct Scene {
    plot: CurvePlot,
    view: StepView,
    curves: Vec<(String, Series)>,
    log: bool,
    window: f64,
}

fn scene(curves: Vec<(String, Series)>, window: f64) -> Harness<'static, Scene> {
    let scene = Scene { plot: CurvePlot::default(), view: StepView::default(), curves, log: false, window };
    Harness::builder().with_size(vec2(800.0, 400.0)).with_step_dt(0.02).build_ui_state(
        |ui, scene: &mut Scene| {
            let theme = Theme::default();
            let curves: Vec<Curve<'_>> = scene
                .curves
                .iter()
                .map(|(name, series)| {
                    let (key, colour) = (name.clone(), theme.loss_term(name));
                    Curve { key, name: name.clone(), colour, series, raw: true, dashed: false }
                })
                .collect();
            let last = curves.iter().filter_map(|curve| curve.series.last()).map(|[x, _]| x).fold(1.0, f64::max);
            let frame = CurveFrame {
                id: "plot",
                name: "Loss",
                height: 300.0,
                full: [0.0, last],
                window: scene.window,
                log: scene.log,
                sections: &[Section { from: 0.0, name: "stance".into(), colour: theme.task(0) }],
                legend: true,
            };
            scene.plot.show(ui, &theme, &mut scene.view, &frame, &curves);
        },
        scene,
    )
}

#[test]
fn a_million_points_are_drawn_as_a_few_thousand() {
    let mut harness = scene(vec![("total".into(), series(1_000_000)), ("task".into(), series(1_000_000))], 100.0);
    harness.run_steps(12);
    let most = 2 * (2 * 800 + 3 + 800 + 3);
    let handed = harness.state().plot.points_last_frame();
    assert!((1_000..=most).contains(&handed), "{handed}");
    let scene = harness.state_mut();
    for (name, series) in &scene.curves {
        assert_eq!(scene.plot.kept[name].smooth.curve().len(), 1_000_000, "all of {name} is averaged");
        assert_eq!(scene.plot.gaps(name), (0..1_000_000).filter(|index| index % 97 == 13).count());
        assert_eq!(series.len(), 1_000_000);
    }
    scene.log = true;
    scene.view.set([400_000.0, 400_100.0], [0.0, 999_999.0]);
    harness.run_steps(2);
    let handed = harness.state().plot.points_last_frame();
    assert!((380..=420).contains(&handed), "each point of a short stretch, twice for each curve: {handed}");
}

#[test]
fn curves_are_switched_off_by_their_name() {
    let mut harness = scene(vec![("total".into(), series(100)), ("task".into(), series(100))], 1.0);
    harness.run_steps(2);
    let both = harness.state().plot.points_last_frame();
    harness.get_by_label("Curve task").click();
    harness.run_steps(2);
    assert_eq!(harness.state().plot.points_last_frame() * 2, both);
    assert!(harness.query_by_label_contains("Loss at step 99: total").is_some());
    harness.get_by_label("Curve task").click();
    harness.run_steps(2);
    assert_eq!(harness.state().plot.points_last_frame(), both);
}

#[test]
fn keys_zoom_move_and_show_all() {
    let mut harness = scene(vec![("total".into(), series(1_000))], 1.0);
    harness.run_steps(2);
    harness.get_by_label_contains("Loss at step").focus();
    harness.run_steps(2);
    harness.key_press(Key::Plus);
    harness.run_steps(2);
    let full = [0.0, 999.0];
    let [from, to] = harness.state().view.shown(full);
    assert!((to - from - 666.0).abs() < 1.0, "{from} to {to}");
    harness.key_press(Key::ArrowRight);
    harness.run_steps(2);
    assert!(harness.state().view.shown(full)[0] > from);
    assert!(harness.get_by_label_contains("Loss at step").is_focused(), "arrows move the curve, not the focus");
    harness.key_press(Key::Home);
    harness.run_steps(2);
    assert!(harness.state().view.is_whole());
}

#[test]
fn the_pointer_reads_zooms_and_a_double_click_shows_all() {
    let mut harness = scene(vec![("total".into(), series(1_000))], 20.0);
    harness.run_steps(2);
    let area = harness.get_by_label_contains("Loss at step").rect();
    harness.hover_at(area.center());
    harness.run_steps(3);
    let step = harness.state().view.hover().unwrap();
    assert!((step - 500.0).abs() < 5.0, "{step}");
    assert!(harness.query_by_label("Task: stance").is_some(), "the readout names the task");
    harness.event(egui::Event::Zoom(2.0));
    harness.run_steps(2);
    let [from, to] = harness.state().view.shown([0.0, 999.0]);
    assert!((to - from - 499.5).abs() < 2.0, "{from} to {to}");
    let corner = area.min + area.size() * 0.25;
    harness.event(egui::Event::PointerMoved(corner));
    for (pos, pressed) in [(corner, true), (area.center(), false)] {
        harness.event(egui::Event::PointerMoved(pos));
        harness.run_steps(1);
        harness.event(egui::Event::PointerButton {
            pos,
            button: egui::PointerButton::Secondary,
            pressed,
            modifiers: egui::Modifiers::NONE,
        });
        harness.run_steps(2);
    }
    assert!(!harness.state().plot.is_whole(), "a box chooses values too");
    for _ in 0..2 {
        harness.get_by_label_contains("Loss at step").click();
    }
    harness.run_steps(2);
    assert!(harness.state().view.is_whole() && harness.state().plot.is_whole());
}
