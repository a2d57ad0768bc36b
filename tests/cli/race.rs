//! Races: runs in processes of their own that fail alone, stop and go on; one report; and refusals before anything trains.

use super::program::{Call, command, shell, small_run, succeeds, text_of, thalweg};
use super::tiny_model::{Scratch, copy_folder, files_below, tiny_model};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use thalweg::engine::report::RunReport;
use thalweg::platform::now_secs;

/// Writes `r.toml`: `head`, and the experiment that [`small_run`] means, on the tiny model.
fn write_race(folder: &Path, head: &str, steps: usize) {
    let model = tiny_model().display();
    let text = format!(
        "{head}\n[experiment]\nmodel = '{model}'\ndevice = \"cpu\"\ntasks = [\"builtin:stance\", \"builtin:finance\"]\n\
         [experiment.lora]\nr = 2\n[experiment.training]\nsteps_per_task = {steps}\nbatch_size = 4\nmax_length = 64\n\
         max_train_examples = 24\n[experiment.evaluation]\nmax_examples = 6\n"
    );
    fs::write(folder.join("r.toml"), text).unwrap();
}

/// Lines of `results.csv` by the names in its heading.
fn results(folder: &Path) -> Vec<BTreeMap<String, String>> {
    let text = text_of(folder, "results.csv");
    let mut lines = text.lines().map(|line| line.split(',').map(ToOwned::to_owned).collect::<Vec<String>>());
    let heading = lines.next().unwrap();
    lines
        .map(|cells| {
            assert_eq!(cells.len(), heading.len(), "{cells:?}");
            heading.iter().cloned().zip(cells).collect()
        })
        .collect()
}

fn cells(rows: &[BTreeMap<String, String>], names: &[&str]) -> Vec<String> {
    rows.iter().map(|row| names.iter().map(|name| row[*name].as_str()).collect::<Vec<_>>().join(" ")).collect()
}

fn report(run: &Path) -> RunReport {
    serde_json::from_str(&text_of(run, "report.json")).unwrap()
}

/// Names and contents of all files.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    files_below(folder).into_iter().map(|name| (name.clone(), fs::read(folder.join(&name)).unwrap())).collect()
}

/// Matrix and adapters of two runs are the same bits.
fn assert_same_results(a: &Path, b: &Path) {
    let told = |folder: &Path| -> Vec<(String, Vec<u8>)> {
        let is_result = |name: &str| name.starts_with("adapters/") || name == "matrix.csv";
        contents(folder).into_iter().filter(|(name, _)| is_result(name)).collect()
    };
    let (a_files, b_files) = (told(a), told(b));
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert!(a_files.len() >= 5, "matrix and adapters: {:?}", names(&a_files));
    assert_eq!(names(&a_files), names(&b_files));
    for ((name, a_bytes), (_, b_bytes)) in a_files.iter().zip(&b_files) {
        assert!(a_bytes == b_bytes, "{name} of {} and {} differs", a.display(), b.display());
    }
}

