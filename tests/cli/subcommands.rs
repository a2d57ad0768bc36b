//! What the subcommands leave and print.

use super::checkout::checkout;
use super::program::{shell, small_run, succeeds, text_of, thalweg};
use super::tiny_model::{Scratch, files_below, other_model, tiny_model};
use thalweg::engine::protocol::Event;
use thalweg::engine::report::RunReport;

#[test]
fn a_run_leaves_a_whole_folder_and_its_command_repeats_it() {
    let scratch = Scratch::new("run");
    let call = succeeds(scratch.path(), &small_run("my runs", "seq,i_lora", "3", &[]));
    for learner in ["Seq", "I-LoRA, slow learner", "I-LoRA, fast learner"] {
        assert!(call.stdout.contains(learner), "{learner} is not in\n{}", call.stdout);
    }
    assert_eq!(call.stdout.matches("average accuracy").count(), 2, "two matrices\n{}", call.stdout);
    assert!(call.stdout.contains("report: my runs/report.html"), "{}", call.stdout);
    assert!(call.stderr.contains("[2/2] I-LoRA") && !call.stderr.contains('\u{1b}'), "lines, since no terminal reads");

    let mut expected = vec!["report.html".to_string()];
    for (run, learners) in [("i_lora-seed3", ["long_term", "working"].as_slice()), ("seq-seed3", &["model"])] {
        for task in ["01-stance", "02-finance"] {
            for learner in learners {
                for file in ["adapter_config.json", "adapter_model.safetensors"] {
                    expected.push(format!("{run}/adapters/{task}/{learner}/{file}"));
                }
            }
        }
        let mut files = vec!["checkpoint.thalweg", "checkpoint.thalweg.previous", "config.toml", "matrix.csv"];
        files.extend(["metrics.csv", "report.html", "report.json"]);
        files.extend((learners.len() == 2).then_some("buffer.jsonl"));
        expected.extend(files.iter().map(|file| format!("{run}/{file}")));
    }
    expected.sort();
    let runs = scratch.join("my runs");
    assert_eq!(files_below(&runs), expected);
    assert_eq!(files_below(scratch.path()).len(), expected.len(), "nothing beside the output folder");

    let report: RunReport = serde_json::from_str(&text_of(&runs, "seq-seed3/report.json")).unwrap();
    assert!(report.command.starts_with("thalweg run ") && report.command.contains("'my runs'"), "{}", report.command);
    assert!(text_of(&runs, "report.html").contains("I-LoRA"));
    let again = shell(scratch.path(), &report.command);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    for run in ["seq-seed3", "i_lora-seed3"] {
        for file in ["matrix.csv", "adapters/02-finance/NAME/adapter_model.safetensors"] {
            let file = file.replace("NAME", if run.starts_with("seq") { "model" } else { "long_term" });
            let read = |run: &str| std::fs::read(runs.join(run).join(&file)).unwrap();
            assert!(read(run) == read(&format!("{run}-2")), "{run}: {file} differs in the repetition");
        }
    }

    thalweg::io::capsule::save(&runs.join("seq-seed3"), false, &scratch.join("one.thalweg"), &mut |_, _| true).unwrap();
    let shown = succeeds(scratch.path(), &["capsule", "one.thalweg", "--unpack", "opened"]).stdout;
    assert!(shown.contains("metrics.csv") && shown.contains("to opened"), "{shown}");
    let adapter = "adapters/02-finance/model/adapter_model.safetensors";
    let read = |folder: &str| std::fs::read(scratch.join(folder).join(adapter)).unwrap();
    assert!(read("opened") == read("my runs/seq-seed3"));
    let again = thalweg(scratch.path(), &["capsule", "one.thalweg", "--unpack", "opened"]);
    assert!(again.code == Some(1) && again.stderr.contains("opened"), "{}", again.stderr);
}

#[test]
fn every_line_of_json_events_is_an_event() {
    let scratch = Scratch::new("events");
    let call = succeeds(scratch.path(), &small_run("runs", "seq,i_lora", "3", &["--json-events"]));
    let events: Vec<Event> = call.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let count = |is: fn(&Event) -> bool| events.iter().filter(|event| is(event)).count();
    assert!(matches!(events[0], Event::PhaseStarted { .. }));
    assert_eq!(count(|event| matches!(event, Event::RunStarted { .. })), 2);
    assert_eq!(count(|event| matches!(event, Event::Finished { .. })), 2);
    assert_eq!(count(|event| matches!(event, Event::Evaluated { .. })), 1 + 2 + 1 + 4);
    assert!(count(|event| matches!(event, Event::Stepped { .. })) >= 4, "the last step of each task at least");
    assert!(matches!(events.last(), Some(Event::Finished { run: 1, .. })));
    assert!(call.stderr.contains("report: runs/report.html"), "{}", call.stderr);
}

