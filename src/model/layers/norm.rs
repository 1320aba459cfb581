//! LayerNorm and RMSNorm: each position's activation divided by its scale.

use candle_core::Tensor;

use crate::error::Result;
use crate::kernels::{Norm, NormKind, norm_parts};
use crate::model::hook_name::HookName;
use crate::model::pass::Pass;
use crate::model::sites::Site;
use crate::profile::Part;

/// A norm with its gain and bias, unless they were folded into the next linear map.
pub(crate) struct NormLayer {
    pub(crate) norm: Norm,
    pub(crate) gain: Option<Tensor>, // [d_model]
    pub(crate) bias: Option<Tensor>, // [d_model]
    pub(crate) scale_name: HookName,
    pub(crate) normalized_name: HookName,
}

impl NormLayer {
    /// The hook points of the norm before a block's attention: scale, then normalized.
    pub(crate) fn ln1(layer: usize) -> [HookName; 2] {
        [Site::Ln1Scale, Site::Ln1Normalized].map(|site| HookName::block(site, layer))
    }

    /// The hook points of the norm before a block's MLP.
    pub(crate) fn ln2(layer: usize) -> [HookName; 2] {
        [Site::Ln2Scale, Site::Ln2Normalized].map(|site| HookName::block(site, layer))
    }

    /// The hook points of the norm before the unembedding.
    pub(crate) fn ln_final() -> [HookName; 2] {
        [Site::LnFinalScale, Site::LnFinalNormalized].map(HookName::outside)
    }

    /// x `[batch, pos, d_model]` -> `[batch, pos, d_model]`
    pub(crate) fn forward(&self, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let time = pass.clock(Part::Norm);
        let normalized = if pass.wants(self.scale_name) {
            let (centered, scale) = norm_parts(x, self.norm)?;
            let scale = pass.hook(self.scale_name, scale)?; // [batch, pos, 1]
            centered.broadcast_div(&scale)?
        } else {
            pass.backend.norm(x, self.norm)?
        };
        drop(time);
        // TransformerLens' hook point is after the gain and bias of a LayerNorm, unless they were
        // folded away, and before the gain of an RMSNorm.
        match self.norm.kind {
            NormKind::LayerNorm => pass.hook(self.normalized_name, self.affine(normalized)?),
            NormKind::RmsNorm => self.affine(pass.hook(self.normalized_name, normalized)?),
        }
    }

    /// The norm without its hook points: x `[.., d_model]` -> `[.., d_model]`
    pub(crate) fn plain(&self, x: &Tensor, pass: &Pass) -> Result<Tensor> {
        let _time = pass.clock(Part::Norm);
        self.affine(pass.backend.norm(x, self.norm)?)
    }

    fn affine(&self, x: Tensor) -> Result<Tensor> {
        let gained = match &self.gain {
            Some(gain) => x.broadcast_mul(gain)?,
            None => x,
        };
        Ok(match &self.bias {
            Some(bias) => gained.broadcast_add(bias)?,
            None => gained,
        })
    }
}
