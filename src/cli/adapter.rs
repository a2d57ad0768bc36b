//! `adapter info` and `adapter merge`, and loading an adapter for the subcommands that use one.

use super::args::{AdapterInfoArgs, AdapterMergeArgs};
use super::table::{bytes, table};
use super::terminal::{note, say, stderr_is_terminal};
use super::{Ending, Session, interrupt};
use crate::engine::config::BUILTIN_MODEL;
use crate::engine::prepare::{LoadedModel, open_model};
use crate::engine::{Control, EngineError};
use crate::io::merge::merge_adapter;
use crate::io::peft::{LoadedAdapter, read_adapter};
use crate::io::{HfFolder, SafetensorsFile};
use crate::model::{Adapter, Overlay, PlainAdapter, Projection};
use anyhow::anyhow;
use indicatif::{ProgressBar, ProgressDrawTarget};
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::Path;

/// An adapter on the model's device; says so when it was trained on another base model.
pub(super) fn load(folder: &Path, model: &LoadedModel) -> Result<Overlay, EngineError> {
    let loaded = read_adapter(folder, &model.llama.config)?;
    if let Some(sentence) = other_base(&loaded, &model.fingerprint, &model.name) {
        note(&format!("note: {}: {sentence}", folder.display()));
    }
    Ok(Adapter::from_plain(&loaded.adapter, &model.llama.config, model.llama.device())?.vars(false).into())
}

/// The sizes fit, but are the weights those the adapter was trained on?
fn other_base(loaded: &LoadedAdapter, fingerprint: &str, model: &str) -> Option<String> {
    let made_for = loaded.base_fingerprint.as_ref()?;
    (made_for != fingerprint).then(|| {
        let name = loaded.base_model_name.as_deref().unwrap_or("another model");
        format!("the adapter was trained on other weights (`{name}`) than those of `{model}`, so its effect is not what was trained")
    })
}

pub(super) fn info(args: &AdapterInfoArgs) -> anyhow::Result<Ending> {
    let config_path = args.folder.join("adapter_config.json");
    let weights_path = args.folder.join("adapter_model.safetensors");
    let json = std::fs::read(&config_path).map_err(|error| {
        anyhow!("{}: cannot be read ({error}); give the folder of an adapter in PEFT's format", config_path.display())
    })?;
    let settings: serde_json::Value = serde_json::from_slice(&json)
        .map_err(|error| anyhow!("{}: is not valid JSON ({error}); save the adapter again", config_path.display()))?;
    let weights = SafetensorsFile::open(&weights_path)?;
    let mut text = format!("adapter {}\n", args.folder.display());
    for (name, key) in [
        ("base model", "base_model_name_or_path"),
        ("rank", "r"),
        ("alpha", "lora_alpha"),
        ("dropout", "lora_dropout"),
        ("modules", "target_modules"),
    ] {
        let shown = match settings.get(key) {
            None | Some(serde_json::Value::Null) => "not said".into(),
            Some(serde_json::Value::String(word)) => word.clone(),
            Some(serde_json::Value::Array(list)) => {
                list.iter().map(|item| item.as_str().unwrap_or_default()).collect::<Vec<_>>().join(", ")
            }
            Some(other) => other.to_string(),
        };
        let _ = writeln!(text, "  {name:<11} {shown}");
    }
    let parameters: usize = weights.entries().values().map(|entry| entry.shape.iter().product::<usize>()).sum();
    let size = std::fs::metadata(&weights_path).map_or(0, |file| file.len());
    let _ = writeln!(text, "  tensors     {} with {parameters} parameters, {}", weights.entries().len(), bytes(size));
    if let Some(model) = &args.model {
        let folder = open_model(model)?;
        let loaded = read_adapter(&args.folder, &folder.config)?;
        text += &fitting(&loaded, &folder, model);
    }
    say(&text)?;
    Ok(Ending::Done)
}

