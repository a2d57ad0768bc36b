//! A batch as the model sees it: right-padded token rows and the positions whose next token is a target; and the
//! order in which examples are put into batches.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::error::DataError;
use super::prompt::Encoded;

/// Token rows of equal length with the places where the loss is taken.
///
/// Padding is on the right, so causal attention never lets a real token see it; pads carry no target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Number of rows.
    pub batch: usize,
    /// Padded length of a row, in tokens.
    pub seq: usize,
    /// `[batch * seq]` token ids, row after row; pads hold the pad id (any valid id).
    pub tokens: Vec<u32>,
    /// `[batch]` number of real tokens in each row.
    pub lengths: Vec<usize>,
    /// Flat positions `row * seq + t` whose *next* token is a target, ascending.
    pub target_positions: Vec<u32>,
    /// The token to be predicted at each target position.
    pub target_ids: Vec<u32>,
    /// The row of each target position.
    pub target_rows: Vec<u32>,
}

impl Batch {
    /// Pads the rows to one length, a multiple of `multiple_of` (0 counts as 1), so that few different shapes occur.
    ///
    /// The padded length may pass the model's window by less than `multiple_of`; those places hold pads only.
    ///
    /// # Errors
    /// [`DataError::Batch`] without rows, for an empty row, or above 2^32 positions.
    pub fn from_encoded(rows: &[&Encoded], pad_id: u32, multiple_of: usize) -> Result<Self, DataError> {
        let rows: Vec<(&[u32], usize)> = rows.iter().map(|row| (row.tokens.as_slice(), row.answer_start)).collect();
        let longest = rows.iter().map(|(tokens, _)| tokens.len()).max().unwrap_or(0);
        let seq = longest.next_multiple_of(multiple_of.max(1));
        check_shape(rows.len(), seq)?;
        let mut batch = Self::empty(rows.len(), seq, pad_id);
        for (index, (tokens, answer_start)) in rows.into_iter().enumerate() {
            if tokens.is_empty() {
                return Err(DataError::Batch {
                    reason: format!("row {} has no token; encode the example again", index + 1),
                });
            }
            batch.fill(index, tokens);
            // The first token of a row has no token before it that could predict it.
            for (position, &id) in tokens.iter().enumerate().skip(answer_start.max(1)) {
                batch.target(index, position - 1, id);
            }
        }
        Ok(batch)
    }

    /// The rows of both batches, current examples first and replayed ones behind, in one batch as long as the longer.
    ///
    /// # Errors
    /// [`DataError::Batch`] if either is inconsistent, or the sum is above 2^32 positions.
    pub fn concat(first: &Self, second: &Self, pad_id: u32) -> Result<Self, DataError> {
        let seq = first.seq.max(second.seq);
        check_shape(first.batch + second.batch, seq)?;
        let mut joined = Self::empty(first.batch + second.batch, seq, pad_id);
        for (part, offset) in [(first, 0), (second, first.batch)] {
            for row in 0..part.batch {
                let start = row * part.seq;
                let real = part.lengths.get(row).and_then(|&length| part.tokens.get(start..start + length));
                let Some(real) = real else {
                    return Err(DataError::Batch {
                        reason: format!("row {} is shorter than its length says", row + 1),
                    });
                };
                joined.fill(offset + row, real);
            }
            for (&position, (&id, &row)) in
                part.target_positions.iter().zip(part.target_ids.iter().zip(&part.target_rows))
            {
                let row = row as usize;
                let Some(place) = (position as usize)
                    .checked_sub(row * part.seq)
                    .filter(|&place| place < part.seq && row < part.batch)
                else {
                    return Err(DataError::Batch { reason: format!("target position {position} is not in its row") });
                };
                joined.target(offset + row, place, id);
            }
        }
        Ok(joined)
    }

    /// The rows again and again, block after block: one block for each adapter that shares a pass.
    ///
    /// # Errors
    /// [`DataError::Batch`] above 2^32 positions.
    pub fn repeat(&self, times: usize) -> Result<Self, DataError> {
        check_shape(self.batch * times, self.seq)?;
        let mut repeated = Self::empty(0, self.seq, 0);
        repeated.batch = self.batch * times;
        for block in 0..times {
            repeated.tokens.extend(&self.tokens);
            repeated.lengths.extend(&self.lengths);
            repeated.target_ids.extend(&self.target_ids);
            #[allow(clippy::cast_possible_truncation)] // check_shape bounds every position
            let (positions, rows) = ((block * self.batch * self.seq) as u32, (block * self.batch) as u32);
            repeated.target_positions.extend(self.target_positions.iter().map(|position| position + positions));
            repeated.target_rows.extend(self.target_rows.iter().map(|row| row + rows));
        }
        Ok(repeated)
    }

