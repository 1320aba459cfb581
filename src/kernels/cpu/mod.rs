//! The CPU's fast kernels: packed weights, fused attention, vectorised reductions.

mod attention;
mod huge_pages;
mod linear;
mod microkernel;
mod packed;
pub(crate) mod reductions;
pub(crate) mod workers;

#[cfg(feature = "internals")]
pub(crate) use linear::PackedLinear;

use candle_core::{D, DType, Device, Tensor};

use super::backend::{AttentionShape, Backend, Linear, Norm};
use super::matrix::WeightMatrix;
use super::values::map_parts;
use super::{Activation, NormKind};
use crate::error::Result;

/// Weights packed as f32 or bf16. Inputs, sums and activations are f32 either way.
pub(crate) struct CpuBackend {
    weight_dtype: DType,
}

/// Values that fit into the first-level cache.
const VALUES_PER_PART: usize = 1 << 12;

impl CpuBackend {
    pub(crate) fn new(weight_dtype: DType) -> Self {
        Self { weight_dtype }
    }
}

impl Backend for CpuBackend {
    fn device(&self) -> &Device {
        &Device::Cpu
    }

    fn activation_dtype(&self) -> DType {
        DType::F32
    }

    fn linear(&self, weights: &WeightMatrix, bias: Option<Vec<f32>>) -> Result<Box<dyn Linear>> {
        let packed = linear::PackedLinear::new(weights, bias, self.weight_dtype);
        Ok(Box::new(packed))
    }

    fn attention(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        shape: AttentionShape,
    ) -> Result<Tensor> {
        Ok(attention::attention(q, k, v, shape)?)
    }

    fn norm(&self, x: &Tensor, norm: Norm) -> Result<Tensor> {
        let eps = norm.eps as f32;
        let normalized = map_parts(x, "norm", x.dim(D::Minus1)?, |row| match norm.kind {
            NormKind::LayerNorm => reductions::layer_norm(row, eps),
            NormKind::RmsNorm => reductions::rms_norm(row, eps),
        })?;
        Ok(normalized)
    }

    fn activation(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        // The same function that linear maps apply to their results.
        let activate = |values: &mut [f32]| reductions::activate(activation, values);
        Ok(map_parts(x, "activation", VALUES_PER_PART, activate)?)
    }
}
