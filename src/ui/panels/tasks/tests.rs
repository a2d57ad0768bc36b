//! The panel driven by the names of its controls: what is pushed, and what is shown.

use super::*;
use crate::data::check::LabelCount;
use crate::engine::config::TaskDetails;
use crate::engine::protocol::cards::TaskProblem;
use crate::ui::action::{Action, Purpose};
use crate::ui::sample;
use crate::ui::state::AppState;
use egui::{Key, Vec2, pos2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable as _};
use std::path::{Path, PathBuf};

/// What a test looks at: the state, the panel, and the actions that were pushed and not looked at yet.
struct Bench {
    state: AppState,
    panel: TasksPanel,
    actions: Vec<Action>,
}

fn bench(state: AppState) -> Harness<'static, Bench> {
    let mut harness = Harness::builder().with_size(Vec2::new(560.0, 1400.0)).build_ui_state(
        |ui, bench: &mut Bench| {
            let (theme, known) = (Theme::default(), bench.actions.len());
            let mut context =
                Context { state: &bench.state, theme: &theme, actions: &mut bench.actions, now_secs: 0.0 };
            bench.panel.show(ui, &mut context);
            // As the frame does it.
            for action in bench.actions.iter().skip(known) {
                if let Action::Edit { what, draft } = action {
                    bench.state.draft.edit(what, (**draft).clone());
                }
            }
        },
        Bench { state, panel: TasksPanel::default(), actions: Vec::new() },
    );
    harness.run();
    harness
}

/// A state whose draft has these tasks.
fn state_with(tasks: Vec<TaskConfig>) -> AppState {
    let mut state = sample::state();
    let mut draft = state.draft.config.clone();
    draft.tasks = tasks;
    state.draft.edit("tasks", draft);
    state
}

fn builtin(names: &[&str]) -> Vec<TaskConfig> {
    names.iter().map(|name| TaskConfig::Source(format!("builtin:{name}"))).collect()
}

fn sources(harness: &Harness<'_, Bench>) -> Vec<String> {
    let tasks = &harness.state().state.draft.config.tasks;
    tasks.iter().map(|task| source(task).trim_start_matches("builtin:").to_string()).collect()
}

fn click(harness: &mut Harness<'_, Bench>, label: &str) {
    harness.get_by_label(label).click();
    harness.run();
}

const PATH: &str = "/data/reviews.csv";

/// A file that cannot be read yet, with what was found in it.
fn file_state(problem: TaskProblem) -> AppState {
    let mut state = state_with(vec![TaskConfig::Source(PATH.into())]);
    let id = task_id(&state.draft.config.tasks[0], &state.draft.config);
    state.tasks.insert(id, Err(problem));
    state
}

fn unknown_columns() -> TaskProblem {
    TaskProblem {
        message: "cannot tell which columns are the prompt and the answer.".into(),
        lines: Vec::new(),
        columns: vec!["review_text".into(), "stars".into()],
    }
}

#[test]
fn tasks_move_up_and_down_by_buttons() {
    let mut harness = bench(state_with(builtin(&["stance", "law", "medicine"])));
    click(&mut harness, "Move down stance");
    assert_eq!(sources(&harness), ["law", "stance", "medicine"]);
    click(&mut harness, "Move up medicine");
    assert_eq!(sources(&harness), ["law", "medicine", "stance"]);
    assert!(harness.get_by_label("Move up law").accesskit_node().is_disabled());
    assert!(harness.get_by_label("Move down stance").accesskit_node().is_disabled());
    harness.state_mut().state.draft.undo();
    assert_eq!(sources(&harness), ["law", "stance", "medicine"], "each task's moves are undone by themselves");
}

