//! Everything that can be wrong with a call or a file ends with exit code 1 or 2 and one sentence that names it.

use super::damage::{SmallDisk, foreign_tokenizer, model_with, model_with_size, replaced};
use super::program::{small_run, succeeds, thalweg};
use super::tiny_model::{Scratch, files_below, other_model, tiny_model};
use std::path::Path;

/// Calls with words that must be refused. Everything that must stand in the message is listed.
fn refused(folder: &Path, words: &[&str], code: i32, named: &[&str]) {
    let before = files_below(folder);
    let call = thalweg(folder, words);
    let message = &call.stderr;
    assert_eq!(call.code, Some(code), "{words:?}\n{message}");
    assert!(!message.contains("panicked") && !message.contains("RUST_BACKTRACE"), "{words:?}\n{message}");
    assert!(message.starts_with("error: "), "{words:?}\n{message}");
    for part in named {
        assert!(message.contains(part), "{words:?}: `{part}` is not in\n{message}");
    }
    // clap adds its usage, and a TOML file's error shows the line; all else is one line
    let long = message.contains("try '--help'") || message.contains("TOML parse error");
    assert!(long || message.trim_end().lines().count() == 1, "{words:?}\n{message}");
    assert!(call.stdout.is_empty(), "{words:?}\n{}", call.stdout);
    assert_eq!(files_below(folder), before, "{words:?} left something behind");
}

#[test]
fn wrong_words() {
    let scratch = Scratch::new("words");
    let here = scratch.path();
    let model = tiny_model().to_str().unwrap();
    std::fs::write(scratch.join("file"), "").unwrap();
    std::fs::write(scratch.join("typo.toml"), "seed = 1\n[training]\nlerning_rate = 0.1\n").unwrap();
    std::fs::write(scratch.join("broken.toml"), "seed = = 1\n").unwrap();
    std::fs::write(scratch.join("empty.toml"), "methods = []\n").unwrap();
    for (words, code, named) in [
        (&["runn"][..], 2, &["runn", "run"][..]),
        (&["run", "--stepz", "3"], 2, &["--stepz", "--steps"]),
        (&["run", "--method", "ilora"], 2, &["did you mean `i_lora`"]),
        (&["run", "--preset", "demoo"], 2, &["demoo", "demo-quick"]),
        (&["run", "--device", "cuda"], 2, &["cuda", "webgpu:NUMBER"]),
        (&["run", "--set", "training.epocs=2"], 2, &["training.epocs=2", "did you mean `epochs`"]),
        (&["run", "--set", "trainig.epochs=2"], 2, &["did you mean `training`"]),
        (&["run", "--set", "training.batch_size=many"], 2, &["training.batch_size=many", "many"]),
        (&["run", "--set", "training.batch_size=0"], 2, &["batch_size"]),
        (&["run", "--set", "i_lora.gama=1"], 2, &["did you mean `gamma`"]),
        (&["run", "--set", "i_lora.gamma=-1"], 2, &["gamma", "-1"]),
        (&["run", "--set", "i_lora.preset=papr"], 2, &["papr", "paper"]),
        (&["run", "--learning-rate=-1"], 1, &["learning_rate"]),
        (&["run", "--learning-rate", "NaN"], 1, &["learning_rate"]),
        (&["run", "--rank", "0", "--device", "cpu", "--model", model], 1, &["`r` is 0"]),
        (
            &["run", "--rank", "1000000000", "--device", "cpu", "--model", model],
            1,
            &["`r` is 1000000000", "width of 32"],
        ),
        (&["run", "--set", "lora.lora_dropout=1", "--device", "cpu", "--model", model], 1, &["lora_dropout"]),
        (&["run", "--set", "lora.target_modules=[\"query\"]"], 2, &["query", "q_proj"]),
        (&["run", "--set", "training.pad_multiple=1000000"], 2, &["`training.pad_multiple` must be at most 128"]),
        (&["run", "--set", "training.epsilon=nan"], 2, &["epsilon"]),
        (&["run", "--seed", "9223372036854775808"], 1, &["`seed` must be at most 9223372036854775807"]),
        (&["run", "--set", "seed=-1"], 2, &["seed=-1"]),
        (&["run", "nowhere.toml"], 1, &["nowhere.toml", "--print-config"]),
        (&["run", "typo.toml"], 1, &["typo.toml", "line 3", "did you mean `learning_rate`"]),
        (&["run", "broken.toml"], 1, &["broken.toml", "line 1"]),
        (&["run", "empty.toml"], 1, &["`methods` is empty"]),
        (&["run", "--model", "nowhere", "--device", "cpu"], 1, &["`nowhere` is not there"]),
        (&["run", "--model", "file", "--device", "cpu"], 1, &["file", "is a file"]),
        (&["run", "--model", model, "--device", "cpu", "--task", "builtin:stanc"], 1, &["`stanc`", "stance"]),
        (&["resume", "."], 1, &["holds no run", "config.toml"]),
        (&["resume", "nowhere"], 1, &["nowhere", "holds no run"]),
        (
            &["eval", "--device", "cpu", "--model", model, "--task", "builtin:stance", "--adapter", "."],
            1,
            &["adapter_config.json"],
        ),
        (&["capsule", "nowhere.thalweg"], 1, &["nowhere.thalweg", "give a .thalweg file"]),
        (&["adapter", "info", "nowhere"], 1, &["nowhere", "adapter_config.json"]),
        (&["adapter", "merge", ".", "--model", model, "--output", "o"], 1, &["adapter_config.json"]),
        (&["generate", "--model", model, "--prompt", "a", "--max-new-tokens", "192"], 2, &["192", "191"]),
        (&["pretrain", "--builtin-sentences", "0", "--output", "o"], 1, &["no text"]),
        (&["pretrain", "--text", "nowhere.txt", "--output", "o"], 1, &["nowhere.txt"]),
        (&["tasks", "check", "nowhere.csv"], 1, &["nowhere.csv"]),
    ] {
        refused(here, &[&["--quiet"], words].concat(), code, named);
    }
    refused(here, &small_run("file", "seq", "1", &["--quiet"]), 1, &["file cannot be used", "`output`"]);
    refused(here, &small_run("file/below", "seq", "1", &["--quiet"]), 1, &["file/below", "`output`"]);
}

