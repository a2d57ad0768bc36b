//! What the window does about what the engine tells.

use super::*;
use crate::ui::state::run::RunStatus;

#[test]
fn a_dead_engine_is_told_and_nothing_is_lost() {
    let mut bench = Bench::running();
    bench.hear(Event::EngineDied { message: "The device was lost; a new engine was started".into() });
    assert!(bench.shows("The device was lost"));
    bench.clock.set(500.0);
    bench.look();
    assert!(bench.shows("The device was lost"), "an error stays until somebody closed it");
    let state = bench.app().state();
    assert_eq!(state.runs.len(), 2);
    assert!(matches!(state.runs[0].status, RunStatus::Failed(_)));
    assert!(!state.runs[0].curves.losses.is_empty(), "its curves are there");
    assert_eq!(bench.app().session().interrupted.as_deref(), Some("runs/seq-seed1"));
    bench.click("Close message");
    assert!(!bench.shows("The device was lost"));
}

#[test]
fn after_a_fault_the_engine_is_asked_again() {
    let mut bench = Bench::ready();
    let asked = |bench: &Bench| {
        let sent = bench.tape.take_sent();
        let count = |f: fn(&Command) -> bool| sent.iter().filter(|command| f(command)).count();
        (
            count(|command| matches!(command, Command::InspectModel { .. })),
            count(|command| matches!(command, Command::WatchBuffer { on: true })),
        )
    };
    assert_eq!(asked(&bench), (1, 1));
    bench.hear(Event::EngineDied { message: "it fell over".into() });
    bench.hear(ready());
    assert_eq!(asked(&bench), (2, 2), "once by the fault and once by the new engine");
}

#[test]
fn the_engine_hears_whether_somebody_looks_at_the_buffer() {
    let mut bench = Bench::ready();
    assert!(bench.tape.take_sent().contains(&Command::WatchBuffer { on: true }));
    bench.push(Action::Show(PanelKind::Generate));
    assert!(bench.tape.take_sent().contains(&Command::WatchBuffer { on: false }));
}

#[test]
fn deleting_asks_first() {
    let mut bench = Bench::new(sample::session(), Session::default());
    bench.sent();
    bench.push(Action::Delete(0));
    assert!(bench.shows("Delete this run?") && bench.shows("runs/seq-seed1"));
    bench.click("Keep it");
    assert_eq!(bench.sent(), []);
    assert!(!bench.shows("Delete this run?"));
    bench.push(Action::Delete(0));
    bench.click("Delete run");
    assert_eq!(bench.sent(), [Command::DeleteRun { run: 0, folder: "runs/seq-seed1".into() }]);
    assert_eq!(bench.app().state().runs.len(), 2, "it stays until the engine has deleted it");
    bench.hear(Event::RunDeleted { run: 0 });
    assert_eq!(bench.app().state().runs.len(), 1);
}

#[test]
fn a_run_in_progress_is_not_deleted() {
    let mut bench = Bench::running();
    bench.push(Action::Delete(0));
    assert!(bench.shows("stop it first") && bench.harness.query_by_label("Delete run").is_none());
    bench.click("Keep it");
    bench.push(Action::Delete(1));
    bench.click("Delete run");
    assert_eq!(bench.sent(), [Command::Unqueue { run: 1 }]);
}

#[test]
fn the_bars_say_what_goes_on() {
    let bench = Bench::running();
    for text in ["CPU (2 threads)", "training: ", "embedded", "25.0 steps/s", "18,000 tokens/s"] {
        assert!(bench.shows(text), "{text}");
    }
    assert!(bench.harness.query_by_label("Pause").is_some());
    assert!(bench.harness.query_by_label("CPU").is_some(), "the badge");
}

#[test]
fn what_is_asked_for_can_fail_before_its_first_answer() {
    let mut bench = Bench::ready();
    let path = crate::engine::protocol::PathCommand {
        anchors: Vec::new(),
        shape: "line".into(),
        points: 2,
        beyond: 0.0,
        bends: 0,
        steps: 0,
        learning_rate: 0.01,
        examples: 1,
        scores: false,
    };
    bench.push(Action::Send(Box::new(Command::MeasurePath {
        id: 5,
        path: Box::new(path),
        experiment: Box::default(),
    })));
    bench.hear(Event::ExplorationFailed { id: 5, message: "an adapter is gone".into() });
    assert_eq!(bench.app().state().paths[&5].failed.as_deref(), Some("an adapter is gone"));
}

#[test]
fn the_session_comes_back() {
    let mut bench = Bench::ready();
    bench.click("Light theme");
    bench.push(Action::Show(PanelKind::Log));
    let mut draft = bench.app().state().draft.config.clone();
    draft.seed = 4242;
    bench.push(Action::Edit { what: "seed".into(), draft: Box::new(draft) });
    let text = bench.app().session().to_json();

    let (session, complaint) = Session::from_json(&text);
    assert_eq!(complaint, None);
    let again = Bench::new(vec![ready()], session);
    assert!(!again.app().session().theme.dark);
    assert!(again.app().docking.visible().contains(&PanelKind::Log));
    assert_eq!(again.app().state().draft.config.seed, 4242);
    assert_eq!(again.app().state().draft.undoable(), None);
}

#[test]
fn a_damaged_draft_gives_the_demonstration_and_a_sentence() {
    let session = Session { draft: Some("seed = \"many".into()), ..Session::default() };
    let bench = Bench::new(vec![ready()], session);
    assert_eq!(bench.app().state().draft.config.title, "Watch it forget");
    assert!(bench.shows("The form starts with the demonstration"));
}

#[test]
fn an_idle_window_rests() {
    let mut bench = Bench::new(sample::session(), Session::default());
    bench.clock.set(100.0);
    bench.look();
    bench.clock.set(200.0);
    bench.look();
    assert_eq!(bench.app().next_look_secs(), None);
    bench.hear(Event::Logged { level: crate::engine::protocol::Level::Warning, message: "look".into() });
    assert!(bench.app().next_look_secs().is_some(), "a toast has to go some time");
}
