//! The engine behind a window: takes commands, never keeps the window waiting, and tells events.
//!
//! Three kinds of work, so that looking at a file need not wait for a training: the *desk* (`desk`) is one thread that owns
//! every tensor and does one job after the other; the *clerk* (`clerk`) reads and writes files; a download or a capsule has a
//! thread of its own. In a browser's worker they are tasks of one event loop, which take turns between steps. What concerns the
//! run in progress goes into its tray ([`Control::post`]) and is done between two steps.

mod capsules;
mod clerk;
mod desk;
mod holds;
mod runs;
mod storage;

use super::catalogue::catalogue;
use super::config::ExperimentConfig;
use super::control::{Control, Unwanted};
use super::protocol::{Command, Event, Level};
use crate::continual::find;
use crate::platform::{self, PlatformError};
use async_channel::{Sender, unbounded};
use holds::{Hold, Holds};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use storage::Places;

/// Where events go; every thread has a clone.
#[derive(Clone)]
struct Teller(Arc<dyn Fn(Event) + Send + Sync>);

impl Teller {
    fn tell(&self, event: Event) {
        (self.0)(event);
    }
}

/// What the threads share.
#[derive(Default)]
struct Shared {
    /// Of the job in progress.
    control: Mutex<Control>,
    /// The exploration in progress, if the job is one.
    exploration: Mutex<Option<u64>>,
    watches_buffer: AtomicBool,
    /// Queued runs and explorations that nobody wants any more.
    dropped: Mutex<BTreeSet<u64>>,
    /// Downloads that were cancelled.
    cancelled: Mutex<BTreeSet<u64>>,
    /// Runs whose packing or unpacking was cancelled.
    uncapsuled: Mutex<BTreeSet<usize>>,
    /// Texts and marks that nobody wants any more.
    unwanted: Unwanted,
    /// Files and folders that jobs need.
    holds: Holds,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One job of the desk.
enum Job {
    /// One method of an experiment. `whole` is the experiment with all its methods, which are cut alike.
    Run {
        run: usize,
        runs: usize,
        frozen: Box<ExperimentConfig>,
        whole: Arc<ExperimentConfig>,
        hold: Hold,
    },
    Resume {
        run: usize,
        folder: PathBuf,
        hold: Hold,
    },
    /// Anything else that needs tensors.
    Other(Box<Command>, Hold),
    /// Fails as only a fault of the program can.
    #[cfg(test)]
    Die {
        run: usize,
    },
}

/// The engine and its threads. Dropping it stops the run in progress with a checkpoint.
pub struct Host {
    jobs: Sender<Job>,
    papers: Sender<Command>,
    events: Receiver<Event>,
    teller: Teller,
    shared: Arc<Shared>,
}

impl Host {
    /// Starts the threads. `wake` is called after every event; `runs_folder` is told to the front end as the place for new runs.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn start(runs_folder: &str, wake: Arc<dyn Fn() + Send + Sync>) -> Result<Self, PlatformError> {
        let (to_front, events) = channel();
        let tell = move |event| {
            // Nobody listens any more when the window is closed.
            let _ = to_front.send(event);
            wake();
        };
        let mut host = Self::start_telling(runs_folder, Arc::new(tell))?;
        host.events = events;
        Ok(host)
    }