#[test]
fn a_printed_configuration_is_the_same_experiment() {
    let scratch = Scratch::new("print-config");
    let printed = succeeds(
        scratch.path(),
        &[
            "run",
            "--preset",
            "demo-quick",
            "--seed",
            "9",
            "--set",
            "i_lora.gamma=0.5",
            "--buffer",
            "77",
            "--print-config",
        ],
    );
    assert!(printed.stdout.contains("seed = 9") && printed.stdout.contains("capacity = 77"), "{}", printed.stdout);
    assert_eq!(files_below(scratch.path()), Vec::<String>::new(), "printing writes nothing");
    std::fs::write(scratch.join("e.toml"), &printed.stdout).unwrap();
    let again = succeeds(scratch.path(), &["run", "e.toml", "--print-config"]);
    assert_eq!(again.stdout, printed.stdout);
}

#[test]
fn a_dry_run_writes_nothing() {
    let scratch = Scratch::new("dry-run");
    let call = succeeds(scratch.path(), &small_run("runs", "seq,i_lora", "3", &["--dry-run"]));
    assert!(call.stdout.contains("Nothing was trained (--dry-run)."), "{}", call.stdout);
    let rows: Vec<Vec<&str>> = call.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(rows.iter().any(|row| row.starts_with(&["Seq", "6"])), "steps of two tasks\n{}", call.stdout);
    assert!(rows.iter().any(|row| row.starts_with(&["stance", "24", "6"])), "{}", call.stdout);
    assert!(!scratch.join("runs").exists());
    assert_eq!(files_below(scratch.path()), Vec::<String>::new());
}

/// One column of the table that `eval` prints, in percent by task.
fn column(table: &str, index: usize) -> Vec<(String, f64)> {
    let rows = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.len() > index).map(|row| (row[0].to_string(), row[index].parse().unwrap())).collect()
}

/// With the demonstration model, since the tiny ones learn too little to be told apart by their scores.
#[test]
fn a_merged_model_scores_as_the_model_with_its_adapter() {
    let scratch = Scratch::new("merge");
    let model = checkout().join("assets/demo-model");
    let model = model.to_str().unwrap();
    let mut words = vec!["run", "--quiet", "--model", model, "--device", "cpu", "--task", "builtin:stance"];
    words.extend(["--method", "seq", "--steps", "40", "--max-length", "64", "--output", "runs"]);
    words.extend(["--set", "lora.target_modules=[\"q_proj\", \"v_proj\", \"o_proj\", \"gate_proj\", \"down_proj\"]"]);
    words.extend(["--set", "training.pad_multiple=8", "--set", "evaluation.max_examples=20"]);
    succeeds(scratch.path(), &words);
    let adapter = "runs/seq-seed0/adapters/01-stance/model";
    let info = succeeds(scratch.path(), &["adapter", "info", adapter, "--model", model]);
    assert!(info.stdout.contains("trained on exactly its weights"), "{}", info.stdout);
    let merge = ["adapter", "merge", adapter, "--model", model, "--output", "merged"];
    succeeds(scratch.path(), &merge);
    let eval = |words: &[&str]| {
        let tasks = ["eval", "--task", "builtin:stance", "--task", "builtin:law", "--max-examples", "100", "--quiet"];
        succeeds(scratch.path(), &[tasks.as_slice(), &["--device", "cpu"], words].concat()).stdout
    };
    let with_adapter = eval(&["--model", model, "--adapter", adapter]);
    let merged = eval(&["--model", "merged"]);
    let (base, adapted, merged) = (column(&with_adapter, 3), column(&with_adapter, 4), column(&merged, 3));
    assert!(adapted[0].1 > base[0].1 + 10.0, "the adapter acts: {with_adapter}");
    assert_eq!(adapted, merged, "{with_adapter}");
    // What is there already is never overwritten.
    let again = thalweg(scratch.path(), &merge);
    assert!(again.code == Some(1) && again.stderr.contains("exists already"), "{}", again.stderr);
}

#[test]
fn a_seed_repeats_a_text() {
    let scratch = Scratch::new("generate");
    let write = |seed: &str| {
        let words = ["generate", "--model", tiny_model().to_str().unwrap(), "--prompt", "Stance: Ann", "--seed", seed];
        succeeds(scratch.path(), &[words.as_slice(), &["--temperature", "1", "--max-new-tokens", "30"]].concat()).stdout
    };
    let first = write("1");
    assert_eq!(first, write("1"));
    assert_ne!(first, write("2"));
    assert!(first.chars().count() > 10, "{first}");
}