    /// Number of target tokens.
    #[must_use]
    pub fn targets(&self) -> usize {
        self.target_ids.len()
    }

    /// Number of real tokens, pads not counted.
    #[must_use]
    pub fn real_tokens(&self) -> usize {
        self.lengths.iter().sum()
    }

    fn empty(batch: usize, seq: usize, pad_id: u32) -> Self {
        Self {
            batch,
            seq,
            tokens: vec![pad_id; batch * seq],
            lengths: vec![0; batch],
            target_positions: Vec::new(),
            target_ids: Vec::new(),
            target_rows: Vec::new(),
        }
    }

    /// Puts the real tokens of a row in place.
    fn fill(&mut self, row: usize, tokens: &[u32]) {
        let start = row * self.seq;
        self.tokens[start..start + tokens.len()].copy_from_slice(tokens);
        self.lengths[row] = tokens.len();
    }

    /// Notes that the token after `place` in `row` is to be `id`.
    #[allow(clippy::cast_possible_truncation)] // check_shape bounds every position
    fn target(&mut self, row: usize, place: usize, id: u32) {
        self.target_positions.push((row * self.seq + place) as u32);
        self.target_ids.push(id);
        self.target_rows.push(row as u32);
    }
}

fn check_shape(batch: usize, seq: usize) -> Result<(), DataError> {
    let fits = batch.checked_mul(seq).is_some_and(|positions| u32::try_from(positions).is_ok());
    if batch > 0 && fits {
        return Ok(());
    }
    let reason = if batch == 0 {
        "it has no rows; give at least one example".to_string()
    } else {
        format!("{batch} rows of {seq} tokens are above 2^32 positions; use a smaller batch size or max_length")
    };
    Err(DataError::Batch { reason })
}

