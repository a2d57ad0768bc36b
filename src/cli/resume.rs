//! `resume`: goes on with a run that was stopped or killed.

use super::args::ResumeArgs;
use super::progress::Progress;
use super::run::{STOPPING, conclude};
use super::{Ending, Session, interrupt};
use crate::engine::protocol::Steer;
use crate::engine::{Control, experiment};
use crate::platform::{self, PlatformError};
use std::io;

pub(super) fn resume(args: &ResumeArgs, session: &Session) -> anyhow::Result<Ending> {
    let control = Control::default();
    interrupt::listen(&control, STOPPING);
    if args.stop_at_stdin_end {
        stop_at_stdin_end(&control)?;
    }
    let mut progress = Progress::new(args.events, session.quiet, &control);
    let outcome =
        platform::block_on(experiment::resume(&args.folder, args.device.as_deref(), &control, &mut |event| {
            progress.show(event);
        }))??;
    progress.close();
    conclude(&outcome, args.events)
}

/// A race holds the other end: it closes it to have the run stop, and the system does when the race was killed.
fn stop_at_stdin_end(control: &Control) -> Result<(), PlatformError> {
    let control = control.clone();
    platform::spawn("standard input", move || async move {
        // What comes is of no interest, and an error means the same as the end.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        control.send(Steer::Stop);
    })
}
