//! The switchboard between a front end and a running experiment: pause, single step, stop.

use super::protocol::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const GO: u8 = 0;
const WAIT: u8 = 1;
const ONE_STEP: u8 = 2;
const STOP: u8 = 3;

/// Shared by the front end, which sends, and the engine, which looks between steps.
#[derive(Clone, Debug, Default)]
pub struct Control {
    state: Arc<AtomicU8>,
}

/// What the engine should do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Go,
    Wait,
    Stop,
}

impl Control {
    /// Takes a command. Once stopped, a run stays stopped.
    pub fn send(&self, command: Command) {
        let state = match command {
            Command::Pause => WAIT,
            Command::Resume => GO,
            Command::SingleStep => ONE_STEP,
            Command::Stop => STOP,
        };
        // A failed update means that the state was STOP already, which is final.
        let _ = self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |old| (old != STOP).then_some(state));
    }

    /// What to do before the next step; a single step is used up by asking.
    #[must_use]
    pub fn next(&self) -> Next {
        match self.state.compare_exchange(ONE_STEP, WAIT, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) | Err(GO) => Next::Go,
            Err(STOP) => Next::Stop,
            Err(_) => Next::Wait,
        }
    }

    /// Was a stop asked for?
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.state.load(Ordering::SeqCst) == STOP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_step_is_one_step_and_stop_is_final() {
        let control = Control::default();
        assert_eq!(control.next(), Next::Go);
        control.send(Command::Pause);
        assert_eq!(control.next(), Next::Wait);
        control.send(Command::SingleStep);
        assert_eq!((control.next(), control.next()), (Next::Go, Next::Wait));
        control.send(Command::Stop);
        control.send(Command::Resume);
        assert_eq!(control.next(), Next::Stop);
    }
}
