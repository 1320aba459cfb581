//! The linear map `y = x·W + b`, the one operation that nearly all time goes into.
//!
//! On the CPU the weight is rearranged once, at load, into the panels that the product reads
//! ([`super::panels`]), and the product is a candle custom operation over them: 2 to 5 times faster
//! than one that packs on each call, most of all for the few rows of a decoding step. On other
//! devices the weight is an ordinary candle tensor.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, DType, Device, Layout, Shape, Tensor};

use super::checkpoint::Values;
use super::panels::{Epilogue, Panels};
use super::product::Bf16Pair;
use super::values::contiguous;
use crate::error::Result;

/// A linear map from `in_features` to `out_features`.
pub struct Linear {
    weight: Weight,
    in_features: usize,
    out_features: usize,
}

enum Weight {
    Packed {
        panels: Packed,
        bias: Option<Vec<f32>>, // [out]
    },
    Dense {
        weight: Tensor,       // [in, out]
        bias: Option<Tensor>, // [out]
    },
}

/// A packed weight, on the CPU. Whatever it is kept in, inputs, sums and outputs are f32.
enum Packed {
    F32(Panels<f32>),
    Bf16(Panels<Bf16Pair>),
}

/// How a weight's values lie in the slice that it is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Row-major `[in, out]`, as GPT-2's Conv1D layers are stored.
    InOut,
    /// Row-major `[out, in]`, as an embedding that serves as unembedding is.
    OutIn,
}

/// The values that a map is made from, as a checkpoint has them, and what processing does to them.
/// That is worked out as they are read, so that no second copy of them is needed.
pub struct Weights<'a> {
    pub values: Values<'a>,
    pub order: Order,
    /// Inputs and outputs.
    pub sizes: (usize, usize),
    /// What the values of an input are multiplied by, `[in]`.
    pub scale: Vec<f32>,
    /// What is then taken from them, `[in]`.
    pub shift: Vec<f32>,
}

impl<'a> Weights<'a> {
    /// The values as they are.
    pub fn new(values: impl Into<Values<'a>>, order: Order, sizes: (usize, usize)) -> Self {
        Self {
            values: values.into(),
            order,
            sizes,
            scale: vec![1.0; sizes.0],
            shift: vec![0.0; sizes.0],
        }
    }

    /// Some outputs of an input, from `first` on.
    fn read(&self, input: usize, first: usize, to: &mut [f32]) {
        let (inputs, outputs) = self.sizes;
        let (scale, shift) = (self.scale[input], self.shift[input]);
        match self.order {
            Order::InOut => {
                let values = &self.values[input * outputs + first..];
                for (to, value) in to.iter_mut().zip(values) {
                    *to = value * scale - shift;
                }
            }
            Order::OutIn => {
                let values = self.values[first * inputs + input..].iter().step_by(inputs);
                for (to, value) in to.iter_mut().zip(values) {
                    *to = value * scale - shift;
                }
            }
        }
    }
}

impl Linear {
    /// Packs (or uploads) a weight. `dtype` is what it is kept in: f32 or bf16 on the CPU.
    pub fn new(
        weights: &Weights,
        bias: Option<Vec<f32>>,
        device: &Device,
        dtype: DType,
    ) -> Result<Self> {
        let (in_features, out_features) = weights.sizes;
        let weight = if device.is_cpu() {
            Weight::Packed {
                panels: Packed::new(weights, dtype),
                bias,
            }
        } else {
            let mut values = vec![0.0; in_features * out_features];
            for (input, row) in values.chunks_mut(out_features).enumerate() {
                weights.read(input, 0, row);
            }
            Weight::Dense {
                weight: Tensor::from_vec(values, weights.sizes, device)?.to_dtype(dtype)?,
                bias: bias
                    .map(|bias| Tensor::from_vec(bias, out_features, device)?.to_dtype(dtype))
                    .transpose()?,
            }
        };
        Ok(Self {
            weight,
            in_features,
            out_features,
        })
    }

