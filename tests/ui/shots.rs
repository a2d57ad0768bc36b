//! `just shots`: the real program, the button pressed, the demonstration run to its end, and a picture of every panel on the
//! way. Pictures go to `assets/screenshots`, or where `THALWEG_SHOTS` says.

use super::stage::Stage;
use std::path::PathBuf;
use std::time::Instant;
use thalweg::ui::panel::PanelKind;
use thalweg::ui::session::Session;
use thalweg::ui::state::run::RunStatus;
use thalweg::ui::theme::Theme;

fn folder() -> PathBuf {
    let default = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("assets/screenshots");
    std::env::var_os("THALWEG_SHOTS").map_or(default, PathBuf::from)
}

#[test]
#[ignore = "takes two minutes and writes pictures: `just shots`"]
#[allow(clippy::disallowed_methods, reason = "the time to the first losses is what it measures")]
fn shots() {
    let folder = folder();
    let shot = |stage: &mut Stage, name: &str| {
        stage.settle();
        stage.picture(&folder.join(format!("{name}.png")));
    };
    let mut stage = Stage::new("shots", [1440.0, 900.0], Session::default(), true);
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
    for kind in PanelKind::ALL {
        stage.harness.state_mut().show_alone(kind);
        stage.settle();
        let name = kind.title().to_lowercase().replace(' ', "-");
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
