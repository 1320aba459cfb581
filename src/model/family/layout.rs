//! What a family says of its checkpoints: how to read its configuration, and where the tensors of
//! each part of a model lie.

use std::ops::Range;

use crate::error::Result;
use crate::kernels::Order;
use crate::model::arch::Arch;
use crate::model::config_json::ConfigJson;

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
    /// A tensor that holds one map.
    pub(super) fn whole(name: String, order: Order, outputs: usize) -> Self {
        Self {
            name,
            order,
            stored: outputs,
            outputs: vec![0..outputs],
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

/// What all families' configurations have in common is checked once.
pub(super) fn check_heads(
    config: &ConfigJson,
    (name, width): (&str, usize),
    heads: usize,
) -> Result<usize> {
    if width % heads != 0 {
        return Err(config.bad(format!(
            "{name} is {width}, which {heads} heads can't share equally"
        )));
    }
    Ok(width / heads)
}
