//! The input and output of a generation: arms, options, finished rows.

use super::rng::Rng;
use super::sampler::Sampling;
use crate::model::Hooks;

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
/// use avec::store;
///
/// let run = RunContext::default();
/// let files = store::find(&run, "demo", None)?;
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
