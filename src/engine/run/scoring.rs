//! When and how a run is scored: before training, at each task's end, and on a subset in between.

use super::{COMPILING, EVENT_SECS, Run, Sink};
use crate::continual::Learnt;
use crate::engine::EngineError;
use crate::engine::control::Control;
use crate::engine::evaluator::evaluate;
use crate::engine::protocol::Event;
use crate::engine::report::{CurvePoint, LearnerReport};
use crate::platform;

impl Run {
    /// Scores the base model; `false` when stopped.
    pub(super) async fn zero_shot(&mut self, control: &Control, emit: Sink<'_>) -> Result<bool, EngineError> {
        let evaluating = || Event::PhaseStarted { phase: "evaluating".into(), detail: "before training".into() };
        let mut compiling = self.is_uncompiled() && self.prepared.zero_shot.get().is_none();
        emit(match (compiling, evaluating()) {
            (true, _) => Event::PhaseStarted { phase: COMPILING.into(), detail: "before training".into() },
            (false, evaluating) => evaluating,
        });
        // The kernels are there once the first batch is scored.
        let mut emit = |event: Event| {
            if matches!(event, Event::EvaluationProgressed { .. }) && std::mem::take(&mut compiling) {
                emit(evaluating());
            }
            emit(event);
        };
        let before = platform::now_secs();
        let scores = match self.prepared.zero_shot.get() {
            Some(scores) => scores.clone(),
            None => {
                let Some(scores) = self.score_all(None, usize::MAX, control, &mut emit).await? else {
                    return Ok(false);
                };
                self.prepared.zero_shot.get_or_init(|| scores).clone()
            }
        };
        self.gathered.eval_secs += platform::now_secs() - before;
        for learner in &mut self.gathered.learners {
            for (task, score) in scores.iter().enumerate() {
                if let Some(score) = score {
                    learner.matrix.set_zero_shot(task, *score);
                }
            }
            learner.curve.push(CurvePoint { step: 0, task_scores: scores.clone() });
        }
        emit(Event::Evaluated { run: self.index, after_task: None, learner: "base".into(), scores: scores.clone() });
        self.gathered.zero_shot = scores.into_iter().map(|score| Some(score.unwrap_or_default())).collect();
        Ok(true)
    }

    /// Scores every learner on every task after a task; `false` when stopped.
    pub(super) async fn boundary(
        &mut self,
        row: usize,
        control: &Control,
        emit: Sink<'_>,
    ) -> Result<bool, EngineError> {
        emit(Event::PhaseStarted { phase: "evaluating".into(), detail: format!("after task {}", row + 1) });
        let before = platform::now_secs();
        let step = self.trainer.position().step;
        for index in 0..self.gathered.learners.len() {
            let Some(scores) = self.score_all(Some(index), usize::MAX, control, emit).await? else { return Ok(false) };
            let learner = &mut self.gathered.learners[index];
            for (task, score) in scores.iter().enumerate() {
                if let Some(score) = score {
                    learner.matrix.set_score(row, task, *score);
                }
            }
            // A boundary that is scored again after an interruption replaces its point.
            learner.curve.retain(|point| point.step < step);
            learner.curve.push(CurvePoint { step, task_scores: scores.clone() });
            let name = learner.name.clone();
            emit(Event::Evaluated { run: self.index, after_task: Some(row), learner: name, scores });
        }
        self.gathered.eval_secs += platform::now_secs() - before;
        self.trainer.reset_clock();
        Ok(true)
    }

    /// Is the present step one inside a task to be scored, and not scored yet for every learner?
    pub(super) fn curve_point_is_due(&self) -> bool {
        let (every, at) = (self.config.evaluation.every_steps, self.trainer.position());
        let scored = |learner: &LearnerReport| learner.curve.last().is_some_and(|point| point.step == at.step);
        let inside = every > 0 && at.task_step > 0 && at.task_step.is_multiple_of(every);
        inside && !self.gathered.learners.iter().all(scored)
    }