    /// As [`Self::start`], but every event is handed to `tell`, on the thread where it happened; none is received.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_telling(runs_folder: &str, tell: Arc<dyn Fn(Event) + Send + Sync>) -> Result<Self, PlatformError> {
        let teller = Teller(tell);
        let shared = Arc::new(Shared::default());
        let (jobs, waiting) = unbounded();
        let (papers, letters) = unbounded();
        let (desk_teller, desk_shared) = (teller.clone(), shared.clone());
        platform::spawn("engine", move || async move { desk::work(&waiting, &desk_shared, &desk_teller).await })?;
        let places = Places::of_this_machine(Path::new(runs_folder));
        let (clerk_teller, clerk_shared, clerk_jobs) = (teller.clone(), shared.clone(), jobs.clone());
        platform::spawn("files", move || async move {
            clerk::work(&letters, &clerk_jobs, &places, &clerk_shared, &clerk_teller).await;
        })?;
        teller.tell(Event::Ready { catalogue: Box::new(catalogue()), runs_folder: runs_folder.to_string() });
        Ok(Self { jobs, papers, events: channel().1, teller, shared })
    }

    /// All events since the last call, oldest first.
    pub fn receive(&self) -> Vec<Event> {
        self.events.try_iter().collect()
    }

    /// Takes a command; returns at once.
    pub fn send(&self, command: Command) {
        match command {
            Command::Steer { steer } => lock(&self.shared.control).send(steer),
            Command::WatchBuffer { on } => {
                self.shared.watches_buffer.store(on, Ordering::SeqCst);
                lock(&self.shared.control).watch_buffer(on);
            }
            Command::StopGenerating { id } => {
                lock(&self.shared.unwanted).insert(id);
            }
            Command::StopMeasuring { id } => {
                if *lock(&self.shared.exploration) == Some(id) {
                    lock(&self.shared.control).send(super::protocol::Steer::Stop);
                } else {
                    lock(&self.shared.dropped).insert(id);
                }
            }
            Command::Unqueue { run } => {
                lock(&self.shared.dropped).insert(run as u64);
                self.teller.tell(Event::Unqueued { run });
            }
            Command::CancelDownload { id } => {
                lock(&self.shared.cancelled).insert(id);
            }
            Command::CancelCapsule { run } => {
                lock(&self.shared.uncapsuled).insert(run);
            }
            Command::Start { run, experiment } => self.queue(run, &experiment),
            command @ (Command::EditBuffer { .. } | Command::PreviewBuffer { .. } | Command::MapBuffer) => {
                if lock(&self.shared.control).post(command).is_err() {
                    let message =
                        "no run is in progress: the buffer lives with its run. Start or resume one".to_string();
                    self.teller.tell(Event::Refused { what: "the replay buffer".into(), message });
                }
            }
            command @ (Command::Generate { .. } | Command::Mark { .. } | Command::ExportAdapter { .. }) => {
                self.want_again(&command);
                // A run answers between two steps; where none does, the question waits for its turn.
                if let Err(command) = lock(&self.shared.control).post(command) {
                    self.ask(command);
                }
            }
            command @ (Command::FindDevices
            | Command::MeasurePath { .. }
            | Command::MeasurePlane { .. }
            | Command::MeasureSimilarity { .. }) => self.ask(Box::new(command)),
            command => {
                if let Command::OpenCapsule { run, .. } | Command::SaveCapsule { run, .. } = &command {
                    lock(&self.shared.uncapsuled).remove(run);
                }
                if self.papers.try_send(command).is_err() {
                    self.teller.tell(Event::EngineDied {
                        message: "the thread for files has ended: start the program again".into(),
                    });
                }
            }
        }
    }

    /// What is asked for under a number is wanted, whatever was said of that number before.
    fn want_again(&self, command: &Command) {
        if let Command::Generate { id, .. } | Command::Mark { id, .. } = command {
            lock(&self.shared.unwanted).remove(id);
        }
    }

    /// Queues a question to a model.
    fn ask(&self, command: Box<Command>) {
        let hold = self.shared.holds.hold(None, "a question to a model needs it", holds::paths_of(&command));
        self.job(Job::Other(command, hold));
    }

    fn job(&self, job: Job) {
        if self.jobs.try_send(job).is_err() {
            self.teller
                .tell(Event::EngineDied { message: "the engine's thread has ended: start the program again".into() });
        }
    }

    /// Queues one run for each method.
    fn queue(&self, first: usize, experiment: &ExperimentConfig) {
        if let Err(error) = experiment.check() {
            self.teller.tell(Event::Refused { what: "the experiment cannot start".into(), message: error.to_string() });
            return;
        }
        let whole = Arc::new(experiment.clone());
        for (index, method) in experiment.methods.iter().enumerate() {
            let mut frozen = Box::new(super::experiment::with_absolute_paths(experiment));
            frozen.methods = vec![method.clone()];
            let label = find(method.name()).map_or_else(|_| method.name().to_string(), |entry| entry.label.to_string());
            let run = first + index;
            self.teller.tell(Event::RunQueued { run, method_label: label, experiment: frozen.clone() });
            let hold = self.shared.holds.of_run(run, &frozen, None);
            self.job(Job::Run { run, runs: experiment.methods.len(), frozen, whole: whole.clone(), hold });
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        lock(&self.shared.control).send(super::protocol::Steer::Stop);
    }
}

