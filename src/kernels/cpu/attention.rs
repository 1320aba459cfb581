//! Fused attention: no tensor of the size queries x keys is ever written.
//!
//! As in [`super::reductions`], the order of a sum depends neither on the machine nor on the rest
//! of the batch.

use std::ops::Range;

use candle_core::{CpuStorage, CustomOp3, Layout, Shape, Tensor};
use rayon::prelude::*;
use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, SimdOp};

use super::microkernel::{Prefetch, lanes, max_rows, microkernel, pack_rows};
use super::reductions::{softmax, softmax_with, tree_sum};
use crate::kernels::AttentionShape;

/// q `[batch, query, head, d_head]`, k and v `[batch, kv_head, column, d_head]`, all f32 with a
/// contiguous last axis -> z `[batch, query, head, d_head]`. The last query stands at the last
/// column.
pub(crate) fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    shape: AttentionShape,
) -> candle_core::Result<Tensor> {
    q.apply_op3_no_bwd(k, v, &FusedAttention(shape))
}

struct FusedAttention<'a>(AttentionShape<'a>);

/// A view of four axes whose last axis is contiguous.
#[derive(Clone, Copy)]
struct View<'a> {
    data: &'a [f32],
    strides: [usize; 3],
    width: usize,
}

impl<'a> View<'a> {
    fn new(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<Self> {
        match (layout.dims(), layout.stride()) {
            (&[_, _, _, width], &[a, b, c, last]) if last == 1 || width == 1 => Ok(Self {
                data: &storage.as_slice::<f32>()?[layout.start_offset()..],
                strides: [a, b, c],
                width,
            }),
            _ => candle_core::bail!("attention needs 4 axes, the last one without gaps"),
        }
    }

    fn row(&self, a: usize, b: usize, c: usize) -> &'a [f32] {
        let start = a * self.strides[0] + b * self.strides[1] + c * self.strides[2];
        &self.data[start..start + self.width]
    }
}

impl CustomOp3 for FusedAttention<'_> {
    fn name(&self) -> &'static str {
        "fused-attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (batch, queries, heads, d_head) = q_layout.shape().dims4()?;
        let (kv_heads, columns) = (k_layout.dims()[1], k_layout.dims()[2]);
        // Several query heads share one head of keys and values.
        let sharing = heads / kv_heads;
        let AttentionShape { starts, scale } = self.0;
        let q = View::new(q, q_layout)?;
        let k = View::new(k, k_layout)?;
        let v = View::new(v, v_layout)?;
        let mut z = vec![0.0f32; batch * queries * heads * d_head];

        if queries == 1 {
            let head = |(i, out): (usize, &mut [f32])| {
                let (row, head) = (i / heads, i % heads);
                OneQuery {
                    q: q.row(row, 0, head),
                    k,
                    v,
                    at: (row, head / sharing),
                    columns: starts[row]..columns,
                    scale,
                    out,
                }
                .dispatch();
            };
            // Waking another thread costs more than a few thousand multiplications.
            if batch * heads * columns * d_head < 1 << 15 {
                z.chunks_mut(d_head).enumerate().for_each(head);
            } else {
                z.par_chunks_mut(d_head).enumerate().for_each(head);
            }
        } else {
            // Heads are interleaved in z: each is computed on its own, then copied into place.
            let parts: Vec<Vec<f32>> = (0..batch * heads)
                .into_par_iter()
                .map(|i| {
                    let (row, head) = (i / heads, i % heads);
                    let head = ManyQueries {
                        q,
                        k,
                        v,
                        head,
                        at: (row, head / sharing),
                        columns: starts[row]..columns,
                        scale,
                    };
                    head.run(queries)
                })
                .collect();
            for (i, part) in parts.iter().enumerate() {
                let (row, head) = (i / heads, i % heads);
                for (query, values) in part.chunks(d_head).enumerate() {
                    let at = ((row * queries + query) * heads + head) * d_head;
                    z[at..at + d_head].copy_from_slice(values);
                }
            }
        }
        Ok((CpuStorage::F32(z), q_layout.shape().clone()))
    }
}