#[test]
fn wrong_models() {
    let scratch = Scratch::new("models");
    let here = scratch.path();
    let weights = |name: &str, change: fn(Vec<u8>) -> Vec<u8>| model_with(here, name, "model.safetensors", change);
    let size = |name: &str, field: &str, value: &str| model_with_size(here, name, field, value);
    let cases = [
        (weights("cut", |bytes| bytes[..bytes.len() / 2].to_vec()), "cut/model.safetensors: tensor `"),
        (weights("header-cut", |bytes| bytes[..100].to_vec()), "header-cut/model.safetensors: "),
        (weights("nothing", |_| Vec::new()), "nothing/model.safetensors: "),
        (
            weights("lying", |bytes| [&[255_u8; 7], &bytes[7..]].concat()),
            "lying/model.safetensors: says that its header",
        ),
        (weights("oversized", |bytes| [bytes, vec![0; 100]].concat()), "has 100 bytes after its last tensor"),
        (weights("text", |_| b"hello, this is no safetensors file at all".to_vec()), "text/model.safetensors: "),
        (
            weights("missing", |bytes| replaced(&bytes, "model.norm.weight", "model.nurm.weight")),
            "tensor `model.norm.weight` is missing",
        ),
        (
            weights("nan", |bytes| [&bytes[..bytes.len() - 8], &[0, 0x7E, 0, 0x7E, 0, 0x7E, 0, 0x7E]].concat()),
            "model.norm.weight` holds NaN at index 28",
        ),
        (
            size("misshaped", "intermediate_size", "65"),
            "gate_proj.weight` has shape [64, 32], but config.json asks for [65, 32]",
        ),
        (size("no-width", "hidden_size", "0"), "`hidden_size` is 0"),
        (size("huge", "num_hidden_layers", "1000000000000"), "`num_hidden_layers` is 1000000000000"),
        (size("negative", "vocab_size", "-1"), "`vocab_size` is -1"),
        (size("heads", "num_attention_heads", "3"), "num_attention_heads"),
        (size("words", "hidden_size", "\"wide\""), "hidden_size"),
        (
            model_with(here, "family", "config.json", |bytes| replaced(&bytes, "\"llama\"", "\"gpt2\"")),
            "`model_type` \"gpt2\"",
        ),
        (model_with(here, "json", "config.json", |_| b"{".to_vec()), "json/config.json: is not valid JSON"),
        (
            model_with(here, "foreign", "tokenizer.json", |_| foreign_tokenizer()),
            "the tokenizer belongs to another model",
        ),
        (model_with(here, "no-tokenizer", "tokenizer.json", |_| b"{}".to_vec()), "tokenizer.json cannot be read"),
    ];
    for (model, named) in &cases {
        let words = small_run("runs", "seq", "1", &["--quiet", "--model", model]);
        // the model is given twice; the first one goes
        let first = words.iter().position(|word| *word == "--model").unwrap();
        let words = [&words[..first], &words[first + 2..]].concat();
        refused(here, &words, 1, &[named]);
    }
    for (absent, named) in [
        ("model.safetensors", "has neither model.safetensors nor model.safetensors.index.json"),
        ("tokenizer.json", "tokenizer.json: is not there"),
        ("config.json", "config.json: is not there"),
    ] {
        let model = model_with(here, absent, "config.json", |bytes| bytes);
        std::fs::remove_file(Path::new(&model).join(absent)).unwrap();
        refused(here, &["eval", "--quiet", "--device", "cpu", "--task", "builtin:law", "--model", &model], 1, &[named]);
    }
}

