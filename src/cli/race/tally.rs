//! Progress of a race on stderr: a line for each run that ended, and one bar over all of them with the time left.

use super::Checked;
use super::workers::{News, Outcome, Workers};
use crate::cli::table::{clock, percent};
use crate::cli::terminal::{note, stderr_is_terminal};
use crate::engine::race::folder::CellState;
use crate::engine::race::plan::Plan;
use crate::platform;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;

/// Counts what ended and tells it.
pub(super) struct Tally<'a> {
    plan: &'a Plan,
    quiet: bool,
    bar: ProgressBar,
    jobs: usize,
    /// Runs that were asked for and have not ended.
    open: Vec<usize>,
    /// Runs at work, with the moments of their start.
    working: BTreeMap<usize, f64>,
    /// Seconds of finished runs by variant.
    spent: BTreeMap<usize, Vec<f64>>,
    ended: usize,
}

impl<'a> Tally<'a> {
    pub(super) fn new(race: &'a Checked, workers: &Workers<'_>, quiet: bool) -> Self {
        let plan = &race.plan;
        let shown = !quiet && stderr_is_terminal();
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let mut spent: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for (cell, state) in plan.cells.iter().zip(&race.states) {
            if let CellState::Finished { secs } = state {
                spent.entry(cell.variant).or_default().push(*secs);
            }
        }
        let finished: usize = spent.values().map(Vec::len).sum();
        let bar = ProgressBar::with_draw_target(Some((finished + race.open.len()) as u64), target).with_style(style());
        bar.set_position(finished as u64);
        let tally = Self {
            plan,
            quiet,
            bar,
            jobs: workers.jobs,
            open: race.open.clone(),
            working: BTreeMap::new(),
            spent,
            ended: finished,
        };
        let threads = workers.threads.to_string_lossy();
        tally.note(&format!(
            "{} runs, {} to do, {} at once with {threads} thread{} each",
            plan.cells.len(),
            race.open.len(),
            workers.jobs,
            if threads == "1" { "" } else { "s" }
        ));
        tally
    }

    /// Tells what happened. A failure is told even by a quiet race.
    pub(super) fn show(&mut self, news: &News) {
        match news {
            News::Started { run } => {
                self.working.insert(*run, platform::now_secs());
            }
            News::Ended { run, secs, outcome } => {
                self.working.remove(run);
                self.open.retain(|other| other != run);
                let line = self.line(*run, *secs, outcome);
                if matches!(outcome, Outcome::Failed(_)) { self.warn(&line) } else { self.note(&line) }
            }
            News::Waited => {}
        }
        self.bar.set_position(self.ended as u64);
        self.bar.set_message(self.message(platform::now_secs()));
    }

    /// Takes the bar away.
    pub(super) fn close(&self) {
        self.bar.finish_and_clear();
    }

    fn line(&mut self, run: usize, secs: f64, outcome: &Outcome) -> String {
        let name = self.name(run);
        match outcome {
            Outcome::Finished(report) => {
                self.ended += 1;
                let counted = report.train_secs + report.eval_secs;
                self.spent.entry(self.plan.cells[run].variant).or_default().push(counted);
                let accuracy = report.headline_learner().and_then(|learner| learner.matrix.average_accuracy());
                let place = format!("[{}/{}]", self.ended, self.bar.length().unwrap_or_default());
                format!("{place} {name}: average {} %, {}", percent(accuracy), clock(secs))
            }
            Outcome::Stopped => format!("{name}: stopped after {}", clock(secs)),
            Outcome::Failed(reason) => format!("failed: {name}: {reason}"),
        }
    }

    /// `I-LoRA, seed 1, given`.
    fn name(&self, run: usize) -> String {
        let cell = &self.plan.cells[run];
        format!("{}, seed {}, {}", self.plan.variants[cell.variant].label, cell.seed, cell.order)
    }

    /// What is at work, and the time left.
    fn message(&self, now: f64) -> String {
        let working: Vec<String> = self.working.keys().map(|run| self.name(*run)).collect();
        let left = self.secs_left(now).map_or_else(String::new, |secs| format!("{} left  ", clock(secs)));
        format!("{left}{}", working.join(" | "))
    }

