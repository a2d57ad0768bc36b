//! Snapshots of small tables, and checks of widths and colours.

use super::*;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn matrix(rows: &[&[f64]]) -> AccuracyMatrix {
    let mut matrix = AccuracyMatrix::new(rows.len());
    for (i, row) in rows.iter().enumerate() {
        row.iter().enumerate().for_each(|(j, score)| matrix.set_score(i, j, *score));
        matrix.set_chance(i, 0.5);
        matrix.set_zero_shot(i, 0.25);
    }
    matrix
}

fn forgetful() -> AccuracyMatrix {
    matrix(&[&[0.95, 0.5, 0.0], &[0.4, 1.0, 0.125], &[0.2, 1.0, 0.875]])
}

/// What stays on screen: the text without colour codes.
fn visible(text: &str) -> String {
    let mut visible = String::new();
    let mut parts = text.split('\u{1b}');
    visible.push_str(parts.next().unwrap());
    for part in parts {
        visible.push_str(part.split_once('m').unwrap().1);
    }
    visible
}

fn widest(text: &str) -> usize {
    visible(text).lines().map(|line| line.chars().count()).max().unwrap()
}

#[test]
fn a_matrix_with_floors_change_and_summary() {
    let tasks = names(&["stance", "sms_spam", "law"]);
    let table = matrix_table(TitledMatrix { title: "Seq", matrix: &forgetful(), tasks: &tasks }, 80, ColorMode::Plain);
    let expected = "\
Seq
             stance sms_sp    law
chance         50.0   50.0   50.0
zero-shot      25.0   25.0   25.0
1 stance       95.0   50.0    0.0
2 sms_spam     40.0  100.0   12.5
3 law          20.0  100.0   87.5
since learnt  ▼75.0      =
average accuracy     69.2 %
backward transfer   -37.5 points
forgetting           37.5 points
";
    assert_eq!(table, expected);
}

#[test]
fn two_stand_side_by_side_where_there_is_room() {
    let tasks = names(&["stance", "finance"]);
    let seq = matrix(&[&[0.9, 0.5], &[0.3, 0.8]]);
    let ilora = matrix(&[&[0.88, 0.5], &[0.9, 0.75]]);
    let left = TitledMatrix { title: "Seq", matrix: &seq, tasks: &tasks };
    let right = TitledMatrix { title: "I-LoRA (slow)", matrix: &ilora, tasks: &tasks };
    let both = matrix_tables(left, right, 80, ColorMode::Plain);
    let expected = "\
Seq                                 I-LoRA (slow)
             stance financ                       stance financ
chance         50.0   50.0          chance         50.0   50.0
zero-shot      25.0   25.0          zero-shot      25.0   25.0
1 stance       90.0   50.0          1 stance       88.0   50.0
2 finance      30.0   80.0          2 finance      90.0   75.0
since learnt  ▼60.0                 since learnt   ▲2.0
average accuracy     55.0 %         average accuracy     82.5 %
backward transfer   -60.0 points    backward transfer    +2.0 points
forgetting           60.0 points    forgetting            0.0 points
";
    assert_eq!(both, expected);
    let stacked = matrix_tables(left, right, 50, ColorMode::Plain);
    assert_eq!(stacked, matrix_table(left, 50, ColorMode::Plain) + "\n" + &matrix_table(right, 50, ColorMode::Plain));
}

#[test]
fn eight_tasks_fit_eighty_columns_and_two_fit_a_wide_terminal() {
    let tasks = names(&["stance", "finance", "summary", "science", "arithmetic", "simplify", "medicine", "law"]);
    let eight = matrix(&[&[0.5; 8][..]; 8]);
    let titled = TitledMatrix { title: "Seq", matrix: &eight, tasks: &tasks };
    for color in [ColorMode::Plain, ColorMode::Palette, ColorMode::Full] {
        assert!(widest(&matrix_table(titled, 80, color)) <= 80);
        let wide = matrix_tables(titled, titled, 120, color);
        assert!((100..=120).contains(&widest(&wide)), "{}", widest(&wide));
        assert!(!visible(&wide).contains("50.0  "), "whole percents were needed");
        for width in [40, 34] {
            let narrow = matrix_tables(titled, titled, width, color);
            assert!(widest(&narrow) <= width, "{} at {width}", widest(&narrow));
            assert_eq!(visible(&narrow).matches("zero-shot").count(), 2 * 8_usize.div_ceil((width - 12) / 5));
        }
    }
}

#[test]
fn colours_change_nothing_but_the_colours() {
    let tasks = names(&["a", "b", "c"]);
    let m = forgetful();
    let titled = TitledMatrix { title: "Seq", matrix: &m, tasks: &tasks };
    let plain = matrix_tables(titled, titled, 100, ColorMode::Plain);
    assert!(!plain.contains('\u{1b}'));
    for color in [ColorMode::Palette, ColorMode::Full] {
        let coloured = matrix_tables(titled, titled, 100, color);
        assert!(coloured.contains('\u{1b}'));
        let trimmed: String = visible(&coloured).lines().map(|line| line.trim_end().to_owned() + "\n").collect();
        assert_eq!(trimmed, plain);
    }
    let full = matrix_table(titled, 80, ColorMode::Full);
    assert!(full.contains("\u{1b}[1;38;2;230;110;40m ▼75.0\u{1b}[0m"), "a loss is vermilion: {full:?}");
}

#[test]
fn one_task_a_stopped_run_and_nothing_at_all() {
    let tasks = names(&["law"]);
    let one =
        matrix_table(TitledMatrix { title: "x", matrix: &matrix(&[&[0.5]]), tasks: &tasks }, 80, ColorMode::Plain);
    assert!(one.contains("backward transfer       - points") && !one.contains("since learnt"), "{one}");
    let mut stopped = AccuracyMatrix::new(3);
    stopped.set_score(0, 0, 0.5);
    let text = matrix_table(TitledMatrix { title: "x", matrix: &stopped, tasks: &[] }, 80, ColorMode::Plain);
    assert!(text.contains("\n1              50.0      -      -\n"), "{text}");
    let empty = TitledMatrix { title: "x", matrix: &AccuracyMatrix::new(0), tasks: &[] };
    assert!(matrix_tables(empty, empty, 0, ColorMode::Full).contains("average accuracy"));
}

#[test]
fn abbreviated_names_stay_different() {
    let tasks = names(&["question_a", "question_b", "law"]);
    assert_eq!(abbreviations(&tasks, 4, 6), ["quest1", "quest2", "law", "4"]);
    assert_eq!(abbreviations(&names(&["übung"]), 1, 3), ["übu"]);
}

#[test]
fn colours_follow_the_environment() {
    use ColorMode::{Full, Palette, Plain};
    assert_eq!(ColorMode::choose(false, None, Some("xterm"), Some("truecolor")), Plain);
    assert_eq!(ColorMode::choose(true, Some("1"), Some("xterm"), Some("truecolor")), Plain);
    assert_eq!(ColorMode::choose(true, None, Some("dumb"), None), Plain);
    assert_eq!(ColorMode::choose(true, Some(""), Some("xterm"), Some("truecolor")), Full);
    assert_eq!(ColorMode::choose(true, None, Some("xterm-256color"), None), Palette);
}
