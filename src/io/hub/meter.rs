//! How far a download is and how fast it goes.

use super::HubError;
use super::listing::Wanted;
use crate::platform::now_secs;
use std::collections::{BTreeMap, VecDeque};

/// The speed is that of the last so many seconds.
const WINDOW_SECS: f64 = 5.0;

/// How far a download is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Name of the file in progress.
    pub file: String,
    /// Over all files.
    pub done_bytes: u64,
    /// Over all files; `None` while the size of one of them is not known.
    pub total_bytes: Option<u64>,
    pub bytes_per_sec: f64,
    pub eta_secs: Option<f64>,
}

/// Counts, and tells whoever wants to know; their `false` cancels.
pub(super) struct Meter<'a> {
    report: &'a mut dyn FnMut(Progress) -> bool,
    every_secs: f64,
    file: String,
    /// Bytes that are there, and the size where known, by file.
    files: BTreeMap<String, (u64, Option<u64>)>,
    /// All files are in the list.
    complete_list: bool,
    /// Moments, and bytes received in them.
    received: VecDeque<(f64, u64)>,
    told_secs: f64,
}

impl<'a> Meter<'a> {
    pub fn new(every_secs: f64, report: &'a mut dyn FnMut(Progress) -> bool) -> Self {
        Self {
            report,
            every_secs,
            file: String::new(),
            files: BTreeMap::new(),
            complete_list: false,
            received: VecDeque::new(),
            told_secs: f64::NEG_INFINITY,
        }
    }

    /// Counts these files as well.
    pub fn expect<'b>(&mut self, wanted: impl IntoIterator<Item = &'b Wanted>) {
        for wanted in wanted {
            self.files.entry(wanted.name.clone()).or_default().1 = wanted.bytes;
        }
    }

    /// Says whether all files are expected by now.
    pub fn set_list_complete(&mut self, complete: bool) {
        self.complete_list = complete;
    }

    /// A file that is not there after all.
    pub fn forget(&mut self, name: &str) {
        self.files.remove(name);
    }

    /// Turns to a file.
    pub fn start(&mut self, name: &str) -> Result<(), HubError> {
        name.clone_into(&mut self.file);
        self.tell()
    }

    /// So many bytes of the present file are there, of so many; `received` of them have just come.
    pub fn count(&mut self, done: u64, total: Option<u64>, received: u64) -> Result<(), HubError> {
        let entry = self.files.entry(self.file.clone()).or_default();
        *entry = (done, total.or(entry.1));
        if received > 0 {
            let now = now_secs();
            match self.received.back_mut() {
                // ten places a second are enough for a speed
                Some((moment, bytes)) if now - *moment < 0.1 => *bytes += received,
                _ => self.received.push_back((now, received)),
            }
        }
        self.tick()
    }

    /// Tells if it is time to, and says whether to go on.
    pub fn tick(&mut self) -> Result<(), HubError> {
        if now_secs() - self.told_secs < self.every_secs { Ok(()) } else { self.tell() }
    }

    /// Tells now.
    pub fn tell(&mut self) -> Result<(), HubError> {
        self.told_secs = now_secs();
        let progress = self.progress(self.told_secs);
        if (self.report)(progress) { Ok(()) } else { Err(HubError::Cancelled) }
    }

    fn progress(&mut self, now: f64) -> Progress {
        while self.received.front().is_some_and(|(moment, _)| now - moment > WINDOW_SECS) {
            self.received.pop_front();
        }
        let bytes: u64 = self.received.iter().map(|(_, bytes)| bytes).sum();
        let since = self.received.front().map_or(0.0, |(moment, _)| now - moment);
        let bytes_per_sec = if since > 0.2 { bytes as f64 / since } else { 0.0 };
        let done_bytes: u64 = self.files.values().map(|(done, _)| done).sum();
        let sizes: Option<u64> = self.files.values().map(|(_, total)| *total).sum();
        let total_bytes = sizes.filter(|total| self.complete_list && *total >= done_bytes);
        let eta_secs =
            total_bytes.filter(|_| bytes_per_sec > 0.0).map(|total| (total - done_bytes) as f64 / bytes_per_sec);
        Progress { file: self.file.clone(), done_bytes, total_bytes, bytes_per_sec, eta_secs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_over_all_files_and_knows_the_total_only_when_all_sizes_are() {
        let mut told = Vec::new();
        let mut report = |progress: Progress| {
            told.push(progress);
            true
        };
        let mut meter = Meter::new(0.0, &mut report);
        let sized = Wanted { bytes: Some(10), ..Wanted::named("a") };
        meter.expect([&sized, &Wanted::named("b")]);
        meter.start("a").unwrap();
        meter.count(10, None, 10).unwrap();
        meter.set_list_complete(true);
        meter.start("b").unwrap();
        meter.count(5, Some(30), 5).unwrap();
        let seen: Vec<_> = told.iter().map(|seen| (seen.file.as_str(), seen.done_bytes, seen.total_bytes)).collect();
        assert_eq!(seen, [("a", 0, None), ("a", 10, None), ("b", 10, None), ("b", 15, Some(40))]);
    }

    #[test]
    fn speed_and_remaining_time_follow_from_what_came() {
        let mut report = |_: Progress| true;
        let mut meter = Meter::new(0.0, &mut report);
        meter.expect([&Wanted { bytes: Some(1_000), ..Wanted::named("a") }]);
        meter.set_list_complete(true);
        meter.files.insert("a".into(), (600, Some(1_000)));
        meter.received = VecDeque::from([(1.0, 5_000), (10.0, 200), (12.0, 200)]);
        let progress = meter.progress(14.0);
        assert_eq!((progress.bytes_per_sec, progress.eta_secs), (100.0, Some(4.0)), "the first second is too long ago");
    }

    #[test]
    fn a_no_cancels() {
        let mut report = |_: Progress| false;
        assert_eq!(Meter::new(0.0, &mut report).start("a"), Err(HubError::Cancelled));
    }
}
