//! Calls of the program.

use super::tiny_model::tiny_model;
use std::path::Path;
use std::process::{Command, Stdio};

/// How a call ended.
pub struct Call {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

pub fn command(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thalweg"));
    command.args(words).current_dir(folder).env("COLUMNS", "120").env_remove("RUST_BACKTRACE").stdin(Stdio::null());
    command
}

fn called(mut command: Command) -> Call {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Call { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Calls the program in a folder.
pub fn thalweg(folder: &Path, words: &[&str]) -> Call {
    called(command(folder, words))
}

/// Calls it and expects exit code 0.
pub fn succeeds(folder: &Path, words: &[&str]) -> Call {
    let call = thalweg(folder, words);
    assert_eq!(call.code, Some(0), "{words:?}\n{}\n{}", call.stdout, call.stderr);
    call
}

/// Lets a shell run a command line that the program printed.
pub fn shell(folder: &Path, line: &str) -> Call {
    let program = Path::new(env!("CARGO_BIN_EXE_thalweg"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(folder).env("PATH", path).stdin(Stdio::null());
    called(command)
}

/// A run on the tiny model with two built-in tasks, into `output`; further words come behind.
pub fn small_run<'a>(output: &'a str, methods: &'a str, steps: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec!["run", "--model", tiny_model().to_str().unwrap(), "--device", "cpu", "--seed", "3"];
    words.extend(["--task", "builtin:stance", "--task", "builtin:finance", "--method", methods, "--steps", steps]);
    words.extend(["--batch-size", "4", "--max-length", "64", "--rank", "2", "--output", output]);
    words.extend(["--set", "training.max_train_examples=24", "--set", "evaluation.max_examples=6"]);
    words.extend(more);
    words
}

/// The contents of a file of a run, as text.
pub fn text_of(folder: &Path, name: &str) -> String {
    let path = folder.join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
