//! What stands between the window and an engine: commands go one way, events the other, and neither side waits.

use crate::engine::protocol::{Command, Event};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// An engine as the window knows it: a thread, a browser's worker, or something recorded.
pub trait EngineLink {
    /// Hands a command over; returns at once.
    fn send(&mut self, command: Command);

    /// Everything that was told since the last call, in order; returns at once.
    fn receive(&mut self) -> Vec<Event>;
}

/// Events that were recorded, told in portions, and the commands that came in meanwhile. Clones share one tape, so that
/// whoever gave one to a window can go on reading and writing it.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    tape: Rc<RefCell<Tape>>,
}

#[derive(Debug, Default)]
struct Tape {
    events: VecDeque<Event>,
    /// Most events in one portion; 0 tells all at once.
    portion: usize,
    sent: Vec<Command>,
}

impl Recorded {
    /// Tells these events, at most `portion` at a time (0: all at once).
    #[must_use]
    pub fn new(events: impl IntoIterator<Item = Event>, portion: usize) -> Self {
        let tape = Tape { events: events.into_iter().collect(), portion, sent: Vec::new() };
        Self { tape: Rc::new(RefCell::new(tape)) }
    }

    /// Adds an event to the end of the tape.
    pub fn push(&self, event: Event) {
        self.tape.borrow_mut().events.push_back(event);
    }

    /// The commands that were sent so far, in order.
    #[must_use]
    pub fn sent(&self) -> Vec<Command> {
        self.tape.borrow().sent.clone()
    }

    /// Takes the commands that were sent out, so that the next look shows only what came after.
    pub fn take_sent(&self) -> Vec<Command> {
        std::mem::take(&mut self.tape.borrow_mut().sent)
    }

    /// Was everything told?
    #[must_use]
    pub fn is_played(&self) -> bool {
        self.tape.borrow().events.is_empty()
    }
}

impl EngineLink for Recorded {
    fn send(&mut self, command: Command) {
        self.tape.borrow_mut().sent.push(command);
    }

    fn receive(&mut self) -> Vec<Event> {
        let mut tape = self.tape.borrow_mut();
        let count = if tape.portion == 0 { tape.events.len() } else { tape.portion.min(tape.events.len()) };
        tape.events.drain(..count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tape_is_told_in_portions_and_keeps_what_it_hears() {
        let events = (0..5).map(|run| Event::Paused { run, step: 0 });
        let tape = Recorded::new(events, 2);
        let mut link: Box<dyn EngineLink> = Box::new(tape.clone());
        assert_eq!(link.receive(), [Event::Paused { run: 0, step: 0 }, Event::Paused { run: 1, step: 0 }]);
        assert_eq!(link.receive().len(), 2);
        assert!(!tape.is_played());
        tape.push(Event::Resumed { run: 9 });
        assert_eq!(link.receive(), [Event::Paused { run: 4, step: 0 }, Event::Resumed { run: 9 }]);
        assert!(tape.is_played() && link.receive().is_empty());
        link.send(Command::FindDevices);
        assert_eq!(tape.sent(), [Command::FindDevices]);
        assert_eq!((tape.take_sent().len(), tape.sent().len()), (1, 0));
    }
}