#[test]
fn a_card_is_dragged_to_another_place() {
    let mut harness = bench(state_with(builtin(&["stance", "law", "medicine"])));
    let grip = harness.get_by_label("Drag stance to another place").rect().center();
    let below = harness.get_by_label("Details of medicine").rect().center() + Vec2::new(0.0, 200.0);
    harness.drag_at(grip);
    harness.run_steps(2);
    for step in 1..=4_u8 {
        harness.hover_at(grip + (below - grip) * (f32::from(step) / 4.0));
        harness.run_steps(1);
    }
    assert!(harness.state().actions.is_empty(), "nothing moves before it is let go");
    harness.drop_at(below);
    harness.run_steps(2);
    assert_eq!(sources(&harness), ["law", "medicine", "stance"]);
}

#[test]
fn tasks_are_added_and_removed() {
    let mut harness = bench(state_with(builtin(&["law"])));
    click(&mut harness, "Add task");
    assert!(harness.query_by_label("law").is_none(), "what is in the list is not offered again");
    click(&mut harness, "summary");
    assert_eq!(sources(&harness), ["law", "summary"]);
    click(&mut harness, "Remove law");
    assert_eq!(sources(&harness), ["summary"]);
    click(&mut harness, "All eight built-in tasks");
    assert_eq!(sources(&harness).len(), 8);
    assert_eq!(sources(&harness)[0], "summary", "what was there keeps its place");
    click(&mut harness, "Remove all");
    assert!(sources(&harness).is_empty());
    harness.state_mut().state.draft.undo();
    assert_eq!(sources(&harness).len(), 8);
}

#[test]
fn without_tasks_the_panel_offers_some() {
    let mut harness = bench(state_with(Vec::new()));
    harness.get_by_label("No tasks yet");
    click(&mut harness, "All eight built-in tasks");
    assert_eq!(sources(&harness), sample::TASKS);
}

/// A file as the window system hands it over.
#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        Err("not asked for".into())
    }
}

#[test]
fn files_come_by_dialogue_and_by_dropping() {
    let mut harness = bench(state_with(builtin(&["law"])));
    click(&mut harness, "Add files…");
    assert_eq!(harness.state_mut().actions.pop(), Some(Action::Open(Purpose::TaskFiles)));
    for path in ["/data/a.JSONL", "/data/run.thalweg", "/data/b.parquet", "/data/a.JSONL"] {
        let file: egui::DroppedFileHandle = std::sync::Arc::new(Dropped(path.into()));
        harness.input_mut().dropped_files.push(file);
    }
    harness.run();
    assert_eq!(sources(&harness), ["law", "/data/a.JSONL", "/data/b.parquet"]);
}

#[test]
fn what_is_known_of_the_tasks_is_summed_up() {
    let mut state = state_with(builtin(&["stance", "law", "medicine"]));
    let id = task_id(&state.draft.config.tasks[2], &state.draft.config);
    state.tasks.remove(&id);
    let harness = bench(state);
    harness.get_by_label("3 tasks, 800 examples to train on, 200 scored, mean chance 50 %, 1 being read.");
    harness.get_by_label("Reading…");
    assert_eq!(
        harness.get_all_by_label("400 to train on, 100 scored by accuracy (likelihood), chance 50 %").count(),
        2
    );
    assert!(harness.query_by_label_contains("Lengths of law: 18 to 40 tokens").is_some());
}

#[test]
fn an_open_card_shows_examples_with_their_loss_mask() {
    let mut state = state_with(builtin(&["stance"]));
    let id = task_id(&state.draft.config.tasks[0], &state.draft.config);
    let mut card = sample::task_card("stance");
    card.preview[1].tokens[6].text = " no".into();
    state.tasks.insert(id, Ok(card));
    let mut harness = bench(state);
    assert!(harness.query_by_label_contains("Trained on").is_none());
    click(&mut harness, "Details of stance");
    harness.get_by_label("Read only:  stance: the fee is fair. Trained on:  yes</s>.");
    assert!(harness.get_by_label("Previous example of stance").accesskit_node().is_disabled());
    click(&mut harness, "Next example of stance");
    harness.get_by_label("Example 2 of 6");
    harness.get_by_label("Read only:  stance: the fee is fair. Trained on:  no</s>.");
    click(&mut harness, "Copy");
    assert_eq!(harness.state().actions.last(), Some(&Action::Copy(" stance: the fee is fair no</s>".into())));
    click(&mut harness, "Details of stance");
    assert!(harness.query_by_label_contains("Trained on").is_none());
}