    /// `x·W + b`; x `[.., in]` -> `[.., out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.apply(x, true, false)
    }

    /// `gelu(x·W + b)`, the gelu taken while the product is still in cache.
    pub fn forward_gelu(&self, x: &Tensor) -> Result<Tensor> {
        self.apply(x, true, true)
    }

    /// `x·W` without the bias.
    pub fn forward_without_bias(&self, x: &Tensor) -> Result<Tensor> {
        self.apply(x, false, false)
    }

    /// `residual + x·W + b`; residual `[.., out]`.
    pub fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        match &self.weight {
            Weight::Packed { panels, bias } => {
                let op = PackedProduct {
                    panels,
                    bias: bias.as_deref(),
                    gelu: false,
                };
                Ok(x.contiguous()?
                    .apply_op2_no_bwd(&residual.contiguous()?, &op)?)
            }
            Weight::Dense { .. } => Ok((residual + self.forward(x)?)?),
        }
    }

    fn apply(&self, x: &Tensor, biased: bool, gelu: bool) -> Result<Tensor> {
        match &self.weight {
            Weight::Packed { panels, bias } => {
                let op = PackedProduct {
                    panels,
                    bias: bias.as_deref().filter(|_| biased),
                    gelu,
                };
                Ok(x.contiguous()?.apply_op1_no_bwd(&op)?)
            }
            Weight::Dense { weight, bias } => {
                let mut shape = x.dims().to_vec();
                if let Some(last) = shape.last_mut() {
                    *last = self.out_features;
                }
                let mut y = x
                    .reshape(((), self.in_features))?
                    .matmul(weight)?
                    .reshape(shape)?;
                if let Some(bias) = bias.as_ref().filter(|_| biased) {
                    y = y.broadcast_add(bias)?;
                }
                Ok(if gelu { y.gelu()? } else { y })
            }
        }
    }
}

impl Packed {
    fn new(weights: &Weights, dtype: DType) -> Self {
        let (inputs, outputs) = weights.sizes;
        let read = |input, first, to: &mut [f32]| weights.read(input, first, to);
        match dtype {
            DType::BF16 => Self::Bf16(Panels::pack(inputs, outputs, read)),
            _ => Self::F32(Panels::pack(inputs, outputs, read)),
        }
    }

    fn sizes(&self) -> (usize, usize) {
        match self {
            Self::F32(panels) => (panels.inputs(), panels.outputs()),
            Self::Bf16(panels) => (panels.inputs(), panels.outputs()),
        }
    }

    fn multiply(&self, x: &[f32], epilogue: Epilogue) -> Vec<f32> {
        match self {
            Self::F32(panels) => panels.multiply(x, epilogue),
            Self::Bf16(panels) => panels.multiply(x, epilogue),
        }
    }
}

struct PackedProduct<'a> {
    panels: &'a Packed,
    bias: Option<&'a [f32]>,
    gelu: bool,
}

impl PackedProduct<'_> {
    fn run(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        residual: Option<&[f32]>,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (inputs, outputs) = self.panels.sizes();
        let mut dims = layout.dims().to_vec();
        match dims.last_mut() {
            Some(last) if *last == inputs => *last = outputs,
            _ => candle_core::bail!(
                "a linear map of {inputs} inputs was given shape {:?}",
                layout.dims()
            ),
        }
        let shape = Shape::from(dims);
        let epilogue = Epilogue {
            bias: self.bias,
            residual,
            gelu: self.gelu,
        };
        let out = self.panels.multiply(contiguous(x, layout)?, epilogue);
        Ok((CpuStorage::F32(out), shape))
    }
}

impl CustomOp1 for PackedProduct<'_> {
    fn name(&self) -> &'static str {
        "packed-linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        self.run(x, layout, None)
    }
}

