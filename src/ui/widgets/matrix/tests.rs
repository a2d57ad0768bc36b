//! The matrix says what was measured, by its colours, its words and its text, and answers clicks and keys.

use super::geometry::Geometry;
use super::reading::{Row, Scores};
use super::*;
use egui::{Key, pos2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

const NAMES: [&str; 3] = ["stance", "finance", "law & <order>"];

/// Two of three tasks learnt; the first fell from 0.9 to 0.4.
fn matrix() -> AccuracyMatrix {
    let mut matrix = AccuracyMatrix::new(3);
    for task in 0..3 {
        matrix.set_chance(task, 0.25);
        matrix.set_zero_shot(task, 0.2);
    }
    for (row, scores) in [[0.9, 0.3, 0.1], [0.4, 0.8, 0.2]].into_iter().enumerate() {
        for (task, score) in scores.into_iter().enumerate() {
            matrix.set_score(row, task, score);
        }
    }
    matrix
}

#[test]
fn numbers_are_written_with_their_units_and_never_made_up() {
    let written = |matrix: &AccuracyMatrix| NUMBERS.map(|number| number.written((number.read)(matrix)));
    assert_eq!(written(&matrix()), ["60.0 %", "\u{2212}50.0 points", "50.0 points", "+10.0 points", "85.0 %"]);
    let mut one = AccuracyMatrix::new(3);
    assert!(NUMBERS.iter().all(|number| number.reason(&one) == Some("no task has been learnt and scored yet")));
    one.set_score(0, 0, 0.5);
    let reasons = NUMBERS.map(|number| number.reason(&one).unwrap_or("there"));
    let two = "it needs two learnt tasks";
    assert_eq!(reasons, ["there", two, two, two, "there"]);
    let mut last_only = AccuracyMatrix::new(2);
    last_only.set_score(1, 0, 0.9);
    last_only.set_score(1, 1, 0.8);
    assert_eq!(NUMBERS[1].reason(&last_only), Some("a score that it needs was not measured"));
    assert_eq!((signed(-0.000_4, 1), signed(0.0, 0), signed(-0.004, 0)), ("0.0".into(), "0".into(), "0".into()));
    assert_eq!((signed(0.126, 1), signed(-0.126, 0)), ("+12.6".into(), "\u{2212}13".into()));
}

#[test]
fn a_loss_is_bad_news_and_rounding_is_none() {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let [average, backward, forgetting, forward, _] = NUMBERS;
    assert_eq!(backward.verdict(-0.2), Less);
    assert_eq!(forgetting.verdict(0.2), Less, "forgetting is better small");
    assert_eq!((forward.verdict(0.1), forward.verdict(0.000_1)), (Greater, Equal));
    assert_eq!(average.verdict(0.1), Equal, "a score is neither good nor bad by itself");
}

#[test]
fn cells_tell_learnt_from_ahead_from_unmeasured() {
    let (matrix, theme) = (matrix(), Theme::default());
    let scores = Scores { matrix: &matrix, live: None, names: &NAMES };
    let look = |mode, row, task| scores.look(mode, Row::After(row), task, None, &theme);
    let (learnt, fallen, ahead) =
        (look(MatrixMode::Score, 0, 0), look(MatrixMode::Score, 1, 0), look(MatrixMode::Score, 0, 1));
    assert_eq!((learnt.text.as_str(), fallen.text.as_str(), ahead.text.as_str()), ("90", "40", "30"));
    assert_eq!((learnt.fill, fallen.fill), (theme.heat(Some(0.9)), theme.heat(Some(0.4))));
    assert!(ahead.quiet && ahead.fill != theme.heat(Some(0.3)), "quieter than the same score of a learnt task");
    let empty = look(MatrixMode::Score, 2, 0);
    assert!(empty.text.is_empty() && empty.unmeasured && empty.bar.is_none());
    assert_eq!(look(MatrixMode::SinceLearnt, 1, 0).text, "\u{2212}50");
    assert_eq!(look(MatrixMode::SinceLearnt, 1, 1).text, "0");
    let before = look(MatrixMode::SinceLearnt, 0, 1);
    assert!(before.text.is_empty() && !before.unmeasured, "measured, but nothing was learnt that could change");
    assert_eq!(look(MatrixMode::AboveChance, 1, 2).text, "\u{2212}5");
    for mode in MatrixMode::ALL {
        let look = look(mode, 1, 0);
        assert_eq!(look.ink, Theme::on(look.fill), "{mode:?}: readable");
    }
}

#[test]
fn a_live_row_is_marked_until_the_full_scores_come() {
    let (matrix, theme) = (matrix(), Theme::default());
    let subset = [Some(0.35), None, Some(f64::NAN)];
    let live = LiveRow { row: 2, scores: &subset, going: true };
    let scores = Scores { matrix: &matrix, live: Some(live), names: &NAMES };
    assert_eq!(scores.look(MatrixMode::Score, Row::After(2), 0, None, &theme).text, "~35");
    assert_eq!(scores.look(MatrixMode::SinceLearnt, Row::After(2), 0, None, &theme).text, "\u{2212}55");
    for task in 1..3 {
        assert!(scores.look(MatrixMode::Score, Row::After(2), task, None, &theme).unmeasured, "task {task}");
    }
    assert!(scores.words(Row::After(2), 0)[1].starts_with("About 35 %, on a subset"));
    let over = LiveRow { row: 1, ..live };
    let scores = Scores { live: Some(over), ..scores };
    assert_eq!(scores.score(Row::After(1), 0), (Some(0.4), false), "the full score stands above the subset's");
}

#[test]
fn words_say_what_happened_to_a_cell() {
    let matrix = matrix();
    let view = MatrixView::new("Seq", &matrix, &NAMES);
    assert_eq!(
        view.words(1, 0),
        [
            "stance, after learning finance",
            "Score 40 %.",
            "90 % when it was learnt: 50 points less since.",
            "Chance 25 %, untrained model 20 %."
        ]
    );
    assert_eq!(view.words(0, 1)[2], "Not learnt yet: 10 points more against the untrained model.");
    assert_eq!(view.words(2, 2)[1], "Not measured.");
    assert_eq!(view.words(7, 9)[0], "task 10, after learning task 8", "places outside are named and do no harm");
}

#[test]
fn text_has_columns_of_equal_width_and_the_numbers() {
    let text = matrix_text(&matrix(), &NAMES);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 6 + NUMBERS.len());
    assert_eq!(lines[1], "chance                 25.0     25.0           25.0");
    assert_eq!(lines[4], "after finance          40.0     80.0           20.0");
    assert!(lines[5].ends_with('\u{2013}'), "{text}");
    assert!(text.contains("backward transfer: \u{2212}50.0 points"));
}

