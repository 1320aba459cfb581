//! What is generated: arms, options, finished rows.
//!
//! Steering acts on the prompt's pass only and lives on in the KV cache, so after the prompts
//! steered and unsteered rows are one batch. How rows are packed into batches changes no text.

use std::collections::HashMap;

use super::batches;
use super::decoder::Decoder;
use super::rng::Rng;
use super::sampler::Sampling;
use crate::error::{ErrorKind, Result};
use crate::model::{HookedTransformer, Hooks};
use crate::run::RunContext;

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

impl HookedTransformer {
    /// Generates the rows of all arms: `[arm][row]`. Each arm's prompt runs once, whatever the
    /// number of its rows and of the batches that they need.
    ///
    /// # Errors
    /// If a prompt is empty, too long or has unknown tokens, if an option is out of range, if not
    /// even one row fits into memory, if a hook fails, or if the run is cancelled.
    pub fn generate(
        &self,
        run: &RunContext,
        arms: &mut [Arm],
        options: &GenerateOptions,
        on_token: &mut OnToken,
    ) -> Result<Vec<Vec<GeneratedRow>>> {
        options.sampling.check()?;
        let n_ctx = self.arch().n_ctx;
        for arm in arms.iter() {
            self.check_tokens(&arm.prompt)?;
            // The last token is never read, so it needs no position.
            let read = options.max_new_tokens.saturating_sub(1);
            if arm.prompt.len().saturating_add(read) > n_ctx {
                return Err(ErrorKind::ContextExceeded {
                    prompt: arm.prompt.len(),
                    new: options.max_new_tokens,
                    n_ctx,
                }
                .into());
            }
        }
        let mut runs: HashMap<usize, usize> = HashMap::new();
        for key in arms.iter().flat_map(|arm| &arm.rows) {
            let rows = runs.entry(key.run).or_default();
            *rows = (*rows).max(key.index + 1);
        }
        let mut done: Vec<Vec<GeneratedRow>> = arms.iter().map(|_| Vec::new()).collect();
        let mut last_prompt = None;
        for batch in batches::pack(self, run, arms, options)? {
            let mut decoder = Decoder::new(self, run, options, &batch, arms, &runs)?;
            decoder.run(arms, &mut last_prompt, on_token)?;
            for row in decoder.into_rows() {
                done[row.arm].push(row.finish());
            }
        }
        Ok(done)
    }
}
