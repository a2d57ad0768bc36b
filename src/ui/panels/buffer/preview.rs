//! What another policy or capacity would keep, and which of the present items would go.

use crate::continual::replay::ReplayPolicy;
use crate::engine::protocol::buffer::BufferPreview;
use crate::ui::state::buffer::BufferView;
use std::collections::HashSet;

/// The preview that was asked for, once it is there.
#[derive(Debug, Default)]
pub struct Kept {
    /// What was asked, of which run; `None` while nothing is to be shown.
    asked: Option<(usize, ReplayPolicy, usize)>,
    shown: Option<BufferPreview>,
    ids: HashSet<u64>,
    /// The newest item when the preview came: what entered later is neither kept nor dropped by it.
    newest: Option<u64>,
    /// Step of the buffer when it came.
    pub step: u64,
    version: u64,
}

impl Kept {
    /// Waits for this preview.
    pub fn ask(&mut self, run: usize, policy: ReplayPolicy, capacity: usize) {
        self.clear();
        self.asked = Some((run, policy, capacity));
    }

    /// Shows none.
    pub fn clear(&mut self) {
        if self.asked.take().is_some() || self.shown.is_some() {
            self.version += 1;
        }
        self.shown = None;
        self.ids.clear();
    }

    /// Takes in what the engine answered, if it is what was asked.
    pub fn refresh(&mut self, run: usize, buffer: &BufferView) {
        let Some((asked_run, policy, capacity)) = self.asked else { return };
        if asked_run != run {
            self.clear();
            return;
        }
        let Some(preview) = buffer.preview.as_ref() else { return };
        if (preview.policy, preview.capacity) != (policy, capacity) || self.shown.as_ref() == Some(preview) {
            return;
        }
        self.ids = preview.kept.iter().copied().collect();
        self.newest = buffer.items.last_key_value().map(|(id, _)| *id);
        self.step = buffer.step;
        self.shown = Some(preview.clone());
        self.version += 1;
    }

    /// Changes whenever another preview is shown.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether an answer is still to come.
    pub fn is_waiting(&self) -> bool {
        self.asked.is_some() && self.shown.is_none()
    }

    /// What is shown.
    pub fn shown(&self) -> Option<&BufferPreview> {
        self.shown.as_ref()
    }

    /// Whether an item would go.
    pub fn goes(&self, id: u64) -> bool {
        self.shown.is_some() && self.newest.is_some_and(|newest| id <= newest) && !self.ids.contains(&id)
    }

    /// `[tasks] (now, then)`: items of each task, and how many of them would stay.
    pub fn counts(&self, buffer: &BufferView) -> Vec<(usize, usize)> {
        let mut counts: Vec<(usize, usize)> = Vec::new();
        for item in buffer.items.values() {
            if counts.len() <= item.task {
                counts.resize(item.task + 1, (0, 0));
            }
            if let Some((now, then)) = counts.get_mut(item.task) {
                *now += 1;
                *then += usize::from(!self.goes(item.id));
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::protocol::buffer::BufferChange;
    use crate::ui::sample;

    fn view() -> BufferView {
        let mut view = BufferView::default();
        view.apply(sample::buffer(80, 600));
        view.preview = Some(BufferPreview { policy: ReplayPolicy::Ring, capacity: 20, kept: (60..80).collect() });
        view
    }

    #[test]
    fn only_what_was_asked_is_shown_and_what_came_later_stays() {
        let mut view = view();
        let mut kept = Kept::default();
        kept.refresh(1, &view);
        assert!(kept.shown().is_none(), "nobody asked");
        kept.ask(1, ReplayPolicy::Ring, 30);
        kept.refresh(1, &view);
        assert!(kept.is_waiting(), "an older answer is not the one");
        kept.ask(1, ReplayPolicy::Ring, 20);
        kept.refresh(1, &view);
        assert_eq!([0, 59, 60, 79].map(|id| kept.goes(id)), [true, true, false, false]);
        assert_eq!(kept.counts(&view), [(10, 0), (10, 0), (10, 0), (10, 0), (10, 0), (10, 0), (10, 10), (10, 10)]);
        view.apply(BufferChange { step: 601, added: vec![sample::buffer_item(99)], ..BufferChange::default() });
        kept.refresh(1, &view);
        assert!(!kept.goes(99), "the preview did not know it");
        let before = kept.version();
        kept.clear();
        assert!(!kept.goes(0) && kept.version() > before);
    }

    #[test]
    fn another_run_shows_none() {
        let view = view();
        let mut kept = Kept::default();
        kept.ask(1, ReplayPolicy::Ring, 20);
        kept.refresh(1, &view);
        kept.refresh(2, &view);
        assert!(kept.shown().is_none() && !kept.is_waiting());
    }
}
