//! The operations that nearly all time goes into, behind one trait: a model is the same code over
//! whatever computes them.

use candle_core::{DType, Device, Tensor};

use super::matrix::WeightMatrix;
use crate::error::Result;

/// What computes a model, chosen once when it is loaded.
///
/// Every operation takes and gives ordinary candle tensors on [`Backend::device`], so that hooks see
/// the same whatever runs below them.
pub(crate) trait Backend: Send + Sync {
    fn device(&self) -> &Device;

    /// The number type of activations.
    fn activation_dtype(&self) -> DType;

    /// Brings a weight into the form that this backend multiplies with; bias `[out]`.
    fn linear(&self, weights: &WeightMatrix, bias: Option<Vec<f32>>) -> Result<Box<dyn Linear>>;

    /// Causal attention: q `[batch, query, head, d_head]`, k and v
    /// `[batch, kv_head, column, d_head]` -> z `[batch, query, head, d_head]`. The last query stands
    /// at the last column.
    fn attention(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        shape: AttentionShape,
    ) -> Result<Tensor>;

    /// A norm without gain and bias over the last axis.
    fn norm(&self, x: &Tensor, norm: Norm) -> Result<Tensor>;

    /// An MLP's activation function.
    fn activation(&self, x: &Tensor, activation: Activation) -> Result<Tensor>;
}

/// A linear map `x·W + b`.
pub(crate) trait Linear: Send + Sync {
    /// x `[.., in]` -> `[.., out]`
    fn forward(&self, x: &Tensor, after: After) -> Result<Tensor>;
}

/// What follows a product, in this order, while its result is still in cache.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct After<'a> {
    /// Add the map's bias.
    pub(crate) bias: bool,
    /// Add this, `[.., out]`.
    pub(crate) residual: Option<&'a Tensor>,
    pub(crate) activation: Option<Activation>,
}

impl<'a> After<'a> {
    /// `x·W`
    pub(crate) const NOTHING: Self = Self {
        bias: false,
        residual: None,
        activation: None,
    };

    /// `x·W + b`
    pub(crate) const BIAS: Self = Self {
        bias: true,
        residual: None,
        activation: None,
    };

    /// `residual + x·W + b`
    pub(crate) fn added_to(residual: &'a Tensor) -> Self {
        Self {
            residual: Some(residual),
            ..Self::BIAS
        }
    }

    /// `activation(x·W + b)`
    pub(crate) fn activated(activation: Activation) -> Self {
        Self {
            activation: Some(activation),
            ..Self::BIAS
        }
    }
}

/// Which columns an attention sees, and how it weighs them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttentionShape<'a> {
    /// The first column of each row that holds a key; columns before it are padding.
    pub(crate) starts: &'a [usize], // [batch]
    /// What the products of queries and keys are multiplied by.
    pub(crate) scale: f32,
}

/// The function between an MLP's linear maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// The tanh form of gelu, `gelu_new` in Hugging Face's names.
    GeluNew,
    /// gelu by the error function.
    Gelu,
    /// `x * sigmoid(x)`
    Silu,
}

/// How a norm measures a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// By the standard deviation, after taking away the mean.
    LayerNorm,
    /// By the root of the mean square.
    RmsNorm,
}

/// A norm without its gain and bias.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Norm {
    /// How a vector is measured.
    pub kind: NormKind,
    /// Added to the variance or the mean square.
    pub eps: f64,
}
