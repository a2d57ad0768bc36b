//! The replay buffer's items in two dimensions: principal components of the hidden states from which the model begins each
//! answer.

use super::EngineError;
use super::evaluator::read;
use super::prepare::Prepared;
use super::protocol::buffer::BufferMap;
use crate::continual::replay::ReplayItem;
use crate::data::batch::Batch;
use crate::data::prompt::Encoded;
use crate::model::Overlay;
use crate::platform;
use burn::tensor::{Int, Tensor, TensorData};

/// Items in one pass through the model.
const ITEMS_AT_ONCE: usize = 64;
/// Directions that are iterated together; more than the two that are kept make those converge faster.
const BLOCK: usize = 6;
const ITERATIONS: usize = 40;

/// Places every item by the hidden state after the last norm at the token before its answer, under what lies over the base.
///
/// # Errors
/// When the device cannot be read.
pub async fn map_buffer(
    prepared: &Prepared,
    items: &[ReplayItem],
    overlay: &Overlay,
) -> Result<BufferMap, EngineError> {
    let llama = &prepared.model.llama;
    let pad = prepared.model.tokenizer.pad_id().unwrap_or(0);
    let mut order: Vec<&ReplayItem> = items.iter().collect();
    // Rows of one length share a batch, so that few pads are computed.
    order.sort_by_key(|item| (item.tokens.len(), item.id));
    let mut features: Vec<Vec<f32>> = Vec::with_capacity(items.len());
    for chunk in order.chunks(ITEMS_AT_ONCE) {
        let encoded: Vec<Encoded> = chunk.iter().map(|item| item.encoded()).collect();
        let batch = Batch::from_encoded(&encoded.iter().collect::<Vec<_>>(), pad, 16)?;
        let places: Vec<i32> = chunk
            .iter()
            .enumerate()
            .map(|(row, item)| i32::try_from(row * batch.seq + item.answer_start.saturating_sub(1)).unwrap_or(0))
            .collect();
        let places = Tensor::<1, Int>::from_data(TensorData::new(places, [chunk.len()]), llama.device());
        let hidden = llama.forward(&batch, overlay.pass()).last.select(0, places);
        let [rows, width] = hidden.dims();
        let values = read(hidden.reshape([rows * width])).await?;
        features.extend(values.chunks_exact(width).map(<[f32]>::to_vec));
        platform::yield_now().await;
    }
    let (places, explained) = two_components(&features);
    let points = order.iter().zip(places).map(|(item, place)| (item.id, place)).collect();
    Ok(BufferMap { step: 0, learner: String::new(), points, explained })
}