#[test]
fn a_picture_is_whole_and_its_names_are_escaped() {
    let svg = captioned_matrix_svg(&matrix(), &NAMES, "I-LoRA, seed 1\nthalweg run \"a\" & b", &Theme::default());
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    assert!(svg.contains("law &amp; &lt;order&gt;") && svg.contains("thalweg run &quot;a&quot; &amp; b"));
    assert!(!svg.contains("<order>"));
    for tag in ["text", "title"] {
        assert_eq!(svg.matches(&format!("<{tag}")).count(), svg.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    let cells = svg.matches("rx=\"3\"").count();
    assert_eq!(cells, 4 * 3, "a row for the untrained model and one for each task");
    let heat = Theme::default().heat(Some(0.9)).to_array();
    assert!(svg.contains(&format!("fill=\"#{:02x}{:02x}{:02x}\"", heat[0], heat[1], heat[2])));
    assert!(matrix_svg(&AccuracyMatrix::new(0), &[], &Theme::default()).ends_with("</svg>\n"));
}

#[test]
fn every_cell_is_found_where_it_is_drawn_at_any_width() {
    let mut harness = Harness::new_ui(|ui| {
        for tasks in [1, 3, 30] {
            let matrix = AccuracyMatrix::new(tasks);
            let scores = Scores { matrix: &matrix, live: None, names: &NAMES };
            for width in [120.0, 360.0, 2_000.0] {
                ui.set_max_width(width);
                let geometry = Geometry::measure(ui, &scores, false);
                let at = pos2(10.0, 20.0);
                for row in scores.rows() {
                    for task in 0..tasks {
                        let centre = geometry.cell(at, row, task).center();
                        assert_eq!(geometry.cell_at(at, centre), Some((row, task)), "{tasks} tasks, {width} wide");
                    }
                }
                assert_eq!(geometry.cell_at(at, at), None, "a name is no cell");
                assert_eq!(geometry.cell_at(at, at + geometry.size() + egui::vec2(1.0, 1.0)), None);
            }
        }
    });
    harness.run();
}

fn shown() -> Harness<'static, Vec<MatrixAnswer>> {
    let matrix = matrix();
    Harness::builder().with_size([500.0, 300.0]).build_ui_state(
        move |ui, answers: &mut Vec<MatrixAnswer>| {
            let answer = MatrixView::new("Seq", &matrix, &NAMES).show(ui, &Theme::default());
            answers.push(answer);
        },
        Vec::new(),
    )
}

#[test]
fn rows_are_chosen_by_keyboard_and_cells_by_pointer() {
    let mut harness = shown();
    harness.run();
    harness.get_by_label("After finance, Seq").focus();
    harness.run();
    harness.key_press(Key::Enter);
    harness.run();
    let clicked = |harness: &mut Harness<'_, Vec<MatrixAnswer>>| -> Vec<(usize, usize)> {
        std::mem::take(harness.state_mut()).into_iter().filter_map(|answer| answer.clicked).collect()
    };
    assert_eq!(clicked(&mut harness), [(1, 1)]);
    let cells = harness.get_by_label_contains("Accuracy matrix, Seq: 2 of 3 tasks learnt").rect();
    let column = cells.width() / 3.0;
    // The second row from below is the one after the second task.
    let height = (cells.height() - 5.0) / 4.0;
    let second_row_first_task = pos2(cells.left() + column / 2.0, cells.bottom() - 1.5 * height);
    harness.drag_at(second_row_first_task);
    harness.drop_at(second_row_first_task);
    harness.run();
    assert_eq!(clicked(&mut harness), [(1, 0)]);
    let untrained = pos2(cells.left() + column / 2.0, cells.top() + height / 2.0);
    harness.drag_at(untrained);
    harness.drop_at(untrained);
    harness.run();
    assert_eq!(clicked(&mut harness), [], "the untrained model has no adapter");
}

#[test]
fn a_right_click_copies_the_text() {
    let mut harness = shown();
    harness.run();
    harness.get_by_label_contains("average accuracy 60.0 %, backward transfer \u{2212}50.0 points").click_secondary();
    harness.run();
    harness.get_by_label("Copy as text").click();
    harness.run();
    let copied: Vec<String> = harness.state().iter().filter_map(|answer| answer.copied.clone()).collect();
    assert_eq!(copied, [matrix_text(&matrix(), &NAMES)]);
}
