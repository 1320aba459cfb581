//! Vectorised loops over many values, with the same bits on every machine.
//!
//! Rounding depends on the order of a sum, and the order of a plain vectorised sum depends on the
//! vector width. So sums use a fixed number of accumulators, however many vectors those take, and a
//! tree sum adds them up: a script's text does not depend on the machine.

use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use rten_simd::ops::{BitOps, FloatOps, NumOps};
use rten_simd::{Isa, Simd, SimdOp, SimdUnaryOp};
use rten_vecmath::{Erf, Exp, Silu};

use crate::kernels::Activation;

/// The largest value, or -inf if there are none.
pub(crate) fn max(values: &[f32]) -> f32 {
    Max(values).dispatch()
}

/// Whether no value is infinite or NaN.
pub(crate) fn all_finite(values: &[f32]) -> bool {
    // Without their signs, floats order like their bits; infinity and NaN come last.
    let largest = values.iter().fold(0, |largest: i32, value| {
        largest.max(value.abs().to_bits().cast_signed())
    });
    largest < f32::INFINITY.to_bits().cast_signed()
}

/// `sum(exp(values - max))`
pub(crate) fn sum_exp(values: &[f32], max: f32) -> f32 {
    SumOf {
        values,
        term: ExpShifted(max),
    }
    .dispatch()
}

/// `log(sum(exp(values)))`
pub(crate) fn log_sum_exp(values: &[f32]) -> f32 {
    let max = max(values);
    max + sum_exp(values, max).ln()
}

/// Turns scores into probabilities, in place.
pub(crate) fn softmax(scores: &mut [f32]) {
    Softmax(scores).dispatch();
}

/// Applies an activation function, in place.
pub(crate) fn activate(activation: Activation, values: &mut [f32]) {
    match activation {
        Activation::GeluNew => TanhGelu.map_mut(values),
        Activation::Gelu => ErfGelu.map_mut(values),
        Activation::Silu => Silu {}.map_mut(values),
    }
}

/// LayerNorm without gain and bias: `(values - mean) / sqrt(variance + eps)`
pub(crate) fn layer_norm(values: &mut [f32], eps: f32) {
    LayerNorm { values, eps }.dispatch();
}

/// RMSNorm without gain: `values / sqrt(mean(values^2) + eps)`
pub(crate) fn rms_norm(values: &mut [f32], eps: f32) {
    RmsNorm { values, eps }.dispatch();
}

/// Accumulators of a sum: four of the widest vectors, so that no addition waits for the one before.
const ACCUMULATORS: usize = 64;
/// Lanes of the narrowest vectors.
const FEWEST_LANES: usize = 4;

/// The term that each value adds to a sum.
trait Term: SimdUnaryOp<f32> {
    /// A value that adds nothing.
    fn neutral(&self) -> f32;

    #[inline(always)]
    fn add<I: Isa>(&self, isa: I, part: &[f32; ACCUMULATORS], sums: &mut [I::F32]) {
        let ops = isa.f32();
        for (sum, values) in sums.iter_mut().zip(part.chunks_exact(ops.len())) {
            *sum = ops.add(*sum, self.eval(isa, ops.load(values)));
        }
    }
}

struct SumOf<'a, T> {
    values: &'a [f32],
    term: T,
}

impl<T: Term> SimdOp for SumOf<'_, T> {
    type Output = f32;

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) -> f32 {
        let ops = isa.f32();
        let lanes = ops.len();
        let mut sums = [ops.zero(); ACCUMULATORS / FEWEST_LANES];
        let sums = &mut sums[..ACCUMULATORS / lanes];
        let (parts, rest) = self.values.as_chunks::<ACCUMULATORS>();
        for part in parts {
            self.term.add(isa, part, sums);
        }
        if !rest.is_empty() {
            let mut last = [self.term.neutral(); ACCUMULATORS];
            last[..rest.len()].copy_from_slice(rest);
            self.term.add(isa, &last, sums);
        }
        let mut accumulators = [0.0; ACCUMULATORS];
        for (accumulators, sum) in accumulators.chunks_exact_mut(lanes).zip(sums) {
            ops.store(*sum, accumulators);
        }
        tree_sum(accumulators)
    }
}

/// The tree sum of the accumulators: halves are added to each other, down to one value.
#[inline(always)]
pub(crate) fn tree_sum<const N: usize>(mut accumulators: [f32; N]) -> f32 {
    let mut half = N / 2;
    while half > 0 {
        for i in 0..half {
            accumulators[i] += accumulators[i + half];
        }
        half /= 2;
    }
    accumulators[0]
}

