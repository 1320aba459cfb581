//! LayerNorm: each position's activation minus its mean, divided by its scale.

use candle_core::{D, Tensor};

use super::hook_name::{HookName, Site};
use super::pass::Pass;
use super::values::map_parts;
use super::vector::normalize;
use crate::error::Result;
use crate::profile::Part;

/// LayerNorm with its gain and bias, unless they have been folded into the next linear map.
pub struct LayerNorm {
    /// Gain and bias, each `[d_model]`.
    affine: Option<(Tensor, Tensor)>,
    eps: f64,
    scale_name: HookName,
    normalized_name: HookName,
}

impl LayerNorm {
    pub fn new(affine: Option<(Tensor, Tensor)>, eps: f64, names: [HookName; 2]) -> Self {
        let [scale_name, normalized_name] = names;
        Self {
            affine,
            eps,
            scale_name,
            normalized_name,
        }
    }

    /// The hook points of the norm before the unembedding.
    pub const FINAL: [HookName; 2] = [
        HookName::outside(Site::LnFinalScale),
        HookName::outside(Site::LnFinalNormalized),
    ];

    /// x `[batch, pos, d_model]` -> `[batch, pos, d_model]`
    pub fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let time = pass.clock(Part::Norm);
        let normalized = if x.device().is_cpu() && !pass.wants(self.scale_name) {
            // All of the norm in one walk over each row.
            let eps = self.eps as f32;
            map_parts(x, "layer-norm", x.dim(D::Minus1)?, |row| {
                normalize(row, eps)
            })?
        } else {
            let centered = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
            let scale = (centered.sqr()?.mean_keepdim(D::Minus1)? + self.eps)?.sqrt()?;
            let scale = pass.at(self.scale_name, scale)?; // [batch, pos, 1]
            centered.broadcast_div(&scale)?
        };
        // The original's hook point is behind gain and bias where they have not been folded away.
        let normalized = match &self.affine {
            Some((gain, bias)) => normalized.broadcast_mul(gain)?.broadcast_add(bias)?,
            None => normalized,
        };
        drop(time);
        pass.at(self.normalized_name, normalized)
    }
}
