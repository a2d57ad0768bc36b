//! What the program keeps: fetched models, unpacked capsules, files chosen on a page, runs. Listed with sizes, and deleted one
//! by one when somebody says so; nothing goes by itself.
//!
//! Invariant: only what the list shows is ever deleted, and nothing that a job needs.

use super::capsules::unpacked_folder;
use super::runs::title_of;
use super::{Shared, Teller, lock};
use crate::engine::EngineError;
use crate::engine::protocol::storage::{StorageListing, StorageRoom, StoredItem, StoredKind};
use crate::engine::protocol::{Command, Event};
use crate::engine::run::refusal;
use crate::io::hub;
use crate::platform::{self, fs};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Most names of files that stand in for a choice of many.
const NAMED: usize = 3;

/// The folders whose contents are listed.
pub(super) struct Places {
    pub models: PathBuf,
    pub capsules: PathBuf,
    pub files: PathBuf,
    pub runs: PathBuf,
}

impl Places {
    /// Those of this machine, with this folder for runs.
    pub fn of_this_machine(runs: &Path) -> Self {
        let data = platform::data_folder().unwrap_or_default();
        Self {
            models: hub::models_folder().unwrap_or_else(|| std::env::temp_dir().join("models")),
            capsules: unpacked_folder(),
            files: data.join("files"),
            runs: runs.to_path_buf(),
        }
    }

    /// Everything that may be deleted, without looking into it. Links are left alone: what they lead to is not ours.
    fn entries(&self) -> Vec<(StoredKind, PathBuf)> {
        let kinds = [
            (StoredKind::Model, &self.models),
            (StoredKind::Capsule, &self.capsules),
            (StoredKind::File, &self.files),
            (StoredKind::Run, &self.runs),
        ];
        let mut found = Vec::new();
        for (kind, folder) in kinds {
            let inside = fs::read_dir(folder).into_iter().flatten().flatten();
            let folders = inside.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            found.extend(folders.map(|entry| (kind, entry.path())));
        }
        found
    }
}

/// Lists what is kept, after deleting what the command names.
pub(super) async fn answer(command: &Command, places: &Places, shared: &Shared, teller: &Teller) {
    let deleted = match command {
        Command::DeleteStored { path } => match delete(Path::new(path), places, shared) {
            Ok(()) => Some(path.clone()),
            Err(error) => {
                teller.tell(refusal(command, &error));
                None
            }
        },
        _ => None,
    };
    let room = platform::storage_estimate().await.map(|estimate| StorageRoom {
        used_bytes: estimate.used_bytes,
        quota_bytes: estimate.quota_bytes,
        promised: estimate.promised,
    });
    let listing = StorageListing { items: list(places, shared), room, deleted };
    teller.tell(Event::StorageListed { listing: Box::new(listing) });
}

fn list(places: &Places, shared: &Shared) -> Vec<StoredItem> {
    let dropped = lock(&shared.dropped).clone();
    let mut items: Vec<StoredItem> = places
        .entries()
        .into_iter()
        .map(|(kind, path)| StoredItem {
            kind,
            name: name(kind, &path),
            bytes: bytes_below(&path),
            needed: why_needed(&path, shared, &dropped),
            path: path.display().to_string(),
        })
        .collect();
    items.sort_by(|a, b| (a.kind, b.bytes, &a.name).cmp(&(b.kind, a.bytes, &b.name)));
    items
}

fn why_needed(path: &Path, shared: &Shared, dropped: &BTreeSet<u64>) -> Option<String> {
    shared.holds.why(path, dropped).map(ToString::to_string)
}

fn delete(path: &Path, places: &Places, shared: &Shared) -> Result<(), EngineError> {
    if !places.entries().iter().any(|(_, known)| known == path) {
        return Err(EngineError::Run(format!(
            "{} was not deleted: it is none of the models, capsules, files and runs that the program keeps. Look at the list again",
            path.display()
        )));
    }
    // It would only be gone from this tab's memory, and stand here again after a reload.
    if platform::is_read_only() {
        return Err(EngineError::Run(format!(
            "{} was not deleted: another tab keeps the files, and this one only looks at them. Delete it in the other tab, or close that one and reload this one",
            path.display()
        )));
    }
    if let Some(why) = why_needed(path, shared, &lock(&shared.dropped).clone()) {
        return Err(EngineError::Run(format!("{} was not deleted: {why}. Wait for it, or stop it", path.display())));
    }
    fs::remove_dir_all(path).map_err(|error| {
        EngineError::Run(format!(
            "{} could not be deleted as a whole: {error}. Close programs that use it, then delete it again",
            path.display()
        ))
    })
}

/// What people call it.
fn name(kind: StoredKind, path: &Path) -> String {
    let own = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if own.starts_with('.') {
        return "left over from something that was cut off".into();
    }
    match kind {
        // `owner--name`, as the hub's folder is called.
        StoredKind::Model => own.replacen("--", "/", 1),
        StoredKind::Capsule => title_of(path).unwrap_or(own),
        StoredKind::Run => match title_of(path) {
            Some(title) => format!("{title} ({own})"),
            None => own,
        },
        StoredKind::File => {
            let inside = fs::read_dir(path).into_iter().flatten().flatten();
            let mut names: Vec<String> = inside.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            names.sort();
            let more = names.len().saturating_sub(NAMED);
            names.truncate(NAMED);
            if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
        }
    }
}

