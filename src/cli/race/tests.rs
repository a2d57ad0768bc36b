//! What is asked by file, preset and flags.

use super::*;
use crate::engine::race::config::VERSION;
use crate::platform::scratch::folder;
use std::fs;
use std::path::PathBuf;

const RACE: &str = "seeds = [1, 2]\noutput = \"mine\"\nmethods = [\"seq\"]\n[experiment]\ntasks = [\"builtin:law\"]\n";

#[test]
fn flags_win_over_the_file() {
    let scratch = folder().unwrap();
    let file = scratch.path().join("r.toml");
    fs::write(&file, RACE).unwrap();
    let (config, where_) = asked(&RaceArgs { file: Some(file.clone()), ..RaceArgs::default() }).unwrap();
    assert_eq!((config.seeds.as_slice(), config.output.as_str()), ([1, 2].as_slice(), "mine"));
    assert_eq!(where_, file.display().to_string());
    let args = RaceArgs {
        file: Some(file),
        seeds: vec![9],
        output: Some("other".into()),
        device: Some("webgpu".into()),
        ..RaceArgs::default()
    };
    let (config, _) = asked(&args).unwrap();
    assert_eq!((config.seeds.as_slice(), config.output.as_str()), ([9].as_slice(), "other"));
    assert_eq!(config.experiment.device, "webgpu");
}

#[test]
fn a_races_own_file_means_its_folder() {
    let scratch = folder().unwrap();
    let file = scratch.path().join("race.toml");
    fs::write(&file, format!("version = \"{VERSION}\"\n{RACE}")).unwrap();
    let own = RaceArgs { file: Some(file.clone()), ..RaceArgs::default() };
    assert_eq!(asked(&own).unwrap().0.output, scratch.path().display().to_string(), "not the path frozen in it");
    // another --output is another race
    let (config, _) = asked(&RaceArgs { output: Some("new".into()), ..own }).unwrap();
    assert_eq!((config.output.as_str(), config.version), ("new", None));
}

#[test]
fn presets_are_found_and_absent_files_named() {
    for preset in RACE_PRESETS {
        let (config, where_) = asked(&RaceArgs { preset: Some(preset.into()), ..RaceArgs::default() }).unwrap();
        assert_eq!((config, where_), (RaceConfig::preset(preset).unwrap(), format!("preset {preset}")));
    }
    let file = Some(PathBuf::from("/nowhere/r.toml"));
    let message = asked(&RaceArgs { file, ..RaceArgs::default() }).unwrap_err().to_string();
    assert!(message.contains("/nowhere/r.toml cannot be read") && message.contains("--print-config"), "{message}");
    let error = asked(&RaceArgs::default()).unwrap_err();
    assert!(error.is::<UsageError>() && error.to_string().contains("--preset: builtin8, text8, paper"), "{error}");
}