#[test]
fn wrong_tasks() {
    let scratch = Scratch::new("tasks");
    let here = scratch.path();
    let write = |name: &str, bytes: &[u8]| std::fs::write(scratch.join(name), bytes).unwrap();
    write("empty.jsonl", b"");
    write("header.csv", b"prompt,answer\n");
    write("half.jsonl", b"{\"prompt\": \"a\", \"answer\": \"b\"}\n{\"prompt\": \n");
    write("columns.csv", b"text,reply\nwhat,that\n");
    write("ragged.csv", b"prompt,answer\na,b\nc\n");
    write("bytes.jsonl", b"{\"prompt\": \"\xff\", \"answer\": \"b\"}\n");
    write("kind.txt", b"prompt answer\n");
    write("table.parquet", b"PAR1 no such thing PAR1");
    let long = ["{\"prompt\": \"", &"x".repeat(10_000_000), "\", \"answer\": \"b\"}\n"].concat();
    write("long.jsonl", long.as_bytes());
    std::fs::create_dir_all(scratch.join("folder")).unwrap();
    let model = tiny_model().to_str().unwrap();
    for (task, named) in [
        ("empty.jsonl", "empty.jsonl holds no examples"),
        ("header.csv", "header.csv holds no examples"),
        ("half.jsonl", "half.jsonl, line 2: malformed JSON"),
        ("columns.csv", "Its columns are: `text`, `reply`"),
        ("ragged.csv", "ragged.csv, line 3"),
        ("bytes.jsonl", "bytes.jsonl, line 1: byte 12 of the file is not valid UTF-8"),
        ("kind.txt", "kind.txt is not a file of examples"),
        ("table.parquet", "table.parquet"),
        ("long.jsonl", "long.jsonl, line 1: this example is 10000029 bytes long; the limit is"),
        ("folder", "folder cannot be read as a task folder"),
        ("nowhere.jsonl", "Cannot read nowhere.jsonl"),
    ] {
        let words = ["run", "--quiet", "--model", model, "--device", "cpu", "--method", "seq", "--task", task];
        refused(here, &words, 1, &[named]);
    }
    let rows = (0..40).map(|row| format!("{{\"prompt\": \"{row} {}\", \"answer\": \"yes\"}}\n", "word ".repeat(300)));
    write("full.jsonl", rows.collect::<String>().as_bytes());
    // Examples that fill the model's window of 192 tokens are padded beyond it, to 240; nothing is wrong with that.
    let mut words =
        vec!["run", "--quiet", "--model", model, "--device", "cpu", "--method", "seq", "--task", "full.jsonl"];
    words.extend(["--steps", "1", "--batch-size", "2", "--max-length", "192", "--set", "training.pad_multiple=80"]);
    succeeds(here, &words);

    write("mapped.toml", b"tasks = [{ source = \"columns.csv\", prompt = \"txt\", answer = \"reply\" }]\n");
    let words = ["run", "mapped.toml", "--quiet", "--model", model, "--device", "cpu"];
    refused(here, &words, 1, &["columns.csv has no column `txt`", "`text`"]);
}

