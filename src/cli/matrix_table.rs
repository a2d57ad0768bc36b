//! Accuracy matrices for the terminal: aligned text, two side by side where there is room, with colours if wanted.
//!
//! Everything here is a pure function of its arguments; [`ColorMode::choose`] takes what the environment says as values.

use std::fmt::Write as _;

use crate::continual::metrics::AccuracyMatrix;

/// What a terminal can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorMode {
    /// Text only.
    #[default]
    Plain,
    /// The 256-colour palette.
    Palette,
    /// 24-bit colours.
    Full,
}

impl ColorMode {
    /// Plain text when the output is no terminal, when `NO_COLOR` is set and not empty (no-color.org), or on a dumb
    /// terminal; 24-bit colours where `COLORTERM` promises them; else the palette.
    #[must_use]
    pub fn choose(is_terminal: bool, no_color: Option<&str>, term: Option<&str>, colorterm: Option<&str>) -> Self {
        if !is_terminal || no_color.is_some_and(|value| !value.is_empty()) || term == Some("dumb") {
            Self::Plain
        } else if matches!(colorterm, Some("truecolor" | "24bit")) {
            Self::Full
        } else {
            Self::Palette
        }
    }
}

/// A matrix with the words that belong to it.
#[derive(Clone, Copy, Debug)]
pub struct TitledMatrix<'a> {
    pub title: &'a str,
    pub matrix: &'a AccuracyMatrix,
    /// Names of the tasks, in the order of the columns.
    pub tasks: &'a [String],
}

/// How a score is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Precision {
    Tenths,
    Whole,
}

impl Precision {
    /// Columns that a score takes, with the space before it.
    fn width(self) -> usize {
        match self {
            Self::Tenths => 7,
            Self::Whole => 5,
        }
    }

    fn digits(self) -> usize {
        match self {
            Self::Tenths => 1,
            Self::Whole => 0,
        }
    }
}

/// The gap between two matrices that stand side by side.
const GAP: usize = 4;
/// Widest label of a row.
const LABEL: usize = 14;
/// Label of the last row: the change of each task since it was learnt.
const SINCE: &str = "since learnt";

/// One matrix with its summary, at most `width` columns wide (down to 34, which the summary takes).
///
/// Rows: guessing, the model before training, then one for each task learnt; last, the change of each task since it was
/// learnt. Scores in percent. Columns that do not fit go on below.
#[must_use]
pub fn matrix_table(matrix: TitledMatrix<'_>, width: usize, color: ColorMode) -> String {
    let precision = if block_width(matrix, Precision::Tenths) <= width { Precision::Tenths } else { Precision::Whole };
    join_lines(&block(matrix, precision, width, color))
}

/// Two matrices side by side, with whole percents if that is what makes them fit, or one below the other.
#[must_use]
pub fn matrix_tables(left: TitledMatrix<'_>, right: TitledMatrix<'_>, width: usize, color: ColorMode) -> String {
    for precision in [Precision::Tenths, Precision::Whole] {
        let left_width = block_width(left, precision);
        if left_width + GAP + block_width(right, precision) <= width {
            let left = block(left, precision, width, color);
            let right = block(right, precision, width, color);
            return side_by_side(&left, left_width, &right);
        }
    }
    format!("{}\n{}", matrix_table(left, width, color), matrix_table(right, width, color))
}

/// A line and its width on screen, which colours do not count towards.
struct Line {
    text: String,
    width: usize,
}

impl Line {
    fn new() -> Self {
        Self { text: String::new(), width: 0 }
    }

    /// Adds text that takes as many columns as it has characters.
    fn push(&mut self, text: &str) {
        self.push_styled(text, text);
    }

    /// Adds text wrapped in colour codes.
    fn push_styled(&mut self, plain: &str, styled: &str) {
        self.text.push_str(styled);
        self.width += plain.chars().count();
    }
}

fn join_lines(lines: &[Line]) -> String {
    lines.iter().fold(String::new(), |text, line| text + line.text.trim_end() + "\n")
}

