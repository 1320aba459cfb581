//! From tokens to the residual stream, and from the residual stream to logits.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::checkpoint::Checkpoint;
use super::hook_name::{HookName, Site};
use super::linear::Linear;
use super::norm::LayerNorm;
use super::pass::Pass;
use crate::error::Result;
use crate::profile::Part;

/// The token embedding W_E and the positions' W_pos.
///
/// W_E stays in the checkpoint's mapped file and single rows are read from there: a copy in memory
/// would be a third of gpt2's size, for a handful of rows a pass. Processing is applied to the rows
/// that are read.
pub struct Embedding {
    checkpoint: Arc<Checkpoint>,
    d_vocab: usize,
    d_model: usize,
    /// `center_writing_weights`: every row loses its mean.
    centered: bool,
    positions: Tensor, // [n_ctx, d_model]
    device: Device,
    dtype: DType,
}

impl Embedding {
    pub fn new(
        checkpoint: Arc<Checkpoint>,
        (d_vocab, d_model): (usize, usize),
        centered: bool,
        mut positions: Vec<f32>,
        device: &Device,
        dtype: DType,
    ) -> Result<Self> {
        if centered {
            center_rows(&mut positions, d_model);
        }
        let n_ctx = positions.len() / d_model;
        Ok(Self {
            checkpoint,
            d_vocab,
            d_model,
            centered,
            positions: Tensor::from_vec(positions, (n_ctx, d_model), device)?.to_dtype(dtype)?,
            device: device.clone(),
            dtype,
        })
    }

    /// The residual stream before the first block, `[batch, pos, d_model]`.
    ///
    /// `tokens` holds the rows of the batch one after the other, each as long as the others;
    /// `positions` says where each of these tokens stands in its sequence.
    pub fn forward(
        &self,
        batch: usize,
        tokens: &[u32],
        positions: &[u32],
        pass: &mut Pass,
    ) -> Result<Tensor> {
        let shape = (batch, tokens.len() / batch.max(1), self.d_model);
        let mut rows = self
            .checkpoint
            .read_rows(WTE, [self.d_vocab, self.d_model], tokens)?;
        if self.centered {
            center_rows(&mut rows, self.d_model);
        }
        let embed = Tensor::from_vec(rows, shape, &self.device)?.to_dtype(self.dtype)?;
        let embed = pass.at(HookName::outside(Site::Embed), embed)?;
        let positions = Tensor::from_slice(positions, positions.len(), &self.device)?;
        let pos_embed = self.positions.index_select(&positions, 0)?.reshape(shape)?;
        let pos_embed = pass.at(HookName::outside(Site::PosEmbed), pos_embed)?;
        Ok((embed + pos_embed)?)
    }
}

/// The checkpoint's name for the token embedding.
pub const WTE: &str = "wte.weight";

/// The last norm and W_U, b_U.
pub struct Unembedding {
    norm: LayerNorm,
    map: Linear,
}

impl Unembedding {
    pub fn new(norm: LayerNorm, map: Linear) -> Self {
        Self { norm, map }
    }

    /// residual `[batch, pos, d_model]` -> logits `[batch, pos, d_vocab]`
    pub fn forward(&self, residual: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let normalized = self.norm.forward(residual, pass)?;
        self.logits(&normalized, pass)
    }

    /// The norm alone, for its hook points.
    pub fn normalize(&self, residual: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        self.norm.forward(residual, pass)
    }

    /// normalized `[batch, pos, d_model]` -> logits `[batch, pos, d_vocab]`, always f32
    pub fn logits(&self, normalized: &Tensor, pass: &Pass) -> Result<Tensor> {
        let _time = pass.clock(Part::Unembed);
        Ok(self.map.forward(normalized)?.to_dtype(DType::F32)?)
    }

    /// What a direction adds to every logit: x `[.., d_model]` -> x·W_U `[.., d_vocab]`.
    pub fn project(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.map.forward_without_bias(x)?.to_dtype(DType::F32)?)
    }
}

/// Takes from each row of `width` values its mean.
pub fn center_rows(values: &mut [f32], width: usize) {
    for row in values.chunks_mut(width) {
        let mean = row.iter().map(|x| f64::from(*x)).sum::<f64>() / width as f64;
        for x in row {
            *x -= mean as f32;
        }
    }
}