#[test]
fn a_race_compares_what_ordinary_runs_give_and_is_not_run_twice() {
    let scratch = Scratch::new("race");
    let here = scratch.path();
    write_race(here, "seeds = [3, 4]\noutput = \"out\"\nmethods = [\"seq\", \"i_lora\"]", 3);
    let call = succeeds(here, &["race", "r.toml", "--jobs", "2"]);
    assert!(call.stderr.contains("4 runs, 4 to do, 2 at once"), "{}", call.stderr);
    for told in ["[4/4] ", "Seq, seed 3, given: average ", "I-LoRA, seed 4, given: average "] {
        assert!(call.stderr.contains(told), "{told} is not in\n{}", call.stderr);
    }
    for told in ["Seq", "I-LoRA", "results: out/results.csv", "report: out/report.html"] {
        assert!(call.stdout.contains(told), "{told} is not in\n{}", call.stdout);
    }
    let out = scratch.join("out");
    let rows = results(&out);
    assert_eq!(
        cells(&rows, &["variant", "method", "learner", "headline", "seed", "order"]),
        [
            "Seq seq model true 3 given",
            "Seq seq model true 4 given",
            "I-LoRA i_lora working false 3 given",
            "I-LoRA i_lora long_term true 3 given",
            "I-LoRA i_lora working false 4 given",
            "I-LoRA i_lora long_term true 4 given",
        ]
    );
    let slow = report(&out.join("runs/i-lora-seed4-given"));
    let accuracy = slow.headline_learner().unwrap().matrix.average_accuracy().unwrap();
    assert_eq!(rows[5]["average_accuracy"].parse::<f64>().unwrap(), accuracy);
    let html = text_of(&out, "report.html");
    let table = text_of(&out, "table.md");
    assert!(table.starts_with("| ") && table.contains("Seq") && table.contains("I-LoRA"), "{table}");
    assert!(html.contains("I-LoRA") && html.contains("thalweg race r.toml --jobs 2"));
    let mut beside = files_below(here);
    beside.retain(|name| !name.starts_with("out/runs/"));
    assert_eq!(beside, ["out/race.toml", "out/report.html", "out/results.csv", "out/table.md", "r.toml"]);

    // A run of a race is the run that `thalweg run` makes, and its report says how to repeat it alone.
    for (method, run) in [("seq", "seq-seed3"), ("i_lora", "i_lora-seed3")] {
        succeeds(here, &small_run("plain", method, "3", &["--quiet"]));
        let raced = out.join("runs").join(format!("{}-given", run.replace('_', "-")));
        assert_same_results(&scratch.join("plain").join(run), &raced);
    }
    assert!(slow.command.starts_with("thalweg run ") && slow.command.ends_with("config.toml"), "{}", slow.command);

    // Once more: nothing is trained, the reports are written again. The race's own file does it from anywhere.
    let (before, numbers) = (contents(&out.join("runs")), text_of(&out, "results.csv"));
    for name in ["results.csv", "report.html"] {
        fs::remove_file(out.join(name)).unwrap();
    }
    let again = succeeds(here, &["race", "r.toml", "--jobs", "2"]);
    assert_eq!(again.stdout, call.stdout);
    assert!(!again.stderr.contains("to do"), "{}", again.stderr);
    succeeds(&out, &["race", "race.toml", "--quiet"]);
    assert!(contents(&out.join("runs")) == before, "a finished run was touched");
    assert_eq!(text_of(&out, "results.csv"), numbers);
    assert!(out.join("report.html").exists());
}

#[test]
fn a_run_that_fails_leaves_the_others_alone_and_is_tried_again() {
    let scratch = Scratch::new("race-fails");
    let here = scratch.path();
    let head = "seeds = [3]\norders = [\"given\", \"reversed\"]\noutput = \"out\"\n\
                methods = [\"seq\", { name = \"er\", label = \"Diverges\", set = { \"training.learning_rate\" = 1e30 } }]";
    write_race(here, head, 3);
    let call = thalweg(here, &["race", "r.toml"]);
    assert_eq!(call.code, Some(1), "{}", call.stderr);
    for (told, place) in
        [("failed: Diverges, seed 3, given: ", "at once"), ("failed: diverges-seed3-given: ", "at the end")]
    {
        let reason = call.stderr.lines().find_map(|line| line.strip_prefix(told));
        assert!(reason.is_some_and(|reason| !reason.contains("exit code")), "{place}:\n{}", call.stderr);
    }
    assert!(call.stderr.contains("tries what failed again: thalweg race r.toml"), "{}", call.stderr);
    let out = scratch.join("out");
    let rows = results(&out);
    assert_eq!(cells(&rows, &["variant", "seed", "order"]), ["Seq 3 given", "Seq 3 reversed"]);
    assert!(text_of(&out, "report.html").contains("diverges-seed3-reversed"));
    let tasks = |order: &str| -> Vec<String> {
        report(&out.join(format!("runs/seq-seed3-{order}"))).tasks.into_iter().map(|task| task.name).collect()
    };
    assert_eq!(
        (tasks("given"), tasks("reversed")),
        (vec!["stance".into(), "finance".into()], vec!["finance".into(), "stance".into()])
    );

    let before = contents(&out.join("runs/seq-seed3-given"));
    let again = thalweg(here, &["race", "r.toml", "--quiet"]);
    assert_eq!(again.code, Some(1), "{}", again.stderr);
    assert!(again.stderr.contains("failed: Diverges, seed 3, reversed: "), "even a quiet race tells: {}", again.stderr);
    assert!(contents(&out.join("runs/seq-seed3-given")) == before);
    let only = succeeds(here, &["race", "r.toml", "--only", "seq"]);
    assert!(only.stderr.contains("2 of 4 runs: not finished yet, which --only left out"), "{}", only.stderr);
}

