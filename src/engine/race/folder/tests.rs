//! What a race finds in its folder, and what it refuses to touch.

use super::*;
use crate::continual::metrics::AccuracyMatrix;
use crate::engine::report::LearnerReport;
use crate::platform::scratch::{ScratchFolder, folder};
use std::fs;

fn config(more: &str) -> RaceConfig {
    let text = format!(
        "seeds = [1, 2]\nmethods = [\"seq\", \"i_lora\"]\n{more}\n[experiment]\ndevice = \"cpu\"\ntasks = [\"builtin:stance\", \"builtin:law\"]\n"
    );
    RaceConfig::parse(&text, "r.toml").unwrap()
}

fn place() -> (ScratchFolder, RaceFolder) {
    let scratch = folder().unwrap();
    let race = RaceFolder::new(&scratch.path().join("race"));
    (scratch, race)
}

fn report(version: &str, seed: u64) -> RunReport {
    let (train_secs, eval_secs) = (3.0, 0.5);
    let started_unix = 1000 + seed;
    RunReport { version: version.into(), seed, train_secs, eval_secs, started_unix, ..RunReport::default() }
}

fn write_report(race: &RaceFolder, cell: &Cell, report: &RunReport) {
    fs::write(race.run_path(cell).join(REPORT_JSON), serde_json::to_string(report).unwrap()).unwrap();
}

#[test]
fn runs_are_new_begun_or_finished() {
    let (_scratch, race) = place();
    let plan = Plan::new(&config("")).unwrap();
    assert_eq!(race.earlier().unwrap(), None);
    assert_eq!(race.states(&plan).unwrap(), vec![CellState::New; 4]);
    assert!(!race.path().exists(), "looking makes nothing");

    race.freeze(&config("")).unwrap();
    let path = race.create_run(&plan.cells[1]).unwrap();
    assert_eq!(path, race.path().join("runs/i-lora-seed1-given"));
    race.create_run(&plan.cells[2]).unwrap();
    write_report(&race, &plan.cells[2], &report(VERSION, 2));
    let states = race.states(&plan).unwrap();
    assert_eq!(states, [CellState::New, CellState::Begun, CellState::Finished { secs: 3.5 }, CellState::New]);
    assert_eq!(race.report(&plan.cells[2]).unwrap().seed, 2);
    for cell in [0, 1] {
        let message = race.report(&plan.cells[cell]).unwrap_err().to_string();
        assert!(message.contains("no report.json") && message.contains(&plan.cells[cell].name), "{message}");
    }
}

#[test]
fn the_frozen_file_repeats_the_race_from_anywhere() {
    let (_scratch, race) = place();
    race.freeze(&config("output = \"elsewhere\"")).unwrap();
    let frozen = race.earlier().unwrap().unwrap();
    assert_eq!(frozen.version.as_deref(), Some(VERSION));
    assert_eq!(frozen.output, fs::canonicalize(race.path()).unwrap().display().to_string());
    assert_eq!(frozen.methods, config("").methods);
    let names = |config| Plan::new(config).unwrap().cells.iter().map(|cell| cell.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&frozen), names(&config("")));
    // a moved race is found as it was: what is frozen in a run does not name the folder
    let plan = Plan::new(&config("")).unwrap();
    race.create_run(&plan.cells[0]).unwrap();
    let moved = race.path().with_file_name("moved");
    fs::rename(race.path(), &moved).unwrap();
    assert_eq!(RaceFolder::new(&moved).states(&plan).unwrap()[0], CellState::Begun);
}

#[test]
fn other_settings_are_refused_and_named() {
    let (_scratch, race) = place();
    let plan = Plan::new(&config("")).unwrap();
    race.create_run(&plan.cells[1]).unwrap();
    let mut other = RaceConfig { title: "another title is no difference".into(), ..config("") };
    assert_eq!(race.states(&Plan::new(&other).unwrap()).unwrap()[1], CellState::Begun);
    other.experiment.training.learning_rate = 0.5;
    other.experiment.device = "webgpu:0".into();
    other.experiment.tasks.reverse();
    let message = race.states(&Plan::new(&other).unwrap()).unwrap_err().to_string();
    for part in [
        "i-lora-seed1-given holds a run with other settings",
        "training.learning_rate is 0.003 there and 0.5 here",
        "device is \"cpu\" there and \"webgpu:0\" here",
        "tasks[1] is \"builtin:stance\" there and \"builtin:law\" here",
        "choose another --output, or delete the folder",
    ] {
        assert!(message.contains(part), "`{part}` is not in\n{message}");
    }
    assert!(!message.contains("batch_size"), "what is equal is not named: {message}");
    let mut settings = config("");
    settings.methods[1].settings.insert("gamma".into(), 0.5.into());
    let message = race.states(&Plan::new(&settings).unwrap()).unwrap_err().to_string();
    assert!(message.contains("methods[1]") && message.contains("gamma"), "{message}");
}

