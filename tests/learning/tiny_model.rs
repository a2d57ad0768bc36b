//! Models small enough to be made in a second, and folders that vanish with the test that made them.

#![allow(dead_code, reason = "shared by two test programs, and each uses a part")]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use thalweg::engine::Control;
use thalweg::engine::pretrain::{PretrainConfig, pretrain};
use thalweg::platform::block_on;

/// A new empty folder inside cargo's own for such; removed when dropped, kept when the test fails.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let path = home().join(format!("{name}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

fn home() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// Width 32, two layers, 300 tokens. Made once for each test program.
pub fn tiny_model() -> &'static Path {
    static MODEL: OnceLock<PathBuf> = OnceLock::new();
    MODEL.get_or_init(|| make("tiny-model", 32, 300, 1))
}

/// Another width and another vocabulary.
pub fn other_model() -> &'static Path {
    static MODEL: OnceLock<PathBuf> = OnceLock::new();
    MODEL.get_or_init(|| make("other-model", 48, 340, 2))
}

/// The shape of [`tiny_model`] with other weights.
pub fn same_shape_model() -> &'static Path {
    static MODEL: OnceLock<PathBuf> = OnceLock::new();
    MODEL.get_or_init(|| make("same-shape-model", 32, 300, 3))
}

fn make(name: &str, hidden_size: usize, vocab_size: usize, seed: u64) -> PathBuf {
    // One folder a test program, replaced at its next start, since a static is never dropped.
    let output = home().join(format!("{}-{name}", env!("CARGO_CRATE_NAME")));
    let _ = std::fs::remove_dir_all(&output);
    let config = PretrainConfig {
        builtin_sentences: 400,
        output: output.clone(),
        vocab_size,
        hidden_size,
        intermediate_size: 2 * hidden_size,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        seq: 32,
        max_position_embeddings: 192,
        batch_size: 8,
        steps: 60,
        seed,
        ..PretrainConfig::default()
    };
    block_on(pretrain(&config, &Control::default(), &mut |_| {})).unwrap().unwrap();
    output
}

/// Copies a folder with everything in it.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// All files below a folder, sorted, as paths relative to it.
pub fn files_below(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return names };
    for entry in entries {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            names.extend(files_below(&entry.path()).into_iter().map(|below| format!("{name}/{below}")));
        } else {
            names.push(name);
        }
    }
    names.sort();
    names
}

/// `metrics.csv` without the columns that tell how long things took.
pub fn without_times(metrics: &str) -> String {
    let header: Vec<&str> = metrics.lines().next().unwrap_or_default().split(',').collect();
    let timed = |index: usize| ["tokens_per_sec", "secs_per_step"].contains(&header[index]);
    assert_eq!((0..header.len()).filter(|index| timed(*index)).count(), 2, "{header:?}");
    metrics
        .lines()
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            assert_eq!(cells.len(), header.len(), "{line}");
            (0..cells.len()).filter(|index| !timed(*index)).map(|index| cells[index]).collect::<Vec<_>>().join(",")
        })
        .collect::<Vec<_>>()
        .join("\n")
}
