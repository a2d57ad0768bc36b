//! The clerk: looks into models, tasks and runs and moves files, while the desk may be training. Needs no tensor.

use super::storage::{self, Places};
use super::{Job, Shared, Teller, capsules, lock, logged, runs};
use crate::data::tokenizer::Tokenizer;
use crate::engine::caught::caught;
use crate::engine::config::{ExperimentConfig, TaskConfig};
use crate::engine::inspect::{inspect_model, inspect_task, open_tokenizer};
use crate::engine::prepare::open_model;
use crate::engine::protocol::cards::{TaskCard, TaskProblem};
use crate::engine::protocol::{Command, Event};
use crate::engine::run::refusal;
use crate::io::hub::{self, HubError, HubRequest};
use crate::platform;
use async_channel::{Receiver, Sender};
use std::path::Path;
use std::sync::Arc;

/// Answers letters until the window is gone.
pub(super) async fn work(
    letters: &Receiver<Command>,
    jobs: &Sender<Job>,
    places: &Places,
    shared: &Arc<Shared>,
    teller: &Teller,
) {
    let mut clerk = Clerk::default();
    while let Ok(command) = letters.recv().await {
        let answered = if matches!(command, Command::ListStorage | Command::DeleteStored { .. }) {
            caught(Box::pin(storage::answer(&command, places, shared, teller))).await
        } else {
            caught(async { clerk.answer(&command, jobs, shared, teller) }).await
        };
        if let Err(cause) = answered {
            clerk = Clerk::default();
            let message = format!("it failed by a fault of the program ({cause}); nothing was changed");
            teller.tell(Event::Refused { what: "a file".into(), message });
        }
    }
}

/// Keeps the last tokenizer, which many tasks are looked at with.
#[derive(Default)]
struct Clerk {
    tokenizer: Option<(String, Tokenizer, usize)>,
    /// Tokens of the longest example of the tasks looked at so far, for the estimate of memory.
    longest: Option<usize>,
}

impl Clerk {
    fn answer(&mut self, command: &Command, jobs: &Sender<Job>, shared: &Arc<Shared>, teller: &Teller) {
        match command {
            Command::InspectModel { experiment } => {
                let result = inspect_model(experiment, platform::available_memory_bytes(), self.longest).map(Box::new);
                teller.tell(Event::ModelInspected { model: experiment.model.clone(), result });
            }
            Command::InspectTask { id, experiment, task } => {
                let result = self.task(task, experiment).map(Box::new).map_err(Box::new);
                let own = result.as_ref().ok().and_then(|card| card.token_lengths.iter().max());
                let own = own.map(|tokens| (*tokens as usize).min(experiment.training.max_length));
                self.longest = self.longest.max(own);
                teller.tell(Event::TaskInspected { id: *id, result });
            }
            Command::Download { id, address } => download(*id, address, shared, teller),
            Command::OpenCapsule { .. } | Command::SaveCapsule { .. } => capsules::begin(command, shared, teller),
            Command::ResumeRun { run, folder } => match runs::queued(*run, Path::new(folder)) {
                Ok((event, experiment)) => {
                    let hold = shared.holds.of_run(*run, &experiment, Some(Path::new(folder)));
                    // Queued again, it is wanted again.
                    lock(&shared.dropped).remove(&(*run as u64));
                    teller.tell(event);
                    if jobs.try_send(Job::Resume { run: *run, folder: folder.into(), hold }).is_err() {
                        let message = "the engine's thread has ended: start the program again".into();
                        teller.tell(Event::Failed { run: *run, message });
                    }
                }
                Err(error) => teller.tell(Event::Failed { run: *run, message: error.to_string() }),
            },
            other => {
                if let Err(error) = runs::answer(other, shared, teller) {
                    teller.tell(refusal(other, &error));
                }
            }
        }
    }

    fn task(&mut self, task: &TaskConfig, experiment: &ExperimentConfig) -> Result<TaskCard, TaskProblem> {
        if self.tokenizer.as_ref().is_none_or(|(model, ..)| *model != experiment.model) {
            let problem = |message: String| TaskProblem { message, ..TaskProblem::default() };
            let folder = open_model(&experiment.model).map_err(|error| problem(error.to_string()))?;
            let tokenizer = open_tokenizer(&folder).map_err(|error| problem(error.to_string()))?;
            self.longest = None;
            self.tokenizer = Some((experiment.model.clone(), tokenizer, folder.config.max_position_embeddings));
        }
        match &self.tokenizer {
            Some((_, tokenizer, positions)) => inspect_task(task, experiment, tokenizer, *positions),
            None => Err(TaskProblem::default()),
        }
    }
}

/// Fetches a model beside everything else, into the cache folder of the machine.
fn download(id: u64, address: &str, shared: &Arc<Shared>, teller: &Teller) {
    let failed = |message: String| Event::DownloadFailed { id, message, cancelled: false };
    let Some(models) = hub::models_folder() else {
        teller.tell(failed("this machine tells no folder for downloads: set XDG_CACHE_HOME or HOME".into()));
        return;
    };
    let (address, shared, to) = (address.to_string(), shared.clone(), teller.clone());
    let target = HubRequest::new(&address, &models).folder();
    let hold = shared.holds.hold(None, "it is being downloaded", target.ok());
    let spawned = platform::spawn("download", move || async move {
        let _hold = hold;
        let result = Box::pin(fetch(id, &address, &models, &shared, &to)).await;
        to.tell(match result {
            Ok(folder) => Event::DownloadFinished { id, folder },
            Err(error) => {
                Event::DownloadFailed { id, message: error.to_string(), cancelled: error == HubError::Cancelled }
            }
        });
    });
    if let Err(error) = spawned {
        teller.tell(failed(error.to_string()));
    }
}

async fn fetch(id: u64, address: &str, models: &Path, shared: &Shared, teller: &Teller) -> Result<String, HubError> {
    let request = HubRequest::new(address, models);
    teller.tell(logged(format!("downloading {address}")));
    let mut progress = |progress: hub::Progress| {
        teller.tell(Event::DownloadProgressed {
            id,
            file: progress.file,
            done_bytes: progress.done_bytes,
            total_bytes: progress.total_bytes,
            bytes_per_sec: progress.bytes_per_sec,
            eta_secs: progress.eta_secs,
        });
        !lock(&shared.cancelled).contains(&id)
    };
    hub::fetch_model(&request, &mut progress).await.map(|folder| folder.display().to_string())
}
