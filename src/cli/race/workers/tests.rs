//! The machine's shares, reasons of failures, and processes that end in every way: `sh` stands for the program.

use super::*;
use crate::engine::protocol::Steer as Order;
use crate::engine::race::config::RaceConfig;
use crate::platform::scratch::{ScratchFolder, folder};
use std::fs;

#[test]
fn the_machine_is_shared_without_leaving_cores_idle() {
    // (--jobs, runs, cores, on the CPU) -> runs at once, threads of each
    for (asked, expected) in [
        ((None, 80, 2, true), (2, 1)),
        ((None, 80, 16, true), (16, 1)),
        ((None, 3, 16, true), (3, 5)),
        ((None, 80, 16, false), (1, 16)),
        ((Some(4), 80, 16, false), (4, 4)),
        ((Some(4), 80, 2, true), (4, 1)),
        ((Some(1), 80, 2, true), (1, 2)),
        ((Some(9), 2, 4, true), (2, 2)),
        ((None, 0, 4, true), (1, 4)),
    ] {
        let (jobs, runs, cores, on_cpu) = asked;
        assert_eq!(shares(jobs, runs, cores, on_cpu), expected, "{asked:?}");
    }
}

#[test]
fn the_reason_is_the_last_error_or_the_last_words() {
    for (log, expected) in [
        ("device: CPU\nerror: the loss is not a number\n", Some("the loss is not a number")),
        ("error: first\nnote: x\nerror: second\n\n", Some("second")),
        (
            "thread 'main' panicked at x.rs:1\nnote: run with RUST_BACKTRACE=1\n",
            Some("note: run with RUST_BACKTRACE=1"),
        ),
        (" \n\n", None),
    ] {
        assert_eq!(last_error(log).as_deref(), expected, "{log}");
    }
}

#[test]
fn only_what_this_attempt_wrote_is_read_and_only_the_end_of_it() {
    let scratch = folder().unwrap();
    let log = scratch.path().join(LOG_FILE);
    fs::write(&log, "error: of an earlier attempt\nerror: of this one\n").unwrap();
    assert_eq!(tail(&log, 29), "error: of this one\n");
    fs::write(&log, "x".repeat(100_000) + "\nerror: at the end\n").unwrap();
    let read = tail(&log, 0);
    assert_eq!((read.len() as u64, last_error(&read).as_deref()), (LOG_TAIL_BYTES, Some("at the end")));
    assert_eq!(tail(&scratch.path().join("absent"), 0), "");
}

/// Writes a script and waits until it can be run: a process that another test starts meanwhile may inherit the file while it
/// is open for writing, and for that moment the system calls it busy.
fn write_program(path: &Path, script: &str) {
    fs::write(path, format!("#!/bin/sh\n[ \"$1\" = probe ] && exit 0\n{script}\n")).unwrap();
    assert!(Command::new("chmod").arg("+x").arg(path).status().unwrap().success());
    let runs = || Command::new(path).arg("probe").status().is_ok_and(|status| status.success());
    assert!((0..100).any(|_| runs() || platform::block_on(platform::pause()).is_err()), "{} never ran", path.display());
}

/// A race of three runs whose program is a shell script; `$2` is the folder of the run.
struct Stage {
    _scratch: ScratchFolder,
    plan: Plan,
    folder: RaceFolder,
    program: PathBuf,
}

impl Stage {
    fn new(script: &str) -> Option<Self> {
        if cfg!(not(unix)) {
            eprintln!("NOT TESTED: there is no `sh` here to stand for the program");
            return None;
        }
        let scratch = folder().unwrap();
        let text = "methods = [\"seq\"]\n[experiment]\ndevice = \"cpu\"\ntasks = [\"builtin:law\"]\n";
        let plan = Plan::new(&RaceConfig::parse(text, "r.toml").unwrap()).unwrap();
        let race = RaceFolder::new(&scratch.path().join("race"));
        let program = scratch.path().join("program");
        write_program(&program, script);
        Some(Self { _scratch: scratch, plan, folder: race, program })
    }

    /// Works through all three runs and returns how each ended; `watch` may stop them.
    fn outcomes(&self, jobs: usize, control: &Control, mut watch: impl FnMut(&News)) -> Vec<(usize, String)> {
        let threads = "3".into();
        let workers = Workers { plan: &self.plan, folder: &self.folder, program: self.program.clone(), jobs, threads };
        let mut ended = Vec::new();
        let tell = &mut |news: News| {
            watch(&news);
            if let Some((run, outcome)) = news.ended() {
                let outcome = match outcome {
                    Outcome::Finished(report) => format!("finished, seed {}", report.seed),
                    Outcome::Stopped => "stopped".into(),
                    Outcome::Failed(reason) => format!("failed: {reason}"),
                };
                ended.push((run, outcome));
            }
        };
        workers.work(&[0, 1, 2], control, tell).unwrap();
        ended.sort();
        ended
    }
}

