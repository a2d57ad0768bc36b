//! The Training panel: its form, its controls, its curves.

use super::*;
use crate::engine::config::{MethodConfig, MethodSettings};
use crate::engine::protocol::cards::KnobShape;
use crate::engine::protocol::{Command, Event, Steer};
use crate::ui::action::Action;
use crate::ui::sample;
use crate::ui::state::AppState;
use crate::ui::state::run::RunStatus;
use egui_kittest::{Harness, kittest::Queryable as _};

struct Scene {
    state: AppState,
    panel: TrainingPanel,
    actions: Vec<Action>,
}

/// The panel in a window; what edits the draft is carried out, everything else is kept.
fn scene(state: AppState, size: [f32; 2]) -> Harness<'static, Scene> {
    let mut harness = Harness::builder().with_size(egui::Vec2::from(size)).build_ui_state(
        |ui, scene: &mut Scene| {
            let mut actions = Vec::new();
            let theme = Theme::default();
            let mut context = Context { state: &scene.state, theme: &theme, actions: &mut actions, now_secs: 1.0 };
            scene.panel.show(ui, &mut context);
            for action in actions {
                match action {
                    Action::Edit { what, draft } => scene.state.draft.edit(&what, *draft),
                    other => scene.actions.push(other),
                }
            }
        },
        Scene { state, panel: TrainingPanel::default(), actions: Vec::new() },
    );
    harness.run_steps(3);
    harness
}

fn large(state: AppState) -> Harness<'static, Scene> {
    scene(state, [1200.0, 2_000.0])
}

fn click(harness: &mut Harness<'_, Scene>, label: &str) {
    harness.get_by_label(label).click();
    harness.run_steps(3);
}

fn retype(harness: &mut Harness<'_, Scene>, label: &str, text: &str) {
    harness.get_by_label(label).focus();
    harness.run_steps(2);
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
    harness.get_by_label(label).type_text(text);
    harness.run_steps(2);
}

fn i_lora(harness: &Harness<'_, Scene>) -> MethodConfig {
    harness.state().state.draft.config.methods[1].clone()
}

fn setting(harness: &Harness<'_, Scene>, name: &str) -> Option<toml::Value> {
    knobs::changed(&i_lora(harness)).and_then(|settings| settings.get(name).cloned())
}

/// What somebody did besides editing.
fn taken(harness: &mut Harness<'_, Scene>) -> Vec<Action> {
    std::mem::take(&mut harness.state_mut().actions)
}

fn command(command: Command) -> Vec<Action> {
    vec![Action::Send(Box::new(command))]
}

#[test]
fn every_kind_of_setting_is_written_as_toml_would_have_it() {
    let mut harness = large(sample::state());
    retype(&mut harness, "Gamma", "0.5");
    assert_eq!(setting(&harness, "gamma"), Some(toml::Value::Float(0.5)));
    retype(&mut harness, "Half-life", "60");
    assert_eq!(setting(&harness, "half_life_steps"), Some(toml::Value::Integer(60)));
    click(&mut harness, "Features");
    click(&mut harness, "logits");
    assert_eq!(setting(&harness, "features"), Some(toml::Value::String("logits".into())));
    click(&mut harness, "Replay current");
    assert_eq!(setting(&harness, "replay_current"), Some(toml::Value::Boolean(true)));
    assert!(harness.query_by_label("Settings (4 changed)").is_some());
    click(&mut harness, "Reset Gamma");
    assert_eq!(setting(&harness, "gamma"), None);
    click(&mut harness, "Replay current");
    assert_eq!(setting(&harness, "replay_current"), None, "back at the default, nothing is written");
    // One undo a setting.
    harness.state_mut().state.draft.undo();
    harness.run_steps(2);
    assert_eq!(setting(&harness, "replay_current"), Some(toml::Value::Boolean(true)));
}