/// Starts the race of a folder and sends a signal to it alone once a run has passed its first task.
fn disturbed(folder: &Path, signal: &str) -> Call {
    let mut words = command(folder, &["race", "r.toml", "--jobs", "2"]);
    let child = words.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let give_up = now_secs() + 120.0;
    let began = || files_below(&folder.join("out/runs")).iter().any(|name| name.ends_with("/checkpoint.thalweg"));
    while !began() {
        assert!(now_secs() < give_up, "no run came to its first checkpoint");
        std::thread::sleep(Duration::from_millis(5));
    }
    let status = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap();
    assert!(status.success(), "kill -s {signal}");
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Call { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Waits until no process writes into the log of a run any more.
fn wait_for_rest(log: &Path) {
    let give_up = now_secs() + 60.0;
    while File::open(log).unwrap().try_lock().is_err() {
        assert!(now_secs() < give_up, "a run outlives its race: {}", log.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_race_that_is_stopped_or_killed_goes_on_to_the_same_end() {
    if cfg!(not(unix)) {
        eprintln!("NOT TESTED: there are no such signals here");
        return;
    }
    const STEPS: usize = 80;
    let scratch = Scratch::new("race-signals");
    let head = "seeds = [3]\noutput = \"out\"\nmethods = [\"er\", \"i_lora\"]";
    let place = |name: &str| {
        let folder = scratch.join(name);
        fs::create_dir_all(&folder).unwrap();
        write_race(&folder, head, STEPS);
        folder
    };
    let whole = place("whole");
    succeeds(&whole, &["race", "r.toml", "--quiet"]);
    for signal in ["INT", "KILL"] {
        let folder = place(signal);
        let call = disturbed(&folder, signal);
        let runs = folder.join("out/runs");
        let line = if signal == "INT" {
            assert_eq!(call.code, Some(130), "{}", call.stderr);
            assert!(call.stderr.contains("Ctrl-C again quits at once"), "{}", call.stderr);
            let stopped = call.stderr.lines().find(|line| line.starts_with("stopped; ")).unwrap();
            assert!(stopped.contains(" of 2 runs: not finished yet"), "{stopped}");
            stopped.split_once("go on with: ").unwrap().1.to_string()
        } else {
            assert_eq!(call.code, None, "it was killed");
            for run in ["er-seed3-given", "i-lora-seed3-given"] {
                wait_for_rest(&runs.join(run).join("log.txt"));
            }
            "thalweg race r.toml".to_string()
        };
        let finished = files_below(&runs).into_iter().filter(|name| name.ends_with("/report.json")).count();
        assert!(finished < 2, "the race was over before it could be disturbed");
        let call = shell(&folder, &format!("{line} --quiet"));
        assert_eq!(call.code, Some(0), "{line}: {}", call.stderr);
        for run in ["er-seed3-given", "i-lora-seed3-given"] {
            assert_same_results(&whole.join("out/runs").join(run), &runs.join(run));
        }
    }
}

/// Must end with this code, say all of this in one message, print no result and leave nothing.
fn refused(folder: &Path, words: &[&str], code: i32, named: &[&str]) {
    let before = contents(folder);
    let call = thalweg(folder, words);
    assert_eq!(call.code, Some(code), "{words:?}\n{}", call.stderr);
    assert!(call.stderr.starts_with("error: ") && !call.stderr.contains("panicked"), "{words:?}\n{}", call.stderr);
    for part in named {
        assert!(call.stderr.contains(part), "{words:?}: `{part}` is not in\n{}", call.stderr);
    }
    assert!(call.stdout.is_empty(), "{words:?}\n{}", call.stdout);
    assert!(contents(folder) == before, "{words:?} left or changed something");
}

#[test]
fn bad_races_are_refused_before_anything_trains() {
    let scratch = Scratch::new("race-refused");
    let here = scratch.path();
    let race = ["race", "r.toml", "--quiet"];
    for (head, named) in [
        ("methods = [\"seq\", \"ilora\"]", vec!["r.toml: variant `ilora`", "did you mean `i_lora`"]),
        (
            "methods = [\"er\", { name = \"er\", set = { \"lora.r\" = 4 } }]",
            vec!["two variants are called `ER`", "`label`"],
        ),
        ("methods = [\"er\"]\nseeds = [1, 1]", vec!["r.toml: `seeds` has 1 twice"]),
        ("methods = []", vec!["r.toml: `methods` is empty"]),
        ("methods = [\"er\"]\nseed = [1]", vec!["line 2", "did you mean `seeds`"]),
        (
            "methods = [{ name = \"er\", label = \"wide\", set = { \"lora.r\" = 1000 } }]",
            vec!["r.toml: variant `wide`", "width of 32"],
        ),
    ] {
        write_race(here, head, 1);
        refused(here, &race, 1, &named);
        refused(here, &[race.as_slice(), &["--dry-run"]].concat(), 1, &named);
    }
    write_race(here, "methods = [\"seq\"]\noutput = \"out\"\nseeds = [1]", 1);
    let text = text_of(here, "r.toml");
    fs::write(scratch.join("r.toml"), text.replace("builtin:stance", "nowhere.jsonl").replace("finance", "finanse"))
        .unwrap();
    refused(here, &race, 1, &["task 1: Cannot read nowhere.jsonl", "task 2: there is no built-in task `finanse`"]);
    fs::write(scratch.join("r.toml"), text.replace("builtin:stance", "builtin:finance")).unwrap();
    refused(here, &race, 1, &["two tasks are called `finance`"]);
    fs::write(scratch.join("r.toml"), text.replace("model = '", "model = '/nowhere")).unwrap();
    refused(here, &race, 1, &["r.toml: model `/nowhere", "is not there"]);
    fs::write(scratch.join("r.toml"), &text).unwrap();
    refused(here, &["race", "r.toml", "--only", "sec"], 2, &["no variant is called `sec`", "did you mean `seq`"]);
    refused(here, &["race", "r.toml", "--seeds", "1,1"], 1, &["`seeds` has 1 twice"]);
}

#[test]
fn a_folder_with_another_race_is_refused() {
    let scratch = Scratch::new("race-folder");
    let here = scratch.path();
    let race = ["race", "r.toml", "--quiet"];
    write_race(here, "methods = [\"seq\"]\noutput = \"out\"\nseeds = [1]", 1);
    succeeds(here, &race);
    write_race(here, "methods = [\"seq\"]\noutput = \"out\"\nseeds = [1]", 2);
    let named = ["seq-seed1-given holds a run with other settings", "training.steps_per_task is 1 there and 2 here"];
    refused(here, &race, 1, &[&named[..], &["another --output"]].concat());
    succeeds(here, &["race", "r.toml", "--quiet", "--output", "other"]);

    let file = scratch.join("other/race.toml");
    let frozen = text_of(&scratch.join("other"), "race.toml");
    fs::write(&file, frozen.replace(env!("CARGO_PKG_VERSION"), "0.0.1")).unwrap();
    let version = ["race", "r.toml", "--quiet", "--output", "other"];
    refused(here, &version, 1, &["other holds a race of version 0.0.1", "another --output"]);
    // a race file of the user's own in the folder is not overwritten, nor are reports of an experiment
    fs::create_dir_all(scratch.join("mine")).unwrap();
    fs::copy(scratch.join("r.toml"), scratch.join("mine/race.toml")).unwrap();
    refused(&scratch.join("mine"), &["race", "race.toml", "--output", "."], 1, &["was not written by a race"]);
    fs::remove_file(scratch.join("mine/race.toml")).unwrap();
    fs::write(scratch.join("mine/report.html"), "of an experiment").unwrap();
    refused(here, &["race", "r.toml", "--output", "mine"], 1, &["holds a report.html but no race.toml"]);
}

#[test]
fn a_printed_race_is_the_same_race() {
    let scratch = Scratch::new("race-print");
    for preset in ["builtin8", "text8", "paper"] {
        let words = ["race", "--preset", preset, "--seeds", "7,8", "--output", "x", "--print-config"];
        let printed = succeeds(scratch.path(), &words).stdout;
        assert_eq!(files_below(scratch.path()), Vec::<String>::new(), "printing writes nothing");
        assert!(printed.contains("output = \"x\"") && printed.contains("7,"), "{printed}");
        fs::write(scratch.join("r.toml"), &printed).unwrap();
        assert_eq!(succeeds(scratch.path(), &["race", "r.toml", "--print-config"]).stdout, printed);
        fs::remove_file(scratch.join("r.toml")).unwrap();
    }
}

/// A folder in TRACE's format: lists of prompts and answers.
fn write_task(folder: &Path, answer: impl Fn(usize) -> String) {
    fs::create_dir_all(folder).unwrap();
    for (split, count) in [("train", 24), ("eval", 6), ("test", 8)] {
        let rows: Vec<serde_json::Value> = (0..count)
            .map(|row| serde_json::json!({"prompt": format!("{split} question {row}:\n"), "answer": answer(row)}))
            .collect();
        fs::write(folder.join(format!("{split}.json")), serde_json::to_string(&rows).unwrap()).unwrap();
    }
}

/// The recipe starts as it is, where somebody has the files: here the tiny model stands for Llama-2-7B.
#[test]
fn the_papers_race_can_be_started_as_it_is() {
    let scratch = Scratch::new("race-paper");
    let here = scratch.path();
    copy_folder(tiny_model(), &scratch.join("models/Llama-2-7b-hf"));
    let letter = |row: usize, options: usize| ["A", "B", "C", "D"][row % options].to_string();
    for (name, options) in [("C-STANCE", 3), ("FOMC", 3), ("MedMCQA", 4), ("JEC-QA", 4)] {
        write_task(&scratch.join("data").join(name), |row| letter(row, options));
    }
    write_task(&scratch.join("data/ScienceQA"), |row| format!("{}\nBecause of lecture {row}.", letter(row, 4)));
    write_task(&scratch.join("data/NumGLUE-cm"), |row| (3 * row + 1).to_string());
    write_task(&scratch.join("data/MeetingBank"), |row| format!("The council passed bill {row} after a long debate."));
    write_task(&scratch.join("data/20Minuten"), |row| format!("Der Zug Nummer {row} kam am Abend wieder zu spät an."));
    let before = contents(here);
    let call = succeeds(here, &["race", "--preset", "paper", "--device", "cpu", "--dry-run", "--quiet"]);
    let rows: Vec<String> =
        call.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for row in [
        "c_stance 24 8 33.3 accuracy (generation)",
        "fomc 24 8 33.3 accuracy (generation)",
        "meetingbank 24 8 0.0 ROUGE-L",
        "scienceqa 24 8 25.0 accuracy (first character)",
        "numglue_cm 24 8 0.0 number match",
        "20minuten 24 8 0.0 SARI",
        "medmcqa 24 8 25.0 accuracy (generation)",
        "jec_qa 24 8 25.0 accuracy (generation)",
        "12 runs, 12 to do. Nothing was trained (--dry-run).",
    ] {
        assert!(rows.iter().any(|line| line == row), "`{row}` is not in\n{}", call.stdout);
    }
    // 24 examples are 2 batches of at most 16; 5 times, 4 batches a step: 2.5, rounded up, for each of 8 tasks
    assert!(rows.iter().any(|row| row.starts_with("Seq seq 24 ")), "{}", call.stdout);
    assert!(contents(here) == before, "a dry run writes nothing");
}