#[test]
fn every_wrong_line_is_listed() {
    let lines: Vec<(usize, String)> =
        (0..200).map(|index| (index * 3 + 2, "the answer is empty".to_string())).collect();
    let mut harness = bench(file_state(TaskProblem { lines, ..unknown_columns() }));
    harness.get_by_label("200 lines are wrong: open the card to see them.");
    harness.get_by_label("1 task. One cannot be read and would keep a run from starting.");
    click(&mut harness, "Details of reviews.csv");
    harness.get_by_label("line 2");
    harness.get_by_label("line 5");
    assert!(harness.query_by_label("line 599").is_none(), "only the lines in sight are drawn");
    click(&mut harness, "Copy the list");
    let Some(Action::Copy(text)) = harness.state().actions.last() else { panic!("nothing copied") };
    assert!(text.starts_with("line 2: the answer is empty\nline 5:") && text.lines().count() == 200);
}

fn details_of(harness: &Harness<'_, Bench>) -> TaskDetails {
    match &harness.state().state.draft.config.tasks[0] {
        TaskConfig::Details(details) => details.clone(),
        TaskConfig::Source(source) => TaskDetails { source: source.clone(), ..TaskDetails::default() },
    }
}

#[test]
fn columns_are_mapped_by_hand() {
    let mut harness = bench(file_state(unknown_columns()));
    harness.get_by_label("Open the card to choose the columns.");
    click(&mut harness, "Details of reviews.csv");
    click(&mut harness, "Answer column");
    click(&mut harness, "stars");
    assert_eq!(details_of(&harness).answer.as_deref(), Some("stars"));
    // The file is being read anew; its columns are still known.
    harness.get_by_label("Reading…");
    click(&mut harness, "Prompt column");
    click(&mut harness, "review_text");
    assert_eq!(details_of(&harness).prompt.as_deref(), Some("review_text"));
    click(&mut harness, "Scored by");
    click(&mut harness, "exact match");
    assert_eq!(details_of(&harness).metric, Some(crate::data::task::Metric::ExactMatch));
    click(&mut harness, "Read the file as it is");
    assert_eq!(harness.state().state.draft.config.tasks, [TaskConfig::Source(PATH.into())]);
}

#[test]
fn a_template_counts_when_its_field_is_left() {
    let mut harness = bench(file_state(unknown_columns()));
    click(&mut harness, "Details of reviews.csv");
    harness.get_by_label("A template may hold {review_text}, {stars}.");
    harness.get_by_label("Prompt template").focus();
    harness.run();
    harness.get_by_label("Prompt template").type_text("Text: {review_text}");
    harness.run();
    assert_eq!(details_of(&harness).template, None, "a file is not read anew at each letter");
    harness.get_by_label("Labels, one a line").focus();
    harness.run();
    assert_eq!(details_of(&harness).template.as_deref(), Some("Text: {review_text}"));
    harness.get_by_label("Labels, one a line").type_text(" up \n\ndown");
    harness.run();
    // Closing the card leaves the field too.
    click(&mut harness, "Details of reviews.csv");
    assert_eq!(details_of(&harness).labels, Some(vec!["up".into(), "down".into()]));
    click(&mut harness, "Details of reviews.csv");
    harness.get_by_label("Longest answer").focus();
    harness.run();
    harness.get_by_label("Longest answer").type_text("12x");
    harness.run();
    harness.get_by_label("Type a whole number of at least 1, or nothing.");
    harness.key_press(Key::Backspace);
    harness.run();
    harness.get_by_label("Name").focus();
    harness.run();
    assert_eq!(details_of(&harness).max_new_tokens, Some(12));
    harness.get_by_label("Name").type_text("Reviews");
    harness.key_press(Key::Enter);
    harness.run();
    assert_eq!(details_of(&harness).name.as_deref(), Some("Reviews"));
    harness.get_by_label("Details of Reviews");
}

