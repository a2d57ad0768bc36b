//! The page on a made-up comparison, on broken numbers and on hostile text. The comparison is also written to
//! `target/tmp/report-example.html` to look at.

use std::collections::BTreeMap;

use super::super::report::{BufferSummary, CurvePoint, LearnerReport, RunReport, StepReport, TaskSummary};
use super::render;
use crate::continual::metrics::AccuracyMatrix;

const TASKS: [&str; 8] = ["stance", "finance", "summary", "science", "arithmetic", "simplify", "medicine", "law"];
const CHANCE: [f64; 8] = [0.33, 0.33, 0.0, 0.25, 0.0, 0.0, 0.5, 0.25];

/// What is left of a task's score after `since` further tasks.
fn score(task: usize, since: usize, kept: f64) -> f64 {
    let since = i32::try_from(since).unwrap();
    let learnt = 0.95 - 0.02 * f64::from(u32::try_from(task % 3).unwrap());
    CHANCE[task] + (learnt - CHANCE[task]) * kept.powi(since)
}

fn learner(name: &str, kept: f64) -> LearnerReport {
    let mut matrix = AccuracyMatrix::new(8);
    let mut curve = vec![CurvePoint { step: 0, task_scores: CHANCE.map(Some).to_vec() }];
    for (after, own_chance) in CHANCE.into_iter().enumerate() {
        for (task, chance) in CHANCE.into_iter().enumerate() {
            let now = if task <= after { score(task, after - task, kept) } else { chance + 0.03 };
            matrix.set_score(after, task, now);
        }
        matrix.set_chance(after, own_chance);
        matrix.set_zero_shot(after, own_chance + 0.02);
        let scores = (0..8).map(|task| matrix.score(after, task)).collect();
        curve.push(CurvePoint { step: (after as u64 + 1) * 150, task_scores: scores });
    }
    LearnerReport { name: name.into(), matrix, curve }
}

#[allow(clippy::cast_precision_loss)] // small made-up numbers
fn run(method: &str, label: &str, learners: Vec<LearnerReport>, headline: usize, replay: bool) -> RunReport {
    // a small linear congruential generator: the page only has to look like a run
    let mut state = 12_345_u32;
    let mut noise = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1_u32 << 24) as f32
    };
    let steps = (1..=1200_u64).map(|step| {
        let task_step = (step - 1) % 150 + 1;
        let task = 0.08 + 3.0 * (-(task_step as f32) / 30.0).exp() * (0.7 + 0.6 * noise());
        let mut losses = vec![("total".to_owned(), task), ("task".to_owned(), task)];
        if replay && step > 150 {
            let (old, consistency) = (0.2 + 0.3 * noise(), 2e-4 * (1.0 + noise()));
            losses[0].1 = 0.5 * task + 0.5 * old + consistency;
            losses.extend([("replay".to_owned(), old), ("consistency".to_owned(), consistency)]);
        }
        StepReport {
            step,
            task: usize::try_from((step - 1) / 150).unwrap(),
            task_step,
            task_steps: 150,
            losses,
            learning_rate: 3e-3 * (1.0 - task_step as f64 / 160.0),
            gradient_norm: 0.5 + noise(),
            tokens: 512,
            tokens_per_sec: 21_000.0,
            secs_per_step: 0.024,
            buffer_len: 200,
            learner_distance: replay.then_some(0.4 + 0.2 * (task_step as f32 / 150.0)),
            diagnostics: vec![],
        }
    });
    let tasks = TASKS.iter().zip(CHANCE).map(|(name, chance)| TaskSummary {
        name: (*name).into(),
        title: format!("Built-in {name} task"),
        metric: if chance > 0.0 { "choice_likelihood" } else { "exact_match" }.into(),
        chance,
        zero_shot: Some(chance + 0.02),
        train: 1200,
        eval: 200,
        source: "builtin".into(),
    });
    let setting = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    RunReport {
        title: "Eight built-in tasks: sequential training against I-LoRA".into(),
        method: method.into(),
        method_label: label.into(),
        seed: 7,
        device: "cpu (2 threads)".into(),
        model: "demo, 1.6 M parameters".into(),
        tasks: tasks.collect(),
        learners,
        headline,
        steps: steps.collect(),
        train_secs: if replay { 42.4 } else { 31.0 },
        eval_secs: 9.5,
        total_tokens: 614_400,
        peak_memory_bytes: Some(327_155_712),
        trainable_parameters: 36_864,
        settings: vec![
            setting("method", method),
            setting("learning_rate", "0.003"),
            setting("rank", "8"),
            setting("buffer.capacity", if replay { "200" } else { "0" }),
            setting("lambda", if replay { "half-life 80 steps" } else { "-" }),
        ],
        command: format!("thalweg run --preset demo --method {method} --seed 7"),
        version: "0.1.0".into(),
        started_unix: 1_795_228_860,
        buffer: replay.then(|| BufferSummary {
            capacity: 200,
            len: 200,
            n_seen: 9600,
            shares: vec![0.12, 0.13, 0.11, 0.14, 0.125, 0.125, 0.12, 0.13],
        }),
        warnings: if replay { vec![] } else { vec!["Task `summary` was cut to 64 tokens in 12 examples.".into()] },
    }
}