#[test]
fn lists_are_complete() {
    let here = &checkout();
    let methods = succeeds(here, &["methods"]).stdout;
    for entry in thalweg::continual::register() {
        assert!(methods.contains(entry.name) && methods.contains(entry.source), "{}", entry.name);
        for knob in (entry.knobs)() {
            assert!(methods.contains(knob.name) && methods.contains(knob.default), "{}", knob.name);
        }
        for (preset, _) in (entry.presets)() {
            assert!(methods.contains(preset), "{preset}");
        }
    }
    let tasks = succeeds(here, &["tasks", "list"]).stdout;
    for name in thalweg::data::builtin::NAMES {
        assert!(tasks.contains(name), "{name}");
    }
}

#[test]
fn paths_and_planes_between_the_adapters_of_a_run() {
    let scratch = Scratch::new("between");
    succeeds(scratch.path(), &small_run("runs", "i_lora", "4", &[]));
    let adapter = |task: &str, learner: &str| format!("runs/i_lora-seed3/adapters/{task}/{learner}");
    let (a, b, c) =
        (adapter("01-stance", "long_term"), adapter("02-finance", "long_term"), adapter("02-finance", "working"));
    // Model, tasks and seed are those of the run.
    let words = ["path", &a, &b, "--kind", "line,bezier,product", "--points", "4", "--steps", "3", "--output", "out"];
    let call = succeeds(scratch.path(), &words);
    for told in ["line", "bezier", "product line", "mean over tasks", "stance", "finance", "page: out/path.html"] {
        assert!(call.stdout.contains(told), "{told} is not in\n{}", call.stdout);
    }
    let files = ["bezier.csv", "line.csv", "path.html", "path.json", "path.svg", "product-line.csv"];
    assert_eq!(files_below(&scratch.join("out")), files);
    assert_eq!(text_of(scratch.path(), "out/line.csv").lines().count(), 1 + 4);
    // Another pair beside it, with an adapter that lies off the line.
    let words = ["path", &a, &c, "--also", &b, "--with", "out/path.json", "--points", "3", "--output", "out2"];
    let call = succeeds(scratch.path(), &words);
    assert!(call.stdout.contains("02-finance, long_term is nearest at t = "), "{}", call.stdout);
    assert_eq!(files_below(&scratch.join("out2")), ["line.csv", "path.html", "path.json", "path.svg"]);
    let both = text_of(scratch.path(), "out2/path.json");
    assert_eq!((both.matches("\"kind\"").count(), both.matches("\"distance\"").count()), (4, 1));
    assert!(text_of(scratch.path(), "out2/path.svg").contains("ring: 02-finance, long_term"));
    let (points, track) = (["--points", "3", "--output", "out"], ["--track", "runs/i_lora-seed3"]);
    let words = [["plane", &a, &b, &c].as_slice(), &points, &track].concat();
    let call = succeeds(scratch.path(), &words);
    assert!(call.stdout.contains("9 points in") && call.stdout.contains("page: out/plane.html"), "{}", call.stdout);
    assert_eq!(text_of(scratch.path(), "out/plane.csv").lines().count(), 1 + 9);
    assert!(call.stdout.contains("of the motion, "), "{}", call.stdout);
    // The grid goes as far beyond the adapters as is asked.
    succeeds(scratch.path(), &["plane", &a, &b, &c, "--points", "2", "--margin", "0", "--output", "tight"]);
    let first = text_of(scratch.path(), "tight/plane.csv").lines().nth(1).unwrap().to_owned();
    let corner: Vec<f64> = first.split(',').take(2).map(|cell| cell.parse().unwrap()).collect();
    assert_eq!(corner, [0.0, 0.0], "{first}");
    // Random directions are told with the share of the motion that they hold: of the run in which the adapter lies.
    let words = ["plane", &a, "--random", "--points", "2", "--no-scores", "--output", "random"];
    let call = succeeds(scratch.path(), &words);
    assert!(call.stdout.contains("of the motion, ") && !call.stdout.contains("not known"), "{}", call.stdout);
    assert!(text_of(scratch.path(), "random/plane.json").contains("\"name\": \"i_lora-seed3, long_term\""));

    let refused = |words: &[&str], expected: &str| {
        let call = thalweg(scratch.path(), words);
        assert!(call.code != Some(0) && call.stderr.contains(expected), "{words:?}: {:?}\n{}", call.code, call.stderr);
        assert!(!call.stderr.contains("panicked"), "{}", call.stderr);
    };
    refused(&["path", &a], "2 values required");
    refused(&["path", &a, "nowhere"], "nowhere");
    refused(&["path", &a, &b, &c, "--kind", "bezier"], "joins two adapters");
    refused(&["path", &a, &b, "--points", "1"], "two points");
    refused(&["path", &a, &b, "--with", "nowhere.json"], "give a path.json");
    refused(&["path", &a, &b, "--with", "out/line.csv"], "give a path.json");
    refused(&["plane", &a, &b], "give three");
    refused(&["plane", &a, &b, &c, "--margin=-1"], "at least 0");
    refused(&["plane", &a, &b, &a], "three different adapters");
    refused(&["plane", &a, &b, &c, "--track", "nowhere"], "give the folder of a run");
}

