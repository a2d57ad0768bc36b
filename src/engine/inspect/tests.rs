//! Tasks and models as somebody meets them: built in, files that are right, and files that are not.

use super::{inspect_model, inspect_task, open_tokenizer};
use crate::engine::builtin_model;
use crate::engine::config::{ExperimentConfig, TaskConfig, TaskDetails};
use crate::engine::protocol::cards::{TaskCard, TaskProblem};
use crate::platform::scratch;

fn inspect(task: TaskConfig, change: impl FnOnce(&mut ExperimentConfig)) -> Result<TaskCard, TaskProblem> {
    let folder = builtin_model::open().unwrap();
    let tokenizer = open_tokenizer(&folder).unwrap();
    let mut experiment = ExperimentConfig::default();
    change(&mut experiment);
    inspect_task(&task, &experiment, &tokenizer, folder.config.max_position_embeddings)
}

/// Inspects a file of this name and content.
fn file(name: &str, content: &str, details: TaskDetails) -> Result<TaskCard, TaskProblem> {
    let folder = scratch::folder().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    let details = TaskDetails { source: path.display().to_string(), ..details };
    inspect(TaskConfig::Details(details), |_| {})
}

#[test]
fn a_built_in_task_with_its_loss_mask() {
    let card = inspect(TaskConfig::Source("builtin:stance".into()), |experiment| {
        experiment.training.max_train_examples = 100;
    })
    .unwrap();
    let task = crate::data::builtin::by_name("stance", 0).unwrap();
    assert_eq!((card.name.as_str(), card.train, card.token_lengths.len()), ("stance", 100, 100));
    assert_eq!(card.eval, task.eval.len().min(200));
    assert!((card.chance - 1.0 / task.labels.len() as f64).abs() < 1e-12 && card.majority >= card.chance);
    assert_eq!(card.labels.iter().map(|label| label.train).sum::<usize>(), 100);
    assert_eq!((card.cut, card.preview.len(), card.columns.len()), (0, 12, 0));
    for (shown, example) in card.preview.iter().zip(&task.train) {
        let text = |trained: bool| {
            shown
                .tokens
                .iter()
                .filter(|token| token.trained == trained)
                .map(|token| token.text.as_str())
                .collect::<String>()
        };
        assert_eq!(text(true), format!(" {}</s>", example.answer.trim()), "{shown:?}");
        assert_eq!(text(false), format!("<s>{}", example.prompt.trim_end()), "{shown:?}");
    }
}

#[test]
fn examples_that_are_too_long_are_counted() {
    let whole = inspect(TaskConfig::Source("builtin:stance".into()), |_| {}).unwrap();
    let longest = *whole.token_lengths.iter().max().unwrap();
    let limit = longest as usize - 1;
    let cut = inspect(TaskConfig::Source("builtin:stance".into()), |experiment| experiment.training.max_length = limit);
    let cut = cut.unwrap();
    let over = whole.token_lengths.iter().filter(|&&length| length as usize > limit).count();
    assert_eq!((cut.cut, &cut.token_lengths), (over, &whole.token_lengths), "lengths are those before the cut");
    assert!(over > 0 && cut.warnings.iter().any(|warning| warning.contains("lost their start")), "{:?}", cut.warnings);
}

const REVIEWS: &str = "nr,review_text,stars\n1,good film,up\n2,bad film,down\n3,fine film,up\n4,poor film,down\n\
    5,great film,up\n6,awful film,down\n7,nice film,up\n8,dull film,down\n9,warm film,up\n10,flat film,down\n";

#[test]
fn odd_columns_are_named_and_can_be_mapped() {
    let problem = file("odd.csv", REVIEWS, TaskDetails::default()).unwrap_err();
    assert_eq!(problem.columns, ["nr", "review_text", "stars"]);
    assert!(problem.message.contains("which columns") && problem.lines.is_empty(), "{problem:?}");
    let details = TaskDetails {
        answer: Some("stars".into()),
        template: Some("Review: {review_text}\nVerdict:".into()),
        name: Some("Reviews".into()),
        ..TaskDetails::default()
    };
    let card = file("odd-mapped.csv", REVIEWS, details.clone()).unwrap();
    assert_eq!((card.name.as_str(), card.train + card.eval), ("reviews", 10));
    assert_eq!(card.columns, ["nr", "review_text", "stars"]);
    assert_eq!(card.labels.iter().map(|label| label.label.as_str()).collect::<Vec<_>>(), ["down", "up"]);
    let labels = Some(vec!["up".to_string(), "sideways".to_string()]);
    let problem = file("odd-labels.csv", REVIEWS, TaskDetails { labels, ..details }).unwrap_err();
    let lines: Vec<usize> = problem.lines.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [3, 5, 7, 9, 11], "every answer that is no label, not only the first five");
    assert!(problem.lines[0].1.contains("\"down\""), "{problem:?}");
}

