//! How near adapters are to one another, as plain data, CSV and a page.

use std::fmt::Write as _;

use super::colour::{SHADES, colour};
use super::page::{self, Origin};
use super::tables::{decimals, or_dash};
use super::{finite, number, numbers};
use crate::engine::report_csv;
use crate::engine::report_html::charts::legend;
use crate::engine::report_html::figure;
use crate::engine::report_html::svg::{FULL, LineChart, Series};
use crate::engine::report_html::text::{duration, escape, task_class, thousands};
use serde::{Deserialize, Serialize};

/// The page's table of modules has at most so many rows; the CSV has all.
const ROWS: usize = 400;

/// What is measured between two adapters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// L2 distance of all factors, flattened.
    FactorDistance,
    /// The same as a root mean square over the parameters.
    FactorRms,
    FactorCosine,
    /// Frobenius distance of the updates `s B A`.
    UpdateDistance,
    UpdateCosine,
    /// Mean principal angle between the row spaces of `lora_A`, over angles and modules, in degrees.
    AngleA,
    /// Mean principal angle between the column spaces of `lora_B`, in degrees.
    AngleB,
    /// Linear CKA of the hidden states, mean over the blocks.
    Cka,
}

impl Measure {
    /// All of them, in the order of the tables.
    pub const ALL: [Self; 8] = [
        Self::FactorDistance,
        Self::FactorRms,
        Self::FactorCosine,
        Self::UpdateDistance,
        Self::UpdateCosine,
        Self::AngleA,
        Self::AngleB,
        Self::Cka,
    ];

    /// Column of the CSV file.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::FactorDistance => "factor_distance",
            Self::FactorRms => "factor_rms",
            Self::FactorCosine => "factor_cosine",
            Self::UpdateDistance => "update_distance",
            Self::UpdateCosine => "update_cosine",
            Self::AngleA => "angle_a_degrees",
            Self::AngleB => "angle_b_degrees",
            Self::Cka => "cka_mean",
        }
    }

    /// Heading for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::FactorDistance => "distance of factors",
            Self::FactorRms => "RMS of factors",
            Self::FactorCosine => "cosine of factors",
            Self::UpdateDistance => "distance of updates",
            Self::UpdateCosine => "cosine of updates",
            Self::AngleA => "angle of A, degrees",
            Self::AngleB => "angle of B, degrees",
            Self::Cka => "CKA, mean",
        }
    }

    /// What an adapter is to itself.
    #[must_use]
    pub fn of_itself(self) -> f64 {
        if matches!(self, Self::FactorCosine | Self::UpdateCosine | Self::Cka) { 1.0 } else { 0.0 }
    }

    /// What the table shows, in a sentence.
    fn caption(self) -> &'static str {
        match self {
            Self::FactorDistance => "L2 distance of all LoRA factors, flattened.",
            Self::FactorRms => "The same as a root mean square over the parameters.",
            Self::FactorCosine => "Cosine of the angle between the flattened factors.",
            Self::UpdateDistance => {
                "Frobenius distance of the updates s·BA over all modules; it does not see how BA is split into factors."
            }
            Self::UpdateCosine => "Cosine of the angle between the updates.",
            Self::AngleA => {
                "Mean principal angle between the directions that the adapters read (rows of A), over modules: 0 shared, 90 orthogonal."
            }
            Self::AngleB => "Mean principal angle between the directions that they write (columns of B).",
            Self::Cka => {
                "Linear CKA of the hidden states before each answer, mean over the blocks: 1 is equal up to rotation and scale."
            }
        }
    }
}

/// One measure between all adapters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairTable {
    pub measure: Measure,
    /// `[adapters][adapters]`, symmetric.
    pub values: Vec<Vec<Option<f64>>>,
}

/// Linear CKA between all adapters at one hidden state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StateTable {
    /// `after layer 1`, …, `output`.
    pub name: String,
    /// `[adapters][adapters]`, symmetric.
    pub values: Vec<Vec<Option<f64>>>,
}