/// Coordinates along the two principal components of `[items][width]` features, and the share of the variance that each holds.
///
/// Orthogonal iteration on the centred features (Golub and Van Loan, "Matrix Computations", section 8.2.4), so that the
/// covariance matrix is never made. A component's sign is the one that makes its largest entry positive.
fn two_components(features: &[Vec<f32>]) -> (Vec<[f32; 2]>, [f64; 2]) {
    let width = features.first().map_or(0, Vec::len);
    if width == 0 {
        return (vec![[0.0; 2]; features.len()], [0.0; 2]);
    }
    let mut centre = vec![0.0_f64; width];
    for row in features {
        centre.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    for sum in &mut centre {
        *sum /= features.len() as f64;
    }
    let rows: Vec<Vec<f64>> = features
        .iter()
        .map(|row| row.iter().zip(&centre).map(|(value, mean)| f64::from(*value) - mean).collect())
        .collect();
    let total: f64 = rows.iter().flatten().map(|value| value * value).sum();
    let block = BLOCK.min(width);
    // A fixed start without structure: the same features give the same picture.
    let mut directions: Vec<Vec<f64>> = (0..block)
        .map(|k| (0..width).map(|i| (((i * 7919 + k * 104_729 + 13) % 1009) as f64 / 1009.0) - 0.5).collect())
        .collect();
    orthonormalise(&mut directions);
    let mut strengths = vec![0.0; block];
    for _ in 0..ITERATIONS {
        let mut next = vec![vec![0.0_f64; width]; block];
        for row in &rows {
            for (direction, sum) in directions.iter().zip(&mut next) {
                let along: f64 = row.iter().zip(direction).map(|(a, b)| a * b).sum();
                sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += along * value);
            }
        }
        for ((strength, next), direction) in strengths.iter_mut().zip(&next).zip(&directions) {
            *strength = next.iter().zip(direction).map(|(a, b)| a * b).sum();
        }
        directions = next;
        orthonormalise(&mut directions);
    }
    let mut order: Vec<usize> = (0..block).collect();
    order.sort_by(|a, b| strengths[*b].total_cmp(&strengths[*a]));
    let mut axes = Vec::with_capacity(2);
    for &index in order.iter().take(2) {
        let direction = &directions[index];
        let largest = direction.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(0.0);
        let sign = if largest < 0.0 { -1.0 } else { 1.0 };
        axes.push(direction.iter().map(|value| value * sign).collect::<Vec<f64>>());
    }
    let along = |row: &[f64], axis: usize| {
        axes.get(axis).map_or(0.0, |axis| row.iter().zip(axis).map(|(a, b)| a * b).sum::<f64>()) as f32
    };
    let places: Vec<[f32; 2]> = rows.iter().map(|row| [along(row, 0), along(row, 1)]).collect();
    let share = |axis: usize| {
        let held: f64 = places.iter().map(|place| f64::from(place[axis]).powi(2)).sum();
        if total > 0.0 { held / total } else { 0.0 }
    };
    let explained = [share(0), share(1)];
    (places, explained)
}

/// Modified Gram-Schmidt; a vector that is nothing beside the others becomes zero.
fn orthonormalise(vectors: &mut [Vec<f64>]) {
    for index in 0..vectors.len() {
        let (done, rest) = vectors.split_at_mut(index);
        let Some(vector) = rest.first_mut() else { return };
        let before: f64 = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
        for other in done.iter() {
            let along: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
            vector.iter_mut().zip(other).for_each(|(value, part)| *value -= along * part);
        }
        let norm: f64 = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
        let scale = if norm > 1e-12 * before && norm > 0.0 { 1.0 / norm } else { 0.0 };
        for value in vector.iter_mut() {
            *value *= scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::landscape::matrix::Matrix;

    #[test]
    fn the_components_are_those_of_the_covariance() {
        let features: Vec<Vec<f32>> = (0..200)
            .map(|row| {
                let (a, b) = ((row as f32 * 0.37).sin() * 5.0, (row as f32 * 1.91).cos() * 2.0);
                (0..9)
                    .map(|i| {
                        a * (i as f32 * 0.5).cos() + b * (i as f32).sin() + ((row * 31 + i * 17) % 23) as f32 * 0.01
                    })
                    .collect()
            })
            .collect();
        let mean = |i: usize| features.iter().map(|row| f64::from(row[i])).sum::<f64>() / 200.0;
        let covariance = Matrix::from_fn(9, 9, |i, j| {
            features.iter().map(|row| (f64::from(row[i]) - mean(i)) * (f64::from(row[j]) - mean(j))).sum()
        });
        let (values, _) = covariance.symmetric_eigen();
        let total: f64 = values.iter().sum();
        let (places, explained) = two_components(&features);
        for axis in 0..2 {
            assert!((explained[axis] - values[axis] / total).abs() < 1e-6, "{explained:?} {values:?}");
        }
        let product: f32 = places.iter().map(|place| place[0] * place[1]).sum();
        assert!(product.abs() < 1e-2, "the axes are uncorrelated: {product}");
    }

    #[test]
    fn what_has_no_spread_lies_in_one_place() {
        let (places, explained) = two_components(&vec![vec![1.5, -2.0, 0.25]; 7]);
        assert_eq!((places, explained), (vec![[0.0; 2]; 7], [0.0; 2]));
        assert_eq!(two_components(&[]).0, Vec::<[f32; 2]>::new());
    }
}
