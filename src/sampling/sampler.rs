//! The sampler: from a row's logits to its next token.
//!
//! It works on plain slices and finds the kept tokens by partial selection, so it never sorts the
//! vocabulary.

use std::cmp::Ordering;

use rten_simd::SimdUnaryOp;
use rten_vecmath::Exp;

use super::rng::exponential;
use crate::error::Result;
use crate::kernels::reductions;
use crate::rule::Rule;

/// How the next token is chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// Divides the logits. 0 takes the most likely token, and nothing else applies.
    pub temperature: f64,
    /// Keeps the k most likely tokens and all ties with the k-th. Takes precedence over `top_p`.
    pub top_k: Option<usize>,
    /// Keeps the most likely token, and further tokens as long as those before them have at most
    /// this total probability.
    pub top_p: Option<f64>,
    /// Subtracted from a token's logit for each time it occurs in the row: BOS, prompt and new
    /// tokens. Not divided by the temperature.
    pub freq_penalty: f64,
}

const AT_LEAST_ZERO: Rule<f64> = Rule {
    text: "0 or more",
    holds: |x| x.is_finite() && *x >= 0.0,
};

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: None,
            top_p: None,
            freq_penalty: 0.0,
        }
    }
}

impl Sampling {
    /// The range of [`Self::temperature`].
    pub const TEMPERATURE: Rule<f64> = AT_LEAST_ZERO;
    /// The range of [`Self::top_k`].
    pub const TOP_K: Rule<usize> = Rule {
        text: "1 or more",
        holds: |k| *k >= 1,
    };
    /// The range of [`Self::top_p`].
    pub const TOP_P: Rule<f64> = Rule {
        text: "above 0 and at most 1",
        holds: |p| *p > 0.0 && *p <= 1.0,
    };
    /// The range of [`Self::freq_penalty`].
    pub const FREQ_PENALTY: Rule<f64> = AT_LEAST_ZERO;

    /// Checks that all values are in range.
    ///
    /// # Errors
    /// For the first that is not.
    pub fn check(&self) -> Result<()> {
        Self::TEMPERATURE.check("temperature", &self.temperature)?;
        if let Some(top_k) = &self.top_k {
            Self::TOP_K.check("top_k", top_k)?;
        }
        if let Some(top_p) = &self.top_p {
            Self::TOP_P.check("top_p", top_p)?;
        }
        Self::FREQ_PENALTY.check("freq_penalty", &self.freq_penalty)
    }

    /// The divisor of the logits. Beyond these bounds f32 can't hold the quotients, and the
    /// distribution is already certain or flat.
    pub fn divisor(&self) -> f32 {
        self.temperature.clamp(1e-20, 1e20) as f32
    }

    /// Chooses the next token. `logits` must be finite, and are scratch space afterwards; `seen`
    /// holds the row's tokens so far with their counts.
    pub fn choose(
        &self,
        logits: &mut [f32],
        seen: impl IntoIterator<Item = (u32, u32)>,
        chance: Chance,
    ) -> u32 {
        if self.temperature == 0.0 {
            return argmax(logits);
        }
        let divisor = self.divisor();
        if divisor != 1.0 {
            for logit in logits.iter_mut() {
                *logit /= divisor;
            }
        }
        if self.freq_penalty > 0.0 {
            let penalty = self.freq_penalty as f32;
            for (token, count) in seen {
                logits[token as usize] -= penalty * count as f32;
            }
        }
        let max = reductions::max(logits);
        let kept = match (self.top_k, self.top_p) {
            (Some(k), _) if k < logits.len() => Some(most_likely(logits, k)),
            (None, Some(p)) if p < 1.0 => Some(nucleus(logits, max, p)),
            _ => None,
        };
        let of = |token: &u32| (*token, logits[*token as usize]);
        let all = || logits.iter().enumerate().map(|(i, x)| (i as u32, *x));
        match (kept, chance) {
            (Some(kept), Chance::Uniform(u)) => look_up(u, &kept, logits, max),
            (None, Chance::Uniform(u)) => look_up_in_all(u, logits, max),
            (Some(kept), Chance::Raw(raw)) => exponential_race(raw, kept.iter().map(of), max),
            (None, Chance::Raw(raw)) => exponential_race(raw, all(), max),
        }
    }
}