fn comparison() -> Vec<RunReport> {
    vec![
        run("seq", "Seq", vec![learner("model", 0.55)], 0, false),
        run("i_lora", "I-LoRA", vec![learner("working", 0.9), learner("long_term", 0.97)], 1, true),
    ]
}

/// Walks the tags: each must be closed, in order. Returns how often each was opened.
pub(in crate::engine) fn tag_counts(html: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let end = rest.find('>').expect("a tag is closed by >");
        let tag = &rest[..end];
        rest = &rest[end + 1..];
        assert!(!tag.contains('<'), "a stray < before {tag}");
        if tag.starts_with('!') {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed in the wrong order");
            continue;
        }
        let name = tag.split(|c: char| c.is_whitespace() || c == '/').next().unwrap();
        assert!(
            name.chars().all(|c| c.is_ascii_alphanumeric()) && tag.matches('"').count().is_multiple_of(2),
            "bad tag <{tag}>"
        );
        *counts.entry(name.to_owned()).or_insert(0) += 1;
        if name == "meta" || tag.ends_with('/') {
            continue;
        }
        open.push(name);
        if matches!(name, "style" | "script") {
            rest = &rest[rest.find(&format!("</{name}>")).expect("style and script are closed")..];
        }
    }
    assert_eq!(open, [""; 0], "left open");
    counts
}

#[test]
fn a_comparison_shows_all_its_parts_in_one_file() {
    let runs = comparison();
    let html = render(&runs);
    let folder = crate::platform::checkout().join("target/tmp");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("report-example.html"), &html).unwrap();

    let counts = tag_counts(&html);
    assert_eq!((counts["h1"], counts["script"], counts["style"]), (1, 1, 1));
    assert_eq!(html.matches("class=\"matrix").count(), 3, "one matrix a learner");
    // kept, averages; per run loss, learning rate, gradient; scores of three learners; one distance
    assert_eq!(counts["svg"], 2 + 2 * 3 + 3 + 1);
    for outside in ["http://", "https://", "url(", "@import", "src=", "<link"] {
        let allowed = html.matches("http://www.w3.org/2000/svg").count();
        let found = html.matches(outside).count();
        assert_eq!(found, if outside == "http://" { allowed } else { 0 }, "the page points outside with {outside}");
    }
    assert!(!html.contains("NaN") && html.len() < 700_000, "{} bytes", html.len());
}

