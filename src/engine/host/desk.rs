//! The desk: the one thread that owns tensors. One job after the other; a job that panics ends alone.

use super::holds::Hold;
use super::{Job, Shared, Teller, lock};
use crate::engine::caught::caught;
use crate::engine::choose::measured;
use crate::engine::config::{ExperimentConfig, ReplayConfig};
use crate::engine::control::Control;
use crate::engine::device::{AdapterReport, DeviceChoice, OpenDevice, adapters, candidates, lose};
use crate::engine::experiment::load;
use crate::engine::landscape::shelf::Shelf;
use crate::engine::prepare::Prepared;
use crate::engine::protocol::cards::DeviceCard;
use crate::engine::protocol::{AdapterSource, Command, Event};
use crate::engine::run::{Ending, Run, refusal};
use crate::engine::run_folder::{CONFIG_FILE, RunFolder};
use crate::engine::{EngineError, bench, writer};
use crate::io::peft;
use crate::model::{LoraConfig, Overlay};
use crate::platform::{self, fs};
use async_channel::Receiver;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Memory is told at most once in so many seconds.
const MEMORY_SECS: f64 = 1.0;
/// Seconds spent on measuring each device.
const DEVICE_SECS: f64 = 1.5;

/// Does jobs until the window is gone.
pub(super) async fn work(jobs: &Receiver<Job>, shared: &Shared, teller: &Teller) {
    let mut desk = Desk::default();
    while let Ok(job) = jobs.recv().await {
        let control = Control::sharing(&shared.unwanted);
        control.watch_buffer(shared.watches_buffer.load(Ordering::SeqCst));
        let run = match &job {
            Job::Run { run, .. } | Job::Resume { run, .. } => Some(*run),
            Job::Other(..) => None,
            #[cfg(test)]
            Job::Die { run } => Some(*run),
        };
        if run.is_some() {
            control.open_tray();
        }
        *lock(&shared.control) = control.clone();
        let result = caught(Box::pin(desk.carry_out(job, &control, shared, teller))).await;
        // What was asked of the run after its last look at the tray needs no run; what is asked from now on is queued.
        let late = control.close_tray();
        *lock(&shared.exploration) = None;
        match result {
            Ok(()) => {}
            Err(cause) => {
                // What it held may be half changed, and a lost device stays lost: begin anew.
                desk = Desk::default();
                let message = format!(
                    "the engine stopped by a fault of its own ({cause}). Nothing on the disk is lost: resume the run, it goes on from its last checkpoint, or choose the CPU as device"
                );
                if let Some(run) = run {
                    teller.tell(Event::Failed { run, message: message.clone() });
                }
                teller.tell(Event::EngineDied { message });
            }
        }
        for command in late {
            let late = Job::Other(Box::new(command), Hold::default());
            if let Err(cause) = caught(Box::pin(desk.carry_out(late, &control, shared, teller))).await {
                desk = Desk::default();
                let message = format!("a question to the model failed by a fault of the program ({cause})");
                teller.tell(Event::EngineDied { message });
            }
        }
        teller.tell(Event::PhaseStarted { phase: "idle".into(), detail: String::new() });
    }
}

/// Was a run stopped or taken out of the queue while its model was being loaded? Then it never begins.
fn unwanted(run: usize, control: &Control, shared: &Shared, emit: &mut dyn FnMut(Event)) -> bool {
    let dropped = lock(&shared.dropped).remove(&(run as u64));
    if !dropped && control.is_stopped() {
        emit(Event::Unqueued { run });
    }
    dropped || control.is_stopped()
}

/// Sizes and times of the files of model and tasks: a file that was changed is another file.
fn stamps(experiment: &ExperimentConfig) -> String {
    let stamp = |path: &Path| {
        let about = fs::metadata(path).ok();
        about.map(|about| format!("{} {:?};", about.len(), about.modified().ok())).unwrap_or_default()
    };
    let of = |path: &str| {
        let path = Path::new(path);
        let mut inside: Vec<_> = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        inside.sort();
        inside.iter().map(|path| stamp(path)).fold(stamp(path), |all, one| all + &one)
    };
    experiment.tasks.iter().map(|task| of(task.source())).fold(of(&experiment.model), |all, one| all + &one)
}