/// One adapted module in two adapters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ModulePair {
    /// Indices into the adapters.
    pub left: usize,
    pub right: usize,
    /// Index of the block, from 0.
    pub layer: usize,
    pub module: String,
    #[serde(deserialize_with = "number")]
    pub update_distance: f64,
    /// Principal angles between the row spaces of `lora_A`, rising.
    #[serde(deserialize_with = "numbers")]
    pub angles_a_degrees: Vec<f64>,
    /// Between the column spaces of `lora_B`; none where a `lora_B` is zero.
    #[serde(deserialize_with = "numbers")]
    pub angles_b_degrees: Vec<f64>,
}

/// What was found between adapters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SimilarityReport {
    pub title: String,
    pub model: String,
    pub device: String,
    pub seed: u64,
    pub adapters: Vec<String>,
    /// `[adapters]` ranks as their files say.
    pub ranks: Vec<usize>,
    /// `[adapters]` Frobenius norms of the updates.
    #[serde(deserialize_with = "numbers")]
    pub update_norms: Vec<f64>,
    pub tables: Vec<PairTable>,
    pub modules: Vec<ModulePair>,
    /// In the order of the blocks; empty when CKA was not measured.
    pub states: Vec<StateTable>,
    pub tasks: Vec<String>,
    /// `[tasks]` name of each task's metric.
    pub metrics: Vec<String>,
    /// `[tasks]` score of guessing.
    pub chance: Vec<Option<f64>>,
    pub examples_per_task: usize,
    /// Examples that CKA was measured on, all tasks together; 0 without it.
    pub examples: usize,
    /// The command line that repeats it.
    pub command: String,
    /// Version of the program.
    pub version: String,
    /// Start, in seconds since 1970-01-01 UTC.
    pub started_unix: u64,
    #[serde(deserialize_with = "number")]
    pub secs: f64,
    pub warnings: Vec<String>,
}

impl SimilarityReport {
    /// A measure between two adapters, if it was taken.
    #[must_use]
    pub fn value(&self, measure: Measure, left: usize, right: usize) -> Option<f64> {
        let table = self.tables.iter().find(|table| table.measure == measure)?;
        finite(table.values.get(left)?.get(right).copied().flatten())
    }

    /// All pairs of adapters.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let count = self.adapters.len();
        (0..count).flat_map(move |left| (left + 1..count).map(move |right| (left, right)))
    }
}

/// `similarity.csv`: one line a pair: `left`, `right`, the measures, then `cka_<state>`.
#[must_use]
pub fn similarity_csv(report: &SimilarityReport) -> String {
    let head = ["left", "right"].into_iter().chain(Measure::ALL.map(Measure::key)).map(str::to_owned);
    let states = report.states.iter().map(|state| format!("cka_{}", state.name.replace(' ', "_")));
    let mut text = report_csv::line(head.chain(states));
    for (left, right) in report.pairs() {
        let names = [left, right].map(|index| report.adapters[index].clone()).into_iter();
        let measures = Measure::ALL.map(|measure| report.value(measure, left, right)).into_iter();
        let states = report.states.iter().map(|state| at(&state.values, left, right));
        text.push_str(&report_csv::line(names.chain(measures.chain(states).map(report_csv::number))));
    }
    text
}

/// `similarity-modules.csv`: one line a pair and module: distance of the updates; least, mean and greatest principal angle of
/// the rows of `lora_A` and of the columns of `lora_B`, in degrees.
#[must_use]
pub fn modules_csv(report: &SimilarityReport) -> String {
    let angles = |side: &str| ["least", "mean", "greatest"].map(|which| format!("angle_{side}_{which}_degrees"));
    let head = ["left", "right", "layer", "module", "update_distance"].map(str::to_owned);
    let mut text = report_csv::line(head.into_iter().chain(angles("a")).chain(angles("b")));
    for pair in &report.modules {
        let name = |index: usize| report.adapters.get(index).cloned().unwrap_or_default();
        let place = [name(pair.left), name(pair.right), pair.layer.to_string(), pair.module.clone()];
        let [a, b] = [&pair.angles_a_degrees, &pair.angles_b_degrees].map(|angles| summary(angles));
        let values = std::iter::once(Some(pair.update_distance)).chain(a).chain(b);
        text.push_str(&report_csv::line(place.into_iter().chain(values.map(report_csv::number))));
    }
    text
}

/// Least, mean and greatest of rising angles.
fn summary(angles: &[f64]) -> [Option<f64>; 3] {
    let mean = (!angles.is_empty()).then(|| angles.iter().sum::<f64>() / angles.len() as f64);
    [angles.first().copied(), mean, angles.last().copied()]
}

