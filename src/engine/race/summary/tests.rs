//! The table against numbers worked out by hand.

use super::*;
use crate::engine::race::record::{RaceEntry, sample};
use crate::engine::race::statistics::Interval;
use crate::engine::report::{LearnerReport, StepReport};

/// A run of two tasks; `scores` are a(1,1), a(2,1), a(2,2), and what is above the diagonal is the zero-shot score 0.25.
fn entry(variant: &str, method: &str, (seed, order): (u64, &str), scores: [f64; 3]) -> RaceEntry {
    let mut matrix = AccuracyMatrix::new(2);
    for (after, task, score) in [(0, 0, scores[0]), (0, 1, 0.25), (1, 0, scores[1]), (1, 1, scores[2])] {
        matrix.set_score(after, task, score);
        matrix.set_zero_shot(task, 0.25);
    }
    let task =
        |name: &str| TaskSummary { name: name.into(), chance: 0.125, zero_shot: Some(0.25), ..TaskSummary::default() };
    let mut tasks = vec![task("law"), task("stance")];
    if order == "reversed" {
        tasks.reverse();
    }
    let report = RunReport {
        method: method.into(),
        tasks,
        learners: vec![LearnerReport { name: "model".into(), matrix, curve: vec![] }],
        steps: vec![StepReport { step: 10, ..StepReport::default() }],
        train_secs: 1.0,
        eval_secs: f64::NAN,
        ..RunReport::default()
    };
    RaceEntry { variant: variant.into(), order: order.into(), seed, sweep: None, report }
}

fn race(reference: &str, variants: &[&str], entries: Vec<RaceEntry>) -> RaceRecord {
    RaceRecord {
        reference: Some(reference.into()),
        variants: variants.iter().map(ToString::to_string).collect(),
        entries,
        ..RaceRecord::default()
    }
}

fn row<'s>(summary: &'s Summary, name: &str) -> &'s Row {
    summary.rows().find(|row| row.name() == name).unwrap_or_else(|| panic!("no row {name}"))
}

#[track_caller]
fn close(found: Option<Estimate>, mean: f64, n: usize) {
    let found = found.expect("the number is defined");
    assert!((found.mean - mean).abs() < 1e-12 && found.n == n, "found {found:?}, expected {mean} over {n}");
}

#[test]
fn orders_of_a_seed_are_averaged_before_seeds_are() {
    let summary = table(&race(
        "ER",
        &["ER"],
        vec![
            entry("ER", "er", (1, "given"), [0.5, 0.25, 0.75]),
            entry("ER", "er", (1, "reversed"), [0.75, 0.5, 1.0]),
            entry("ER", "er", (2, "given"), [1.0, 1.0, 0.5]),
        ],
    ));
    let er = row(&summary, "ER");
    assert_eq!((er.runs, er.seeds), (3, 2));
    // seed 1: 0.5 and 0.75, seed 2: 0.75; three runs taken alike would give 0.667
    close(er.metrics[ACCURACY], f64::midpoint(0.625, 0.75), 2);
    close(er.metrics[1], -0.125, 2);
    close(er.metrics[2], 0.0, 2);
    close(er.metrics[FORGETTING], 0.125, 2);
    close(er.metrics[PLASTICITY], f64::midpoint(f64::midpoint(0.625, 0.875), 0.75), 2);
    assert_eq!(er.metrics[ACCURACY].unwrap().interval, Some(Interval { low: 0.625, high: 0.75 }), "the two seeds");
    close(summary.chance, 0.125, 2);
    close(summary.zero_shot, 0.25, 2);
    assert_eq!(er.difference, None, "it is the reference");
    assert!(summary.reading[0].starts_with("Means over 2 seeds; the runs of one seed in several orders"));
}

