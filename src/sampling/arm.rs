//! What is generated, and what comes of it: arms, options, finished rows.

use super::rng::Rng;
use super::sampler::Sampling;
use crate::model::Hooks;

/// A prompt, the hooks that it is run under, and the rows that go on from it.
pub struct Arm<'h> {
    /// Token ids, BOS included where there is one.
    pub prompt: Vec<u32>,
    /// The hooks of the prompt's pass and, those that ask for it, of every step.
    pub hooks: Hooks<'h>,
    /// Which stream of chance each row draws from.
    pub rows: Vec<RowKey>,
}

/// Which stream of chance a row draws from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RowKey {
    /// Rows of one run share one torch stream, which restarts from the seed for every run.
    pub run: usize,
    /// The row's place within its run. Rows with the same index in different runs draw the same
    /// numbers, so that differences between runs come from their hooks.
    pub index: usize,
}

/// How rows are generated.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateOptions {
    /// The most tokens that a row gets.
    pub max_new_tokens: usize,
    /// How the next token is chosen.
    pub sampling: Sampling,
    /// The same seed gives the same text.
    pub seed: u64,
    /// Where the chance in sampling comes from.
    pub rng: Rng,
    /// End a row at end-of-text, and the generation when all rows have ended.
    pub stop_at_eos: bool,
    /// Also compute the loss of each token of prompt and completion.
    pub losses: bool,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self {
            max_new_tokens: 40,
            sampling: Sampling::default(),
            seed: 0,
            rng: Rng::Row,
            stop_at_eos: true,
            losses: false,
        }
    }
}

/// One finished row.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneratedRow {
    /// Which row.
    pub key: RowKey,
    /// The new tokens, up to and with the end-of-text that ended the row, if one did.
    pub tokens: Vec<u32>,
    /// With `losses`: the negative log-likelihood, under the arm's hooks, of every token of prompt
    /// and completion but the first.
    pub losses: Vec<f32>,
}

/// Hears of every new token of every row: arm, row within the arm, the token.
pub type OnToken<'a> = dyn FnMut(usize, usize, u32) + 'a;
