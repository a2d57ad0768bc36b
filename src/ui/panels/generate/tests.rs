//! What the panel asks for, and what it says of the answers.

use super::answers::{Mark, mark};
use super::*;
use crate::engine::protocol::{AdapterSource, Event};
use crate::ui::action::Action;
use crate::ui::sample;
use crate::ui::state::AppState;
use crate::ui::state::run::RunStatus;
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

/// The panel, what is known, what was done.
type Shown = (GeneratePanel, AppState, Vec<Action>);

fn shown(state: AppState) -> Harness<'static, Shown> {
    let mut harness = Harness::builder().with_size([900.0, 1200.0]).build_ui_state(
        |ui, (panel, state, actions): &mut Shown| {
            let theme = Theme::default();
            panel.show(ui, &mut Context { state, theme: &theme, actions, now_secs: 0.0 });
        },
        (GeneratePanel::default(), state, Vec::new()),
    );
    harness.run();
    harness
}

/// I-LoRA in the middle of its tasks.
fn going() -> AppState {
    let mut state = sample::state_after(3);
    for event in sample::run_events(1, "i_lora").into_iter().take(60) {
        state.apply(event, 0.0);
    }
    assert_eq!(state.active, Some(1));
    state
}

fn click(harness: &mut Harness<'_, Shown>, label: &str) {
    harness.get_by_label(label).click();
    harness.run();
}

fn write(harness: &mut Harness<'_, Shown>, field: &str, text: &str) {
    harness.get_by_label(field).click();
    harness.run();
    harness.get_by_label(field).type_text(text);
    harness.run();
}

fn commands(harness: &mut Harness<'_, Shown>) -> Vec<Command> {
    let actions = std::mem::take(&mut harness.state_mut().2);
    actions
        .into_iter()
        .filter_map(|action| if let Action::Send(command) = action { Some(*command) } else { None })
        .collect()
}

fn answer(harness: &mut Harness<'_, Shown>, id: u64, source: usize, text: &str, done: bool) {
    let event = Event::Generated { id, source, text: text.into(), done, tokens_per_sec: 31.0 };
    harness.state_mut().1.apply(event, 0.0);
    harness.run();
}

