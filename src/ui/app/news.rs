//! What the frame itself does about what the engine tells, besides showing it.

use super::App;
use crate::engine::config::ExperimentConfig;
use crate::engine::protocol::{Event, Level};
use crate::io::hub;
use crate::ui::panel::PanelKind;
use crate::ui::state::draft::Draft;
use std::path::Path;

/// An event as far as the frame has something to do about it.
#[derive(Clone, Copy)]
enum News {
    Ready,
    /// A start was heard, or will come to nothing.
    StartAnswered,
    Opened,
    Stopped(usize),
    Finished(usize),
    Failed(usize),
    Deleted(usize),
    /// Whether it is the form's model.
    Downloaded(bool),
    ModelMissing,
    Died,
    Listed,
    Other,
}

fn news(event: &Event, model: &str) -> News {
    match event {
        Event::Ready { .. } => News::Ready,
        Event::RunQueued { .. } | Event::RunStarted { .. } | Event::Refused { .. } => News::StartAnswered,
        Event::RunOpened { .. } => News::Opened,
        Event::Stopped { run, .. } => News::Stopped(*run),
        Event::Finished { run, .. } => News::Finished(*run),
        Event::Failed { run, .. } => News::Failed(*run),
        Event::RunDeleted { run } => News::Deleted(*run),
        Event::DownloadFinished { folder, .. } => News::Downloaded(folder == model),
        Event::ModelInspected { model: asked, result: Err(_) } if asked == model => News::ModelMissing,
        Event::EngineDied { .. } => News::Died,
        Event::StorageListed { .. } => News::Listed,
        _ => News::Other,
    }
}

impl App {
    /// Takes in one event.
    pub(super) fn take_in(&mut self, event: Event) {
        let (news, now) = (news(&event, &self.state.draft.config.model), self.now());
        let number = match news {
            News::Stopped(run) | News::Finished(run) | News::Failed(run) | News::Deleted(run) => Some(run),
            News::Died => self.state.active,
            _ => None,
        };
        let run = number.and_then(|number| self.state.run(number));
        let (title, folder) = run.map(|run| (run.title.clone(), run.folder.clone())).unwrap_or_default();
        self.state.apply(event, now);
        self.answer_until_secs = self.answer_until_secs.max(now + 1.0);
        match news {
            News::Ready => {
                self.first_draft();
                self.begin_anew();
            }
            News::StartAnswered => self.starting = None,
            News::Opened => self.still_reading(),
            News::Stopped(_) => {
                self.interrupted(folder);
                self.toasts.push(Level::Info, format!("{title} has stopped; it can be resumed"), now);
            }
            News::Finished(_) => {
                self.no_longer_interrupted(folder.as_ref());
                self.toasts.push(Level::Info, format!("{title} is complete"), now);
            }
            // One that could not even be found again is no longer offered.
            News::Failed(run) if self.state.run(run).is_none() => self.session.interrupted = None,
            News::Failed(_) => self.interrupted(folder),
            News::Deleted(_) => self.no_longer_interrupted(folder.as_ref()),
            News::Downloaded(awaited) => {
                self.toasts.push(Level::Info, "The download is complete", now);
                if awaited {
                    self.inspector.forget_model(&mut self.state);
                }
            }
            News::ModelMissing => self.offer_model(),
            News::Died => {
                self.interrupted(folder);
                self.begin_anew();
            }
            News::Listed => {
                let deleted = self.state.storage.as_ref().and_then(|listing| listing.deleted.clone());
                self.no_longer_interrupted(deleted.as_ref());
            }
            News::Other => {}
        }
    }

    /// The form's model is one of the hub, and not here: the *Model* panel offers to fetch it.
    fn offer_model(&mut self) {
        let model = &self.state.draft.config.model;
        let Some(address) = hub::address_of(Path::new(model)) else { return };
        if self.offered.as_ref() == Some(model) {
            return;
        }
        self.offered = Some(model.clone());
        self.show(PanelKind::Model);
        let text = format!(
            "This experiment is for {address} of the hub, which is not here yet: download it in the Model panel"
        );
        self.tell(Level::Warning, text);
    }

    /// The engine is new: what it was told and asked before, it does not know.
    fn begin_anew(&mut self) {
        self.inspector.forget_unanswered(&self.state);
        (self.watched, self.starting) = (None, None);
    }

    fn interrupted(&mut self, folder: Option<String>) {
        if folder.is_some() {
            self.session.interrupted = folder;
        }
    }

    fn no_longer_interrupted(&mut self, folder: Option<&String>) {
        if folder.is_some() && self.session.interrupted.as_ref() == folder {
            self.session.interrupted = None;
        }
    }

    /// The form begins with a link's draft, or the last session's, or with the demonstration.
    fn first_draft(&mut self) {
        if std::mem::replace(&mut self.has_draft, true) || self.state.draft.undoable().is_some() {
            return;
        }
        let linked = self.linked.take().map(|text| (text, "the link"));
        let kept = linked.or_else(|| self.session.draft.clone().map(|text| (text, "the form of the last session")));
        let kept = kept.map(|(text, whose)| ExperimentConfig::parse(&text, whose));
        let draft = match kept {
            Some(Ok(config)) => Ok(config),
            Some(Err(error)) => {
                self.tell(
                    Level::Warning,
                    format!("The form starts with the demonstration, since it could not be read: {error}"),
                );
                self.demonstration()
            }
            None => self.demonstration(),
        };
        match draft {
            Ok(config) => self.state.draft = Draft::new(config),
            Err(message) => self.tell(Level::Error, message),
        }
    }
}
