//! The replay buffer as a front end sees it: all of it once, then what changed.

use crate::continual::replay::{ReplayBuffer, ReplayItem, ReplayPolicy};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Changes of a buffer of at most so many items are told whether or not somebody looks, so that losses have a history when
/// somebody does. Finding what changed takes 0.05 ms for so many items, four times a second (`what_following_costs` below).
pub const ALWAYS_TOLD: usize = 1_000;

/// One kept example.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BufferItem {
    /// Its number in the stream of insertions; unique within a run.
    pub id: u64,
    pub task: usize,
    /// Index within the task's training set.
    pub example_index: usize,
    pub prompt: String,
    pub answer: String,
    pub tokens: usize,
    pub inserted_step: u64,
    #[serde(flatten)]
    pub state: ItemState,
}

/// What changes about a kept example.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ItemState {
    pub replay_count: u64,
    pub last_replay_step: Option<u64>,
    /// Last loss under the fast learner, in nats.
    pub loss_working: Option<f32>,
    /// Last loss under the slow learner, in nats.
    pub loss_long_term: Option<f32>,
    pub pinned: bool,
}

impl From<&ReplayItem> for ItemState {
    fn from(item: &ReplayItem) -> Self {
        Self {
            replay_count: item.replay_count,
            last_replay_step: item.last_replay_step,
            loss_working: item.last_loss_working,
            loss_long_term: item.last_loss_long_term,
            pinned: item.pinned,
        }
    }
}

impl From<&ReplayItem> for BufferItem {
    fn from(item: &ReplayItem) -> Self {
        Self {
            id: item.id,
            task: item.task,
            example_index: item.example_index,
            prompt: item.prompt.clone(),
            answer: item.answer.clone(),
            tokens: item.tokens.len(),
            inserted_step: item.inserted_step,
            state: item.into(),
        }
    }
}

/// What changed since the last time it was told; the first time everything is `added`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BufferChange {
    pub step: u64,
    pub policy: ReplayPolicy,
    pub capacity: usize,
    /// Examples offered so far.
    pub n_seen: u64,
    /// Forget what was known before: `added` is the whole buffer.
    pub whole: bool,
    pub added: Vec<BufferItem>,
    pub removed: Vec<u64>,
    pub changed: Vec<(u64, ItemState)>,
}

/// What somebody does to the buffer by hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "edit")]
pub enum BufferEdit {
    Pin {
        id: u64,
        pinned: bool,
    },
    Drop {
        id: u64,
    },
    /// Puts a training example of a task in, pinned so that it is not at once replaced.
    Add {
        task: usize,
        example_index: usize,
    },
    /// Another rule from now on. A smaller capacity drops items as the new policy would.
    Configure {
        policy: ReplayPolicy,
        capacity: usize,
    },
}

/// What another policy or capacity would keep of the present items.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BufferPreview {
    pub policy: ReplayPolicy,
    pub capacity: usize,
    pub kept: Vec<u64>,
}

/// Items in two dimensions: principal components of the model's last hidden state at the answer's first token.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BufferMap {
    pub step: u64,
    /// Whose hidden states: `base`, `working`, `long_term` or `model`.
    pub learner: String,
    pub points: Vec<(u64, [f32; 2])>,
    /// Share of the variance that each axis holds.
    pub explained: [f64; 2],
}

/// Remembers what was told of a buffer, and tells the difference.
#[derive(Debug, Default)]
pub struct BufferWatch {
    told: HashMap<u64, ItemState>,
    begun: bool,
}

impl BufferWatch {
    /// What changed since the last call; `None` when nothing did.
    pub fn difference(&mut self, buffer: &ReplayBuffer, step: u64) -> Option<BufferChange> {
        let mut change = BufferChange {
            step,
            policy: buffer.policy(),
            capacity: buffer.capacity(),
            n_seen: buffer.n_seen(),
            whole: !self.begun,
            ..BufferChange::default()
        };
        let mut now = HashMap::with_capacity(buffer.len());
        for item in buffer.items() {
            let state = ItemState::from(item);
            match self.told.remove(&item.id) {
                None => change.added.push(item.into()),
                Some(before) if before != state => change.changed.push((item.id, state)),
                Some(_) => {}
            }
            now.insert(item.id, state);
        }
        change.removed = self.told.drain().map(|(id, _)| id).collect();
        change.removed.sort_unstable();
        self.told = now;
        self.begun = true;
        let something =
            change.whole || !change.added.is_empty() || !change.removed.is_empty() || !change.changed.is_empty();
        something.then_some(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    /// `cargo test --release --lib -- --ignored --nocapture what_following_costs`
    #[test]
    #[ignore = "a measurement"]
    fn what_following_costs() {
        for capacity in [500, ALWAYS_TOLD, 10_000, 100_000] {
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let mut buffer = ReplayBuffer::new(ReplayPolicy::Reservoir, capacity);
            for index in 0..capacity {
                let item = ReplayItem::new(0, index, vec![1; 60], 50, 1).with_text("p".repeat(200), "a".repeat(20));
                buffer.insert(item, &mut rng);
            }
            let mut watch = BufferWatch::default();
            let first = watch.difference(&buffer, 1).unwrap();
            let start = crate::platform::now_secs();
            let rounds = 20;
            for round in 0..rounds {
                // Ten steps with a batch of 8 lie between two looks.
                buffer.record_replay(&(0..80).map(|index| index * 5).collect::<Vec<_>>(), 2 + round);
                assert_eq!(watch.difference(&buffer, 2 + round).unwrap().changed.len(), 80);
            }
            let millis = (crate::platform::now_secs() - start) * 1e3 / rounds as f64;
            let bytes = serde_json::to_vec(&first).unwrap().len();
            println!("{capacity} items: {millis:.3} ms for a look, {} KiB once", bytes >> 10);
        }
    }

    #[test]
    fn the_differences_add_up_to_the_buffer() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut buffer = ReplayBuffer::new(ReplayPolicy::Ring, 3);
        let mut watch = BufferWatch::default();
        let mut known: HashMap<u64, ItemState> = HashMap::new();
        for step in 1..=6_u64 {
            buffer.insert(ReplayItem::new(0, step as usize, vec![1, 2, 3], 1, step), &mut rng);
            buffer.record_replay(&[0], step);
            let change = watch.difference(&buffer, step).unwrap();
            assert_eq!(change.whole, step == 1);
            for id in &change.removed {
                assert!(known.remove(id).is_some(), "{id} was not known");
            }
            known.extend(change.changed.iter().copied());
            known.extend(change.added.iter().map(|item| (item.id, item.state)));
            let truth: HashMap<u64, ItemState> = buffer.items().iter().map(|item| (item.id, item.into())).collect();
            assert_eq!(known, truth, "step {step}");
        }
        assert_eq!(watch.difference(&buffer, 7), None);
    }
}
