//! The page on made-up races, on broken ones and on hostile text. A large race is also written to
//! `target/tmp/race-example.html` to look at.

use super::render;
use crate::continual::metrics::AccuracyMatrix;
use crate::engine::race::record::{RaceRecord, sample};
use crate::engine::race::summary;
use crate::engine::report::StepReport;
use crate::engine::report_html::tests::tag_counts;

/// The part of the page under this heading.
fn part<'h>(html: &'h str, id: &str) -> &'h str {
    html.split(&format!("<h2 id=\"{id}\">")).nth(1).map_or("", |rest| rest.split("</section>").next().unwrap())
}

#[test]
fn a_large_race_shows_all_its_parts_in_one_file() {
    let html = render(&sample::large());
    let folder = crate::platform::checkout().join("target/tmp");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("race-example.html"), &html).unwrap();

    let counts = tag_counts(&html);
    assert_eq!((counts["h1"], counts["script"], counts["style"]), (1, 1, 1));
    // 16 methods in 3 orders; the reference's learner that counts, not both
    assert_eq!(html.matches("class=\"matrix").count(), 48);
    // means and differences, 8 tasks in 3 orders, 2 of the one sweep, 4 of the other
    assert_eq!(counts["svg"], 2 + 24 + 2 + 4);
    for outside in ["http://", "https://", "url(", "@import", "src=", "<link"] {
        let allowed = html.matches("http://www.w3.org/2000/svg").count();
        assert_eq!(html.matches(outside).count(), if outside == "http://" { allowed } else { 0 }, "{outside}");
    }
    assert!(!html.contains("NaN") && html.len() < 900_000, "{} bytes", html.len());
    let links = html.split("<a href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap());
    assert!(links.clone().count() == 10 && links.into_iter().all(|id| html.contains(&format!("id=\"{id}\""))));
    assert!(part(&html, "failed").contains("GEM, seed 4, reversed: the loss is not a number"));
    assert!(part(&html, "repeat").contains("<pre>thalweg race --preset builtin8 --jobs 2</pre>"));
}

#[test]
fn numbers_on_the_page_are_those_of_the_table() {
    let record = sample::race();
    let (html, table) = (render(&record), summary::table(&record));
    let results = part(&html, "results");
    for row in table.rows() {
        let accuracy = row.metrics[summary::ACCURACY].unwrap();
        let interval = accuracy.interval.unwrap();
        let [mean, low, high] =
            [accuracy.mean, interval.low, interval.high].map(|share| format!("{:.1}", share * 100.0));
        assert!(results.contains(&format!("{mean} % [{low}, {high}]</title>")), "{} has no dot", row.name());
        assert!(
            results.contains(&format!("<small>[{low}, {high}]</small>")),
            "{} has no interval in the table",
            row.name()
        );
    }
    for (name, floor) in [("chance", table.chance), ("zero-shot", table.zero_shot)] {
        let percent = format!("{:.1}", floor.unwrap().mean * 100.0);
        assert!(results.contains(&format!("<th scope=\"row\">{name}</th><td>{percent}</td>")));
        assert!(results.contains(&format!(">{name} {percent}</text>")), "the line at {name} has its name");
    }
    // three seeds cannot give less than a quarter
    assert!(results.contains("With 3 seeds p cannot be smaller than 0.2500"));
    let cost = part(&html, "cost");
    assert!(cost.contains("<td>2.60</td>") && cost.contains("× Seq") && cost.contains("<td>73\u{202f}728</td>"));
}

