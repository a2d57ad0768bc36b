//! The panel driven as people drive it, by names, keys and clicks.

use super::*;
use crate::continual::replay::ReplayPolicy;
use crate::engine::protocol::buffer::{BufferChange, BufferEdit, BufferPreview};
use crate::engine::protocol::{Event, Level};
use crate::ui::action::Action;
use crate::ui::sample;
use crate::ui::state::AppState;
use crate::ui::state::run::RunStatus;
use egui::{Key, Role};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

/// What a frame is drawn from, and what came of it.
struct Desk {
    panel: BufferPanel,
    state: AppState,
    actions: Vec<Action>,
}

impl Desk {
    fn sent(&self) -> Vec<Command> {
        let command = |action: &Action| match action {
            Action::Send(command) => Some((**command).clone()),
            _ => None,
        };
        self.actions.iter().filter_map(command).collect()
    }

    fn edits(&self) -> Vec<BufferEdit> {
        let edit = |command: Command| match command {
            Command::EditBuffer { edit } => Some(edit),
            _ => None,
        };
        self.sent().into_iter().filter_map(edit).collect()
    }
}

fn harness(state: AppState, size: [f32; 2]) -> Harness<'static, Desk> {
    let desk = Desk { panel: BufferPanel::default(), state, actions: Vec::new() };
    let draw = |ui: &mut Ui, desk: &mut Desk| {
        let theme = Theme::default();
        let Desk { panel, state, actions } = desk;
        panel.show(ui, &mut Context { state, theme: &theme, actions, now_secs: 1.0 });
    };
    let mut harness = Harness::builder().with_size(size).build_ui_state(draw, desk);
    harness.run();
    harness
}

/// The I-LoRA run of the sample, as if it went on.
fn going_on() -> AppState {
    let mut state = sample::state();
    state.runs[1].status = RunStatus::Paused;
    state.active = Some(1);
    state
}

fn active() -> Harness<'static, Desk> {
    harness(going_on(), [1000.0, 640.0])
}

fn value_of(harness: &Harness<'static, Desk>, label: &str) -> String {
    harness.get_by_label(label).value().unwrap_or_default()
}

fn press(harness: &mut Harness<'static, Desk>, keys: &[Key]) {
    for key in keys {
        harness.key_press(*key);
        harness.run();
    }
}

fn focus_dots(harness: &mut Harness<'static, Desk>) {
    harness.get_by_label("Items as dots").focus();
    harness.run();
}

fn click(harness: &mut Harness<'static, Desk>, label: &str) {
    harness.get_by_label(label).click();
    harness.run();
}

fn choose(harness: &mut Harness<'static, Desk>, combo: &str, option: &str) {
    harness.get_by_role_and_label(Role::ComboBox, combo).click();
    harness.run();
    harness.get_by_role_and_label(Role::Button, option).click();
    harness.run();
}

#[test]
fn the_summary_is_shown_and_the_buffer_is_watched_once() {
    let mut harness = active();
    harness.get_by_label("500 of 500 items, 1,000 examples seen, reservoir; 8 tasks: each 12.5 % ± 0.1 %");
    harness.run_steps(5);
    assert_eq!(harness.state().sent(), [Command::WatchBuffer { on: true }]);
    harness.state_mut().state.apply(Event::Stopped { run: 1, step: 600 }, 0.0);
    harness.run_steps(3);
    harness.state_mut().state.active = Some(1);
    harness.run_steps(3);
    assert_eq!(harness.state().sent().len(), 2, "and again when the run goes on");
}

#[test]
fn a_panel_that_was_out_of_sight_asks_again() {
    let mut state = going_on();
    state.toasts.clear();
    let desk = Desk { panel: BufferPanel::default(), state, actions: Vec::new() };
    let shown = std::rc::Rc::new(std::cell::Cell::new(true));
    let visible = shown.clone();
    let draw = move |ui: &mut Ui, desk: &mut Desk| {
        let Desk { panel, state, actions } = desk;
        if visible.get() {
            panel.show(ui, &mut Context { state, theme: &Theme::default(), actions, now_secs: 1.0 });
        }
    };
    let mut harness = Harness::builder().build_ui_state(draw, desk);
    harness.run_steps(3);
    shown.set(false);
    harness.run_steps(3);
    assert_eq!(harness.state().sent().len(), 1);
    shown.set(true);
    harness.run_steps(3);
    assert_eq!(harness.state().sent().len(), 2);
}

