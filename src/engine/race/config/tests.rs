//! Race files: what is read, what is refused and how, and that the presets say what they stand for.

use super::*;
use crate::engine::config::{MethodConfig, Schedule};
use crate::engine::race::plan::Plan;
use crate::model::Projection;

const SMALL: &str = r#"
seeds = [1, 2]
methods = ["seq", "i_lora"]
[experiment]
tasks = ["builtin:stance", "builtin:law"]
[experiment.training]
steps_per_task = 7
"#;

fn refused(text: &str) -> String {
    RaceConfig::parse(text, "r.toml").map(|config| format!("{config:?}")).unwrap_err().to_string()
}

/// The small race with one piece of it replaced.
fn changed(from: &str, to: &str) -> String {
    assert!(SMALL.contains(from), "{from}");
    SMALL.replace(from, to)
}

#[test]
fn what_is_not_written_has_the_default_of_an_experiment() {
    let config = RaceConfig::parse(SMALL, "r.toml").unwrap();
    let (experiment, default) = (config.experiment.to_experiment(), ExperimentConfig::default());
    assert_eq!((experiment.training.steps_per_task, experiment.tasks.len()), (7, 2));
    assert_eq!((experiment.lora.clone(), experiment.replay.clone()), (default.lora, default.replay));
    assert_eq!((config.design, config.orders.as_slice()), (Design::Crossed, [TaskOrder::Given].as_slice()));
    assert_eq!(RaceExperiment::of(experiment), config.experiment);
}

#[test]
fn a_race_survives_its_own_file() {
    let mut config = RaceConfig::preset("builtin8").unwrap();
    config.version = Some(VERSION.into());
    config.design = Design::Alternating;
    let text = config.to_toml().unwrap();
    assert_eq!(RaceConfig::parse(&text, "r.toml").unwrap(), config, "{text}");
}

#[test]
fn a_mistyped_key_is_named_with_its_line_and_the_right_spelling() {
    for (from, to, named) in [
        ("seeds = [1, 2]", "sedes = [1, 2]", ["line 2", "did you mean `seeds`"]),
        ("[experiment.training]", "[experiment.trainig]", ["line 6", "did you mean `training`"]),
        ("steps_per_task", "steps_per_tsk", ["line 7", "did you mean `steps_per_task`"]),
        ("seeds = [1, 2]", "orders = [\"revered\"]", ["line 2", "did you mean `reversed`"]),
        ("seeds = [1, 2]", "design = \"alternate\"", ["line 2", "did you mean `alternating`"]),
        ("\"seq\"", "{ name = \"seq\", lable = \"x\" }", ["line 3", "did you mean `label`"]),
        ("seeds = [1, 2]", "seeds = [-1]", ["line 2", "-1"]),
    ] {
        let message = refused(&changed(from, to));
        assert!(message.starts_with("r.toml: "), "{message}");
        for part in named {
            assert!(message.contains(part), "{to}: `{part}` is not in\n{message}");
        }
    }
    // what the race decides is no part of its experiment
    for key in ["seed = 1", "methods = [\"seq\"]", "output = \"x\""] {
        let message = refused(&changed("[experiment]", &format!("[experiment]\n{key}")));
        assert!(message.contains("unknown field"), "{key}: {message}");
    }
}

