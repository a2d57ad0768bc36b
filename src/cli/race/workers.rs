//! The processes of a race: one for each run, a few at once, so that a run that crashes or is killed for its memory stops
//! no other, and time and memory are each run's own.
//!
//! A run is started by `thalweg resume FOLDER --stop-at-stdin-end`, and what it says goes to `log.txt` in its folder. The
//! race holds the other end of its standard input and closes it to have the run save itself and stop. So does the system
//! when the race itself is killed: no run outlives it for long.

use crate::cli::interrupt::INTERRUPTED;
use crate::engine::Control;
use crate::engine::race::folder::RaceFolder;
use crate::engine::race::plan::{Cell, Plan};
use crate::engine::report::RunReport;
use crate::engine::run_folder::CONFIG_FILE;
use crate::platform;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// What a run says, in its folder.
const LOG_FILE: &str = "log.txt";
/// The variable by which the thread pool of the kernels is told its size.
const THREADS: &str = "RAYON_NUM_THREADS";
/// At most so much of a log's end is searched for the reason of a failure.
const LOG_TAIL_BYTES: u64 = 16 * 1024;

/// How a run ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Finished(Box<RunReport>),
    /// It saved itself because it was asked to.
    Stopped,
    /// A sentence.
    Failed(String),
}

/// What happened; runs are named by their index in the plan.
#[derive(Debug)]
pub(super) enum News {
    Started {
        run: usize,
    },
    /// With the seconds since it was started.
    Ended {
        run: usize,
        secs: f64,
        outcome: Outcome,
    },
    /// Nothing, for a while.
    Waited,
}

impl News {
    /// Which run ended, and how.
    pub(super) fn ended(&self) -> Option<(usize, &Outcome)> {
        match self {
            Self::Ended { run, outcome, .. } => Some((*run, outcome)),
            _ => None,
        }
    }
}

/// How the runs of a race are started.
pub(super) struct Workers<'a> {
    plan: &'a Plan,
    folder: &'a RaceFolder,
    program: PathBuf,
    /// Runs at once.
    pub(super) jobs: usize,
    /// Threads of each run.
    pub(super) threads: OsString,
}

/// A run at work.
struct Worker {
    run: usize,
    process: Child,
    log: PathBuf,
    /// Bytes that earlier attempts left in the log.
    log_start: u64,
    started: f64,
}

impl<'a> Workers<'a> {
    /// Shares the machine among the runs: without `jobs` one for each core on the CPU, one at all on a GPU.
    ///
    /// # Errors
    /// When the program cannot find itself.
    pub(super) fn new(
        plan: &'a Plan,
        folder: &'a RaceFolder,
        jobs: Option<usize>,
        runs: usize,
    ) -> anyhow::Result<Self> {
        let program = std::env::current_exe()
            .map_err(|error| anyhow::anyhow!("the program cannot find its own file to start runs with ({error})"))?;
        let on_cpu = plan.cells.first().is_some_and(|cell| cell.config.device == "cpu");
        let (jobs, threads) = shares(jobs, runs, platform::cpu_threads(), on_cpu);
        let threads = std::env::var_os(THREADS).unwrap_or_else(|| threads.to_string().into());
        Ok(Self { plan, folder, program, jobs, threads })
    }

    /// Works through the runs in their order, and tells what happens. After a stop nothing more is started, and this returns
    /// when all that were at work have saved themselves.
    ///
    /// # Errors
    /// Only what the platform says of waiting; what goes wrong with a run is told as its outcome.
    pub(super) fn work(&self, runs: &[usize], control: &Control, tell: &mut dyn FnMut(News)) -> anyhow::Result<()> {
        let mut waiting: VecDeque<usize> = runs.iter().copied().collect();
        let mut working: Vec<Worker> = Vec::new();
        loop {
            while working.len() < self.jobs && !control.is_stopped() {
                let Some(run) = waiting.pop_front() else { break };
                match self.start(run) {
                    Ok(worker) => {
                        working.push(worker);
                        tell(News::Started { run });
                    }
                    Err(error) => {
                        tell(News::Ended { run, secs: 0.0, outcome: Outcome::Failed(error.to_string()) });
                    }
                }
            }
            if working.is_empty() {
                return Ok(());
            }
            if control.is_stopped() {
                // closes the pipes; a second time there is nothing left to close
                for worker in &mut working {
                    drop(worker.process.stdin.take());
                }
            }
            let mut still = Vec::with_capacity(working.len());
            for mut worker in working {
                match worker.process.try_wait() {
                    Ok(None) => still.push(worker),
                    ended => {
                        let secs = platform::now_secs() - worker.started;
                        let outcome = match ended {
                            Ok(Some(status)) => self.judge(&worker, status, control)?,
                            _ => Outcome::Failed("the system lost sight of its process".into()),
                        };
                        tell(News::Ended { run: worker.run, secs, outcome });
                    }
                }
            }
            working = still;
            tell(News::Waited);
            platform::block_on(platform::pause())?;
        }
    }

