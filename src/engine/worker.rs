//! The engine in a browser's worker: the same host, its commands and events as CBOR over the wire to the page.

use super::host::Host;
use super::protocol::{Command, Event};
use crate::platform::{self, PlatformError, ToWorker};
use serde::{Serialize, de::DeserializeOwned};
use std::path::Path;
use std::sync::Arc;

/// A command or an event as bytes (RFC 8949), which keep every number bit for bit.
#[must_use]
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Plain data always has such a form, and a vector takes every byte.
    ciborium::into_writer(value, &mut bytes).ok();
    bytes
}

/// What [`encode`] wrote.
///
/// # Errors
/// A sentence when the bytes come from another version of the program.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    ciborium::from_reader(bytes)
        .map_err(|error| format!("page and engine are of different versions ({error}): reload the page"))
}

/// Starts the engine and answers the page from now on.
///
/// # Errors
/// When the host cannot start.
pub fn start() -> Result<(), PlatformError> {
    let runs = platform::data_folder().unwrap_or_default().join("runs").display().to_string();
    let host = Host::start_telling(&runs, Arc::new(tell))?;
    platform::serve_page(move |news| match news {
        ToWorker::Storage(message) => tell(Event::Warned { message }),
        ToWorker::Letter(letter) => match decode::<Command>(&letter) {
            Ok(command) => host.send(command),
            Err(message) => tell(Event::Refused { what: "a command".into(), message }),
        },
    });
    Ok(())
}

fn tell(event: Event) {
    if let Event::Exported { path, .. } = &event
        && let Err(error) = platform::deliver(Path::new(path))
    {
        let message = format!("{path} cannot be handed over: {error}");
        platform::send_to_page(&encode(&Event::Refused { what: "the download".into(), message }));
        return;
    }
    platform::send_to_page(&encode(&event));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::catalogue::catalogue;
    use crate::engine::config::ExperimentConfig;
    use crate::engine::report::{RunReport, StepReport};

    #[test]
    fn commands_and_events_survive_the_wire() {
        let experiment = Box::new(ExperimentConfig::default());
        let command = Command::Start { run: 7, experiment };
        assert_eq!(decode::<Command>(&encode(&command)), Ok(command));
        let step = StepReport { step: 3, losses: vec![("total".into(), 0.1 + 0.2)], ..StepReport::default() };
        for event in [
            Event::Ready { catalogue: Box::new(catalogue()), runs_folder: "/thalweg/runs".into() },
            Event::Stepped { run: 1, step, steps_total: 9, eta_secs: None },
            Event::Finished { run: 0, report: Box::default() },
            Event::Finished { run: 0, report: Box::new(RunReport { seed: u64::MAX, ..RunReport::default() }) },
            Event::TaskInspected { id: u64::MAX, result: Err(Box::default()) },
        ] {
            assert_eq!(decode::<Event>(&encode(&event)), Ok(event));
        }
        assert!(decode::<Event>(b"not CBOR").unwrap_err().contains("reload the page"));
    }
}