#[test]
fn a_value_out_of_range_changes_nothing_and_says_why() {
    let mut harness = large(sample::state());
    let before = harness.state().state.draft.config.clone();
    retype(&mut harness, "Half-life", "2000000");
    retype(&mut harness, "Learning rate", "fast");
    retype(&mut harness, "Batch size", "0");
    assert_eq!(harness.state().state.draft.config, before);
    for sentence in [
        "\"2000000\" cannot be used: it must be a number from 0 to 1e6.",
        "\"fast\" cannot be used: it must be a number of at least 0.",
        "\"0\" cannot be used: it must be a whole number of at least 1.",
    ] {
        assert!(harness.query_by_label(sentence).is_some(), "{sentence}");
    }
    retype(&mut harness, "Learning rate", "0.001");
    assert_eq!(harness.state().state.draft.config.training.learning_rate, 0.001);
    assert!(harness.query_by_label_contains("\"fast\"").is_none());
    click(&mut harness, "Reset Learning rate");
    assert_eq!(harness.state().state.draft.config.training.learning_rate, before.training.learning_rate);
}

#[test]
fn every_field_of_the_form_is_read_and_written() {
    use crate::engine::config::ExperimentConfig;
    let defaults = ExperimentConfig::default();
    for field in fields::GROUPS.iter().flat_map(|group| group.fields) {
        let other = match field.kind {
            fields::Kind::Number(numbers) => {
                let value: f64 = (field.read)(&defaults).parse().unwrap();
                let new = [value + 1.0, 0.5].into_iter().map(crate::ui::widgets::setting::plain_number);
                new.into_iter().find(|text| numbers.check(text).is_ok()).unwrap()
            }
            fields::Kind::Words(words) => words.last().unwrap().to_string(),
        };
        let mut config = defaults.clone();
        (field.write)(&mut config, &other).unwrap();
        assert_eq!((field.read)(&config), other, "{}", field.name);
        let by_command_line = defaults.with_override(&format!("{}={other}", field.name)).unwrap();
        assert_eq!(config, by_command_line, "{} is the setting of that name", field.name);
        assert_eq!((field.write)(&mut config, "no such value"), None, "{}", field.name);
    }
    let mut harness = large(sample::state());
    click(&mut harness, "Schedule");
    click(&mut harness, "cosine");
    assert_eq!(harness.state().state.draft.config.training.schedule, crate::engine::config::Schedule::Cosine);
}

#[test]
fn presets_of_a_method_and_of_an_experiment() {
    let mut state = sample::state();
    state.catalogue.presets.push(("broken".into(), "[training]\nlerning_rate = 1\n".into()));
    let mut harness = large(state);
    retype(&mut harness, "Gamma", "7");
    click(&mut harness, "Preset");
    click(&mut harness, "released code");
    let preset =
        MethodSettings { name: "i_lora".into(), preset: Some("released_code".into()), ..MethodSettings::default() };
    assert_eq!(i_lora(&harness), MethodConfig::Settings(preset), "changes by hand are dropped");
    assert_eq!(harness.get_by_label("Half-life").value().as_deref(), Some("1"));
    assert!(harness.query_by_label("half-life 1 step = 0.04 tasks").is_some(), "400 examples are 25 steps");
    click(&mut harness, "Preset");
    click(&mut harness, "Defaults");
    assert_eq!(i_lora(&harness), MethodConfig::Name("i_lora".into()));

    harness.state_mut().state.draft.config.output = "elsewhere".into();
    harness.run_steps(2);
    click(&mut harness, "Experiment preset");
    click(&mut harness, "broken");
    assert!(harness.query_by_label_contains("The preset broken cannot be read").is_some());
    click(&mut harness, "Experiment preset");
    click(&mut harness, "demo");
    let draft = &harness.state().state.draft.config;
    assert_eq!((draft.title.as_str(), draft.output.as_str()), ("Watch it forget", "elsewhere"));
    assert!(harness.query_by_label_contains("cannot be read").is_none());
}

