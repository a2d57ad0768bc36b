//! `resume`: goes on with a run that was stopped or killed.

use super::args::ResumeArgs;
use super::progress::Progress;
use super::run::{STOPPING, conclude};
use super::{Ending, Session, interrupt};
use crate::engine::{Control, experiment};
use crate::platform;

pub(super) fn resume(args: &ResumeArgs, session: &Session) -> anyhow::Result<Ending> {
    let control = Control::default();
    interrupt::listen(&control, STOPPING);
    let mut progress = Progress::new(args.events, session.quiet, &control);
    let outcome =
        platform::block_on(experiment::resume(&args.folder, args.device.as_deref(), &control, &mut |event| {
            progress.show(event);
        }))??;
    progress.close();
    conclude(&outcome, args.events)
}
