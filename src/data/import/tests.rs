//! Imports of small texts written here, and of the eight real sets in ../shared/data/tasks where they are.

use super::*;

fn import(name: &str, text: &str) -> Result<Imported, DataError> {
    import_bytes(name, text.as_bytes(), &ImportSettings::default())
}

fn lines(count: usize, tag: &str) -> String {
    let mut text = String::new();
    for index in 0..count {
        let answer = if index.is_multiple_of(3) { "no" } else { "yes" };
        text += &serde_json::json!({"prompt": format!("{tag} {index}"), "answer": answer}).to_string();
        text += "\n";
    }
    text
}

fn named(files: &[(&str, &str)]) -> Vec<NamedBytes> {
    files.iter().map(|(name, text)| ((*name).to_string(), text.as_bytes().to_vec())).collect()
}

#[test]
fn a_file_that_would_fill_the_memory_is_not_begun_with() {
    assert_eq!(too_large(125, Some(1000)), None);
    assert_eq!(too_large(u64::MAX, None), None);
    let reason = too_large(3_000_000_000, Some(4 << 30)).unwrap();
    assert_eq!(reason, "it has 3000 MB, and here is room for 536 MB");
}

#[test]
fn a_lone_file_is_divided_the_same_way_every_time() {
    let first = import("set.jsonl", &lines(50, "q")).unwrap();
    assert_eq!(first, import("set.jsonl", &lines(50, "q")).unwrap());
    assert_eq!((first.task.train.len(), first.task.eval.len()), (40, 10));
    let mut prompts: Vec<&str> =
        first.task.train.iter().chain(&first.task.eval).map(|example| example.prompt.as_str()).collect();
    prompts.sort_unstable();
    prompts.dedup();
    assert_eq!(prompts.len(), 50);
    let other =
        import_bytes("set.jsonl", lines(50, "q").as_bytes(), &ImportSettings { seed: 1, ..ImportSettings::default() })
            .unwrap();
    assert_ne!(first.task.eval, other.task.eval);
    let large = import("set.jsonl", &lines(4000, "q")).unwrap();
    assert_eq!(large.task.eval.len(), HOLD_OUT_LIMIT);
}

#[test]
fn examples_of_one_prompt_stay_on_one_side() {
    let imported = import("set.jsonl", &lines(30, "q").repeat(3)).unwrap();
    let trained: HashSet<&str> = imported.task.train.iter().map(|example| example.prompt.as_str()).collect();
    assert!(imported.task.eval.iter().all(|example| !trained.contains(example.prompt.as_str())));
    assert_eq!(imported.task.eval.len(), 18);
    assert!(
        imported.warnings.iter().any(|warning| warning.contains("repeat an earlier one")),
        "{:?}",
        imported.warnings
    );
}

#[test]
fn a_folder_is_scored_on_test_or_else_eval() {
    let (train, eval, test) = (lines(40, "train"), lines(9, "eval"), lines(8, "test"));
    let files = named(&[("d/eval.jsonl", &eval), ("d/test.jsonl", &test), ("d/train.jsonl", &train)]);
    let with = |files: &[NamedBytes], score_split| {
        import_files("my tasks/Some-Set/", files, &ImportSettings { score_split, ..ImportSettings::default() })
    };
    let scored = |split| with(&files, split).unwrap().task.eval.len();
    assert_eq!(
        (scored(ScoreSplit::Auto), scored(ScoreSplit::Test), scored(ScoreSplit::Eval), scored(ScoreSplit::HoldOut)),
        (8, 8, 9, 8)
    );
    assert_eq!(with(&files, ScoreSplit::Auto).unwrap().task.name, "some_set");
    assert_eq!(with(&files[..1], ScoreSplit::Auto).unwrap_err().to_string().matches("no train file").count(), 1);
    let without_test = [files[0].clone(), files[2].clone()];
    assert_eq!(with(&without_test, ScoreSplit::Auto).unwrap().task.eval.len(), 9);
    assert!(matches!(with(&without_test, ScoreSplit::Test), Err(DataError::Folder { .. })));
    assert_eq!(with(&files[2..], ScoreSplit::Auto).unwrap().task.eval.len(), 8, "held out of 40");
    let doubled = named(&[("d/train.json", &train), ("d/train.jsonl", &train)]);
    assert!(matches!(with(&doubled, ScoreSplit::Auto), Err(DataError::Folder { .. })));
    let shards = named(&[
        ("d/train-00000-of-00002.jsonl", &train),
        ("d/train-00001-of-00002.jsonl", &test),
        ("d/dev.jsonl", &eval),
    ]);
    let sharded = with(&shards, ScoreSplit::Auto).unwrap().task;
    assert_eq!((sharded.train.len(), sharded.eval.len()), (48, 9));
}