#[test]
fn numbers_on_the_page_are_those_of_the_matrix() {
    let runs = comparison();
    let html = render(&runs);
    let slow = &runs[1].learners[1].matrix;
    let average = format!("{:.1}", slow.average_accuracy().unwrap() * 100.0);
    assert!(html.contains(&format!("I-LoRA ends at {average} % average accuracy")));
    assert!(html.contains(&format!("<span class=\"best\">{average}</span>")));
    let lost = slow.change_since_learnt(0).unwrap();
    assert!(html.contains(&format!("<td class=\"down\">▼{:.1}</td>", -lost * 100.0)));
    let cell = format!(
        "<td class=\"a\" style=\"--s:{:.4};--p:{:.4}\" title=\"stance after training law: {:.1} %, −{:.1} points since it was learnt\">",
        slow.score(7, 0).unwrap(),
        slow.score(0, 0).unwrap(),
        slow.score(7, 0).unwrap() * 100.0,
        -lost * 100.0
    );
    assert!(html.contains(&cell), "{cell}");
    assert!(html.contains("2026-11-21 02:41 UTC") && html.contains("--method i_lora --seed 7"));
    let differing = html.split("What differs").nth(1).unwrap().split("</table>").next().unwrap();
    assert!(differing.contains("buffer.capacity") && !differing.contains("learning_rate"));
}

#[test]
fn hostile_text_stays_text() {
    let bad = "</script><img src=x onerror=\"alert('1')\">&\u{0}";
    let mut runs = comparison();
    for run in &mut runs {
        for text in [
            &mut run.title,
            &mut run.method,
            &mut run.method_label,
            &mut run.device,
            &mut run.model,
            &mut run.command,
            &mut run.version,
        ] {
            *text = bad.into();
        }
        for task in &mut run.tasks {
            (task.name, task.title, task.metric, task.source) = (bad.into(), bad.into(), bad.into(), bad.into());
        }
        run.learners.iter_mut().for_each(|learner| learner.name = bad.into());
        run.steps.iter_mut().for_each(|step| {
            step.losses.push((bad.into(), 1.0));
            step.diagnostics.push((bad.into(), 1.0));
        });
        run.settings.push((bad.into(), format!("{bad}{}", run.seed)));
        run.warnings.push(bad.into());
    }
    runs[1].seed = 8;
    let html = render(&runs);
    let counts = tag_counts(&html);
    assert!(!counts.contains_key("img") && counts["script"] == 1, "markup got through");
    assert!(!html.contains("onerror=\"") && !html.contains('\u{0}'));
}

#[test]
fn broken_and_missing_numbers_are_left_out() {
    tag_counts(&render(&[]));
    tag_counts(&render(&[RunReport::default()]));
    let mut runs = comparison();
    let run = &mut runs[1];
    for step in &mut run.steps {
        step.losses.iter_mut().for_each(|loss| loss.1 = f32::NAN);
        (step.gradient_norm, step.learning_rate) = (f32::INFINITY, f64::NAN);
        step.learner_distance = Some(f32::NEG_INFINITY);
    }
    (run.train_secs, run.eval_secs, run.headline) = (f64::NAN, f64::INFINITY, 99);
    run.tasks[0].chance = f64::NAN;
    run.learners[0].curve[1].task_scores = vec![Some(f64::NAN), None];
    run.learners[1].matrix = AccuracyMatrix::new(3);
    run.buffer = Some(BufferSummary { shares: vec![f64::NAN, 0.0], ..BufferSummary::default() });
    runs[0].steps.truncate(1);
    let html = render(&runs);
    tag_counts(&html);
    assert!(!html.contains("NaN") && !html.contains(">inf"), "a number that is none reached the page");
}

#[test]
fn one_task_and_one_run_need_no_comparison() {
    let mut matrix = AccuracyMatrix::new(1);
    matrix.set_score(0, 0, 0.5);
    let one = RunReport {
        method_label: "Seq".into(),
        tasks: vec![TaskSummary { name: "law".into(), ..TaskSummary::default() }],
        learners: vec![LearnerReport { name: "model".into(), matrix, curve: vec![] }],
        ..RunReport::default()
    };
    let html = render(&[one]);
    tag_counts(&html);
    assert!(html.contains("Seq ends at 50.0 % average accuracy."), "no forgetting is told of one task");
    assert!(!html.contains("since learnt") && !html.contains("class=\"best\"") && !html.contains("<nav"));
}
