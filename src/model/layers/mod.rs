//! The layers of a model, in the order of a pass. Each runs the hooks of its own hook points.

mod attention;
mod block;
mod embed;
mod mlp;
mod norm;
mod rotary;
mod unembed;

pub(super) use attention::Attention;
pub(super) use block::Block;
pub(super) use embed::Embedding;
pub(super) use mlp::Mlp;
pub(super) use norm::NormLayer;
pub(super) use rotary::Rotary;
pub(super) use unembed::Unembedding;
