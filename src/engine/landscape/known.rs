//! What was measured before, point by point and task by task, by content: a finer path, another plane through the same
//! adapters, or one task more measures only what is new. Curves that were trained, wholly or in part, are kept as well.

use crate::engine::EngineError;
use crate::engine::curve::Bender;
use crate::engine::evaluator::read;
use crate::engine::explorer::{Explorer, Measured, Values};
use crate::engine::prepare::Prepared;
use crate::model::{Adapter, AdapterVars};
use crate::platform;
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Values that are kept; the oldest go first. About 20 MB.
const VALUES: usize = 200_000;
/// Curves that are kept with their optimisers.
const CURVES: usize = 8;

/// Stands for a content: adapters, points, tasks.
pub(super) type Digest = [u8; 32];

#[derive(Default)]
struct Inside {
    values: HashMap<Digest, Values>,
    order: VecDeque<Digest>,
    curves: VecDeque<(Digest, Bender)>,
}

/// See the file's head. Clones share what they know.
#[derive(Clone, Default)]
pub struct Known(Arc<Mutex<Inside>>);

impl std::fmt::Debug for Known {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let inside = self.inside();
        formatter.debug_struct("Known").field("values", &inside.values.len()).finish_non_exhaustive()
    }
}

impl Known {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn value(&self, key: &Digest) -> Option<Values> {
        self.inside().values.get(key).copied()
    }

    fn keep(&self, key: Digest, values: Values) {
        let mut inside = self.inside();
        if inside.values.insert(key, values).is_none() {
            inside.order.push_back(key);
        }
        while inside.order.len() > VALUES {
            if let Some(oldest) = inside.order.pop_front() {
                inside.values.remove(&oldest);
            }
        }
    }

    /// Takes out the curve of this content.
    pub(super) fn take_curve(&self, key: &Digest) -> Option<Bender> {
        let mut inside = self.inside();
        let place = inside.curves.iter().position(|(known, _)| known == key)?;
        inside.curves.remove(place).map(|(_, curve)| curve)
    }

    pub(super) fn keep_curve(&self, key: Digest, curve: Bender) {
        let mut inside = self.inside();
        inside.curves.push_back((key, curve));
        while inside.curves.len() > CURVES {
            inside.curves.pop_front();
        }
    }
}