const REPORT: &str = r#"printf '{"title":"","method":"","method_label":"","seed":SEED,"device":"","model":"","tasks":[],"learners":[],"headline":0,"steps":[],"train_secs":1.0,"eval_secs":1.0,"total_tokens":0,"peak_memory_bytes":null,"trainable_parameters":0,"settings":[],"command":"","version":"VERSION","started_unix":0,"buffer":null,"warnings":[]}' | sed "s/SEED/${2##*seed}/; s/-given//" > "$2/report.json""#;

fn report_line() -> String {
    REPORT.replace("VERSION", env!("CARGO_PKG_VERSION"))
}

#[test]
fn a_run_that_fails_or_is_killed_stops_no_other() {
    let script = format!(
        "case $2 in *seed1*) echo 'error: no such luck' >&2; exit 1;; *seed2*) kill -9 $$;; *) {};; esac",
        report_line()
    );
    let Some(stage) = Stage::new(&script) else { return };
    let ended = stage.outcomes(2, &Control::default(), |_| {});
    assert_eq!(ended[0], (0, "failed: no such luck".into()));
    assert!(ended[1].1.starts_with("failed: it was ended by the system (signal: 9"), "{ended:?}");
    assert_eq!(ended[2], (2, "finished, seed 3".into()));
}

#[test]
fn a_run_is_given_its_folder_its_threads_and_a_log() {
    let script = format!("echo \"$@\"; echo threads $RAYON_NUM_THREADS >&2; {}", report_line());
    let Some(stage) = Stage::new(&script) else { return };
    let (mut at_once, mut most) = (0_usize, 0_usize);
    let ended = stage.outcomes(2, &Control::default(), |news| {
        match news {
            News::Started { .. } => at_once += 1,
            News::Ended { .. } => at_once -= 1,
            News::Waited => {}
        }
        most = most.max(at_once);
    });
    assert_eq!(most, 2);
    assert!(ended.iter().all(|(_, outcome)| outcome.starts_with("finished")), "{ended:?}");
    for cell in &stage.plan.cells {
        let path = stage.folder.run_path(cell);
        let log = fs::read_to_string(path.join(LOG_FILE)).unwrap();
        assert_eq!(log, format!("resume {} --quiet --stop-at-stdin-end\nthreads 3\n", path.display()));
        assert!(path.join(CONFIG_FILE).exists());
    }
}

#[test]
fn a_report_is_needed_and_a_silent_end_is_told_by_its_code() {
    let Some(stage) = Stage::new("case $2 in *seed1*) exit 0;; *seed2*) exit 7;; *) exit 130;; esac") else { return };
    let ended = stage.outcomes(3, &Control::default(), |_| {});
    assert!(ended[0].1.contains("failed: there is no report.json"), "{ended:?}");
    assert!(ended[1].1.contains("exit code 7; see ") && ended[1].1.contains(LOG_FILE), "{ended:?}");
    assert!(ended[2].1.contains("exit code 130"), "nobody asked it to stop: {ended:?}");
}

#[test]
fn a_stop_closes_their_input_and_starts_nothing_more() {
    let Some(stage) = Stage::new("cat; exit 130") else { return };
    let control = Control::default();
    let mut started = 0;
    let ended = stage.outcomes(2, &control, |news| match news {
        News::Started { .. } => started += 1,
        News::Waited => control.send(Order::Stop),
        News::Ended { .. } => {}
    });
    assert_eq!(started, 2, "the third is not begun");
    assert_eq!(ended, [(0, "stopped".into()), (1, "stopped".into())]);
}

#[test]
fn two_processes_never_work_on_one_run() {
    let Some(stage) = Stage::new("cat; exit 130") else { return };
    let control = Control::default();
    let mut second = Vec::new();
    stage.outcomes(1, &control, |news| {
        if matches!(news, News::Waited) && second.is_empty() {
            let other = Control::default();
            second = stage.outcomes(3, &other, |news| {
                if matches!(news, News::Waited) {
                    other.send(Order::Stop);
                }
            });
            control.send(Order::Stop);
        }
    });
    assert!(second[0].1.contains("failed: another process is at work in "), "{second:?}");
    assert_eq!(second[1].1, "stopped", "the others are free");
    // the lock ends with its process
    write_program(&stage.program, &report_line());
    let ended = stage.outcomes(3, &Control::default(), |_| {});
    assert!(ended.iter().all(|(_, outcome)| outcome.starts_with("finished")), "{ended:?}");
}