#[test]
fn similarity_of_the_adapters_of_a_run() {
    let scratch = Scratch::new("similarity");
    succeeds(scratch.path(), &small_run("runs", "i_lora", "4", &[]));
    succeeds(scratch.path(), &small_run("wide", "seq", "2", &["--set", "lora.r=3"]));
    succeeds(scratch.path(), &small_run("keys", "seq", "2", &["--set", "lora.target_modules=[\"k_proj\"]"]));
    let (a, b) = ("runs/i_lora-seed3/adapters/01-stance/long_term", "runs/i_lora-seed3/adapters/02-finance/working");
    let call = succeeds(scratch.path(), &["similarity", a, b, "--examples", "4", "--output", "out"]);
    for told in [
        "1  01-stance, long_term",
        "2  02-finance, working",
        "1 – 2",
        "CKA, output",
        "note: CKA was measured on 8 examples",
    ] {
        assert!(call.stdout.contains(told), "{told} is not in\n{}", call.stdout);
    }
    let files = ["similarity-modules.csv", "similarity.csv", "similarity.html", "similarity.json"];
    assert_eq!(files_below(&scratch.join("out")), files);
    // two layers, q and v
    assert_eq!(text_of(scratch.path(), "out/similarity-modules.csv").lines().count(), 1 + 4);
    let header = text_of(scratch.path(), "out/similarity.csv").lines().next().unwrap().to_owned();
    assert!(header.ends_with("cka_mean,cka_after_layer_1,cka_output"), "{header}");
    // Both learners after both tasks, and an adapter of another rank.
    let wide = "wide/seq-seed3/adapters/01-stance/model";
    let words = ["similarity", wide, "--track", "runs/i_lora-seed3", "--no-cka", "--output", "all"];
    let call = succeeds(scratch.path(), &words);
    assert!(
        call.stdout.contains("note: the ranks differ (3, 2, 2, 2, 2)") && call.stdout.contains("4 – 5"),
        "{}",
        call.stdout
    );
    assert_eq!(text_of(scratch.path(), "all/similarity.csv").lines().count(), 1 + 10);

    let other = other_model().to_str().unwrap();
    let keys = "keys/seq-seed3/adapters/01-stance/model";
    for (words, expected) in [
        (&["similarity"][..], "required"),
        (&["similarity", a], "two adapters or more, and 1 was given"),
        (&["similarity", a, "nowhere"], "nowhere"),
        (&["similarity", a, keys], "k_proj"),
        (&["similarity", a, b, "--model", other], "it is an adapter of another model"),
        (&["similarity", a, b, "--examples", "0"], "at least 1"),
        (&["similarity", "--track", "nowhere"], "give the folder of a run"),
    ] {
        let call = thalweg(scratch.path(), words);
        assert!(call.code != Some(0) && call.stderr.contains(expected), "{words:?}: {:?}\n{}", call.code, call.stderr);
        assert!(!call.stderr.contains("panicked"), "{}", call.stderr);
    }
    assert!(!scratch.join("landscape").exists(), "a refused call writes nothing");
}

#[test]
fn the_landscape_benchmark_finds_the_same_numbers_in_every_way() {
    let here = &checkout();
    let words = ["bench", "--landscape", "--examples", "2", "--points", "3", "--side", "2", "--rounds", "2", "--quiet"];
    let call = succeeds(here, &words);
    for way in
        ["as path and plane do it", "8 adapters in a pass", "1 adapter in a pass", "our evaluation", "plain evaluation"]
    {
        assert_eq!(
            call.stdout.matches(way).count(),
            3,
            "losses, their arithmetic, and with scores: {way}\n{}",
            call.stdout
        );
    }
    assert!(call.stdout.contains("plane of 2 x 2 points"), "{}", call.stdout);
    assert!(thalweg(here, &["bench", "--points", "3"]).stderr.contains("--landscape"));
}
