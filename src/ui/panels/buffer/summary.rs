//! The buffer in one line.

use super::reading::{grouped, tasks_seen};
use crate::continual::replay::ReplayPolicy;
use crate::ui::state::run::RunView;

/// A policy in one word.
pub fn policy_name(policy: ReplayPolicy) -> &'static str {
    match policy {
        ReplayPolicy::Reservoir => "reservoir",
        ReplayPolicy::Ring => "ring",
        ReplayPolicy::Balanced => "balanced",
    }
}

/// What it keeps, in one sentence.
pub fn policy_about(policy: ReplayPolicy) -> &'static str {
    match policy {
        ReplayPolicy::Reservoir => "Every example seen so far is kept with the same probability.",
        ReplayPolicy::Ring => "The latest examples are kept; the oldest goes first.",
        ReplayPolicy::Balanced => "Every task holds as many items, give or take one.",
    }
}

/// `[tasks]` items that each task seen so far holds.
pub fn counts(run: &RunView) -> Vec<usize> {
    let mut counts = run.buffer.shares.last().map(|(_, counts)| counts.clone()).unwrap_or_default();
    counts.resize(tasks_seen(run), 0);
    counts
}

/// Mean and standard deviation of the tasks' shares, in percent.
pub fn spread(counts: &[usize]) -> Option<(f64, f64)> {
    let all = counts.iter().sum::<usize>() as f64;
    if all == 0.0 {
        return None;
    }
    let mean = 100.0 / counts.len() as f64;
    let squares: f64 = counts.iter().map(|count| (*count as f64 / all * 100.0 - mean).powi(2)).sum();
    Some((mean, (squares / counts.len() as f64).sqrt()))
}

/// The whole line.
pub fn line(run: &RunView) -> String {
    let buffer = &run.buffer;
    let mut line = format!(
        "{} of {} items, {} examples seen, {}",
        grouped(buffer.items.len() as u64),
        grouped(buffer.capacity as u64),
        grouped(buffer.n_seen),
        policy_name(buffer.policy)
    );
    let counts = counts(run);
    match (spread(&counts), counts.len()) {
        (Some(_), 1) => line.push_str("; one task so far"),
        (Some((mean, deviation)), tasks) => {
            line.push_str(&format!("; {tasks} tasks: each {mean:.1} % ± {deviation:.1} %"));
        }
        (None, _) => {}
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::sample;

    #[test]
    fn the_line_names_every_number() {
        let state = sample::state();
        // The sample gives task k the ids with id * 8 / 500 == k: 63, 62, 63, 62, …
        assert_eq!(
            line(&state.runs[1]),
            "500 of 500 items, 1,000 examples seen, reservoir; 8 tasks: each 12.5 % ± 0.1 %"
        );
    }

    #[test]
    fn the_spread_is_that_of_the_shares() {
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[0, 0]), None);
        assert_eq!(spread(&[5, 5]), Some((50.0, 0.0)));
        assert_eq!(spread(&[3, 1]), Some((50.0, 25.0)));
        assert_eq!(spread(&[4, 0]), Some((50.0, 50.0)), "a task that lost all its items counts");
    }
}
