//! What a run does for those who watch it, between two steps: shows and changes the replay buffer, generates text with its
//! learners, hands out their adapters.

use super::{Run, Sink};
use crate::continual::Learnt;
use crate::continual::replay::{ReplayBuffer, ReplayItem, ReplayPolicy};
use crate::engine::buffer_map::map_buffer;
use crate::engine::control::Control;
use crate::engine::evaluator::read;
use crate::engine::protocol::buffer::{ALWAYS_TOLD, BufferEdit, BufferPreview, BufferWatch};
use crate::engine::protocol::{AdapterSource, Command, Event};
use crate::engine::{EngineError, writer};
use crate::io::peft;
use crate::model::{Adapter, Overlay, PlainAdapter};
use crate::platform;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use std::path::Path;

/// Changes of the buffer are told at most once in so many seconds.
const WATCH_SECS: f64 = 0.25;
/// A buffer of at most so many items is mapped at each task's end without being asked: a second's work for a small model.
const MAPPED_UNASKED: usize = 1_000;

impl Run {
    /// Carries out what lies in the tray. What fails is told and stops nothing.
    pub(super) async fn serve(&mut self, control: &Control, emit: Sink<'_>) {
        while let Some(command) = control.take() {
            match self.carry_out(&command, control, emit).await {
                Ok(()) => {}
                Err(error) => emit(refusal(&command, &error)),
            }
            // What was done meanwhile is no part of a step's time.
            self.trainer.reset_clock();
        }
    }

    async fn carry_out(&mut self, command: &Command, control: &Control, emit: Sink<'_>) -> Result<(), EngineError> {
        match command {
            Command::EditBuffer { edit } => {
                self.edit_buffer(edit)?;
                self.last_watch = 0.0;
                self.tell_buffer(control, emit);
                Ok(())
            }
            Command::PreviewBuffer { policy, capacity } => {
                let kept = self.preview(*policy, *capacity)?;
                let preview = BufferPreview { policy: *policy, capacity: *capacity, kept };
                emit(Event::BufferPreviewed { run: self.index, preview: Box::new(preview) });
                Ok(())
            }
            Command::MapBuffer => self.tell_map(emit).await,
            Command::Mark { id, .. } if control.is_unwanted(*id) => Ok(()),
            Command::Generate { id, prompt, sources, sampling, .. } => {
                for (index, source) in sources.iter().enumerate() {
                    if control.is_unwanted(*id) {
                        writer::leave_out(*id, index..sources.len(), emit);
                        break;
                    }
                    let overlay = self.overlay(source)?;
                    let mut tell = |text: &str, done: bool, tokens_per_sec: f64| {
                        let text = text.to_string();
                        emit(Event::Generated { id: *id, source: index, text, done, tokens_per_sec });
                        !control.is_stopped() && !control.is_unwanted(*id)
                    };
                    writer::write(&self.prepared, &overlay, prompt, sampling, &mut tell).await?;
                }
                self.trainer.reset_clock();
                Ok(())
            }
            Command::Mark { id, source, examples, .. } => {
                let overlay = self.overlay(source)?;
                let examples = writer::mark(&self.prepared, &overlay, examples).await?;
                emit(Event::Marked { id: *id, examples });
                Ok(())
            }
            Command::ExportAdapter { from, path } => {
                self.export(from, Path::new(path)).await?;
                emit(Event::Exported { what: "the adapter".into(), path: path.clone() });
                Ok(())
            }
            other => Err(EngineError::Setting(format!("{} cannot be done while a run goes on", name_of(other)))),
        }
    }

    async fn tell_map(&mut self, emit: Sink<'_>) -> Result<(), EngineError> {
        let learner = self.trainer.learners(self.task()).into_iter().find(|learner| learner.headline);
        let (name, overlay) = learner.map_or((String::from("base"), Overlay::default()), |learner| {
            (learner.name.to_string(), learner.learnt.overlay())
        });
        let items = self.buffer()?.items().to_vec();
        let mut map = map_buffer(&self.prepared, &items, &overlay).await?;
        (map.step, map.learner) = (self.trainer.position().step, name);
        emit(Event::BufferMapped { run: self.index, map: Box::new(map) });
        Ok(())
    }

