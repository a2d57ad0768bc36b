//! Progress on stderr: one bar with phase, method, task, loss, tokens per second and time left; plain lines where stderr is
//! no terminal; or every event as JSON on stdout, for other front ends.

use super::args::EventArgs;
use super::table::{clock, percent};
use super::terminal::{note, say, stderr_is_terminal};
use crate::engine::Control;
use crate::engine::protocol::{Event, Steer};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How progress is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Bar,
    /// A line for each phase and each task boundary.
    Lines,
    JsonEvents,
    Quiet,
}

impl Mode {
    fn choose(events: EventArgs, quiet: bool, is_terminal: bool) -> Self {
        match (events.json_events, quiet, is_terminal) {
            (true, _, _) => Self::JsonEvents,
            (_, true, _) => Self::Quiet,
            (_, _, true) => Self::Bar,
            _ => Self::Lines,
        }
    }
}

/// Shows a run's events.
pub(super) struct Progress {
    mode: Mode,
    bar: ProgressBar,
    control: Control,
    /// `I-LoRA`, with its number where there are several runs.
    method: String,
    tasks: Vec<String>,
    phase: String,
    steps_total: u64,
    steps_done: u64,
}

impl Progress {
    /// Where events cannot be written any more, `control` is told to stop.
    pub(super) fn new(events: EventArgs, quiet: bool, control: &Control) -> Self {
        let mode = Mode::choose(events, quiet, stderr_is_terminal());
        let target = if mode == Mode::Bar { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        Self {
            mode,
            bar,
            control: control.clone(),
            method: String::new(),
            tasks: Vec::new(),
            phase: String::new(),
            steps_total: 0,
            steps_done: 0,
        }
    }

    /// Tells one event.
    #[allow(clippy::needless_pass_by_value)] // the shape of the engine's sink
    pub(super) fn show(&mut self, event: Event) {
        match self.mode {
            Mode::Quiet => {
                if let Event::Failed { message, .. } = event {
                    note(&format!("failed: {message}"));
                }
            }
            Mode::JsonEvents => self.write_json(&event),
            Mode::Bar | Mode::Lines => {
                if self.mode == Mode::Bar {
                    self.draw(&event);
                }
                if let Some(line) = self.line(&event) {
                    if self.mode == Mode::Bar { self.bar.suspend(|| note(&line)) } else { note(&line) }
                }
            }
        }
    }

    /// Takes the bar away.
    pub(super) fn close(&self) {
        self.bar.finish_and_clear();
    }

    fn write_json(&self, event: &Event) {
        let written = serde_json::to_string(event).map_err(std::io::Error::other).and_then(|line| say(&line));
        if written.is_err() && !self.control.is_stopped() {
            note("the events cannot be written any more: stopping");
            self.control.send(Steer::Stop);
        }
    }

    fn draw(&mut self, event: &Event) {
        match event {
            Event::PhaseStarted { phase, detail } => {
                self.phase.clone_from(phase);
                self.bar.set_style(style(phase == "training", false));
                self.bar.set_prefix(words(&[&self.method, phase, detail]));
                self.bar.set_message("");
                self.bar.set_length(self.steps_total);
                self.bar.set_position(self.steps_done);
            }
            Event::Stepped { step, steps_total, eta_secs, .. } => {
                (self.steps_done, self.steps_total) = (step.step, *steps_total);
                self.bar.set_length(*steps_total);
                self.bar.set_position(step.step);
                let loss = step.losses.first().map_or_else(String::new, |(_, loss)| format!("loss {loss:.3}"));
                let left = eta_secs.map_or_else(String::new, |secs| format!("{} left", clock(secs)));
                self.bar.set_message(words(&[&loss, &format!("{:.0} tokens/s", step.tokens_per_sec), &left]));
            }
            Event::EvaluationProgressed { done, total, .. } => {
                self.bar.set_style(style(false, true));
                self.bar.set_length(*total as u64);
                self.bar.set_position(*done as u64);
            }
            Event::Paused { .. } => self.bar.set_message("paused"),
            Event::Resumed { .. } => self.bar.set_message(""),
            _ => {}
        }
        self.bar.tick();
    }

    /// The line that stays: for everybody at task boundaries, and for plain output at each phase.
    fn line(&mut self, event: &Event) -> Option<String> {
        let plain = self.mode == Mode::Lines;
        match event {
            Event::RunStarted { run, runs, method_label, tasks, steps_done, steps_total, .. } => {
                self.method =
                    if *runs > 1 { format!("[{}/{runs}] {method_label}", run + 1) } else { method_label.clone() };
                self.tasks.clone_from(tasks);
                (self.steps_done, self.steps_total) = (*steps_done, *steps_total);
                let from = if *steps_done > 0 { format!(" from step {steps_done}") } else { String::new() };
                let plural = if tasks.len() == 1 { "" } else { "s" };
                Some(format!("{}: {} task{plural}, {steps_total} steps{from}", self.method, tasks.len()))
            }
            Event::PhaseStarted { phase, detail } if plain => Some(words(&[&self.method, phase, detail])),
            Event::DeviceChosen { name, reason } => Some(format!("device: {name} ({reason})")),
            Event::Evaluated { after_task, learner, scores, .. } => {
                Some(words(&[&self.method, &boundary(*after_task, learner, &self.tasks, scores)]))
            }
            Event::Finished { report, .. } => Some(format!(
                "{}: trained {}, scored {}",
                self.method,
                clock(report.train_secs),
                clock(report.eval_secs)
            )),
            Event::Stopped { step, .. } => Some(format!("{} stopped at step {step}", self.method)),
            Event::Warned { message } => Some(format!("note: {message}")),
            Event::Failed { message, .. } => Some(format!("failed: {message}")),
            _ => None,
        }
    }
}

/// `after 2 finance, slow learner: stance 93.0, finance 88.0`, of the tasks learnt so far.
fn boundary(after_task: Option<usize>, learner: &str, tasks: &[String], scores: &[Option<f64>]) -> String {
    let task = |index: usize| tasks.get(index).map_or_else(|| (index + 1).to_string(), Clone::clone);
    let shown = after_task.map_or(scores.len(), |after| after + 1);
    let list: Vec<String> = scores
        .iter()
        .take(shown)
        .enumerate()
        .map(|(index, score)| format!("{} {}", task(index), percent(*score)))
        .collect();
    let when =
        after_task.map_or_else(|| "before training".into(), |after| format!("after {} {}", after + 1, task(after)));
    let who = match learner {
        "working" => ", fast learner",
        "long_term" => ", slow learner",
        _ => "",
    };
    format!("{when}{who}: {}", list.join(", "))
}

fn words(parts: &[&str]) -> String {
    parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("  ")
}

/// Only a phase that counts something has a bar.
fn style(steps: bool, examples: bool) -> ProgressStyle {
    let template = match (steps, examples) {
        (true, _) => "{prefix}  [{bar:24}] {pos}/{len}  {msg}",
        (_, true) => "{prefix}  [{bar:24}] {pos}/{len} examples",
        _ => "{prefix} …  {msg}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_wins_over_quiet_and_quiet_over_bars() {
        let json = EventArgs { json_events: true };
        let bars = EventArgs::default();
        assert_eq!(Mode::choose(json, true, true), Mode::JsonEvents);
        assert_eq!(Mode::choose(bars, true, true), Mode::Quiet);
        assert_eq!(Mode::choose(bars, false, true), Mode::Bar);
        assert_eq!(Mode::choose(bars, false, false), Mode::Lines);
    }

    #[test]
    fn a_boundary_tells_the_tasks_learnt_so_far() {
        let tasks = ["law".to_string(), "stance".into(), "finance".into()];
        let scores = [Some(0.5), Some(0.912), Some(0.1)];
        assert_eq!(
            boundary(Some(1), "long_term", &tasks, &scores),
            "after 2 stance, slow learner: law 50.0, stance 91.2"
        );
        assert_eq!(boundary(None, "base", &tasks, &scores), "before training: law 50.0, stance 91.2, finance 10.0");
    }

    #[test]
    fn plain_output_has_a_line_for_each_phase_and_none_for_a_step() {
        let mut progress = Progress::new(EventArgs::default(), true, &Control::default());
        progress.mode = Mode::Lines;
        let started = Event::RunStarted {
            run: 1,
            runs: 2,
            method_label: "I-LoRA".into(),
            tasks: vec!["law".into()],
            steps_done: 5,
            steps_total: 40,
            folder: None,
            report: None,
        };
        assert_eq!(progress.line(&started).unwrap(), "[2/2] I-LoRA: 1 task, 40 steps from step 5");
        let phase = Event::PhaseStarted { phase: "training".into(), detail: "law".into() };
        assert_eq!(progress.line(&phase).unwrap(), "[2/2] I-LoRA  training  law");
        assert!(progress.line(&Event::CheckpointSaved { run: 1, step: 6 }).is_none());
        progress.mode = Mode::Bar;
        assert!(progress.line(&phase).is_none(), "the bar shows the phase");
    }

    #[test]
    fn the_templates_are_sound() {
        for template in [(true, false), (false, true), (false, false)] {
            let _ = style(template.0, template.1);
        }
        assert!(ProgressStyle::with_template("{prefix}  [{bar:24}] {pos}/{len}  {msg}").is_ok());
    }
}