    /// Seconds until all that is open is done, if a run takes what others of its variant took, or all on average.
    fn secs_left(&self, now: f64) -> Option<f64> {
        let mean = |list: &[f64]| list.iter().sum::<f64>() / list.len() as f64;
        let all: Vec<f64> = self.spent.values().flatten().copied().collect();
        if all.is_empty() {
            return None;
        }
        let of = |run: usize| {
            let usual = self.spent.get(&self.plan.cells[run].variant).map_or_else(|| mean(&all), |list| mean(list));
            let worked = self.working.get(&run).map_or(0.0, |started| now - started);
            (usual - worked).max(0.0)
        };
        Some(self.open.iter().map(|run| of(*run)).sum::<f64>() / self.jobs as f64)
    }

    fn note(&self, line: &str) {
        if !self.quiet {
            self.bar.suspend(|| note(line));
        }
    }

    fn warn(&self, line: &str) {
        self.bar.suspend(|| note(line));
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("[{bar:24}] {pos}/{len} runs  {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::continual::metrics::AccuracyMatrix;
    use crate::engine::race::config::RaceConfig;
    use crate::engine::report::{LearnerReport, RunReport};

    /// Two variants with two seeds; one run of the first variant took 10 s before.
    fn tally(plan: &Plan) -> Tally<'_> {
        Tally {
            plan,
            quiet: true,
            bar: ProgressBar::with_draw_target(Some(4), ProgressDrawTarget::hidden()),
            jobs: 2,
            open: vec![1, 2, 3],
            working: BTreeMap::new(),
            spent: BTreeMap::from([(0, vec![10.0])]),
            ended: 1,
        }
    }

    fn plan() -> Plan {
        let text = "methods = [\"seq\", \"er\"]\nseeds = [1, 2]\n[experiment]\ntasks = [\"builtin:law\"]\n";
        Plan::new(&RaceConfig::parse(text, "r.toml").unwrap()).unwrap()
    }

    fn finished(train_secs: f64) -> Outcome {
        let mut matrix = AccuracyMatrix::new(1);
        matrix.set_score(0, 0, 0.875);
        let learner = LearnerReport { name: "model".into(), matrix, curve: Vec::new() };
        Outcome::Finished(Box::new(RunReport { learners: vec![learner], train_secs, ..RunReport::default() }))
    }

    #[test]
    fn a_finished_run_is_told_with_its_place_and_score() {
        let plan = plan();
        let mut tally = tally(&plan);
        assert_eq!(tally.line(1, 65.0, &finished(60.0)), "[2/4] ER, seed 1, given: average 87.5 %, 1:05");
        assert_eq!(tally.line(2, 3.0, &Outcome::Stopped), "Seq, seed 2, given: stopped after 0:03");
        let failed = Outcome::Failed("no luck".into());
        assert_eq!(tally.line(3, 3.0, &failed), "failed: ER, seed 2, given: no luck");
    }

    #[test]
    fn the_time_left_is_that_of_each_variant_shared_by_the_jobs() {
        let plan = plan();
        let mut tally = tally(&plan);
        // nothing is known of ER yet: three runs of 10 s, two at once
        assert_eq!(tally.secs_left(100.0), Some(15.0));
        tally.show(&News::Ended { run: 1, secs: 31.0, outcome: finished(30.0) });
        // 10 s of Seq and 30 s of ER are left
        assert_eq!(tally.secs_left(100.0), Some(20.0));
        // what is at work has less before it, but never less than nothing
        tally.working = BTreeMap::from([(2, 96.0), (3, 0.0)]);
        assert_eq!(tally.secs_left(100.0), Some(6.0 / 2.0));
        tally.spent.clear();
        assert_eq!(tally.secs_left(100.0), None);
    }

    #[test]
    fn the_template_is_sound() {
        assert!(ProgressStyle::with_template("[{bar:24}] {pos}/{len} runs  {wide_msg}").is_ok());
    }
}
