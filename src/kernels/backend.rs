//! The backend trait: the operations that take nearly all of the time. Models are the same code
//! over any backend.

use candle_core::{DType, Device, Tensor};

use super::matrix::WeightMatrix;
use crate::error::Result;

/// Computes a model; chosen once, when the model is loaded.
///
/// Every operation takes and returns ordinary candle tensors on [`Backend::device`], so hooks see
/// the same tensors on every backend.
pub(crate) trait Backend: Send + Sync {
    /// Where tensors live.
    fn device(&self) -> &Device;

    /// The number type of activations.
    fn activation_dtype(&self) -> DType;

    /// Converts a weight into the form that this backend multiplies with; bias `[out]`.
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

    /// A norm over the last axis, without gain and bias.
    fn norm(&self, x: &Tensor, norm: Norm) -> Result<Tensor>;

    /// The activation function of an MLP.
    fn activation(&self, x: &Tensor, activation: Activation) -> Result<Tensor>;
}

/// A linear map `x·W + b`.
pub(crate) trait Linear: Send + Sync {
    /// x `[.., in]` -> `[.., out]`
    fn forward(&self, x: &Tensor, after: After) -> Result<Tensor>;
}

/// What follows a product, in this order, while the result is still in cache.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct After<'a> {
    /// Whether to add the map's bias.
    pub(crate) bias: bool,
    /// A tensor to add, `[.., out]`.
    pub(crate) residual: Option<&'a Tensor>,
    /// The function to apply.
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

/// Which columns attention sees, and how scores are scaled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttentionShape<'a> {
    /// The first column of each row that holds a key; the columns before it are padding.
    pub(crate) starts: &'a [usize], // [batch]
    /// The factor for the products of queries and keys.
    pub(crate) scale: f32,
}

/// The function between the linear maps of an MLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// The tanh approximation of gelu, Hugging Face's `gelu_new`.
    GeluNew,
    /// gelu with the error function.
    Gelu,
    /// `x * sigmoid(x)`
    Silu,
}

/// What a norm divides a vector by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormKind {
    /// The standard deviation, after subtracting the mean.
    LayerNorm,
    /// The root of the mean square.
    RmsNorm,
}

/// A norm without gain and bias.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Norm {
    /// What a vector is divided by.
    pub kind: NormKind,
    /// Added to the variance or the mean square before its root is taken.
    pub eps: f64,
}
