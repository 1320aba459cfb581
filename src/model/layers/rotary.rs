//! Rotary positions: pairs of a query's or key's dimensions are rotated by angles proportional to
//! the position, so that a query-key product depends on the distance between the two.

use candle_core::{D, DType, Device, Tensor};

use crate::error::Result;

/// The cosines and sines of all positions.
pub(crate) struct Rotary {
    cos: Tensor, // [n_ctx, dims / 2]
    sin: Tensor, // [n_ctx, dims / 2]
    dims: usize,
}

impl Rotary {
    /// Pair i of `dims / 2` turns by `base^(-2i / dims)` radians per position.
    pub(crate) fn new(
        (dims, base): (usize, f64),
        n_ctx: usize,
        device: &Device,
        dtype: DType,
    ) -> Result<Self> {
        let half = dims / 2;
        let angles = (0..n_ctx).flat_map(|pos| {
            (0..half).map(move |i| pos as f64 / libm::pow(base, (2 * i) as f64 / dims as f64))
        });
        let table = |f: fn(f64) -> f64| -> Result<Tensor> {
            let values: Vec<f32> = angles.clone().map(|angle| f(angle) as f32).collect();
            Ok(Tensor::from_vec(values, (n_ctx, half), device)?.to_dtype(dtype)?)
        };
        Ok(Self {
            cos: table(libm::cos)?,
            sin: table(libm::sin)?,
            dims,
        })
    }

    /// x `[batch, pos, head, d_head]`, with the `positions` of its tokens row by row -> the same
    /// shape. Each dimension of the first rotated half pairs with one of the second half.
    pub(crate) fn forward(&self, x: &Tensor, positions: &[u32]) -> Result<Tensor> {
        let (batch, pos, _, d_head) = x.dims4()?;
        let half = self.dims / 2;
        let at = Tensor::from_slice(positions, positions.len(), x.device())?;
        let of = |table: &Tensor| table.index_select(&at, 0)?.reshape((batch, pos, 1, half));
        let (cos, sin) = (of(&self.cos)?, of(&self.sin)?);
        let first = x.narrow(D::Minus1, 0, half)?;
        let second = x.narrow(D::Minus1, half, half)?;
        let turned_first = (first.broadcast_mul(&cos)? - second.broadcast_mul(&sin)?)?;
        let turned_second = (second.broadcast_mul(&cos)? + first.broadcast_mul(&sin)?)?;
        let rest = x.narrow(D::Minus1, self.dims, d_head - self.dims)?;
        let parts = match d_head - self.dims {
            0 => vec![turned_first, turned_second],
            _ => vec![turned_first, turned_second, rest],
        };
        // candle concatenates along the last axis through a transposed tensor.
        Ok(Tensor::cat(&parts, D::Minus1)?.contiguous()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_depend_only_on_the_distance() {
        let rotary = Rotary::new((4, 10000.0), 64, &Device::Cpu, DType::F32).unwrap();
        let values: Vec<f32> = (0..6).map(|i| 0.3 * i as f32 - 0.7).collect();
        let x = Tensor::from_vec(values, (1, 1, 1, 6), &Device::Cpu).unwrap();
        let product = |a: u32, b: u32| {
            let turned = |at| rotary.forward(&x, &[at]).unwrap().flatten_all().unwrap();
            let product = (turned(a) * turned(b)).unwrap();
            product.sum_all().unwrap().to_scalar::<f32>().unwrap()
        };
        assert!((product(3, 10) - product(40, 47)).abs() < 1e-5);
        assert!((product(3, 10) - product(3, 20)).abs() > 1e-2);
        // The last two dimensions don't rotate.
        let turned = rotary.forward(&x, &[63]).unwrap().flatten_all().unwrap();
        let (turned, x) = (turned.to_vec1::<f32>().unwrap(), x.flatten_all().unwrap());
        assert_eq!(turned[4..], x.to_vec1::<f32>().unwrap()[4..]);
    }
}