/// The randomness that decides between the remaining tokens.
pub enum Chance<'a> {
    /// A number in [0, 1), looked up in the cumulative distribution.
    Uniform(f64),
    /// torch's way: one raw number of its generator for every token of the vocabulary.
    Raw(&'a [u64]),
}

/// The first of the largest logits.
fn argmax(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (i, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = i;
        }
    }
    best as u32
}

/// The `k` most likely tokens and all ties with the last of them.
fn most_likely(logits: &[f32], k: usize) -> Vec<u32> {
    let mut values = logits.to_vec();
    let (_, threshold, _) = values.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
    let threshold = *threshold;
    above(logits, threshold)
}

/// The tokens whose logit is at least `threshold`. Most chunks of a vocabulary contain none and are
/// skipped after a count that the compiler vectorises.
fn above(logits: &[f32], threshold: f32) -> Vec<u32> {
    const PART: usize = 64;
    let mut tokens = Vec::new();
    for (part, values) in logits.chunks(PART).enumerate() {
        let count: u32 = values.iter().map(|x| u32::from(*x >= threshold)).sum();
        if count > 0 {
            let first = part * PART;
            let found = values.iter().enumerate().filter(|(_, x)| **x >= threshold);
            tokens.extend(found.map(|(i, _)| (first + i) as u32));
        }
    }
    tokens
}

/// The most likely tokens as long as more likely ones have at most `p` together, with ties resolved
/// in favour of lower ids; in the order of their ids.
///
/// Most of the probability is on few tokens, so first consider only those within some distance of
/// the best. They are counted into buckets by distance, and only the bucket in which `p` is reached
/// is sorted: a flat distribution takes no more than two walks over it.
fn nucleus(logits: &[f32], max: f32, p: f64) -> Vec<u32> {
    const BUCKETS: usize = 512;
    let limit = p * f64::from(reductions::sum_exp(logits, max));
    let value = |token: u32| logits[token as usize];
    for distance in [2.0, 5.0, 10.0, 20.0, f32::INFINITY] {
        let tokens = above(logits, max - distance);
        let weights = weights(tokens.iter().map(|token| value(*token)), max);
        let mass: f64 = weights.iter().map(|w| f64::from(*w)).sum();
        if mass <= limit {
            if distance.is_infinite() {
                return tokens;
            }
            continue;
        }
        let width = BUCKETS as f32 / distance.min(200.0);
        let bucket = |token: u32| (((max - value(token)) * width) as usize).min(BUCKETS - 1);
        let mut masses = [0.0f64; BUCKETS];
        for (token, weight) in tokens.iter().zip(&weights) {
            masses[bucket(*token)] += f64::from(*weight);
        }
        let mut before = 0.0;
        let mut last = BUCKETS - 1;
        for (i, mass) in masses.iter().enumerate() {
            if before + mass > limit {
                last = i;
                break;
            }
            before += mass;
        }
        let mut partly: Vec<(u32, f32)> = tokens
            .iter()
            .zip(&weights)
            .filter(|(token, _)| bucket(**token) == last)
            .map(|(token, weight)| (*token, *weight))
            .collect();
        partly.sort_unstable_by(|a, b| value(b.0).total_cmp(&value(a.0)).then(a.0.cmp(&b.0)));
        let mut kept: Vec<u32> = Vec::new();
        for (token, weight) in partly {
            if before > limit {
                break;
            }
            kept.push(token);
            before += f64::from(weight);
        }
        kept.sort_unstable();
        let is_kept = |token: &u32| match bucket(*token).cmp(&last) {
            Ordering::Less => true,
            Ordering::Equal => kept.binary_search(token).is_ok(),
            Ordering::Greater => false,
        };
        return tokens.into_iter().filter(is_kept).collect();
    }
    vec![argmax(logits)]
}

/// Looks up a number in [0, 1) in the distribution over the kept tokens.
fn look_up(u: f64, kept: &[u32], logits: &[f32], max: f32) -> u32 {
    let weights = weights(kept.iter().map(|token| logits[*token as usize]), max);
    let total: f64 = weights.iter().map(|w| f64::from(*w)).sum();
    kept[position_of(u * total, &weights).unwrap_or(0)]
}

