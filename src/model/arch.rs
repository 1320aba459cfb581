//! A model's architecture: the sizes and choices that determine its layers, hook points, tensors
//! and processing. A family's file derives them from `config.json`, and the pass reads every field.

use crate::kernels::{Activation, Norm, NormKind};

/// The architecture of a model, in TransformerLens' terms.
#[derive(Debug, Clone, PartialEq)]
pub struct Arch {
    /// The family's name: "GPT-2".
    pub family: &'static str,
    /// The number of blocks.
    pub n_layers: usize,
    /// The width of the residual stream.
    pub d_model: usize,
    /// Query heads per block.
    pub n_heads: usize,
    /// Heads of keys and values per block; each serves `n_heads / n_key_value_heads` query heads.
    pub n_key_value_heads: usize,
    /// The width of a head.
    pub d_head: usize,
    /// The width of the MLP.
    pub d_mlp: usize,
    /// The longest sequence, in tokens.
    pub n_ctx: usize,
    /// The size of the vocabulary: rows of the embedding.
    pub d_vocab: usize,
    /// The norm before each part of a block and before the unembedding.
    pub norm: Norm,
    /// How the model encodes positions.
    pub positions: Positions,
    /// The kind of MLP.
    pub mlp: MlpKind,
    /// The activation function of the MLP.
    pub activation: Activation,
    /// Whether a block's attention and MLP both read the residual stream before the block, so that
    /// there is no `hook_resid_mid`.
    pub parallel: bool,
    /// Whether the attention scores of layer l are also divided by l + 1
    /// (`scale_attn_by_inverse_layer_idx`).
    pub scores_by_inverse_layer: bool,
    /// Whether the token embedding also unembeds if a checkpoint has no tensor for that.
    pub tied: bool,
}

/// How a model encodes positions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Positions {
    /// A learned vector for each position, added to the token's embedding.
    Learned,
    /// Queries and keys are rotated by angles proportional to the position.
    Rotary {
        /// How many of a head's dimensions are rotated, starting with the first.
        dims: usize,
        /// The slowest pair of dimensions turns by about `1 / base` radians per position.
        base: f64,
    },
}

/// The kind of MLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MlpKind {
    /// `W_out · act(W_in · x)`
    Plain,
    /// `W_out · (act(W_gate · x) * (W_in · x))`
    Gated,
}

impl Arch {
    /// The number of weights, counting an unembedding tied to the embedding once; saturates.
    pub fn parameters(&self) -> u64 {
        let size = |n: usize| n as u128;
        let times = |a: u128, b: u128| a.saturating_mul(b);
        let map = |inputs: u128, outputs: u128| times(inputs.saturating_add(1), outputs);
        let (d, m) = (size(self.d_model), size(self.d_mlp));
        let (queries, keys) = (
            times(size(self.n_heads), size(self.d_head)),
            times(size(self.n_key_value_heads), size(self.d_head)),
        );
        // A LayerNorm has a bias beside its gain; gated MLPs have no biases.
        let norm = match self.norm.kind {
            NormKind::LayerNorm => times(2, d),
            NormKind::RmsNorm => d,
        };
        let mlp = match self.mlp {
            MlpKind::Plain => map(d, m).saturating_add(map(m, d)),
            MlpKind::Gated => times(3, times(d, m)),
        };
        let embeddings = if self.tied { 1 } else { 2 };
        let positions = match self.positions {
            Positions::Learned => times(size(self.n_ctx), d),
            Positions::Rotary { .. } => 0,
        };
        let block = [
            times(2, norm),
            map(d, queries.saturating_add(times(2, keys))),
            map(queries, d),
            mlp,
        ];
        let block = block.into_iter().fold(0, u128::saturating_add);
        let all = [
            times(embeddings, times(size(self.d_vocab), d)),
            positions,
            times(size(self.n_layers), block),
            norm,
        ];
        let all = all.into_iter().fold(0, u128::saturating_add);
        u64::try_from(all).unwrap_or(u64::MAX)
    }

    /// The factor for a layer's products of queries and keys.
    pub fn score_scale(&self, layer: usize) -> f32 {
        let scale = 1.0 / (self.d_head as f32).sqrt();
        if self.scores_by_inverse_layer {
            scale / (layer + 1) as f32
        } else {
            scale
        }
    }
}
