//! The record of a race, as plain data: which runs there were, and the report of each. CSV, table and page are made of it.

use serde::{Deserialize, Serialize};

use crate::engine::report::RunReport;

/// Everything a race's reports are made from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RaceRecord {
    pub title: String,
    /// Label of the variant that the others are compared with, mostly I-LoRA.
    pub reference: Option<String>,
    /// Labels of the variants in the order in which they are shown; points of a sweep are not among them.
    pub variants: Vec<String>,
    pub sweeps: Vec<SweepRecord>,
    /// Finished runs, those of variants and of sweep points alike.
    pub entries: Vec<RaceEntry>,
    /// Sentences about runs that failed or were not finished, `name of the run: reason`.
    pub failed: Vec<String>,
    /// The command line that repeats the race.
    pub command: String,
    /// Version of the program.
    pub version: String,
    /// Start, in seconds since 1970-01-01 UTC.
    pub started_unix: u64,
}

/// A finished run and its place in the race.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RaceEntry {
    /// Label of the variant, unique in the race, e.g. `I-LoRA` or `I-LoRA gamma=0.5`.
    pub variant: String,
    /// Order of the tasks: `given`, `reversed` or `random` (drawn from the seed).
    pub order: String,
    pub seed: u64,
    /// Where the run stands in a sweep, if it belongs to one.
    pub sweep: Option<SweepPoint>,
    pub report: RunReport,
}

/// A place in a sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepPoint {
    /// Index in [`RaceRecord::sweeps`].
    pub sweep: usize,
    /// Values as typed, in the order of [`SweepRecord::settings`].
    pub values: Vec<String>,
}

/// One method raced over a grid of its settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepRecord {
    pub title: String,
    /// Name of the method as in settings, e.g. `i_lora`.
    pub method: String,
    /// One or two names of settings: the first is the x axis, the second, if any, gives one curve for each value.
    pub settings: Vec<String>,
}

#[cfg(test)]
pub(in crate::engine::race) mod sample;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_from_a_file_as_it_was() {
        let entry = RaceEntry {
            variant: "I-LoRA r=8".into(),
            order: "reversed".into(),
            seed: u64::MAX,
            sweep: Some(SweepPoint { sweep: 0, values: vec!["8".into(), "last".into()] }),
            report: RunReport { method: "i_lora".into(), train_secs: 0.5, ..RunReport::default() },
        };
        let record = RaceRecord {
            reference: Some("I-LoRA".into()),
            sweeps: vec![SweepRecord { settings: vec!["lora.r".into(), "features".into()], ..SweepRecord::default() }],
            entries: vec![entry],
            failed: vec!["ER, seed 1: killed".into()],
            ..RaceRecord::default()
        };
        let text = serde_json::to_string(&record).unwrap();
        let read: RaceRecord = serde_json::from_str(&text).unwrap();
        assert!(read == record, "{text}");
    }
}