#[test]
fn what_belongs_to_another_model_or_is_cut_off() {
    let scratch = Scratch::new("belongs");
    let here = scratch.path();
    succeeds(here, &small_run("runs", "i_lora", "2", &["--quiet"]));
    let (adapter, other) = ("runs/i_lora-seed3/adapters/01-stance/working", other_model().to_str().unwrap());
    let eval = ["eval", "--quiet", "--device", "cpu", "--task", "builtin:law", "--model", other, "--adapter", adapter];
    refused(here, &eval, 1, &["another model"]);
    refused(here, &["adapter", "merge", adapter, "--model", other, "--output", "merged"], 1, &["another model"]);
    refused(here, &["adapter", "info", adapter, "--model", other], 1, &["another model"]);

    for (file, keep) in [("adapter_model.safetensors", 300), ("adapter_config.json", 20)] {
        let path = scratch.join(adapter).join(file);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..keep]).unwrap();
        let model = tiny_model().to_str().unwrap();
        let words = ["generate", "--quiet", "--prompt", "a", "--model", model, "--adapter", adapter];
        refused(here, &words, 1, &[file]);
        std::fs::write(&path, bytes).unwrap();
    }
    for name in ["checkpoint.thalweg", "checkpoint.thalweg.previous"] {
        let path = scratch.join("runs/i_lora-seed3").join(name);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    }
    refused(here, &["resume", "--quiet", "runs/i_lora-seed3"], 1, &["checkpoint.thalweg: is cut off after"]);
    std::fs::write(scratch.join("runs/i_lora-seed3/checkpoint.thalweg"), "not a checkpoint").unwrap();
    refused(here, &["resume", "--quiet", "runs/i_lora-seed3"], 1, &["is not a checkpoint of this program"]);
}

#[test]
fn a_full_disk_is_told_and_leaves_no_half_files() {
    let scratch = Scratch::new("disk");
    // room for the configuration, but not for a checkpoint
    let Some(disk) = SmallDisk::mount(&scratch.join("small"), 24) else {
        eprintln!(
            "NOT TESTED: a small file system cannot be mounted here (needs root on Linux), so a full disk is not tried"
        );
        return;
    };
    let call = thalweg(scratch.path(), &small_run("small/runs", "seq", "2", &["--quiet"]));
    assert_eq!(call.code, Some(1), "{}", call.stderr);
    assert!(!call.stderr.contains("panicked"), "{}", call.stderr);
    assert_eq!(call.stderr.trim_end().lines().count(), 1, "{}", call.stderr);
    assert!(call.stderr.contains("No space left") && call.stderr.contains("small/runs"), "{}", call.stderr);
    let names = files_below(&scratch.join("small"));
    assert!(!names.iter().any(|name| name.contains("partial")), "{names:?}");
    assert!(names.contains(&"runs/seq-seed3/config.toml".to_string()), "what was written before stays: {names:?}");
    drop(disk);
}