/// Divides examples of the given lengths (in tokens) into the batches of one epoch, as lists of their indices.
///
/// Examples whose lengths round up to the same multiple of `bucket` stand together, so that little is padded and few
/// shapes occur; what does not fill a batch goes to the next longer bucket. Each example comes exactly once, all batches
/// but one are full, and the batches come in random order. The same seed gives the same plan on every machine.
#[must_use]
pub fn plan_epoch(lengths: &[usize], batch_size: usize, seed: u64, bucket: usize) -> Vec<Vec<usize>> {
    let batch_size = batch_size.max(1);
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.shuffle(&mut generator);
    // Stable, so the order within a bucket stays random.
    order.sort_by_key(|&index| lengths[index].div_ceil(bucket.max(1)));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut waiting: Vec<usize> = Vec::new();
    for same in order.chunk_by(|&a, &b| lengths[a].div_ceil(bucket.max(1)) == lengths[b].div_ceil(bucket.max(1))) {
        waiting.extend(same);
        let full = waiting.len() - waiting.len() % batch_size;
        batches.extend(waiting.drain(..full).as_slice().chunks(batch_size).map(<[usize]>::to_vec));
    }
    if !waiting.is_empty() {
        batches.push(waiting);
    }
    batches.shuffle(&mut generator);
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(tokens: &[u32], answer_start: usize) -> Encoded {
        Encoded { tokens: tokens.to_vec(), answer_start, truncated: 0, answer_truncated: 0 }
    }

    #[test]
    fn rows_are_padded_and_targets_are_the_answers() {
        let (a, b) = (encoded(&[1, 5, 6, 7, 2], 3), encoded(&[8, 9], 0));
        let batch = Batch::from_encoded(&[&a, &b], 0, 4).unwrap();
        assert_eq!((batch.batch, batch.seq), (2, 8));
        assert_eq!(batch.tokens, [1, 5, 6, 7, 2, 0, 0, 0, 8, 9, 0, 0, 0, 0, 0, 0]);
        assert_eq!(batch.lengths, [5, 2]);
        // Token 7 is predicted at place 2 and 2 at place 3; of the second row only 9 has a token before it.
        assert_eq!(batch.target_positions, [2, 3, 8]);
        assert_eq!(batch.target_ids, [7, 2, 9]);
        assert_eq!(batch.target_rows, [0, 0, 1]);
        assert_eq!((batch.targets(), batch.real_tokens()), (3, 7));
    }

    #[test]
    fn joining_is_the_same_as_building_at_once() {
        let (a, b, c) = (encoded(&[1, 5, 6, 7, 2], 3), encoded(&[8, 9], 1), encoded(&[1, 2, 3, 4, 5, 6, 7, 8, 9], 4));
        for multiple in [1, 4] {
            let (first, second) = (
                Batch::from_encoded(&[&a, &b], 3, multiple).unwrap(),
                Batch::from_encoded(&[&c], 3, multiple).unwrap(),
            );
            let whole = Batch::from_encoded(&[&a, &b, &c], 3, multiple).unwrap();
            assert_eq!(Batch::concat(&first, &second, 3).unwrap(), whole);
            let turned = Batch::from_encoded(&[&c, &a, &b], 3, multiple).unwrap();
            assert_eq!(Batch::concat(&second, &first, 3).unwrap(), turned);
        }
    }

    #[test]
    fn repeating_is_joining_with_oneself() {
        let (a, b) = (encoded(&[1, 5, 6, 7, 2], 3), encoded(&[8, 9], 1));
        let batch = Batch::from_encoded(&[&a, &b], 3, 4).unwrap();
        let thrice = Batch::concat(&Batch::concat(&batch, &batch, 3).unwrap(), &batch, 3).unwrap();
        assert_eq!(batch.repeat(3).unwrap(), thrice);
        assert_eq!(batch.repeat(1).unwrap(), batch);
        assert!(batch.repeat(0).is_err());
    }

    #[test]
    fn impossible_batches_are_refused() {
        assert!(Batch::from_encoded(&[], 0, 8).is_err());
        assert!(Batch::from_encoded(&[&encoded(&[], 0)], 0, 8).is_err());
        let good = Batch::from_encoded(&[&encoded(&[1, 2], 1)], 0, 1).unwrap();
        let mut lying = good.clone();
        lying.lengths[0] = 3;
        assert!(Batch::concat(&good, &lying, 0).is_err());
        let mut lying = good.clone();
        lying.target_positions[0] = 9;
        assert!(Batch::concat(&lying, &good, 0).is_err());
    }

    #[test]
    fn an_epoch_has_every_example_once_in_full_batches() {
        let lengths: Vec<usize> = (0..203).map(|index| index * 37 % 113 + 1).collect();
        let plan = plan_epoch(&lengths, 8, 5, 16);
        let mut all: Vec<usize> = plan.concat();
        all.sort_unstable();
        assert_eq!(all, (0..203).collect::<Vec<_>>());
        assert_eq!(plan.len(), 26);
        assert_eq!(plan.iter().filter(|batch| batch.len() == 8).count(), 25);
        assert_eq!(plan, plan_epoch(&lengths, 8, 5, 16));
        assert_ne!(plan, plan_epoch(&lengths, 8, 6, 16));
        assert!(plan_epoch(&[], 8, 5, 16).is_empty());
        assert_eq!(plan_epoch(&[3, 1], 0, 5, 0).len(), 2);
    }

    #[test]
    fn bucketing_saves_padding() {
        let lengths: Vec<usize> = (0..400).map(|index| index * 37 % 113 + 1).collect();
        let padded = |bucket: usize| -> usize {
            let plan = plan_epoch(&lengths, 8, 1, bucket);
            plan.iter().map(|batch| batch.len() * batch.iter().map(|&index| lengths[index]).max().unwrap_or(0)).sum()
        };
        let real: usize = lengths.iter().sum();
        // One bucket for all is plain shuffling.
        assert!(padded(1000) * 10 > real * 15, "{} {real}", padded(1000));
        assert!(padded(16) * 10 < real * 13, "{} {real}", padded(16));
    }

    /// The plan is part of what a seed means: a change here breaks the repetition of recorded runs.
    #[test]
    fn the_plan_of_a_seed_is_fixed() {
        assert_eq!(plan_epoch(&[3, 9, 4, 10, 2, 8], 2, 42, 8), [[2, 5], [4, 0], [1, 3]]);
    }
}
