//! A few loops over many numbers, in vectors of whatever width the machine has, with the same bits
//! on all of them.
//!
//! Rounding depends on the order of a sum, and a sum over vectors would be in the order of their
//! width. So sums are kept in a fixed number of places, whether a place is a vector's lane or a part
//! of several, and the places are added up in a fixed order: a script's text then does not depend
//! on the machine that it runs on.

use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use rten_simd::ops::{BitOps, FloatOps, NumOps};
use rten_simd::{Isa, Simd, SimdOp, SimdUnaryOp};
use rten_vecmath::Exp;

/// The largest value; -inf of none.
pub fn max(values: &[f32]) -> f32 {
    Max(values).dispatch()
}

/// Whether none is infinite or no number.
pub fn all_finite(values: &[f32]) -> bool {
    // Without its sign a float's bits order as its size does; infinity and NaN come last.
    let largest = values.iter().fold(0, |largest: i32, value| {
        largest.max(value.abs().to_bits().cast_signed())
    });
    largest < f32::INFINITY.to_bits().cast_signed()
}

/// `sum(exp(values - max))`
pub fn sum_exp(values: &[f32], max: f32) -> f32 {
    SumOf {
        values,
        term: ExpFrom(max),
    }
    .dispatch()
}

/// `log(sum(exp(values)))`
pub fn log_sum_exp(values: &[f32]) -> f32 {
    let max = max(values);
    max + sum_exp(values, max).ln()
}

/// Probabilities in the place of scores.
pub fn softmax(scores: &mut [f32]) {
    Softmax(scores).dispatch();
}

/// GPT-2's activation function, in place: `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))`
pub fn gelu(values: &mut [f32]) {
    Gelu.map_mut(values);
}

/// LayerNorm without gain and bias: `(values - mean) / sqrt(variance + eps)`
pub fn normalize(values: &mut [f32], eps: f32) {
    Normalize { values, eps }.dispatch();
}

/// Sums are kept in so many places: four of the widest vectors, so that none waits for the one
/// before.
const PLACES: usize = 64;
/// Lanes of the narrowest vectors.
const FEWEST_LANES: usize = 4;

/// What is summed for each value.
trait Term: SimdUnaryOp<f32> {
    /// A value that adds nothing.
    fn neutral(&self) -> f32;

    #[inline(always)]
    fn add<I: Isa>(&self, isa: I, part: &[f32; PLACES], sums: &mut [I::F32]) {
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
        let mut sums = [ops.zero(); PLACES / FEWEST_LANES];
        let sums = &mut sums[..PLACES / lanes];
        let (parts, rest) = self.values.as_chunks::<PLACES>();
        for part in parts {
            self.term.add(isa, part, sums);
        }
        if !rest.is_empty() {
            let mut last = [self.term.neutral(); PLACES];
            last[..rest.len()].copy_from_slice(rest);
            self.term.add(isa, &last, sums);
        }
        let mut places = [0.0; PLACES];
        for (places, sum) in places.chunks_exact_mut(lanes).zip(sums) {
            ops.store(*sum, places);
        }
        folded(places)
    }
}

/// The sum of all places: halves onto each other, down to one.
#[inline(always)]
pub fn folded<const N: usize>(mut places: [f32; N]) -> f32 {
    let mut half = N / 2;
    while half > 0 {
        for i in 0..half {
            places[i] += places[i + half];
        }
        half /= 2;
    }
    places[0]
}

/// A value itself.
struct Itself;

impl SimdUnaryOp<f32> for Itself {
    #[inline(always)]
    fn eval<I: Isa>(&self, _: I, x: I::F32) -> I::F32 {
        x
    }
}

impl Term for Itself {
    fn neutral(&self) -> f32 {
        0.0
    }
}

/// The square of a value's distance from another. Multiplied and added apart: there are machines
/// that can't do both at once.
struct SquareFrom(f32);

impl SimdUnaryOp<f32> for SquareFrom {
    #[inline(always)]
    fn eval<I: Isa>(&self, isa: I, x: I::F32) -> I::F32 {
        let ops = isa.f32();
        let distance = ops.sub(x, ops.splat(self.0));
        ops.mul(distance, distance)
    }
}

impl Term for SquareFrom {
    fn neutral(&self) -> f32 {
        self.0
    }
}

/// The exponential of a value's distance from another.
struct ExpFrom(f32);

impl SimdUnaryOp<f32> for ExpFrom {
    #[inline(always)]
    fn eval<I: Isa>(&self, isa: I, x: I::F32) -> I::F32 {
        let ops = isa.f32();
        Exp {}.eval(isa, ops.sub(x, ops.splat(self.0)))
    }
}

impl Term for ExpFrom {
    fn neutral(&self) -> f32 {
        f32::NEG_INFINITY
    }
}

/// As `x / (1 + exp(-2 y))` for `x / 2 * (1 + tanh(y))`: the same in half the time, and nearer to it
/// where the tangent is near -1.
struct Gelu;

impl SimdUnaryOp<f32> for Gelu {
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

/// [`softmax`] within another vector operation.
#[inline(always)]
pub fn softmax_with<I: Isa>(isa: I, scores: &mut [f32]) {
    let ops = isa.f32();
    let lanes = ops.len();
    let weight = ExpFrom(Max(scores).eval(isa));
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
        term: Itself,
    }
    .eval(isa);
    for score in scores {
        *score /= total;
    }
}

struct Normalize<'a> {
    values: &'a mut [f32],
    eps: f32,
}

impl SimdOp for Normalize<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let ops = isa.f32();
        let lanes = ops.len();
        let n = self.values.len() as f32;
        let sum = SumOf {
            values: self.values,
            term: Itself,
        };
        let mean = sum.eval(isa) / n;
        let squares = SumOf {
            values: self.values,
            term: SquareFrom(mean),
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
            normalize(&mut normalized, 0.1);
            for (found, x) in normalized.iter().zip(&values) {
                let wanted = (f64::from(*x) - mean) / (variance + 0.1).sqrt();
                prop_assert!((f64::from(*found) - wanted).abs() < 1e-4, "{} {}", found, wanted);
            }
        }

        /// Vectors of four lanes and those of this machine give the same bits.
        #[test]
        fn the_same_bits_whatever_the_vectors(values in proptest::collection::vec(-40.0f32..40.0, 1..300)) {
            let sum = || SumOf { values: &values, term: Itself };
            prop_assert_eq!(sum().dispatch().to_bits(), sum().eval(GenericIsa::new()).to_bits());
            let squares = || SumOf { values: &values, term: SquareFrom(0.3) };
            prop_assert_eq!(squares().dispatch().to_bits(), squares().eval(GenericIsa::new()).to_bits());
            let (mut here, mut narrow) = (values.clone(), values.clone());
            normalize(&mut here, 1e-5);
            Normalize { values: &mut narrow, eps: 1e-5 }.eval(GenericIsa::new());
            prop_assert_eq!(here, narrow);
        }
    }

    #[test]
    fn what_is_not_finite_is_found() {
        let mut values = [f32::MAX; 100];
        assert!(all_finite(&values));
        for odd in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -f32::NAN] {
            values[77] = odd;
            assert!(!all_finite(&values), "{odd}");
        }
    }

    #[test]
    fn of_nothing() {
        assert_eq!(max(&[]), f32::NEG_INFINITY);
        assert_eq!(sum_exp(&[], 0.0), 0.0);
    }
}