fn side_by_side(left: &[Line], left_width: usize, right: &[Line]) -> String {
    let mut lines = Vec::new();
    for index in 0..left.len().max(right.len()) {
        let mut line = Line::new();
        if let Some(part) = left.get(index) {
            line.text.push_str(&part.text);
            line.width = part.width;
        }
        if let Some(part) = right.get(index) {
            line.push(&" ".repeat((left_width + GAP).saturating_sub(line.width)));
            line.text.push_str(&part.text);
        }
        lines.push(line);
    }
    join_lines(&lines)
}

fn label_width(matrix: TitledMatrix<'_>) -> usize {
    let rows = (0..matrix.matrix.tasks()).map(|task| row_label(matrix, task).chars().count());
    rows.max().unwrap_or(0).max(SINCE.len())
}

fn row_label(matrix: TitledMatrix<'_>, task: usize) -> String {
    let name = matrix.tasks.get(task).map_or("", String::as_str);
    let number = format!("{} ", task + 1);
    let room = LABEL.saturating_sub(number.chars().count());
    number + &cut(name, room)
}

/// Width of a block: the table, or a summary line or title that is wider.
fn block_width(matrix: TitledMatrix<'_>, precision: Precision) -> usize {
    let table = label_width(matrix) + matrix.matrix.tasks() * precision.width();
    let summary = summary(matrix.matrix).iter().map(|line| line.chars().count()).max().unwrap_or(0);
    table.max(summary).max(matrix.title.chars().count())
}

fn block(titled: TitledMatrix<'_>, precision: Precision, width: usize, color: ColorMode) -> Vec<Line> {
    let matrix = titled.matrix;
    let label = label_width(titled);
    let mut lines = Vec::new();
    let mut title = Line::new();
    title.push_styled(titled.title, &styled(titled.title, "1", color));
    lines.push(title);
    let per_block = (width.saturating_sub(label) / precision.width()).max(1);
    let headings = abbreviations(titled.tasks, matrix.tasks(), precision.width() - 1);
    let columns: Vec<usize> = (0..matrix.tasks()).collect();
    for columns in columns.chunks(per_block) {
        let mut row = |name: &str, cells: Vec<(String, Option<String>)>| {
            let mut line = Line::new();
            line.push(&format!("{name:<label$}"));
            for (text, style) in cells {
                // the space stays outside the colour, so that neighbours do not run together
                let text = format!("{text:>width$}", width = precision.width() - 1);
                line.push(" ");
                line.push_styled(&text, &style.map_or_else(|| text.clone(), |style| styled(&text, &style, color)));
            }
            lines.push(line);
        };
        row("", columns.iter().map(|task| (headings[*task].clone(), Some("1".to_owned()))).collect());
        let floor = |score: Option<f64>| (percent(score, precision), Some("2".to_owned()));
        row("chance", columns.iter().map(|task| floor(matrix.chance(*task))).collect());
        row("zero-shot", columns.iter().map(|task| floor(matrix.zero_shot(*task))).collect());
        for after in 0..matrix.learnt() {
            let cell = |task: &usize| {
                let score = matrix.score(after, *task);
                let style = if *task > after { Some("2".to_owned()) } else { heat(score, color) };
                (percent(score, precision), style)
            };
            row(&row_label(titled, after), columns.iter().map(cell).collect());
        }
        let change = |task: &usize| {
            let change = matrix.change_since_learnt(*task).filter(|_| *task + 1 < matrix.learnt());
            (arrow(change, precision), change.and_then(|change| change_style(change, color)))
        };
        if matrix.learnt() > 1 {
            row(SINCE, columns.iter().map(change).collect());
        }
    }
    for text in summary(matrix) {
        let mut line = Line::new();
        line.push(&text);
        lines.push(line);
    }
    lines
}

