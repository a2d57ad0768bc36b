//! The switchboard between a front end and a running experiment: pause, single step, stop, and a tray for commands that a run
//! carries out itself between two steps.

use super::protocol::{Command, Steer};
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const GO: u8 = 0;
const WAIT: u8 = 1;
const ONE_STEP: u8 = 2;
const STOP: u8 = 3;

/// Nobody follows the replay buffer, somebody does without looking at it, somebody looks.
const ALONE: u8 = 0;
const FOLLOWED: u8 = 1;
const WATCHED: u8 = 2;

/// Numbers of texts and marks that nobody wants any more, over all jobs: what waits in a queue has no [`Control`] yet.
pub type Unwanted = Arc<Mutex<BTreeSet<u64>>>;

/// Shared by the front end, which sends, and the engine, which looks between steps.
#[derive(Clone, Debug, Default)]
pub struct Control {
    state: Arc<AtomicU8>,
    /// Open while a run can look into it.
    tray: Arc<Mutex<Option<VecDeque<Command>>>>,
    buffer: Arc<AtomicU8>,
    unwanted: Unwanted,
}

/// What the engine should do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Go,
    /// Go, and wait again after that step.
    OneStep,
    Wait,
    Stop,
}

impl Control {
    /// A control of one job among others, which share what nobody wants.
    #[must_use]
    pub fn sharing(unwanted: &Unwanted) -> Self {
        Self { unwanted: unwanted.clone(), ..Self::default() }
    }

    /// Takes a command. Once stopped, a run stays stopped.
    pub fn send(&self, steer: Steer) {
        let state = match steer {
            Steer::Pause => WAIT,
            Steer::Resume => GO,
            Steer::SingleStep => ONE_STEP,
            Steer::Stop => STOP,
        };
        // A failed update means that the state was STOP already, which is final.
        let _ = self.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |old| (old != STOP).then_some(state));
    }

    /// What to do before the next step; a single step is used up by asking.
    #[must_use]
    pub fn next(&self) -> Next {
        match self.state.compare_exchange(ONE_STEP, WAIT, Ordering::SeqCst, Ordering::SeqCst) {
            Ok(_) => Next::OneStep,
            Err(GO) => Next::Go,
            Err(STOP) => Next::Stop,
            Err(_) => Next::Wait,
        }
    }

    /// From now on commands can be posted to the run.
    pub fn open_tray(&self) {
        self.tray().get_or_insert_default();
    }

    /// Lays down a command that the run carries out between two steps; gives it back when there is no run that would.
    ///
    /// # Errors
    /// The command itself, where the tray is closed.
    pub fn post(&self, command: Command) -> Result<(), Box<Command>> {
        match &mut *self.tray() {
            Some(tray) => tray.push_back(command),
            None => return Err(Box::new(command)),
        }
        Ok(())
    }

    /// The oldest command in the tray.
    pub fn take(&self) -> Option<Command> {
        self.tray().as_mut()?.pop_front()
    }

    /// What the run left in the tray. In the same moment it closes, so that nothing is laid down that nobody will find.
    pub fn close_tray(&self) -> VecDeque<Command> {
        self.tray().take().unwrap_or_default()
    }

    fn tray(&self) -> MutexGuard<'_, Option<VecDeque<Command>>> {
        self.tray.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that there is somebody who shows the replay buffer, and whether it is looked at just now.
    pub fn watch_buffer(&self, on: bool) {
        self.buffer.store(if on { WATCHED } else { FOLLOWED }, Ordering::SeqCst);
    }

    /// Does somebody look at the replay buffer?
    #[must_use]
    pub fn watches_buffer(&self) -> bool {
        self.buffer.load(Ordering::SeqCst) == WATCHED
    }

    /// Is there somebody who shows it now or later?
    #[must_use]
    pub fn follows_buffer(&self) -> bool {
        self.buffer.load(Ordering::SeqCst) != ALONE
    }

    /// Does nobody want this text or these marks any more? Looked at before each begins and at each token.
    #[must_use]
    pub fn is_unwanted(&self, id: u64) -> bool {
        self.unwanted.lock().unwrap_or_else(PoisonError::into_inner).contains(&id)
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
    fn who_shows_the_buffer_follows_it_and_who_looks_watches_it() {
        let control = Control::default();
        assert!(!control.follows_buffer() && !control.watches_buffer(), "the command line shows nothing");
        control.watch_buffer(false);
        assert!(control.follows_buffer() && !control.watches_buffer());
        control.watch_buffer(true);
        assert!(control.follows_buffer() && control.watches_buffer());
    }

    #[test]
    fn what_is_posted_is_found_or_given_back() {
        let control = Control::default();
        assert!(control.post(Command::MapBuffer).is_err(), "nobody would look into it");
        control.open_tray();
        control.post(Command::MapBuffer).unwrap();
        control.post(Command::FindDevices).unwrap();
        assert_eq!(control.take(), Some(Command::MapBuffer));
        assert_eq!(control.close_tray(), [Command::FindDevices]);
        assert_eq!(control.post(Command::MapBuffer), Err(Box::new(Command::MapBuffer)));
        assert!(control.take().is_none() && control.close_tray().is_empty());
    }

    #[test]
    fn a_single_step_is_one_step_and_stop_is_final() {
        let control = Control::default();
        assert_eq!(control.next(), Next::Go);
        control.send(Steer::Pause);
        assert_eq!(control.next(), Next::Wait);
        control.send(Steer::SingleStep);
        assert_eq!((control.next(), control.next()), (Next::OneStep, Next::Wait));
        control.send(Steer::Stop);
        control.send(Steer::Resume);
        assert_eq!(control.next(), Next::Stop);
    }
}