/// What stays in memory from job to job.
#[derive(Default)]
struct Desk {
    /// The last model and tasks, the experiment they were prepared for, and the [`stamps`] of its files.
    prepared: Option<(ExperimentConfig, String, Arc<Prepared>)>,
    shelf: Shelf,
}

impl Desk {
    async fn carry_out(&mut self, job: Job, control: &Control, shared: &Shared, teller: &Teller) {
        let mut told_memory = 0.0;
        let mut emit = |event: Event| {
            teller.tell(event);
            let now = platform::now_secs();
            if now - told_memory > MEMORY_SECS {
                told_memory = now;
                if let Some(peak_bytes) = platform::peak_memory_bytes() {
                    teller.tell(Event::MemoryMeasured { peak_bytes });
                }
            }
        };
        match job {
            Job::Run { run, runs, frozen, whole, hold } => {
                if lock(&shared.dropped).remove(&(run as u64)) {
                    return;
                }
                let result =
                    Box::pin(self.run((run, runs), *frozen, &whole, &hold, (control, shared), &mut emit)).await;
                if let Err(error) = result {
                    self.after(&error);
                    emit(Event::Failed { run, message: error.to_string() });
                }
            }
            #[cfg(test)]
            Job::Die { .. } => panic!("dying on purpose"),
            Job::Resume { run, folder, hold } => {
                if lock(&shared.dropped).remove(&(run as u64)) {
                    return;
                }
                if let Err(error) = Box::pin(self.resume(run, &folder, &hold, (control, shared), &mut emit)).await {
                    self.after(&error);
                    emit(Event::Failed { run, message: error.to_string() });
                }
            }
            Job::Other(command, _hold) => {
                let id = match &*command {
                    Command::MeasurePath { id, .. }
                    | Command::MeasurePlane { id, .. }
                    | Command::MeasureSimilarity { id, .. } => Some(*id),
                    _ => None,
                };
                if let Some(id) = id.filter(|id| lock(&shared.dropped).remove(id)) {
                    emit(Event::ExplorationFailed {
                        id,
                        message: "the measurement was stopped before it began".into(),
                    });
                    return;
                }
                *lock(&shared.exploration) = id;
                if let Err(error) = Box::pin(self.other(&command, control, &mut emit)).await {
                    self.after(&error);
                    emit(refusal(&command, &error));
                }
            }
        }
    }

    /// A device that failed may be lost for good, and what lies on it with it: the next job loads anew.
    fn after(&mut self, error: &EngineError) {
        if matches!(error, EngineError::Device(_)) {
            if let Some((.., prepared)) = &self.prepared {
                lose(&prepared.model.device_name);
            }
            *self = Self::default();
        }
    }

    /// Model and tasks of an experiment; those of the last job, if they are the same and their files have not changed.
    async fn prepare(
        &mut self,
        experiment: &ExperimentConfig,
        emit: &mut dyn FnMut(Event),
    ) -> Result<Arc<Prepared>, EngineError> {
        let mut wanted = experiment.clone();
        // What does not change model, tasks or the room for prompts.
        (wanted.title, wanted.output) = (String::new(), String::new());
        (wanted.replay, wanted.lora) = (ReplayConfig::default(), LoraConfig::default());
        let stamps = stamps(experiment);
        let known = self.prepared.as_ref().filter(|(known, then, _)| *known == wanted && *then == stamps);
        if let Some((.., prepared)) = known {
            return Ok(prepared.clone());
        }
        // Two models at once may be one too many.
        self.prepared = None;
        let prepared = load(experiment, emit).await?;
        self.prepared = Some((wanted, stamps, prepared.clone()));
        Ok(prepared)
    }