/// That the adapter fits, and how large each projection's factors are.
fn fitting(loaded: &LoadedAdapter, folder: &HfFolder, model: &str) -> String {
    let fits = other_base(loaded, &folder.fingerprint, model).unwrap_or_else(|| {
        let known = if loaded.base_fingerprint.is_some() {
            "and was trained on exactly its weights"
        } else {
            "(its weights are not noted in the adapter)"
        };
        format!("the adapter fits `{model}` {known}")
    });
    format!("  model       {fits}\n\n{}", norms(&loaded.adapter))
}

/// Frobenius norms of the factors over all layers; a `B` of 0 is an untrained adapter.
fn norms(adapter: &PlainAdapter) -> String {
    let norm = |projection: Projection, second: bool| {
        let all = adapter.factors.iter().filter(|((_, of), _)| *of == projection);
        let numbers = all.flat_map(|(_, factors)| if second { &factors.lora_b } else { &factors.lora_a });
        numbers.map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
    };
    let rows: Vec<Vec<String>> = adapter
        .config
        .target_modules
        .iter()
        .map(|&projection| {
            let layers = adapter.factors.keys().filter(|(_, of)| *of == projection).count();
            let (a, b) = (norm(projection, false), norm(projection, true));
            vec![projection.name().to_string(), layers.to_string(), format!("{a:.4}"), format!("{b:.4}")]
        })
        .collect();
    table(&["projection", "layers", "norm of A", "norm of B"], &rows)
}

pub(super) fn merge(args: &AdapterMergeArgs, session: &Session) -> anyhow::Result<Ending> {
    if args.model == Path::new(BUILTIN_MODEL) && !args.model.exists() {
        return Err(anyhow!(
            "the built-in model has no folder to merge into: give `--model assets/demo-model` of the source code"
        ));
    }
    let base = HfFolder::open(&args.model)?;
    let loaded = read_adapter(&args.folder, &base.config)?;
    if let Some(sentence) = other_base(&loaded, &base.fingerprint, &args.model.display().to_string()) {
        note(&format!("note: {sentence}"));
    }
    drop(base);
    let control = Control::default();
    interrupt::listen(&control, "stopping; nothing is left behind");
    let shown = !session.quiet && stderr_is_terminal();
    let bar = ProgressBar::with_draw_target(
        Some(0),
        if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() },
    );
    let merged = merge_adapter(&args.model, &loaded.adapter, &args.output, &mut |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
        if control.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    bar.finish_and_clear();
    let report = match merged {
        Err(error) if control.is_stopped() => {
            note(&error.to_string());
            return Ok(Ending::Stopped);
        }
        merged => merged?,
    };
    for file in &report.left_out_files {
        note(&format!("note: {file} was not copied, since it holds the weights without the adapter"));
    }
    say(&format!(
        "{}: {} matrices merged, {} other files copied",
        args.output.display(),
        report.merged_tensors,
        report.copied_files.len()
    ))?;
    Ok(Ending::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Factors, LoraConfig};
    use std::collections::BTreeMap;

    #[test]
    fn norms_run_over_the_layers_of_a_projection() {
        let factors =
            |a: f32, b: f32| Factors { lora_a: vec![a, 0.0], lora_b: vec![0.0, b], in_features: 2, out_features: 2 };
        let adapter = PlainAdapter {
            config: LoraConfig { rank: 1, target_modules: vec![Projection::QProj], ..LoraConfig::default() },
            factors: BTreeMap::from([
                ((0, Projection::QProj), factors(3.0, 0.0)),
                ((1, Projection::QProj), factors(4.0, 0.0)),
            ]),
        };
        let text = norms(&adapter);
        assert!(text.lines().nth(1).unwrap().ends_with("5.0000     0.0000"), "{text}");
    }

    #[test]
    fn another_base_model_is_told_and_an_unknown_one_is_not() {
        let mut loaded = LoadedAdapter {
            adapter: PlainAdapter { config: LoraConfig::default(), factors: BTreeMap::new() },
            base_model_name: Some("a/b".into()),
            base_fingerprint: Some("1".into()),
        };
        assert_eq!(other_base(&loaded, "1", "m"), None);
        assert!(other_base(&loaded, "2", "m").unwrap().contains("`a/b`"));
        loaded.base_fingerprint = None;
        assert_eq!(other_base(&loaded, "2", "m"), None);
    }
}
