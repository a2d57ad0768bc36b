//! `devices`: the CPU and all WebGPU adapters with limits, features, and a measured LoRA step.

use super::args::DevicesArgs;
use super::table::bytes;
use super::terminal::{note, say};
use super::{Ending, Session};
use crate::engine::EngineError;
use crate::engine::bench::{Budget, StepTiming, Workload, measure_step, stories260k};
use crate::engine::device::{AdapterReport, OpenDevice, adapters, open_adapter};
use crate::platform;
use std::fmt::Write as _;

/// Seconds spent on each device after its first step.
const BUDGET_SECS: f64 = 2.0;

/// A device and what was measured on it.
struct Line {
    /// What to give to `--device`.
    setting: String,
    name: String,
    adapter: Option<AdapterReport>,
    step: Option<Result<StepTiming, EngineError>>,
}

pub(super) fn devices(args: &DevicesArgs, session: &Session) -> anyhow::Result<Ending> {
    let mut lines =
        vec![Line { setting: "cpu".into(), name: OpenDevice::cpu("listed").name, adapter: None, step: None }];
    for adapter in platform::block_on(adapters())? {
        let (setting, name) = (format!("webgpu:{}", adapter.index), adapter.name.clone());
        lines.push(Line { setting, name, adapter: Some(adapter), step: None });
    }
    if !args.no_measure {
        for line in &mut lines {
            if !session.quiet {
                note(&format!("measuring {} …", line.name));
            }
            line.step = Some(platform::block_on(measure(line.adapter.as_ref()))?);
        }
    }
    say(&if args.json { json(&lines)? } else { text(&lines) })?;
    Ok(Ending::Done)
}

/// A LoRA step at stories260K's shape, 8 rows of 128 tokens.
async fn measure(adapter: Option<&AdapterReport>) -> Result<StepTiming, EngineError> {
    let device = match adapter {
        Some(adapter) => open_adapter(adapter).await?,
        None => OpenDevice::cpu("measured"),
    };
    let workload = Workload::small();
    measure_step(&device, &stories260k()?, &workload, "seq", Budget::Secs(BUDGET_SECS)).await
}

fn text(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        let _ = writeln!(text, "{:<9} {}", line.setting, line.name);
        if let Some(adapter) = &line.adapter {
            let software = if adapter.is_software() { ", a software renderer" } else { "" };
            let _ = writeln!(
                text,
                "          {} on {}{software}; driver {}",
                adapter.kind, adapter.backend, adapter.driver
            );
            let _ = writeln!(
                text,
                "          buffers up to {}, {} bound at once; features: {}",
                bytes(adapter.max_buffer_bytes),
                bytes(adapter.max_binding_bytes),
                if adapter.features.is_empty() { "none".into() } else { adapter.features.join(", ") }
            );
        }
        match &line.step {
            None => {}
            Some(Ok(step)) => {
                let _ = writeln!(
                    text,
                    "          LoRA step {:.1} ms (median of {}, first {:.1} ms) at stories260K's shape, 8 x 128 tokens",
                    step.median_secs * 1e3,
                    step.steps,
                    step.first_secs * 1e3
                );
            }
            Some(Err(error)) => {
                let _ = writeln!(text, "          cannot be used: {error}");
            }
        }
    }
    if lines.len() == 1 {
        text += "no WebGPU adapter was found: everything runs on the CPU (a Vulkan, Metal or DirectX 12 driver would bring one)\n";
    }
    text
}

fn json(lines: &[Line]) -> anyhow::Result<String> {
    let list: Vec<serde_json::Value> = lines
        .iter()
        .map(|line| {
            let (step, error) = match &line.step {
                Some(Ok(step)) => (Some(step), None),
                Some(Err(error)) => (None, Some(error.to_string())),
                None => (None, None),
            };
            serde_json::json!({
                "device": line.setting,
                "name": line.name,
                "adapter": line.adapter,
                "step_ms": step.map(|step| step.median_secs * 1e3),
                "first_step_ms": step.map(|step| step.first_secs * 1e3),
                "error": error,
            })
        })
        .collect();
    Ok(serde_json::to_string_pretty(&list)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu(step: Option<Result<StepTiming, EngineError>>) -> Vec<Line> {
        vec![Line { setting: "cpu".into(), name: "CPU (2 threads)".into(), adapter: None, step }]
    }

    #[test]
    fn a_machine_without_a_driver_is_told_so() {
        let shown = text(&cpu(None));
        assert!(shown.contains("CPU (2 threads)") && shown.contains("no WebGPU adapter"), "{shown}");
    }

    #[test]
    fn measured_and_failed_steps_are_in_both_forms() {
        let timing = StepTiming { first_secs: 0.5, median_secs: 0.012, min_secs: 0.01, steps: 9, loss: 1.0 };
        let lines = cpu(Some(Ok(timing)));
        assert!(text(&lines).contains("LoRA step 12.0 ms (median of 9, first 500.0 ms)"));
        let list: serde_json::Value = serde_json::from_str(&json(&lines).unwrap()).unwrap();
        assert_eq!((&list[0]["device"], &list[0]["step_ms"]), (&"cpu".into(), &12.0.into()));
        let failed = cpu(Some(Err(EngineError::Device("it is gone".into()))));
        assert!(text(&failed).contains("cannot be used: it is gone"));
    }
}
