//! The panel with what was measured before, what failed, curves in training, comparisons, and barriers as the report has them.

use super::*;
use crate::engine::landscape_report::CurveTraining;

/// A path of the last session, or of an engine that died: it can be looked at, its points cannot be asked for, and it can be
/// measured again under its own number.
#[test]
fn an_earlier_path_can_be_looked_at_and_measured_again() {
    let mut harness = harness(World::new());
    harness.get_by_label("Measure the path").click();
    harness.run();
    let asked = harness.state_mut().commands().remove(0);
    let mut world = World::new();
    let view = crate::ui::state::Exploration {
        report: Some(report(None)),
        done: true,
        failed: None,
        asked: Some(Box::new(asked.clone())),
        earlier: true,
    };
    world.state.paths.insert(FIRST_NUMBER, view);
    let mut harness = self::harness(world);
    harness.run();
    harness.get_by_label("Barrier of the mean loss: 3.500 at t = 0.50.");
    harness.state_mut().panel.walk.go(0.5, 1.0);
    harness.state_mut().now_secs = 60.0;
    harness.run();
    assert_eq!(harness.state_mut().commands(), [], "the engine has not its adapters");
    harness.get_by_label("Measure it again").click();
    harness.run();
    assert_eq!(harness.state_mut().commands(), [asked]);
    measured(harness.state_mut(), FIRST_NUMBER, report(None), true);
    harness.run();
    assert!(harness.query_by_label("Measure it again").is_none());
    // A new path has a number of its own.
    harness.get_by_label("Swap").click();
    harness.run();
    harness.get_by_label("Measure the path").click();
    harness.run();
    let sent = harness.state_mut().commands();
    assert!(sent.iter().any(|command| matches!(command, Command::MeasurePath { id, .. } if *id == FIRST_NUMBER + 1)));
}

/// Marks that failed are asked for again with the next move, those at t = 0 too.
#[test]
fn failed_marks_are_told_and_asked_for_again() {
    let mut harness = with_path(report(None));
    let marks = |harness: &mut Harness<'static, World>, t: f64, now: f64| -> Vec<(u64, f64)> {
        harness.state_mut().panel.walk.go(t, now);
        harness.state_mut().now_secs = now + 1.0;
        harness.run();
        let sent = harness.state_mut().commands().into_iter();
        sent.filter_map(|command| match command {
            Command::Mark { id, source: AdapterSource::OnPath { t, .. }, .. } => Some((id, t)),
            _ => None,
        })
        .collect()
    };
    let first = marks(&mut harness, 0.5, 10.0);
    assert_eq!(first.iter().map(|(_, t)| *t).collect::<Vec<_>>(), [0.0, 0.5]);
    assert!(harness.query_by_label("waiting for the marks...").is_some());
    for (id, _) in first {
        let event = Event::MarkFailed { id, message: "the task has no such example".into() };
        harness.state_mut().state.apply(event, 12.0);
    }
    harness.run();
    harness.get_by_label("the task has no such example");
    assert!(harness.query_by_label("waiting for the marks...").is_none());
    let again = marks(&mut harness, 0.75, 20.0);
    assert_eq!(again.iter().map(|(_, t)| *t).collect::<Vec<_>>(), [0.0, 0.75]);
}

/// While the bends are trained the curve is seen bending; nothing is asked of it before it lies still.
#[test]
fn a_curve_is_watched_while_it_bends() {
    let mut harness = harness(World::new());
    harness.get_by_label("Measure the path").click();
    harness.run();
    harness.state_mut().actions.clear();
    let mut bending = report(None);
    bending.training = Some(CurveTraining {
        done: 20,
        steps: 200,
        losses: vec![(1, Some(3.0)), (10, None), (20, Some(1.25))],
        outline: vec![[0.0, 0.0], [0.5, 0.375], [1.0, f64::NAN]],
        bends: vec![[0.5, 0.75]],
        examples: Some(8),
    });
    measured(harness.state_mut(), FIRST_NUMBER, bending.clone(), false);
    harness.run();
    let words = "Bends trained: step 20 of 200, loss 1.250. The curve bends 0.375 of its chord's length away from it.";
    harness.get_by_label(words);
    harness.get_by_label("The curve over its chord");
    assert!(harness.query_by_label_contains("8 examples of each task").is_some());
    harness.state_mut().panel.walk.go(0.5, 1.0);
    harness.state_mut().now_secs = 60.0;
    harness.run();
    assert_eq!(harness.state_mut().commands(), []);
    let training = bending.training.as_mut().unwrap();
    (training.done, training.examples) = (200, None);
    measured(harness.state_mut(), FIRST_NUMBER, bending, true);
    harness.run();
    assert!(harness.query_by_label_contains("Bends trained: step 200 of 200").is_some());
    harness.state_mut().panel.walk.go(0.25, 61.0);
    harness.state_mut().now_secs = 70.0;
    harness.run();
    assert!(!harness.state_mut().commands().is_empty());
}

#[test]
fn the_checkpoints_of_a_run_are_compared_in_a_matrix() {
    use crate::engine::landscape_report::{Measure, PairTable, SimilarityReport};
    let mut harness = harness(World::new());
    harness.get_by_label("How near the adapters are").click();
    harness.run();
    harness.get_by_label("Compare all of the run").click();
    harness.run();
    let sent = harness.state_mut().commands();
    let [Command::MeasureSimilarity { id, similarity, .. }] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!((similarity.adapters.len(), similarity.features), (16, true));
    let table = |measure: Measure, value: f64| PairTable {
        measure,
        values: vec![vec![Some(0.0), Some(value)], vec![Some(value), Some(0.0)]],
    };
    let report = SimilarityReport {
        adapters: vec!["after stance".into(), "after law".into()],
        tables: vec![table(Measure::UpdateDistance, 0.5), table(Measure::Cka, 0.875)],
        warnings: vec!["CKA with one of them cannot be given".into()],
        ..SimilarityReport::default()
    };
    harness.state_mut().state.apply(Event::SimilarityMeasured { id: *id, report: Box::new(report) }, 1.0);
    harness.run();
    harness.get_by_label("Matrix of 2 adapters: distance of updates, from 0.500 to 0.500");
    harness.get_by_label("CKA with one of them cannot be given");
    harness.get_by_role_and_label(Role::ComboBox, "Measure").click();
    harness.run();
    harness.get_by_label("CKA, mean").click();
    harness.run();
    harness.get_by_label("Matrix of 2 adapters: CKA, mean, from 0.875 to 0.875");
}

#[test]
fn barriers_of_every_task_are_the_reports() {
    let mut strange = report(None);
    // Nothing is worked out again: what the engine judged is what is told.
    (strange.barriers[0].entezari, strange.barriers[2].frankle) = (Some(7.5), Some(9.25));
    let mut harness = with_path(strange);
    harness.get_by_label("Barrier of the mean loss: 7.500 at t = 0.50.");
    harness.get_by_label("Above the mean of both ends: 3.250 at t = 0.50.");
    harness.get_by_label("Length of the path: 4.000.");
    harness.get_by_label("Barriers by task").click();
    harness.run();
    harness.get_by_label("9.250");
}