/// All queries of one head: a prompt's attention. Keys and values are packed like weights and go
/// through the same microkernel.
struct ManyQueries<'a> {
    q: View<'a>,
    k: View<'a>,
    v: View<'a>,
    /// The queries' head.
    head: usize,
    /// The row, and the head of keys and values.
    at: (usize, usize),
    columns: Range<usize>,
    scale: f32,
}

impl ManyQueries<'_> {
    /// `[query, d_head]`
    fn run(&self, queries: usize) -> Vec<f32> {
        let (row, kv_head) = self.at;
        let (keys, d_head) = (self.columns.len(), self.q.width);
        let width = 2 * lanes();
        let most = max_rows(lanes());
        // The keys are the columns of a matrix [d_head, keys]; the values are a matrix [keys,
        // d_head].
        let key = |key: usize| self.k.row(row, kv_head, self.columns.start + key);
        let value = |key: usize| self.v.row(row, kv_head, self.columns.start + key);
        let mut k = vec![0.0; keys.div_ceil(width) * d_head * width]; // [panel, d_head, width]
        for (panel, k) in k.chunks_mut(d_head * width).enumerate() {
            let first = panel * width;
            pack_rows((first..keys.min(first + width)).map(key), width, k);
        }
        let mut v = vec![0.0; d_head.div_ceil(width) * keys * width]; // [panel, keys, width]
        for (panel, v) in v.chunks_mut(keys * width).enumerate() {
            for (i, v) in v.chunks_mut(width).enumerate() {
                let value = &value(i)[panel * width..];
                let used = width.min(value.len());
                v[..used].copy_from_slice(&value[..used]);
            }
        }
        let mut out = vec![0.0; queries * d_head];
        let mut scores = vec![0.0; most * keys];
        let mut x = vec![0.0; most * keys.max(d_head)];
        let mut tile = vec![0.0; most * width];
        let mut first = 0;
        while first < queries {
            let height = most.min(queries - first);
            let q = &mut x[..d_head * height]; // [d_head, height]
            let rows = first..first + height;
            pack_rows(
                rows.map(|query| self.q.row(row, query, self.head)),
                height,
                q,
            );
            // The last query of the block sees the most keys; later keys are not read.
            let seen = keys - queries + first + height;
            let scores = &mut scores[..height * seen]; // [height, seen]
            let tile = &mut tile[..height * width];
            let panels = k.chunks(d_head * width).take(seen.div_ceil(width));
            for (panel, k) in panels.enumerate() {
                tile.fill(0.0);
                microkernel(height, q, k, tile, Prefetch::none(k));
                let at = panel * width;
                let used = width.min(seen - at);
                for (scores, tile) in scores.chunks_mut(seen).zip(tile.chunks(width)) {
                    for (score, sum) in scores[at..at + used].iter_mut().zip(tile) {
                        *score = sum * self.scale;
                    }
                }
            }
            for (i, scores) in scores.chunks_mut(seen).enumerate() {
                let (visible, future) = scores.split_at_mut(seen - height + i + 1);
                softmax(visible);
                future.fill(0.0);
            }
            let weights = &mut x[..seen * height]; // [seen, height]
            pack_rows(scores.chunks_exact(seen), height, weights);
            let out = &mut out[first * d_head..][..height * d_head];
            for (panel, v) in v.chunks(keys * width).enumerate() {
                tile.fill(0.0);
                microkernel(height, weights, &v[..seen * width], tile, Prefetch::none(v));
                let at = panel * width;
                let used = width.min(d_head - at);
                for (out, tile) in out.chunks_mut(d_head).zip(tile.chunks(width)) {
                    out[at..at + used].copy_from_slice(&tile[..used]);
                }
            }
            first += height;
        }
        out
    }
}