#[test]
fn differences_are_taken_where_both_have_a_run() {
    let mut entries = vec![
        entry("ER", "er", (1, "given"), [1.0, 0.5, 0.5]),
        entry("ER", "er", (2, "given"), [1.0, 0.25, 0.25]),
        entry("ER", "er", (2, "reversed"), [1.0, 1.0, 1.0]),
        entry("I-LoRA", "i_lora", (1, "given"), [1.0, 0.75, 0.75]),
        entry("I-LoRA", "i_lora", (2, "given"), [1.0, 0.75, 0.75]),
        entry("I-LoRA", "i_lora", (3, "given"), [1.0, 0.0, 0.0]),
    ];
    let summary = table(&race("I-LoRA", &["I-LoRA", "ER"], entries.clone()));
    let difference = row(&summary, "ER").difference.unwrap();
    close(Some(difference.difference), f64::midpoint(-0.25, -0.5), 2);
    assert_eq!(difference.p, Some(0.5), "two seeds of one sign");
    assert!(summary.warnings[0].starts_with("I-LoRA lacks 1 of 4 runs (seed 2 reversed)"), "{:?}", summary.warnings);
    assert!(summary.warnings[1].starts_with("ER lacks 1 of 4 runs (seed 3 given)"), "{:?}", summary.warnings);
    // without a common run there is no difference, and no number is made up
    entries.retain(|entry| entry.variant == "ER" || entry.seed == 3);
    let summary = table(&race("I-LoRA", &["I-LoRA", "ER"], entries));
    assert_eq!(row(&summary, "ER").difference, None);
}

#[test]
fn runs_on_other_tasks_are_left_out_and_named() {
    let mut other = entry("ER", "er", (2, "given"), [0.0, 0.0, 0.0]);
    other.report.tasks[0].name = "medicine".into();
    let good = entry("ER", "er", (1, "given"), [0.5, 0.5, 0.5]);
    let turned = entry("ER", "er", (1, "reversed"), [0.5, 0.5, 0.5]);
    let summary = table(&race("ER", &["ER"], vec![other, good, turned]));
    close(row(&summary, "ER").metrics[ACCURACY], 0.5, 1);
    assert!(summary.warnings.iter().any(|text| text.contains("on other tasks than most runs: ER, seed 2, given.")));
}

#[test]
fn a_missing_score_makes_its_seed_missing_and_is_told() {
    let summary = table(&race(
        "",
        &["ER"],
        vec![
            entry("ER", "er", (1, "given"), [0.5, 0.5, 0.5]),
            entry("ER", "er", (2, "given"), [0.5, f64::NAN, 0.75]),
            entry("ER", "er", (3, "given"), [0.5, f64::NAN, 0.25]),
        ],
    ));
    let er = row(&summary, "ER");
    close(er.metrics[ACCURACY], 0.5, 1);
    close(er.metrics[PLASTICITY], 0.5, 3);
    assert!(summary.to_markdown().contains("| ER | 50.0, n = 1 |"), "{}", summary.to_markdown());
    let cost = er.cost.as_ref().unwrap();
    assert_eq!(
        (cost.eval_secs, cost.step_ratio, cost.peak_memory_bytes),
        (None, None, None),
        "nothing to compare with"
    );
    close(cost.secs_per_step, 0.1, 3);
}

#[test]
fn costs_are_compared_with_plain_training_run_by_run() {
    let mut entries = Vec::new();
    for (seed, secs, times, bytes) in [(1, 2.0, 3.0, 100), (2, 4.0, 5.0, 200)] {
        for (label, method, factor, memory) in [("Seq", "seq", 1.0, 1), ("GEM", "gem", times, 3)] {
            let mut entry = entry(label, method, (seed, "given"), [0.5; 3]);
            (entry.report.train_secs, entry.report.peak_memory_bytes) = (secs * factor, Some(bytes * memory));
            entry.report.trainable_parameters = 8 * seed;
            entries.push(entry);
        }
    }
    let summary = table(&race("Seq", &["GEM", "Seq"], entries));
    assert_eq!(summary.yardstick.as_deref(), Some("Seq"));
    let cost = row(&summary, "GEM").cost.clone().unwrap();
    close(cost.step_ratio, 4.0, 2);
    close(cost.memory_ratio, 3.0, 2);
    close(cost.train_secs, 13.0, 2);
    close(cost.secs_per_step, 1.3, 2);
    close(cost.peak_memory_bytes, 450.0, 2);
    assert_eq!((cost.steps, cost.trainable_parameters), (Some(10), 16));
    close(row(&summary, "Seq").cost.clone().unwrap().step_ratio, 1.0, 2);
}

