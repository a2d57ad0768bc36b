//! The sentences beside the table: how its numbers are to be read, and what is wrong with the comparison.

use std::collections::BTreeSet;

use super::Summary;
use super::seeds::Finished;
use crate::engine::race::record::{RaceEntry, RaceRecord};
use crate::engine::race::statistics::smallest_p;

/// How often a 95 % interval of so many seeds covers the true mean of normal data, in percent; measured by the test of
/// `statistics` that draws races at random.
const COVERAGE: [(usize, u32); 6] = [(3, 76), (4, 80), (5, 84), (6, 86), (8, 88), (10, 91)];

/// How the numbers come about, and how far they can be trusted.
pub(super) fn reading(summary: &Summary) -> Vec<String> {
    let seeds = summary.rows().map(|row| row.seeds).max().unwrap_or(0);
    let mut sentences = Vec::new();
    match seeds {
        0 => return sentences,
        1 => sentences.push("One seed: no intervals and no tests. A difference between rows may be chance.".to_owned()),
        _ => {
            let mut sentence = format!("Means over {seeds} seeds");
            if summary.rows().any(|row| row.runs > row.seeds) {
                sentence.push_str(
                    "; the runs of one seed in several orders of the tasks share their data and the initial adapter, so they \
                     are averaged first and the seed is what counts",
                );
            }
            sentence.push_str(
                ". In brackets the 95 % interval of the mean: percentile bootstrap over seeds, 10,000 resamples.",
            );
            if seeds == 2 {
                sentence.push_str(" Of two seeds that is no more than the two values.");
            } else if let Some((_, covered)) = COVERAGE.iter().rev().find(|(n, _)| *n <= seeds)
                && seeds <= 10
            {
                sentence.push_str(&format!(
                    " With so few seeds it is too narrow: of normal data it would cover the true mean in about {covered} % of races."
                ));
            }
            sentences.push(sentence);
        }
    }
    let compared: Vec<usize> = summary.rows().filter_map(|row| Some(row.difference?.difference.n)).collect();
    let pairs = compared.iter().copied().max().unwrap_or(0);
    if let Some(reference) = summary.reference.as_ref().filter(|_| pairs > 1) {
        let smallest = smallest_p(pairs);
        let shown = if smallest < 0.001 { "0.001".to_owned() } else { format!("{smallest:.4}") };
        let mut sentence = format!(
            "Difference: average accuracy less that of {reference}, seed by seed. p: two-sided sign-flip test of these \
             differences, not corrected for there being {} comparisons. ",
            compared.len()
        );
        if smallest > 0.05 {
            sentence.push_str(&format!(
                "With {pairs} seeds p cannot be smaller than {shown}, so no difference can fall below 0.05 here, whatever \
                 its size: that takes 6 seeds."
            ));
        } else if smallest >= 0.001 {
            sentence.push_str(&format!("With {pairs} seeds p cannot be smaller than {shown}."));
        }
        sentences.push(sentence.trim_end().to_owned());
    }
    sentences
}

/// What makes rows less comparable than they look.
pub(super) fn warnings(record: &RaceRecord, finished: &Finished<'_>) -> Vec<String> {
    let mut sentences = Vec::new();
    if let Some(label) = record.reference.as_ref().filter(|label| finished.variant(label).entries.is_empty()) {
        sentences.push(format!("The reference {label} has no finished run, so there are no differences to it."));
    }
    if !finished.aside.is_empty() {
        let names: Vec<String> = finished.aside.iter().map(|entry| run_name(entry)).collect();
        sentences.push(format!(
            "Left out, because they are on other tasks than most runs: {}. Delete their folders and race again.",
            names.join("; ")
        ));
    }
    let planned: BTreeSet<(u64, &str)> = finished.raced().places();
    for label in &finished.variants {
        let found = finished.variant(label).places();
        let missing: Vec<String> =
            planned.difference(&found).map(|(seed, order)| format!("seed {seed} {order}")).collect();
        if !found.is_empty() && !missing.is_empty() {
            sentences.push(format!(
                "{label} lacks {} of {} runs ({}): its means are over the others, its differences over the runs that both have.",
                missing.len(),
                planned.len(),
                missing.join(", ")
            ));
        }
    }
    let unfinished: Vec<&str> =
        finished.variants.iter().copied().filter(|label| finished.variant(label).entries.is_empty()).collect();
    if !unfinished.is_empty() {
        sentences.push(format!("Without a finished run: {}.", unfinished.join(", ")));
    }
    for (what, of, consequence) in [
        ("devices", (|entry| &entry.report.device) as fn(&RaceEntry) -> &String, "times and memory cannot be compared"),
        ("models", |entry| &entry.report.model, "scores cannot be compared"),
        ("versions of the program", |entry| &entry.report.version, "the same settings may mean different things"),
    ] {
        let different: BTreeSet<&String> = finished.kept.iter().map(|entry| of(entry)).collect();
        if different.len() > 1 {
            let names: Vec<&str> = different.into_iter().map(String::as_str).collect();
            sentences.push(format!("The runs had different {what} ({}): {consequence}.", names.join("; ")));
        }
    }
    sentences
}

fn run_name(entry: &RaceEntry) -> String {
    format!("{}, seed {}, {}", entry.variant, entry.seed, entry.order)
}