/// One query of one head over all its keys: all the attention of a decoding step.
struct OneQuery<'a> {
    q: &'a [f32], // [d_head]
    k: View<'a>,
    v: View<'a>,
    /// The row, and the head of keys and values.
    at: (usize, usize),
    columns: Range<usize>,
    scale: f32,
    out: &'a mut [f32], // [d_head]
}

/// Accumulators of a query-key product, for vectors of any width.
const ACCUMULATORS: usize = 16;
/// Dimensions of the values that are summed in parallel, so that no addition waits for the one
/// before.
const WIDE_ACCUMULATORS: usize = 4 * ACCUMULATORS;

impl SimdOp for OneQuery<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        // As many keys at a time as the registers have accumulators for.
        match isa.f32().len() {
            16 => self.run::<I, 8, 1, 4>(isa),
            8 => self.run::<I, 4, 2, 8>(isa),
            _ => self.run::<I, 4, 4, 16>(isa),
        }
    }
}

impl OneQuery<'_> {
    /// `PARTS` vectors hold [`ACCUMULATORS`] numbers, `WIDE_PARTS` hold [`WIDE_ACCUMULATORS`].
    #[inline(always)]
    fn run<I: Isa, const KEYS: usize, const PARTS: usize, const WIDE_PARTS: usize>(self, isa: I) {
        let mut weights = vec![0.0; self.columns.len()];
        self.scores::<I, KEYS, PARTS>(isa, &mut weights);
        softmax_with(isa, &mut weights);
        let Self { v, at, columns, .. } = self;
        let value = |column: usize| v.row(at.0, at.1, column);
        let mut first = 0;
        let mut wide = self.out.chunks_exact_mut(WIDE_ACCUMULATORS);
        for out in &mut wide {
            mix::<I, WIDE_PARTS>(isa, &weights, columns.clone().map(value), first, out);
            first += WIDE_ACCUMULATORS;
        }
        let mut narrow = wide.into_remainder().chunks_exact_mut(ACCUMULATORS);
        for out in &mut narrow {
            mix::<I, PARTS>(isa, &weights, columns.clone().map(value), first, out);
            first += ACCUMULATORS;
        }
        for (i, out) in narrow.into_remainder().iter_mut().enumerate() {
            let values = columns.clone().map(|column| value(column)[first + i]);
            *out = weights.iter().zip(values).map(|(w, v)| w * v).sum();
        }
    }

    /// The query's products with all keys, `KEYS` at a time, each with `PARTS` vectors of
    /// accumulators.
    #[inline(always)]
    fn scores<I: Isa, const KEYS: usize, const PARTS: usize>(&self, isa: I, scores: &mut [f32]) {
        let ops = isa.f32();
        let lanes = ops.len();
        let (row, head) = self.at;
        let (q, rest) = self.q.as_chunks::<ACCUMULATORS>();
        let mut q_rest = [0.0; ACCUMULATORS];
        q_rest[..rest.len()].copy_from_slice(rest);
        let firsts = self.columns.clone().step_by(KEYS);
        for (scores, first) in scores.chunks_mut(KEYS).zip(firsts) {
            // The last columns are computed twice rather than with a different order of sums.
            let keys: [&[f32]; KEYS] = std::array::from_fn(|i| {
                let column = first + i.min(scores.len() - 1);
                self.k.row(row, head, column)
            });
            let mut sums = [[ops.zero(); PARTS]; KEYS];
            for (i, q) in q.iter().enumerate() {
                for (sums, key) in sums.iter_mut().zip(keys) {
                    add_product::<I>(isa, q, &key[i * ACCUMULATORS..], sums);
                }
            }
            if !rest.is_empty() {
                for (sums, key) in sums.iter_mut().zip(keys) {
                    let mut key_rest = [0.0; ACCUMULATORS];
                    key_rest[..rest.len()].copy_from_slice(&key[key.len() - rest.len()..]);
                    add_product::<I>(isa, &q_rest, &key_rest, sums);
                }
            }
            for (score, sums) in scores.iter_mut().zip(sums) {
                let mut accumulators = [0.0; ACCUMULATORS];
                for (accumulators, sum) in accumulators.chunks_exact_mut(lanes).zip(sums) {
                    ops.store(sum, accumulators);
                }
                *score = tree_sum(accumulators) * self.scale;
            }
        }
    }
}

