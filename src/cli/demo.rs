//! `demo`: Seq, then I-LoRA, on the built-in model and tasks from the same seed.

use super::args::DemoArgs;
use super::overrides::select_methods;
use super::run::run_experiment;
use super::{Ending, Session};
use crate::engine::EngineError;
use crate::engine::config::ExperimentConfig;

pub(super) fn demo(args: &DemoArgs, session: &Session) -> anyhow::Result<Ending> {
    run_experiment(&experiment(args)?, args.events, session)
}

fn experiment(args: &DemoArgs) -> Result<ExperimentConfig, EngineError> {
    let mut config = ExperimentConfig::preset(if args.quick { "demo-quick" } else { "demo" })?;
    config.seed = args.seed.unwrap_or(config.seed);
    if let Some(device) = &args.device {
        config.device.clone_from(device);
    }
    if let Some(output) = &args.output {
        config.output.clone_from(output);
    }
    if !args.methods.is_empty() {
        config.methods = select_methods(&config.methods, &args.methods);
    }
    config.check()?;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_compares_seq_with_i_lora_on_what_is_built_in() {
        for quick in [false, true] {
            let config = experiment(&DemoArgs { quick, ..DemoArgs::default() }).unwrap();
            let names: Vec<&str> = config.methods.iter().map(crate::engine::config::MethodConfig::name).collect();
            assert_eq!((names, config.model.as_str()), (vec!["seq", "i_lora"], "builtin"), "quick: {quick}");
        }
        let args =
            DemoArgs { seed: Some(7), methods: vec!["er".into()], output: Some("o".into()), ..DemoArgs::default() };
        let config = experiment(&args).unwrap();
        assert_eq!((config.seed, config.methods[0].name(), config.output.as_str()), (7, "er", "o"));
    }
}