    async fn run(
        &mut self,
        (run, runs): (usize, usize),
        mut frozen: ExperimentConfig,
        whole: &ExperimentConfig,
        hold: &Hold,
        (control, shared): (&Control, &Shared),
        emit: &mut dyn FnMut(Event),
    ) -> Result<(), EngineError> {
        let prepared = self.prepare(whole, emit).await?;
        prepared.freeze(&mut frozen);
        if unwanted(run, control, shared, emit) {
            return Ok(());
        }
        let name = format!("{}-seed{}", frozen.methods.first().map_or("run", |method| method.name()), frozen.seed);
        let folder = RunFolder::create(Path::new(&frozen.output), &name, &frozen)?;
        hold.begin(folder.path());
        let command = format!("thalweg run {}", folder.path().join(CONFIG_FILE).display());
        let mut run = Run::new(frozen, (run, runs), prepared, Some(folder), command)?;
        run.execute(control, emit).await.map(|ending: Ending| drop(ending))
    }

    async fn resume(
        &mut self,
        run: usize,
        path: &Path,
        hold: &Hold,
        (control, shared): (&Control, &Shared),
        emit: &mut dyn FnMut(Event),
    ) -> Result<(), EngineError> {
        let (folder, config) = RunFolder::open(path)?;
        let prepared = self.prepare(&config, emit).await?;
        if unwanted(run, control, shared, emit) {
            return Ok(());
        }
        hold.begin(path);
        let command = format!("thalweg run {}", path.join(CONFIG_FILE).display());
        let mut run = Run::new(config, (run, 1), prepared, Some(folder), command)?;
        run.restore(emit)?;
        run.execute(control, emit).await.map(drop)
    }

    async fn other(
        &mut self,
        command: &Command,
        control: &Control,
        emit: &mut dyn FnMut(Event),
    ) -> Result<(), EngineError> {
        match command {
            Command::FindDevices => {
                let devices = find_devices(emit).await?;
                emit(Event::DevicesFound { devices });
                Ok(())
            }
            Command::Generate { id, sources, .. } if control.is_unwanted(*id) => {
                writer::leave_out(*id, 0..sources.len(), emit);
                Ok(())
            }
            Command::Mark { id, .. } if control.is_unwanted(*id) => Ok(()),
            Command::Generate { id, prompt, sources, sampling, experiment } => {
                let prepared = self.prepare(experiment, emit).await?;
                emit(Event::PhaseStarted { phase: "generating".into(), detail: String::new() });
                for (index, source) in sources.iter().enumerate() {
                    if control.is_unwanted(*id) {
                        writer::leave_out(*id, index..sources.len(), emit);
                        break;
                    }
                    let overlay = self.overlay(source, &prepared)?;
                    let mut tell = |text: &str, done: bool, tokens_per_sec: f64| {
                        let text = text.to_string();
                        emit(Event::Generated { id: *id, source: index, text, done, tokens_per_sec });
                        !control.is_unwanted(*id)
                    };
                    writer::write(&prepared, &overlay, prompt, sampling, &mut tell).await?;
                }
                Ok(())
            }
            Command::Mark { id, source, examples, experiment } => {
                let prepared = self.prepare(experiment, emit).await?;
                let overlay = self.overlay(source, &prepared)?;
                let examples = writer::mark(&prepared, &overlay, examples).await?;
                emit(Event::Marked { id: *id, examples });
                Ok(())
            }
            Command::ExportAdapter { from, path } => {
                self.export(from, Path::new(path)).await?;
                emit(Event::Exported { what: "the adapter".into(), path: path.clone() });
                Ok(())
            }
            Command::MeasurePath { id, path, experiment } => {
                let prepared = self.prepare(experiment, emit).await?;
                Box::pin(self.shelf.measure_path(*id, path, (&prepared, experiment), control, emit)).await
            }
            Command::MeasurePlane { id, plane, experiment } => {
                let prepared = self.prepare(experiment, emit).await?;
                Box::pin(self.shelf.measure_plane(*id, plane, (&prepared, experiment), control, emit)).await
            }
            Command::MeasureSimilarity { id, similarity, experiment } => {
                let prepared = self.prepare(experiment, emit).await?;
                Box::pin(self.shelf.measure_similarity(*id, similarity, (&prepared, experiment), control, emit)).await
            }
            _ => Err(EngineError::Setting("no run is in progress: start or resume one".into())),
        }
    }

