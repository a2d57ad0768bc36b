//! `just shots`: the real program, the button pressed, the demonstration run to its end, and a picture of every panel on the
//! way. Pictures go to `assets/screenshots`, or where `THALWEG_SHOTS` says.

use super::checkout::checkout;
use super::stage::Stage;
use egui_kittest::kittest::Queryable as _;
use std::path::PathBuf;
use std::time::Instant;
use thalweg::ui::panel::PanelKind;
use thalweg::ui::session::Session;
use thalweg::ui::state::run::RunStatus;
use thalweg::ui::theme::Theme;

/// The pictures that the repository keeps; the rest go to a folder that git ignores.
const IN_README: [&str; 10] = [
    "both-runs",
    "light",
    "panel-landscape-map",
    "panel-landscape-surface",
    "panel-landscape",
    "panel-paths-at-0",
    "panel-paths-at-50",
    "panel-paths-at-100",
    "panel-replay-buffer-map",
    "panel-runs",
];

fn folder() -> PathBuf {
    let default = checkout().join("assets/screenshots");
    std::env::var_os("THALWEG_SHOTS").map_or(default, PathBuf::from)
}

#[test]
#[ignore = "takes two minutes and writes pictures: `just shots`"]
#[allow(clippy::disallowed_methods, reason = "the time to the first losses is what it measures")]
fn shots() {
    let folder = folder();
    let shot = |stage: &mut Stage, name: &str| {
        stage.settle();
        let place = if IN_README.contains(&name) { folder.clone() } else { folder.join("more") };
        stage.picture(&place.join(format!("{name}.png")));
    };
    let mut stage = Stage::new("shots", [1376.0, 856.0], Session::default(), true);
    stage.wait("the model and the tasks", 60, |state| {
        (matches!(state.model, Some(Ok(_))) && state.tasks.len() >= 8).then_some(())
    });
    shot(&mut stage, "welcome");
    let start = Instant::now();
    stage.click_first("Watch it forget");
    stage.wait("three tasks of Seq", 120, |state| {
        let run = state.runs.first()?;
        run.report.learners.first().filter(|learner| learner.matrix.learnt() >= 3).map(|_| ())
    });
    println!("from the button to the loss of the first tasks: {:.1} s", start.elapsed().as_secs_f64());
    shot(&mut stage, "seq-forgets");
    stage.wait("four tasks of I-LoRA", 180, |state| {
        let run = state.runs.get(1)?;
        run.report.learners.first().filter(|learner| learner.matrix.learnt() >= 4).map(|_| ())
    });
    shot(&mut stage, "i-lora-remembers");
    stage.wait("the end", 180, |state| state.runs.get(1).filter(|run| run.status == RunStatus::Finished).map(|_| ()));
    println!("from the button to the end of both runs: {:.1} s", start.elapsed().as_secs_f64());
    stage.harness.state_mut().compare(0, true);
    // The toasts of the run's end go.
    std::thread::sleep(std::time::Duration::from_secs(8));
    stage.settle();
    shot(&mut stage, "both-runs");
    for kind in PanelKind::ALL {
        stage.harness.state_mut().show_alone(kind);
        stage.settle();
        let name = kind.title().to_lowercase().replace(' ', "-");
        match kind {
            PanelKind::Buffer => buffer(&mut stage, &shot),
            PanelKind::Generate => generate(&mut stage),
            PanelKind::Paths => paths(&mut stage, &shot),
            PanelKind::Landscape => landscape(&mut stage, &shot),
            _ => {}
        }
        shot(&mut stage, &format!("panel-{name}"));
    }
    for (name, theme) in [
        ("light", Theme { dark: false, text_scale: 1.0 }),
        ("text-75", Theme { dark: true, text_scale: 0.75 }),
        ("text-200", Theme { dark: true, text_scale: 2.0 }),
    ] {
        stage.harness.state_mut().show_layout();
        stage.harness.state_mut().set_theme(theme);
        stage.settle();
        shot(&mut stage, name);
    }
}

/// The buffer's items on a map of the model's features, and as cards; dots last.
fn buffer(stage: &mut Stage, shot: &dyn Fn(&mut Stage, &str)) {
    stage.click("Map");
    stage.wait("the map", 60, |state| state.selected_run().and_then(|run| run.buffer.map.as_ref()).map(|_| ()));
    shot(stage, "panel-replay-buffer-map");
    stage.click("Cards");
    shot(stage, "panel-replay-buffer-cards");
    stage.click("Shares");
    shot(stage, "panel-replay-buffer-shares");
    stage.click("Dots");
}

/// One example, answered by the base model and by both learners.
fn generate(stage: &mut Stage) {
    stage.click("Take an example of\u{2026}");
    stage.click("finance");
    // The panel's tab has the same name and stands before it.
    stage.click_last("Generate");
    stage.wait("the answers", 60, |state| {
        let (_, last) = state.generations.last_key_value()?;
        (last.columns.len() == 3 && last.columns.iter().all(|(_, done)| *done)).then_some(())
    });
}

/// The straight line between the first and the last minimum of the slow learner, walked along.
fn paths(stage: &mut Stage, shot: &dyn Fn(&mut Stage, &str)) {
    stage.click("Measure the path");
    stage.wait("the path", 120, |state| state.paths.values().any(|path| path.done).then_some(()));
    let mut texts = std::collections::BTreeSet::new();
    for t in [0.0, 0.5, 1.0] {
        let asked: std::collections::BTreeSet<u64> = stage.state().generations.keys().copied().collect();
        let slider = stage.harness.get_by_role_and_label(egui::accesskit::Role::Slider, "place on the path, t");
        slider.set_value_accesskit(if t == 0.0 { 0.01 } else { t });
        // The model is asked where the slider rests.
        stage.wait("the answer there", 60, |state| {
            let answers = &state.generations;
            let all = answers.values().all(|answer| answer.columns.iter().all(|(_, done)| *done));
            (answers.len() > asked.len() && all).then_some(())
        });
        stage.wait("its marks", 60, |state| (!state.marked.is_empty() && state.active.is_none()).then_some(()));
        stage.rest(1.5);
        let new = stage.state().generations.iter().filter(|(id, _)| !asked.contains(id));
        texts.extend(new.map(|(_, answer)| answer.columns.clone()));
        shot(stage, &format!("panel-paths-at-{:.0}", 100.0 * t));
    }
    assert!(texts.len() > 1, "the text is the same everywhere: {texts:?}");
}

/// A plane through three minima as a map, then as a surface from two sides.
fn landscape(stage: &mut Stage, shot: &dyn Fn(&mut Stage, &str)) {
    stage.click("Measure the plane");
    stage.wait("the plane", 300, |state| state.planes.values().any(|plane| plane.done).then_some(()));
    shot(stage, "panel-landscape-map");
    stage.click("Surface");
    shot(stage, "panel-landscape-surface");
    stage.harness.get_by_label_contains("Surface of the").focus();
    stage.settle();
    for key in [egui::Key::ArrowRight; 9].into_iter().chain([egui::Key::ArrowDown; 3]) {
        stage.harness.key_press(key);
        stage.settle();
    }
}
