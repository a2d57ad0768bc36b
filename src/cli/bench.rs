//! `bench`: LoRA training steps at known shapes, what an I-LoRA step costs beside its arithmetic, and PyTorch in the same run;
//! with `--landscape` the points of paths and planes.

mod landscape;

use super::args::BenchArgs;
use super::table::bytes;
use super::terminal::{note, say};
use super::{Ending, Session};
use crate::engine::bench::{Budget, StepTiming, Workload, measure_step, smollm2_135m, step_flops, stories260k};
use crate::engine::config::ExperimentConfig;
use crate::engine::device::OpenDevice;
use crate::engine::{EngineError, choose};
use crate::model::{LoraConfig, ModelConfig};
use crate::platform;
use anyhow::anyhow;
use serde::Deserialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The script that measures PyTorch, from the repository's root.
const SCRIPT: &str = "tests/parity/bench_pytorch.py";

/// A shape with the batch that both sides use; `name` is the script's.
struct Shape {
    name: &'static str,
    config: ModelConfig,
    workload: Workload,
}

/// What the script prints, as far as it is used.
#[derive(Debug, Deserialize)]
struct PytorchTiming {
    shape: String,
    threads: usize,
    batch: usize,
    seq: usize,
    rank: usize,
    targets: usize,
    steps: usize,
    median_ms: f64,
    min_ms: f64,
    peak_rss_bytes: Option<u64>,
    torch: String,
    peft: String,
}

pub(super) fn bench(args: &BenchArgs, session: &Session) -> anyhow::Result<Ending> {
    if args.landscape {
        return landscape::bench(args, session);
    }
    for name in &args.shapes {
        let shape = shape(name)?;
        let device = platform::block_on(open(&args.device, &shape))??;
        let tell = |what: &str| {
            if !session.quiet {
                note(&format!("measuring {what} at {}'s shape …", shape.name));
            }
        };
        if let (Some(method), Some(steps)) = (&args.method, args.fixed_steps) {
            let timing = measure(&device, &shape, method, Budget::Steps(steps))?;
            say(&format!("{method} at {}'s shape: {steps} steps, loss {:.4}\n", shape.name, timing.loss))?;
            continue;
        }
        let budget = Budget::Secs(args.seconds);
        let is_reset = platform::reset_peak_memory();
        tell("the plain step");
        let plain = measure(&device, &shape, "seq", budget)?;
        let peak = platform::peak_memory_bytes().filter(|_| is_reset);
        let mut text = plain_lines(&shape, &device.name, &plain, peak);
        if let Some(python) = &args.pytorch {
            tell("PyTorch");
            text += &pytorch_lines(&shape, &plain, &pytorch(python, &shape)?);
        }
        tell("the I-LoRA step");
        let tied = measure(&device, &shape, "i_lora", budget)?;
        text += &tied_lines(&shape, &plain, &tied);
        say(&text)?;
    }
    Ok(Ending::Done)
}

/// Rank 8 on q and v and the loss at all positions, as in the script.
fn shape(name: &str) -> Result<Shape, EngineError> {
    let (name, config, batch) = if name.eq_ignore_ascii_case("stories260K") {
        ("stories260K", stories260k()?, 8)
    } else {
        ("SmolLM2-135M", smollm2_135m()?, 4)
    };
    let workload = Workload { batch, seq: 128, lora: LoraConfig::default(), targets_per_row: 127 };
    Ok(Shape { name, config, workload })
}

async fn open(device: &str, shape: &Shape) -> Result<OpenDevice, EngineError> {
    let mut config = ExperimentConfig { device: device.into(), ..ExperimentConfig::default() };
    config.training.batch_size = shape.workload.batch;
    config.training.max_length = shape.workload.seq;
    choose::choose_device(&config, &shape.config, &mut |_| {}).await
}

fn measure(device: &OpenDevice, shape: &Shape, method: &str, budget: Budget) -> anyhow::Result<StepTiming> {
    Ok(platform::block_on(measure_step(device, &shape.config, &shape.workload, method, budget))??)
}

