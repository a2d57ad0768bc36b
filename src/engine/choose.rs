//! `auto`: measures a LoRA step on every device of the machine and takes the fastest that fits.

use super::EngineError;
use super::bench::{Budget, Workload, measure_step};
use super::caught::caught;
use super::config::ExperimentConfig;
use super::device::{DeviceChoice, OpenDevice, candidates, lose};
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
    let mut secs_of = Vec::with_capacity(open.len());
    for device in &open {
        let step = async {
            let timing = measure_step(device, &shape, &workload, "seq", Budget::Secs(BUDGET_SECS)).await?;
            Ok::<_, EngineError>(timing.median_secs)
        };
        secs_of.push(match measured(&device.name, Box::pin(step)).await {
            Ok(secs) => secs,
            Err(cause) => {
                emit(Event::Warned { message: format!("{} was left out: {cause}", device.name) });
                f64::INFINITY
            }
        });
    }
    let best = secs_of.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(index, _)| index);
    let list: Vec<String> =
        open.iter().zip(&secs_of).map(|(device, secs)| format!("{} {:.1} ms", device.name, secs * 1e3)).collect();
    let mut device = open.swap_remove(best);
    device.reason = format!("fastest LoRA step of: {}", list.join(", "));
    Ok(device)
}

/// Measures something on the device of this name. Drivers fail by panics, too: that must not take the other devices along, and
/// such a device is not opened again.
///
/// # Errors
/// Why there is no measurement.
pub(super) async fn measured<T>(name: &str, work: impl Future<Output = Result<T, EngineError>>) -> Result<T, String> {
    let measured = caught(work).await.map_err(|cause| {
        lose(name);
        format!("its driver failed while it was measured ({cause}); update the driver, or choose another device")
    })?;
    measured.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::device::is_lost;
    use super::*;
    use crate::platform::block_on;

    #[test]
    fn a_driver_that_falls_over_is_a_reason() {
        let name = "a test's device";
        assert_eq!(block_on(measured(name, async { Ok(0.5) })).unwrap(), Ok(0.5));
        let lost = async { Err::<f64, _>(EngineError::Device("it was lost".into())) };
        let lost = block_on(measured(name, lost)).unwrap().unwrap_err();
        assert!(lost.contains("it was lost") && !is_lost(name), "{lost}");
        let panic = async { panic!("validation error in queue submit") };
        let panic: String = block_on(measured::<f64>(name, panic)).unwrap().unwrap_err();
        assert!(panic.contains("validation error in queue submit") && panic.contains("another device"), "{panic}");
        assert!(is_lost(name), "auto would open it again");
    }
}
