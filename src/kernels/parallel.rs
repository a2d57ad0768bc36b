//! Work on rows spread over the threads of the CPU, each compiled for the widest vectors the machine has.

use rayon::prelude::*;

/// Below this many floats a call stays on one thread: waking another costs more than it saves.
const SERIAL_BELOW: usize = 16 * 1024;

/// How the `gemm` crate may use the pool.
pub fn gemm_parallelism() -> gemm::Parallelism {
    if rayon::current_num_threads() > 1 { gemm::Parallelism::Rayon(0) } else { gemm::Parallelism::None }
}

/// Calls `work(first_row, rows)` for blocks of whole rows of `out`, in parallel when there is enough to do.
///
/// The closure runs inside `pulp`'s dispatch, so its loops are vectorised with AVX2 or AVX-512 where the CPU has it although
/// the program is compiled for any x86-64.
pub fn rows<F>(out: &mut [f32], row: usize, work: F)
where
    F: Fn(usize, &mut [f32]) + Sync,
{
    if row == 0 || out.is_empty() {
        return;
    }
    let count = out.len() / row;
    let threads = rayon::current_num_threads();
    let arch = pulp::Arch::new();
    if out.len() < SERIAL_BELOW || threads < 2 {
        arch.dispatch(|| work(0, out));
        return;
    }
    let block = count.div_ceil(threads * 4).max(1);
    out.par_chunks_mut(block * row).enumerate().for_each(|(index, chunk)| arch.dispatch(|| work(index * block, chunk)));
}

/// As [`rows`] with three outputs of the same row length (an optimiser step).
pub fn rows3<F>(a: &mut [f32], b: &mut [f32], c: &mut [f32], work: F)
where
    F: Fn(usize, &mut [f32], &mut [f32], &mut [f32]) + Sync,
{
    let arch = pulp::Arch::new();
    if a.len() < SERIAL_BELOW || rayon::current_num_threads() < 2 {
        arch.dispatch(|| work(0, a, b, c));
        return;
    }
    let block = a.len().div_ceil(rayon::current_num_threads() * 4).max(1);
    a.par_chunks_mut(block)
        .zip(b.par_chunks_mut(block))
        .zip(c.par_chunks_mut(block))
        .enumerate()
        .for_each(|(index, ((a, b), c))| arch.dispatch(|| work(index * block, a, b, c)));
}

/// Lanes of a partial sum: enough independent accumulators to fill two AVX-512 registers.
const LANES: usize = 32;

/// `sum(a * b)`, in a fixed order that does not depend on the machine.
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    for (x, y) in a_blocks.iter().zip(b_blocks) {
        for lane in 0..LANES {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    lanes.iter().sum::<f32>() + rest
}

/// `sum(a)`, in a fixed order.
#[inline(always)]
pub fn sum(a: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (blocks, rest) = a.as_chunks::<LANES>();
    for x in blocks {
        for lane in 0..LANES {
            lanes[lane] += x[lane];
        }
    }
    lanes.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

/// Largest value; `-inf` for an empty slice.
#[inline(always)]
pub fn max(a: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (blocks, rest) = a.as_chunks::<LANES>();
    for x in blocks {
        for lane in 0..LANES {
            lanes[lane] = if x[lane] > lanes[lane] { x[lane] } else { lanes[lane] };
        }
    }
    lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max)
}

/// `exp(x)` to about 1e-7 relative, in a form the compiler turns into vector instructions (the system's `expf` is a call).
///
/// Range reduction by `round(x / ln 2)`, then a degree-6 polynomial (Cephes' coefficients).
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.3, 88.3);
    let n = (x * std::f32::consts::LOG2_E + 12_582_912.0) - 12_582_912.0; // adding 1.5 * 2^23 rounds to an integer
    let r = x - n * 0.693_359_4;
    let r = r + n * 2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_2e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_6e-1;
    p = p * r + 5.000_000_3e-1;
    let value = p * r * r + r + 1.0;
    #[allow(clippy::cast_possible_truncation)] // n lies in [-126, 128]
    let scale = ((n as i32 + 127) << 23).cast_unsigned();
    value * f32::from_bits(scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_to_the_real_one_everywhere() {
        let mut x = -87.0_f32;
        while x < 88.0 {
            let (got, want) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((got / want - 1.0).abs() < 3e-7, "exp({x}) = {got}, should be {want}");
            x += 0.0137;
        }
        assert!(exp(-1e9) < 1e-37 && exp(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn rows_visits_every_row_once() {
        let mut out = vec![0.0; 7 * 9001];
        rows(&mut out, 7, |first, chunk| {
            for (i, row) in chunk.chunks_mut(7).enumerate() {
                for v in row {
                    *v += (first + i) as f32;
                }
            }
        });
        for (i, row) in out.chunks(7).enumerate() {
            assert!(row.iter().all(|v| *v == i as f32), "row {i}");
        }
    }
}