    /// Scores a subset in the middle of a task, for the curves.
    pub(super) async fn curve_point(&mut self, control: &Control, emit: Sink<'_>) -> Result<(), EngineError> {
        let (before, subset) = (platform::now_secs(), self.config.evaluation.subset);
        let step = self.trainer.position().step;
        for index in 0..self.gathered.learners.len() {
            let Some(task_scores) = self.score_all(Some(index), subset, control, emit).await? else { return Ok(()) };
            let learner = &mut self.gathered.learners[index];
            learner.curve.retain(|point| point.step < step);
            let point = CurvePoint { step, task_scores };
            learner.curve.push(point.clone());
            emit(Event::CurvePointScored { run: self.index, learner: learner.name.clone(), point });
        }
        self.gathered.eval_secs += platform::now_secs() - before;
        Ok(())
    }

    /// Scores one learner (or the base model) on all tasks; `None` when stopped.
    async fn score_all(
        &self,
        learner: Option<usize>,
        limit: usize,
        control: &Control,
        emit: Sink<'_>,
    ) -> Result<Option<Vec<Option<f64>>>, EngineError> {
        let batch_size = self.config.evaluation.batch_size;
        let total: usize = self.prepared.tasks.iter().map(|task| task.task.eval.len().min(limit)).sum();
        let (mut done, mut scores) = (0, Vec::with_capacity(self.prepared.tasks.len()));
        for task in 0..self.prepared.tasks.len() {
            let learner = learner.and_then(|index| self.trainer.learners(task).into_iter().nth(index));
            let learnt = learner.map_or(Learnt::Base, |learner| learner.learnt);
            // The base model's scores are known.
            if let (Learnt::Base, Some(score), true) = (&learnt, self.gathered.zero_shot[task], limit == usize::MAX) {
                scores.push(Some(score));
                continue;
            }
            let overlay = learnt.overlay();
            let run = self.index;
            let mut last_event = platform::now_secs();
            let mut watch = |count: usize| {
                done += count;
                if platform::now_secs() - last_event >= EVENT_SECS {
                    last_event = platform::now_secs();
                    emit(Event::EvaluationProgressed { run, done, total });
                }
                control.is_stopped()
            };
            let score = evaluate(&self.prepared, task, &overlay, limit, batch_size, &mut watch).await?;
            if control.is_stopped() {
                return Ok(None);
            }
            scores.push(score);
        }
        Ok(Some(scores))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::catalogue::catalogue;
    use crate::engine::config::{BUILTIN_MODEL, ExperimentConfig, MethodConfig};
    use crate::engine::device::OpenDevice;
    use crate::engine::prepare::{load_model, open_model, prepare};
    use std::sync::Arc;

    #[test]
    fn a_device_that_compiles_says_so_until_it_has_its_kernels() {
        let presets = catalogue().presets;
        let (_, demo) = presets.iter().find(|(name, _)| name == "demo").unwrap();
        let mut config = ExperimentConfig::parse(demo, "demo").unwrap();
        config.methods = vec![MethodConfig::Name("seq".into())];
        config.tasks.truncate(1);
        (config.training.steps_per_task, config.evaluation.max_examples) = (2, 4);
        let device = OpenDevice { compiles_kernels: true, ..OpenDevice::cpu("as slow to begin as a GPU") };
        let model = load_model(&mut open_model(BUILTIN_MODEL).unwrap(), &device, 256).unwrap();
        let prepared = Arc::new(prepare(&config, model, 0).unwrap());
        let phases = || {
            let mut run = Run::new(config.clone(), (0, 1), prepared.clone(), None, String::new()).unwrap();
            let mut phases = Vec::new();
            let mut emit = |event: Event| match event {
                Event::PhaseStarted { phase, detail } if phase != "evaluating" => phases.push((phase, detail)),
                _ => {}
            };
            platform::block_on(run.execute(&Control::default(), &mut emit)).unwrap().unwrap();
            phases
        };
        let told = phases();
        let words: Vec<&str> = told.iter().map(|(phase, _)| phase.as_str()).collect();
        assert_eq!(words, [COMPILING, COMPILING, "training"], "{told:?}");
        assert_eq!((told[0].1.as_str(), &told[1].1), ("before training", &prepared.tasks[0].task.name));
        let again = phases();
        assert_eq!(again[0].0, "warming up", "the kernels are there: {again:?}");
    }
}
