//! Figures of a run as people read them.

use crate::ui::state::run::{RunStatus, RunView};
use crate::ui::widgets::matrix::{NUMBERS, Number, signed};
use std::collections::HashMap;

/// `8.2 s`, `3 min 05 s`, `2 h 07 min`; a dash where it is not known.
pub fn duration(secs: f64) -> String {
    if !secs.is_finite() || secs < 0.0 {
        return "–".to_string();
    }
    let whole = secs.round() as u64;
    match whole {
        _ if secs < 59.95 => format!("{secs:.1} s"),
        0..3_600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3_600, whole % 3_600 / 60),
    }
}

/// Seconds that a run has trained, where it is known.
pub fn train_secs(run: &RunView) -> Option<f64> {
    // A run in progress has a report that does not count the time yet.
    let known = run.report.train_secs > 0.0 && run.report.train_secs.is_finite();
    known.then_some(run.report.train_secs)
}

/// How long it took, or how long it will.
pub fn time(run: &RunView) -> String {
    match (&run.status, run.eta_secs, train_secs(run)) {
        (RunStatus::Running | RunStatus::Paused, Some(left), _) => format!("{} left", duration(left)),
        (_, _, Some(secs)) => duration(secs),
        _ => "–".to_string(),
    }
}

/// One of the five numbers of the learner that the run is judged by.
pub fn number(run: &RunView, number: &Number) -> Option<f64> {
    run.report.headline_learner().and_then(|learner| (number.read)(&learner.matrix))
}

/// A number without its unit: percent, or points with a sign.
pub fn plain(number: &Number, value: Option<f64>) -> String {
    match value {
        None => "–".to_string(),
        Some(value) if number.difference => signed(value, 1),
        Some(value) => format!("{:.1}", 100.0 * value),
    }
}

/// The unit of [`plain`].
pub fn unit(number: &Number) -> &'static str {
    if number.difference { "points" } else { "%" }
}

/// The number of this name among the five.
pub fn named(name: &str) -> Option<&'static Number> {
    NUMBERS.iter().find(|number| number.name == name)
}

/// What runs are called: their titles, told apart where two have the same.
pub fn labels(runs: &[RunView]) -> Vec<String> {
    let mut uses: HashMap<&str, usize> = HashMap::new();
    for run in runs {
        *uses.entry(&run.title).or_default() += 1;
    }
    let label = |run: &RunView| match uses.get(run.title.as_str()) {
        Some(1) => run.title.clone(),
        _ => format!("{} (run {})", run.title, run.number),
    };
    runs.iter().map(label).collect()
}

/// Numbers with `and` before the last.
pub fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::sample;

    #[test]
    fn figures_read_as_people_write_them() {
        let durations = [8.24, 59.97, 185.0, 7_620.0, f64::NAN, -1.0].map(duration);
        assert_eq!(durations, ["8.2 s", "1 min 00 s", "3 min 05 s", "2 h 07 min", "–", "–"]);
        assert_eq!(listed(&["1".into(), "2".into(), "5".into()]), "1, 2 and 5");
    }

    #[test]
    fn runs_of_one_title_are_told_apart() {
        let mut state = sample::state();
        assert_eq!(labels(&state.runs), ["Seq, seed 1", "I-LoRA, seed 1"]);
        state.runs[1].title = "Seq, seed 1".into();
        assert_eq!(labels(&state.runs), ["Seq, seed 1 (run 0)", "Seq, seed 1 (run 1)"]);
    }
}
