//! The families of models: one file each says what its `config.json` and its tensors' names mean.
//!
//! A family is added by its file and a line in [`FAMILIES`].

mod gpt2;
mod gpt_neox;

use std::ops::Range;

use super::arch::Arch;
use super::config_json::ConfigJson;
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::Order;

/// What avec knows of one family of checkpoints.
pub(crate) trait Family: Send + Sync {
    /// The name for people: "GPT-2".
    fn name(&self) -> &'static str;

    /// Whether `model_type`, or the first of `architectures`, means this family.
    fn has_type(&self, model_type: &str) -> bool;

    /// The architecture that a configuration describes.
    fn arch(&self, config: &ConfigJson) -> Result<Arch>;

    /// What may stand before every tensor's name.
    fn prefixes(&self) -> &'static [&'static str];

    /// What stands before a layer's number, as "h." in "h.7.ln_1.weight".
    fn layer_prefix(&self) -> &'static str;

    /// The token embedding, `[d_vocab, d_model]`.
    fn token_embedding(&self) -> &'static str;

    /// The positions' embedding `[n_ctx, d_model]`, for learned positions.
    fn position_embedding(&self) -> Option<&'static str>;

    /// The unembedding `[d_vocab, d_model]`, unless it is tied to the token embedding.
    fn unembedding(&self) -> &'static str;

    /// A norm, as `NAME.weight` and `NAME.bias`.
    fn norm(&self, norm: NormPart) -> String;

    /// Where a linear map's weight lies.
    fn map(&self, arch: &Arch, map: MapPart, layer: usize) -> StoredMap;
}

/// The norms of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NormPart {
    Ln1(usize),
    Ln2(usize),
    Final,
}

/// The linear maps of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MapPart {
    Query,
    Key,
    Value,
    AttnOut,
    /// Of a gated MLP only.
    MlpGate,
    MlpIn,
    MlpOut,
}

/// A linear map as a checkpoint stores it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredMap {
    /// The weight is `NAME.weight`, the bias `NAME.bias`.
    pub(crate) name: String,
    pub(crate) order: Order,
    /// All outputs of the stored tensor, which may hold other maps too.
    pub(crate) stored: usize,
    /// Which of them are this map's, in their order.
    pub(crate) outputs: Vec<Range<usize>>,
    pub(crate) bias: bool,
}

impl StoredMap {
    /// The shape of the stored tensor.
    pub(crate) fn shape(&self, inputs: usize) -> [usize; 2] {
        match self.order {
            Order::InOut => [inputs, self.stored],
            Order::OutIn => [self.stored, inputs],
        }
    }

    /// A tensor that holds one map.
    fn whole(name: String, order: Order, outputs: usize) -> Self {
        Self {
            name,
            order,
            stored: outputs,
            outputs: std::iter::once(0..outputs).collect(),
            bias: true,
        }
    }
}

impl MapPart {
    /// Inputs and outputs.
    pub(crate) fn sizes(self, arch: &Arch) -> (usize, usize) {
        let heads = arch.n_heads * arch.d_head;
        match self {
            Self::Query => (arch.d_model, heads),
            Self::Key | Self::Value => (arch.d_model, arch.n_key_value_heads * arch.d_head),
            Self::AttnOut => (heads, arch.d_model),
            Self::MlpGate | Self::MlpIn => (arch.d_model, arch.d_mlp),
            Self::MlpOut => (arch.d_mlp, arch.d_model),
        }
    }
}

const FAMILIES: [&dyn Family; 2] = [&gpt2::Gpt2, &gpt_neox::GptNeoX];

/// The family of a configuration, and its architecture.
///
/// # Errors
/// If no family knows the model's type, or the configuration is odd.
pub(crate) fn identify(config: &ConfigJson) -> Result<(&'static dyn Family, Arch)> {
    let model_type = config.model_type()?;
    let known = model_type.as_deref().and_then(|model_type| {
        let mut families = FAMILIES.into_iter();
        families.find(|family| family.has_type(model_type))
    });
    match known {
        Some(family) => Ok((family, family.arch(config)?)),
        None => Err(Error::new(ErrorKind::UnsupportedArchitecture {
            found: model_type.unwrap_or_else(|| "unknown".into()),
            known: FAMILIES.map(|family| family.name().to_owned()).to_vec(),
            path: config.path().to_owned(),
        })
        .hint("avec runs GPT-2 models (gpt2, gpt2-medium, gpt2-large, gpt2-xl, distilgpt2) and GPT-NeoX models (Pythia), and checkpoints like them")),
    }
}

/// What all families' configurations have in common is checked once.
fn check_heads(config: &ConfigJson, (name, width): (&str, usize), heads: usize) -> Result<usize> {
    if width % heads != 0 {
        return Err(config.bad(format!(
            "{name} is {width}, which {heads} heads can't share equally"
        )));
    }
    Ok(width / heads)
}
