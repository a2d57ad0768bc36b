//! Ctrl-C, kill, and going on afterwards: the result is that of a run which nobody disturbed, bit for bit.

use super::program::{command, shell, small_run, succeeds, thalweg};
use super::tiny_model::{Scratch, files_below};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use thalweg::engine::protocol::Event;

const STEPS: &str = "80";

/// Sends a signal by number or name.
fn send(child: &Child, signal: &str) {
    let status = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
    assert!(status.success(), "kill -s {signal}");
}

/// Starts a run of I-LoRA and sends a signal after the first event that `now` names. Returns exit code and stderr.
fn disturbed(folder: &Path, signal: &str, mut now: impl FnMut(&Event) -> bool) -> (Option<i32>, String) {
    let words = small_run("runs", "i_lora", STEPS, &["--json-events"]);
    let mut child = command(folder, &words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut sent = false;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let event: Event = serde_json::from_str(&line.unwrap()).unwrap();
        if !sent && now(&event) {
            send(&child, signal);
            sent = true;
        }
        assert!(!matches!(event, Event::Finished { .. }), "the run was over before it could be disturbed");
    }
    assert!(sent, "the moment never came");
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    (child.wait().unwrap().code(), stderr)
}

/// Matrix, buffer and all adapters.
fn assert_same_results(a: &Path, b: &Path) {
    let names: Vec<String> = files_below(a)
        .into_iter()
        .filter(|name| name.starts_with("adapters/") || name == "matrix.csv" || name == "buffer.jsonl")
        .collect();
    assert_eq!(names.len(), 2 + 2 * 2 * 2, "{names:?}");
    for name in names {
        assert!(std::fs::read(a.join(&name)).unwrap() == std::fs::read(b.join(&name)).unwrap(), "{name} differs");
    }
}

#[test]
fn a_stopped_or_killed_run_goes_on_to_the_same_end() {
    if cfg!(not(unix)) {
        eprintln!("NOT TESTED: there are no such signals here");
        return;
    }
    let scratch = Scratch::new("signals");
    succeeds(scratch.path(), &small_run("whole", "i_lora", STEPS, &["--quiet"]));
    let whole = scratch.join("whole/i_lora-seed3");

    for signal in ["INT", "TERM"] {
        let folder = scratch.join(signal);
        std::fs::create_dir_all(&folder).unwrap();
        let (code, stderr) = disturbed(&folder, signal, |event| matches!(event, Event::Stepped { .. }));
        assert_eq!(code, Some(130), "{stderr}");
        assert!(!folder.join("runs/i_lora-seed3/report.json").exists(), "it was stopped before its end");
        let line = stderr.lines().find_map(|line| line.strip_prefix("stopped; go on with: ")).unwrap();
        let call = shell(&folder, &format!("{line} --quiet"));
        assert_eq!(call.code, Some(0), "{line}: {}", call.stderr);
        assert_same_results(&whole, &folder.join("runs/i_lora-seed3"));
    }

    let folder = scratch.join("killed");
    std::fs::create_dir_all(&folder).unwrap();
    let mut saved = false;
    let (code, _) = disturbed(&folder, "KILL", |event| {
        saved |= matches!(event, Event::CheckpointSaved { .. });
        saved && matches!(event, Event::Stepped { .. })
    });
    assert_eq!(code, None, "it was killed");
    let run = folder.join("runs/i_lora-seed3");
    assert!(run.join("checkpoint.thalweg").exists() && !run.join("report.json").exists());
    succeeds(&folder, &["resume", "runs/i_lora-seed3", "--quiet"]);
    assert_same_results(&whole, &run);
    let leftovers: Vec<String> = files_below(&run).into_iter().filter(|name| name.contains("partial")).collect();
    assert!(leftovers.len() <= 1, "at most the file that was being written when the process was killed: {leftovers:?}");
}

#[test]
fn a_stop_names_the_methods_that_were_not_started() {
    let scratch = Scratch::new("not-started");
    let words = small_run("runs", "seq,i_lora", STEPS, &[]);
    let mut child = command(scratch.path(), &words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.ends_with("training  stance") {
            send(&child, "INT");
        }
        told += &(line + "\n");
    }
    assert_eq!(child.wait().unwrap().code(), Some(130), "{told}");
    assert!(told.contains("Ctrl-C again quits at once"), "{told}");
    assert!(told.contains("stopped; go on with: thalweg resume runs/seq-seed3"), "{told}");
    assert!(told.contains("not started: i_lora"), "{told}");
    let names = files_below(&scratch.join("runs"));
    assert!(names.iter().all(|name| name.starts_with("seq-seed3/")), "{names:?}");
}

#[test]
fn nobody_reading_the_output_is_no_failure() {
    let scratch = Scratch::new("pipe");
    let call = shell(scratch.path(), "thalweg tasks list | head -n 1; thalweg methods | true");
    assert!(call.stderr.is_empty() && call.stdout.lines().count() == 1, "{}{}", call.stdout, call.stderr);
    assert_eq!(thalweg(scratch.path(), &["tasks", "list"]).code, Some(0));
}