#[test]
fn methods_of_different_standing_stand_apart_and_learners_below_their_method() {
    let summary = table(&sample::race());
    let names: Vec<(Standing, Vec<String>)> =
        summary.groups.iter().map(|group| (group.standing, group.rows.iter().map(Row::name).collect())).collect();
    let names: Vec<(Standing, Vec<&str>)> =
        names.iter().map(|(standing, names)| (*standing, names.iter().map(String::as_str).collect())).collect();
    assert_eq!(
        names,
        [
            (Standing::Continual, vec!["Seq", "ER", "I-LoRA, slow learner", "I-LoRA, fast learner"]),
            (Standing::TaskAware, vec!["ONE"]),
            (Standing::Bound, vec!["Zero-shot", "MTL"]),
        ]
    );
    let [slow, fast] = ["I-LoRA, slow learner", "I-LoRA, fast learner"].map(|name| row(&summary, name));
    assert!(slow.headline && slow.cost.is_some() && slow.difference.is_none());
    assert!(!fast.headline && fast.cost.is_none());
    let (slow, fast) = (slow.metrics[ACCURACY].unwrap().mean, (fast.metrics[ACCURACY].unwrap().mean, fast.difference));
    assert!((fast.1.unwrap().difference.mean - (fast.0 - slow)).abs() < 1e-12, "all runs are there, so means subtract");
    // joint training has no row but the last, so nothing of a stream is defined
    let mtl = row(&summary, "MTL");
    assert!(mtl.metrics[ACCURACY].is_some() && mtl.metrics[1..].iter().all(Option::is_none));
    assert_eq!(standing("a method of a later version"), Standing::Continual);
}

#[test]
fn the_best_is_sought_among_continual_methods_only() {
    let entries = vec![
        entry("Seq", "seq", (1, "given"), [1.0, 0.25, 0.5]),
        entry("ER", "er", (1, "given"), [0.75, 0.5, 0.5004]),
        entry("ONE", "one", (1, "given"), [1.0, 1.0, 1.0]),
    ];
    let summary = table(&race("ER", &["Seq", "ER", "ONE"], entries));
    // accuracy 0.5002 rounds to 0.5; forward transfer is the same for both, so none is best
    assert_eq!(summary.best(), [Some(0.5), Some(-0.25), None, Some(0.25), Some(0.75)]);
    assert_eq!(table(&race("ER", &["ER"], vec![entry("ER", "er", (1, "given"), [1.0; 3])])).best(), [None; 5]);
}

#[test]
fn markdown_has_all_numbers_and_says_how_to_read_them() {
    let mut entries = Vec::new();
    for (seed, shift) in [(1, 0.0), (2, 0.125)] {
        entries.push(entry("Seq | a_b", "seq", (seed, "given"), [1.0, 0.25 + shift, 0.5]));
        entries.push(entry("I-LoRA", "i_lora", (seed, "given"), [0.75, 0.75, 0.75]));
    }
    let mut joint = entry("MTL", "mtl", (1, "given"), [f64::NAN, 0.875, 0.875]);
    joint.report.steps.clear();
    joint.report.learners[0].matrix.set_score(0, 1, f64::NAN); // joint training has only its last row
    entries.push(joint);
    let text = table(&race("I-LoRA", &["Seq | a_b", "I-LoRA", "MTL"], entries)).to_markdown();
    let lines: Vec<&str> = text.lines().collect();
    let expected = [
        "|  | average accuracy, % | backward transfer, points | forward transfer, points | forgetting, points | plasticity, % | \
         difference to I-LoRA, points | p | training | step time, × of Seq \\| a\\_b | memory, × of Seq \\| a\\_b |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
        "| chance | 12.5 |  |  |  |  |  |  |  |  |  |",
        "| zero-shot | 25.0 |  |  |  |  |  |  |  |  |  |",
        "| **One model for all tasks** |  |  |  |  |  |  |  |  |  |  |",
        "| Seq \\| a\\_b | 40.6 [37.5, 43.8] | −68.8 [−75.0, −62.5] | 0.0 [0.0, 0.0] | 68.8 [62.5, 75.0] | 75.0 [75.0, 75.0] | \
         −34.4 [−37.5, −31.3] | 0.500 | 1.0 s | 1.00 | – |",
        "| I-LoRA (reference) | **75.0 [75.0, 75.0]** | **0.0 [0.0, 0.0]** | 0.0 [0.0, 0.0] | **0.0 [0.0, 0.0]** | 75.0 [75.0, 75.0] | \
         – | – | 1.0 s | 1.00 | – |",
        "| **Bounds** |  |  |  |  |  |  |  |  |  |  |",
        "| MTL | 87.5 | – | – | – | – | +12.5 | – | 1.0 s | – | – |",
        "",
    ];
    for (found, expected) in lines.iter().zip(expected) {
        assert_eq!(*found, expected);
    }
    for part in [
        "One model for all tasks: Not told at test time",
        "Means over 2 seeds. In brackets the 95 % interval",
        "not corrected for there being 2 comparisons. With 2 seeds p cannot be smaller than 0.5000, so no difference",
        "MTL lacks 1 of 2 runs (seed 2 given)",
    ] {
        assert!(lines[10].contains(part), "{part} is not in {}", lines[10]);
    }
    assert_eq!(lines.len(), 11);
}

