//! Attention: each head's queries, keys and values, their mixture, and the output map.

use std::sync::Arc;

use candle_core::{D, Tensor};

use super::rotary::Rotary;
use crate::error::Result;
use crate::kernels::{After, AttentionShape, Linear, heads_of, hide_columns};
use crate::model::hook_name::HookName;
use crate::model::pass::{KvUse, Pass};
use crate::model::sites::Site;
use crate::profile::Part;

pub(crate) struct Attention {
    pub(crate) layer: usize,
    pub(crate) n_heads: usize,
    pub(crate) n_key_value_heads: usize,
    pub(crate) d_head: usize,
    /// The factor for the products of queries and keys.
    pub(crate) score_scale: f32,
    pub(crate) rotary: Option<Arc<Rotary>>,
    /// W_Q, W_K, W_V side by side: `[d_model, (n_heads + 2 n_key_value_heads) * d_head]`
    pub(crate) qkv: Box<dyn Linear>,
    /// W_O and b_O: `[n_heads * d_head, d_model]`
    pub(crate) output: Box<dyn Linear>,
}

/// Inputs of the heads that hooks replaced, in place of the normalized residual stream: `[batch,
/// pos, head, d_model]` each, normalized.
pub(crate) struct HeadInputs {
    pub(crate) q: Option<Tensor>,
    pub(crate) k: Option<Tensor>,
    pub(crate) v: Option<Tensor>,
}

impl Attention {
    /// The numbers of query heads and of heads of keys and values.
    pub(crate) fn head_counts(&self) -> (usize, usize) {
        (self.n_heads, self.n_key_value_heads)
    }

    /// x `[batch, pos, d_model]`, normalized -> `residual` + the attention's output
    pub(crate) fn forward_add(
        &self,
        x: &Tensor,
        heads: &HeadInputs,
        residual: &Tensor,
        pass: &mut Pass,
    ) -> Result<Tensor> {
        let z = self.mix(x, heads, pass)?; // [batch, pos, head, d_head]
        let z = pass.hook(self.name(Site::Z), z)?;
        let time = pass.clock(Part::Linear);
        let (attn_out, result) = (self.name(Site::AttnOut), self.name(Site::Result));
        let flat = z.flatten_from(2)?; // [batch, pos, head * d_head]
        if !pass.wants(attn_out) && !pass.wants(result) {
            return self.output.forward(&flat, After::added_to(residual));
        }
        let out = if pass.wants(result) {
            let per_head = pass.hook(result, self.per_head(&z)?)?; // [batch, pos, head, d_model]
            let bias = self.output.forward(&flat.zeros_like()?, After::BIAS)?;
            (per_head.sum(2)? + bias)?
        } else {
            self.output.forward(&flat, After::BIAS)?
        };
        drop(time);
        let out = pass.hook(attn_out, out)?;
        Ok((residual + out)?)
    }

    /// Each head's share of the output, without the bias.
    ///
    /// z `[batch, pos, head, d_head]` -> `[batch, pos, head, d_model]`. The packed W_O can't be cut
    /// into heads, so each head goes through it with the others at zero: `n_heads` times the work,
    /// done only on request.
    pub(crate) fn per_head(&self, z: &Tensor) -> Result<Tensor> {
        let (batch, pos, heads, d_head) = z.dims4()?;
        let only = Tensor::eye(heads, z.dtype(), z.device())?; // [head, head]
        let alone = z
            .unsqueeze(2)? // [batch, pos, 1, head, d_head]
            .broadcast_mul(&only.reshape((1, 1, heads, heads, 1))?)?
            .reshape((batch, pos, heads, heads * d_head))?;
        self.output.forward(&alone, After::NOTHING)
    }