fn at(values: &[Vec<Option<f64>>], left: usize, right: usize) -> Option<f64> {
    finite(values.get(left)?.get(right).copied().flatten())
}

/// The page of these adapters.
#[must_use]
pub fn render_similarity(report: &SimilarityReport) -> String {
    let origins = [Origin::from(report)];
    let title = if report.title.is_empty() { "How near adapters are" } else { &report.title };
    let mut html = page::open(title, "Loss landscape: similarity", "", &origins);
    let _ = writeln!(html, "<p class=\"abstract\">{}</p>", escape(&abstract_text(report)));
    page::warnings(&mut html, &origins);
    adapters(&mut html, report);
    html.push_str("<section>\n<h2 id=\"pairs\">All pairs</h2>\n<div class=\"pair\">\n");
    for table in &report.tables {
        let (name, caption) = (table.measure.title(), table.measure.caption());
        matrix(&mut html, name, caption, &table.values, None);
    }
    html.push_str("</div>\n</section>\n");
    if !report.states.is_empty() {
        html.push_str("<section>\n<h2 id=\"states\">Hidden states, block by block</h2>\n");
        let _ = writeln!(
            html,
            "<p>Linear CKA between the adapters of what the model makes of the same {} examples, at the last token before each answer.</p>",
            thousands(report.examples as u64)
        );
        depth(&mut html, report);
        html.push_str("<div class=\"pair\">\n");
        for state in &report.states {
            matrix(&mut html, &state.name, "", &state.values, Some((0.0, 1.0)));
        }
        html.push_str("</div>\n</section>\n");
    }
    modules(&mut html, report);
    page::settings(&mut html, &[("seed", report.seed.to_string()), ("time", duration(report.secs))]);
    page::tasks(&mut html, &origins[0]);
    page::close(html, &origins)
}

/// The nearest and the farthest pair.
fn abstract_text(report: &SimilarityReport) -> String {
    let known = || {
        let value = |(left, right)| Some(((left, right), report.value(Measure::UpdateDistance, left, right)?));
        report.pairs().filter_map(value)
    };
    let between = |(left, right): (usize, usize)| format!("{} and {}", report.adapters[left], report.adapters[right]);
    let least = known().min_by(|a, b| a.1.total_cmp(&b.1));
    let greatest = known().max_by(|a, b| a.1.total_cmp(&b.1));
    let mut text = match (least, greatest) {
        (Some((near, d)), Some((far, e))) if near != far => format!(
            "By their updates {} are nearest, {} apart; {} are farthest, {} apart.",
            between(near),
            decimals(d),
            between(far),
            decimals(e)
        ),
        (Some((pair, d)), _) => format!("The updates of {} are {} apart.", between(pair), decimals(d)),
        _ => "No pair of adapters has a finite distance.".to_owned(),
    };
    let output = report.states.last().filter(|_| report.adapters.len() == 2);
    if let Some(cka) = output.and_then(|state| at(&state.values, 0, 1)) {
        let _ = write!(text, " CKA of the model's output states is {}.", decimals(cka));
    }
    text
}

/// The key: numbers stand for names in the tables.
fn adapters(html: &mut String, report: &SimilarityReport) {
    html.push_str(
        "<section>\n<h2 id=\"adapters\">Adapters</h2>\n<div class=\"scroll\"><table class=\"results anchors\">\n<thead><tr>\
         <th scope=\"col\">Adapter</th><th scope=\"col\" class=\"n\">Rank</th><th scope=\"col\" class=\"n\">Norm of the update</th>\
         </tr></thead>\n<tbody>\n",
    );
    for (index, name) in report.adapters.iter().enumerate() {
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{} {}</th><td>{}</td><td>{}</td></tr>",
            index + 1,
            escape(name),
            report.ranks.get(index).map_or_else(|| "–".to_owned(), ToString::to_string),
            or_dash(report.update_norms.get(index).copied())
        );
    }
    html.push_str("</tbody></table></div>\n</section>\n");
}