/// Asks and gives the number of the generation and who answers.
fn ask(harness: &mut Harness<'_, Shown>) -> (u64, Vec<AdapterSource>) {
    click(harness, "Generate");
    match commands(harness).pop() {
        Some(Command::Generate { id, sources, .. }) => (id, sources),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_prompt_goes_to_the_base_model_and_the_learners_as_they_are() {
    let mut harness = shown(going());
    harness.get_by_label("Write a prompt first, or take an example.");
    assert!(harness.get_by_label("Generate").accesskit_node().is_disabled());
    write(&mut harness, "Prompt", "The fee is fair Answer:");
    harness.get_by_label("A run goes on: it answers between two steps.");
    click(&mut harness, "Generate");
    let experiment = Box::new(sample::experiment("i_lora"));
    let live = |learner: &str| AdapterSource::Live { learner: learner.into() };
    let expected = Command::Generate {
        id: FIRST_ID + 1,
        prompt: "The fee is fair Answer:".into(),
        sources: vec![AdapterSource::Base, live("working"), live("long_term")],
        sampling: SamplingConfig::default(),
        experiment,
    };
    assert_eq!(commands(&mut harness), [expected]);
}

#[test]
fn control_and_enter_in_the_prompt_generate_without_a_new_line() {
    let mut harness = shown(going());
    write(&mut harness, "Prompt", "Why?");
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    harness.run();
    let sent = commands(&mut harness);
    assert!(matches!(sent.as_slice(), [Command::Generate { prompt, .. }] if prompt == "Why?"), "{sent:?}");
    assert_eq!(harness.state().0.prompt, "Why?");
}

#[test]
fn sources_are_switched_off_and_none_is_refused_with_a_sentence() {
    let mut harness = shown(going());
    write(&mut harness, "Prompt", "Why?");
    let switch = |harness: &mut Harness<'_, Shown>, label: &str| {
        harness.get_by_role_and_label(egui::Role::CheckBox, label).click();
        harness.run();
    };
    switch(&mut harness, "base model");
    assert_eq!(ask(&mut harness).1.len(), 2);
    switch(&mut harness, "fast learner (working), as it is now");
    switch(&mut harness, "slow learner (long-term), as it is now");
    harness.get_by_label("Choose at least one that answers.");
    assert!(harness.get_by_label("Generate").accesskit_node().is_disabled());
}

#[test]
fn texts_stream_in_and_are_marked_when_they_are_complete() {
    let mut harness = shown(going());
    write(&mut harness, "Prompt", "Is it?");
    write(&mut harness, "Expected answer, if there is one", "yes");
    let (id, _) = ask(&mut harness);
    assert_eq!(harness.get_all_by_label("Waiting for its turn.").count(), 3);
    answer(&mut harness, id, 0, " yes", false);
    harness.get_by_label("Writing\u{2026}");
    assert!(harness.query_by_label("right").is_none(), "not before its end");
    answer(&mut harness, id, 0, " yes ", true);
    harness.get_by_label("right");
    answer(&mut harness, id, 1, "yes, it is", true);
    answer(&mut harness, id, 2, "", true);
    harness.get_by_label("right, and goes on");
    harness.get_by_label("wrong");
    harness.get_by_label("It answered nothing.");
    assert!(harness.query_by_label("Stop").is_none(), "all are complete");
    assert_eq!(harness.get_all_by_label("31 tokens/s").count(), 3);
}

#[test]
fn a_mark_needs_the_whole_answer() {
    assert_eq!(mark(" yes\n", "yes"), Some(Mark::Right));
    assert_eq!(mark("yes. And more", "yes"), Some(Mark::Begins));
    assert_eq!(mark("nothing", "no"), Some(Mark::Wrong), "another word that begins alike");
    assert_eq!(mark("no", "nothing"), Some(Mark::Wrong));
    assert_eq!(mark("f(x)y", "f(x)"), Some(Mark::Begins));
    assert_eq!(mark("anything", "  "), None);
}

#[test]
fn nothing_reaches_over_the_edge_of_a_narrow_panel() {
    let mut harness = shown(going());
    write(&mut harness, "Prompt", "Why?");
    ask(&mut harness);
    harness.set_size(egui::vec2(300.0, 1200.0));
    harness.run();
    for label in ["Prompt", "Seed", "Generate", "base model", "slow learner (long-term), as it is now"] {
        for node in harness.get_all_by_label(label) {
            assert!(node.rect().right() <= 300.0, "{label}: {:?}", node.rect());
        }
    }
}

#[test]
fn stopping_and_asking_anew_end_what_is_being_written() {
    let mut harness = shown(going());
    write(&mut harness, "Prompt", "Why?");
    let (first, _) = ask(&mut harness);
    click(&mut harness, "Stop");
    assert_eq!(commands(&mut harness), [Command::StopGenerating { id: first }]);
    assert_eq!(harness.get_all_by_label("Stopped.").count(), 3);
    let (second, _) = ask(&mut harness);
    assert_eq!(second, first + 1);
    click(&mut harness, "Generate");
    let sent = commands(&mut harness);
    assert!(
        matches!(sent.as_slice(), [Command::StopGenerating { id }, Command::Generate { .. }] if *id == second),
        "{sent:?}"
    );
}

#[test]
fn numbers_of_other_panels_are_never_taken() {
    let mut state = going();
    state.generations.entry(FIRST_ID + 40).or_default();
    let mut harness = shown(state);
    write(&mut harness, "Prompt", "Why?");
    assert_eq!(ask(&mut harness).0, FIRST_ID + 41);
}

#[test]
fn a_failure_is_told_beside_what_was_written() {
    let mut harness = shown(going());
    write(&mut harness, "Prompt", "Why?");
    let (id, _) = ask(&mut harness);
    answer(&mut harness, id, 0, "Because", false);
    harness.state_mut().1.apply(Event::GenerationFailed { id, message: "the device is gone".into() }, 0.0);
    harness.run();
    harness.get_by_label("The text could not be generated: the device is gone");
    harness.get_by_label("Because");
    assert!(harness.query_by_label("Stop").is_none());
}

#[test]
fn examples_of_a_task_bring_their_answers_and_go_round() {
    let mut state = sample::state();
    let experiment = state.run(1).unwrap().experiment.clone();
    let id = crate::ui::state::task_id(&experiment.tasks[0], &experiment);
    let mut card = sample::task_card("stance");
    card.preview.truncate(1);
    state.tasks.insert(id, Ok(card));
    state.runs[1].buffer.items.retain(|id, item| item.task != 0 || *id == 2);
    let mut harness = shown(state);
    click(&mut harness, "Take an example of\u{2026}");
    click(&mut harness, "stance");
    let fields = |harness: &Harness<'_, Shown>| (harness.state().0.prompt.clone(), harness.state().0.expected.clone());
    assert_eq!(fields(&harness), ("stance: the fee is fair".into(), "yes".into()));
    harness.get_by_label("stance, training example 1 of the 1 that were read");
    click(&mut harness, "Next example");
    let item = sample::buffer_item(2);
    assert_eq!(fields(&harness), (item.prompt, item.answer));
    harness.get_by_label("stance, item 2 of the replay buffer");
    click(&mut harness, "Next example");
    assert_eq!(fields(&harness).1, "yes", "and from the first again");
    click(&mut harness, "Clear");
    assert_eq!(fields(&harness), (String::new(), String::new()));
}

#[test]
fn a_task_that_was_not_read_yet_is_read_on_demand() {
    let mut harness = shown(sample::state_after(1));
    harness.state_mut().1.tasks.clear();
    harness.run();
    click(&mut harness, "Take an example of\u{2026}");
    click(&mut harness, "finance: read its examples");
    let draft = harness.state().1.draft.config.clone();
    let (id, task) = (crate::ui::state::task_id(&draft.tasks[1], &draft), Box::new(draft.tasks[1].clone()));
    assert_eq!(commands(&mut harness), [Command::InspectTask { id, experiment: Box::new(draft), task }]);
}

#[test]
fn kept_adapters_of_the_last_task_answer_when_no_run_goes_on() {
    let mut state = sample::state();
    let kept = |task: usize, learner: &str| (task, learner.to_string(), format!("a/{task}/{learner}"));
    state.runs[1].adapters = vec![kept(0, "working"), kept(7, "working"), kept(7, "long_term")];
    let mut harness = shown(state);
    write(&mut harness, "Prompt", "Why?");
    click(&mut harness, "fast learner after stance");
    let (_, sources) = ask(&mut harness);
    let folder = |path: &str| AdapterSource::Folder { path: path.into() };
    assert_eq!(sources, [AdapterSource::Base, folder("a/0/working"), folder("a/7/working"), folder("a/7/long_term")]);
}

#[test]
fn adapters_of_another_model_wait_until_the_run_is_over() {
    let mut state = going();
    let mut other = sample::experiment("seq");
    other.model = "other/model".into();
    state.apply(Event::RunQueued { run: 9, method_label: "Seq".into(), experiment: Box::new(other) }, 0.0);
    let run = state.runs.iter_mut().find(|run| run.number == 9).unwrap();
    (run.status, run.adapters) = (RunStatus::Finished, vec![(0, "model".into(), "a/0".into())]);
    state.selected = Some(9);
    let harness = shown(state);
    assert!(harness.get_by_label("learner after task 1").accesskit_node().is_disabled());
}

#[test]
fn a_finished_run_lists_its_adapters_on_demand_and_no_run_offers_one() {
    let mut harness = shown(sample::state());
    click(&mut harness, "List the adapters that this run kept");
    let folder = "runs/i_lora-seed1".to_string();
    assert_eq!(commands(&mut harness), [Command::OpenRuns { run: 1, folder }]);
    let mut harness = shown(sample::state_after(1));
    click(&mut harness, "Watch it forget");
    assert_eq!(harness.state().2, [Action::WatchItForget]);
}

#[test]
fn what_was_asked_before_comes_back_with_its_answers() {
    let mut harness = shown(going());
    write(&mut harness, "Prompt", "First");
    write(&mut harness, "Expected answer, if there is one", "one");
    let (first, _) = ask(&mut harness);
    answer(&mut harness, first, 0, "one", true);
    assert!(harness.query_by_label("Asked before").is_none(), "it is shown already");
    click(&mut harness, "Clear");
    write(&mut harness, "Prompt", "Second");
    ask(&mut harness);
    assert!(harness.query_by_label("one").is_none());
    harness.get_by_label("1 of 3 right");
    click(&mut harness, "First");
    assert_eq!((harness.state().0.prompt.as_str(), harness.state().0.expected.as_str()), ("First", "one"));
    harness.get_by_label("right");
}

#[test]
fn only_so_many_prompts_are_remembered() {
    let mut harness = shown(going());
    write(&mut harness, "Prompt", "Why?");
    for _ in 0..REMEMBERED + 5 {
        ask(&mut harness);
    }
    assert_eq!(harness.state().0.asked.len(), REMEMBERED);
}

#[test]
fn chance_has_settings_only_above_temperature_zero() {
    let mut harness = shown(going());
    let disabled = |harness: &Harness<'_, Shown>| {
        let seed = harness.get_all_by_label("Seed").find(|node| node.accesskit_node().role() == egui::Role::SpinButton);
        seed.unwrap().accesskit_node().is_disabled()
    };
    assert!(disabled(&harness));
    harness.state_mut().0.sampling.temperature = 0.7;
    harness.run();
    assert!(!disabled(&harness));
}
