//! Generation: arms, options, finished rows.
//!
//! Steering acts only on the prompt's pass and persists in the KV cache, so after the prompts,
//! steered and unsteered rows are one batch. How rows are packed into batches changes no text.

use std::collections::HashMap;

use super::batches;
use super::decoder::Decoder;
use super::rng::Rng;
use super::sampler::Sampling;
use crate::error::{Error, ErrorKind, Result, Subject};
use crate::model::{HookedTransformer, Hooks};
use crate::run::RunContext;

/// A prompt, the hooks that it runs under, and the rows that continue it.
pub struct Arm<'h> {
    /// Token ids, including BOS if there is one.
    pub prompt: Vec<u32>,
    /// The hooks of the prompt's pass and, unless they are for the prompt only, of every step.
    pub hooks: Hooks<'h>,
    /// The random stream of each row.
    pub rows: Vec<RowKey>,
}

/// Selects the random stream of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RowKey {
    /// The run. Its rows share one torch stream, which restarts from the seed for every run.
    pub run: usize,
    /// The row's index within its run. Rows with the same index in different runs draw the same
    /// numbers, so differences between runs come from their hooks.
    pub index: usize,
}

/// How rows are generated.
///
/// ```
/// use avec::prelude::*;
/// use avec::store::{self, StoreOptions};
///
/// let run = RunContext::default();
/// let files = store::find("demo", &StoreOptions::default())?;
/// let model = HookedTransformer::load(&run, &files, &LoadOptions::default())?;
///
/// let mut arms = [avec::sampling::Arm {
///     prompt: model.to_tokens("I think")?,
///     hooks: Hooks::none(),
///     rows: (0..2).map(|index| avec::sampling::RowKey { run: 0, index }).collect(),
/// }];
/// let options = GenerateOptions { max_new_tokens: 5, ..GenerateOptions::default() };
/// let rows = model.generate(&run, &mut arms, &options, &mut |_arm, _row, _token| {})?;
/// assert_eq!(rows[0].len(), 2);
/// assert!(rows[0][0].tokens.len() <= 5);
/// # Ok::<(), avec::error::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateOptions {
    /// The most new tokens of a row.
    pub max_new_tokens: usize,
    /// How the next token is chosen.
    pub sampling: Sampling,
    /// The seed: the same seed gives the same text.
    pub seed: u64,
    /// The source of random numbers.
    pub rng: Rng,
    /// Whether a row ends at end-of-text, and the generation when all rows have ended.
    pub stop_at_eos: bool,
    /// Whether to compute the loss of each token of prompt and completion too.
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

/// A finished row.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneratedRow {
    /// The row.
    pub key: RowKey,
    /// The new tokens, including the end-of-text token if one ended the row.
    pub tokens: Vec<u32>,
    /// With `losses`: the negative log-likelihood in nats, under the arm's hooks, of every token of
    /// prompt and completion but the first.
    pub losses: Vec<f32>,
}

/// Called for every new token of every row with the arm, the row's index within the arm, and the
/// token.
pub type OnToken<'a> = dyn FnMut(usize, usize, u32) + 'a;

impl HookedTransformer {
    /// Generates the rows of all arms: `[arm][row]`. Each arm's prompt runs once, however many rows
    /// it has and however many batches they need.
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
        for (i, arm) in arms.iter().enumerate() {
            let checked = self.check_tokens(&arm.prompt);
            checked.map_err(|error| error.about_one(Subject::Prompt, i))?;
            if arm.prompt.len() + options.max_new_tokens > n_ctx {
                return Err(Error::new(ErrorKind::ContextExceeded {
                    prompt: arm.prompt.len(),
                    new: options.max_new_tokens,
                    n_ctx,
                })
                .about(Subject::NewTokens));
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
