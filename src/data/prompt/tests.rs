//! The row's parts against the tokenizer's own ids, cut at every window length.

use super::*;

const TEXTS: [&str; 2] =
    ["Is it so? Answer: yes. Answer: no. Answer: maybe", "The dog and the cat. Answer: the dog. Answer: the cat."];

/// Byte-level BPE: begin 0, end 1.
fn bytes() -> Tokenizer {
    Tokenizer::train_bpe(&TEXTS, 290, &[]).unwrap()
}

/// The same merges behind a normalizer that writes `▁` before the text, as `SentencePiece` models do.
fn pieces() -> Tokenizer {
    let json = r#"{"version":"1.0","added_tokens":[
        {"id":0,"content":"<s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},
        {"id":1,"content":"</s>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],
        "normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},
            {"type":"Replace","pattern":{"String":" "},"content":"▁"}]},
        "pre_tokenizer":null,"post_processor":null,"decoder":null,
        "model":{"type":"BPE","vocab":{"<s>":0,"</s>":1,"▁":2,"a":3,"b":4,":":5,"\n":6,"▁a":7},"merges":["▁ a"]}}"#;
    Tokenizer::from_bytes(json.as_bytes(), None, "pieces").unwrap()
}

fn example(prompt: &str, answer: &str) -> Example {
    Example { prompt: prompt.into(), answer: answer.into() }
}

fn format(max_length: usize) -> PromptFormat {
    PromptFormat { bos: true, eos: true, max_length }
}

#[test]
fn the_row_is_begin_prompt_answer_end() {
    let tokenizer = bytes();
    assert_eq!(PromptFormat::of(&tokenizer, 64), format(64));
    let encoded = encode_example(&tokenizer, &example("Is it so? Answer:", "yes"), &format(64)).unwrap();
    assert_eq!(tokenizer.decode(&encoded.tokens, false).unwrap(), "<s>Is it so? Answer: yes</s>");
    assert_eq!(tokenizer.decode(&encoded.tokens[encoded.answer_start..], false).unwrap(), " yes</s>");
    assert_eq!((encoded.truncated, encoded.answer_truncated), (0, 0));
    let bare = PromptFormat { bos: false, eos: false, max_length: 64 };
    let encoded = encode_example(&tokenizer, &example("Is it so? Answer:", "yes"), &bare).unwrap();
    assert_eq!(tokenizer.decode(&encoded.tokens, false).unwrap(), "Is it so? Answer: yes");
}

#[test]
fn exactly_one_space_stands_between_prompt_and_answer() {
    let tokenizer = bytes();
    let expected = encode_example(&tokenizer, &example("Answer:", "yes"), &format(64)).unwrap();
    for (prompt, answer) in [("Answer: ", "yes"), ("Answer:", " yes"), ("Answer:  ", "  yes")] {
        assert_eq!(
            encode_example(&tokenizer, &example(prompt, answer), &format(64)).unwrap(),
            expected,
            "{prompt:?} {answer:?}"
        );
    }
    for (prompt, answer, text) in
        [("a:\n", "  b", "<s>a:\n  b</s>"), ("", "b", "<s>b</s>"), ("a\t", "b", "<s>a\tb</s>")]
    {
        let encoded = encode_example(&tokenizer, &example(prompt, answer), &format(64)).unwrap();
        assert_eq!(tokenizer.decode(&encoded.tokens, false).unwrap(), text);
    }
}

#[test]
fn a_tokenizer_that_adds_the_space_gets_no_second_one() {
    let tokenizer = pieces();
    assert!(tokenizer.adds_space());
    let tokens =
        |prompt: &str, answer: &str| encode_example(&tokenizer, &example(prompt, answer), &format(64)).unwrap().tokens;
    // ▁ b : | ▁a </s>
    assert_eq!(tokens("b:", "a"), [0, 2, 4, 5, 7, 1]);
    assert_eq!(tokens("b: ", " a"), [0, 2, 4, 5, 7, 1]);
    // ▁ b \n | a </s>: no space after a line end
    assert_eq!(tokens("b\n", "a"), [0, 2, 4, 6, 3, 1]);
    assert_eq!(tokens("", "a"), [0, 7, 1]);
}

#[test]
fn every_window_keeps_begin_and_answer() {
    let tokenizer = bytes();
    let example = example("The dog and the cat like it so much. Is it the dog? Answer:", "the dog or zebra");
    let whole = encode_example(&tokenizer, &example, &format(1000)).unwrap();
    let answer = &whole.tokens[whole.answer_start..];
    let prompt = &whole.tokens[1..whole.answer_start];
    assert!(answer.len() > 6 && prompt.len() > 12);
    for max_length in 3..whole.tokens.len() + 3 {
        let encoded = encode_example(&tokenizer, &example, &format(max_length)).unwrap();
        assert!(encoded.tokens.len() <= max_length);
        assert_eq!(encoded.tokens[0], 0);
        let kept = &encoded.tokens[1..encoded.answer_start];
        assert!(prompt.ends_with(kept), "window {max_length}");
        assert_eq!(encoded.truncated, prompt.len() - kept.len());
        let targets = &encoded.tokens[encoded.answer_start..];
        if max_length > answer.len() {
            assert_eq!((targets, encoded.answer_truncated), (answer, 0), "window {max_length}");
            assert_eq!(encoded.tokens.len(), max_length.min(whole.tokens.len()));
        } else {
            assert!(!targets.is_empty() && answer.starts_with(targets), "window {max_length}");
            assert_eq!(encoded.answer_truncated, answer.len() - 1 - targets.len(), "the end token is not counted");
            assert_eq!((kept.len(), encoded.tokens.len()), (max_length / 4, max_length));
        }
    }
    for max_length in [0, 1] {
        assert!(matches!(encode_example(&tokenizer, &example, &format(max_length)), Err(DataError::Window { .. })));
    }
}