/// `sums += q * key`, element by element; `sums` are the [`ACCUMULATORS`], as vectors.
#[inline(always)]
fn add_product<I: Isa>(isa: I, q: &[f32; ACCUMULATORS], key: &[f32], sums: &mut [I::F32]) {
    let ops = isa.f32();
    let lanes = ops.len();
    let key = key[..ACCUMULATORS].chunks_exact(lanes);
    for ((sum, q), key) in sums.iter_mut().zip(q.chunks_exact(lanes)).zip(key) {
        *sum = ops.mul_add(ops.load(q), ops.load(key), *sum);
    }
}

/// Some dimensions of the weighted sum of the values: `N` vectors of them, starting at `first`.
#[inline(always)]
fn mix<'a, I: Isa, const N: usize>(
    isa: I,
    weights: &[f32],
    values: impl Iterator<Item = &'a [f32]>,
    first: usize,
    out: &mut [f32],
) {
    let ops = isa.f32();
    let mut sums = [ops.zero(); N];
    for (weight, value) in weights.iter().zip(values) {
        let weight = ops.splat(*weight);
        let value = value[first..].chunks_exact(ops.len());
        for (sum, value) in sums.iter_mut().zip(value) {
            *sum = ops.mul_add(weight, ops.load(value), *sum);
        }
    }
    for (out, sum) in out.chunks_exact_mut(ops.len()).zip(sums) {
        ops.store(sum, out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rten_simd::isa::GenericIsa;

    use super::*;

    /// Only the scores, for vectors of any width.
    struct Scores<'a>(OneQuery<'a>);

    impl SimdOp for Scores<'_> {
        type Output = Vec<f32>;

        #[inline(always)]
        fn eval<I: Isa>(self, isa: I) -> Vec<f32> {
            let mut scores = vec![0.0; self.0.columns.len()];
            match isa.f32().len() {
                16 => self.0.scores::<I, 8, 1>(isa, &mut scores),
                8 => self.0.scores::<I, 4, 2>(isa, &mut scores),
                _ => self.0.scores::<I, 4, 4>(isa, &mut scores),
            }
            scores
        }
    }

    proptest! {
        /// Vectors of four lanes and the machine's own give the same bits. Every product in this
        /// test is exact, so only the order of the sums can make a difference.
        #[test]
        fn scores_do_not_depend_on_the_vector_width(
            d_head in 1usize..80,
            keys in 1usize..20,
            numbers in proptest::collection::vec(-2000i16..2000, 21 * 80),
        ) {
            let numbers: Vec<f32> = numbers.iter().map(|n| f32::from(*n) / 64.0).collect();
            let k = View {
                data: &numbers[80..],
                strides: [0, 0, d_head],
                width: d_head,
            };
            let query = |out| OneQuery {
                q: &numbers[..d_head],
                k,
                v: k,
                at: (0, 0),
                columns: 0..keys,
                scale: 0.125,
                out,
            };
            let here = Scores(query(&mut [])).dispatch();
            let narrow = Scores(query(&mut [])).eval(GenericIsa::new());
            for (key, (here, narrow)) in here.iter().zip(narrow).enumerate() {
                prop_assert_eq!(here.to_bits(), narrow.to_bits());
                let row = k.row(0, 0, key).iter();
                let exact: f64 = row.zip(&numbers).map(|(k, q)| f64::from(k * q)).sum();
                prop_assert!((f64::from(*here) - exact / 8.0).abs() <= 1e-2, "{} {}", here, exact / 8.0);
            }
        }
    }
}
