//! From the first frame to the first run, and what is opened or dropped.

use super::*;
use crate::engine::config::TaskConfig;
use crate::ui::action::{Export, Purpose};
use crate::ui::files::Chosen;
use egui::DroppedFile;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug)]
struct Dropped(PathBuf);

impl DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        Err("nobody should read it here".into())
    }
}

impl Bench {
    fn drop_files(&mut self, paths: &[&str]) {
        for path in paths {
            self.harness.input_mut().dropped_files.push(Arc::new(Dropped(PathBuf::from(path))));
        }
        self.look();
    }
}

#[test]
fn the_large_button_starts_both_methods_once() {
    let mut bench = Bench::ready();
    bench.sent();
    bench.click("Watch it forget");
    let sent = bench.sent();
    let [Command::Start { run: 0, experiment }] = sent.as_slice() else { panic!("{sent:?}") };
    let methods: Vec<&str> = experiment.methods.iter().map(crate::engine::config::MethodConfig::name).collect();
    assert_eq!((methods.as_slice(), experiment.output.as_str()), (["seq", "i_lora"].as_slice(), "/runs"));
    let visible = bench.app().docking.visible();
    assert!([PanelKind::Training, PanelKind::Forgetting, PanelKind::Buffer].iter().all(|kind| visible.contains(kind)));

    bench.click("Watch it forget");
    assert_eq!(bench.sent(), [], "it is being started already");
    let queued = Event::RunQueued { run: 0, method_label: "Seq".into(), experiment: experiment.clone() };
    bench.hear(queued);
    assert!(bench.harness.query_by_label("Watch it forget").is_none(), "the card goes once there is a run");
}

#[test]
fn nothing_can_be_started_before_the_engine_is_there() {
    let mut bench = Bench::new(Vec::new(), Session::default());
    assert!(bench.shows("The engine is starting"));
    bench.click("Watch it forget");
    bench.push(Action::StartDraft);
    assert_eq!(bench.sent(), []);
    bench.hear(ready());
    assert_eq!(bench.app().state().draft.config.title, "Watch it forget", "the form starts with the demonstration");
    let sent = bench.tape.sent();
    let asked = sent.iter().filter(|command| matches!(command, Command::InspectTask { .. })).count();
    let models = sent.iter().filter(|command| matches!(command, Command::InspectModel { .. })).count();
    assert_eq!((models, asked), (1, 8));
}

#[test]
fn a_form_that_cannot_run_is_refused_with_a_sentence() {
    let mut bench = Bench::ready();
    let mut draft = bench.app().state().draft.config.clone();
    draft.tasks.clear();
    bench.push(Action::Edit { what: "tasks".into(), draft: Box::new(draft) });
    bench.sent();
    bench.push(Action::StartDraft);
    assert_eq!(bench.sent(), []);
    assert!(bench.shows("The experiment cannot start: `tasks` is empty"));
}

#[test]
fn a_dropped_task_file_goes_into_the_form() {
    let mut bench = Bench::ready();
    bench.drop_files(&["/data/law.csv", "/data/chess.jsonl"]);
    let tasks = &bench.app().state().draft.config.tasks;
    assert_eq!(
        tasks[8..],
        [TaskConfig::Source("/data/law.csv".into()), TaskConfig::Source("/data/chess.jsonl".into())]
    );
    assert!(bench.app().docking.visible().contains(&PanelKind::Tasks));
    bench.drop_files(&["/data/law.csv"]);
    assert_eq!(bench.app().state().draft.config.tasks.len(), 10);
    assert!(bench.shows("is among the tasks already"));
    bench.drop_files(&["/data/notes.docx"]);
    assert!(bench.shows("nothing is known to do with a .docx file"));
}

#[test]
fn capsules_models_and_folders_are_told_apart() {
    let mut bench = Bench::ready();
    bench.files.put("/models/small", "config.json");
    bench.sent();
    bench.drop_files(&["/x/run.thalweg", "/models/small"]);
    assert_eq!(bench.sent(), [Command::OpenCapsule { run: 0, path: "/x/run.thalweg".into() }]);
    assert_eq!(bench.app().state().draft.config.model, "/models/small");
    bench.drop_files(&["/x/things"]);
    assert!(bench.shows("What is in this folder?"));
    bench.click("Runs of Thalweg");
    assert!(matches!(bench.sent().as_slice(), [Command::OpenRuns { folder, .. }] if folder == "/x/things"));
    let session = bench.app().session();
    assert_eq!(
        (session.recent_models, session.recent_runs[0].as_str()),
        (vec!["/models/small".to_string()], "/x/things")
    );
}

#[test]
fn runs_that_are_started_while_a_folder_is_read_get_numbers_of_their_own() {
    let mut bench = Bench::ready();
    bench.sent();
    bench.push(Action::Send(Box::new(Command::OpenRuns { run: 0, folder: "/r".into() })));
    bench.push(Action::StartDraft);
    let sent = bench.sent();
    let [Command::OpenRuns { run: opened, .. }, Command::Start { run: started, .. }] = sent.as_slice() else {
        panic!("{sent:?}")
    };
    assert!(started - opened >= 1000, "a folder may hold many runs: {opened} and {started}");
}

#[test]
fn text_and_capsules_are_written_where_somebody_chose() {
    let mut bench = Bench::new(sample::session(), Session::default());
    bench.files.will_save_to("/out/matrix.csv");
    let export = Export::Text { name: "matrix.csv".into(), content: "a,b".into() };
    bench.push(Action::Export(export.clone()));
    assert_eq!(bench.files.written()["/out/matrix.csv"], b"a,b");
    assert!(bench.shows("matrix.csv written to /out/matrix.csv"));

    bench.sent();
    bench.files.will_save_to("/out/a.thalweg");
    let command = Box::new(Command::SaveCapsule { run: 1, folder: "runs/i".into(), path: String::new() });
    bench.push(Action::Export(Export::Command { name: "a.thalweg".into(), command }));
    let wanted = Command::SaveCapsule { run: 1, folder: "runs/i".into(), path: "/out/a.thalweg".into() };
    assert_eq!(bench.sent(), [wanted]);

    bench.files.fill_the_disk();
    bench.files.will_save_to("/full/matrix.csv");
    bench.push(Action::Export(export));
    assert!(bench.shows("the disk is full"));
    assert_eq!(bench.app().state().runs.len(), 2, "the data stays");
}

#[test]
fn what_a_dialogue_chose_is_opened() {
    let mut bench = Bench::ready();
    bench.click("Open a model folder");
    assert_eq!(bench.files.opened(), [Purpose::ModelFolder]);
    bench.files.choose(Chosen::Opened { purpose: Purpose::ModelFolder, paths: vec!["/m/tiny".into()] });
    bench.look();
    assert_eq!(bench.app().state().draft.config.model, "/m/tiny");
    assert!(bench.app().docking.visible().contains(&PanelKind::Model));
}