#[test]
fn matrices_and_curves_are_means_in_the_order_of_learning() {
    let record = sample::race();
    let html = render(&record);
    let of = |after: usize, task: usize| {
        let runs =
            record.entries.iter().filter(|it| it.variant == "Seq" && it.order == "reversed" && it.sweep.is_none());
        let scores: Vec<f64> = runs.map(|it| it.report.learners[0].matrix.score(after, task).unwrap()).collect();
        assert_eq!(scores.len(), 3, "three seeds");
        100.0 * scores.iter().sum::<f64>() / 3.0
    };
    let reversed = part(&html, "matrices").split("<h3>Order: reversed</h3>").nth(1).unwrap();
    assert!(reversed.contains("science → summary → finance → stance"));
    let seq = reversed.split("<caption>Seq</caption>").nth(1).unwrap().split("</table>").next().unwrap();
    let told = format!("title=\"science after training finance: {:.1} %", of(2, 0));
    assert!(seq.contains(&told), "{told}");
    // 60 to 256 stands for 0 to 4 tasks, 154 to 26 for 0 to 100 %
    let curve = part(&html, "curves").split("<h3>Order: reversed</h3>").nth(1).unwrap();
    let line = curve.split("data-name=\"Seq\" d=\"").nth(1).unwrap().split('"').next().unwrap();
    let height = |score: f64| 154.0 - 128.0 * score / 100.0;
    let expected = format!("M60.0 {:.1}L109.0 {:.1}L158.0 {:.1}", height(27.0), height(of(0, 0)), height(of(1, 0)));
    assert!(line.starts_with(&expected), "{line} does not start with {expected}");
}

#[test]
fn where_seeds_draw_the_order_places_are_averaged() {
    let html = render(&sample::large());
    let random = part(&html, "matrices").split("<h3>Order: random</h3>").nth(1).unwrap();
    assert!(random.contains("places in the stream") && random.contains("<th scope=\"row\">1 first</th>"));
    assert!(!random.contains("1 stance"), "no task has a place of its own");
}

#[test]
fn a_sweep_is_drawn_over_its_setting() {
    let record = sample::race();
    let html = render(&record);
    let sweeps = part(&html, "sweeps");
    let forgotten = record.entries.iter().filter_map(|entry| {
        entry.sweep.as_ref().filter(|point| point.values == ["30"])?;
        entry.report.headline_learner()?.matrix.forgetting()
    });
    let forgotten: Vec<f64> = forgotten.collect();
    assert_eq!(forgotten.len(), 3, "three seeds");
    let kept = format!("kept, half_life_steps 30: {:.1} % [", 100.0 - 100.0 * forgotten.iter().sum::<f64>() / 3.0);
    assert!(sweeps.contains(&kept), "{kept}");
    let (one, two) = sweeps.split_once("<h3>I-LoRA over learning rate and buffer</h3>").unwrap();
    for name in ["average accuracy", "plasticity", "kept"] {
        assert!(
            one.contains(&format!("<span>{name}</span>")) && one.contains(&format!("{name}, half_life_steps 300: ")),
            "{name}"
        );
    }
    // half-lives from 3 to 300 are more than 20 times apart: 30 lies in the middle, at (52 + 497) / 2
    assert!(one.contains("<text class=\"tick x\" x=\"274.5\" y=\"266.0\">30</text>"), "the axis is logarithmic");
    assert!(one.contains("keeps") && one.matches("class=\"spread").count() == 3, "three bands");
    assert!(two.contains("replay.capacity 800, training.learning_rate 0.01: ") && two.matches("<svg").count() == 4);
    assert_eq!(two.matches("<tr>").count(), 1 + 9, "all points of the grid are in the table");
}

#[test]
fn what_methods_report_of_themselves_is_told() {
    let mut record = sample::large();
    for entry in &mut record.entries {
        // a last step at which nobody asked
        entry.report.steps.push(StepReport { step: 321, ..StepReport::default() });
    }
    let html = render(&record);
    let acts = part(&html, "acts");
    assert!(acts.contains("<td>gradients projected</td><td class=\"n\">0.37</td><td class=\"n\">0.33 to 0.41</td>"));
    assert!(acts.contains("distance between the learners") && acts.contains("mean Fisher information"));
    assert!(!acts.contains("MTL"), "what reports nothing has no row");
}

