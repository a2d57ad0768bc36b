//! Closing the window in the middle of a run, and going on at the next start.

use super::*;
use crate::engine::protocol::Steer;

fn stop() -> Command {
    Command::Steer { steer: Steer::Stop }
}

#[test]
fn an_idle_window_closes_at_once() {
    let mut bench = Bench::ready();
    assert!(!bench.request_close().contains(&ViewportCommand::CancelClose));
    assert!(!bench.app().closing());
}

#[test]
fn a_window_with_a_run_stops_it_and_closes_when_it_stopped() {
    let mut bench = Bench::running();
    assert!(bench.request_close().contains(&ViewportCommand::CancelClose));
    assert!(bench.app().closing());
    assert_eq!(bench.sent(), [Command::Unqueue { run: 1 }, stop()]);
    bench.look();
    assert!(bench.shows("Saving a checkpoint"));
    assert!(bench.request_close().contains(&ViewportCommand::CancelClose), "impatience does not help");
    assert_eq!(bench.sent(), [], "it is stopped once");

    bench.tape.push(Event::Unqueued { run: 1 });
    bench.tape.push(Event::Stopped { run: 0, step: 41 });
    bench.harness.step();
    assert!(bench.commands().contains(&ViewportCommand::Close));
    assert!(!bench.request_close().contains(&ViewportCommand::CancelClose), "now it goes");

    let session = bench.app().session();
    assert_eq!(session.interrupted.as_deref(), Some("runs/seq-seed1"));
    assert_eq!(session.waiting.len(), 1);
}

#[test]
fn the_next_start_goes_on_with_it() {
    let waiting = vec![sample::experiment("i_lora").to_toml().unwrap()];
    let session = Session { interrupted: Some("runs/seq-seed1".into()), waiting, ..Session::default() };
    let mut bench = Bench::new(vec![ready()], session);
    bench.sent();
    bench.click("Resume last session");
    let sent = bench.sent();
    let [Command::ResumeRun { run: 0, folder }, Command::Start { run: 1, experiment }] = sent.as_slice() else {
        panic!("{sent:?}")
    };
    assert_eq!((folder.as_str(), experiment.methods[0].name()), ("runs/seq-seed1", "i_lora"));
    for event in sample::run_events(0, "seq") {
        bench.tape.push(event);
    }
    bench.look();
    let session = bench.app().session();
    assert_eq!((session.interrupted, session.waiting.len()), (None, 0), "it is complete");
}

#[test]
fn it_closes_after_a_while_whatever_happens() {
    let mut bench = Bench::running();
    bench.request_close();
    bench.clock.set(bench.clock.get() + 14.0);
    bench.harness.step();
    assert!(!bench.commands().contains(&ViewportCommand::Close));
    bench.clock.set(bench.clock.get() + 2.0);
    bench.harness.step();
    assert!(bench.commands().contains(&ViewportCommand::Close));
}

#[test]
fn somebody_may_think_better_of_it_or_hurry() {
    let mut bench = Bench::running();
    bench.request_close();
    bench.look();
    bench.click("Keep the window open");
    assert!(!bench.app().closing());
    bench.request_close();
    bench.look();
    bench.harness.get_by_label("Close now").click();
    bench.harness.run_steps(1);
    let closes = (0..3).any(|_| {
        let closes = bench.commands().contains(&ViewportCommand::Close);
        bench.harness.step();
        closes
    });
    assert!(closes || bench.app().closing == super::super::closing::Closing::Go);
    assert!(!bench.request_close().contains(&ViewportCommand::CancelClose));
}

#[test]
fn a_program_that_ends_without_a_word_still_knows_its_run() {
    let bench = Bench::running();
    assert_eq!(bench.app().session().interrupted.as_deref(), Some("runs/seq-seed1"));
}

#[test]
fn the_last_moment_stops_the_run_and_waits_for_it() {
    let mut bench = Bench::running();
    bench.tape.push(Event::Stopped { run: 0, step: 41 });
    let app = bench.harness.state_mut();
    eframe::App::on_exit(app);
    assert_eq!(app.state().active, None);
    assert!(bench.sent().contains(&stop()));
}

fn path_command() -> Command {
    let path = crate::engine::protocol::PathCommand {
        anchors: Vec::new(),
        shape: "line".into(),
        points: 9,
        beyond: 0.0,
        bends: 0,
        steps: 0,
        learning_rate: 0.01,
        examples: 1,
        scores: false,
    };
    Command::MeasurePath { id: 1_000_000, path: Box::new(path), experiment: Box::default() }
}

/// Closed in the middle of a measurement: it is stopped, what came is remembered, and the next start shows it.
#[test]
fn a_window_that_measures_keeps_what_was_measured() {
    use crate::engine::landscape_report::{PathPoint, PathReport};
    let mut bench = Bench::ready();
    bench.push(Action::Send(Box::new(path_command())));
    let points = vec![PathPoint { t: 0.0, losses: vec![Some(1.5), None], ..PathPoint::default() }; 3];
    let part = PathReport { kind: "line".into(), points, planned: 9, ..PathReport::default() };
    bench.hear(Event::PathMeasured { id: 1_000_000, report: Box::new(part.clone()), done: false });
    bench.sent();
    assert!(bench.request_close().contains(&ViewportCommand::CancelClose));
    assert_eq!(bench.sent(), [Command::StopMeasuring { id: 1_000_000 }]);
    bench.look();
    assert!(bench.shows("Keeping what was measured"));
    bench.tape.push(Event::PathMeasured { id: 1_000_000, report: Box::new(part.clone()), done: true });
    bench.harness.step();
    assert!(bench.commands().contains(&ViewportCommand::Close));

    let (session, complaint) = Session::from_json(&bench.app().session().to_json());
    assert_eq!(complaint, None);
    let again = Bench::new(vec![ready()], session);
    let view = &again.app().state().paths[&1_000_000];
    assert_eq!((view.report.as_ref(), view.earlier, view.done), (Some(&part), true, true));
    assert_eq!(view.asked.as_deref(), Some(&path_command()));
    assert!(again.app().state().measuring().is_empty());
    // and the start after that one
    assert_eq!(again.app().session().paths.len(), 1);
}

/// An engine that dies takes the adapters of what was measured with it, and its answers to what was asked.
#[test]
fn what_a_dead_engine_measured_can_be_looked_at() {
    let mut bench = Bench::ready();
    bench.push(Action::Send(Box::new(path_command())));
    let mark = Command::Mark {
        id: 3_000_001,
        source: crate::engine::protocol::AdapterSource::OnPath { path: 1_000_000, t: 0.5 },
        examples: Vec::new(),
        experiment: Box::default(),
    };
    bench.push(Action::Send(Box::new(mark)));
    bench.hear(Event::PathMeasured { id: 1_000_000, report: Box::default(), done: true });
    bench.hear(Event::EngineDied { message: "a fault".into() });
    let state = bench.app().state();
    assert!(state.paths[&1_000_000].earlier && state.paths[&1_000_000].failed.is_none());
    assert_eq!(state.marks_failed.get(&3_000_001).map(String::as_str), Some("a fault"));
}