#[test]
fn overlap_and_contradiction_are_reported() {
    let train = format!("{}{{\"prompt\": \"train 1\", \"answer\": \"no\"}}\n", lines(40, "train"));
    let files = named(&[("train.jsonl", &train), ("eval.jsonl", &lines(5, "train"))]);
    let warnings = import_files("set", &files, &ImportSettings::default()).unwrap().warnings.join(" ");
    assert!(
        warnings.contains("5 of 5 scored examples are in the training")
            && warnings.contains("1 training prompt(s) occur with different"),
        "{warnings}"
    );
}

#[test]
fn limits_draw_a_subset_in_file_order() {
    let settings = ImportSettings { max_train: Some(7), max_eval: Some(3), ..ImportSettings::default() };
    let limited = import_bytes("set.jsonl", lines(50, "q").as_bytes(), &settings).unwrap().task;
    let whole = import("set.jsonl", &lines(50, "q")).unwrap().task;
    assert_eq!((limited.train.len(), limited.eval.len()), (7, 3));
    let mut rest = whole.train.iter();
    assert!(limited.train.iter().all(|example| rest.any(|other| other == example)));
    let more = ImportSettings { max_eval: Some(4), ..settings.clone() };
    assert_eq!(import_bytes("set.jsonl", lines(50, "q").as_bytes(), &more).unwrap().task.train, limited.train);
    let none = ImportSettings { max_train: Some(0), ..settings };
    assert!(matches!(
        import_bytes("set.jsonl", lines(50, "q").as_bytes(), &none),
        Err(DataError::Setting { setting: "max_train", .. })
    ));
}

#[test]
fn empty_answers_are_counted_and_named() {
    let text = format!("{}{{\"prompt\": \"x\", \"answer\": \" \"}}\n\n{{\"prompt\": \"y\"}}\n", lines(3, "q"));
    assert_eq!(
        import("set.jsonl", &text),
        Err(DataError::EmptyAnswers { origin: "set.jsonl".into(), count: 2, lines: "4, 6".into() })
    );
}

#[test]
fn columns_are_mapped_and_wrong_ones_are_refused() {
    let text = "body,stars\ngood,5\nbad,1\n".to_string() + &"fine,4\nawful,1\ngreat,5\n".repeat(4);
    let mapping = ColumnMapping {
        answer: "stars".into(),
        template: Some("Review: {body}\nStars:".into()),
        ..ColumnMapping::default()
    };
    let settings = ImportSettings { mapping: Some(mapping), ..ImportSettings::default() };
    let task = import_bytes("reviews.csv", text.as_bytes(), &settings).unwrap().task;
    assert_eq!(task.labels, ["1", "4", "5"]);
    assert_eq!(task.train[0].prompt.matches("Review: ").count(), 1);
    let error = import("reviews.csv", &text).unwrap_err().to_string();
    assert!(error.contains("`body`, `stars`"), "{error}");
    let wrong = ImportSettings { mapping: Some(ColumnMapping::columns("bodi", "stars")), ..ImportSettings::default() };
    let error = import_bytes("reviews.csv", text.as_bytes(), &wrong).unwrap_err().to_string();
    assert!(error.contains("Did you mean `body`?"), "{error}");
    let nested = import("chat.jsonl", "{\"prompt\": [1], \"answer\": \"x\"}\n");
    assert!(matches!(nested, Err(DataError::NestedColumn { line: 1, .. })));
}