#[test]
fn arrows_move_in_the_grid_and_enter_opens() {
    let mut harness = active();
    focus_dots(&mut harness);
    press(&mut harness, &[Key::ArrowRight]);
    assert!(value_of(&harness, "Items as dots").starts_with("item 0, stance"), "the first key chooses the first item");
    press(&mut harness, &[Key::ArrowRight, Key::ArrowRight, Key::ArrowLeft]);
    assert!(value_of(&harness, "Items as dots").starts_with("item 1, stance"));
    press(&mut harness, &[Key::ArrowDown, Key::ArrowUp, Key::ArrowUp]);
    assert!(value_of(&harness, "Items as dots").starts_with("item 1,"), "there is nothing above the first line");
    press(&mut harness, &[Key::End]);
    assert!(value_of(&harness, "Items as dots").starts_with("item 499, law"));
    assert!(harness.query_by_label("Item 499").is_none());
    press(&mut harness, &[Key::Enter]);
    harness.get_by_label("Item 499");
    press(&mut harness, &[Key::Escape]);
    assert!(harness.query_by_label("Item 499").is_none());
    press(&mut harness, &[Key::Home]);
    assert!(value_of(&harness, "Items as dots").starts_with("item 0,"), "the grid kept the focus");
}

#[test]
fn keys_pin_and_drop() {
    let mut harness = active();
    focus_dots(&mut harness);
    press(&mut harness, &[Key::ArrowRight, Key::ArrowRight, Key::P, Key::Delete]);
    assert_eq!(harness.state().edits(), [BufferEdit::Pin { id: 1, pinned: true }, BufferEdit::Drop { id: 1 }]);
    assert!(value_of(&harness, "Items as dots").starts_with("item 2,"), "the neighbour is chosen then");
    press(&mut harness, &[Key::ArrowRight, Key::P]);
    assert_eq!(harness.state().edits().last(), Some(&BufferEdit::Pin { id: 3, pinned: false }), "item 3 is pinned");
}

#[test]
fn a_click_on_a_dot_opens_its_item() {
    let mut harness = active();
    let at = harness.state().panel.dots.centre_of(37).expect("the dots were drawn");
    for pressed in [true, false] {
        let button = egui::PointerButton::Primary;
        harness.hover_at(at);
        harness.event(egui::Event::PointerButton { pos: at, button, pressed, modifiers: egui::Modifiers::NONE });
    }
    harness.run();
    harness.get_by_label("Item 37");
    click(&mut harness, "Pin");
    click(&mut harness, "Generate from it");
    let prompt = sample::buffer_item(37).prompt;
    assert_eq!(harness.state().edits(), [BufferEdit::Pin { id: 37, pinned: true }]);
    assert!(harness.state().actions.ends_with(&[Action::Copy(prompt), Action::Show(PanelKind::Generate)]));
}

#[test]
fn what_was_dropped_can_be_put_back() {
    let mut harness = active();
    harness.state_mut().panel.choice.choose(70);
    harness.run();
    click(&mut harness, "Drop");
    assert!(harness.query_by_label("Put back").is_none(), "it is still there until the engine says so");
    let change = BufferChange { step: 600, capacity: 500, removed: vec![70], ..BufferChange::default() };
    harness.state_mut().state.apply(Event::BufferChanged { run: 1, change: Box::new(change) }, 0.0);
    harness.run();
    harness.get_by_label("Dropped item 70 (finance).");
    click(&mut harness, "Put back");
    let back = BufferEdit::Add { task: 1, example_index: 70 };
    assert_eq!(harness.state().edits(), [BufferEdit::Drop { id: 70 }, back]);
    assert!(harness.query_by_label("Put back").is_none());
}

#[test]
fn a_run_that_is_over_cannot_be_changed() {
    let mut harness = harness(sample::state(), [1000.0, 640.0]);
    harness.state_mut().panel.choice.choose(5);
    harness.run();
    for label in ["Pin", "Drop", "See what would be kept", "Apply"] {
        assert!(harness.get_by_label(label).accesskit_node().is_disabled(), "{label}");
    }
    harness.get_by_label(edits::NOT_ACTIVE);
    focus_dots(&mut harness);
    press(&mut harness, &[Key::Delete]);
    assert!(harness.state().sent().is_empty(), "nor is it watched");
    let toast = Action::Toast { level: Level::Info, message: edits::NOT_ACTIVE.into() };
    assert_eq!(harness.state().actions, [toast], "but the key says why");
    assert!(value_of(&harness, "Items as dots").starts_with("item 5,"));
}