/// A table with a cell for each pair, shaded from its least to its greatest value off the diagonal, or over `range`.
fn matrix(html: &mut String, name: &str, caption: &str, values: &[Vec<Option<f64>>], range: Option<(f64, f64)>) {
    let others = values.iter().enumerate().flat_map(|(row, list)| {
        list.iter().enumerate().filter(move |(column, _)| *column != row).filter_map(|(_, value)| finite(*value))
    });
    let ends = others.fold(None, |ends: Option<(f64, f64)>, value| {
        let (low, high) = ends.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    });
    let (low, high) = range.or(ends).unwrap_or((0.0, 1.0));
    let _ = write!(
        html,
        "<div class=\"scroll\"><table class=\"results similarity\"><caption>{}<small>{}</small></caption>\n<thead><tr><td></td>",
        escape(&capital(name)),
        escape(caption)
    );
    for column in 1..=values.len() {
        let _ = write!(html, "<th scope=\"col\" class=\"n\">{column}</th>");
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for (row, list) in values.iter().enumerate() {
        let _ = write!(html, "<tr><th scope=\"row\">{}</th>", row + 1);
        for (column, value) in list.iter().enumerate() {
            let Some(value) = finite(*value).filter(|_| row != column) else {
                let _ = write!(html, "<td class=\"same\">{}</td>", or_dash(*value));
                continue;
            };
            let share = if high > low { ((value - low) / (high - low)).clamp(0.0, 1.0) } else { 0.5 };
            let shade = ((share * SHADES as f64) as usize).min(SHADES - 1);
            // dark letters on the bright half of the ramp
            let ink = if shade * 2 > SHADES { "#111" } else { "#fff" };
            let _ = write!(html, "<td style=\"background:{};color:{ink}\">{}</td>", colour(shade), decimals(value));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>\n");
}

/// CKA of every adapter with the first one, over the depth of the model.
fn depth(html: &mut String, report: &SimilarityReport) {
    let others = 1..report.adapters.len();
    let series: Vec<Series> = others
        .map(|other| Series {
            name: report.adapters[other].clone(),
            class: task_class(other - 1),
            points: (report.states.iter().enumerate())
                .map(|(index, state)| ((index + 1) as f64, at(&state.values, 0, other).unwrap_or(f64::NAN)))
                .collect(),
            dots: true,
            ..Series::default()
        })
        .collect();
    let entries: Vec<(String, String)> =
        series.iter().map(|series| (series.class.clone(), series.name.clone())).collect();
    let chart = LineChart {
        description: format!("CKA with {} after every block", report.adapters[0]),
        x_label: "block; the last one normalised".into(),
        y_label: "linear CKA".into(),
        series,
        x_range: Some((1.0, (report.states.len() as f64).max(2.0))),
        whole_x: true,
        width: FULL,
        height: 280.0,
        ..LineChart::default()
    };
    html.push_str(&legend(&entries));
    let caption = format!("<b>CKA with {}</b> after every block.", escape(&report.adapters[0]));
    figure(html, chart.to_svg(), &caption);
}

/// Distances and angles of every module, folded away.
fn modules(html: &mut String, report: &SimilarityReport) {
    let all = report.modules.len();
    if all == 0 {
        return;
    }
    let rest = if all > ROWS { format!(", the first {ROWS} of {all}") } else { String::new() };
    let _ = write!(
        html,
        "<details><summary>Module by module{rest}</summary><div class=\"scroll\"><table class=\"results points\">\n<thead><tr>\
         <th scope=\"col\">Pair</th><th scope=\"col\">Module</th><th scope=\"col\" class=\"n\">Distance of updates</th>"
    );
    for side in ["A", "B"] {
        for which in ["least", "mean", "greatest"] {
            let _ = write!(html, "<th scope=\"col\" class=\"n\">Angle of {side}<small>{which}, degrees</small></th>");
        }
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for pair in report.modules.iter().take(ROWS) {
        let _ = write!(
            html,
            "<tr><th scope=\"row\">{} – {}</th><th scope=\"row\">layer {}, {}</th><td>{}</td>",
            pair.left + 1,
            pair.right + 1,
            pair.layer,
            escape(&pair.module),
            or_dash(Some(pair.update_distance))
        );
        for value in [&pair.angles_a_degrees, &pair.angles_b_degrees].into_iter().flat_map(|angles| summary(angles)) {
            let _ = write!(html, "<td>{}</td>", or_dash(value));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div></details>\n");
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
