//! The five numbers of several runs in a table, the best of each marked, and means over the seeds of one experiment.

use super::comparison::{Shown, swatch};
use super::differences::Changes;
use super::figures::{number, plain, unit};
use crate::ui::theme::Theme;
use crate::ui::widgets::matrix::{NUMBERS, Number};
use egui::{Grid, RichText, ScrollArea, Ui};

/// Draws the table. `comparable` says whether the best may be marked.
pub fn table(ui: &mut Ui, theme: Theme, shown: &[Shown<'_>], changes: &Changes, comparable: bool) {
    let quiet = |text: String| RichText::new(text).small().color(theme.muted());
    ScrollArea::horizontal().id_salt("numbers sideways").show(ui, |ui| {
        Grid::new("numbers of runs").num_columns(2 + NUMBERS.len()).striped(true).spacing([18.0, 6.0]).show(ui, |ui| {
            ui.label(quiet("Run".to_string()));
            ui.label(quiet("Learner".to_string()));
            for number in &NUMBERS {
                let head = ui.label(quiet(format!("{}, {}", capital(number.name), unit(number))));
                head.on_hover_text(format!("{}\n{}\n{}", number.about, number.formula, number.source));
            }
            ui.end_row();
            floors(ui, theme, shown, comparable);
            let best: Vec<Option<f64>> =
                NUMBERS.iter().map(|figure| best(shown, figure).filter(|_| comparable)).collect();
            for Shown { run, label, place } in shown {
                ui.horizontal(|ui| {
                    swatch(ui, theme, *place);
                    ui.label(*label);
                });
                ui.label(run.report.headline_learner().map_or("–", |learner| learner.short_label()));
                for (figure, best) in NUMBERS.iter().zip(&best) {
                    let value = number(run, figure);
                    let text = RichText::new(plain(figure, value));
                    if value.map(rounded).is_some_and(|value| *best == Some(value)) {
                        let text = text.strong().underline().color(theme.good());
                        ui.label(text).on_hover_text("The best of the runs shown");
                    } else {
                        ui.label(text);
                    }
                }
                ui.end_row();
            }
            for group in groups(shown, changes) {
                let Some(first) = group.first() else { continue };
                let label = format!("{}, mean of {} seeds", first.run.report.method_label, group.len());
                ui.label(RichText::new(label).italics());
                ui.label(quiet("± standard deviation".to_string()));
                for figure in &NUMBERS {
                    ui.label(RichText::new(mean_and_deviation(&group, figure)).italics());
                }
                ui.end_row();
            }
        });
    });
    if comparable && shown.len() > 1 {
        ui.label(quiet("Underlined: the best of the runs shown.".to_string()));
    }
}

/// What guessing and the untrained model score, where that is one thing for all runs.
fn floors(ui: &mut Ui, theme: Theme, shown: &[Shown<'_>], comparable: bool) {
    let matrix = shown.first().and_then(|shown| shown.run.report.headline_learner()).map(|learner| &learner.matrix);
    let Some(matrix) = matrix.filter(|_| comparable) else { return };
    for (name, value) in [("guessing", matrix.average_chance()), ("before training", matrix.average_zero_shot())] {
        if let Some(value) = value {
            let quiet = |text: String| RichText::new(text).color(theme.muted());
            ui.label(quiet(name.to_string()));
            ui.label("");
            ui.label(quiet(format!("{:.1}", 100.0 * value)));
            ui.end_row();
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

/// As it is written: what looks the same is equally good.
fn rounded(value: f64) -> f64 {
    (1_000.0 * value).round() / 1_000.0
}

/// The best value among several runs.
fn best(shown: &[Shown<'_>], figure: &Number) -> Option<f64> {
    let values = shown.iter().filter_map(|shown| number(shown.run, figure)).map(rounded);
    let better = |one: f64, two: f64| if figure.larger_is_better { one.max(two) } else { one.min(two) };
    values.reduce(better).filter(|_| shown.len() > 1)
}

/// Finished experiments that are there with at least two seeds.
fn groups<'a>(shown: &[Shown<'a>], changes: &Changes) -> Vec<Vec<Shown<'a>>> {
    let mut groups: Vec<Vec<Shown<'a>>> = Vec::new();
    for one in shown {
        let same = |group: &&mut Vec<Shown<'a>>| {
            group.first().is_some_and(|first| changes.same_but_seed(first.run.number, one.run.number))
        };
        match groups.iter_mut().find(same) {
            // the same seed twice is one measurement
            Some(group) if group.iter().any(|other| other.run.experiment.seed == one.run.experiment.seed) => {}
            Some(group) => group.push(*one),
            None => groups.push(vec![*one]),
        }
    }
    groups.retain(|group| group.len() > 1);
    groups
}

/// `71.3 ± 1.2`; a dash where a run has no such number.
fn mean_and_deviation(group: &[Shown<'_>], figure: &Number) -> String {
    let values: Option<Vec<f64>> = group.iter().map(|shown| number(shown.run, figure)).collect();
    let Some(values) = values.filter(|values| values.len() > 1) else { return "–".to_string() };
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    format!("{} ± {:.1}", plain(figure, Some(mean)), 100.0 * variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::panels::runs::figures::named;
    use crate::ui::sample;

    #[test]
    fn the_best_is_the_largest_save_of_forgetting() {
        let state = sample::state();
        let shown: Vec<Shown<'_>> =
            state.runs.iter().enumerate().map(|(place, run)| Shown { run, label: "x", place }).collect();
        for name in ["average accuracy", "forgetting"] {
            let figure = named(name).unwrap();
            let of = |place: usize| rounded(number(&state.runs[place], figure).unwrap());
            assert_eq!(best(&shown, figure), Some(of(1)), "I-LoRA keeps more: {name}");
            assert_ne!(of(0), of(1));
            assert_eq!(best(&shown[..1], figure), None);
        }
    }

    #[test]
    fn seeds_of_one_experiment_are_averaged() {
        let mut state = sample::state();
        for event in sample::run_events(2, "seq") {
            state.apply(event, 0.0);
        }
        state.runs[2].experiment.seed = 2;
        // 0.8 and 0.9 on the one task
        for (place, score) in [(0, 0.8), (2, 0.9)] {
            let mut matrix = crate::continual::metrics::AccuracyMatrix::new(1);
            matrix.set_score(0, 0, score);
            state.runs[place].report.learners[0].matrix = matrix;
        }
        let mut changes = Changes::default();
        changes.update(&state.runs, None);
        let shown: Vec<Shown<'_>> =
            state.runs.iter().enumerate().map(|(place, run)| Shown { run, label: "x", place }).collect();
        let groups = groups(&shown, &changes);
        assert_eq!(
            groups.iter().map(|group| group.iter().map(|one| one.place).collect()).collect::<Vec<Vec<_>>>(),
            [[0, 2]]
        );
        assert_eq!(mean_and_deviation(&groups[0], &NUMBERS[0]), "85.0 ± 7.1");
        assert_eq!(mean_and_deviation(&groups[0], named("forgetting").unwrap()), "–", "one task has nothing to forget");
    }
}