/// The value itself.
struct Identity;

impl SimdUnaryOp<f32> for Identity {
    #[inline(always)]
    fn eval<I: Isa>(&self, _: I, x: I::F32) -> I::F32 {
        x
    }
}

impl Term for Identity {
    fn neutral(&self) -> f32 {
        0.0
    }
}

/// The squared distance of a value from another. Not a fused multiply-add, which some machines
/// lack.
struct SquaredDistance(f32);

impl SimdUnaryOp<f32> for SquaredDistance {
    #[inline(always)]
    fn eval<I: Isa>(&self, isa: I, x: I::F32) -> I::F32 {
        let ops = isa.f32();
        let distance = ops.sub(x, ops.splat(self.0));
        ops.mul(distance, distance)
    }
}

impl Term for SquaredDistance {
    fn neutral(&self) -> f32 {
        self.0
    }
}

/// The exponential of a value's distance from another.
struct ExpShifted(f32);

impl SimdUnaryOp<f32> for ExpShifted {
    #[inline(always)]
    fn eval<I: Isa>(&self, isa: I, x: I::F32) -> I::F32 {
        let ops = isa.f32();
        Exp {}.eval(isa, ops.sub(x, ops.splat(self.0)))
    }
}

impl Term for ExpShifted {
    fn neutral(&self) -> f32 {
        f32::NEG_INFINITY
    }
}

/// `x / 2 * (1 + tanh(y))` with `y = sqrt(2 / pi) * (x + 0.044715 x^3)`, computed as `x / (1 +
/// exp(-2 y))`: twice as fast, and more accurate where tanh is near -1.
struct TanhGelu;

impl SimdUnaryOp<f32> for TanhGelu {
    #[inline(always)]
    fn eval<I: Isa>(&self, isa: I, x: I::F32) -> I::F32 {
        // -2 sqrt(2 / pi)
        const LINEAR: f32 = -2.0 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
        const CUBIC: f32 = LINEAR * 0.044_715;
        let ops = isa.f32();
        let slope = ops.mul_add(ops.mul(x, x), ops.splat(CUBIC), ops.splat(LINEAR));
        let power = Exp {}.eval(isa, ops.mul(x, slope));
        ops.div(x, ops.add(ops.one(), power))
    }
}

/// `x / 2 * (1 + erf(x / sqrt(2)))`
struct ErfGelu;

impl SimdUnaryOp<f32> for ErfGelu {
    #[inline(always)]
    fn eval<I: Isa>(&self, isa: I, x: I::F32) -> I::F32 {
        let ops = isa.f32();
        let erf = Erf {}.eval(isa, ops.mul(x, ops.splat(FRAC_1_SQRT_2)));
        let half = ops.mul(x, ops.splat(0.5));
        ops.mul(half, ops.add(ops.one(), erf))
    }
}

struct Max<'a>(&'a [f32]);

impl SimdOp for Max<'_> {
    type Output = f32;

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) -> f32 {
        const UNROLL: usize = 4;
        let ops = isa.f32();
        let lanes = ops.len();
        let mut best = [ops.splat(f32::NEG_INFINITY); UNROLL];
        let mut parts = self.0.chunks_exact(UNROLL * lanes);
        for part in &mut parts {
            for (best, values) in best.iter_mut().zip(part.chunks_exact(lanes)) {
                *best = ops.max(*best, ops.load(values));
            }
        }
        let [a, b, c, d] = best;
        let best = ops.max(ops.max(a, b), ops.max(c, d)).to_array();
        let rest = parts.remainder().iter();
        let all = best.into_iter().chain(rest.copied());
        all.fold(f32::NEG_INFINITY, f32::max)
    }
}

struct Softmax<'a>(&'a mut [f32]);

impl SimdOp for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        softmax_with(isa, self.0);
    }
}

/// [`softmax`] inside another vector operation.
#[inline(always)]
pub(crate) fn softmax_with<I: Isa>(isa: I, scores: &mut [f32]) {
    let ops = isa.f32();
    let lanes = ops.len();
    let weight = ExpShifted(Max(scores).eval(isa));
    let mut parts = scores.chunks_exact_mut(lanes);
    for part in &mut parts {
        ops.store(weight.eval(isa, ops.load(part)), part);
    }
    let rest = parts.into_remainder();
    let (values, _) = ops.load_pad(rest);
    let weights = weight.eval(isa, values).to_array();
    for (score, weight) in rest.iter_mut().zip(weights) {
        *score = weight;
    }
    let total = SumOf {
        values: scores,
        term: Identity,
    }
    .eval(isa);
    for score in scores {
        *score /= total;
    }
}

