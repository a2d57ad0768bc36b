//! From flags to an experiment: the file or preset first, then the flags, then `--set`; what comes later wins.

use super::UsageError;
use super::args::RunArgs;
use crate::continual;
use crate::engine::EngineError;
use crate::engine::config::{ExperimentConfig, MethodConfig, MethodSettings, TaskConfig};
use std::path::Path;

/// The experiment that the arguments of `run` mean.
///
/// # Errors
/// A file that cannot be read, or a setting that is unknown or out of range.
pub(super) fn experiment(args: &RunArgs) -> anyhow::Result<ExperimentConfig> {
    let mut config = match (&args.file, &args.preset) {
        (Some(file), _) => read(file)?,
        (None, Some(preset)) => ExperimentConfig::preset(preset)?,
        (None, None) => ExperimentConfig::default(),
    };
    flags(&mut config, args);
    for assignment in &args.set {
        config = set(&config, assignment).map_err(|error| UsageError(error.to_string()))?;
    }
    config.check()?;
    Ok(config)
}

/// Reads an experiment.
pub(super) fn read(file: &Path) -> Result<ExperimentConfig, EngineError> {
    let where_ = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        EngineError::Setting(format!(
            "{where_} cannot be read ({error}): check the path, or write an experiment with `thalweg run --print-config > {where_}`"
        ))
    })?;
    ExperimentConfig::parse(&text, &where_)
}

fn flags(config: &mut ExperimentConfig, args: &RunArgs) {
    fn put<T: Clone>(place: &mut T, given: Option<&T>) {
        if let Some(given) = given {
            place.clone_from(given);
        }
    }
    put(&mut config.title, args.title.as_ref());
    put(&mut config.model, args.model.as_ref());
    put(&mut config.device, args.device.as_ref());
    put(&mut config.seed, args.seed.as_ref());
    put(&mut config.output, args.output.as_ref());
    put(&mut config.training.batch_size, args.batch_size.as_ref());
    put(&mut config.training.learning_rate, args.learning_rate.as_ref());
    put(&mut config.training.max_length, args.max_length.as_ref());
    put(&mut config.lora.rank, args.rank.as_ref());
    put(&mut config.replay.capacity, args.buffer.as_ref());
    put(&mut config.training.steps_per_task, args.steps.as_ref());
    if let Some(epochs) = args.epochs {
        config.training.epochs = epochs;
        config.training.steps_per_task = 0;
    }
    if !args.task.is_empty() {
        config.tasks = args.task.iter().map(|task| TaskConfig::Source(task.clone())).collect();
    }
    if !args.method.is_empty() {
        config.methods = select_methods(&config.methods, &args.method);
    }
}

/// The named methods, with the settings that the experiment has for them.
pub(super) fn select_methods(known: &[MethodConfig], names: &[String]) -> Vec<MethodConfig> {
    let of = |name: &String| known.iter().find(|method| method.name() == name).cloned();
    names.iter().map(|name| of(name).unwrap_or_else(|| MethodConfig::Name(name.clone()))).collect()
}

/// `section.key=value`; a section that is a method's name sets that method's knob, or its preset.
fn set(config: &ExperimentConfig, assignment: &str) -> Result<ExperimentConfig, EngineError> {
    let method = assignment
        .split_once('=')
        .and_then(|(path, value)| Some((path.split_once('.')?, value)))
        .filter(|((section, _), _)| continual::find(section.trim()).is_ok());
    let Some(((section, key), value)) = method else { return config.with_override(assignment) };
    let (section, key, value) = (section.trim(), key.trim(), value.trim());
    let mut changed = config.clone();
    let place = changed.methods.iter_mut().find(|method| method.name() == section).ok_or_else(|| {
        EngineError::Setting(format!(
            "--set {assignment}: method `{section}` is not part of this run: add it with --method"
        ))
    })?;
    *place = if key == "preset" { with_preset(place, value) } else { place.with_setting(key, value) };
    place.resolve()?;
    Ok(changed)
}

fn with_preset(method: &MethodConfig, preset: &str) -> MethodConfig {
    let mut settings = match method {
        MethodConfig::Name(name) => MethodSettings { name: name.clone(), ..MethodSettings::default() },
        MethodConfig::Settings(settings) => settings.clone(),
    };
    settings.preset = Some(preset.to_string());
    MethodConfig::Settings(settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    /// A file in the system's folder for such, unlike any other test's.
    fn file(name: &str, text: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("thalweg-{}-{name}.toml", std::process::id()));
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn later_words_win() {
        let path = file(
            "later",
            "seed = 1\nmodel = \"a\"\n[training]\nlearning_rate = 0.1\nbatch_size = 4\nsteps_per_task = 9\n",
        );
        let args = RunArgs {
            file: Some(path.clone()),
            model: Some("b".into()),
            batch_size: Some(8),
            epochs: Some(2.0),
            set: vec!["training.batch_size=32".into(), "replay.policy=ring".into()],
            ..RunArgs::default()
        };
        let config = experiment(&args).unwrap();
        std::fs::remove_file(path).unwrap();
        assert_eq!((config.seed, config.model.as_str()), (1, "b"), "the file's seed, the flag's model");
        assert_eq!((config.training.learning_rate, config.training.batch_size), (0.1, 32), "--set after --batch-size");
        assert_eq!(
            (config.training.epochs, config.training.steps_per_task),
            (2.0, 0),
            "--epochs ends the file's steps"
        );
        assert_eq!(config.tasks, ExperimentConfig::default().tasks, "what nobody names keeps its default");
    }

    #[test]
    fn a_methods_settings_are_set_and_kept() {
        let args = RunArgs {
            method: vec!["i_lora".into()],
            set: vec!["i_lora.preset=released_code".into(), "i_lora.gamma=0.5".into()],
            ..RunArgs::default()
        };
        let config = experiment(&args).unwrap();
        let (_, knobs) = config.methods[0].resolve().unwrap();
        assert_eq!((knobs.number("gamma"), knobs.number("lambda")), (0.5, 0.25));
        let path = file("methods", &config.to_toml().unwrap());
        let again =
            RunArgs { file: Some(path.clone()), method: vec!["seq".into(), "i_lora".into()], ..RunArgs::default() };
        let again = experiment(&again).unwrap();
        std::fs::remove_file(path).unwrap();
        assert_eq!(again.methods, [MethodConfig::Name("seq".into()), config.methods[0].clone()]);
    }

    #[test]
    fn mistakes_are_named() {
        for (assignment, expected) in [
            ("trainning.epochs=2", "did you mean `training`"),
            ("training.epocs=2", "did you mean `epochs`"),
            ("i_lora.gama=2", "did you mean `gamma`"),
            ("er.insert=after_step", "not part of this run"),
            ("training.epochs", "write name=value"),
        ] {
            let args = RunArgs { set: vec![assignment.into()], ..RunArgs::default() };
            let error = experiment(&args).unwrap_err();
            assert!(error.is::<UsageError>(), "{assignment} is a mistake of usage");
            assert!(error.to_string().contains(expected), "{assignment}: {error}");
        }
        let args = RunArgs { file: Some("/nowhere/e.toml".into()), ..RunArgs::default() };
        assert!(experiment(&args).unwrap_err().to_string().contains("/nowhere/e.toml"));
    }
}