    fn overlay(&self, source: &AdapterSource, prepared: &Prepared) -> Result<Overlay, EngineError> {
        match source {
            AdapterSource::Base => Ok(Overlay::default()),
            AdapterSource::Folder { path } => writer::read_overlay(Path::new(path), &prepared.model),
            AdapterSource::Live { .. } => Err(EngineError::Setting(
                "the run is over, so its learners live in its folder now: choose one of the run's adapters".into(),
            )),
            AdapterSource::OnPath { .. } | AdapterSource::OnPlane { .. } => self.shelf.overlay(source, prepared),
        }
    }

    async fn export(&self, from: &AdapterSource, path: &Path) -> Result<(), EngineError> {
        match from {
            AdapterSource::Folder { path: folder } => writer::copy_adapter(Path::new(folder), path),
            AdapterSource::OnPath { .. } | AdapterSource::OnPlane { .. } => {
                // It belongs to the model that it was measured with, whatever was loaded since.
                let (plain, model) = self.shelf.point(from).await?;
                Ok(peft::write_adapter(path, &plain, Some(&model.name), Some(&model.fingerprint))?)
            }
            _ => Err(EngineError::Setting(
                "this is no adapter that could be exported: choose one from a run's folder".into(),
            )),
        }
    }
}

/// All devices of the machine with the time of a small model's LoRA step. One that fails, however badly, says so and leaves the
/// others alone.
async fn find_devices(emit: &mut dyn FnMut(Event)) -> Result<Vec<DeviceCard>, EngineError> {
    let (shape, workload) = (bench::stories260k()?, bench::Workload::small());
    let mut cards = vec![DeviceCard { setting: "cpu".into(), name: OpenDevice::cpu("").name, ..DeviceCard::default() }];
    match caught(Box::pin(adapters())).await {
        Ok(found) => cards.extend(found.iter().map(card_of)),
        Err(cause) => {
            let message = format!(
                "the graphics drivers cannot be asked for their devices ({cause}): only the CPU was measured. Update the drivers to use a GPU"
            );
            emit(Event::Warned { message });
        }
    }
    for card in &mut cards {
        emit(Event::PhaseStarted { phase: "measuring devices".into(), detail: card.name.clone() });
        let setting = card.setting.clone();
        let step = async {
            let choice = DeviceChoice::parse(&setting)?;
            let gone = || EngineError::Device("it is not there any more".into());
            let device = candidates(&choice).await?.pop().ok_or_else(gone)?;
            let budget = bench::Budget::Secs(DEVICE_SECS);
            let timing = bench::measure_step(&device, &shape, &workload, "seq", budget).await?;
            Ok(timing.median_secs)
        };
        match measured(&card.name, Box::pin(step)).await {
            Ok(secs) => card.step_secs = Some(secs),
            Err(cause) => card.error = Some(cause),
        }
    }
    Ok(cards)
}

/// What is known of an adapter before it is opened.
fn card_of(adapter: &AdapterReport) -> DeviceCard {
    let software = if adapter.is_software() { ", a software renderer" } else { "" };
    DeviceCard {
        setting: format!("webgpu:{}", adapter.index),
        name: adapter.device_name(),
        detail: format!("{} on {}{software}; driver {}", adapter.kind, adapter.backend, adapter.driver),
        ..DeviceCard::default()
    }
}
