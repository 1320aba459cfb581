//! What benchmarks use of the kernels: a packed linear map on its own.

use candle_core::{DType, Tensor};

use super::backend::{After, Linear};
use super::cpu::PackedLinear;
use super::matrix::{Order, WeightMatrix};
use crate::error::Result;
use crate::weights::TensorView;

/// A packed weight with its bias.
pub struct PackedMap(PackedLinear);

impl PackedMap {
    /// Packs a weight `[in, out]` and its bias `[out]`, kept as f32 or bf16.
    pub fn new(
        weight: &[f32],
        (inputs, outputs): (usize, usize),
        bias: Vec<f32>,
        dtype: DType,
    ) -> Self {
        let shape = [inputs, outputs];
        let matrix = WeightMatrix::new(TensorView::of_f32(weight, &shape), Order::InOut);
        Self(PackedLinear::new(&matrix, Some(bias), dtype))
    }

    /// `x·W + b`; x `[rows, in]` -> `[rows, out]`
    ///
    /// # Errors
    /// If x has another width.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.0.forward(x, After::BIAS)
    }
}
