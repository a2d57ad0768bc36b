//! Orders of the tasks, and which seed is run in which order.

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::fmt;

/// In which order the tasks of the experiment are learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskOrder {
    /// As written.
    Given,
    Reversed,
    /// A permutation drawn from the seed: the same one for all variants.
    Random,
}

/// Which seed goes with which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Design {
    /// Every seed with every order.
    #[default]
    Crossed,
    /// The seed at place `i` takes the order at place `i` modulo their number: no two runs of a variant share a seed.
    Alternating,
}

impl Design {
    /// Seeds with the orders they are run in.
    #[must_use]
    pub fn blocks(self, seeds: &[u64], orders: &[TaskOrder]) -> Vec<(u64, TaskOrder)> {
        match self {
            Self::Crossed => seeds.iter().flat_map(|seed| orders.iter().map(move |order| (*seed, *order))).collect(),
            Self::Alternating => seeds.iter().copied().zip(orders.iter().copied().cycle()).collect(),
        }
    }
}

impl TaskOrder {
    /// The name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Reversed => "reversed",
            Self::Random => "random",
        }
    }

    /// The tasks in this order.
    #[must_use]
    pub fn arrange<T: Clone>(self, tasks: &[T], seed: u64) -> Vec<T> {
        let mut tasks = tasks.to_vec();
        match self {
            Self::Given => {}
            Self::Reversed => tasks.reverse(),
            // Not the generator of the run, which must draw the same in every order.
            Self::Random => tasks.shuffle(&mut ChaCha8Rng::seed_from_u64(seed)),
        }
        tasks
    }
}

impl fmt::Display for TaskOrder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TaskOrder::{Given, Random, Reversed};

    #[test]
    fn crossed_pairs_all_and_alternating_takes_turns() {
        let seeds = [5, 6, 7];
        assert_eq!(
            Design::Crossed.blocks(&seeds, &[Given, Reversed]),
            [(5, Given), (5, Reversed), (6, Given), (6, Reversed), (7, Given), (7, Reversed)]
        );
        assert_eq!(Design::Alternating.blocks(&seeds, &[Given, Reversed]), [(5, Given), (6, Reversed), (7, Given)]);
    }

    #[test]
    fn an_order_is_a_permutation_and_a_seed_repeats_it() {
        let tasks: Vec<usize> = (0..8).collect();
        assert_eq!(Given.arrange(&tasks, 1), tasks);
        assert_eq!(Reversed.arrange(&tasks, 1), [7, 6, 5, 4, 3, 2, 1, 0]);
        let drawn: Vec<Vec<usize>> = (0..50).map(|seed| Random.arrange(&tasks, seed)).collect();
        for (seed, order) in drawn.iter().enumerate() {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, tasks, "seed {seed} loses or doubles a task");
            assert_eq!(*order, Random.arrange(&tasks, seed as u64), "seed {seed} does not repeat");
        }
        // 50 draws of 40,320 permutations: two alike has a chance of 3 %, and these seeds have none
        let distinct: std::collections::BTreeSet<&Vec<usize>> = drawn.iter().collect();
        assert_eq!(distinct.len(), 50);
        // each task comes first 50 / 8 times on average; 0 or 20 times would be a broken shuffle
        for task in 0..8 {
            let first = drawn.iter().filter(|order| order[0] == task).count();
            assert!((1..20).contains(&first), "task {task} comes first {first} times of 50");
        }
    }
}
