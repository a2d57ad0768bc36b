//! The replay buffer: which past examples are kept, and what happened to each of them.
//!
//! Three policies decide what stays when the buffer is full:
//!
//! - `reservoir` (Vitter 1985, algorithm R; the default of Mammoth and of CLS-ER): every example of the stream so far is
//!   kept with the same probability `capacity / n_seen`, so after `t` tasks of equal length each holds about `1/t`.
//! - `ring`: first in, first out, the last `capacity` examples. With one long task it holds that task alone. (What
//!   Mammoth calls *ring* divides the memory into one such ring for each task; `balanced` is the policy to use for that.)
//! - `balanced` (Avalanche's `ExperienceBalancedBuffer` with a reservoir inside): every task seen holds the same number
//!   of examples, give or take one, and within a task every example is kept with the same probability. A task with too
//!   few examples to fill its part leaves the rest to the others.
//!
//! Insert each example once (in the first epoch): a reservoir counts a repeat as a new example.
//!
//! Invariant: the buffer never holds more than `capacity` items and never invents one; all chance comes from the
//! generator passed in, so a seed gives one buffer.

use crate::data::prompt::Encoded;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Which examples a full [`ReplayBuffer`] keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayPolicy {
    /// All examples seen so far with equal probability.
    #[default]
    Reservoir,
    /// The latest examples.
    Ring,
    /// As many of each task; within a task with equal probability.
    Balanced,
}

/// One kept example with its history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplayItem {
    /// Its number in the stream of insertions, from 0; unique within a buffer. Set by [`ReplayBuffer::insert`].
    pub id: u64,
    /// Index of its task in the stream.
    pub task: usize,
    /// Index of the example within the task's training set.
    pub example_index: usize,
    pub prompt: String,
    pub answer: String,
    /// The encoded example, prompt and answer.
    pub tokens: Vec<u32>,
    /// Index in `tokens` of the first token of the answer.
    pub answer_start: usize,
    /// Global step after which it entered.
    pub inserted_step: u64,
    /// How often it was drawn for replay.
    pub replay_count: u64,
    /// Global step at which it was drawn last.
    pub last_replay_step: Option<u64>,
    /// Its last loss (mean over the answer's tokens, nats) under the working learner.
    pub last_loss_working: Option<f32>,
    /// Its last loss under the long-term learner.
    pub last_loss_long_term: Option<f32>,
    /// A pinned item is never replaced.
    #[serde(default)]
    pub pinned: bool,
    /// Logits that the model gave at the item's targets when it entered, `[targets * vocab_size]`, for methods that keep them
    /// (DER). They are part of a checkpoint, not of the text form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logits: Vec<f32>,
}

impl ReplayItem {
    /// As a row of a batch; what was cut off was cut when it came in.
    pub fn encoded(&self) -> Encoded {
        Encoded { tokens: self.tokens.clone(), answer_start: self.answer_start, truncated: 0, answer_truncated: 0 }
    }

    /// An example that has not been replayed yet.
    #[must_use]
    pub fn new(task: usize, example_index: usize, tokens: Vec<u32>, answer_start: usize, inserted_step: u64) -> Self {
        Self {
            id: 0,
            task,
            example_index,
            prompt: String::new(),
            answer: String::new(),
            tokens,
            answer_start,
            inserted_step,
            replay_count: 0,
            last_replay_step: None,
            last_loss_working: None,
            last_loss_long_term: None,
            pinned: false,
            logits: Vec::new(),
        }
    }

    /// The same item with the text it was encoded from, for people to read.
    #[must_use]
    pub fn with_text(mut self, prompt: impl Into<String>, answer: impl Into<String>) -> Self {
        self.prompt = prompt.into();
        self.answer = answer.into();
        self
    }
}

