//! The replay buffer as the window knows it, with what happened to each item while somebody watched.

use crate::continual::replay::ReplayPolicy;
use crate::engine::protocol::buffer::{BufferChange, BufferItem, BufferMap, BufferPreview};
use std::collections::BTreeMap;

/// Most readings that are kept of one item.
const HISTORY: usize = 256;

/// One reading of an item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ItemReading {
    pub step: u64,
    pub replay_count: u64,
    pub loss_working: Option<f32>,
    pub loss_long_term: Option<f32>,
}

/// The buffer of one run.
#[derive(Clone, Debug, Default)]
pub struct BufferView {
    pub step: u64,
    pub policy: ReplayPolicy,
    pub capacity: usize,
    pub n_seen: u64,
    /// By id, so in the order in which they entered.
    pub items: BTreeMap<u64, BufferItem>,
    /// Losses and replays of each item, in ascending order of steps.
    pub history: BTreeMap<u64, Vec<ItemReading>>,
    /// `(step, [tasks] items)`: how many items each task held.
    pub shares: Vec<(u64, Vec<usize>)>,
    pub map: Option<BufferMap>,
    pub preview: Option<BufferPreview>,
    /// Counts every change, so that what is computed from the items can be kept until it does.
    pub generation: u64,
}

impl BufferView {
    /// Takes in what changed.
    pub fn apply(&mut self, change: BufferChange) {
        if change.whole {
            self.items.clear();
        }
        self.generation += 1;
        (self.step, self.policy, self.capacity, self.n_seen) =
            (change.step, change.policy, change.capacity, change.n_seen);
        for id in change.removed {
            self.items.remove(&id);
            self.history.remove(&id);
        }
        for item in change.added {
            self.items.insert(item.id, item);
        }
        for (id, state) in change.changed {
            let Some(item) = self.items.get_mut(&id) else { continue };
            let replayed = state.replay_count != item.state.replay_count;
            item.state = state;
            if replayed {
                let readings = self.history.entry(id).or_default();
                if readings.len() >= HISTORY {
                    readings.remove(0);
                }
                readings.push(ItemReading {
                    step: state.last_replay_step.unwrap_or(change.step),
                    replay_count: state.replay_count,
                    loss_working: state.loss_working,
                    loss_long_term: state.loss_long_term,
                });
            }
        }
        let mut counts: Vec<usize> = Vec::new();
        for item in self.items.values() {
            if counts.len() <= item.task {
                counts.resize(item.task + 1, 0);
            }
            counts[item.task] += 1;
        }
        if self.shares.last().is_none_or(|(_, before)| *before != counts) {
            self.shares.push((change.step, counts));
        }
    }
}