#[test]
fn alpaca_leaves_an_empty_input_out() {
    let row = |input: &str| {
        format!("{{\"instruction\": \"Add {input}\", \"input\": \"{input}\", \"output\": \"some words {input}\"}}\n")
    };
    let task = import("alpaca.jsonl", &(row("") + &row("2 and 3") + &row("a"))).unwrap().task;
    let prompts: Vec<&str> = task.train.iter().chain(&task.eval).map(|example| example.prompt.as_str()).collect();
    assert!(prompts.contains(&"Add \nAnswer:") && prompts.contains(&"Add 2 and 3\n2 and 3\nAnswer:"), "{prompts:?}");
}

#[test]
fn names_come_from_the_path() {
    for (path, expected) in [
        ("/a/Some Set/train.jsonl", "some_set"),
        ("train.jsonl", "train"),
        ("C:\\data\\x-Y.csv", "x_y"),
        ("a/b.c/", "b_c"),
        ("日本/été 2.json", "été_2"),
        ("--", "task"),
    ] {
        assert_eq!(task_name(name_in(path)), expected, "{path}");
    }
}

#[test]
fn settings_refuse_unknown_keys() {
    let settings: ImportSettings = serde_json::from_str("{\"max_train\": 5, \"score_split\": \"hold_out\"}").unwrap();
    assert_eq!((settings.max_train, settings.score_split), (Some(5), ScoreSplit::HoldOut));
    assert!(serde_json::from_str::<ImportSettings>("{\"max_trian\": 5}").is_err());
}

#[test]
fn a_folder_on_disk_is_read_and_an_empty_one_refused() {
    let folder = crate::platform::scratch::folder().unwrap();
    assert!(matches!(import_path(folder.path(), &ImportSettings::default()), Err(DataError::Folder { .. })));
    std::fs::write(folder.path().join("train.jsonl"), lines(20, "a")).unwrap();
    std::fs::write(folder.path().join("eval.json"), "[{\"prompt\": \"b\", \"answer\": \"yes\"}]").unwrap();
    std::fs::write(folder.path().join("notes.txt"), "no task").unwrap();
    let task = import_path(folder.path(), &ImportSettings::default()).unwrap().task;
    assert_eq!((task.train.len(), task.eval.len()), (20, 1));
    assert!(matches!(
        import_path(&folder.path().join("notes.txt"), &ImportSettings::default()),
        Err(DataError::UnknownFormat { .. })
    ));
}

/// The eight sets of ../shared/data: the kind must be right without being told.
#[test]
fn real_sets_are_understood() {
    let root = crate::platform::checkout().join("../shared/data/tasks");
    if !root.is_dir() {
        eprintln!("SKIPPED: {} is not there, so no real task set was read", root.display());
        return;
    }
    let expected = [
        ("fomc", Metric::ChoiceLikelihood, 3, 1899, 496),
        ("scienceqa", Metric::FirstCharacter, 4, 1422, 500),
        ("numglue_cm", Metric::NumberMatch, 0, 282, 122),
        ("py150", Metric::EditSimilarity, 0, 1002, 143),
        ("pubmedqa", Metric::ChoiceLikelihood, 3, 500, 500),
        ("dbpedia", Metric::ChoiceLikelihood, 14, 2000, 500),
        ("snips", Metric::ChoiceLikelihood, 7, 2000, 500),
        ("sms_spam", Metric::ChoiceLikelihood, 2, 1034, 250),
    ];
    for (name, metric, labels, train, eval) in expected {
        let imported = import_path(&root.join(name), &ImportSettings::default()).unwrap();
        let task = &imported.task;
        assert_eq!(
            (task.metric, task.labels.len(), task.train.len(), task.eval.len()),
            (metric, labels, train, eval),
            "{name}"
        );
        assert_eq!(task.name, name);
        // The sets were made so that train and eval share no prompt.
        assert!(
            !imported.warnings.iter().any(|warning| warning.contains("flatter")),
            "{name}: {:?}",
            imported.warnings
        );
        println!("{}", crate::data::check::report(&imported));
    }
}