#[test]
fn how_much_is_read_is_a_setting() {
    let mut harness = bench(sample::state());
    let title = "Train on all, score 200, up to 256 tokens";
    click(&mut harness, title);
    let field = harness.get_by_label("Training examples a task");
    field.focus();
    harness.run();
    harness.key_combination_modifiers(egui::Modifiers::COMMAND, &[Key::A]);
    harness.get_by_label("Training examples a task").type_text("64");
    harness.run();
    assert_eq!(harness.state().state.draft.config.training.max_train_examples, 64);
    harness.get_by_label("Train on 64, score 200, up to 256 tokens");
    assert_eq!(harness.get_all_by_label("Reading…").count(), 8, "other examples are other cards");
}

/// Everything that has a name and reaches beyond the right edge of a panel of this width.
fn beyond(harness: &Harness<'_, Bench>, width: f64) -> Vec<String> {
    let nodes: Vec<_> = harness.root().children_recursive().collect();
    let named = nodes.iter().map(NodeT::accesskit_node).filter_map(|node| Some((node.label()?, node.bounding_box()?)));
    named.filter(|(_, area)| area.x1 > width + 0.5).map(|(label, area)| format!("{label}: to {}", area.x1)).collect()
}

#[test]
fn nothing_is_cut_off_on_the_right() {
    // 180 points are a panel of 360 pixels at twice the size of text.
    for width in [180.0_f32, 280.0, 360.0, 600.0] {
        let mut state = state_with(builtin(&["stance"]));
        let id = task_id(&state.draft.config.tasks[0], &state.draft.config);
        let mut card = sample::task_card("stance");
        card.labels = ["yes", "a label that is much longer than labels should be, but there it is"]
            .map(|label| LabelCount { label: label.into(), train: 1200, eval: 500 })
            .to_vec();
        (card.cut, card.warnings) =
            (3, vec!["A remark that goes on for longer than the card is wide, and then some.".into()]);
        state.tasks.insert(id, Ok(card));
        let mut draft = state.draft.config.clone();
        draft.tasks.push(TaskConfig::Source("/data/a-file-with-a-name-of-some-length-that-does-not-fit.csv".into()));
        let lines = vec![(3, "malformed JSON at column 12: expected a comma or a brace, and a long tale".to_string())];
        state.tasks.insert(task_id(&draft.tasks[1], &draft), Err(TaskProblem { lines, ..unknown_columns() }));
        state.draft.edit("file", draft);
        let mut harness = bench(state);
        harness.set_size(Vec2::new(width, 2400.0));
        harness.run();
        for label in ["Details of stance", "Details of a-file-with-a-name-of-some-length-that-does-not-fit.csv"] {
            click(&mut harness, label);
        }
        click(&mut harness, "Train on all, score 200, up to 256 tokens");
        assert_eq!(beyond(&harness, width.into()), Vec::<String>::new(), "at {width}");
    }
}

#[test]
fn a_long_list_stays_within_its_panel() {
    let mut state = sample::state();
    let mut draft = state.draft.config.clone();
    draft.tasks = (0..40).map(|index| TaskConfig::Source(format!("/data/file-{index}.csv"))).collect();
    state.draft.edit("tasks", draft);
    let mut harness = bench(state);
    harness.set_size(Vec2::new(360.0, 300.0));
    harness.run();
    let summary = harness.get_by_label_contains("40 tasks").rect();
    assert!(summary.bottom() <= 300.0 && summary.right() <= 360.0 && summary.left() >= pos2(0.0, 0.0).x, "{summary:?}");
}