    /// At a task's end, for somebody who watches: the buffer as it is now, and where a small one lies on the map. After the
    /// last task nobody can ask for it any more.
    pub(super) async fn tell_buffer_at_task_end(&mut self, control: &Control, emit: Sink<'_>) {
        self.last_watch = 0.0;
        self.tell_buffer(control, emit);
        let items = self.trainer.buffer().map_or(0, |buffer| buffer.items().len());
        if control.watches_buffer()
            && (1..=MAPPED_UNASKED).contains(&items)
            && let Err(error) = self.tell_map(emit).await
        {
            emit(Event::Warned { message: format!("the replay buffer was not mapped: {error}") });
        }
    }

    /// The task being learnt, or the last one.
    fn task(&self) -> usize {
        self.trainer.position().task.min(self.prepared.tasks.len().saturating_sub(1))
    }

    fn buffer(&self) -> Result<&ReplayBuffer, EngineError> {
        self.trainer.buffer().ok_or_else(|| {
            EngineError::Setting(
                "this method keeps no replay buffer: choose one that replays, such as I-LoRA or ER".into(),
            )
        })
    }

    fn edit_buffer(&mut self, edit: &BufferEdit) -> Result<(), EngineError> {
        self.buffer()?;
        let (step, prepared) = (self.trainer.position().step, self.prepared.clone());
        let done = self.trainer.with_buffer(|buffer, rng| match edit {
            BufferEdit::Pin { id, pinned } => {
                let there = buffer.set_pinned(*id, *pinned);
                there.then(|| format!("item {id} was {}", if *pinned { "pinned" } else { "freed" }))
            }
            BufferEdit::Drop { id } => buffer.remove(*id).map(|_| format!("item {id} was dropped")),
            BufferEdit::Add { task, example_index } => {
                let source = prepared.tasks.get(*task)?;
                let (encoded, text) = (source.train.get(*example_index)?, source.task.train.get(*example_index)?);
                let item = ReplayItem::new(*task, *example_index, encoded.tokens.clone(), encoded.answer_start, step)
                    .with_text(text.prompt.clone(), text.answer.clone());
                buffer
                    .put(item, rng)
                    .then(|| format!("example {} of {} was put in", example_index + 1, source.task.name))
            }
            BufferEdit::Configure { policy, capacity } => {
                buffer.configure(*policy, *capacity, rng);
                Some(format!("its policy became {policy:?} and its capacity {capacity}").to_lowercase())
            }
        });
        match done.flatten() {
            Some(what) => {
                self.gathered.by_hand.push(format!("after step {step} the replay buffer was changed by hand: {what}"));
                Ok(())
            }
            None => Err(EngineError::Setting(
                "nothing was changed: the item is not in the buffer any more, stands in it already, or everything in it is pinned"
                    .into(),
            )),
        }
    }

    /// What another rule would keep; a draw of its own, so that looking changes nothing.
    fn preview(&self, policy: ReplayPolicy, capacity: usize) -> Result<Vec<u64>, EngineError> {
        let mut buffer = self.buffer()?.clone();
        buffer.configure(policy, capacity, &mut ChaCha8Rng::seed_from_u64(self.config.seed));
        Ok(buffer.items().iter().map(|item| item.id).collect())
    }

    /// Tells what changed in the buffer, if somebody looks at it (or may look later, and it is small) and it is time.
    pub(super) fn tell_buffer(&mut self, control: &Control, emit: Sink<'_>) {
        let Some(buffer) = self.trainer.buffer() else { return };
        let small = buffer.len() <= ALWAYS_TOLD && control.follows_buffer();
        if !small && !control.watches_buffer() {
            self.watch = None;
            return;
        }
        if platform::now_secs() - self.last_watch < WATCH_SECS {
            return;
        }
        self.last_watch = platform::now_secs();
        let step = self.trainer.position().step;
        let watch = self.watch.get_or_insert_with(BufferWatch::default);
        if let Some(change) = watch.difference(buffer, step) {
            emit(Event::BufferChanged { run: self.index, change: Box::new(change) });
        }
    }

