//! The engine in a browser's worker, as the window knows it: letters over a wire, and a new worker where one died. A run whose
//! graphics device was lost goes on in the new one by itself, and runs that waited wait there.

use super::link::EngineLink;
use crate::engine::protocol::{Command, Event};
use crate::engine::worker::{decode, encode};
use crate::platform::{FromWorker, Wire};

/// So often a run goes on by itself after its device was lost; a device that dies again and again needs somebody's eye.
const RECOVERIES: usize = 3;

/// See the file's head.
pub struct WorkerLink {
    wire: Box<dyn Wire>,
    /// The run in progress, which ends with its worker.
    run: Option<usize>,
    /// The one that began last, and its folder with its checkpoint: one that failed may have done so with its device.
    last: Option<(usize, String)>,
    /// Went on so often after its device was lost: the run's folder and the count.
    recovered: (Option<String>, usize),
    /// To be gone on with as soon as the new worker is there.
    resume: Option<Command>,
    /// Runs that wait behind it, and what queues them again.
    queued: Vec<(usize, Command)>,
    /// Resumptions that were asked for and are not queued yet: such a run is queued again by the same command.
    resuming: Vec<(usize, Command)>,
    /// The worker said that it is there. One that dies before it never will be.
    ready: bool,
    watches_buffer: bool,
}

impl WorkerLink {
    /// A link over this wire.
    #[must_use]
    pub fn new(wire: Box<dyn Wire>) -> Self {
        Self {
            wire,
            run: None,
            last: None,
            recovered: (None, 0),
            resume: None,
            queued: Vec::new(),
            resuming: Vec::new(),
            ready: false,
            watches_buffer: false,
        }
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Ready { .. } => {
                self.ready = true;
                if self.watches_buffer {
                    self.wire.send(&encode(&Command::WatchBuffer { on: true }));
                }
                let waiting = self.queued.iter().map(|(_, command)| command);
                for command in self.resume.take().iter().chain(waiting) {
                    self.wire.send(&encode(command));
                }
            }
            Event::RunQueued { run, experiment, .. } => {
                let asked = take(&mut self.resuming, *run).or(take(&mut self.queued, *run));
                let start = || Command::Start { run: *run, experiment: experiment.clone() };
                self.queued.push((*run, asked.unwrap_or_else(start)));
            }
            Event::RunStarted { run, folder, .. } => {
                take(&mut self.queued, *run);
                self.run = Some(*run);
                self.last = folder.clone().map(|folder| (*run, folder));
            }
            Event::Unqueued { run } => {
                take(&mut self.queued, *run);
            }
            Event::Finished { run, .. } | Event::Stopped { run, .. } | Event::Failed { run, .. } => {
                take(&mut self.queued, *run);
                take(&mut self.resuming, *run);
                if !matches!(event, Event::Failed { .. }) {
                    self.last = None;
                }
                if self.run == Some(*run) {
                    self.run = None;
                }
            }
            _ => {}
        }
    }

    /// The run in progress, if it may go on by itself.
    fn recovery(&mut self) -> Option<Command> {
        let (run, folder) = self.last.clone()?;
        if self.recovered.0.as_ref() != Some(&folder) {
            self.recovered = (Some(folder.clone()), 0);
        }
        self.recovered.1 += 1;
        (self.recovered.1 <= RECOVERIES).then_some(Command::ResumeRun { run, folder })
    }

    fn died(&mut self, why: &str, graphics: bool, events: &mut Vec<Event>) {
        let again = std::mem::take(&mut self.ready);
        self.resume = if again && graphics { self.recovery() } else { None };
        let message = if self.resume.is_some() {
            format!(
                "the graphics device was lost ({why}): the engine was started again with a new one, and the run goes on from its last checkpoint"
            )
        } else if again {
            format!(
                "the engine stopped by a fault of its own ({why}) and was started again; runs that wait will be trained in it. Nothing that was kept is lost: resume the run, it goes on from its last checkpoint, or choose the CPU as device"
            )
        } else {
            format!(
                "the engine cannot start in this browser ({why}): reload the page, or use a recent Chrome, Edge or Firefox"
            )
        };
        // A new worker takes the queue over; without one nobody will.
        let abandoned = if again { Vec::new() } else { std::mem::take(&mut self.queued) };
        let ended = self.run.take().into_iter().chain(abandoned.into_iter().map(|(run, _)| run));
        events.extend(ended.map(|run| Event::Failed { run, message: message.clone() }));
        events.push(Event::EngineDied { message });
        if again {
            self.wire.restart();
        }
    }
}

/// Takes what is known of a run out of a list.
fn take(list: &mut Vec<(usize, Command)>, run: usize) -> Option<Command> {
    list.iter().position(|(known, _)| *known == run).map(|place| list.remove(place).1)
}

impl EngineLink for WorkerLink {
    fn send(&mut self, command: Command) {
        match &command {
            Command::WatchBuffer { on } => self.watches_buffer = *on,
            Command::ResumeRun { run, .. } => self.resuming.push((*run, command.clone())),
            _ => {}
        }
        self.wire.send(&encode(&command));
    }