#[test]
fn the_search_filters_and_says_how_many_are_left() {
    let mut harness = active();
    harness.get_by_label("500 of 500");
    harness.get_by_role_and_label(Role::TextInput, "Find").focus();
    harness.run();
    harness.get_by_role_and_label(Role::TextInput, "Find").type_text("FEE number 49");
    harness.run();
    harness.get_by_label("11 of 500");
    let ids: Vec<u64> = harness.state().panel.arrangement.rows.iter().map(|row| row.id).collect();
    assert_eq!(ids, [49, 490, 491, 492, 493, 494, 495, 496, 497, 498, 499]);
    click(&mut harness, "Pinned only");
    harness.get_by_label("0 of 500");
    click(&mut harness, "Show all");
    harness.get_by_label("500 of 500");
    choose(&mut harness, "Task", "law");
    harness.get_by_label("62 of 500");
}

#[test]
fn colour_and_order_are_chosen() {
    let mut harness = active();
    choose(&mut harness, "Colour by", "Loss, slow learner");
    choose(&mut harness, "Order", "Replay count");
    click(&mut harness, "Ascending");
    let panel = &harness.state().panel;
    assert_eq!(panel.look.reading, reading::Reading::LossSlow);
    let counts: Vec<u64> = panel.arrangement.rows.iter().map(|row| row.id % 7).collect();
    assert!(counts.is_sorted_by(|a, b| a >= b), "most replays first: the sample has id % 7 of them");
    harness.get_by_label("not measured yet (72 items)");
}

#[test]
fn the_preview_greys_what_would_go_and_apply_configures() {
    let mut harness = active();
    choose(&mut harness, "Policy", "ring");
    click(&mut harness, "See what would be kept");
    let (policy, capacity) = (ReplayPolicy::Ring, 500);
    assert_eq!(harness.state().sent().last(), Some(&Command::PreviewBuffer { policy, capacity }));
    harness.get_by_label("Waiting for the preview…");
    let preview = BufferPreview { policy, capacity, kept: (100..500).collect() };
    harness.state_mut().state.apply(Event::BufferPreviewed { run: 1, preview: Box::new(preview) }, 0.0);
    harness.run();
    harness.get_by_label("Ring of capacity 500: 400 of 500 items stay, 100 would go.");
    let panel = &harness.state().panel;
    assert!(panel.arrangement.rows.iter().all(|row| row.goes == (row.id < 100)));
    let shades: Vec<egui::Color32> = [99, 100].map(|place: usize| panel.arrangement.rows[place].colour).into();
    assert_eq!(shades, [Theme::faint(Theme::default().task(1), 0.2), Theme::default().task(1)]);
    click(&mut harness, "Apply");
    assert_eq!(harness.state().edits(), [BufferEdit::Configure { policy, capacity }]);
    assert!(harness.state().panel.arrangement.rows.iter().all(|row| !row.goes), "applied, not tried out");
}

#[test]
fn an_example_is_added_by_its_number() {
    let mut harness = active();
    click(&mut harness, "Add an example");
    choose(&mut harness, "From task", "science");
    harness.get_by_role_and_label(Role::SpinButton, "Example").set_value_accesskit(17.0);
    harness.run();
    click(&mut harness, "Add");
    assert_eq!(harness.state().edits(), [BufferEdit::Add { task: 3, example_index: 16 }]);
}

#[test]
fn cards_sort_by_their_headings_and_open_by_click_and_key() {
    let mut harness = active();
    click(&mut harness, "Cards");
    click(&mut harness, "Sort by loss, fast learner");
    click(&mut harness, "Sort by loss, fast learner");
    let first = harness.state().panel.arrangement.rows[0].id;
    assert_eq!(first % 23, 22, "the greatest loss of the sample comes first");
    let label = format!("Item {first}, {}: ", sample::TASKS[(first * 8 / 500) as usize]);
    harness.get_by_label_contains(&label).click();
    harness.run();
    harness.get_by_label(&format!("Item {first}"));
    press(&mut harness, &[Key::ArrowDown, Key::PageDown]);
    let chosen = harness.state().panel.choice.id.expect("an item is chosen");
    let place = harness.state().panel.arrangement.place(chosen).expect("it is shown");
    assert!(place > 5, "{place}");
    harness.get_by_label(&format!("Item {chosen}"));
    assert!(harness.query_all_by_role(Role::ListItem).count() < 40, "only visible lines are made");
}

