//! One block: attention and MLP, each reading a norm of the residual stream and adding to it.

use candle_core::Tensor;

use super::attention::Attention;
use super::hook_name::{HookName, Site};
use super::linear::Linear;
use super::norm::LayerNorm;
use super::pass::Pass;
use super::values::map_parts;
use super::vector::gelu;
use crate::error::Result;
use crate::profile::Part;

pub struct Block {
    layer: usize,
    ln1: LayerNorm,
    attention: Attention,
    ln2: LayerNorm,
    mlp: Mlp,
}

impl Block {
    pub fn new(
        layer: usize,
        ln1: LayerNorm,
        attention: Attention,
        ln2: LayerNorm,
        mlp: Mlp,
    ) -> Self {
        Self {
            layer,
            ln1,
            attention,
            ln2,
            mlp,
        }
    }

    /// residual `[batch, pos, d_model]` -> the residual after this block
    pub fn forward(&self, resid_pre: Tensor, pass: &mut Pass) -> Result<Tensor> {
        let resid_pre = pass.at(self.name(Site::ResidPre), resid_pre)?;
        let normalized = self.ln1.forward(&resid_pre, pass)?;
        let resid_mid = self.attention.forward_add(&normalized, &resid_pre, pass)?;
        let resid_mid = pass.at(self.name(Site::ResidMid), resid_mid)?;
        let normalized = self.ln2.forward(&resid_mid, pass)?;
        let resid_post = self.mlp.forward_add(&normalized, &resid_mid, pass)?;
        pass.at(self.name(Site::ResidPost), resid_post)
    }

    pub fn attention(&self) -> &Attention {
        &self.attention
    }

    fn name(&self, site: Site) -> HookName {
        HookName::block(site, self.layer)
    }
}

/// Two linear maps with the activation function between them.
pub struct Mlp {
    layer: usize,
    /// W_in and b_in: `[d_model, d_mlp]`
    input: Linear,
    /// W_out and b_out: `[d_mlp, d_model]`
    output: Linear,
}

impl Mlp {
    pub fn new(layer: usize, input: Linear, output: Linear) -> Self {
        Self {
            layer,
            input,
            output,
        }
    }

    /// x `[batch, pos, d_model]`, normalized -> `residual` + the MLP's output
    fn forward_add(&self, x: &Tensor, residual: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let name = |site| HookName::block(site, self.layer);
        let post = if pass.wants(name(Site::MlpPre)) {
            let time = pass.clock(Part::Linear);
            let pre = self.input.forward(x)?;
            drop(time);
            activate(&pass.at(name(Site::MlpPre), pre)?)?
        } else {
            let _time = pass.clock(Part::Linear);
            self.input.forward_gelu(x)?
        };
        let post = pass.at(name(Site::MlpPost), post)?; // [batch, pos, d_mlp]
        let time = pass.clock(Part::Linear);
        if !pass.wants(name(Site::MlpOut)) {
            return self.output.forward_add(&post, residual);
        }
        let out = self.output.forward(&post)?;
        drop(time);
        let out = pass.at(name(Site::MlpOut), out)?;
        Ok((residual + out)?)
    }
}

/// The activation function by itself, for when a hook has seen what goes into it.
fn activate(pre: &Tensor) -> Result<Tensor> {
    Ok(if pre.device().is_cpu() {
        // The same that linear maps take of their results.
        map_parts(pre, "gelu", VALUES_A_PART, gelu)?
    } else {
        pre.gelu()?
    })
}

/// What fits into the nearest cache.
const VALUES_A_PART: usize = 1 << 12;
