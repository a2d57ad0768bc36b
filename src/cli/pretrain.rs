//! `pretrain`: trains a small model from text files and writes a Hugging Face folder.

use super::args::PretrainArgs;
use super::progress::Progress;
use super::table::clock;
use super::terminal::{note, say};
use super::{Ending, Session, interrupt};
use crate::engine::Control;
use crate::engine::pretrain::{self, PretrainConfig};
use crate::platform;

pub(super) fn pretrain(args: &PretrainArgs, session: &Session) -> anyhow::Result<Ending> {
    let config = config(args);
    let control = Control::default();
    interrupt::listen(&control, "stopping after this step and saving the model so far");
    let mut progress = Progress::new(args.events, session.quiet, &control);
    let report = platform::block_on(pretrain::pretrain(&config, &control, &mut |event| progress.show(event)))??;
    progress.close();
    let text = format!(
        "{}: {} parameters, {} steps in {}\nheld-out loss {:.3} nats a token, {:.3} before training",
        report.output.display(),
        report.parameters,
        report.steps,
        clock(report.secs),
        report.held_out_loss,
        report.first_loss
    );
    if args.events.json_events {
        note(&text);
    } else {
        say(&text)?;
    }
    Ok(if report.stopped { Ending::Stopped } else { Ending::Done })
}

fn config(args: &PretrainArgs) -> PretrainConfig {
    PretrainConfig {
        texts: args.text.clone(),
        max_chars_per_text: args.max_chars_per_text,
        builtin_sentences: args.builtin_sentences,
        builtin_share: args.builtin_share,
        output: args.output.clone(),
        vocab_size: args.vocab_size,
        hidden_size: args.hidden_size,
        intermediate_size: args.intermediate_size,
        num_hidden_layers: args.num_hidden_layers,
        num_attention_heads: args.num_attention_heads,
        num_key_value_heads: args.num_key_value_heads,
        seq: args.seq,
        max_position_embeddings: args.max_position_embeddings,
        batch_size: args.batch_size,
        steps: args.steps,
        learning_rate: args.learning_rate,
        seed: args.seed,
        device: args.device.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Cli, Command};
    use clap::Parser;

    #[test]
    fn no_flag_gives_the_engines_defaults_and_each_flag_its_field() {
        let of = |words: &[&str]| match Cli::try_parse_from([&["thalweg", "pretrain"], words].concat()).unwrap().command
        {
            Some(Command::Pretrain(args)) => config(&args),
            other => panic!("{other:?}"),
        };
        assert_eq!(of(&[]), PretrainConfig::default());
        let changed =
            of(&["--text", "a", "--text", "b", "--layers", "2", "--heads", "8", "--kv-heads", "4", "--steps", "7"]);
        assert_eq!(changed.texts.len(), 2);
        assert_eq!(
            (changed.num_hidden_layers, changed.num_attention_heads, changed.num_key_value_heads, changed.steps),
            (2, 8, 4, 7)
        );
    }
}
