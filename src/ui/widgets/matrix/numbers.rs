//! The five numbers that are read off an accuracy matrix, with what they mean and where they come from.

use crate::continual::metrics::AccuracyMatrix;

/// One of the five numbers.
#[derive(Clone, Copy, Debug)]
pub struct Number {
    /// In full, in small letters.
    pub name: &'static str,
    /// One sentence.
    pub about: &'static str,
    /// Its definition in plain text; `a(i, j)` is the score on task j after learning task i.
    pub formula: &'static str,
    /// Where it was published.
    pub source: &'static str,
    /// A difference of scores, in points.
    pub difference: bool,
    /// May be above and below zero: written with its sign.
    pub signed: bool,
    /// Whether a larger value is better.
    pub larger_is_better: bool,
    /// Reads it off; `None` while something that it needs was not measured.
    pub read: fn(&AccuracyMatrix) -> Option<f64>,
}

/// In the order in which they are shown.
pub const NUMBERS: [Number; 5] = [
    Number {
        name: "average accuracy",
        about: "The mean score at the end over all tasks learnt so far.",
        formula: "1/T * sum over j of a(T, j)",
        source: "Lopez-Paz and Ranzato 2017, arXiv 1706.08840",
        difference: false,
        signed: false,
        larger_is_better: true,
        read: AccuracyMatrix::average_accuracy,
    },
    Number {
        name: "backward transfer",
        about: "What later training did to earlier tasks: below zero means that they were forgotten.",
        formula: "1/(T-1) * sum over j < T of [a(T, j) - a(j, j)]",
        source: "Lopez-Paz and Ranzato 2017, arXiv 1706.08840",
        difference: true,
        signed: true,
        larger_is_better: true,
        read: AccuracyMatrix::backward_transfer,
    },
    Number {
        name: "forgetting",
        about: "How far earlier tasks fell from the best score they ever had; never below zero.",
        formula: "1/(T-1) * sum over j < T of [max over i of a(i, j) - a(T, j)]",
        source: "Chaudhry et al. 2018, arXiv 1801.10112",
        difference: true,
        signed: false,
        larger_is_better: false,
        read: AccuracyMatrix::forgetting,
    },
    Number {
        name: "forward transfer",
        about: "How much earlier tasks helped a task before it was trained on, against the untrained model.",
        formula: "1/(T-1) * sum over j > 1 of [a(j-1, j) - z(j)], z: score of the untrained model",
        source: "Lopez-Paz and Ranzato 2017, arXiv 1706.08840",
        difference: true,
        signed: true,
        larger_is_better: true,
        read: AccuracyMatrix::forward_transfer,
    },
    Number {
        name: "plasticity",
        about: "The mean score on each task just after learning it: how well new things are still learnt.",
        formula: "1/T * sum over j of a(j, j)",
        source: "the diagonal of the accuracy matrix of Lopez-Paz and Ranzato 2017, arXiv 1706.08840",
        difference: false,
        signed: false,
        larger_is_better: true,
        read: AccuracyMatrix::plasticity,
    },
];

impl Number {
    /// The value as it is written: `71.3 %`, `-20.4 points`, or a dash.
    #[must_use]
    pub fn written(&self, value: Option<f64>) -> String {
        match value {
            None => "\u{2013}".into(),
            Some(value) if self.signed => format!("{} points", signed(value, 1)),
            Some(value) if self.difference => format!("{:.1} points", 100.0 * value),
            Some(value) => format!("{:.1} %", 100.0 * value),
        }
    }

    /// Why there is no value; `None` where there is one.
    #[must_use]
    pub fn reason(&self, matrix: &AccuracyMatrix) -> Option<&'static str> {
        if (self.read)(matrix).is_some() {
            return None;
        }
        Some(match matrix.learnt() {
            0 => "no task has been learnt and scored yet",
            1 if self.difference => "it needs two learnt tasks",
            _ => "a score that it needs was not measured",
        })
    }

    /// Whether a value of it is bad news, good news or neither, by more than rounding.
    #[must_use]
    pub fn verdict(&self, value: f64) -> std::cmp::Ordering {
        let gain = if self.larger_is_better { value } else { 0.0 - value };
        if !self.difference || gain.abs() < 0.0005 {
            return std::cmp::Ordering::Equal;
        }
        gain.total_cmp(&0.0)
    }
}

/// A difference of shares in points with its sign, by so many decimals; nothing is `0` and not `-0`.
#[must_use]
pub fn signed(difference: f64, decimals: usize) -> String {
    let digits = format!("{:.decimals$}", (100.0 * difference).abs());
    let nothing = digits.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    let sign = match difference > 0.0 {
        _ if nothing => "",
        true => "+",
        false => "\u{2212}",
    };
    format!("{sign}{digits}")
}

/// A share as whole percent.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}
