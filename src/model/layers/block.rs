//! A block: attention and MLP, each of which reads a norm of the residual stream and adds to it.

use candle_core::Tensor;

use super::attention::{Attention, HeadInputs};
use super::mlp::Mlp;
use super::norm::NormLayer;
use crate::error::Result;
use crate::model::hook_name::HookName;
use crate::model::pass::Pass;
use crate::model::sites::Site;

pub(crate) struct Block {
    pub(crate) layer: usize,
    /// Whether the MLP reads the residual stream before the block, like the attention.
    pub(crate) parallel: bool,
    pub(crate) ln1: NormLayer,
    pub(crate) attention: Attention,
    pub(crate) ln2: NormLayer,
    pub(crate) mlp: Mlp,
}

impl Block {
    /// residual `[batch, pos, d_model]` -> the residual after this block
    pub(crate) fn forward(&self, resid_pre: Tensor, pass: &mut Pass) -> Result<Tensor> {
        let resid_pre = pass.hook(self.name(Site::ResidPre), resid_pre)?;
        let heads = self.head_inputs(&resid_pre, pass)?;
        let normalized = self.ln1.forward(&resid_pre, pass)?;
        let sum = self
            .attention
            .forward_add(&normalized, &heads, &resid_pre, pass)?;
        let (mlp_in, sum) = if self.parallel {
            (resid_pre, sum)
        } else {
            let resid_mid = pass.hook(self.name(Site::ResidMid), sum)?;
            (resid_mid.clone(), resid_mid)
        };
        let mlp_in = pass.hook(self.name(Site::MlpIn), mlp_in)?;
        let normalized = self.ln2.forward(&mlp_in, pass)?;
        let resid_post = self.mlp.forward_add(&normalized, &sum, pass)?;
        pass.hook(self.name(Site::ResidPost), resid_post)
    }

    pub(crate) fn attention(&self) -> &Attention {
        &self.attention
    }

    /// Runs the hooks of the copies of the residual stream that each head reads, and returns those
    /// that were replaced, normalized.
    ///
    /// ln1's own hook points keep their shape, `[batch, pos, d_model]`, and show the input of the
    /// heads that weren't replaced.
    fn head_inputs(&self, resid_pre: &Tensor, pass: &mut Pass) -> Result<HeadInputs> {
        let input = |site: Site, heads: usize, shared: Option<&Tensor>, pass: &mut Pass| {
            if !pass.wants(self.name(site)) {
                return Ok(shared.cloned());
            }
            let copies = match shared {
                Some(shared) => shared.narrow(2, 0, heads)?,
                None => {
                    let (batch, pos, d_model) = resid_pre.dims3()?;
                    resid_pre
                        .unsqueeze(2)?
                        .expand((batch, pos, heads, d_model))?
                        .contiguous()?
                }
            };
            let replaced = pass.hook_replaced(self.name(site), &copies)?;
            Ok::<_, crate::error::Error>(replaced.or_else(|| shared.cloned()))
        };
        let (heads, kv_heads) = self.attention.head_counts();
        let shared = input(Site::AttnIn, heads, None, pass)?;
        let q = input(Site::QInput, heads, shared.as_ref(), pass)?;
        let k = input(Site::KInput, kv_heads, shared.as_ref(), pass)?;
        let v = input(Site::VInput, kv_heads, shared.as_ref(), pass)?;
        let normalize =
            |x: Option<Tensor>, pass: &Pass| x.map(|x| self.ln1.plain(&x, pass)).transpose();
        Ok(HeadInputs {
            q: normalize(q, pass)?,
            k: normalize(k, pass)?,
            v: normalize(v, pass)?,
        })
    }

    fn name(&self, site: Site) -> HookName {
        HookName::block(site, self.layer)
    }
}