#[test]
fn a_map_is_asked_for_and_says_what_it_lacks() {
    let mut state = going_on();
    state.runs[1].buffer.map = None;
    let mut harness = harness(state, [1000.0, 640.0]);
    click(&mut harness, "Map");
    click(&mut harness, "Compute map");
    assert_eq!(harness.state().sent().last(), Some(&Command::MapBuffer));
    harness.get_by_label("Computing the map…");
    harness.state_mut().state.apply(Event::BufferMapped { run: 1, map: Box::new(sample::map(450)) }, 0.0);
    harness.run();
    assert!(harness.query_by_label("Computing the map…").is_none());
    harness.get_by_label("50 items have come since and cannot be shown.");
    harness.get_by_label("Items on the map");
    harness.get_by_label("Compute map again");
}

#[test]
fn shares_are_told_in_numbers_too() {
    let mut harness = active();
    click(&mut harness, "Shares");
    harness.get_by_label("Items of each task over the steps");
    harness.get_by_label("Even share: 12.5 %");
    assert_eq!(harness.query_all_by_label("12.6 %").count(), 4);
}

#[test]
fn empty_states_say_what_to_do() {
    let mut none = harness(AppState::default(), [700.0, 500.0]);
    click(&mut none, "Watch it forget");
    assert_eq!(none.state().actions, [Action::WatchItForget]);

    let mut plain = sample::state();
    plain.selected = Some(0);
    let mut plain = harness(plain, [700.0, 500.0]);
    plain.get_by_label_contains("Methods that replay: ER, I-LoRA.");
    click(&mut plain, "Look at I-LoRA, seed 1");
    assert_eq!(plain.state().actions, [Action::Select(1)]);

    let mut empty = going_on();
    empty.runs[1].buffer = crate::ui::state::buffer::BufferView::default();
    let mut empty = harness(empty, [700.0, 500.0]);
    empty.get_by_label("The buffer is still empty");
    assert_eq!(empty.state().sent(), [Command::WatchBuffer { on: true }], "it is watched from its first item on");
    empty.state_mut().state.apply(Event::Stopped { run: 1, step: 3 }, 0.0);
    empty.run();
    click(&mut empty, "Read the run's folder");
    let read = Command::OpenRuns { run: 1, folder: "runs/i_lora-seed1".into() };
    assert_eq!(empty.state().sent().last(), Some(&read));
}

#[test]
fn ten_thousand_items_cost_few_shapes_and_are_arranged_once() {
    let mut state = going_on();
    state.runs[1].buffer.apply(sample::buffer(10_000, 601));
    state.runs[1].buffer.map = Some(sample::map(10_000));
    let mut harness = harness(state, [1000.0, 640.0]);
    let version = harness.state().panel.arrangement.version;
    for view in ["Dots", "Map", "Cards"] {
        click(&mut harness, view);
        harness.run_steps(3);
        let shapes = harness.output().shapes.len();
        let nodes = harness.root().children_recursive().count();
        assert!(shapes < 700 && nodes < 300, "{view}: {shapes} shapes, {nodes} widgets");
    }
    assert_eq!(harness.state().panel.arrangement.version, version, "nothing changed, nothing is arranged");
    let change = BufferChange { step: 602, removed: vec![0], ..BufferChange::default() };
    harness.state_mut().state.apply(Event::BufferChanged { run: 1, change: Box::new(change) }, 0.0);
    harness.run_steps(3);
    assert_eq!(harness.state().panel.arrangement.version, version + 1);
}

#[test]
fn a_small_panel_folds_its_controls_away() {
    let mut harness = harness(going_on(), [360.0, 300.0]);
    assert!(harness.query_by_label("Pinned only").is_none());
    click(&mut harness, "Colour, order and filters");
    harness.get_by_label("Pinned only");
    harness.get_by_label("Items as dots");
}
