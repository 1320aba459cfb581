//! The backend in plain candle operations, which runs on CUDA and Metal. Tests force it on the CPU
//! too and compare it with the fast kernels.

use candle_core::{D, DType, Device, Tensor};

use super::backend::{After, AttentionShape, Backend, Linear, Norm};
use super::matrix::WeightMatrix;
use super::{Activation, NormKind};
use crate::error::Result;

/// Weights and activations are tensors of one number type. On the CPU activations are f32, since
/// candle has no fast half-precision arithmetic there.
pub(crate) struct CandleBackend {
    device: Device,
    weight_dtype: DType,
    activation_dtype: DType,
}

impl CandleBackend {
    pub(crate) fn new(device: Device, dtype: DType) -> Self {
        let activation_dtype = if device.is_cpu() { DType::F32 } else { dtype };
        Self {
            device,
            weight_dtype: dtype,
            activation_dtype,
        }
    }
}

impl Backend for CandleBackend {
    fn device(&self) -> &Device {
        &self.device
    }

    fn activation_dtype(&self) -> DType {
        self.activation_dtype
    }

    fn linear(&self, weights: &WeightMatrix, bias: Option<Vec<f32>>) -> Result<Box<dyn Linear>> {
        let (inputs, outputs) = weights.sizes();
        let mut values = vec![0.0; inputs * outputs];
        for (input, row) in values.chunks_mut(outputs.max(1)).enumerate() {
            weights.read(input, 0, row);
        }
        let tensor = |values: Vec<f32>, shape: &[usize]| -> candle_core::Result<Tensor> {
            Tensor::from_vec(values, shape, &self.device)?
                .to_dtype(self.weight_dtype)?
                .to_dtype(self.activation_dtype)
        };
        Ok(Box::new(DenseLinear {
            weight: tensor(values, &[inputs, outputs])?,
            bias: match bias {
                // A bias is small, so it keeps its precision.
                Some(bias) => Some(
                    Tensor::from_vec(bias, outputs, &self.device)?
                        .to_dtype(self.activation_dtype)?,
                ),
                None => None,
            },
        }))
    }

    fn attention(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        shape: AttentionShape,
    ) -> Result<Tensor> {
        let q = q.transpose(1, 2)?.contiguous()?; // [batch, head, query, d_head]
        let (k, v) = (heads_of(k, q.dim(1)?)?, heads_of(v, q.dim(1)?)?);
        let scores = (q.matmul(&k.t()?)? * f64::from(shape.scale))?;
        let scores = hide_columns(&scores, shape.starts)?; // [batch, head, query, column]
        let pattern = candle_nn::ops::softmax(&scores, D::Minus1)?;
        Ok(pattern.matmul(&v)?.transpose(1, 2)?.contiguous()?)
    }

    fn norm(&self, x: &Tensor, norm: Norm) -> Result<Tensor> {
        let (centered, scale) = norm_parts(x, norm)?;
        Ok(centered.broadcast_div(&scale)?)
    }

    fn activation(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        Ok(match activation {
            Activation::GeluNew => x.gelu()?,
            Activation::Gelu => x.gelu_erf()?,
            Activation::Silu => x.silu()?,
        })
    }
}

struct DenseLinear {
    weight: Tensor,       // [in, out]
    bias: Option<Tensor>, // [out]
}

impl Linear for DenseLinear {
    fn forward(&self, x: &Tensor, after: After) -> Result<Tensor> {
        let (inputs, outputs) = self.weight.dims2()?;
        let mut shape = x.dims().to_vec();
        if let Some(last) = shape.last_mut() {
            *last = outputs;
        }
        let mut y = x
            .reshape(((), inputs))?
            .matmul(&self.weight)?
            .reshape(shape)?;
        if let Some(bias) = self.bias.as_ref().filter(|_| after.bias) {
            y = y.broadcast_add(bias)?;
        }
        if let Some(residual) = after.residual {
            y = (residual + y)?;
        }
        Ok(match after.activation {
            Some(Activation::GeluNew) => y.gelu()?,
            Some(Activation::Gelu) => y.gelu_erf()?,
            Some(Activation::Silu) => y.silu()?,
            None => y,
        })
    }
}

/// The dividend and divisor of a norm, as tensors: x `[.., width]` -> x, centred for a LayerNorm,
/// and the scale `[.., 1]`.
pub(crate) fn norm_parts(x: &Tensor, norm: Norm) -> Result<(Tensor, Tensor)> {
    let centered = match norm.kind {
        NormKind::LayerNorm => x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?,
        NormKind::RmsNorm => x.clone(),
    };
    let scale = (centered.sqr()?.mean_keepdim(D::Minus1)? + norm.eps)?.sqrt()?;
    Ok((centered, scale))
}

/// Repeats keys or values `[batch, kv_head, column, d_head]` so that each of the `heads` query
/// heads has its own.
pub(crate) fn heads_of(kv: &Tensor, heads: usize) -> Result<Tensor> {
    let (batch, kv_heads, columns, d_head) = kv.dims4()?;
    if heads == kv_heads {
        return Ok(kv.contiguous()?);
    }
    let sharing = heads / kv_heads;
    Ok(kv
        .unsqueeze(2)?
        .expand((batch, kv_heads, sharing, columns, d_head))?
        .reshape((batch, heads, columns, d_head))?)
}

/// Sets the scores of columns that a query must not see to -inf: the columns after its own, and the
/// padding before a row's first. scores `[batch, head, query, column]`.
pub(crate) fn hide_columns(scores: &Tensor, starts: &[usize]) -> Result<Tensor> {
    let (batch, _, queries, columns) = scores.dims4()?;
    if queries == 1 && starts.iter().all(|start| *start == 0) {
        return Ok(scores.clone());
    }
    let past = columns - queries;
    let same = starts.windows(2).all(|pair| pair[0] == pair[1]);
    let rows = if same {
        &starts[..1.min(batch)]
    } else {
        starts
    };
    let visible: Vec<u8> = rows
        .iter()
        .flat_map(|start| {
            (0..queries).flat_map(move |query| {
                (0..columns).map(move |column| u8::from(*start <= column && column <= past + query))
            })
        })
        .collect();
    let visible = Tensor::from_vec(visible, (rows.len(), 1, queries, columns), scores.device())?
        .broadcast_as(scores.shape())?;
    let never = Tensor::new(f32::NEG_INFINITY, scores.device())?
        .to_dtype(scores.dtype())?
        .broadcast_as(scores.shape())?;
    Ok(visible.where_cond(scores, &never)?)
}