/// Like [`look_up`] over all tokens, in the order of their ids: first finds the chunk that the
/// number falls into, then the token.
fn look_up_in_all(u: f64, logits: &[f32], max: f32) -> u32 {
    const PART: usize = 1024;
    let sum = |part: &[f32]| f64::from(reductions::sum_exp(part, max));
    let parts: Vec<f64> = logits.chunks(PART).map(sum).collect();
    let mut wanted = u * parts.iter().sum::<f64>();
    let mut at = 0;
    for (i, sum) in parts.iter().enumerate() {
        at = i;
        if *sum > wanted {
            break;
        }
        wanted -= sum;
    }
    let part = logits.iter().copied().skip(at * PART).take(PART);
    match position_of(wanted, &weights(part, max)) {
        Some(position) => (at * PART + position) as u32,
        None => argmax(logits),
    }
}

/// Unnormalised probabilities.
fn weights(logits: impl Iterator<Item = f32>, max: f32) -> Vec<f32> {
    let mut weights: Vec<f32> = logits.map(|logit| logit - max).collect();
    Exp {}.map_mut(&mut weights);
    weights
}

/// The first index at which the cumulative weight exceeds `wanted`, or the last with any weight.
fn position_of(wanted: f64, weights: &[f32]) -> Option<usize> {
    let mut sum = 0.0;
    let mut last = None;
    for (i, weight) in weights.iter().enumerate() {
        if *weight > 0.0 {
            last = Some(i);
        }
        sum += f64::from(*weight);
        if sum > wanted {
            break;
        }
    }
    last
}

