//! Tests of the arguments: clap's own checks, suggestions, defaults.

use super::*;
use crate::engine::pretrain::PretrainConfig;
use clap::CommandFactory;
use clap::error::ErrorKind;

fn parse(words: &[&str]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from([&["thalweg"], words].concat())
}

#[test]
fn the_arguments_are_sound() {
    Cli::command().debug_assert();
}

#[test]
fn nothing_at_all_is_allowed() {
    let cli = parse(&[]).unwrap();
    assert!(cli.command.is_none() && !cli.global.quiet);
}

#[test]
fn lists_are_split_and_flags_may_stand_anywhere() {
    let cli = parse(&["run", "--method", "seq,i_lora", "--task", "a,b.csv", "--task", "c", "--quiet"]).unwrap();
    let Some(Command::Run(args)) = cli.command else { panic!("not a run") };
    assert_eq!(args.method, ["seq", "i_lora"]);
    assert_eq!(args.task, ["a,b.csv", "c"], "a path may hold a comma");
    assert!(cli.global.quiet);
}

#[test]
fn wrong_values_are_refused_with_the_right_one() {
    for (words, expected) in [
        (vec!["runn"], "run"),
        (vec!["run", "--preset", "demo-quik"], "demo-quick"),
        (vec!["run", "--methd", "seq"], "--method"),
        (vec!["run", "--method", "ilora"], "did you mean `i_lora`"),
        (vec!["demo", "--device", "cuda"], "webgpu:NUMBER"),
        (vec!["generate", "--prompt", "a", "--top-p", "0"], "above 0"),
        (vec!["generate", "--prompt", "a", "--temperature", "NaN"], "at least 0"),
        (vec!["bench", "--shapes", "stories"], "stories260K"),
        (vec!["eval", "--model", "m"], "--task"),
        (vec!["race", "--preset", "builtin"], "builtin8"),
        (vec!["race", "r.toml", "--jobs", "0"], "at least 1"),
        (vec!["race", "r.toml", "--seeds", "1,x"], "--seeds"),
    ] {
        let error = parse(&words).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{words:?}");
        let message = error.to_string();
        assert!(message.contains(expected), "{words:?}: {message}");
    }
}

#[test]
fn a_file_and_a_preset_exclude_each_other_and_so_do_steps_and_epochs() {
    for words in [
        ["run", "e.toml", "--preset", "demo"].as_slice(),
        &["run", "--steps", "5", "--epochs", "2"],
        &["race", "r.toml", "--preset", "paper"],
    ] {
        assert_eq!(parse(words).unwrap_err().kind(), ErrorKind::ArgumentConflict, "{words:?}");
    }
}

#[test]
fn pretraining_has_the_engines_defaults() {
    let Some(Command::Pretrain(args)) = parse(&["pretrain", "--text", "a.txt"]).unwrap().command else { panic!() };
    let engine = PretrainConfig::default();
    assert_eq!((args.vocab_size, args.output, args.device), (engine.vocab_size, engine.output, engine.device));
    let Some(Command::Bench(args)) = parse(&["bench"]).unwrap().command else { panic!() };
    assert_eq!(args.shapes, ["stories260K", "smollm2-135m"]);
}