/// The numbers under a matrix, narrow enough to stand below four columns.
fn summary(matrix: &AccuracyMatrix) -> Vec<String> {
    let line = |name: &str, value: Option<f64>, unit: &str, signed: bool| {
        let number = value.map_or_else(|| "-".to_owned(), |value| tenths(value * 100.0, signed));
        format!("{name:<18}{number:>7} {unit}")
    };
    vec![
        line("average accuracy", matrix.average_accuracy(), "%", false),
        line("backward transfer", matrix.backward_transfer(), "points", true),
        line("forgetting", matrix.forgetting(), "points", false),
    ]
}

fn tenths(value: f64, signed: bool) -> String {
    // no "-0.0"
    let value = (value * 10.0).round() / 10.0 + 0.0;
    if signed { format!("{value:+.1}") } else { format!("{value:.1}") }
}

fn percent(score: Option<f64>, precision: Precision) -> String {
    score.map_or_else(|| "-".to_owned(), |score| format!("{:.*}", precision.digits(), score * 100.0))
}

/// `v12.5` in words of one glyph: an arrow down for a loss, up for a gain, and the points.
fn arrow(change: Option<f64>, precision: Precision) -> String {
    let Some(change) = change else { return String::new() };
    let points = format!("{:.*}", precision.digits(), change.abs() * 100.0);
    if points.trim_matches(['0', '.']).is_empty() {
        return "=".to_owned();
    }
    let mut text = String::from(if change < 0.0 { "▼" } else { "▲" });
    let _ = write!(text, "{points}");
    text
}

/// Wraps text in the codes of an ANSI style, unless colours are off.
fn styled(text: &str, style: &str, color: ColorMode) -> String {
    if color == ColorMode::Plain { text.to_owned() } else { format!("\u{1b}[{style}m{text}\u{1b}[0m") }
}

/// Background for a score, from near black to blue, with a text colour that stands out on both.
fn heat(score: Option<f64>, color: ColorMode) -> Option<String> {
    let score = score?.clamp(0.0, 1.0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between the two ends
    let between = |from: f64, to: f64| (from + (to - from) * score).round() as u8;
    match color {
        ColorMode::Plain => None,
        // the ends have at least 5:1 contrast with white
        ColorMode::Full => Some(format!(
            "38;2;255;255;255;48;2;{};{};{}",
            between(34.0, 0.0),
            between(38.0, 104.0),
            between(46.0, 168.0)
        )),
        ColorMode::Palette => {
            const RAMP: [u8; 5] = [234, 17, 18, 24, 25];
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // score is in [0, 1]
            let index = (score * 4.0).round() as usize;
            Some(format!("38;5;255;48;5;{}", RAMP[index.min(4)]))
        }
    }
}

/// Vermilion for a loss and sky blue for a gain (Okabe and Ito's colour-blind-safe set); nothing below half a point.
fn change_style(change: f64, color: ColorMode) -> Option<String> {
    let code = match (color, change < 0.0) {
        _ if change.abs() < 0.005 => return None,
        (ColorMode::Plain, _) => return None,
        (ColorMode::Full, true) => "38;2;230;110;40",
        (ColorMode::Full, false) => "38;2;86;180;233",
        (ColorMode::Palette, true) => "38;5;208",
        (ColorMode::Palette, false) => "38;5;74",
    };
    Some(format!("1;{code}"))
}

fn cut(text: &str, width: usize) -> String {
    text.chars().take(width).collect()
}

/// Task names cut to `width` characters, all different: where two would be the same, both end in their number.
fn abbreviations(names: &[String], tasks: usize, width: usize) -> Vec<String> {
    let name = |task: usize| names.get(task).map_or_else(|| (task + 1).to_string(), |name| cut(name, width));
    let short: Vec<String> = (0..tasks).map(name).collect();
    (0..tasks)
        .map(|task| {
            if short.iter().filter(|other| **other == short[task]).count() == 1 {
                return short[task].clone();
            }
            let number = (task + 1).to_string();
            cut(&short[task], width.saturating_sub(number.len())) + &number
        })
        .collect()
}

#[cfg(test)]
mod tests;
