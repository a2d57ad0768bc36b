//! What the demonstration promises: plain fine-tuning forgets, and I-LoRA's slow learner does not.

use super::stream::without_dropout;
use thalweg::engine::Control;
use thalweg::engine::config::ExperimentConfig;
use thalweg::engine::experiment::run_experiment;
use thalweg::engine::report::RunReport;
use thalweg::platform::block_on;

/// Scores of the learner that stands for the method: on the first task just after it and at the end, and the average.
fn numbers(report: &RunReport) -> (f64, f64, f64) {
    let matrix = &report.headline_learner().unwrap().matrix;
    let last = report.tasks.len() - 1;
    (matrix.score(0, 0).unwrap(), matrix.score(last, 0).unwrap(), matrix.average_accuracy().unwrap())
}

#[test]
fn the_demo_forgets_and_i_lora_does_not() {
    let _alone = without_dropout();
    let config = ExperimentConfig::preset("demo-quick").unwrap();
    let outcome =
        block_on(run_experiment(&config, None, "the guarded demonstration", &Control::default(), &mut |_| {}))
            .unwrap()
            .unwrap();
    assert_eq!(outcome.failed, Vec::<String>::new());
    let [seq, i_lora] = outcome.reports.as_slice() else { panic!("two runs") };
    assert_eq!((seq.method.as_str(), i_lora.method.as_str()), ("seq", "i_lora"));
    assert_eq!(i_lora.headline_learner().unwrap().name, "long_term");
    let (learnt, kept, average) = numbers(seq);
    let (i_learnt, i_kept, i_average) = numbers(i_lora);
    eprintln!(
        "demo-quick: first task learnt -> kept, average: Seq {learnt:.3} -> {kept:.3}, {average:.3}; \
         I-LoRA {i_learnt:.3} -> {i_kept:.3}, {i_average:.3}"
    );
    let chance = seq.tasks[0].chance;
    assert!(learnt > chance + 0.3, "Seq learns its first task: {learnt} (chance {chance})");
    assert!(learnt - kept >= 0.30, "Seq forgets its first task: {learnt} -> {kept}");
    assert!(i_average >= average + 0.15, "I-LoRA keeps more: {i_average} against {average}");
    assert!(i_learnt - i_kept < learnt - kept, "and forgets less of the first task: {i_learnt} -> {i_kept}");
}
