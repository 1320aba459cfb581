//! The linear map over a packed weight, as a candle custom operation.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, DType, Layout, Shape, Tensor};

use super::microkernel::Bf16Pair;
use super::packed::{Epilogue, PackedWeight};
use crate::error::Result;
use crate::kernels::values::contiguous;
use crate::kernels::{After, Linear, WeightMatrix};

/// `x·W + b` with W packed. Inputs, sums and outputs are f32, whatever the type of W.
pub(crate) struct PackedLinear {
    weight: Packed,
    bias: Option<Vec<f32>>, // [out]
}

enum Packed {
    F32(PackedWeight<f32>),
    Bf16(PackedWeight<Bf16Pair>),
}

impl PackedLinear {
    /// Packs a weight as `dtype`: f32 or bf16.
    pub(crate) fn new(weights: &WeightMatrix, bias: Option<Vec<f32>>, dtype: DType) -> Self {
        let (inputs, outputs) = weights.sizes();
        let read = |input, first, to: &mut [f32]| weights.read(input, first, to);
        let weight = match dtype {
            DType::BF16 => Packed::Bf16(PackedWeight::pack(inputs, outputs, read)),
            _ => Packed::F32(PackedWeight::pack(inputs, outputs, read)),
        };
        Self { weight, bias }
    }
}

impl Linear for PackedLinear {
    fn forward(&self, x: &Tensor, after: After) -> Result<Tensor> {
        let product = Product {
            weight: &self.weight,
            bias: self.bias.as_deref().filter(|_| after.bias),
            after,
        };
        let x = x.contiguous()?;
        Ok(match after.residual {
            Some(residual) => x.apply_op2_no_bwd(&residual.contiguous()?, &product)?,
            None => x.apply_op1_no_bwd(&product)?,
        })
    }
}

impl Packed {
    fn sizes(&self) -> (usize, usize) {
        match self {
            Self::F32(weight) => (weight.inputs(), weight.outputs()),
            Self::Bf16(weight) => (weight.inputs(), weight.outputs()),
        }
    }

    fn multiply(&self, x: &[f32], epilogue: Epilogue) -> Vec<f32> {
        match self {
            Self::F32(weight) => weight.multiply(x, epilogue),
            Self::Bf16(weight) => weight.multiply(x, epilogue),
        }
    }
}

struct Product<'a> {
    weight: &'a Packed,
    bias: Option<&'a [f32]>,
    after: After<'a>,
}

impl Product<'_> {
    fn run(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        residual: Option<&[f32]>,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (inputs, outputs) = self.weight.sizes();
        let mut dims = layout.dims().to_vec();
        match dims.last_mut() {
            Some(last) if *last == inputs => *last = outputs,
            _ => candle_core::bail!(
                "a linear map of {inputs} inputs was given shape {:?}",
                layout.dims()
            ),
        }
        let epilogue = Epilogue {
            bias: self.bias,
            residual,
            activation: self.after.activation,
        };
        let out = self.weight.multiply(contiguous(x, layout)?, epilogue);
        Ok((CpuStorage::F32(out), Shape::from(dims)))
    }
}

impl CustomOp1 for Product<'_> {
    fn name(&self) -> &'static str {
        "packed-linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        self.run(x, layout, None)
    }
}

impl CustomOp2 for Product<'_> {
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
    use candle_core::Device;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};

    use super::*;
    use crate::kernels::{Activation, Order};
    use crate::weights::TensorView;

    fn values(n: usize, seed: u64) -> Vec<f32> {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
    }

    fn pack(
        w: &[f32],
        order: Order,
        (k, n): (usize, usize),
        bias: Option<Vec<f32>>,
        dtype: DType,
    ) -> PackedLinear {
        let shape = match order {
            Order::InOut => [k, n],
            Order::OutIn => [n, k],
        };
        let weights = WeightMatrix::new(TensorView::of_f32(w, &shape), order);
        PackedLinear::new(&weights, bias, dtype)
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
            let linear = pack(&w, order, (k, n), Some(b.clone()), dtype);
            let input = Tensor::from_slice(&x, (1, m, k), &Device::Cpu).unwrap();
            let expected = plain(&x, &w, order, &b, (k, n));
            let close = |got: Tensor, expected: Vec<f64>| {
                prop_assert_eq!(got.dims(), &[1, m, n]);
                for (got, want) in got.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().zip(expected) {
                    prop_assert!((f64::from(*got) - want).abs() < 2e-5 * (1.0 + want.abs()), "{} {}", got, want);
                }
                Ok(())
            };
            close(linear.forward(&input, After::BIAS).unwrap(), expected.clone())?;
            let gelu = After { activation: Some(Activation::GeluNew), ..After::BIAS };
            close(linear.forward(&input, gelu).unwrap(), expected.iter().map(|y| gelu_new(*y)).collect())?;
            let residual = values(m * n, seed ^ 3);
            let sum = expected.iter().zip(&residual).map(|(y, r)| y + f64::from(*r)).collect();
            let residual = Tensor::from_slice(&residual, (1, m, n), &Device::Cpu).unwrap();
            let add = After { residual: Some(&residual), ..After::BIAS };
            close(linear.forward(&input, add).unwrap(), sum)?;
            let without = expected.iter().enumerate().map(|(i, y)| y - f64::from(b[i % n])).collect();
            close(linear.forward(&input, After::NOTHING).unwrap(), without)?;
        }

        /// A row's result does not depend on how many rows are computed with it, down to the last
        /// bit: texts must not depend on batching.
        #[test]
        fn a_row_does_not_depend_on_its_batch(
            m in prop_oneof![2usize..40, 120usize..400], k in 1usize..600, n in 1usize..200, bf16: bool, seed: u64,
        ) {
            let dtype = if bf16 { DType::BF16 } else { DType::F32 };
            let (x, w) = (values(m * k, seed), values(k * n, seed ^ 1));
            let linear = pack(&w, Order::InOut, (k, n), None, dtype);
            let all = Tensor::from_slice(&x, (m, k), &Device::Cpu).unwrap();
            let together = linear.forward(&all, After::BIAS).unwrap().to_vec2::<f32>().unwrap();
            for (i, row) in together.iter().enumerate().step_by(1 + m / 40) {
                let alone = linear.forward(&all.narrow(0, i, 1).unwrap(), After::BIAS).unwrap().to_vec2::<f32>().unwrap();
                prop_assert_eq!(&alone[0], row);
            }
        }
    }

    #[test]
    fn a_wrong_width_is_an_error() {
        let linear = pack(&[1.0; 6], Order::InOut, (2, 3), None, DType::F32);
        let x = Tensor::zeros((1, 3), DType::F32, &Device::Cpu).unwrap();
        let error = linear.forward(&x, After::BIAS).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the tensor library refused: a linear map of 2 inputs was given shape [1, 3]"
        );
    }
}
