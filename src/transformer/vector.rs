//! A few loops over many numbers, in vectors of whatever width the machine has.
//!
//! rten-vecmath has the same, but folds that the compiler does not always inline, and a vector
//! operation that is not inlined costs a call: over a vocabulary that was half of the sampler's
//! time.

use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, Simd, SimdOp, SimdUnaryOp};
use rten_vecmath::Exp;

/// The largest value; -inf of none.
pub fn max(values: &[f32]) -> f32 {
    Max(values).dispatch()
}

/// `sum(exp(values - max))`
pub fn sum_exp(values: &[f32], max: f32) -> f32 {
    SumExp { values, max }.dispatch()
}

/// `log(sum(exp(values)))`
pub fn log_sum_exp(values: &[f32]) -> f32 {
    let max = max(values);
    max + sum_exp(values, max).ln()
}

/// Sums that are kept side by side, so that none waits for the one before.
const UNROLL: usize = 4;

struct Max<'a>(&'a [f32]);

impl SimdOp for Max<'_> {
    type Output = f32;

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) -> f32 {
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

struct SumExp<'a> {
    values: &'a [f32],
    max: f32,
}

impl SimdOp for SumExp<'_> {
    type Output = f32;

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) -> f32 {
        let ops = isa.f32();
        let lanes = ops.len();
        let max = ops.splat(self.max);
        let mut sums = [ops.zero(); UNROLL];
        let mut parts = self.values.chunks_exact(UNROLL * lanes);
        for part in &mut parts {
            for (sum, values) in sums.iter_mut().zip(part.chunks_exact(lanes)) {
                let distance = ops.sub(ops.load(values), max);
                *sum = ops.add(*sum, Exp {}.eval(isa, distance));
            }
        }
        let rest: f32 = parts.remainder().iter().map(|x| (x - self.max).exp()).sum();
        let [a, b, c, d] = sums;
        ops.sum(ops.add(ops.add(a, b), ops.add(c, d))) + rest
    }
}

/// Probabilities in the place of scores.
#[inline(always)]
pub fn softmax_with<I: Isa>(isa: I, scores: &mut [f32]) {
    let ops = isa.f32();
    let lanes = ops.len();
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut total = 0.0;
    for part in scores.chunks_mut(lanes) {
        let (values, _) = ops.load_pad(part);
        let weights = Exp {}.eval(isa, ops.sub(values, ops.splat(max)));
        for (score, weight) in part.iter_mut().zip(weights.to_array()) {
            *score = weight;
            total += weight;
        }
    }
    for score in scores {
        *score /= total;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct SoftmaxOp<'a>(&'a mut [f32]);

    impl SimdOp for SoftmaxOp<'_> {
        type Output = ();

        #[inline(always)]
        fn eval<I: Isa>(self, isa: I) {
            softmax_with(isa, self.0);
        }
    }

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
            SoftmaxOp(&mut scores).dispatch();
            for (found, wanted) in scores.iter().zip(exps) {
                prop_assert!(near(*found, wanted / total), "{} {}", found, wanted / total);
            }
        }
    }

    #[test]
    fn of_nothing() {
        assert_eq!(max(&[]), f32::NEG_INFINITY);
        assert_eq!(sum_exp(&[], 0.0), 0.0);
    }
}