#[test]
fn every_bad_line_of_a_jsonl_file_is_named() {
    let content = "{\"prompt\": \"a\", \"answer\": \"x\"}\n{\"prompt\": \"b\", \"answer\": \"y\"}\n{\"prompt\": \"c\", answer}\n\
        {\"prompt\": \"d\", \"answer\": \"\"}\n\n[1]\n{\"prompt\": \"e\", \"answer\": [1]}\n";
    let problem = file("bad.jsonl", content, TaskDetails::default()).unwrap_err();
    assert!(problem.message.contains("line 3"), "{}", problem.message);
    assert_eq!(problem.columns, ["prompt", "answer"]);
    let lines: Vec<usize> = problem.lines.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [3, 4, 6, 7]);
    for ((_, what), expected) in problem.lines.iter().zip(["malformed JSON", "empty", "not an object", "a list"]) {
        assert!(what.contains(expected), "{what}");
    }
}

#[test]
fn rows_of_another_length_are_named_and_the_others_read() {
    let content = "prompt,answer\na,x\nb,y,z\nc,x\nd\ne,y\n";
    let problem = file("rows.csv", content, TaskDetails::default()).unwrap_err();
    assert_eq!(problem.lines.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 5], "{problem:?}");
    assert_eq!(problem.columns, ["prompt", "answer"]);
}

#[test]
fn what_is_not_there_is_said() {
    let problem = inspect(TaskConfig::Source("/nowhere/a.jsonl".into()), |_| {}).unwrap_err();
    assert!(problem.message.contains("/nowhere/a.jsonl") && problem.lines.is_empty() && problem.columns.is_empty());
    let problem = inspect(TaskConfig::Source("builtin:nonsense".into()), |_| {}).unwrap_err();
    assert!(problem.message.contains("there are: stance"), "{}", problem.message);
}

#[test]
fn the_embedded_model_as_its_files_say() {
    let experiment = ExperimentConfig::default();
    let card = inspect_model(&experiment, Some(8_000_000_000), Some(40)).unwrap();
    // assets/demo-model/README.md
    assert_eq!((card.parameters, card.dtypes.as_slice()), (1_115_520, ["F16".to_string()].as_slice()));
    assert_eq!(card.weights_bytes, 2 * 1_115_520);
    assert_eq!((card.vocab_size, card.hidden_size, card.intermediate_size), (1024, 128, 384));
    assert_eq!((card.num_hidden_layers, card.num_attention_heads, card.num_key_value_heads), (5, 4, 2));
    assert_eq!(
        (card.model_type.as_str(), card.tie_word_embeddings, card.max_position_embeddings),
        ("llama", true, 512)
    );
    // q: 128 -> 128, v: 128 -> 2 heads of 32, in five layers
    assert_eq!(card.trainable_parameters, 5 * 8 * ((128 + 128) + (128 + 64)));
    assert_eq!(card.memory.base / 1_000_000, 4);
    assert_eq!((card.too_large, card.warnings.len()), (None, 0));
    let cramped = inspect_model(&experiment, Some(1_000_000), None).unwrap();
    assert!(cramped.too_large.is_some_and(|sentence| sentence.contains("smaller model")));
}

#[test]
fn a_model_that_is_not_there_is_refused_with_its_path() {
    let experiment = ExperimentConfig { model: "/nowhere/model".into(), ..ExperimentConfig::default() };
    let message = inspect_model(&experiment, None, None).unwrap_err();
    assert!(message.contains("/nowhere/model"), "{message}");
    let experiment = ExperimentConfig {
        training: crate::engine::config::TrainingConfig { max_length: 4096, ..Default::default() },
        ..ExperimentConfig::default()
    };
    let card = inspect_model(&experiment, None, None).unwrap();
    assert!(card.warnings.iter().any(|warning| warning.contains("512 positions")), "{:?}", card.warnings);
}
