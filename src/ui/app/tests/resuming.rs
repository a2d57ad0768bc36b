//! Runs that are gone on with, read again, or taken out of the queue.

use super::*;
use crate::engine::config::ExperimentConfig;
use crate::engine::protocol::Steer;
use crate::ui::address;
use crate::ui::state::run::RunStatus;

fn resume(folder: &str) -> Action {
    Action::Send(Box::new(Command::ResumeRun { run: 99, folder: folder.into() }))
}

/// The recorded session, with its first run stopped and a folder of its own.
fn stopped() -> Bench {
    let mut bench = Bench::new(sample::session(), Session::default());
    bench.look();
    let run = &mut bench.harness.state_mut().state.runs[0];
    (run.status, run.folder, run.resumable) = (RunStatus::Stopped, Some("/runs/seq".into()), true);
    bench.sent();
    bench
}

#[test]
fn a_run_is_resumed_once_with_its_own_settings_and_its_curves() {
    let mut bench = stopped();
    let points = bench.app().state().runs[0].curves.learning_rate.len();
    bench.push(resume("/runs/seq"));
    bench.push(resume("/runs/seq"));
    let number = bench.app().state().runs[0].number;
    assert_eq!(bench.sent(), [Command::ResumeRun { run: number, folder: "/runs/seq".into() }], "once");
    let mut own = bench.app().state().draft.config.clone();
    own.training.learning_rate = 0.123;
    bench.hear(Event::RunQueued { run: number, method_label: "Seq".into(), experiment: Box::new(own.clone()) });
    let run = &bench.app().state().runs[0];
    assert_eq!((run.status.clone(), &run.experiment), (RunStatus::Queued, &own));
    assert!(points > 0 && run.curves.learning_rate.len() == points, "what was known stays");
    // Taken out of the queue it is what it was.
    bench.hear(Event::Unqueued { run: number });
    assert_eq!(bench.app().state().runs[0].status, RunStatus::Stopped);
}

#[test]
fn one_folder_is_one_row() {
    let mut bench = stopped();
    let (number, rows) = (bench.app().state().runs[0].number, bench.app().state().runs.len());
    bench.push(Action::Send(Box::new(Command::OpenRuns { run: number, folder: "/runs/seq".into() })));
    assert_eq!(bench.sent(), [Command::OpenRuns { run: number, folder: "/runs/seq".into() }], "that row is read again");
    let opened = |run| Event::RunOpened {
        run,
        folder: Some("/runs/seq".into()),
        experiment: Box::default(),
        report: None,
        steps: Vec::new(),
        steps_total: 0,
        buffer: None,
        adapters: Vec::new(),
        resumable: true,
    };
    bench.hear(opened(77));
    let state = bench.app().state();
    assert_eq!((state.runs.len(), state.run(number).is_some(), state.run(77).is_some()), (rows, true, false));
    // While it goes on nothing of its folder is believed.
    bench.harness.state_mut().state.runs.iter_mut().for_each(|run| run.status = RunStatus::Running);
    bench.hear(opened(78));
    assert!(bench.app().state().runs.iter().all(|run| run.status == RunStatus::Running));
}

#[test]
fn stopping_what_is_about_to_begin_leaves_the_rest_of_the_queue() {
    let mut bench = Bench::ready();
    bench.push(Action::StartDraft);
    let draft = bench.app().state().draft.config.clone();
    for run in [3, 4, 5] {
        bench.hear(Event::RunQueued { run, method_label: "Seq".into(), experiment: Box::new(draft.clone()) });
    }
    bench.sent();
    let context = bench.harness.ctx.clone();
    bench.harness.state_mut().effect(&context, super::super::commands::Effect::Stop);
    assert_eq!(bench.sent(), [Command::Unqueue { run: 3 }, Command::Steer { steer: Steer::Stop }]);
    // Whoever starts many from a panel finds them in the folder for runs, too.
    bench.push(Action::Send(Box::new(Command::Start { run: 0, experiment: Box::new(draft) })));
    let sent = bench.sent();
    let [Command::Start { experiment, .. }] = sent.as_slice() else { panic!("{sent:?}") };
    assert_eq!(experiment.output, bench.app().state().runs_folder);
}