#[test]
fn another_version_is_refused_wherever_it_shows() {
    let (_scratch, race) = place();
    let plan = Plan::new(&config("")).unwrap();
    race.freeze(&config("")).unwrap();
    let file = race.path().join(RACE_FILE);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace(VERSION, "0.0.1")).unwrap();
    let message = race.earlier().unwrap_err().to_string();
    assert!(message.contains("holds a race of version 0.0.1") && message.contains("another --output"), "{message}");

    fs::write(&file, text).unwrap();
    race.create_run(&plan.cells[0]).unwrap();
    write_report(&race, &plan.cells[0], &report("9.9.9", 1));
    let message = race.states(&plan).unwrap_err().to_string();
    assert!(message.contains("seq-seed1-given holds a run of version 9.9.9"), "{message}");
    assert!(race.report(&plan.cells[0]).is_err());

    write_report(&race, &plan.cells[0], &report(VERSION, 1));
    let config_file = race.run_path(&plan.cells[0]).join(CONFIG_FILE);
    let old = fs::read_to_string(&config_file).unwrap() + "\n[setting_of_another_version]\n";
    fs::write(&config_file, old).unwrap();
    let message = race.states(&plan).unwrap_err().to_string();
    assert!(message.contains("setting_of_another_version") && message.contains("another version"), "{message}");
}

#[test]
fn what_no_race_wrote_is_left_alone() {
    let (_scratch, race) = place();
    let plan = Plan::new(&config("")).unwrap();
    fs::create_dir_all(race.path()).unwrap();
    assert_eq!(race.earlier().unwrap(), None, "an empty folder will do");
    for name in [RESULTS_FILE, REPORT_FILE] {
        fs::write(race.path().join(name), "of an experiment").unwrap();
        let message = race.earlier().unwrap_err().to_string();
        assert!(message.contains(&format!("holds a {name} but no race.toml")), "{message}");
        fs::remove_file(race.path().join(name)).unwrap();
    }
    for text in ["methods = [\"seq\"]\n", "", "no toml at all"] {
        fs::write(race.path().join(RACE_FILE), text).unwrap();
        let message = race.earlier().unwrap_err().to_string();
        assert!(message.contains("was not written by a race"), "{text}: {message}");
    }
    let run = race.run_path(&plan.cells[3]);
    fs::create_dir_all(&run).unwrap();
    fs::write(run.join("log.txt"), "killed before its configuration was written").unwrap();
    assert_eq!(race.states(&plan).unwrap()[3], CellState::New);
    fs::write(run.join(CHECKPOINT_FILE), "").unwrap();
    let message = race.states(&plan).unwrap_err().to_string();
    assert!(message.contains("holds a checkpoint.thalweg but no config.toml"), "{message}");
}

#[test]
fn a_report_that_is_cut_off_is_refused() {
    let (_scratch, race) = place();
    let plan = Plan::new(&config("")).unwrap();
    race.create_run(&plan.cells[0]).unwrap();
    fs::write(race.run_path(&plan.cells[0]).join(REPORT_JSON), "{\"title\": ").unwrap();
    let message = race.states(&plan).unwrap_err().to_string();
    assert!(message.contains("report.json is no report of this program"), "{message}");
}

#[test]
fn the_record_has_every_finished_run_and_points_show_the_runs_they_share() {
    let race = config("[[sweeps]]\nmethod = \"i_lora\"\ngrid = { half_life_steps = [0, 9] }");
    let plan = Plan::new(&race).unwrap();
    assert_eq!(plan.cells.len(), 6, "half_life_steps = 0 is the default, so that point shares the runs of I-LoRA");
    let learner = LearnerReport { name: "model".into(), matrix: AccuracyMatrix::new(2), curve: Vec::new() };
    let reports: BTreeMap<usize, RunReport> = plan
        .cells
        .iter()
        .enumerate()
        .filter(|(_, cell)| cell.name != "seq-seed2-given")
        .map(|(run, cell)| (run, RunReport { learners: vec![learner.clone()], ..report(VERSION, cell.seed) }))
        .collect();
    let record = record(&race, &plan, &reports, vec!["seq-seed2-given: no memory".into()], "thalweg race r.toml");
    let entries: Vec<(&str, u64, Option<&str>)> = record
        .entries
        .iter()
        .map(|entry| {
            let value = entry.sweep.as_ref().map(|point| point.values[0].as_str());
            (entry.variant.as_str(), entry.seed, value)
        })
        .collect();
    assert_eq!(
        entries,
        [
            ("Seq", 1, None),
            ("I-LoRA", 1, None),
            ("I-LoRA", 2, None),
            ("I-LoRA half_life_steps=0", 1, Some("0")),
            ("I-LoRA half_life_steps=0", 2, Some("0")),
            ("I-LoRA half_life_steps=9", 1, Some("9")),
            ("I-LoRA half_life_steps=9", 2, Some("9")),
        ]
    );
    assert_eq!(record.variants, ["Seq", "I-LoRA"]);
    assert_eq!((record.reference.as_deref(), record.sweeps.len()), (Some("I-LoRA"), 1));
    assert_eq!((record.started_unix, record.failed.len(), record.version.as_str()), (1001, 1, VERSION));
    assert!(record.entries.iter().all(|entry| entry.order == "given" && entry.report.seed == entry.seed));
}