impl CustomOp2 for PackedProduct<'_> {
    fn name(&self) -> &'static str {
        "packed-linear-add"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        residual: &CpuStorage,
        residual_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        self.run(x, layout, Some(contiguous(residual, residual_layout)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};

    fn values(n: usize, seed: u64) -> Vec<f32> {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
    }

    /// `x·W + b` in plain loops, in f64.
    fn plain(x: &[f32], w: &[f32], order: Order, b: &[f32], (k, n): (usize, usize)) -> Vec<f64> {
        x.chunks(k)
            .flat_map(|row| {
                (0..n).map(move |j| {
                    f64::from(b[j])
                        + row
                            .iter()
                            .enumerate()
                            .map(|(i, x)| {
                                let w = match order {
                                    Order::InOut => w[i * n + j],
                                    Order::OutIn => w[j * k + i],
                                };
                                f64::from(*x) * f64::from(w)
                            })
                            .sum::<f64>()
                })
            })
            .collect()
    }

    fn gelu_new(x: f64) -> f64 {
        0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x)).tanh())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn packed_products_equal_plain_loops(
            m in 1usize..20, k in 1usize..70, n in 1usize..90, out_in: bool, bf16: bool, seed: u64,
        ) {
            let order = if out_in { Order::OutIn } else { Order::InOut };
            let dtype = if bf16 { DType::BF16 } else { DType::F32 };
            let (x, mut w, b) = (values(m * k, seed), values(k * n, seed ^ 1), values(n, seed ^ 2));
            if bf16 {
                w.iter_mut().for_each(|w| *w = half::bf16::from_f32(*w).to_f32());
            }
            let linear = Linear::new(&Weights::new(&w[..], order, (k, n)), Some(b.clone()), &Device::Cpu, dtype).unwrap();
            let input = Tensor::from_slice(&x, (1, m, k), &Device::Cpu).unwrap();
            let expected = plain(&x, &w, order, &b, (k, n));
            let close = |got: Tensor, expected: Vec<f64>| {
                prop_assert_eq!(got.dims(), &[1, m, n]);
                for (got, want) in got.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().zip(expected) {
                    prop_assert!((f64::from(*got) - want).abs() < 2e-5 * (1.0 + want.abs()), "{} {}", got, want);
                }
                Ok(())
            };
            close(linear.forward(&input).unwrap(), expected.clone())?;
            close(linear.forward_gelu(&input).unwrap(), expected.iter().map(|y| gelu_new(*y)).collect())?;
            let residual = values(m * n, seed ^ 3);
            let sum = expected.iter().zip(&residual).map(|(y, r)| y + f64::from(*r)).collect();
            let residual = Tensor::from_slice(&residual, (1, m, n), &Device::Cpu).unwrap();
            close(linear.forward_add(&input, &residual).unwrap(), sum)?;
            let without = expected.iter().enumerate().map(|(i, y)| y - f64::from(b[i % n])).collect();
            close(linear.forward_without_bias(&input).unwrap(), without)?;
        }

        /// A row's result does not depend on how many rows are computed with it, to the last bit:
        /// texts may not depend on batching.
        #[test]
        fn a_row_does_not_depend_on_its_batch(
            m in prop_oneof![2usize..40, 120usize..400], k in 1usize..600, n in 1usize..200, bf16: bool, seed: u64,
        ) {
            let dtype = if bf16 { DType::BF16 } else { DType::F32 };
            let (x, w) = (values(m * k, seed), values(k * n, seed ^ 1));
            let linear = Linear::new(&Weights::new(&w[..], Order::InOut, (k, n)), None, &Device::Cpu, dtype).unwrap();
            let all = Tensor::from_slice(&x, (m, k), &Device::Cpu).unwrap();
            let together = linear.forward(&all).unwrap().to_vec2::<f32>().unwrap();
            for (i, row) in together.iter().enumerate().step_by(1 + m / 40) {
                let alone = linear.forward(&all.narrow(0, i, 1).unwrap()).unwrap().to_vec2::<f32>().unwrap();
                prop_assert_eq!(&alone[0], row);
            }
        }
    }

    #[test]
    fn a_wrong_width_is_an_error() {
        let weights = Weights::new(&[1.0; 6][..], Order::InOut, (2, 3));
        let linear = Linear::new(&weights, None, &Device::Cpu, DType::F32);
        let x = Tensor::zeros((1, 3), DType::F32, &Device::Cpu).unwrap();
        let error = linear.unwrap().forward(&x).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the tensor library refused: a linear map of 2 inputs was given shape [1, 3]"
        );
    }
}
