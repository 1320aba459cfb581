//! The state of one row: its tokens so far, its random stream, its losses.

use std::collections::HashMap;

use super::arm::{Arm, GenerateOptions, GeneratedRow, RowKey};
use super::batches::Place;
use super::rng::RowStream;
use super::sampler::{Chance, Sampling};
use crate::error::{ErrorKind, Result};
use crate::kernels::reductions::{all_finite, log_sum_exp};

/// A row that is being generated.
pub(super) struct Row {
    pub(super) arm: usize,
    /// Its index within its arm.
    pub(super) place: usize,
    pub(super) key: RowKey,
    stream: RowStream,
    /// How often each token occurs in the row so far.
    seen: HashMap<u32, u32>,
    pub(super) tokens: Vec<u32>,
    pub(super) losses: Vec<f32>,
    pub(super) finished: bool,
}

impl Row {
    pub(super) fn new(place: Place, arm: &Arm, options: &GenerateOptions) -> Self {
        let key = arm.rows[place.row];
        let mut seen = HashMap::new();
        for token in &arm.prompt {
            *seen.entry(*token).or_default() += 1;
        }
        Self {
            arm: place.arm,
            place: place.row,
            key,
            stream: RowStream::new(options.seed, key.index as u64),
            seen,
            tokens: Vec::with_capacity(options.max_new_tokens),
            losses: Vec::new(),
            finished: false,
        }
    }

    /// Draws the next token. The logits are scratch space afterwards.
    pub(super) fn draw(
        &mut self,
        logits: &mut [f32],
        raw: Option<&[u64]>,
        options: &GenerateOptions,
    ) -> Result<u32> {
        if !all_finite(logits) {
            return Err(ErrorKind::NotFinite.into());
        }
        let seen: Vec<(u32, u32)> = self.seen.iter().map(|(t, n)| (*t, *n)).collect();
        let clean = options.losses.then(|| CleanLogits::of(logits, &seen));
        let chance = match raw {
            Some(raw) => Chance::Raw(raw),
            None => Chance::Uniform(self.stream.uniform()),
        };
        let token = options
            .sampling
            .choose(logits, seen.iter().copied(), chance);
        if let Some(clean) = clean {
            self.losses
                .push(clean.loss(logits, token, &options.sampling));
        }
        *self.seen.entry(token).or_default() += 1;
        self.tokens.push(token);
        Ok(token)
    }

    pub(super) fn finish(self) -> GeneratedRow {
        GeneratedRow {
            key: self.key,
            tokens: self.tokens,
            losses: self.losses,
        }
    }
}

/// What the loss needs of a row's logits once the sampler has changed them: the sampler divides all
/// of them by the temperature, and subtracts a penalty only from tokens that have occurred.
struct CleanLogits<'s> {
    log_sum_exp: f32,
    seen: &'s [(u32, u32)],
    of_seen: Vec<f32>,
}

impl<'s> CleanLogits<'s> {
    fn of(logits: &[f32], seen: &'s [(u32, u32)]) -> Self {
        Self {
            log_sum_exp: log_sum_exp(logits),
            seen,
            of_seen: seen.iter().map(|(t, _)| logits[*t as usize]).collect(),
        }
    }

    /// `-log_softmax(clean logits)[token]`
    fn loss(&self, sampled_from: &[f32], token: u32, sampling: &Sampling) -> f32 {
        let seen = self.seen.iter().position(|(seen, _)| *seen == token);
        let logit = match seen {
            Some(i) => self.of_seen[i],
            // Temperature 0 divides nothing.
            None if sampling.temperature == 0.0 => sampled_from[token as usize],
            None => sampled_from[token as usize] * sampling.divisor(),
        };
        self.log_sum_exp - logit
    }
}