#[test]
fn hostile_text_stays_text() {
    let bad = "</script><img src=x onerror=\"alert('1')\">&\u{0}";
    let mut record = sample::race();
    let named = |label: &str| format!("{bad}{label}");
    for text in [&mut record.title, &mut record.command, &mut record.version] {
        *text = bad.into();
    }
    record.reference = record.reference.map(|label| named(&label));
    record.failed.push(bad.into());
    record.variants.iter_mut().for_each(|label| *label = named(label));
    for sweep in &mut record.sweeps {
        (sweep.title, sweep.method) = (bad.into(), bad.into());
        sweep.settings.iter_mut().for_each(|name| *name = named(name));
    }
    for entry in &mut record.entries {
        (entry.variant, entry.order) = (named(&entry.variant), named(&entry.order));
        if let Some(point) = &mut entry.sweep {
            point.values.iter_mut().for_each(|value| *value = named(value));
        }
        let report = &mut entry.report;
        (report.model, report.device, report.version) = (bad.into(), named(&entry.seed.to_string()), bad.into());
        for task in &mut report.tasks {
            (task.name, task.title) = (named(&task.name), bad.into());
            (task.metric, task.source) = (bad.into(), bad.into());
        }
        report.learners.iter_mut().for_each(|learner| learner.name = named(&learner.name));
        report.steps.iter_mut().for_each(|step| step.diagnostics.push((bad.into(), 1.0)));
        report.settings.push((bad.into(), bad.into()));
        report.warnings.push(bad.into());
    }
    let html = render(&record);
    let counts = tag_counts(&html);
    assert!(!counts.contains_key("img") && counts["script"] == 1, "markup got through");
    assert!(!html.contains("onerror=\"") && !html.contains('\u{0}'));
    assert!(part(&html, "sweeps").matches("<svg").count() == 6, "values that are words have an axis too");
}

#[test]
fn races_that_are_empty_stopped_or_broken_have_a_page() {
    let empty = RaceRecord {
        failed: vec!["Seq, seed 1: killed".into()],
        command: "thalweg race x".into(),
        ..RaceRecord::default()
    };
    let html = render(&empty);
    tag_counts(&html);
    assert!(
        html.contains("nothing to compare yet")
            && html.contains("Seq, seed 1: killed")
            && html.contains("thalweg race x")
    );
    assert!(!html.contains("id=\"results\"") && !html.contains("href=\"#results\""), "no part without content");

    let mut one = sample::race();
    one.entries.retain(|entry| entry.seed == 1 && entry.sweep.is_none());
    let html = render(&one);
    tag_counts(&html);
    assert!(html.contains("One seed: no intervals and no tests.") && !html.contains("class=\"whisker"));
    assert!(!html.contains("id=\"sweeps\""));

    let mut broken = sample::race();
    for (index, entry) in broken.entries.iter_mut().enumerate() {
        let report = &mut entry.report;
        (report.train_secs, report.eval_secs, report.peak_memory_bytes) = (f64::NAN, f64::INFINITY, None);
        report.tasks[0].chance = f64::NAN;
        report.tasks[1].zero_shot = None;
        match index % 5 {
            0 => report.learners.clear(),
            1 => report.headline = 99,
            2 => report.learners[0].matrix = AccuracyMatrix::new(1),
            3 => report.steps.clear(),
            _ => {}
        }
        if let Some(point) = &mut entry.sweep {
            point.sweep = index % 3;
            point.values.truncate(index % 2);
        }
    }
    let html = render(&broken);
    tag_counts(&html);
    assert!(!html.contains("NaN") && !html.contains(">inf"), "a number that is none reached the page");

    let mut without = sample::race();
    without.entries.retain(|entry| entry.variant != "I-LoRA");
    let html = render(&without);
    tag_counts(&html);
    assert!(html.contains("The reference I-LoRA has no finished run") && !html.contains("Difference to"));
}

#[test]
fn a_race_on_one_task_has_no_curves() {
    let mut record = sample::race();
    record.sweeps.clear();
    record.entries.retain(|entry| entry.sweep.is_none() && entry.order == "given");
    for entry in &mut record.entries {
        entry.report.tasks.truncate(1);
        for learner in &mut entry.report.learners {
            let mut matrix = AccuracyMatrix::new(1);
            matrix.set_score(0, 0, 0.5 + 0.01 * entry.seed as f64);
            learner.matrix = matrix;
        }
    }
    let html = render(&record);
    tag_counts(&html);
    assert!(!html.contains("id=\"curves\"") && html.contains("52.0 % [51.0, 53.0]"));
}