#[test]
fn methods_are_added_and_removed_but_for_the_last() {
    let mut harness = large(sample::state());
    let names = |harness: &Harness<'_, Scene>| -> Vec<String> {
        harness.state().state.draft.config.methods.iter().map(|method| method.name().to_string()).collect()
    };
    click(&mut harness, "Add method");
    click(&mut harness, "ER");
    assert_eq!(names(&harness), ["seq", "i_lora", "er"]);
    click(&mut harness, "Remove Seq, method 1");
    click(&mut harness, "Remove I-LoRA, method 1");
    assert_eq!(names(&harness), ["er"]);
    click(&mut harness, "Remove ER, method 1");
    assert_eq!(names(&harness), ["er"], "a run needs a method");
    click(&mut harness, "Formula of ER");
    assert!(harness.query_by_label("L = CE(task) + CE(replay)").is_some());
}

#[test]
fn buttons_steer_the_run_in_progress() {
    let mut harness = large(sample::state_after(60));
    click(&mut harness, "Pause");
    assert_eq!(taken(&mut harness), command(Command::Steer { steer: Steer::Pause }));
    harness.state_mut().state.apply(Event::Paused { run: 0, step: 0 }, 1.0);
    harness.run_steps(2);
    click(&mut harness, "Resume");
    assert_eq!(taken(&mut harness), command(Command::Steer { steer: Steer::Resume }));
    click(&mut harness, "Single step");
    assert_eq!(taken(&mut harness), command(Command::Steer { steer: Steer::SingleStep }));
    click(&mut harness, "Stop and keep");
    assert_eq!(taken(&mut harness), command(Command::Steer { steer: Steer::Stop }));
    click(&mut harness, "Add to queue");
    assert_eq!(taken(&mut harness), [Action::StartDraft]);
    harness.state_mut().state.apply(Event::CheckpointSaved { run: 0, step: 210 }, 1.0);
    harness.state_mut().state.apply(Event::Stopped { run: 0, step: 210 }, 1.0);
    harness.run_steps(2);
    click(&mut harness, "Resume run");
    assert_eq!(taken(&mut harness), command(Command::ResumeRun { run: 0, folder: "runs/seq-seed1".into() }));
    for label in ["Pause", "Single step", "Stop and keep"] {
        click(&mut harness, label);
    }
    assert_eq!(taken(&mut harness), [], "no run is in progress");
    click(&mut harness, "Start");
    assert_eq!(taken(&mut harness), [Action::StartDraft]);
}

#[test]
fn what_can_be_done_in_each_standing_of_a_run() {
    let standings = [
        (RunStatus::Queued, "has not begun"),
        (RunStatus::Running, "in progress"),
        (RunStatus::Paused, "press Resume"),
        (RunStatus::Finished, "finished"),
        (RunStatus::Stopped, ""),
        (RunStatus::Failed("x".into()), ""),
    ];
    for (status, reason) in standings {
        let mut state = sample::state();
        state.runs[1].status = status.clone();
        state.runs[1].resumable = true;
        state.active = status.is_active().then_some(1);
        let steered = [offers::pause(&state), offers::single_step(&state), offers::stop(&state)];
        assert!(steered.iter().all(|offer| offer.is_ok() == status.is_active()), "{status:?}: {steered:?}");
        assert!(offers::start(&state, &Ok(())).is_ok(), "a run can be queued at any time");
        match offers::resume_run(&state) {
            Ok(action) => {
                assert!(reason.is_empty(), "{status:?}");
                assert_eq!(vec![action], command(Command::ResumeRun { run: 1, folder: "runs/i_lora-seed1".into() }));
            }
            Err(text) => assert!(!reason.is_empty() && text.contains(reason), "{status:?}: {text}"),
        }
    }
    let mut state = sample::state();
    (state.runs[1].status, state.runs[1].resumable) = (RunStatus::Stopped, true);
    state.active = Some(0);
    assert!(offers::resume_run(&state).unwrap_err().contains("Another run is in progress"));
    (state.active, state.runs[1].folder) = (None, None);
    assert!(offers::resume_run(&state).unwrap_err().contains("no folder"));
    state.runs[1].resumable = false;
    assert!(offers::resume_run(&state).unwrap_err().contains("no checkpoint"));
    assert!(offers::start(&state, &Err("`tasks` is empty".into())).unwrap_err().contains("`tasks` is empty"));
    state.engine.ready = false;
    assert!(offers::start(&state, &Ok(())).unwrap_err().contains("engine is not there"));
}

