//! The presets of I-LoRA: they are what spec/i-lora.md says of each version, and they run.

use super::stream::{config, learner, prepare, train, without_dropout};
use thalweg::engine::config::{MethodConfig, MethodSettings};

/// Settings that the spec gives for a version (tables 1.2 and 2); what it leaves open is not tested.
const PRESETS: [(&str, &[(&str, &str)]); 3] = [
    // symmetric MSE on the final hidden state, mean of two means, insertion after the step, no current task
    (
        "paper",
        &[
            ("features", "last"),
            ("consistency", "symmetric"),
            ("ce", "mean_of_means"),
            ("insert", "after_step"),
            ("replay_current", "false"),
            ("clip", "true"),
        ],
    ),
    // [V1]: 0.25 with the start-up clip, all L+1 states, max(fast, slow) as target, weight 1, insertion before the forward
    (
        "released_code",
        &[
            ("lambda", "0.25"),
            ("clip", "true"),
            ("gamma", "1"),
            ("features", "all_layers"),
            ("consistency", "one_sided"),
            ("ce", "mean_of_means"),
            ("current_share", "0.5"),
            ("insert", "before_forward"),
            ("replay_current", "true"),
        ],
    ),
    // [CLS]: 0.999, 0.1 on logits, one CE over the concatenation, insertion after the step
    (
        "cls_er",
        &[
            ("lambda", "0.999"),
            ("clip", "true"),
            ("gamma", "0.1"),
            ("features", "logits"),
            ("consistency", "symmetric"),
            ("ce", "pooled"),
            ("insert", "after_step"),
            ("replay_current", "true"),
        ],
    ),
];

#[test]
fn presets_have_the_settings_of_the_spec_and_learn() {
    let _alone = without_dropout();
    let mut ends = Vec::new();
    for (preset, expected) in PRESETS {
        let method = MethodConfig::Settings(MethodSettings {
            name: "i_lora".into(),
            preset: Some(preset.into()),
            ..MethodSettings::default()
        });
        let (_, knobs) = method.resolve().unwrap();
        let settings: Vec<(&str, &str)> = knobs.iter().collect();
        for pair in expected {
            assert!(settings.contains(pair), "{preset}: {pair:?} is not in {settings:?}");
        }
        assert!(!expected.iter().any(|(name, _)| *name == "lambda") || knobs.number("half_life_steps") == 0.0);
        let config = config(method);
        let mut consistent = 0;
        let trainer = train(&config, &prepare(&config), |_, report| {
            let Some(report) = report else { return };
            assert!(report.losses.iter().all(|(_, loss)| loss.is_finite()), "{preset}: {report:?}");
            consistent += usize::from(report.loss("consistency").is_some_and(|value| value > 0.0));
        });
        assert!(consistent >= 5, "{preset}: the term acts, {consistent} times");
        let (fast, slow) = (learner(&trainer, "working"), learner(&trainer, "long_term"));
        assert!(fast.iter().chain(&slow).all(|value| value.is_finite()));
        assert_ne!(fast, slow);
        ends.push(fast);
    }
    assert!(ends[0] != ends[1] && ends[1] != ends[2] && ends[0] != ends[2], "three versions, three results");
}

#[test]
fn the_default_is_the_clean_implementation_of_section_2() {
    let (_, knobs) = MethodConfig::Name("i_lora".into()).resolve().unwrap();
    let (_, paper) = MethodConfig::Settings(MethodSettings {
        name: "i_lora".into(),
        preset: Some("paper".into()),
        ..MethodSettings::default()
    })
    .resolve()
    .unwrap();
    assert_eq!(knobs, paper);
    assert_eq!(knobs.number("current_share"), 0.5, "a = 1/2");
}