    /// Tells which adapters lie in the run's folder by now.
    pub(super) fn tell_adapters(&self, emit: Sink<'_>) {
        if let Some(folder) = &self.folder {
            let adapters = super::written_adapters(folder.path());
            if !adapters.is_empty() {
                emit(Event::AdaptersWritten { run: self.index, adapters });
            }
        }
    }

    fn learnt(&self, learner: &str) -> Result<Learnt, EngineError> {
        let learners = self.trainer.learners(self.task());
        let known: Vec<&str> = learners.iter().map(|learner| learner.name).collect();
        let message = format!("this run has no learner `{learner}`, it has: {}", known.join(", "));
        learners
            .into_iter()
            .find(|known| known.name == learner)
            .map(|learner| learner.learnt)
            .ok_or(EngineError::Setting(message))
    }

    fn overlay(&self, source: &AdapterSource) -> Result<Overlay, EngineError> {
        match source {
            AdapterSource::Base => Ok(Overlay::default()),
            AdapterSource::Live { learner } => Ok(self.learnt(learner)?.overlay()),
            AdapterSource::Folder { path } => writer::read_overlay(Path::new(path), &self.prepared.model),
            AdapterSource::OnPath { .. } | AdapterSource::OnPlane { .. } => Err(EngineError::Setting(
                "points of a path or a plane can be looked at when no run is in progress: pause is not enough, stop it first"
                    .into(),
            )),
        }
    }

    async fn export(&self, from: &AdapterSource, path: &Path) -> Result<(), EngineError> {
        match from {
            AdapterSource::Live { learner } => {
                let Learnt::Adapters(adapters) = self.learnt(learner)? else {
                    return Err(EngineError::Setting("this learner has no adapter to export".into()));
                };
                let mut plain = Vec::with_capacity(adapters.len());
                for adapter in adapters {
                    plain.push(Adapter::plain(adapter.layout(), &read(adapter.flat()).await?));
                }
                let model = &self.prepared.model;
                if let Some(sum) = PlainAdapter::concat(&plain) {
                    peft::write_adapter(path, &sum, Some(&model.name), Some(&model.fingerprint))?;
                }
                Ok(())
            }
            AdapterSource::Folder { path: folder } => writer::copy_adapter(Path::new(folder), path),
            _ => Err(EngineError::Setting(
                "only a learner or an adapter's folder can be exported while a run goes on".into(),
            )),
        }
    }
}

/// How a command that failed is answered.
pub(in crate::engine) fn refusal(command: &Command, error: &EngineError) -> Event {
    let message = error.to_string();
    match command {
        Command::Generate { id, .. } => Event::GenerationFailed { id: *id, message },
        Command::Mark { id, .. } => Event::MarkFailed { id: *id, message },
        Command::MeasurePath { id, .. } | Command::MeasurePlane { id, .. } | Command::MeasureSimilarity { id, .. } => {
            Event::ExplorationFailed { id: *id, message }
        }
        Command::Start { run, .. } | Command::ResumeRun { run, .. } => Event::Failed { run: *run, message },
        other => Event::Refused { what: name_of(other).into(), message },
    }
}

/// A command in words, for sentences.
fn name_of(command: &Command) -> &'static str {
    match command {
        Command::EditBuffer { .. } => "changing the replay buffer",
        Command::PreviewBuffer { .. } => "the preview of the replay buffer",
        Command::MapBuffer => "the map of the replay buffer",
        Command::ExportAdapter { .. } => "exporting the adapter",
        Command::OpenRuns { .. } => "opening the run",
        Command::OpenCapsule { .. } => "opening the capsule",
        Command::SaveCapsule { .. } => "saving the capsule",
        Command::RenameRun { .. } => "renaming the run",
        Command::DeleteRun { .. } => "deleting the run",
        Command::DeleteStored { .. } => "making room",
        Command::FindDevices => "measuring the devices",
        _ => "this",
    }
}
