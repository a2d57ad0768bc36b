//! Runs gathered by seed: the one place that decides what is averaged with what.
//!
//! Runs of one seed in several orders share their data and the initial adapter. They are averaged first, and what the
//! statistics take is one number a seed. Only runs on the same set of tasks are averaged.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::race::record::{RaceEntry, RaceRecord};
use crate::engine::race::statistics::{Estimate, mean};
use crate::engine::report::{LearnerReport, RunReport};

/// The finished runs of a race that can be compared with each other.
pub(in crate::engine::race) struct Finished<'a> {
    /// Runs on the set of tasks that most runs have.
    pub kept: Vec<&'a RaceEntry>,
    /// Runs on other tasks, in no table and no picture.
    pub aside: Vec<&'a RaceEntry>,
    /// Labels of the variants: those of the record, then any others that have runs.
    pub variants: Vec<&'a str>,
}

impl<'a> Finished<'a> {
    pub fn of(record: &'a RaceRecord) -> Self {
        let mut counts: BTreeMap<BTreeSet<&str>, usize> = BTreeMap::new();
        for entry in &record.entries {
            *counts.entry(task_names(entry)).or_default() += 1;
        }
        // where as many runs have one set as another, the first run decides
        let mut usual: Option<(&BTreeSet<&str>, usize)> = None;
        for names in record.entries.iter().map(task_names) {
            if let Some((names, count)) = counts.get_key_value(&names)
                && usual.is_none_or(|(_, most)| *count > most)
            {
                usual = Some((names, *count));
            }
        }
        let (kept, aside) =
            record.entries.iter().partition(|entry| usual.is_some_and(|(names, _)| task_names(entry) == *names));
        let mut variants: Vec<&str> = Vec::new();
        let raced = record.entries.iter().filter(|entry| entry.sweep.is_none()).map(|entry| entry.variant.as_str());
        for label in record.variants.iter().map(String::as_str).chain(raced) {
            if !variants.contains(&label) {
                variants.push(label);
            }
        }
        Self { kept, aside, variants }
    }

    /// The runs of a variant, without those of sweeps.
    pub fn variant(&self, label: &str) -> Runs<'a> {
        self.filtered(|entry| entry.sweep.is_none() && entry.variant == label)
    }

    /// The runs at a point of a sweep.
    pub fn point(&self, sweep: usize, values: &[String]) -> Runs<'a> {
        self.filtered(|entry| entry.sweep.as_ref().is_some_and(|point| point.sweep == sweep && point.values == values))
    }

    /// All runs of variants.
    pub fn raced(&self) -> Runs<'a> {
        self.filtered(|entry| entry.sweep.is_none())
    }

    fn filtered(&self, keep: impl Fn(&RaceEntry) -> bool) -> Runs<'a> {
        Runs { entries: self.kept.iter().copied().filter(|entry| keep(entry)).collect() }
    }
}

/// Finished runs of one variant or of one point of a sweep.
#[derive(Clone, Default)]
pub(in crate::engine::race) struct Runs<'a> {
    pub entries: Vec<&'a RaceEntry>,
}

impl<'a> Runs<'a> {
    /// Name of the method, of the first run.
    pub fn method(&self) -> Option<&'a str> {
        self.entries.first().map(|entry| entry.report.method.as_str())
    }

    /// The learner the runs are judged by, as the first run has it.
    pub fn headline(&self) -> Option<&'a LearnerReport> {
        self.entries.iter().find_map(|entry| entry.report.headline_learner())
    }

    /// The seeds in ascending order.
    pub fn seeds(&self) -> Vec<u64> {
        self.entries.iter().map(|entry| entry.seed).collect::<BTreeSet<u64>>().into_iter().collect()
    }

    /// The orders of the tasks as they first appear.
    pub fn orders(&self) -> Vec<&'a str> {
        let mut orders: Vec<&str> = Vec::new();
        for entry in &self.entries {
            if !orders.contains(&entry.order.as_str()) {
                orders.push(&entry.order);
            }
        }
        orders
    }

    /// The runs in one order of the tasks.
    pub fn in_order(&self, order: &str) -> Self {
        Self { entries: self.entries.iter().copied().filter(|entry| entry.order == order).collect() }
    }

    /// `(seed, order)` of every run.
    pub fn places(&self) -> BTreeSet<(u64, &'a str)> {
        self.entries.iter().map(|entry| (entry.seed, entry.order.as_str())).collect()
    }

    /// One number a seed: the mean of its runs. A seed with a run that lacks the number has none.
    pub fn per_seed(&self, value: impl Fn(&RunReport) -> Option<f64>) -> Vec<f64> {
        let mut seeds: BTreeMap<u64, Option<Vec<f64>>> = BTreeMap::new();
        for entry in &self.entries {
            let values = seeds.entry(entry.seed).or_insert_with(|| Some(Vec::new()));
            match value(&entry.report).filter(|value| value.is_finite()) {
                Some(value) => values.iter_mut().for_each(|values| values.push(value)),
                None => *values = None,
            }
        }
        seeds.into_values().flatten().map(|values| mean(&values)).collect()
    }

    /// Mean over seeds of the numbers of [`Self::per_seed`].
    pub fn estimate(&self, value: impl Fn(&RunReport) -> Option<f64>) -> Option<Estimate> {
        Estimate::of(&self.per_seed(value))
    }

    /// One number a seed from the runs that both have: `join(ours, theirs)` of the same seed and order, averaged over orders.
    ///
    /// Pairs in which either number is missing are left out as a whole, so that both sides always meet on equal terms.
    pub fn paired(
        &self,
        ours: impl Fn(&RunReport) -> Option<f64>,
        other: &Runs<'_>,
        theirs: impl Fn(&RunReport) -> Option<f64>,
        join: impl Fn(f64, f64) -> f64,
    ) -> Vec<f64> {
        let mut seeds: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for entry in &self.entries {
            let same = |other: &&&RaceEntry| other.seed == entry.seed && other.order == entry.order;
            let Some(opposite) = other.entries.iter().find(same) else { continue };
            if let (Some(our), Some(their)) = (ours(&entry.report), theirs(&opposite.report)) {
                seeds.entry(entry.seed).or_default().push(join(our, their));
            }
        }
        seeds.values().map(|values| mean(values)).filter(|value| value.is_finite()).collect()
    }
}

/// The learner of this name.
pub(in crate::engine::race) fn learner<'r>(report: &'r RunReport, name: &str) -> Option<&'r LearnerReport> {
    report.learners.iter().find(|learner| learner.name == name)
}

/// Optimiser steps of a run, all tasks together; `None` where nothing was trained.
pub(in crate::engine::race) fn steps(report: &RunReport) -> Option<u64> {
    report.steps.last().map(|step| step.step).filter(|steps| *steps > 0)
}

/// Seconds of training an optimiser step took, all tasks together.
pub(in crate::engine::race) fn secs_per_step(report: &RunReport) -> Option<f64> {
    Some(report.train_secs / steps(report)? as f64).filter(|secs| secs.is_finite())
}

fn task_names(entry: &RaceEntry) -> BTreeSet<&str> {
    entry.report.tasks.iter().map(|task| task.name.as_str()).collect()
}
