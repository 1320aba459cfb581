//! The MLP: linear maps with the activation function between them.

use candle_core::Tensor;

use crate::error::Result;
use crate::kernels::{Activation, After, Linear};
use crate::model::hook_name::HookName;
use crate::model::pass::Pass;
use crate::model::sites::Site;
use crate::profile::Part;

pub(crate) struct Mlp {
    pub(crate) layer: usize,
    pub(crate) activation: Activation,
    /// W_gate `[d_model, d_mlp]` of a gated MLP.
    pub(crate) gate: Option<Box<dyn Linear>>,
    /// W_in and b_in: `[d_model, d_mlp]`
    pub(crate) input: Box<dyn Linear>,
    /// W_out and b_out: `[d_mlp, d_model]`
    pub(crate) output: Box<dyn Linear>,
}

impl Mlp {
    /// x `[batch, pos, d_model]`, normalized -> `residual` + the MLP's output
    pub(crate) fn forward_add(
        &self,
        x: &Tensor,
        residual: &Tensor,
        pass: &mut Pass,
    ) -> Result<Tensor> {
        let post = match &self.gate {
            None => self.activated(&*self.input, x, pass)?,
            Some(gate) => {
                let gate = self.activated(&**gate, x, pass)?;
                let time = pass.clock(Part::Linear);
                let linear = self.input.forward(x, After::BIAS)?;
                drop(time);
                (gate * pass.hook(self.name(Site::MlpPreLinear), linear)?)?
            }
        };
        let post = pass.hook(self.name(Site::MlpPost), post)?; // [batch, pos, d_mlp]
        let time = pass.clock(Part::Linear);
        if !pass.wants(self.name(Site::MlpOut)) {
            return self.output.forward(&post, After::added_to(residual));
        }
        let out = self.output.forward(&post, After::BIAS)?;
        drop(time);
        let out = pass.hook(self.name(Site::MlpOut), out)?;
        Ok((residual + out)?)
    }

    /// A map's output, shown at `hook_pre`, through the activation function.
    fn activated(&self, map: &dyn Linear, x: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let time = pass.clock(Part::Linear);
        if !pass.wants(self.name(Site::MlpPre)) {
            return map.forward(x, After::activated(self.activation));
        }
        let pre = map.forward(x, After::BIAS)?; // [batch, pos, d_mlp]
        drop(time);
        let pre = pass.hook(self.name(Site::MlpPre), pre)?;
        pass.backend.activation(&pre, self.activation)
    }

    fn name(&self, site: Site) -> HookName {
        HookName::block(site, self.layer)
    }
}