    fn start(&self, run: usize) -> anyhow::Result<Worker> {
        let cell = &self.plan.cells[run];
        let folder = self.make_folder(cell)?;
        let log = folder.join(LOG_FILE);
        let cannot = |what: &str, error: &std::io::Error| anyhow::anyhow!("{} {what} ({error})", log.display());
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(|error| cannot("cannot be written", &error))?;
        if !takes_lock(&file) {
            anyhow::bail!("another process is at work in {}: wait for its end, or stop it", folder.display());
        }
        let log_start = file.seek(SeekFrom::End(0)).map_err(|error| cannot("cannot be read", &error))?;
        let again = file.try_clone().map_err(|error| cannot("cannot be written", &error))?;
        let process = Command::new(&self.program)
            .arg("resume")
            .arg(&folder)
            .args(["--quiet", "--stop-at-stdin-end"])
            .env(THREADS, &self.threads)
            .stdin(Stdio::piped())
            .stdout(file)
            .stderr(again)
            .spawn()
            .map_err(|error| anyhow::anyhow!("{} could not be started ({error})", self.program.display()))?;
        Ok(Worker { run, process, log, log_start, started: platform::now_secs() })
    }

    /// A folder that is there has the right configuration; this was checked before anything was started.
    fn make_folder(&self, cell: &Cell) -> anyhow::Result<PathBuf> {
        let path = self.folder.run_path(cell);
        if path.join(CONFIG_FILE).exists() {
            // As it is, so that a run goes on from its checkpoint. Its own paths are absolute.
            return Ok(path);
        }
        Ok(self.folder.create_run(cell)?)
    }

    fn judge(&self, worker: &Worker, status: ExitStatus, control: &Control) -> anyhow::Result<Outcome> {
        if status.success() {
            return Ok(match self.folder.report(&self.plan.cells[worker.run]) {
                Ok(report) => Outcome::Finished(Box::new(report)),
                Err(error) => Outcome::Failed(error.to_string()),
            });
        }
        // 130 is a stop that was heeded, no code a signal, such as one that came before the run could heed it.
        if status.code().is_none_or(|code| code == INTERRUPTED) {
            // Ctrl-C reaches everybody at once, and a run may be faster than the thread that tells this one of it.
            for _ in 0..10 {
                if control.is_stopped() {
                    return Ok(Outcome::Stopped);
                }
                platform::block_on(platform::pause())?;
            }
        }
        Ok(Outcome::Failed(reason(worker, status)))
    }
}

/// Runs at once, and threads for each.
fn shares(jobs: Option<usize>, runs: usize, cores: usize, on_cpu: bool) -> (usize, usize) {
    let usual = if on_cpu { cores } else { 1 };
    let jobs = jobs.unwrap_or(usual).clamp(1, runs.max(1));
    (jobs, (cores / jobs).max(1))
}

/// Takes the lock of a run, which its process then holds through the open file until it ends; `false` where another does.
fn takes_lock(log: &File) -> bool {
    // Elsewhere than on Unix a lock may keep the process itself from writing, and not every file system has locks.
    !cfg!(unix) || !matches!(log.try_lock(), Err(TryLockError::WouldBlock))
}

/// Why a run failed: the last error in its log, or how it ended.
fn reason(worker: &Worker, status: ExitStatus) -> String {
    let told = last_error(&tail(&worker.log, worker.log_start));
    match (status.code(), told) {
        (Some(_), Some(told)) => told,
        (Some(code), None) => format!("it ended with exit code {code}; see {}", worker.log.display()),
        (None, _) => format!(
            "it was ended by the system ({status}); see {}; if memory was short, fewer --jobs at once need less",
            worker.log.display()
        ),
    }
}

/// The end of a log, from what this attempt wrote.
fn tail(log: &Path, start: u64) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(start.max(length.saturating_sub(LOG_TAIL_BYTES))))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

/// The last line that is an error's, or else the last with anything in it.
fn last_error(log: &str) -> Option<String> {
    let lines = || log.lines().map(str::trim).filter(|line| !line.is_empty());
    let error = lines().filter_map(|line| line.strip_prefix("error: ")).next_back();
    error.or_else(|| lines().next_back()).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests;