#[test]
fn before_any_run_the_panel_offers_the_next_step() {
    let mut state = AppState::default();
    let mut harness = large(AppState::default());
    click(&mut harness, "Watch it forget");
    click(&mut harness, "Start");
    assert_eq!(taken(&mut harness), [], "the engine is not there");
    state.apply(Event::Ready { catalogue: Box::new(sample::catalogue()), runs_folder: "runs".into() }, 0.0);
    let mut harness = large(state);
    click(&mut harness, "Watch it forget");
    click(&mut harness, "Start");
    assert_eq!(taken(&mut harness), [Action::WatchItForget, Action::StartDraft]);
    harness.state_mut().state.draft.config.tasks.clear();
    harness.run_steps(2);
    assert!(harness.query_by_label_contains("`tasks` is empty").is_some(), "what is to be mended is said");
    click(&mut harness, "Start");
    assert_eq!(taken(&mut harness), []);
}

#[test]
fn a_failed_run_says_why_and_what_to_do() {
    let mut state = sample::state_after(60);
    state
        .apply(Event::Failed { run: 0, message: "the loss is not a number any more at step 211 (task 2)".into() }, 1.0);
    let mut harness = large(state);
    assert!(harness.query_by_label("the loss is not a number any more at step 211 (task 2)").is_some());
    assert!(harness.query_by_label_contains("Lower the learning rate").is_some());
    click(&mut harness, "Copy message");
    click(&mut harness, "Show log");
    let expected =
        [Action::Copy("the loss is not a number any more at step 211 (task 2)".into()), Action::Show(PanelKind::Log)];
    assert_eq!(taken(&mut harness), expected);
    assert!(
        offers::advice("out of memory", true).contains("fewer examples")
            && offers::advice("the device does not answer any more (lost)", true).contains("another device")
            && !offers::advice("/data/finance.csv cannot be read", true).contains("learning rate")
            && offers::advice("x", true).contains("Resume run")
    );
}

#[test]
fn half_lives_in_steps_and_in_tasks() {
    let text = knobs::half_life_text;
    assert_eq!(text(30.0, Some(75.0)), "half-life 30 steps = 0.4 tasks");
    assert_eq!(text(195.0, Some(390.0)), "half-life 195 steps = 0.5 tasks");
    assert_eq!(text(1.0, Some(1.0)), "half-life 1 step = 1 task");
    assert_eq!(text(68.967, None), "half-life 69 steps");
    assert_eq!(text(0.5, Some(25.0)), "half-life 0.5 steps = 0.02 tasks");
    assert!(text(f64::INFINITY, Some(10.0)).contains("never changes"));
    let mut card = sample::catalogue().method("i_lora").unwrap().clone();
    let method = MethodConfig::Name("i_lora".into());
    assert_eq!(knobs::half_life(&card, &method), Some(30.0));
    let mut lambda = card.knobs[1].clone();
    (lambda.name, lambda.default) = ("lambda".into(), "0.99".into());
    lambda.kind = KnobShape::Number { min: 0.0, max: Some(1.0) };
    card.knobs.push(lambda);
    let by_lambda = method.with_setting("half_life_steps", "0");
    assert!((knobs::half_life(&card, &by_lambda).unwrap() - 68.967_563).abs() < 1e-4, "ln 0.5 / ln 0.99");
    assert_eq!(knobs::half_life(&card, &by_lambda.with_setting("lambda", "1")), Some(f64::INFINITY));
    assert_eq!(knobs::half_life(sample::catalogue().method("er").unwrap(), &MethodConfig::Name("er".into())), None);
    let harness = large(sample::state());
    assert!(harness.query_by_label_contains("half-life 30 steps = 0.4 tasks").is_some(), "75 steps in the run's task");
    assert!(harness.query_by_label("half-life 30 steps = 1.2 tasks").is_some(), "25 steps in a task of the draft");
}

