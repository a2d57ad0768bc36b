//! What the window remembers from one start to the next: theme, layout, the draft, what was interrupted, what was opened.
//!
//! Invariant: a damaged memory never keeps the window from opening. What can be read is kept, the rest is as at first.

use super::panel::PanelKind;
use super::state::{AppState, Exploration};
use super::theme::Theme;
use crate::engine::landscape_report::{PathReport, PlaneReport};
use crate::engine::protocol::Command;
use crate::platform;
use egui_tiles::Tree;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The key under which eframe keeps it.
#[must_use]
pub fn storage_key() -> String {
    // Pages of one server share one storage, and two copies of this page in two folders are two programs.
    let page = platform::address().unwrap_or_default();
    format!("{}session", page.rsplit_once('/').map_or("", |(folder, _)| folder))
}
/// Most entries of a list of what was opened.
const RECENT: usize = 8;
/// Paths and planes that are remembered, the latest.
const PATHS: usize = 8;
const PLANES: usize = 4;

/// See the file's head.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Session {
    pub theme: Theme,
    /// `None` is the layout as it is at first.
    pub layout: Option<Tree<PanelKind>>,
    /// The draft of the next experiment, as TOML.
    pub draft: Option<String>,
    /// Folder of the run that was interrupted last and can be resumed.
    pub interrupted: Option<String>,
    /// Runs that waited behind it, as TOML.
    pub waiting: Vec<String>,
    /// Model folders that were opened, the latest first.
    pub recent_models: Vec<String>,
    /// Run folders and capsules that were opened, the latest first.
    pub recent_runs: Vec<String>,
    /// What was measured, wholly or in part, with what was asked. At the next start it can be looked at.
    pub paths: Vec<(Command, PathReport)>,
    pub planes: Vec<(Command, PlaneReport)>,
}

impl Session {
    /// As text.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Plain data always has a JSON; an empty text is read as a session of nothing.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what [`Self::to_json`] wrote. What is damaged is left as at first, and a sentence says so.
    #[must_use]
    pub fn from_json(text: &str) -> (Self, Option<String>) {
        if text.trim().is_empty() {
            return (Self::default(), None);
        }
        let (mut session, complaint) = match serde_json::from_str::<Self>(text) {
            Ok(session) => (session, None),
            Err(error) => Self::salvage(text, &error.to_string()),
        };
        let scale = session.theme.text_scale;
        session.theme.text_scale =
            if scale.is_finite() { scale.clamp(*Theme::SCALES.start(), *Theme::SCALES.end()) } else { 1.0 };
        (session, complaint)
    }

    /// Keeps each part that can be read by itself.
    fn salvage(text: &str, error: &str) -> (Self, Option<String>) {
        let Ok(Value::Object(parts)) = serde_json::from_str::<Value>(text) else {
            let complaint = format!(
                "What the window remembered of the last session is damaged and was set aside ({error}). Runs and files on the disk are not touched."
            );
            return (Self::default(), Some(complaint));
        };
        let (mut kept, mut lost) = (serde_json::Map::new(), Vec::new());
        for (name, part) in parts {
            let alone = Value::Object(std::iter::once((name.clone(), part.clone())).collect());
            if serde_json::from_value::<Self>(alone).is_ok() {
                kept.insert(name, part);
            } else {
                lost.push(name);
            }
        }
        let session = serde_json::from_value(Value::Object(kept)).unwrap_or_default();
        let complaint = format!(
            "A part of what the window remembered of the last session is damaged and starts afresh: {}. Runs and files on the disk are not touched.",
            lost.join(", ")
        );
        (session, Some(complaint))
    }

    /// Is there anything of the last session to go on with?
    #[must_use]
    pub fn can_resume(&self) -> bool {
        self.interrupted.is_some() || !self.waiting.is_empty()
    }

    /// Notes what was measured.
    pub fn remember(&mut self, state: &AppState) {
        self.paths = measured(state.paths.values(), PATHS);
        self.planes = measured(state.planes.values(), PLANES);
    }

    /// Gives back what was measured, to be looked at.
    pub fn recall(&mut self, state: &mut AppState) {
        for (command, report) in std::mem::take(&mut self.paths) {
            if let Command::MeasurePath { id, .. } = command {
                state.paths.insert(id, earlier(command, report));
            }
        }
        for (command, report) in std::mem::take(&mut self.planes) {
            if let Command::MeasurePlane { id, .. } = command {
                state.planes.insert(id, earlier(command, report));
            }
        }
    }

    /// Notes a model folder as opened.
    pub fn opened_model(&mut self, path: &str) {
        note(&mut self.recent_models, path);
    }

    /// Notes a run folder or a capsule as opened.
    pub fn opened_run(&mut self, path: &str) {
        note(&mut self.recent_runs, path);
    }
}

/// The latest of so many explorations of which anything is known.
fn measured<'a, R: Clone + 'a>(
    all: impl DoubleEndedIterator<Item = &'a Exploration<R>>,
    most: usize,
) -> Vec<(Command, R)> {
    let known = all.rev().filter_map(|view| Some((view.asked.as_deref()?.clone(), view.report.clone()?)));
    let mut latest: Vec<(Command, R)> = known.take(most).collect();
    latest.reverse();
    latest
}

fn earlier<R>(command: Command, report: R) -> Exploration<R> {
    let asked = Some(Box::new(command));
    Exploration { report: Some(report), done: true, failed: None, asked, earlier: true }
}

fn note(list: &mut Vec<String>, path: &str) {
    list.retain(|known| known != path);
    list.insert(0, path.to_string());
    list.truncate(RECENT);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::app::docking::Docking;

    fn session() -> Session {
        let mut session = Session {
            theme: Theme { dark: false, text_scale: 1.5 },
            layout: Some(Docking::new(None).tree().clone()),
            draft: Some("seed = 4".into()),
            interrupted: Some("runs/i_lora-seed1".into()),
            waiting: vec!["seed = 1".into()],
            ..Session::default()
        };
        session.opened_model("models/a");
        session
    }

    #[test]
    fn it_comes_back_as_it_was_written() {
        let (read, complaint) = Session::from_json(&session().to_json());
        assert_eq!((read, complaint), (session(), None));
    }

    #[test]
    fn damage_loses_only_the_damaged_part() {
        let mut value: Value = serde_json::from_str(&session().to_json()).unwrap();
        value["layout"] = Value::String("scratched".into());
        let (read, complaint) = Session::from_json(&value.to_string());
        assert_eq!(read, Session { layout: None, ..session() });
        assert!(complaint.unwrap().contains("layout"));

        let whole = session().to_json();
        let (read, complaint) = Session::from_json(&whole[..whole.len() / 2]);
        assert_eq!(read, Session::default());
        assert!(complaint.unwrap().contains("damaged"));
        assert_eq!(Session::from_json(""), (Session::default(), None));
    }

    #[test]
    fn a_text_size_out_of_range_is_brought_back() {
        let (read, _) = Session::from_json(r#"{"theme":{"dark":true,"text_scale":90.0}}"#);
        assert_eq!(read.theme.text_scale, 2.0);
    }

    #[test]
    fn recent_things_stand_once_and_few() {
        let mut session = Session::default();
        for index in 0..20 {
            session.opened_run(&format!("runs/{index}"));
        }
        session.opened_run("runs/15");
        assert_eq!((session.recent_runs.len(), session.recent_runs[0].as_str()), (RECENT, "runs/15"));
        assert_eq!(session.recent_runs.iter().filter(|run| *run == "runs/15").count(), 1);
    }
}