#[test]
fn examples_without_a_target_are_refused() {
    let tokenizer = bytes();
    assert!(matches!(encode_example(&tokenizer, &example("a", " "), &format(9)), Err(DataError::NoTarget { .. })));
    let bare = PromptFormat { bos: false, eos: false, max_length: 9 };
    // A single token with nothing before it can be predicted from nothing.
    assert!(matches!(encode_example(&tokenizer, &example("", "x"), &bare), Err(DataError::Window { .. })));
    assert!(matches!(encode_prompt(&tokenizer, "", &bare, 2), Err(DataError::EmptyPrompt)));
    let mut endless = bytes();
    endless.set_eos_id(None);
    let error = encode_example(&endless, &example("a", "b"), &format(9)).unwrap_err().to_string();
    assert!(error.contains("eos = false"), "{error}");
}

#[test]
fn choices_share_their_context() {
    let tokenizer = bytes();
    let labels: Vec<String> = ["yes", "no", "maybe so and so"].map(str::to_string).to_vec();
    let prompt = "The dog and the cat like it. Is it so? Answer:";
    for max_length in [12, 20, 200] {
        let rows = encode_choice(&tokenizer, prompt, &labels, &format(max_length)).unwrap();
        for (row, label) in rows.iter().zip(&labels) {
            assert_eq!(row.tokens[..row.answer_start], rows[0].tokens[..rows[0].answer_start]);
            assert_eq!(tokenizer.decode(&row.tokens[row.answer_start..], false).unwrap(), format!(" {label}</s>"));
            assert!(row.tokens.len() <= max_length);
        }
        assert_eq!(rows.iter().map(|row| row.tokens.len()).max(), Some(max_length.min(rows[2].tokens.len())));
    }
    assert!(matches!(encode_choice(&tokenizer, prompt, &labels, &format(4)), Err(DataError::Window { .. })));
    assert!(matches!(encode_choice(&tokenizer, prompt, &[], &format(40)), Err(DataError::NoTarget { .. })));
    // In a wide window a label is encoded as it was in training.
    let trained = encode_example(&tokenizer, &example(prompt, "no"), &format(200)).unwrap();
    assert_eq!(encode_choice(&tokenizer, prompt, &labels, &format(200)).unwrap()[1], trained);
}

#[test]
fn generation_starts_from_the_prompt_of_training() {
    let tokenizer = bytes();
    let (prompt, answer) = ("The dog and the cat like it. Is it so? Answer: ", "yes");
    let trained = encode_example(&tokenizer, &example(prompt, answer), &format(200)).unwrap();
    let start = encode_prompt(&tokenizer, prompt, &format(200), 20).unwrap();
    assert_eq!(start, trained.tokens[..trained.answer_start]);
    let short = encode_prompt(&tokenizer, prompt, &format(16), 4).unwrap();
    assert_eq!((short.len(), short[0]), (12, 0));
    assert!(start.ends_with(&short[1..]));
    assert_eq!(encode_prompt(&tokenizer, prompt, &format(16), usize::MAX).unwrap().len(), 5);
}

#[test]
fn what_was_cut_is_told() {
    let tokenizer = bytes();
    let long = "zyx ".repeat(30);
    let examples = [example("a", "b"), example(&long, "b"), example("a", &long)];
    let (encoded, warnings) = encode_all(&tokenizer, &examples, &format(20), "task x, training").unwrap();
    assert_eq!(encoded.len(), 3);
    assert_eq!(warnings.len(), 2);
    assert!(
        warnings[0].contains("task x, training: 1 of 3 prompts") && warnings[0].contains("(examples 2)"),
        "{warnings:?}"
    );
    assert!(warnings[1].contains("1 of 3 answers") && warnings[1].contains("(examples 3)"), "{warnings:?}");
}

#[test]
fn built_in_tasks_are_sound_and_read_as_in_their_corpus() {
    let tokenizer = bytes();
    for task in crate::data::builtin::all(3) {
        assert_eq!(task.validate(), Ok(()));
        let example = &task.eval[0];
        let encoded = encode_example(&tokenizer, example, &format(512)).unwrap();
        let expected = format!("<s>{} {}</s>", example.prompt, example.answer);
        assert_eq!(tokenizer.decode(&encoded.tokens, false).unwrap(), expected);
    }
}