/// Joins parts into one digest; each is told apart from the next.
pub(super) fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Digest {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Digests of the adapters' values and of what they are multiplied by.
pub(super) async fn digests(adapters: &[Adapter]) -> Result<Vec<Digest>, EngineError> {
    let mut all = Vec::with_capacity(adapters.len());
    for adapter in adapters {
        let config = adapter.layout().config();
        let mut hasher = Sha256::new();
        hasher.update(format!("{} {:?} {:?}", config.rank, config.lora_alpha, config.target_modules));
        for value in read(adapter.flat()).await? {
            hasher.update(value.to_bits().to_le_bytes());
        }
        all.push(hasher.finalize().into());
    }
    Ok(all)
}

/// What stands for a point: the adapters it is made of, each with its weight. `kind` tells the ways of making one apart.
pub(super) fn point(kind: &str, adapters: &[Digest], coefficients: &[f64]) -> Digest {
    let weighed = adapters.iter().zip(coefficients).filter(|(_, weight)| **weight != 0.0);
    let mut parts: Vec<[u8; 40]> = weighed
        .map(|(adapter, weight)| {
            let mut part = [0; 40];
            part[..32].copy_from_slice(adapter);
            part[32..].copy_from_slice(&weight.to_bits().to_le_bytes());
            part
        })
        .collect();
    parts.sort_unstable();
    digest(std::iter::once(kind.as_bytes()).chain(parts.iter().map(<[u8; 40]>::as_slice)))
}

/// What stands for the tasks' training examples, which bend a curve.
pub(super) fn training(prepared: &Prepared) -> Digest {
    let mut hasher = Sha256::new();
    for task in &prepared.tasks {
        hasher.update((task.train.len() as u64).to_le_bytes());
        for row in &task.train {
            hasher.update((row.tokens.len() as u64).to_le_bytes());
            hasher.update((row.answer_start as u64).to_le_bytes());
            row.tokens.iter().for_each(|token| hasher.update(token.to_le_bytes()));
        }
    }
    hasher.finalize().into()
}

/// Makes the factors of some of the points, by their numbers.
pub(super) type Make<'a> = &'a dyn Fn(&[usize]) -> AdapterVars;
/// Part of the points with their numbers, as they come.
pub(super) type Tell<'a> = &'a mut dyn FnMut(&[(usize, Measured)]) -> bool;

/// Measures points in their order, those first that are known wholly, for they cost nothing; of the others the tasks that are
/// not known. `make(points)` gives the factors of some of them; `tell` is given what is known by now, as pairs of a point's
/// number and its values, and says whether to go on. Returns how many points are known at the end.
pub(super) async fn survey(
    explorer: &Explorer<'_>,
    (known, prepared): (&Known, &Prepared),
    (points, make): (&[Digest], Make<'_>),
    tell: Tell<'_>,
) -> Result<usize, EngineError> {
    let tasks = explorer.contents();
    let model = [prepared.model.fingerprint.as_bytes(), prepared.model.device_name.as_bytes()];
    let key = |point: usize, task: usize| digest([model[0], model[1], &points[point], &tasks[task]]);
    let values =
        |point: usize| -> Vec<Option<Values>> { (0..tasks.len()).map(|task| known.value(&key(point, task))).collect() };
    let whole = |values: &[Values]| Measured {
        losses: values.iter().map(|value| value.0).collect(),
        scores: values.iter().map(|value| value.1).collect(),
    };
    let (mut free, mut open) = (Vec::new(), Vec::new());
    for point in 0..points.len() {
        match values(point).into_iter().collect::<Option<Vec<Values>>>() {
            Some(values) => free.push((point, whole(&values))),
            None => open.push(point),
        }
    }
    let mut done = free.len();
    if done > 0 && !tell(&free) {
        return Ok(done);
    }
    for part in open.chunks(explorer.points_at_once()) {
        let mut found: Vec<Vec<Option<Values>>> = part.iter().map(|&point| values(point)).collect();
        let missing: Vec<usize> =
            (0..tasks.len()).filter(|&task| found.iter().any(|point| point[task].is_none())).collect();
        let measured = explorer.measure_tasks(&missing, part.len(), &make(part).into()).await?;
        let Some(measured) = measured else { break };
        for (&task, values) in missing.iter().zip(&measured) {
            for ((&point, found), value) in part.iter().zip(&mut found).zip(values) {
                known.keep(key(point, task), *value);
                found[task] = Some(*value);
            }
        }
        let told: Vec<(usize, Measured)> = part
            .iter()
            .zip(found)
            .filter_map(|(&point, found)| Some((point, whole(&found.into_iter().collect::<Option<Vec<Values>>>()?))))
            .collect();
        done += told.len();
        let go_on = tell(&told);
        platform::yield_now().await;
        if !go_on {
            break;
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_what_it_is_made_of() {
        let [a, b, c] = [[1; 32], [2; 32], [3; 32]];
        assert_eq!(point("factors", &[a, b], &[0.25, 0.75]), point("factors", &[b, c, a], &[0.75, 0.0, 0.25]));
        assert_ne!(point("factors", &[a, b], &[0.25, 0.75]), point("factors", &[a, b], &[0.75, 0.25]));
        assert_ne!(point("factors", &[a, b], &[0.25, 0.75]), point("product", &[a, b], &[0.25, 0.75]));
        assert_ne!(digest([b"ab".as_slice(), b"c"]), digest([b"a".as_slice(), b"bc"]));
    }

    #[test]
    fn values_are_known_until_there_are_too_many() {
        let known = Known::default();
        let key = |index: usize| digest([index.to_le_bytes().as_slice()]);
        for index in 0..=VALUES {
            known.clone().keep(key(index), (Some(index as f64), None));
        }
        assert_eq!((known.value(&key(0)), known.value(&key(1))), (None, Some((Some(1.0), None))));
        assert_eq!(known.inside().values.len(), VALUES);
    }
}