struct LayerNorm<'a> {
    values: &'a mut [f32],
    eps: f32,
}

impl SimdOp for LayerNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let ops = isa.f32();
        let lanes = ops.len();
        let n = self.values.len() as f32;
        let sum = SumOf {
            values: self.values,
            term: Identity,
        };
        let mean = sum.eval(isa) / n;
        let squares = SumOf {
            values: self.values,
            term: SquaredDistance(mean),
        };
        let scale = 1.0 / (squares.eval(isa) / n + self.eps).sqrt();
        let mut parts = self.values.chunks_exact_mut(lanes);
        for part in &mut parts {
            let distance = ops.sub(ops.load(part), ops.splat(mean));
            ops.store(ops.mul(distance, ops.splat(scale)), part);
        }
        for value in parts.into_remainder() {
            *value = (*value - mean) * scale;
        }
    }
}

struct RmsNorm<'a> {
    values: &'a mut [f32],
    eps: f32,
}

impl SimdOp for RmsNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let ops = isa.f32();
        let n = self.values.len() as f32;
        let squares = SumOf {
            values: self.values,
            term: SquaredDistance(0.0),
        };
        let scale = 1.0 / (squares.eval(isa) / n + self.eps).sqrt();
        let mut parts = self.values.chunks_exact_mut(ops.len());
        for part in &mut parts {
            ops.store(ops.mul(ops.load(part), ops.splat(scale)), part);
        }
        for value in parts.into_remainder() {
            *value *= scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rten_simd::isa::GenericIsa;

    proptest! {
        #[test]
        fn the_same_as_plain_loops(values in proptest::collection::vec(-40.0f32..40.0, 1..300)) {
            let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            prop_assert_eq!(max(&values), largest);
            let exps: Vec<f64> = values.iter().map(|x| f64::from(x - largest).exp()).collect();
            let total: f64 = exps.iter().sum();
            let near = |found: f32, wanted: f64| (f64::from(found) - wanted).abs() <= 1e-5 * wanted.abs().max(1e-6);
            prop_assert!(near(sum_exp(&values, largest), total));
            prop_assert!((f64::from(log_sum_exp(&values)) - f64::from(largest) - total.ln()).abs() < 1e-4);
            let mut scores = values.clone();
            softmax(&mut scores);
            for (found, wanted) in scores.iter().zip(exps) {
                prop_assert!(near(*found, wanted / total), "{} {}", found, wanted / total);
            }
            let n = values.len() as f64;
            let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
            let variance = values.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / n;
            let mut normalized = values.clone();
            layer_norm(&mut normalized, 0.1);
            for (found, x) in normalized.iter().zip(&values) {
                let wanted = (f64::from(*x) - mean) / (variance + 0.1).sqrt();
                prop_assert!((f64::from(*found) - wanted).abs() < 1e-4, "{} {}", found, wanted);
            }
            let square = values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / n;
            let mut normalized = values.clone();
            rms_norm(&mut normalized, 0.1);
            for (found, x) in normalized.iter().zip(&values) {
                let wanted = f64::from(*x) / (square + 0.1).sqrt();
                prop_assert!((f64::from(*found) - wanted).abs() < 1e-4, "{} {}", found, wanted);
            }
        }

        /// Vectors of four lanes and the machine's own give the same bits.
        #[test]
        fn bits_do_not_depend_on_the_vector_width(values in proptest::collection::vec(-40.0f32..40.0, 1..300)) {
            let sum = || SumOf { values: &values, term: Identity };
            prop_assert_eq!(sum().dispatch().to_bits(), sum().eval(GenericIsa::new()).to_bits());
            let squares = || SumOf { values: &values, term: SquaredDistance(0.3) };
            prop_assert_eq!(squares().dispatch().to_bits(), squares().eval(GenericIsa::new()).to_bits());
            let (mut here, mut narrow) = (values.clone(), values.clone());
            layer_norm(&mut here, 1e-5);
            LayerNorm { values: &mut narrow, eps: 1e-5 }.eval(GenericIsa::new());
            prop_assert_eq!(here, narrow);
        }
    }

    #[test]
    fn infinities_and_nans_are_found() {
        let mut values = [f32::MAX; 100];
        assert!(all_finite(&values));
        for odd in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -f32::NAN] {
            values[77] = odd;
            assert!(!all_finite(&values), "{odd}");
        }
    }

    #[test]
    fn empty_slices() {
        assert_eq!(max(&[]), f32::NEG_INFINITY);
        assert_eq!(sum_exp(&[], 0.0), 0.0);
    }
}
