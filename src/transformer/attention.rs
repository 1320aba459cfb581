//! Causal self-attention, with its hook points.
//!
//! When nobody looks at queries, scores or patterns, the CPU runs a fused operation
//! ([`super::fused_attention`]); otherwise, and on other devices, every step is a tensor in the
//! shape that its hook point documents. Both ways agree to float tolerance.

use candle_core::{D, DType, Tensor};

use super::config::Config;
use super::fused_attention::FusedAttention;
use super::hook_name::{HookName, Site};
use super::linear::Linear;
use super::pass::{KvUse, Pass};
use crate::error::Result;
use crate::profile::Part;

pub struct Attention {
    layer: usize,
    n_heads: usize,
    d_head: usize,
    /// Queries, keys and values in one map: `[d_model, 3 * d_model]`.
    qkv: Linear,
    /// W_O and b_O: `[d_model, d_model]`, its rows grouped by head.
    output: Linear,
}

/// The sites that only the unfused way computes.
const INNER: [Site; 5] = [Site::Q, Site::K, Site::V, Site::AttnScores, Site::Pattern];

impl Attention {
    pub fn new(config: &Config, layer: usize, qkv: Linear, output: Linear) -> Self {
        Self {
            layer,
            n_heads: config.n_heads,
            d_head: config.d_head,
            qkv,
            output,
        }
    }

    /// x `[batch, pos, d_model]`, normalized -> `residual` + the attention's output, and that
    /// output alone if a hook wanted it.
    pub fn forward_add(&self, x: &Tensor, residual: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let z = self.mix(x, pass)?; // [batch, pos, head, d_head]
        let z = pass.at(self.name(Site::Z), z)?;
        let time = pass.clock(Part::Linear);
        let attn_out = self.name(Site::AttnOut);
        let result = self.name(Site::Result);
        if !pass.wants(attn_out) && !pass.wants(result) {
            return self.output.forward_add(&z.flatten_from(2)?, residual);
        }
        let out = if pass.wants(result) {
            let per_head = pass.at(result, self.per_head(&z)?)?; // [batch, pos, head, d_model]
            let bias = self.output.forward(&z.flatten_from(2)?.zeros_like()?)?;
            (per_head.sum(2)? + bias)?
        } else {
            self.output.forward(&z.flatten_from(2)?)?
        };
        drop(time);
        let out = pass.at(attn_out, out)?;
        Ok((residual + out)?)
    }

    /// The part of every head in the output, without the bias.
    ///
    /// z `[batch, pos, head, d_head]` -> `[batch, pos, head, d_model]`. The packed W_O can't be cut
    /// into heads, so each head goes through it with the others at zero: `n_heads` times the work,
    /// done only for who asks.
    pub fn per_head(&self, z: &Tensor) -> Result<Tensor> {
        let (batch, pos, heads, d_head) = z.dims4()?;
        let only = Tensor::eye(heads, z.dtype(), z.device())?; // [head, head]
        let alone = z
            .unsqueeze(2)? // [batch, pos, 1, head, d_head]
            .broadcast_mul(&only.reshape((1, 1, heads, heads, 1))?)?
            .reshape((batch, pos, heads, heads * d_head))?;
        self.output.forward_without_bias(&alone)
    }

    /// Queries, keys, values and their mixture z `[batch, pos, head, d_head]`.
    fn mix(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let (batch, pos, _) = x.dims3()?;
        let time = pass.clock(Part::Linear);
        let qkv = self
            .qkv
            .forward(x)?
            .reshape((batch, pos, 3, self.n_heads, self.d_head))?;
        drop(time);
        let _time = pass.clock(Part::Attention);
        let part = |i: usize| qkv.narrow(2, i, 1)?.squeeze(2);
        let q = pass.at(self.name(Site::Q), part(0)?)?; // [batch, pos, head, d_head]
        let k = pass.at(self.name(Site::K), part(1)?)?.transpose(1, 2)?;
        let v = pass.at(self.name(Site::V), part(2)?)?.transpose(1, 2)?;
        // [batch, head, column, d_head], the past included
        let (k, v, starts) = match &mut pass.kv {
            KvUse::None => (k, v, vec![0; batch]),
            KvUse::Fill(cache, rows) => {
                for (i, rows) in rows.iter().enumerate() {
                    let (k, v) = (k.narrow(0, i, 1)?, v.narrow(0, i, 1)?);
                    cache.fill(self.layer, rows.clone(), &k, &v)?;
                }
                (k, v, vec![0; batch])
            }
            KvUse::Step(cache) => {
                let (k, v) = cache.append(self.layer, &k, &v)?;
                (k, v, cache.starts().to_vec())
            }
        };
        let watched = INNER.iter().any(|site| pass.wants(self.name(*site)));
        if q.device().is_cpu() && !watched {
            return FusedAttention::new(&starts, self.d_head).forward(&q, &k, &v);
        }
        self.mix_openly(&q, &k, &v, &starts, pass)
    }

    /// The same with scores and pattern as tensors. Rows are taken group by group, so that a
    /// group's key axis holds its own positions and no padding.
    fn mix_openly(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        starts: &[usize],
        pass: &mut Pass,
    ) -> Result<Tensor> {
        let (scores_name, pattern_name) = (self.name(Site::AttnScores), self.name(Site::Pattern));
        let phase = pass.phase;
        let mut parts = Vec::with_capacity(pass.groups.len());
        for group in &mut pass.groups {
            let rows = group.rows.clone();
            let first = starts[rows.start];
            let take = |t: &Tensor| -> Result<Tensor> {
                let t = t.narrow(0, rows.start, rows.len())?;
                Ok(t.narrow(2, first, t.dim(2)? - first)?.contiguous()?)
            };
            let (k, v) = (take(k)?, take(v)?); // [batch, head, key, d_head]
            let q = q
                .narrow(0, rows.start, rows.len())?
                .transpose(1, 2)? // [batch, head, query, d_head]
                .contiguous()?;
            let scores = (q.matmul(&k.t()?)? / (self.d_head as f64).sqrt())?;
            let scores = mask_future(&scores)?; // [batch, head, query, key]
            let scores = match group.run(scores_name, phase, &scores)? {
                Some(new) => new,
                None => scores,
            };
            let pattern = candle_nn::ops::softmax(&scores, D::Minus1)?;
            let pattern = match group.run(pattern_name, phase, &pattern)? {
                Some(new) => new,
                None => pattern,
            };
            parts.push(pattern.contiguous()?.matmul(&v)?.transpose(1, 2)?);
        }
        Ok(Tensor::cat(&parts, 0)?.contiguous()?)
    }

    fn name(&self, site: Site) -> HookName {
        HookName::block(site, self.layer)
    }
}

/// Scores of keys after the query become -inf. scores `[batch, head, query, key]`; the last query
/// stands at the last key.
fn mask_future(scores: &Tensor) -> Result<Tensor> {
    let (_, _, queries, keys) = scores.dims4()?;
    if queries == 1 {
        return Ok(scores.clone());
    }
    let past = keys - queries;
    let visible: Vec<u8> = (0..queries)
        .flat_map(|query| (0..keys).map(move |key| u8::from(key <= past + query)))
        .collect();
    let visible = Tensor::from_vec(visible, (queries, keys), scores.device())?
        .broadcast_as(scores.shape())?;
    let never = Tensor::new(f32::NEG_INFINITY, scores.device())?
        .to_dtype(scores.dtype())?
        .broadcast_as(scores.shape())?;
    debug_assert_ne!(scores.dtype(), DType::U8);
    Ok(visible.where_cond(scores, &never)?)
}
