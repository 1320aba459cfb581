//! The description of a family's checkpoints: how to read the configuration, and which tensors hold
//! each part of a model.

use std::ops::Range;

use crate::error::Result;
use crate::kernels::Order;
use crate::model::arch::Arch;
use crate::model::config_json::ConfigJson;

/// A family of checkpoints.
pub(crate) trait Family: Send + Sync {
    /// The family's name: "GPT-2".
    fn name(&self) -> &'static str;

    /// Whether `model_type`, or the first of `architectures`, names this family.
    fn has_type(&self, model_type: &str) -> bool;

    /// The architecture that a configuration describes.
    fn arch(&self, config: &ConfigJson) -> Result<Arch>;

    /// Its best-known models, for people: "gpt2 and distilgpt2".
    fn examples(&self) -> &'static str;

    /// The name of the number of layers in `config.json`.
    fn layers_field(&self) -> &'static str;

    /// Prefixes that tensor names may have.
    fn prefixes(&self) -> &'static [&'static str];

    /// The prefix of a layer's index, such as "layers." in "layers.7.norm.weight".
    fn layer_prefix(&self) -> &'static str;

    /// The token embedding, `[d_vocab, d_model]`.
    fn token_embedding(&self) -> &'static str;

    /// The position embedding `[n_ctx, d_model]`, if positions are learned.
    fn position_embedding(&self) -> Option<&'static str>;

    /// The unembedding `[d_vocab, d_model]`, unless it is tied to the token embedding.
    fn unembedding(&self) -> &'static str;

    /// A norm, stored as `NAME.weight` and `NAME.bias`.
    fn norm(&self, norm: NormPart) -> String;

    /// Where a linear map's weight lies, if the family has this map.
    fn map(&self, arch: &Arch, map: MapPart, layer: usize) -> Option<StoredMap>;
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
    /// Only in a gated MLP.
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
    /// The stored tensor's number of outputs; it may hold other maps too.
    pub(crate) stored: usize,
    /// The outputs of this map, in order.
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
    pub(super) fn whole(name: String, order: Order, outputs: usize) -> Self {
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
    /// The numbers of inputs and outputs.
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

/// The checks that all families share: heads must divide the width.
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