/// What became of an inserted example.
#[derive(Clone, Debug, PartialEq)]
pub enum Insertion {
    /// Kept, and nothing had to go.
    Added,
    /// Kept in place of this one.
    Replaced(Box<ReplayItem>),
    /// Not kept: the policy's draw, no room (capacity 0, or everything pinned), or nothing to learn from.
    Rejected,
}

/// A bounded memory of past examples. See the module's page for the policies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredBuffer")]
pub struct ReplayBuffer {
    policy: ReplayPolicy,
    capacity: usize,
    /// Examples offered so far, kept or not.
    n_seen: u64,
    /// The same for each task; the index is the task's.
    n_seen_of_task: Vec<u64>,
    items: Vec<ReplayItem>,
}

impl ReplayBuffer {
    /// An empty buffer. Capacity 0 keeps nothing.
    #[must_use]
    pub fn new(policy: ReplayPolicy, capacity: usize) -> Self {
        Self { policy, capacity, n_seen: 0, n_seen_of_task: Vec::new(), items: Vec::new() }
    }

    #[must_use]
    pub fn policy(&self) -> ReplayPolicy {
        self.policy
    }

    /// The most items it holds.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Examples offered so far, kept or not.
    #[must_use]
    pub fn n_seen(&self) -> u64 {
        self.n_seen
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// What is kept. [`Self::sample`] gives indices into this slice; an insertion may change them.
    #[must_use]
    pub fn items(&self) -> &[ReplayItem] {
        &self.items
    }

    /// Offers an example and says what became of it. Its `id` is set to its number in the stream.
    ///
    /// An item without an answer token (nothing to learn from) is rejected and not counted.
    pub fn insert(&mut self, mut item: ReplayItem, rng: &mut ChaCha8Rng) -> Insertion {
        if item.answer_start >= item.tokens.len() {
            return Insertion::Rejected;
        }
        item.id = self.n_seen;
        let task = item.task;
        let full = self.items.len() >= self.capacity;
        // the draw is made with the counts before this example
        let slot = if full { self.slot_for(task, rng) } else { None };
        self.count(task);
        match slot {
            None if full => Insertion::Rejected,
            None => {
                self.items.push(item);
                Insertion::Added
            }
            // the oldest goes and the newest stands last, so that a ring lies in order of age
            Some(slot) if self.policy == ReplayPolicy::Ring => {
                let old = self.items.remove(slot);
                self.items.push(item);
                Insertion::Replaced(Box::new(old))
            }
            Some(slot) => Insertion::Replaced(Box::new(std::mem::replace(&mut self.items[slot], item))),
        }
    }

    fn count(&mut self, task: usize) {
        self.n_seen = self.n_seen.saturating_add(1);
        if self.n_seen_of_task.len() <= task {
            self.n_seen_of_task.resize(task + 1, 0);
        }
        self.n_seen_of_task[task] = self.n_seen_of_task[task].saturating_add(1);
    }

    /// The slot that an example of `task` takes in a full buffer, by the policy's draw.
    fn slot_for(&self, task: usize, rng: &mut ChaCha8Rng) -> Option<usize> {
        match self.policy {
            ReplayPolicy::Reservoir => self.reservoir_slot(|_| true, self.n_seen, rng),
            ReplayPolicy::Ring => self.items.iter().position(|item| !item.pinned),
            ReplayPolicy::Balanced => self.balanced_slot(task, rng),
        }
    }

    /// Algorithm R among the items that `belongs` names: `r` uniform in `0..=seen`, replace the `r`-th if there is one.
    ///
    /// Pinned items stand outside the draw and outside its count.
    fn reservoir_slot(&self, belongs: impl Fn(&ReplayItem) -> bool, seen: u64, rng: &mut ChaCha8Rng) -> Option<usize> {
        let own = || self.items.iter().enumerate().filter(|(_, item)| belongs(item));
        let pinned = own().filter(|(_, item)| item.pinned).count();
        let draw = rng.random_range(0..=seen.saturating_sub(pinned as u64));
        let draw = usize::try_from(draw).ok()?;
        own().filter(|(_, item)| !item.pinned).nth(draw).map(|(slot, _)| slot)
    }

    /// Takes a slot from the largest task while that one is ahead by two or more, else draws within the own task.
    ///
    /// Within each task every example is kept with probability `held / seen` at all times. A task that gives slots away
    /// loses them at random, and it is then among the largest; since the largest count of a full buffer never grows, a task
    /// that has given or turned away anything is never again behind by two, so it only ever draws (unless somebody removed
    /// items by hand).
    fn balanced_slot(&self, task: usize, rng: &mut ChaCha8Rng) -> Option<usize> {
        let held = self.task_counts();
        let own = held.get(task).copied().unwrap_or(0);
        let open_slots =
            |other: usize| self.items.iter().enumerate().filter(move |(_, item)| item.task == other && !item.pinned);
        let donor = (0..held.len())
            .filter(|other| held[*other] >= own + 2 && open_slots(*other).next().is_some())
            .max_by_key(|other| (held[*other], std::cmp::Reverse(*other)));
        if let Some(donor) = donor {
            let draw = rng.random_range(0..open_slots(donor).count() as u64);
            return open_slots(donor).nth(usize::try_from(draw).ok()?).map(|(slot, _)| slot);
        }
        let seen = self.n_seen_of_task.get(task).copied().unwrap_or(0);
        self.reservoir_slot(|item| item.task == task, seen, rng)
    }

    /// Up to `m` different indices into [`Self::items`], uniform without replacement, in random order.
    ///
    /// With `exclude_task` no item of that task is drawn (`replay_current` off: exclude the task being learnt). Fewer
    /// than `m` come back when fewer are there.
    #[must_use]
    pub fn sample(&self, m: usize, exclude_task: Option<usize>, rng: &mut ChaCha8Rng) -> Vec<usize> {
        self.draw(m, |item| exclude_task != Some(item.task), rng)
    }

    /// As [`Self::sample`], from one task alone.
    #[must_use]
    pub fn sample_task(&self, m: usize, task: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
        self.draw(m, |item| item.task == task, rng)
    }

    fn draw(&self, m: usize, allowed: impl Fn(&ReplayItem) -> bool, rng: &mut ChaCha8Rng) -> Vec<usize> {
        let mut indices: Vec<usize> = (0..self.items.len()).filter(|&index| allowed(&self.items[index])).collect();
        let m = m.min(indices.len());
        // the first m places of a Fisher-Yates shuffle
        for place in 0..m {
            let draw = rng.random_range(place as u64..indices.len() as u64);
            indices.swap(place, usize::try_from(draw).unwrap_or(place));
        }
        indices.truncate(m);
        indices
    }

    /// Notes that these items were replayed at a global step. Indices outside the buffer are ignored.
    pub fn record_replay(&mut self, indices: &[usize], step: u64) {
        for index in indices {
            if let Some(item) = self.items.get_mut(*index) {
                item.replay_count += 1;
                item.last_replay_step = Some(step);
            }
        }
    }

    /// Notes the losses of one item. `None` leaves the earlier value; one that is not finite clears it.
    pub fn record_losses(&mut self, index: usize, working: Option<f32>, long_term: Option<f32>) {
        let Some(item) = self.items.get_mut(index) else { return };
        if let Some(loss) = working {
            item.last_loss_working = loss.is_finite().then_some(loss);
        }
        if let Some(loss) = long_term {
            item.last_loss_long_term = loss.is_finite().then_some(loss);
        }
    }

    /// Number of items of each task seen so far; the index is the task's.
    #[must_use]
    pub fn task_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.n_seen_of_task.len()];
        for item in &self.items {
            if let Some(count) = counts.get_mut(item.task) {
                *count += 1;
            }
        }
        counts
    }

    /// Share of the items that each task holds; sums to 1 unless the buffer is empty.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // counts of items
    pub fn task_shares(&self) -> Vec<f64> {
        let len = self.items.len().max(1) as f64;
        self.task_counts().into_iter().map(|count| count as f64 / len).collect()
    }

    /// Pins or frees the item with this id. `false` when there is none.
    pub fn set_pinned(&mut self, id: u64, pinned: bool) -> bool {
        self.items.iter_mut().find(|item| item.id == id).map(|item| item.pinned = pinned).is_some()
    }

    /// Takes the item with this id out; the next example offered takes the free place.
    pub fn remove(&mut self, id: u64) -> Option<ReplayItem> {
        let index = self.items.iter().position(|item| item.id == id)?;
        Some(self.items.remove(index))
    }

    /// Another rule from now on. What a smaller capacity cannot hold is dropped as the new policy would: a ring its oldest, a
    /// balanced buffer from the largest task at random, a reservoir at random. Pinned items go last.
    pub fn configure(&mut self, policy: ReplayPolicy, capacity: usize, rng: &mut ChaCha8Rng) {
        (self.policy, self.capacity) = (policy, capacity);
        while self.items.len() > capacity {
            let counts = self.task_counts();
            let free: Vec<usize> = (0..self.items.len()).filter(|&index| !self.items[index].pinned).collect();
            let open = if free.is_empty() { (0..self.items.len()).collect() } else { free };
            let slot = match policy {
                ReplayPolicy::Ring => open.into_iter().min_by_key(|&index| self.items[index].id),
                ReplayPolicy::Reservoir => pick(&open, rng),
                ReplayPolicy::Balanced => {
                    let of = |index: usize| counts.get(self.items[index].task).copied().unwrap_or(0);
                    let most = open.iter().map(|&index| of(index)).max().unwrap_or(0);
                    let largest: Vec<usize> = open.into_iter().filter(|&index| of(index) == most).collect();
                    // One task of those that are largest, so that ties do not favour tasks with more free items.
                    let task = largest.first().map(|&index| self.items[index].task);
                    let own: Vec<usize> =
                        largest.into_iter().filter(|&index| Some(self.items[index].task) == task).collect();
                    pick(&own, rng)
                }
            };
            let Some(slot) = slot else { return };
            self.items.remove(slot);
        }
        if policy == ReplayPolicy::Ring {
            self.items.sort_by_key(|item| item.id);
        }
    }

    /// Puts an example in by hand, pinned, in place of a random free item where the buffer is full. `false` when it is there
    /// already, has no answer, or everything is pinned.
    pub fn put(&mut self, mut item: ReplayItem, rng: &mut ChaCha8Rng) -> bool {
        let there = |known: &ReplayItem| (known.task, known.example_index) == (item.task, item.example_index);
        if self.items.iter().any(there) || item.answer_start >= item.tokens.len() || self.capacity == 0 {
            return false;
        }
        if self.items.len() >= self.capacity {
            let free: Vec<usize> = (0..self.items.len()).filter(|&index| !self.items[index].pinned).collect();
            let Some(slot) = pick(&free, rng) else { return false };
            self.items.remove(slot);
        }
        (item.id, item.pinned) = (self.n_seen, true);
        self.count(item.task);
        self.items.push(item);
        true
    }

    /// The buffer as text: one line of JSON with its policy and counts, then one line an item.
    #[must_use]
    pub fn to_jsonl(&self) -> String {
        let head = Header {
            policy: self.policy,
            capacity: self.capacity,
            n_seen: self.n_seen,
            n_seen_of_task: self.n_seen_of_task.clone(),
        };
        let readable = self.items.iter().map(|item| ReplayItem { logits: Vec::new(), ..item.clone() });
        let lines =
            std::iter::once(serde_json::to_string(&head)).chain(readable.map(|item| serde_json::to_string(&item)));
        let mut text = String::new();
        // plain structs of strings and numbers always serialise
        for line in lines.flatten() {
            text.push_str(&line);
            text.push('\n');
        }
        text
    }

    /// Reads what [`Self::to_jsonl`] wrote. Empty lines are skipped.
    ///
    /// # Errors
    /// When the first line is not the buffer's, a line is not an item, or the items contradict the first line.
    pub fn from_jsonl(text: &str) -> Result<Self, ReplayError> {
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let unreadable =
            |index: usize, reason: serde_json::Error| ReplayError::Line { line: index + 1, reason: reason.to_string() };
        let (index, first) = lines.next().ok_or(ReplayError::NoHeader)?;
        let head: Header = serde_json::from_str(first).map_err(|reason| unreadable(index, reason))?;
        let items = lines
            .map(|(index, line)| serde_json::from_str(line).map_err(|reason| unreadable(index, reason)))
            .collect::<Result<_, _>>()?;
        StoredBuffer {
            policy: head.policy,
            capacity: head.capacity,
            n_seen: head.n_seen,
            n_seen_of_task: head.n_seen_of_task,
            items,
        }
        .try_into()
    }
}

