//! `bench --landscape`: the points of a path in four ways that must agree, and a plane.

use super::super::args::BenchArgs;
use super::super::table::{bytes, table};
use super::super::terminal::{note, say};
use super::super::{Ending, Session};
use crate::engine::bench::landscape::{LandscapeBench, Way, WayTiming};
use crate::engine::bench::{Workload, step_flops};
use crate::engine::config::ExperimentConfig;
use crate::engine::{choose, prepare};
use crate::model::LoraConfig;
use crate::platform;

/// Differences between the ways above this are a fault.
const PROMISED: f64 = 1e-4;

pub(super) fn bench(args: &BenchArgs, session: &Session) -> anyhow::Result<Ending> {
    let config = ExperimentConfig { device: args.device.clone(), ..ExperimentConfig::default() };
    let shape = prepare::open_model(&config.model)?.config;
    let device = platform::block_on(choose::choose_device(&config, &shape, &mut |_| {}))??;
    let tell = |what: &str| {
        if !session.quiet {
            note(&format!("measuring {what} …"));
        }
    };
    let mut agree = true;
    for scores in [false, true] {
        let mut bench = LandscapeBench::new(&device, args.examples, scores)?;
        let what = if scores { "losses and scores" } else { "losses" };
        let (tokens, at_once) = (bench.tokens()?, bench.points_at_once()?);
        if !scores {
            say(&format!(
                "embedded model, {}: {} points x 8 tasks x {} examples, {tokens} tokens a point, {at_once} points in a pass",
                device.name, args.points, args.examples
            ))?;
        }
        let mut heard = |way: Way| tell(&format!("{what}, {}", way.title()));
        let timings = platform::block_on(bench.path(args.points, args.rounds, &mut heard))??;
        agree &= timings.iter().all(|(_, timing)| timing.loss_difference <= PROMISED);
        say(&ways(what, args.points, &timings))?;
        if !scores {
            say(&arithmetic(&shape, tokens, args.points, &timings))?;
        }
        if !scores && args.side > 0 {
            tell("a plane");
            let plane = platform::block_on(bench.plane(args.side))??;
            say(&plane_line(args.side, &plane))?;
        }
    }
    if agree {
        return Ok(Ending::Done);
    }
    Err(anyhow::anyhow!(
        "the ways differ by more than {PROMISED}: the table above says which; please report it with the device's name"
    ))
}

/// One line a way, and how many times longer than the first it takes.
#[allow(clippy::cast_precision_loss)] // a count of points
fn ways(what: &str, points: usize, timings: &[(Way, WayTiming)]) -> String {
    let first = timings.first().map_or(f64::NAN, |(_, timing)| timing.secs);
    let rows: Vec<Vec<String>> = (timings.iter())
        .map(|(way, timing)| {
            vec![
                way.title().into(),
                format!("{:.2} s", timing.secs),
                format!("{:.1}", points as f64 / timing.secs),
                format!("{:.2}", timing.secs / first),
                format!("{:.1e}", timing.loss_difference),
                format!("{:.1e}", timing.score_difference),
                timing.peak_bytes.map_or_else(|| "–".into(), bytes),
            ]
        })
        .collect();
    table(&[what, "time", "points/s", "ratio", "largest difference, nats", "of scores", "peak memory"], &rows)
}

/// What the arithmetic of the losses comes to, to see what is left to gain.
#[allow(clippy::cast_precision_loss)] // counts for people
fn arithmetic(shape: &crate::model::ModelConfig, tokens: usize, points: usize, timings: &[(Way, WayTiming)]) -> String {
    // attention and head are small beside the linear layers at these lengths, and left out
    let workload = Workload { batch: 1, seq: 1, lora: LoraConfig::default(), targets_per_row: 0 };
    let flops = step_flops(shape, &workload, true) * tokens as f64 * points as f64;
    let speeds: Vec<String> =
        timings.iter().map(|(way, timing)| format!("{} {:.1}", way.title(), flops / timing.secs / 1e9)).collect();
    format!("{:.1} GFLOP in the linear layers; GFLOP/s: {}\n", flops / 1e9, speeds.join(", "))
}

fn plane_line(side: usize, plane: &WayTiming) -> String {
    #[allow(clippy::cast_precision_loss)] // a count of points
    let speed = (side * side) as f64 / plane.secs;
    let peak = plane.peak_bytes.map_or_else(|| "not told by this system".into(), bytes);
    format!("plane of {side} x {side} points: {:.1} s, {speed:.1} points/s, peak memory {peak}\n", plane.secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_to_the_first_way() {
        let timing = |secs| WayTiming { secs, loss_difference: 2e-6, score_difference: 0.0, peak_bytes: Some(1 << 20) };
        let text = ways("losses", 21, &[(Way::Chosen, timing(2.0)), (Way::Plain, timing(9.0))]);
        let line = text.lines().find(|line| line.starts_with("merged models, plain")).unwrap();
        let cells: Vec<&str> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        assert_eq!(cells, ["merged models, plain evaluation", "9.00 s", "2.3", "4.50", "2.0e-6", "0.0e0", "1.0 MiB"]);
        assert!(plane_line(21, &timing(44.1)).contains("44.1 s, 10.0 points/s, peak memory 1.0 MiB"));
    }
}
