//! What a cell of the matrix says: its value, its colour and its words, the same on the screen and in a picture.

use super::numbers::{NUMBERS, percent, signed};
use crate::continual::metrics::AccuracyMatrix;
use crate::ui::theme::Theme;
use egui::Color32;

/// What the cells show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MatrixMode {
    /// The scores.
    #[default]
    Score,
    /// What later tasks did to them.
    SinceLearnt,
    /// How far they are above guessing.
    AboveChance,
}

impl MatrixMode {
    pub const ALL: [Self; 3] = [Self::Score, Self::SinceLearnt, Self::AboveChance];

    /// On its button.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Score => "Score",
            Self::SinceLearnt => "Change since learnt",
            Self::AboveChance => "Above chance",
        }
    }

    /// One sentence.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::Score => "The bar in a cell is its score, the tick on it is guessing.",
            Self::SinceLearnt => {
                "Points gained or lost since the task was learnt: the diagonal is where it was learnt."
            }
            Self::AboveChance => "Points above guessing; a score at or below guessing is the darkest colour.",
        }
    }
}

/// A row of scores on a subset, measured while a task is being learnt.
#[derive(Clone, Copy, Debug)]
pub struct LiveRow<'a> {
    pub row: usize,
    /// Empty before the first were measured.
    pub scores: &'a [Option<f64>],
    /// Whether the row is being filled now: it is outlined.
    pub going: bool,
}

/// A row: before any training, or after a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    Untrained,
    After(usize),
}

/// Where the numbers of the cells come from.
#[derive(Clone, Copy)]
pub struct Scores<'a> {
    pub matrix: &'a AccuracyMatrix,
    pub live: Option<LiveRow<'a>>,
    pub names: &'a [&'a str],
}

/// How a cell looks.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    pub fill: Color32,
    pub ink: Color32,
    /// Empty where there is nothing to show.
    pub text: String,
    /// Nothing was measured here, which is not the same as nothing to show in this mode.
    pub unmeasured: bool,
    /// The task was not learnt yet at this row.
    pub quiet: bool,
    /// The score itself, for the bar in the cell; `None` where it has none.
    pub bar: Option<f64>,
}

impl<'a> Scores<'a> {
    /// The name of a task.
    #[must_use]
    pub fn name(&self, task: usize) -> String {
        self.names.get(task).map_or_else(|| format!("task {}", task + 1), ToString::to_string)
    }

    /// All rows, from the top.
    pub fn rows(&self) -> impl Iterator<Item = Row> + use<'a> {
        std::iter::once(Row::Untrained).chain((0..self.matrix.tasks()).map(Row::After))
    }

    /// A score and whether it is one on a subset.
    #[must_use]
    pub fn score(&self, row: Row, task: usize) -> (Option<f64>, bool) {
        let Row::After(after) = row else { return (self.matrix.zero_shot(task), false) };
        if let Some(score) = self.matrix.score(after, task) {
            return (Some(score), false);
        }
        let live = self.live.filter(|live| live.row == after);
        let score = live.and_then(|live| live.scores.get(task).copied().flatten()).filter(|score| score.is_finite());
        (score, score.is_some())
    }

    /// Was the task not learnt yet at this row?
    #[must_use]
    pub fn ahead(row: Row, task: usize) -> bool {
        match row {
            Row::Untrained => true,
            Row::After(after) => after < task,
        }
    }

    /// What a cell shows in this mode, from a score that may be on its way to the measured one.
    #[must_use]
    pub fn value(&self, mode: MatrixMode, row: Row, task: usize, score: f64) -> Option<f64> {
        match mode {
            MatrixMode::Score => Some(score),
            MatrixMode::AboveChance => Some(score - self.matrix.chance(task)?),
            MatrixMode::SinceLearnt if Self::ahead(row, task) => None,
            MatrixMode::SinceLearnt => Some(score - self.matrix.score(task, task)?),
        }
    }

    /// How a cell looks. `score` overrides the measured one, while it moves towards it.
    #[must_use]
    pub fn look(&self, mode: MatrixMode, row: Row, task: usize, score: Option<f64>, theme: &Theme) -> Look {
        let (measured, provisional) = self.score(row, task);
        let score = score.or(measured);
        let quiet = Self::ahead(row, task);
        let value = score.and_then(|score| self.value(mode, row, task, score));
        let Some(value) = value else {
            let (fill, ink, unmeasured) = (theme.ground(), theme.muted(), score.is_none());
            return Look { fill, ink, text: String::new(), unmeasured, quiet, bar: None };
        };
        let loud = match mode {
            MatrixMode::Score => theme.heat(Some(value)),
            MatrixMode::SinceLearnt => diverging(value, theme),
            MatrixMode::AboveChance => {
                let room = 1.0 - self.matrix.chance(task).unwrap_or(0.0);
                theme.heat(Some(if room > 0.0 { value / room } else { 0.0 }))
            }
        };
        let fill = if quiet { loud.lerp_to_gamma(theme.card(), 0.62) } else { loud };
        let text = match mode {
            MatrixMode::Score if provisional => format!("~{:.0}", 100.0 * value),
            MatrixMode::Score => format!("{:.0}", 100.0 * value),
            MatrixMode::SinceLearnt | MatrixMode::AboveChance => signed(value, 0),
        };
        Look {
            fill,
            ink: Theme::on(fill),
            text,
            unmeasured: false,
            quiet,
            bar: score.filter(|_| mode == MatrixMode::Score),
        }
    }

    /// What a cell says: a heading, then sentences.
    #[must_use]
    pub fn words(&self, row: Row, task: usize) -> Vec<String> {
        let name = self.name(task);
        let mut words = vec![match row {
            Row::Untrained => format!("{name}, untrained model"),
            Row::After(after) if after == task => format!("{name}, just after learning it"),
            Row::After(after) => format!("{name}, after learning {}", self.name(after)),
        }];
        let (score, provisional) = self.score(row, task);
        match score {
            None => words.push("Not measured.".into()),
            Some(score) if provisional => {
                words.push(format!("About {}, on a subset, while training goes on.", percent(score)));
            }
            Some(score) => words.push(format!("Score {}.", percent(score))),
        }
        if let (Row::After(after), Some(score)) = (row, score) {
            let learnt = self.matrix.score(task, task).filter(|_| after > task);
            if let Some(learnt) = learnt {
                words.push(format!("{} when it was learnt: {}.", percent(learnt), change(score - learnt, "since")));
            }
            if let (true, Some(untrained)) = (after < task, self.matrix.zero_shot(task)) {
                words.push(format!("Not learnt yet: {}.", change(score - untrained, "against the untrained model")));
            }
        }
        let floors = [("Chance", self.matrix.chance(task)), ("untrained model", self.matrix.zero_shot(task))];
        let floors: Vec<String> =
            floors.iter().filter_map(|(name, share)| Some(format!("{name} {}", percent((*share)?)))).collect();
        if !floors.is_empty() {
            words.push(format!("{}.", floors.join(", ")));
        }
        words
    }

    /// The whole matrix in a sentence, for a screen reader.
    #[must_use]
    pub fn description(&self, title: &str) -> String {
        let numbers: Vec<String> = NUMBERS
            .iter()
            .map(|number| format!("{} {}", number.name, number.written((number.read)(self.matrix))))
            .collect();
        let (learnt, tasks) = (self.matrix.learnt(), self.matrix.tasks());
        format!("Accuracy matrix, {title}: {learnt} of {tasks} tasks learnt; {}", numbers.join(", "))
    }
}