/// A line of the log.
fn logged(message: impl Into<String>) -> Event {
    Event::Logged { level: Level::Info, message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::super::protocol::{AdapterSource, SamplingConfig};
    use super::*;

    #[test]
    fn a_text_that_nobody_wants_any_more_is_left_out_of_the_queue() {
        let host = Host::start("runs", Arc::new(|| {})).unwrap();
        let generate = |id: u64| Command::Generate {
            id,
            prompt: "Once".into(),
            sources: vec![AdapterSource::Base, AdapterSource::Base],
            sampling: SamplingConfig { max_new_tokens: 2, ..SamplingConfig::default() },
            experiment: Box::new(ExperimentConfig { device: "cpu".into(), ..demo() }),
        };
        let mark = Command::Mark {
            id: 30,
            source: AdapterSource::Base,
            examples: vec![(0, 0)],
            experiment: Box::new(ExperimentConfig { device: "cpu".into(), ..demo() }),
        };
        // The first keeps the desk busy, so that the others wait; 40 was stopped long ago and is asked for anew.
        host.send(Command::StopGenerating { id: 40 });
        host.job(Job::Die { run: 3 });
        host.send(Command::FindDevices);
        host.send(generate(20));
        host.send(mark);
        host.send(generate(40));
        host.send(Command::StopGenerating { id: 20 });
        host.send(Command::StopGenerating { id: 30 });
        let mut told = Vec::new();
        while !told.iter().any(|event| matches!(event, Event::Generated { id: 40, source: 1, done: true, .. })) {
            told.push(host.events.recv_timeout(std::time::Duration::from_mins(2)).unwrap());
        }
        let of = |wanted: u64| {
            told.iter().filter(move |event| matches!(event, Event::Generated { id, .. } if *id == wanted))
        };
        assert!(
            of(20).count() == 2
                && of(20).all(|event| matches!(event, Event::Generated { text, done: true, .. } if text.is_empty())),
            "{:?}",
            of(20).collect::<Vec<_>>()
        );
        assert!(!told.iter().any(|event| matches!(event, Event::Marked { .. })));
        assert!(of(40).any(|event| matches!(event, Event::Generated { text, .. } if !text.is_empty())));
    }

    /// The embedded model and tasks.
    fn demo() -> ExperimentConfig {
        let presets = catalogue().presets;
        let (_, text) = presets.iter().find(|(name, _)| name == "demo").unwrap();
        ExperimentConfig::parse(text, "demo").unwrap()
    }

    #[test]
    fn an_engine_that_dies_says_so_and_the_next_one_works() {
        let woken = Arc::new(AtomicBool::new(false));
        let bell = woken.clone();
        let host = Host::start("runs", Arc::new(move || bell.store(true, Ordering::SeqCst))).unwrap();
        host.job(Job::Die { run: 3 });
        host.send(Command::FindDevices);
        let mut told = Vec::new();
        while !told.iter().any(|event| matches!(event, Event::DevicesFound { .. })) {
            told.extend(host.events.recv_timeout(std::time::Duration::from_mins(2)));
        }
        assert!(woken.load(Ordering::SeqCst));
        assert!(
            told.iter()
                .any(|event| matches!(event, Event::Failed { run: 3, message } if message.contains("resume the run")))
        );
        assert!(
            told.iter().any(|event| matches!(event, Event::EngineDied { message } if message.contains("on purpose")))
        );
        let Some(Event::DevicesFound { devices }) = told.pop() else { panic!("the devices are last") };
        assert!(devices[0].setting == "cpu" && devices[0].step_secs.is_some());
    }
}