/// Bytes of all files below; links are not followed.
fn bytes_below(path: &Path) -> u64 {
    let inside = fs::read_dir(path).into_iter().flatten().flatten();
    let sizes = inside.map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => bytes_below(&entry.path()),
        Ok(kind) if kind.is_file() => fs::metadata(entry.path()).map_or(0, |about| about.len()),
        _ => 0,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::scratch;
    use std::sync::{Arc, Mutex};

    struct Bench {
        scratch: scratch::ScratchFolder,
        places: Places,
        shared: Shared,
    }

    fn bench() -> Bench {
        let scratch = scratch::folder().unwrap();
        let root = scratch.path();
        let put = |path: &str, bytes: usize| {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, vec![0; bytes]).unwrap();
        };
        put("cache/models/owner--small/config.json", 100);
        put("cache/models/owner--large/sub/model.safetensors", 5000);
        put("cache/capsules/0a1b/metrics.csv", 7);
        put("files/1234/task.jsonl", 11);
        put("runs/seq-seed1/config.toml", 3);
        put("runs/notes.txt", 3);
        put("private/letter.txt", 3);
        let places = Places {
            models: root.join("cache/models"),
            capsules: root.join("cache/capsules"),
            files: root.join("files"),
            runs: root.join("runs"),
        };
        Bench { scratch, places, shared: Shared::default() }
    }

    impl Bench {
        fn path(&self, name: &str) -> String {
            self.scratch.path().join(name).display().to_string()
        }

        fn ask(&self, command: &Command) -> Vec<Event> {
            let told = Arc::new(Mutex::new(Vec::new()));
            let heard = told.clone();
            let teller = Teller(Arc::new(move |event| lock(&heard).push(event)));
            platform::block_on(answer(command, &self.places, &self.shared, &teller)).unwrap();
            lock(&told).clone()
        }
    }

    #[test]
    fn everything_is_listed_with_its_size_and_can_be_deleted() {
        let bench = bench();
        let told = bench.ask(&Command::ListStorage);
        let [Event::StorageListed { listing }] = told.as_slice() else { panic!("{told:?}") };
        let found: Vec<(StoredKind, &str, u64)> =
            listing.items.iter().map(|item| (item.kind, item.name.as_str(), item.bytes)).collect();
        let expected = [
            (StoredKind::Model, "owner/large", 5000),
            (StoredKind::Model, "owner/small", 100),
            (StoredKind::Capsule, "0a1b", 7),
            (StoredKind::File, "task.jsonl", 11),
            (StoredKind::Run, "seq-seed1", 3),
        ];
        assert_eq!(found, expected);
        assert_eq!((listing.total_bytes(), listing.room), (5121, None));
        let path = bench.path("cache/models/owner--large");
        let told = bench.ask(&Command::DeleteStored { path: path.clone() });
        let [Event::StorageListed { listing }] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((listing.items.len(), listing.deleted.as_ref()), (4, Some(&path)));
        assert!(!Path::new(&path).exists());
    }

    #[test]
    fn nothing_else_is_ever_deleted() {
        let bench = bench();
        #[cfg(unix)]
        std::os::unix::fs::symlink(bench.path("private"), bench.path("runs/link")).unwrap();
        let outside = [
            "private",
            "runs",
            "runs/notes.txt",
            "runs/link",
            "runs/../private",
            "runs/seq-seed1/../../private",
            "cache/models/owner--small/config.json",
            "runs/gone",
            "",
        ];
        for name in outside {
            let path = if name.is_empty() { String::new() } else { bench.path(name) };
            let told = bench.ask(&Command::DeleteStored { path });
            assert!(
                matches!(told.as_slice(), [Event::Refused { message, .. }, Event::StorageListed { listing }]
                    if message.contains("was not deleted") && listing.items.len() == 5 && listing.deleted.is_none()),
                "{name}: {told:?}"
            );
        }
        assert!(Path::new(&bench.path("private/letter.txt")).is_file());
    }

    #[test]
    fn what_a_run_needs_stays() {
        let bench = bench();
        let model = bench.path("cache/models/owner--small");
        let experiment = crate::engine::config::ExperimentConfig { model: model.clone(), ..Default::default() };
        let hold = bench.shared.holds.of_run(2, &experiment, Some(Path::new(&bench.path("runs/seq-seed1"))));
        for path in [&model, &bench.path("runs/seq-seed1")] {
            let told = bench.ask(&Command::DeleteStored { path: path.clone() });
            let [Event::Refused { message, .. }, Event::StorageListed { listing }] = told.as_slice() else {
                panic!("{told:?}")
            };
            assert!(message.contains("in progress needs it"), "{message}");
            assert_eq!(listing.items.iter().filter(|item| item.needed.is_some()).count(), 2);
        }
        drop(hold);
        bench.ask(&Command::DeleteStored { path: model.clone() });
        assert!(!Path::new(&model).exists());
    }
}