/// The exponential race, torch's way of drawing: every token's probability is divided by its own
/// Exp(1) number, and the largest ratio wins.
fn exponential_race(
    raw: &[u64],
    tokens: impl Iterator<Item = (u32, f32)> + Clone,
    max: f32,
) -> u32 {
    let total: f32 = tokens.clone().map(|(_, logit)| (logit - max).exp()).sum();
    let mut best = (f32::NEG_INFINITY, 0);
    for (token, logit) in tokens {
        let p = (logit - max).exp() / total;
        let ratio = p / exponential(raw[token as usize]);
        // Ties go to the lowest id, whatever the order of the tokens.
        if ratio > best.0 || (ratio == best.0 && token < best.1) {
            best = (ratio, token);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling() -> Sampling {
        Sampling::default()
    }

    fn ln(p: &[f32]) -> Vec<f32> {
        p.iter().map(|p| p.ln()).collect()
    }

    #[test]
    fn temperature_zero_takes_the_first_of_the_largest() {
        let greedy = Sampling {
            temperature: 0.0,
            freq_penalty: 100.0,
            ..sampling()
        };
        let mut logits = [1.0, 3.0, 3.0, 2.0];
        assert_eq!(
            greedy.choose(&mut logits, [(1, 5)], Chance::Uniform(0.9)),
            1
        );
    }

    #[test]
    fn top_p_keeps_tokens_while_those_before_have_at_most_p() {
        let logits = ln(&[0.2, 0.5, 0.25, 0.05]);
        let max = 0.5f32.ln();
        assert_eq!(nucleus(&logits, max, 0.3), [1]);
        assert_eq!(nucleus(&logits, max, 0.6), [1, 2]);
        assert_eq!(nucleus(&logits, max, 0.8), [0, 1, 2]);
        assert_eq!(nucleus(&logits, max, 0.99), [0, 1, 2, 3]);
        // Ties: the lowest ids.
        assert_eq!(nucleus(&[0.0; 8], 0.0, 0.3), [0, 1, 2]);
        assert_eq!(nucleus(&[-1.0, 0.0], 0.0, 1e-9), [1]);
    }

    #[test]
    fn a_wide_nucleus_equals_a_full_sort() {
        // A flat tail far below the best, beyond the first distances.
        let logits: Vec<f32> = (0..1000)
            .map(|i| if i == 500 { 8.0 } else { -(i as f32) * 1e-3 })
            .collect();
        let kept = nucleus(&logits, 8.0, 0.9);
        let mut order: Vec<u32> = (0..1000).collect();
        order.sort_by(|a, b| logits[*b as usize].total_cmp(&logits[*a as usize]));
        let p = |n: usize| -> f64 {
            let total: f64 = logits.iter().map(|x| f64::from(*x - 8.0).exp()).sum();
            order[..n]
                .iter()
                .map(|i| f64::from(logits[*i as usize] - 8.0).exp())
                .sum::<f64>()
                / total
        };
        assert!(p(kept.len() - 1) <= 0.9 && p(kept.len()) > 0.9);
        order.truncate(kept.len());
        order.sort_unstable();
        assert_eq!(kept, order);
    }

    proptest::proptest! {
        #[test]
        fn the_nucleus_is_what_sorting_gives(
            logits in proptest::collection::vec(-30.0f32..0.0, 1..400), p in 0.001f64..0.999,
        ) {
            let max = logits.iter().copied().fold(f32::MIN, f32::max);
            let kept = nucleus(&logits, max, p);
            let total: f64 = logits.iter().map(|x| f64::from((x - max).exp())).sum();
            let mut order: Vec<u32> = (0..logits.len() as u32).collect();
            order.sort_by(|a, b| logits[*b as usize].total_cmp(&logits[*a as usize]));
            let mass = |n: usize| -> f64 {
                order[..n].iter().map(|i| f64::from((logits[*i as usize] - max).exp())).sum::<f64>() / total
            };
            // To float tolerance at the border.
            proptest::prop_assert!(mass(kept.len() - 1) <= p + 1e-5);
            proptest::prop_assert!(kept.len() == logits.len() || mass(kept.len()) > p - 1e-5);
            let mut expected = order[..kept.len()].to_vec();
            expected.sort_unstable();
            proptest::prop_assert_eq!(kept, expected);
        }
    }

    #[test]
    fn top_k_keeps_ties_and_takes_precedence_over_top_p() {
        assert_eq!(most_likely(&[1.0, 2.0, 2.0, 3.0], 2), [1, 2, 3]);
        let both = Sampling {
            top_k: Some(2),
            top_p: Some(0.01),
            ..sampling()
        };
        let mut logits = ln(&[0.5, 0.4, 0.1]);
        assert_eq!(both.choose(&mut logits, [], Chance::Uniform(0.99)), 1);
    }

    #[test]
    fn the_penalty_is_not_divided_by_the_temperature() {
        let hot = Sampling {
            temperature: 4.0,
            freq_penalty: 1.0,
            ..sampling()
        };
        let mut logits = [4.0, 0.0];
        hot.choose(&mut logits, [(0, 3)], Chance::Uniform(0.5));
        assert_eq!(logits, [1.0 - 3.0, 0.0]);
    }

    #[test]
    fn extreme_temperatures_are_certain_or_flat() {
        let with = |temperature, u| {
            let sampling = Sampling {
                temperature,
                freq_penalty: 1.0,
                top_p: Some(0.9),
                ..sampling()
            };
            let mut logits = [30.0, -2.0, 31.0, 5.0];
            sampling.choose(&mut logits, [(2, 3)], Chance::Uniform(u))
        };
        for cold in [f64::MIN_POSITIVE, 1e-50, 1e-38, 1e-9] {
            assert_eq!(with(cold, 0.99), 2);
        }
        for hot in [1e9, 1e40, f64::MAX] {
            assert_eq!(with(hot, 0.01), 0);
        }
    }

    #[test]
    fn the_uniform_number_is_looked_up_in_the_distribution() {
        let pick = |u| sampling().choose(&mut ln(&[0.2, 0.5, 0.3]), [], Chance::Uniform(u));
        assert_eq!(
            [
                pick(0.0),
                pick(0.19),
                pick(0.21),
                pick(0.69),
                pick(0.71),
                pick(0.9999999)
            ],
            [0, 0, 1, 1, 2, 2]
        );
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let refused = |sampling: Sampling| sampling.check().unwrap_err().to_string();
        assert_eq!(
            refused(Sampling {
                temperature: f64::NAN,
                ..sampling()
            }),
            "`temperature` must be 0 or more, but it is NaN"
        );
        assert_eq!(
            refused(Sampling {
                top_p: Some(0.0),
                ..sampling()
            }),
            "`top_p` must be above 0 and at most 1, but it is 0"
        );
        assert_eq!(
            refused(Sampling {
                top_k: Some(0),
                ..sampling()
            }),
            "`top_k` must be 1 or more, but it is 0"
        );
    }
}