#[test]
fn what_changed_since_the_selected_run_is_listed_and_can_be_taken_back() {
    let mut state = sample::state();
    state.draft.config = state.runs[1].experiment.clone();
    let harness = large(state);
    assert!(harness.query_by_label("The settings below are those of I-LoRA, seed 1.").is_some());
    let mut state = sample::state();
    let mut draft = ExperimentConfig { seed: 2, title: "no matter".into(), ..state.runs[1].experiment.clone() };
    draft.training.learning_rate = 0.001;
    draft.methods.push(draft.methods[0].with_setting("gamma", "1"));
    draft.methods.remove(0);
    state.draft.config = draft.clone();
    let mut harness = large(state);
    click(&mut harness, "2 settings changed since I-LoRA, seed 1");
    for line in ["seed: 1 becomes 2", "training.learning_rate: 0.003 becomes 0.001"] {
        assert!(harness.query_by_label(line).is_some(), "{line}");
    }
    harness.state_mut().state.draft.config.methods[0] = draft.methods[0].with_setting("gamma", "2");
    harness.run_steps(2);
    assert!(harness.query_by_label("I-LoRA gamma: 1 becomes 2").is_some());
    harness.state_mut().state.draft.config.methods =
        vec![MethodConfig::Name("er".into()), MethodConfig::Name("seq".into())];
    harness.run_steps(2);
    assert!(harness.query_by_label("method: I-LoRA becomes ER, Seq").is_some());
    click(&mut harness, "Use the settings of that run");
    assert_eq!(harness.state().state.draft.config, sample::experiment("i_lora"));
}

#[test]
fn curves_of_the_selected_run_and_the_total_of_those_compared() {
    let mut state = sample::state();
    state.compared.extend([0, 1]);
    let mut harness = large(state);
    for name in ["total", "task", "replay", "consistency", "Seq, seed 1 (run 0), total"] {
        assert!(harness.query_by_label(&format!("Curve {name}")).is_some(), "{name}");
    }
    assert!(harness.query_by_label_contains("Loss at step 600: total").is_some());
    assert!(harness.query_by_label_contains("Tokens per second at step").is_none());
    click(&mut harness, "Plot of tokens per second");
    assert!(harness.query_by_label_contains("Tokens per second at step 600: Tokens per second 18000").is_some());
    click(&mut harness, "Plot of gradient norm");
    assert!(harness.query_by_label_contains("Gradient norm at step").is_none());
    // On a small panel the curves come before the settings.
    let mut harness = scene(sample::state(), [360.0, 2_000.0]);
    assert!(harness.query_by_label_contains("Loss at step").is_some() && harness.query_by_label("Gamma").is_none());
    click(&mut harness, "Show settings");
    assert!(harness.query_by_label("Gamma").is_some());
}

#[test]
fn a_loss_that_is_not_finite_is_not_overlooked() {
    let mut state = sample::state_after(60);
    let mut step = sample::step("seq", 211);
    step.losses = vec![("total".into(), f32::NAN), ("task".into(), f32::INFINITY)];
    state.apply(Event::Stepped { run: 0, step, steps_total: 600, eta_secs: None }, 1.0);
    let harness = large(state);
    assert!(harness.query_by_label_contains("Not finite, so left out: 1 of total, 1 of task").is_some());
}

#[test]
fn a_million_losses_are_drawn_as_a_few_thousand_points() {
    let mut state = sample::state_after(60);
    for number in 211..1_000_000_u64 {
        state.runs[0].curves.push(&sample::step("seq", number));
    }
    let mut harness = scene(state, [1200.0, 900.0]);
    harness.run_steps(10);
    let points = harness.state().panel.plot_points_last_frame();
    // Two curves with average, and three small plots of one each, all narrower than the panel.
    assert!((1_000..=5 * (3 * 1200 + 6)).contains(&points), "{points}");
}

#[test]
fn times_are_said_in_words() {
    let said = [0.04, 0.999, 12.34, 59.99, 130.0, 11_100.0, f64::NAN].map(controls::duration);
    assert_eq!(said, ["40 ms", "999 ms", "12.3 s", "1 min 00 s", "2 min 10 s", "3 h 05 min", "an unknown time"]);
}