#[test]
fn lists_that_cannot_be_meant_are_refused() {
    for (from, to, named) in [
        ("[1, 2]", "[]", "`seeds` is empty"),
        ("[1, 2]", "[1, 2, 1]", "`seeds` has 1 twice"),
        ("[1, 2]", "[1]\norders = []", "`orders` is empty"),
        ("[1, 2]", "[1]\norders = [\"random\", \"random\"]", "`orders` has random twice"),
        ("[1, 2]", "[1]\noutput = \" \"", "`output` is empty"),
        ("[1, 2]", "[1]\nversion = \"0.0.1\"", "was run by version 0.0.1"),
        ("[\"seq\", \"i_lora\"]", "[]", "`methods` is empty"),
        ("[\"builtin:stance\", \"builtin:law\"]", "[]", "`experiment.tasks` is empty"),
        (
            "[1, 2]",
            "[1]\nsweeps = [{ method = \"i_lora\", grid = {} }]",
            "sweep 1 (of `i_lora`): `grid` must have one setting, or two",
        ),
        ("[1, 2]", "[1]\nsweeps = [{ method = \"i_lora\", grid = { gamma = [] } }]", "`grid` has no value for gamma"),
        ("[1, 2]", "[1]\nsweeps = [{ method = \"er\", grid = { a = [1], b = [1], c = [1] } }]", "one setting, or two"),
    ] {
        let message = refused(&changed(from, to));
        assert!(message.starts_with("r.toml: ") && message.contains(named), "{to}: {message}");
    }
    let one = changed("[\"builtin:stance\", \"builtin:law\"]", "[\"builtin:law\"]");
    let message = refused(&one.replace("[1, 2]", "[1]\norders = [\"given\", \"reversed\"]"));
    assert!(message.contains("one task has only one order"), "{message}");
    let mut config = RaceConfig::parse(SMALL, "r.toml").unwrap();
    config.seeds = vec![u64::MAX];
    assert!(config.check().unwrap_err().to_string().contains("at most 9223372036854775807"));
}

#[test]
fn a_race_of_sweeps_alone_is_one() {
    let text = changed("methods = [\"seq\", \"i_lora\"]", "sweeps = [{ method = \"i_lora\", grid = { gamma = [1] } }]");
    let config = RaceConfig::parse(&text, "r.toml").unwrap();
    assert_eq!((config.methods.len(), config.sweeps.len()), (0, 1));
}

#[test]
fn every_preset_can_be_planned_and_written() {
    for name in RACE_PRESETS {
        let config = RaceConfig::preset(name).unwrap();
        assert_eq!(RaceConfig::parse(&config.to_toml().unwrap(), name).unwrap(), config);
        let plan = Plan::new(&config).unwrap();
        assert_eq!(plan.reference.as_deref(), Some("I-LoRA"), "{name}");
        assert_eq!(config.output, format!("races/{name}"));
    }
    let message = RaceConfig::preset("builtin9").unwrap_err().to_string();
    assert!(message.contains("did you mean `builtin8`"), "{message}");
}

/// Spec sections 3 and 4.1.
#[test]
fn the_papers_preset_has_the_papers_setting() {
    let config = RaceConfig::preset("paper").unwrap().experiment.to_experiment();
    let folders = ["C-STANCE", "FOMC", "MeetingBank", "ScienceQA", "NumGLUE-cm", "20Minuten", "MedMCQA", "JEC-QA"];
    let sources: Vec<String> = config
        .tasks
        .iter()
        .map(|task| match task {
            TaskConfig::Details(details) => details.source.clone(),
            TaskConfig::Source(source) => source.clone(),
        })
        .collect();
    assert_eq!(sources, folders.map(|name| format!("data/{name}")));
    assert_eq!((config.lora.rank, config.lora.lora_alpha, config.lora.lora_dropout), (8, 16.0, 0.05));
    assert_eq!(config.lora.target_modules, [Projection::QProj, Projection::VProj]);
    let training = &config.training;
    assert_eq!((training.steps_per_task, training.epochs, training.max_length), (0, 5.0, 512));
    assert_eq!((training.batch_size, training.gradient_accumulation), (16, 4));
    assert_eq!((training.learning_rate, training.warmup_ratio), (1e-4, 0.2));
    assert_eq!(
        (training.schedule, training.weight_decay, training.max_train_examples),
        (Schedule::Constant, 0.0, 5000)
    );
    assert_eq!((config.replay.capacity, config.evaluation.max_examples), (500, 500));
    let plan = Plan::new(&RaceConfig::preset("paper").unwrap()).unwrap();
    let i_lora = plan.variants.iter().find(|variant| variant.method == "i_lora").unwrap();
    let MethodConfig::Settings(settings) = &i_lora.config.methods[0] else { panic!("it has settings") };
    assert_eq!(settings.preset.as_deref(), Some("paper"));
}
