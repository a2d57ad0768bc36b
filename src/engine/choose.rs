//! `auto`: measures a LoRA step on every device of the machine and takes the fastest that fits.

use super::EngineError;
use super::bench::{Budget, Workload, measure_step};
use super::config::ExperimentConfig;
use super::device::{DeviceChoice, OpenDevice, candidates};
use super::protocol::Event;
use super::run::Sink;
use crate::model::ModelConfig;

/// Seconds spent on each candidate.
const BUDGET_SECS: f64 = 2.0;

/// The device of a configuration; with `auto` and more than one candidate, the one with the fastest step.
///
/// # Errors
/// A device that is not there.
pub async fn choose_device(
    config: &ExperimentConfig,
    model: &ModelConfig,
    emit: Sink<'_>,
) -> Result<OpenDevice, EngineError> {
    let mut open = candidates(&DeviceChoice::parse(&config.device)?).await?;
    if open.len() == 1 {
        return Ok(open.remove(0));
    }
    emit(Event::PhaseStarted { phase: "measuring devices".into(), detail: format!("{} candidates", open.len()) });
    // The same widths with two layers tell which device is faster, without loading a large model on each.
    let mut shape = model.clone();
    shape.num_hidden_layers = shape.num_hidden_layers.min(2);
    let workload = Workload {
        batch: config.training.batch_size,
        seq: config.training.max_length.min(128),
        lora: config.lora.clone(),
        targets_per_row: 4,
    };
    let mut measured = Vec::with_capacity(open.len());
    for device in &open {
        match measure_step(device, &shape, &workload, "seq", Budget::Secs(BUDGET_SECS)).await {
            Ok(timing) => measured.push(timing.median_secs),
            Err(error) => {
                emit(Event::Warned { message: format!("{} was left out: {error}", device.name) });
                measured.push(f64::INFINITY);
            }
        }
    }
    let best = measured.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(index, _)| index);
    let list: Vec<String> =
        open.iter().zip(&measured).map(|(device, secs)| format!("{} {:.1} ms", device.name, secs * 1e3)).collect();
    let mut device = open.swap_remove(best);
    device.reason = format!("fastest LoRA step of: {}", list.join(", "));
    Ok(device)
}