    fn receive(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        for news in self.wire.receive() {
            match news {
                FromWorker::Letter(letter) => match decode::<Event>(&letter) {
                    Ok(event) => {
                        self.note(&event);
                        events.push(event);
                    }
                    Err(message) => events.push(Event::Warned { message }),
                },
                FromWorker::Died(why) => self.died(&why, false, &mut events),
                FromWorker::GraphicsLost(why) => self.died(&why, true, &mut events),
            }
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    #[derive(Default)]
    struct Told {
        news: Vec<FromWorker>,
        commands: Vec<Command>,
        restarts: usize,
    }

    #[derive(Clone, Default)]
    struct Script(Rc<RefCell<Told>>);

    impl Wire for Script {
        fn send(&self, letter: &[u8]) {
            self.0.borrow_mut().commands.push(decode(letter).unwrap());
        }

        fn receive(&self) -> Vec<FromWorker> {
            std::mem::take(&mut self.0.borrow_mut().news)
        }

        fn restart(&self) {
            self.0.borrow_mut().restarts += 1;
        }
    }

    fn letter(event: &Event) -> FromWorker {
        FromWorker::Letter(encode(event))
    }

    fn ready() -> FromWorker {
        letter(&Event::Ready { catalogue: Box::default(), runs_folder: "/thalweg/runs".into() })
    }

    fn started(folder: Option<&str>) -> FromWorker {
        letter(&Event::RunStarted {
            run: 4,
            runs: 1,
            method_label: "Seq".into(),
            tasks: Vec::new(),
            steps_done: 0,
            steps_total: 1,
            folder: folder.map(ToString::to_string),
            report: None,
        })
    }

    #[test]
    fn a_worker_that_dies_is_told_and_another_takes_its_place() {
        let script = Script::default();
        let mut link = WorkerLink::new(Box::new(script.clone()));
        link.send(Command::WatchBuffer { on: true });
        let queued = |run| letter(&Event::RunQueued { run, method_label: "Seq".into(), experiment: Box::default() });
        script.0.borrow_mut().news =
            vec![ready(), queued(4), queued(5), queued(6), letter(&Event::Unqueued { run: 6 })];
        script.0.borrow_mut().news.extend([started(None), FromWorker::Died("out of memory".into())]);
        let told = link.receive();
        let failed = |run: usize| {
            told.iter().any(|event| matches!(event, Event::Failed { run: r, message } if *r == run && message.contains("out of memory")))
        };
        assert!(failed(4) && !failed(5) && !failed(6), "only the run in progress ends with its worker");
        assert!(matches!(told.last(), Some(Event::EngineDied { message }) if message.contains("resume the run")));
        assert_eq!(script.0.borrow().restarts, 1);

        // The new one is told who looks; one that dies before it is ready is not started for ever.
        script.0.borrow_mut().commands.clear();
        script.0.borrow_mut().news = vec![ready(), FromWorker::Died("a".into()), FromWorker::Died("b".into())];
        let told = link.receive();
        assert_eq!(told.iter().filter(|event| matches!(event, Event::EngineDied { .. })).count(), 2);
        assert!(told.iter().any(|event| matches!(event, Event::Failed { run: 5, .. })), "nobody is there to train it");
        let script = script.0.borrow();
        assert!(matches!(
            script.commands.as_slice(),
            [Command::WatchBuffer { on: true }, Command::Start { run: 5, .. }]
        ));
        assert_eq!(script.restarts, 2);
    }

    #[test]
    fn what_waited_waits_in_the_next_worker_as_it_was_asked_for() {
        let script = Script::default();
        let mut link = WorkerLink::new(Box::new(script.clone()));
        let resumed = Command::ResumeRun { run: 7, folder: "/thalweg/runs/seq".into() };
        link.send(resumed.clone());
        script.0.borrow_mut().commands.clear();
        let queued = |run| letter(&Event::RunQueued { run, method_label: "Seq".into(), experiment: Box::default() });
        script.0.borrow_mut().news = vec![ready(), started(None), queued(7), queued(8), FromWorker::Died("a".into())];
        link.receive();
        // Before the new worker has queued them it may die as well.
        script.0.borrow_mut().news =
            vec![ready(), queued(7), FromWorker::Died("b".into()), ready(), queued(7), queued(8)];
        link.receive();
        let start = Command::Start { run: 8, experiment: Box::default() };
        assert_eq!(script.0.borrow().commands, [resumed.clone(), start.clone(), start, resumed]);
    }

    #[test]
    fn a_run_whose_device_was_lost_goes_on_by_itself_but_not_for_ever() {
        let script = Script::default();
        let mut link = WorkerLink::new(Box::new(script.clone()));
        let started = started(Some("/thalweg/runs/seq"));
        for _ in 0..=RECOVERIES {
            // The engine may notice first.
            let failed = letter(&Event::Failed { run: 4, message: "the device does not answer".into() });
            let lost = FromWorker::GraphicsLost("driver".into());
            script.0.borrow_mut().news = vec![ready(), started.clone(), failed, lost];
            link.receive();
        }
        script.0.borrow_mut().news = vec![ready()];
        link.receive();
        let resumed = Command::ResumeRun { run: 4, folder: "/thalweg/runs/seq".into() };
        assert_eq!(script.0.borrow().commands, vec![resumed; RECOVERIES]);
        assert_eq!(script.0.borrow().restarts, RECOVERIES + 1);
    }

    #[test]
    fn a_letter_of_another_version_is_a_sentence() {
        let script = Script::default();
        script.0.borrow_mut().news = vec![FromWorker::Letter(b"?".to_vec())];
        let told = WorkerLink::new(Box::new(script)).receive();
        assert!(matches!(told.as_slice(), [Event::Warned { message }] if message.contains("reload")));
    }
}
