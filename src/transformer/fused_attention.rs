//! Attention on the CPU in one operation: nothing of the size queries x keys is ever written out.

use std::ops::Range;

use candle_core::{CpuStorage, CustomOp3, Layout, Shape, Tensor};
use rayon::prelude::*;
use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions};
use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, SimdOp};
use rten_tensor::{Matrix, NdTensorView};
use rten_vecmath::Softmax;

use super::vector::softmax_with;
use crate::error::Result;

/// Keys that are compared with a query together, so that no sum waits for the one before.
const TOGETHER: usize = 8;
/// Queries that are done together in a prompt: their scores stay in the cache.
const QUERY_BLOCK: usize = 64;

pub struct FusedAttention<'a> {
    /// The first column of each row that holds a key; columns before it are padding.
    starts: &'a [usize],
    scale: f32,
}

impl<'a> FusedAttention<'a> {
    pub fn new(starts: &'a [usize], d_head: usize) -> Self {
        Self {
            starts,
            scale: 1.0 / (d_head as f32).sqrt(),
        }
    }

    /// q `[batch, query, head, d_head]`, k and v `[batch, head, column, d_head]`, all f32 with a
    /// last axis without gaps -> z `[batch, query, head, d_head]`. The last query stands at the
    /// last column.
    pub fn forward(&self, q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor> {
        Ok(q.apply_op3_no_bwd(k, v, self)?)
    }
}

/// A 4-axis view whose last axis has no gaps.
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

    /// `n` rows one after the other along axis `axis`, as a matrix `[n, width]`.
    fn rows(
        &self,
        (a, b, c): (usize, usize, usize),
        axis: usize,
        n: usize,
    ) -> candle_core::Result<Matrix<'a, f32>> {
        let start = a * self.strides[0] + b * self.strides[1] + c * self.strides[2];
        NdTensorView::from_slice_with_strides(
            [n, self.width],
            &self.data[start..],
            [self.strides[axis], 1],
        )
        .map_err(candle_core::Error::wrap)
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
        let columns = k_layout.dims()[2];
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
                    at: (row, head),
                    columns: self.starts[row]..columns,
                    scale: self.scale,
                    out,
                }
                .dispatch();
            };
            // Waking another thread costs more than a few thousand products.
            if batch * heads * columns * d_head < 1 << 15 {
                z.chunks_mut(d_head).enumerate().for_each(head);
            } else {
                z.par_chunks_mut(d_head).enumerate().for_each(head);
            }
        } else {
            // Heads lie interleaved in z, so each is computed apart and then laid in its place.
            let parts: Vec<Vec<f32>> = (0..batch * heads)
                .into_par_iter()
                .map(|i| self.many_queries(q, k, v, (i / heads, i % heads), queries, columns))
                .collect::<candle_core::Result<_>>()?;
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

impl FusedAttention<'_> {
    /// All queries of one head: -> `[query, d_head]`
    fn many_queries(
        &self,
        q: View,
        k: View,
        v: View,
        (row, head): (usize, usize),
        queries: usize,
        columns: usize,
    ) -> candle_core::Result<Vec<f32>> {
        let (start, past, d_head) = (self.starts[row], columns - queries, q.width);
        let mut out = vec![0.0f32; queries * d_head];
        let mut scores = vec![0.0f32; QUERY_BLOCK.min(queries) * columns];
        let mut first = 0;
        while first < queries {
            let n = QUERY_BLOCK.min(queries - first);
            // The last query of the block sees the most keys; later keys are not touched.
            let keys = past + first + n - start;
            let q_block = q.rows((row, first, head), 1, n)?;
            let k_block = k.rows((row, head, start), 2, keys)?;
            let v_block = v.rows((row, head, start), 2, keys)?;
            let scores = &mut scores[..n * keys];
            let product = |out: &mut [f32], a, b, alpha| {
                let options = GemmOptions {
                    alpha,
                    ..Default::default()
                };
                GemmExecutor::<f32, f32, f32>::default()
                    .gemm(
                        out,
                        GemmInputA::Unpacked(a),
                        GemmInputB::Unpacked(b),
                        options,
                    )
                    .map_err(candle_core::Error::wrap)
            };
            product(scores, q_block, k_block.transposed(), self.scale)?;
            for (i, row) in scores.chunks_mut(keys).enumerate() {
                let visible = past + first + i + 1 - start;
                Softmax::new_mut(&mut row[..visible]).dispatch();
                row[visible..].fill(0.0);
            }
            let weights = NdTensorView::from_data([n, keys], &*scores);
            product(
                &mut out[first * d_head..(first + n) * d_head],
                weights,
                v_block,
                1.0,
            )?;
            first += n;
        }
        Ok(out)
    }
}

/// One query of one head over all its keys: the whole of a decoding step's attention.
struct OneQuery<'a> {
    q: &'a [f32], // [d_head]
    k: View<'a>,
    v: View<'a>,
    /// Row and head.
    at: (usize, usize),
    columns: Range<usize>,
    scale: f32,
    out: &'a mut [f32], // [d_head]
}

impl SimdOp for OneQuery<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let ops = isa.f32();
        let lanes = ops.len();
        let (row, head) = self.at;
        // A width that is not a whole number of vectors ends in lanes that are masked to zero.
        let whole = self.q.len() / lanes * lanes;
        let mut scores = vec![0.0; self.columns.len()];
        for (scores, first) in scores
            .chunks_mut(TOGETHER)
            .zip(self.columns.clone().step_by(TOGETHER))
        {
            // The last columns are computed more than once rather than in another way.
            let rows: [&[f32]; TOGETHER] = std::array::from_fn(|i| {
                let column = first + i.min(scores.len() - 1);
                self.k.row(row, head, column)
            });
            let mut sums = [ops.zero(); TOGETHER];
            for at in (0..whole).step_by(lanes) {
                let q = ops.load(&self.q[at..]);
                for (sum, k) in sums.iter_mut().zip(rows) {
                    *sum = ops.mul_add(q, ops.load(&k[at..]), *sum);
                }
            }
            if whole < self.q.len() {
                let (q, _) = ops.load_pad(&self.q[whole..]);
                for (sum, k) in sums.iter_mut().zip(rows) {
                    let (k, _) = ops.load_pad(&k[whole..]);
                    *sum = ops.mul_add(q, k, *sum);
                }
            }
            for (score, sum) in scores.iter_mut().zip(sums) {
                *score = ops.sum(sum) * self.scale;
            }
        }
        softmax_with(isa, &mut scores);
        for first in (0..whole).step_by(lanes) {
            let mut sum = ops.zero();
            for (weight, column) in scores.iter().zip(self.columns.clone()) {
                let v = &self.v.row(row, head, column)[first..];
                sum = ops.mul_add(ops.splat(*weight), ops.load(v), sum);
            }
            ops.store(sum, &mut self.out[first..first + lanes]);
        }
        for (i, out) in self.out.iter_mut().enumerate().skip(whole) {
            *out = scores
                .iter()
                .zip(self.columns.clone())
                .map(|(weight, column)| weight * self.v.row(row, head, column)[i])
                .sum();
        }
    }
}