#[test]
fn a_queue_alone_is_remembered_and_offered() {
    let mut bench = Bench::ready();
    let draft = bench.app().state().draft.config.clone();
    bench.hear(Event::RunQueued { run: 3, method_label: "Seq".into(), experiment: Box::new(draft) });
    let session = bench.app().session();
    assert_eq!((session.interrupted.as_ref(), session.waiting.len(), session.can_resume()), (None, 1, true));
    bench.request_close();
    bench.look();
    bench.click("Keep the window open");
    let starts = bench.sent().into_iter().filter(|command| matches!(command, Command::Start { .. })).count();
    assert_eq!((starts, bench.app().session.waiting.len()), (1, 0), "what was taken out of the queue is put back");
}

#[test]
fn an_engine_that_dies_leaves_no_question_open() {
    let mut bench = Bench::ready();
    let state = &mut bench.harness.state_mut().state;
    state.paths.insert(1, crate::ui::state::Exploration::default());
    state.generations.insert(2, crate::ui::state::GenerationView::default());
    bench.hear(Event::EngineDied { message: "it fell over".into() });
    let state = bench.app().state();
    assert_eq!(state.paths[&1].failed.as_deref(), Some("it fell over"));
    assert_eq!(state.generations[&2].failed.as_deref(), Some("it fell over"));
}

#[test]
fn a_link_sets_form_and_view_and_hides_no_run_that_was_interrupted() {
    let linked = |seed: u64, panel: PanelKind| {
        let config = ExperimentConfig { seed, ..sample::experiment("i_lora") };
        address::write(&config, &[panel]).unwrap()
    };
    let kept = Session { interrupted: Some("/runs/seq".into()), ..Session::default() };
    let mut bench = Bench::new(Vec::new(), kept);
    bench.harness.state_mut().follow(&linked(71, PanelKind::Log));
    bench.hear(ready());
    assert_eq!(bench.app().state.draft.config.seed, 71, "the link's, not the last session's");
    assert!(bench.shows("Resume last session"), "a link must not hide it");
    assert!(bench.app().docking.visible().contains(&PanelKind::Log));

    // Another one, in the open page: an edit like any other. What cannot be read changes nothing.
    bench.harness.state_mut().follow(&linked(72, PanelKind::Training));
    bench.look();
    assert_eq!(bench.app().state.draft.config.seed, 72);
    bench.push(Action::Undo);
    assert_eq!(bench.app().state.draft.config.seed, 71);
    bench.harness.state_mut().follow("draft=nonsense");
    bench.look();
    assert!(bench.shows("The form stays as it is"));
    assert_eq!(bench.app().state.draft.config.seed, 71);

    let mut fresh = Bench::ready();
    fresh.harness.state_mut().follow(&linked(73, PanelKind::Training));
    fresh.look();
    assert!(!fresh.shows("Watch it forget"), "nothing to resume: the card would only cover what the link shows");
}

#[test]
fn a_link_with_a_model_of_the_hub_offers_to_fetch_it_and_reads_it_when_it_has_come() {
    let model = crate::io::hub::models_folder().unwrap().join("own--tiny").display().to_string();
    let config = ExperimentConfig { model: model.clone(), ..sample::experiment("i_lora") };
    let mut bench = Bench::new(Vec::new(), Session::default());
    bench.harness.state_mut().follow(&address::write(&config, &[PanelKind::Log]).unwrap());
    bench.hear(ready());
    assert!(!bench.app().docking.visible().contains(&PanelKind::Model));
    let missing = || Event::ModelInspected { model: model.clone(), result: Err("there is no such folder".into()) };
    bench.hear(missing());
    assert!(bench.app().docking.visible().contains(&PanelKind::Model));
    let told =
        |bench: &Bench| bench.app().state.log.iter().filter(|line| line.message.contains("for own/tiny of")).count();
    assert_eq!(told(&bench), 1);
    bench.hear(missing());
    assert_eq!(told(&bench), 1, "once is enough");

    let asked = |bench: &mut Bench| {
        bench.look();
        bench.tape.take_sent().iter().filter(|command| matches!(command, Command::InspectModel { .. })).count()
    };
    asked(&mut bench);
    bench.hear(Event::DownloadFinished { id: 7, folder: "/another".into() });
    assert_eq!(asked(&mut bench), 0);
    bench.hear(Event::DownloadFinished { id: 8, folder: model.clone() });
    assert_eq!(asked(&mut bench), 1, "it can be read now");
}
