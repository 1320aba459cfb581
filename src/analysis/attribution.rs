//! Attribution: what each part of a model contributes to the residual stream and the logits, read
//! from a cache.
//!
//! Names follow TransformerLens.

use candle_core::{D, IndexOp, Tensor};

use crate::error::{Error, Result};
use crate::model::{ActivationCache, HookName, HookedTransformer, Positions, Site};

/// Parts of a sum, each `[batch, pos, d_model]`, stacked along a new first axis, with labels.
#[derive(Debug, Clone)]
pub struct ResidualStack {
    /// The parts, `[component, batch, pos, d_model]`.
    pub values: Tensor,
    /// The parts' labels.
    pub labels: Vec<String>,
}

impl ResidualStack {
    fn new(parts: Vec<(String, Tensor)>) -> Result<Self> {
        let (labels, values): (Vec<String>, Vec<Tensor>) = parts.into_iter().unzip();
        Ok(Self {
            values: Tensor::stack(&values, 0)?,
            labels,
        })
    }
}

/// The residual stream as it grows: before each block below `layer`, with `incl_mid` in the middle
/// of each too, and at the end. `layer` may be the number of layers, for all of them.
///
/// # Errors
/// If the layer is out of range, or the cache lacks an activation.
pub fn accumulated_resid(
    cache: &ActivationCache,
    model: &HookedTransformer,
    layer: usize,
    incl_mid: bool,
) -> Result<ResidualStack> {
    let n_layers = check_depth(model, layer)?;
    let mut parts = Vec::new();
    for l in 0..layer.min(n_layers) {
        let part = |site| cache.get(HookName::block(site, l)).cloned();
        parts.push((format!("{l}_pre"), part(Site::ResidPre)?));
        if incl_mid {
            parts.push((format!("{l}_mid"), part(Site::ResidMid)?));
        }
    }
    if layer < n_layers {
        let last = cache.get(HookName::resid_pre(layer))?;
        parts.push((format!("{layer}_pre"), last.clone()));
    } else {
        let last = cache.get(HookName::block(Site::ResidPost, n_layers - 1))?;
        parts.push(("final_post".into(), last.clone()));
    }
    ResidualStack::new(parts)
}

/// The parts that sum to the residual stream before `layer`: embeddings, then each block's
/// attention and MLP.
///
/// # Errors
/// As for [`accumulated_resid`].
pub fn decompose_resid(
    cache: &ActivationCache,
    model: &HookedTransformer,
    layer: usize,
) -> Result<ResidualStack> {
    check_depth(model, layer)?;
    let outside = |site| cache.get(HookName::outside(site)).cloned();
    let mut parts = vec![("embed".to_owned(), outside(Site::Embed)?)];
    if model.arch().positions == Positions::Learned {
        parts.push(("pos_embed".to_owned(), outside(Site::PosEmbed)?));
    }
    for l in 0..layer {
        let part = |site| cache.get(HookName::block(site, l)).cloned();
        parts.push((format!("{l}_attn_out"), part(Site::AttnOut)?));
        parts.push((format!("{l}_mlp_out"), part(Site::MlpOut)?));
    }
    ResidualStack::new(parts)
}

/// What each head below `layer` adds to the residual stream, without b_O.
///
/// # Errors
/// As for [`accumulated_resid`], and for layer 0, which has no heads before it.
pub fn stack_head_results(
    cache: &ActivationCache,
    model: &HookedTransformer,
    layer: usize,
) -> Result<ResidualStack> {
    check_depth(model, layer)?;
    let mut parts = Vec::new();
    for l in 0..layer {
        let z = cache.get(HookName::block(Site::Z, l))?;
        let results = model.head_results(l, z)?; // [batch, pos, head, d_model]
        for head in 0..model.arch().n_heads {
            parts.push((format!("L{l}H{head}"), results.i((.., .., head, ..))?));
        }
    }
    if parts.is_empty() {
        return Err(Error::other("there are no heads before layer 0"));
    }
    ResidualStack::new(parts)
}

/// Applies the last norm to each part of a stack, with the scale of the whole, so that the parts
/// still sum to the input of the unembedding.
///
/// # Errors
/// If the cache lacks `ln_final.hook_scale`.
pub fn apply_ln_to_stack(cache: &ActivationCache, stack: &Tensor) -> Result<Tensor> {
    let scale = cache.get(HookName::outside(Site::LnFinalScale))?;
    let centered = stack.broadcast_sub(&stack.mean_keepdim(D::Minus1)?)?;
    Ok(centered.broadcast_div(&scale.unsqueeze(0)?)?)
}

/// What each part of a stack adds to a token's logit, without b_U: `[component, batch, pos,
/// d_model]` -> `[component, batch, pos]`.
///
/// # Errors
/// If the token is not in the vocabulary, or as for [`apply_ln_to_stack`].
pub fn logit_attrs(
    cache: &ActivationCache,
    model: &HookedTransformer,
    stack: &Tensor,
    token: u32,
) -> Result<Tensor> {
    model.tokenizer().check(&[token])?;
    let logits = model.unembed_direction(&apply_ln_to_stack(cache, stack)?)?;
    Ok(logits
        .narrow(D::Minus1, token as usize, 1)?
        .squeeze(D::Minus1)?)
}

/// Checks that a layer is from 0 to the number of layers, which stands for the end.
fn check_depth(model: &HookedTransformer, layer: usize) -> Result<usize> {
    let n_layers = model.arch().n_layers;
    if layer > n_layers {
        return Err(Error::invalid(
            "layer",
            layer,
            format!("must be 0 to {n_layers}"),
        ));
    }
    Ok(n_layers)
}
