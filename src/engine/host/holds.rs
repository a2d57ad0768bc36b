//! What must not be deleted just now: folders and files that jobs need, from the moment they are queued until they are done.

use super::lock;
use crate::engine::config::{BUILTIN_MODEL, ExperimentConfig, TaskConfig};
use crate::engine::protocol::{AdapterSource, Command};
use crate::platform::fs;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Everything that is held. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Holds(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    next: u64,
    held: BTreeMap<u64, Held>,
}

struct Held {
    /// The run that it is for, if it is for one that waits.
    run: Option<usize>,
    /// Completes the sentence "it cannot be deleted: …".
    why: &'static str,
    paths: Vec<PathBuf>,
}

/// Keeps its paths held until it is dropped. The default holds nothing.
#[derive(Default)]
pub(super) struct Hold {
    holds: Holds,
    ticket: u64,
}

impl Drop for Hold {
    fn drop(&mut self) {
        lock(&self.holds.0).held.remove(&self.ticket);
    }
}

impl Hold {
    /// The run has begun in this folder: it needs that as well, and everything whatever is said of the queue from now on.
    pub fn begin(&self, folder: &Path) {
        if let Some(held) = lock(&self.holds.0).held.get_mut(&self.ticket) {
            held.run = None;
            held.paths.push(whole(folder));
        }
    }
}

impl Holds {
    /// Holds these paths for a reason.
    pub fn hold(&self, run: Option<usize>, why: &'static str, paths: impl IntoIterator<Item = PathBuf>) -> Hold {
        let paths = paths.into_iter().map(|path| whole(&path)).collect();
        let mut inside = lock(&self.0);
        inside.next += 1;
        let ticket = inside.next;
        inside.held.insert(ticket, Held { run, why, paths });
        drop(inside);
        Hold { holds: self.clone(), ticket }
    }

    /// Holds what a queued run will read, and its folder if it has one already.
    pub fn of_run(&self, run: usize, experiment: &ExperimentConfig, folder: Option<&Path>) -> Hold {
        let paths = needs(experiment).into_iter().chain(folder.map(Path::to_path_buf));
        self.hold(Some(run), "a run that waits or is in progress needs it", paths)
    }

    /// Why this must not be deleted; `None` where it may be. Runs that were taken out of the queue (`dropped`) need nothing.
    pub fn why(&self, path: &Path, dropped: &BTreeSet<u64>) -> Option<&'static str> {
        let path = whole(path);
        let touches = |held: &PathBuf| held.starts_with(&path) || path.starts_with(held);
        let inside = lock(&self.0);
        let wanted = |held: &&Held| held.run.is_none_or(|run| !dropped.contains(&(run as u64)));
        inside.held.values().filter(wanted).find(|held| held.paths.iter().any(touches)).map(|held| held.why)
    }
}

/// One name for one place, as far as it is there.
fn whole(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}

fn needs(experiment: &ExperimentConfig) -> Vec<PathBuf> {
    let sources = experiment.tasks.iter().map(TaskConfig::source);
    let all = std::iter::once(experiment.model.as_str()).chain(sources);
    // What is built in is no file.
    all.filter(|path| *path != BUILTIN_MODEL && !path.starts_with("builtin:")).map(PathBuf::from).collect()
}

/// What a question to a model reads.
pub(super) fn paths_of(command: &Command) -> Vec<PathBuf> {
    let (experiment, sources): (Option<&ExperimentConfig>, Vec<&AdapterSource>) = match command {
        Command::Generate { experiment, sources, .. } => (Some(experiment), sources.iter().collect()),
        Command::Mark { experiment, source, .. } => (Some(experiment), vec![source]),
        Command::MeasurePath { experiment, path, .. } => {
            (Some(experiment), path.anchors.iter().map(|(_, source)| source).collect())
        }
        Command::MeasurePlane { experiment, plane, .. } => {
            (Some(experiment), plane.anchors.iter().chain(&plane.others).map(|(_, source)| source).collect())
        }
        Command::MeasureSimilarity { experiment, similarity, .. } => {
            (Some(experiment), similarity.adapters.iter().map(|(_, source)| source).collect())
        }
        Command::ExportAdapter { from, .. } => (None, vec![from]),
        _ => (None, Vec::new()),
    };
    let folders = sources.into_iter().filter_map(|source| match source {
        AdapterSource::Folder { path } => Some(PathBuf::from(path)),
        _ => None,
    });
    experiment.map(needs).unwrap_or_default().into_iter().chain(folders).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_held_until_the_job_is_gone_or_unwanted() {
        let holds = Holds::default();
        let experiment = ExperimentConfig { model: "/models/a--b".into(), ..ExperimentConfig::default() };
        let none = BTreeSet::new();
        let why = |path: &str, dropped: &BTreeSet<u64>| holds.why(Path::new(path), dropped);
        let hold = holds.of_run(3, &experiment, None);
        assert!(why("/models/a--b", &none).unwrap().contains("in progress"));
        assert!(why("/models", &none).is_some(), "a folder around it");
        assert!(why("/models/a--b/config.json", &none).is_some(), "a file in it");
        assert_eq!(why("/models/a--b-instruct", &none), None);
        assert_eq!(why("/models/a--b", &BTreeSet::from([3])), None, "nobody wants that run any more");
        assert_eq!(why("/runs/x", &none), None);
        hold.begin(Path::new("/runs/x"));
        assert!(why("/runs/x", &none).is_some() && why("/models/a--b", &BTreeSet::from([3])).is_some());
        drop(hold);
        assert_eq!(why("/models/a--b", &none), None);
    }
}
