//! From the residual stream to logits.

use candle_core::{DType, Tensor};

use super::norm::NormLayer;
use crate::error::Result;
use crate::kernels::{After, Linear};
use crate::model::pass::Pass;
use crate::profile::Part;

/// The last norm and W_U, b_U.
pub(crate) struct Unembedding {
    pub(crate) norm: NormLayer,
    pub(crate) map: Box<dyn Linear>,
}

impl Unembedding {
    /// residual `[batch, pos, d_model]` -> logits `[batch, pos, d_vocab]`
    pub(crate) fn forward(&self, residual: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let normalized = self.norm.forward(residual, pass)?;
        self.logits(&normalized, pass)
    }

    /// Only the norm, for its hook points.
    pub(crate) fn normalize(&self, residual: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        self.norm.forward(residual, pass)
    }

    /// normalized `[batch, pos, d_model]` -> logits `[batch, pos, d_vocab]`, always f32
    pub(crate) fn logits(&self, normalized: &Tensor, pass: &Pass) -> Result<Tensor> {
        let _time = pass.clock(Part::Unembed);
        let logits = self.map.forward(normalized, After::BIAS)?;
        Ok(logits.to_dtype(DType::F32)?)
    }

    /// What a direction adds to every logit: x `[.., d_model]` -> x·W_U `[.., d_vocab]`.
    pub(crate) fn project(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.map.forward(x, After::NOTHING)?.to_dtype(DType::F32)?)
    }
}