    /// Queries, keys, values and their mixture z `[batch, pos, head, d_head]`.
    fn mix(&self, x: &Tensor, heads: &HeadInputs, pass: &mut Pass) -> Result<Tensor> {
        let (batch, _, _) = x.dims3()?;
        let time = pass.clock(Part::Linear);
        let [q, k, v] = self.project(x, heads)?;
        drop(time);
        let _time = pass.clock(Part::Attention);
        let q = pass.hook(self.name(Site::Q), q)?; // [batch, pos, head, d_head]
        let k = pass.hook(self.name(Site::K), k)?; // [batch, pos, kv_head, d_head]
        let v = pass.hook(self.name(Site::V), v)?; // [batch, pos, kv_head, d_head]
        let (q, k) = match &self.rotary {
            None => (q, k),
            Some(rotary) => {
                let (q, k) = (
                    rotary.forward(&q, &pass.positions)?,
                    rotary.forward(&k, &pass.positions)?,
                );
                (
                    pass.hook(self.name(Site::RotQ), q)?,
                    pass.hook(self.name(Site::RotK), k)?,
                )
            }
        };
        let (k, v) = (k.transpose(1, 2)?, v.transpose(1, 2)?);
        // [batch, kv_head, column, d_head], the past included
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
        if pass.wants(self.name(Site::AttnScores)) || pass.wants(self.name(Site::Pattern)) {
            return self.unfused(&q, &k, &v, &starts, pass);
        }
        let shape = AttentionShape {
            starts: &starts,
            scale: self.score_scale,
        };
        pass.backend.attention(&q, &k, &v, shape)
    }

    /// Queries, keys and values: x `[batch, pos, d_model]` -> `[batch, pos, head, d_head]` each.
    fn project(&self, x: &Tensor, own: &HeadInputs) -> Result<[Tensor; 3]> {
        let (heads, kv_heads) = self.head_counts();
        let spans = [(0, heads), (heads, kv_heads), (heads + kv_heads, kv_heads)];
        let shared = |x: &Tensor| -> Result<Tensor> {
            let mut shape = x.dims().to_vec();
            shape.truncate(shape.len() - 1);
            shape.extend([heads + 2 * kv_heads, self.d_head]);
            Ok(self.qkv.forward(x, After::BIAS)?.reshape(shape)?)
        };
        let qkv = shared(x)?; // [batch, pos, heads of all three, d_head]
        let mut parts = spans.map(|(first, n)| qkv.narrow(2, first, n));
        for ((part, (first, n)), own) in parts.iter_mut().zip(spans).zip([&own.q, &own.k, &own.v]) {
            let Some(own) = own else { continue };
            // Every head's input goes through all heads' maps, as in `per_head`.
            let all = shared(&own.narrow(2, 0, n)?.contiguous()?)?; // [batch, pos, n, heads of all, d_head]
            let mine: Vec<Tensor> = (0..n)
                .map(|head| {
                    all.narrow(2, head, 1)?
                        .narrow(3, first + head, 1)?
                        .squeeze(3)
                })
                .collect::<candle_core::Result<_>>()?;
            *part = Tensor::cat(&mine, 2);
        }
        let [q, k, v] = parts;
        Ok([q?, k?, v?])
    }

    /// Unfused attention, with scores and pattern as tensors for hooks. Rows are computed group by
    /// group, so that a group's key axis holds its own positions and no padding.
    fn unfused(
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
                heads_of(&t.narrow(2, first, t.dim(2)? - first)?, self.n_heads)
            };
            let (k, v) = (take(k)?, take(v)?); // [batch, head, key, d_head]
            let q = q
                .narrow(0, rows.start, rows.len())?
                .transpose(1, 2)? // [batch, head, query, d_head]
                .contiguous()?;
            let scores = (q.matmul(&k.t()?)? * f64::from(self.score_scale))?;
            let scores = hide_columns(&scores, &vec![0; rows.len()])?; // [batch, head, query, key]
            let scores = match group.hook(scores_name, phase, &scores)? {
                Some(new) => new,
                None => scores,
            };
            let pattern = candle_nn::ops::softmax(&scores, D::Minus1)?;
            let pattern = match group.hook(pattern_name, phase, &pattern)? {
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
