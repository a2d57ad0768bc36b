//! The command line: the engine's front end without a window. It sends commands, prints events, and never names a tensor.
//!
//! In reading order: [`args`] (what can be typed), `run` (the main job) with `overrides`, `progress`, `interrupt` and
//! `outcome`, then one file for each further subcommand. Results go to stdout, everything else to stderr.
//! Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C.

mod adapter;
pub mod args;
mod bench;
mod capsule;
mod command_line;
mod demo;
mod devices;
mod eval;
mod generate;
mod interrupt;
mod landscape;
pub mod matrix_table;
mod methods;
mod outcome;
mod overrides;
mod pretrain;
mod progress;
mod race;
mod resume;
mod run;
mod similarity;
mod table;
mod tasks;
mod terminal;

use args::{AdapterCommand, Cli, Command, DemoArgs, TasksCommand};
use clap::Parser;
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// How a subcommand ended that met no error of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Done,
    /// Something failed and was told already; the rest went on.
    Failed,
    /// Ctrl-C.
    Stopped,
}

/// Arguments that are read but cannot be meant; exits with 2 as clap's own findings do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct UsageError(String);

/// What every subcommand is given besides its own arguments.
struct Session {
    quiet: bool,
    /// The command line that repeats this call.
    command: String,
}

/// Reads the arguments and runs the subcommand.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // help and version go to stdout with 0, findings to stderr with 2
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            return if error.print().is_ok() || code != 0 { ExitCode::from(code) } else { ExitCode::FAILURE };
        }
    };
    let session = Session { quiet: cli.global.quiet, command: command_line::repeat(&arguments, cli.command.is_none()) };
    let result = start_log(cli.global.log.as_deref()).and_then(|()| dispatch(cli.command, &session));
    match result {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Failed) => ExitCode::FAILURE,
        Ok(Ending::Stopped) => ExitCode::from(130),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::note(&format!("error: {error}"));
            ExitCode::from(if error.is::<UsageError>() { 2 } else { 1 })
        }
    }
}

/// Whoever read our output has enough of it (`thalweg tasks list | head`), which is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Without a subcommand the demonstration runs.
fn dispatch(command: Option<Command>, session: &Session) -> anyhow::Result<Ending> {
    match command.unwrap_or_else(|| Command::Demo(DemoArgs::default())) {
        Command::Demo(args) => demo::demo(&args, session),
        Command::Run(args) => run::run(&args, session),
        Command::Resume(args) => resume::resume(&args, session),
        Command::Race(args) => race::race(&args, session),
        Command::Eval(args) => eval::eval(&args, session),
        Command::Generate(args) => generate::generate(&args, session),
        Command::Adapter { action: AdapterCommand::Info(args) } => adapter::info(&args),
        Command::Adapter { action: AdapterCommand::Merge(args) } => adapter::merge(&args, session),
        Command::Capsule(args) => capsule::capsule(&args, session),
        Command::Devices(args) => devices::devices(&args, session),
        Command::Path(args) => landscape::path(&args, session),
        Command::Plane(args) => landscape::plane(&args, session),
        Command::Similarity(args) => similarity::similarity(&args, session),
        Command::Pretrain(args) => pretrain::pretrain(&args, session),
        Command::Tasks { action: TasksCommand::Check(args) } => tasks::check(&args),
        Command::Tasks { action: TasksCommand::List } => tasks::list(),
        Command::Methods => methods::methods(),
        Command::Bench(args) => bench::bench(&args, session),
    }
}

/// Messages of the program to stderr: warnings, or more with `--log`. A bare level is meant for our own messages.
fn start_log(level: Option<&str>) -> anyhow::Result<()> {
    let level = level.unwrap_or("warn");
    let bare = level.chars().all(|c| c.is_ascii_alphanumeric());
    let directives = if bare { format!("error,thalweg={level}") } else { level.to_string() };
    let filter = EnvFilter::try_new(&directives).map_err(|error| {
        UsageError(format!(
            "--log {level}: {error}; use error, warn, info, debug, trace or off, or directives such as wgpu=info"
        ))
    })?;
    // A second start in one process (a test) keeps the first log.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_target(true).try_init();
    Ok(())
}