/// `12 points less since` and its like.
fn change(difference: f64, against: &str) -> String {
    let points = (100.0 * difference).round();
    match points {
        0.0 => format!("the same {against}"),
        points if points > 0.0 => format!("{points:.0} points more {against}"),
        points => format!("{:.0} points less {against}", -points),
    }
}

/// From bad over the card's ground to good; half of the scale is the full colour, so that small losses are seen.
fn diverging(change: f64, theme: &Theme) -> Color32 {
    let end = if change < 0.0 { theme.bad() } else { theme.good() };
    let neutral = theme.card().lerp_to_gamma(theme.line(), 0.6);
    neutral.lerp_to_gamma(end, (change.abs() * 2.0).clamp(0.0, 1.0) as f32)
}

/// The matrix as text in columns of equal width.
#[must_use]
pub fn matrix_text(matrix: &AccuracyMatrix, names: &[&str]) -> String {
    let scores = Scores { matrix, live: None, names };
    let head: Vec<String> = (0..matrix.tasks()).map(|task| scores.name(task)).collect();
    let lead = |row: Row| match row {
        Row::Untrained => "untrained".to_string(),
        Row::After(after) => format!("after {}", scores.name(after)),
    };
    let mut lines = vec![(String::new(), head)];
    let chance = (0..matrix.tasks()).map(|task| written(matrix.chance(task))).collect();
    lines.push(("chance".into(), chance));
    for row in scores.rows() {
        lines.push((lead(row), (0..matrix.tasks()).map(|task| written(scores.score(row, task).0)).collect()));
    }
    let first = lines.iter().map(|(lead, _)| lead.chars().count()).max().unwrap_or(0);
    let width = |column: usize| {
        lines.iter().filter_map(|(_, cells)| cells.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..matrix.tasks()).map(width).collect();
    let mut text = String::new();
    for (lead, cells) in &lines {
        let cells = cells.iter().zip(&widths).map(|(cell, width)| format!("  {cell:>width$}", width = *width));
        text.push_str(format!("{lead:<first$}{}", cells.collect::<String>()).trim_end());
        text.push('\n');
    }
    for number in &NUMBERS {
        text.push_str(&format!("{}: {}\n", number.name, number.written((number.read)(matrix))));
    }
    text
}

fn written(share: Option<f64>) -> String {
    share.map_or_else(|| "\u{2013}".into(), |share| format!("{:.1}", 100.0 * share))
}