fn plain_lines(shape: &Shape, device: &str, plain: &StepTiming, peak: Option<u64>) -> String {
    let Workload { batch, seq, lora, .. } = &shape.workload;
    let flops = step_flops(&shape.config, &shape.workload, false);
    let mut text = format!("{}: {batch} x {seq} tokens, rank {}, {device}\n", shape.name, lora.rank);
    let _ = writeln!(
        text,
        "  plain step   {:.2} ms median, {:.2} ms min of {} steps (first {:.1} ms)",
        plain.median_secs * 1e3,
        plain.min_secs * 1e3,
        plain.steps,
        plain.first_secs * 1e3
    );
    let _ = writeln!(
        text,
        "  arithmetic   {:.2} GFLOP a step, {:.1} GFLOP/s (median); last loss {:.4}",
        flops / 1e9,
        flops / plain.median_secs / 1e9,
        plain.loss
    );
    let _ = writeln!(text, "  peak memory  {}", peak.map_or_else(|| "not told by this system".into(), bytes));
    text
}

/// The slow learner reads the replayed rows once more, forward and without the head; the working learner reads both batches.
fn tied_flops(shape: &Shape) -> f64 {
    let headless = Workload { targets_per_row: 0, ..shape.workload.clone() };
    2.0 * step_flops(&shape.config, &shape.workload, false) + step_flops(&shape.config, &headless, true)
}

fn tied_lines(shape: &Shape, plain: &StepTiming, tied: &StepTiming) -> String {
    let cost = tied.median_secs / plain.median_secs;
    let arithmetic = tied_flops(shape) / step_flops(&shape.config, &shape.workload, false);
    format!(
        "  I-LoRA step  {:.2} ms median, {:.2} ms min: {cost:.2} plain steps for {arithmetic:.2} times the arithmetic, ratio {:.2}\n",
        tied.median_secs * 1e3,
        tied.min_secs * 1e3,
        cost / arithmetic
    )
}

/// Runs the script for one shape with as many threads as we have.
fn pytorch(python: &Path, shape: &Shape) -> anyhow::Result<PytorchTiming> {
    let script = script();
    let output = Command::new(python)
        .arg(&script)
        .args(["--threads", &platform::cpu_threads().to_string(), "--shapes", shape.name])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| {
            anyhow!("{} cannot be started ({error}): give a Python with torch, transformers and peft", python.display())
        })?;
    if !output.status.success() {
        return Err(anyhow!("{} ended with {}: see its messages above", script.display(), output.status));
    }
    let theirs = parse(&String::from_utf8_lossy(&output.stdout), shape.name)
        .ok_or_else(|| anyhow!("{} printed no line of JSON for {}", script.display(), shape.name))?;
    let Workload { batch, seq, lora, targets_per_row } = &shape.workload;
    if (theirs.batch, theirs.seq, theirs.rank, theirs.targets) != (*batch, *seq, lora.rank, batch * targets_per_row) {
        return Err(anyhow!(
            "{} measured another workload than ours: {theirs:?}; set its shape to the same sizes",
            script.display()
        ));
    }
    Ok(theirs)
}

/// In the present folder, or where the program was built.
fn script() -> PathBuf {
    let here = PathBuf::from(SCRIPT);
    if here.is_file() { here } else { Path::new(env!("CARGO_MANIFEST_DIR")).join(SCRIPT) }
}

fn parse(stdout: &str, shape: &str) -> Option<PytorchTiming> {
    stdout
        .lines()
        .filter_map(|line| serde_json::from_str::<PytorchTiming>(line).ok())
        .find(|timing| timing.shape == shape)
}

fn pytorch_lines(shape: &Shape, plain: &StepTiming, theirs: &PytorchTiming) -> String {
    format!(
        "  PyTorch      {:.2} ms median, {:.2} ms min of {} steps, {} threads, peak {} (torch {}, peft {})\n  \
         ours/theirs  {:.2} median, {:.2} min at {}'s shape\n",
        theirs.median_ms,
        theirs.min_ms,
        theirs.steps,
        theirs.threads,
        theirs.peak_rss_bytes.map_or_else(|| "not told".into(), bytes),
        theirs.torch,
        theirs.peft,
        plain.median_secs * 1e3 / theirs.median_ms,
        plain.min_secs * 1e3 / theirs.min_ms,
        shape.name
    )
}

#[cfg(test)]
mod tests;