/// One of these, each with the same probability.
fn pick(of: &[usize], rng: &mut ChaCha8Rng) -> Option<usize> {
    (!of.is_empty()).then(|| of[rng.random_range(0..of.len())])
}

/// First line of the text form.
#[derive(Serialize, Deserialize)]
struct Header {
    policy: ReplayPolicy,
    capacity: usize,
    n_seen: u64,
    n_seen_of_task: Vec<u64>,
}

/// A buffer as it lies in a file, before it is checked.
#[derive(Deserialize)]
struct StoredBuffer {
    policy: ReplayPolicy,
    capacity: usize,
    n_seen: u64,
    n_seen_of_task: Vec<u64>,
    items: Vec<ReplayItem>,
}

/// A stored replay buffer that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    #[error("the replay buffer file is empty: its first line must give policy, capacity and counts. Use another file")]
    NoHeader,
    #[error("line {line} of the replay buffer file cannot be read: {reason}. Mend or remove that line")]
    Line { line: usize, reason: String },
    #[error(
        "the replay buffer holds {len} items, but its capacity is {capacity}. Raise `capacity` in its first line or remove items"
    )]
    TooMany { len: usize, capacity: usize },
    #[error(
        "the replay buffer's first line says that {n_seen} examples were seen, but `n_seen_of_task` adds up to {sum}. Make them agree"
    )]
    Counts { n_seen: u64, sum: u64 },
    #[error("replay item {id} stands in the buffer twice. Remove one of the two")]
    Twice { id: u64 },
    #[error("replay item {id}: {what}. Mend or remove this item")]
    Item { id: u64, what: &'static str },
}

impl TryFrom<StoredBuffer> for ReplayBuffer {
    type Error = ReplayError;

    fn try_from(stored: StoredBuffer) -> Result<Self, ReplayError> {
        let StoredBuffer { policy, capacity, n_seen, n_seen_of_task, items } = stored;
        if items.len() > capacity {
            return Err(ReplayError::TooMany { len: items.len(), capacity });
        }
        let sum = n_seen_of_task.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
        if sum != n_seen {
            return Err(ReplayError::Counts { n_seen, sum });
        }
        let mut ids = std::collections::HashSet::new();
        for item in &items {
            let id = item.id;
            if !ids.insert(id) {
                return Err(ReplayError::Twice { id });
            }
            let what = if item.task >= n_seen_of_task.len() {
                "its task is not among the tasks seen"
            } else if id >= n_seen {
                "its id is not below the number of examples seen"
            } else if item.answer_start >= item.tokens.len() {
                "`answer_start` lies behind its last token, so nothing of it can be learnt"
            } else {
                continue;
            };
            return Err(ReplayError::Item { id, what });
        }
        Ok(Self { policy, capacity, n_seen, n_seen_of_task, items })
    }
}

#[cfg(test)]
mod tests;