#[test]
fn the_terminal_gets_rows_that_fit_their_heading() {
    let summary = table(&sample::race());
    let (heading, lines) = summary.terminal();
    assert_eq!(heading.len(), 13);
    assert!(lines.iter().all(|cells| cells.len() <= heading.len()));
    let names: Vec<&str> = lines.iter().map(|cells| cells[0].as_str()).collect();
    assert_eq!(names[..4], ["chance", "zero-shot", "One model for all tasks:", "  Seq"]);
    let slow = lines.iter().find(|cells| cells[0].contains("slow learner *")).unwrap();
    let accuracy = row(&summary, "I-LoRA, slow learner").metrics[ACCURACY].unwrap();
    assert_eq!(slow[1], format!("{:.1}", accuracy.mean * 100.0));
    assert_eq!((slow[7].as_str(), slow[9].as_str(), slow[11].as_str()), ("–", "–", "2.60"));
    // without a reference there is nothing to differ from
    let alone = table(&RaceRecord { reference: None, ..sample::race() });
    assert_eq!(alone.terminal().0.len(), 10);
    assert!(!alone.to_markdown().contains("difference to"));
}

#[test]
fn what_cannot_be_known_is_said() {
    let empty = table(&RaceRecord::default());
    assert_eq!((empty.groups.len(), empty.reading.len(), empty.warnings.len()), (0, 0, 0));
    assert!(empty.to_markdown().lines().count() >= 4, "the head and the two floors, with dashes");

    let one = table(&race("Seq", &["Seq", "ER"], vec![entry("ER", "er", (1, "given"), [0.5; 3])]));
    assert!(one.reading[0].starts_with("One seed: no intervals and no tests."));
    let er = row(&one, "ER");
    assert_eq!(er.metrics[ACCURACY].unwrap().interval, None);
    assert!(one.warnings.iter().any(|text| text.contains("The reference Seq has no finished run")));
    assert!(one.warnings.iter().any(|text| text == "Without a finished run: Seq."));
    let seq = row(&one, "Seq");
    assert_eq!((seq.runs, seq.metrics, &seq.cost), (0, [None; 5], &None));

    let of_seeds = |seeds: u64| {
        let entries = (1..=seeds).flat_map(|seed| {
            [("Seq", "seq", 0.5), ("ER", "er", 0.75)]
                .map(|(label, method, score)| entry(label, method, (seed, "given"), [score; 3]))
        });
        table(&race("ER", &["Seq", "ER"], entries.collect())).reading.join(" ")
    };
    let (two, five, six, twelve) = (of_seeds(2), of_seeds(5), of_seeds(6), of_seeds(12));
    assert!(two.contains("no more than the two values"), "{two}");
    assert!(
        five.contains("about 84 % of races")
            && five.contains("smaller than 0.0625, so no difference can fall below 0.05"),
        "{five}"
    );
    assert!(
        six.contains("about 86 % of races")
            && six.contains("cannot be smaller than 0.0312.")
            && !six.contains("below 0.05"),
        "{six}"
    );
    assert!(!twelve.contains("too narrow") && !twelve.contains("cannot be smaller"), "{twelve}");

    let mut mixed = race("ER", &["ER"], vec![entry("ER", "er", (1, "given"), [0.5; 3]); 2]);
    (mixed.entries[0].report.device, mixed.entries[1].report.device) = ("cpu".into(), "gpu".into());
    assert!(table(&mixed).warnings[0].contains("different devices (cpu; gpu)"));
}
