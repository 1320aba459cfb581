//! Steered and unsteered completions of prompts, as rows of data.

use std::sync::{Arc, OnceLock};

use crate::error::{Error, ErrorKind, Result, Subject};
use crate::model::{HookedTransformer, Hooks, mean, next_token_losses};
use crate::rule::Rule;
use crate::run::RunContext;
use crate::sampling::{Arm, GenerateOptions, GeneratedRow, OnToken, Rng, RowKey};
use crate::steering::{ActivationAddition, Injection, Steering};

/// How completions are generated.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CompletionOptions {
    /// Length, sampling and seed.
    pub generate: GenerateOptions,
    /// Where vectors are added.
    pub injection: Injection,
}

/// The rows of one call: see [`n_comparisons`] for an example.
#[derive(Clone)]
pub struct Completions {
    model: HookedTransformer,
    rows: Arc<Vec<CompletionRow>>,
    /// The clean model's losses, computed on first use: they cost a pass per steered row, and a
    /// comparison that is only displayed doesn't need them.
    clean_losses: Arc<OnceLock<Vec<f32>>>,
}

/// A completion of a prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct CompletionRow {
    /// The prompt.
    pub prompt: String,
    /// The completion, without the prompt. Ends in one `<|endoftext|>` if the model ended the text.
    pub completion: String,
    /// The tokens: BOS, prompt and completion.
    pub tokens: Vec<u32>,
    /// The mean negative log-likelihood per token of prompt and completion, in nats; NaN if no
    /// losses were computed. For a steered row, under the same additions, made to the whole text as
    /// they were to the prompt.
    pub loss: f32,
    /// Whether additions acted on the row.
    pub is_modified: bool,
}

impl Completions {
    /// The model that generated the rows.
    pub fn model(&self) -> &HookedTransformer {
        &self.model
    }

    /// The rows, in order: unsteered ones before steered ones.
    pub fn rows(&self) -> &[CompletionRow] {
        &self.rows
    }

    /// The clean model's loss on each row's text, comparable across rows.
    ///
    /// # Errors
    /// As for [`HookedTransformer::loss`].
    pub fn clean_losses(&self, run: &RunContext) -> Result<&[f32]> {
        if let Some(losses) = self.clean_losses.get() {
            return Ok(losses);
        }
        let losses = self
            .rows
            .iter()
            .map(|row| {
                if row.is_modified {
                    loss(run, &self.model, &row.tokens, |_| Ok(Hooks::none()))
                } else {
                    Ok(row.loss)
                }
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(self.clean_losses.get_or_init(|| losses))
    }

    /// The rows for which a condition holds, such as the steered ones.
    pub fn filter(&self, keep: impl Fn(&CompletionRow) -> bool) -> Vec<&CompletionRow> {
        self.rows.iter().filter(|row| keep(row)).collect()
    }
}

/// A prompt to complete with and without additions.
pub struct Comparison<'a> {
    /// The prompt.
    pub prompt: &'a str,
    /// The number of rows on each side.
    pub num_comparisons: usize,
    /// The additions; `None` for only the unsteered side. An empty list still makes two sides.
    pub additions: Option<&'a [ActivationAddition]>,
}

impl Comparison<'_> {
    /// The range of [`Self::num_comparisons`].
    pub const NUM_COMPARISONS: Rule<usize> = Rule {
        text: "1 to 10000",
        holds: |n| (1..=10_000).contains(n),
    };
}

/// Completes every prompt once, all under the same additions. Without additions, these are the
/// model's own completions.
///
/// # Errors
/// If there are no prompts, if a vector is longer than a prompt, or as for
/// [`HookedTransformer::generate`].
pub fn gen_using_activation_additions(
    run: &RunContext,
    model: &HookedTransformer,
    prompt_batch: &[String],
    additions: &[ActivationAddition],
    options: &CompletionOptions,
    on_token: &mut OnToken,
) -> Result<Completions> {
    let side = Run {
        prompts: prompt_batch,
        additions,
        known: &[],
    };
    generate(run, model, &[side], options, on_token)
}

/// Completes a prompt several times, first unsteered, then steered. Row i of both sides draws the
/// same numbers, and all rows decode in one batch.
///
/// # Errors
/// If `num_comparisons` is 0, if a vector is longer than the prompt, or as for
/// [`HookedTransformer::generate`].
///
/// ```
/// use avec::prelude::*;
/// use avec::store;
///
/// let run = RunContext::default();
/// let files = store::find(&run, "demo", None)?;
/// let model = HookedTransformer::load(&run, &files, &LoadOptions::default())?;
/// let love_minus_hate = x_vector(
///     &XVector {
///         prompt1: "Love".into(),
///         prompt2: "Hate".into(),
///         coeff: 3.0,
///         act_name: HookName::resid_pre(1),
///         pad_method: Some(PadMethod::TokensRight),
///         custom_pad_id: None,
///     },
///     Some(&model),
/// )?;
/// let comparison = Comparison {
///     prompt: "I hate you because",
///     num_comparisons: 2,
///     additions: Some(&love_minus_hate),
/// };
/// let options = CompletionOptions {
///     generate: GenerateOptions { max_new_tokens: 5, losses: true, ..GenerateOptions::default() },
///     ..CompletionOptions::default()
/// };
/// let completions = n_comparisons(&run, &model, &comparison, &options, &mut |_, _, _| {})?;
/// let steered = completions.filter(|row| row.is_modified);
/// assert_eq!((completions.rows().len(), steered.len()), (4, 2));
/// assert_eq!(completions.clean_losses(&run)?.len(), 4);
/// # Ok::<(), avec::error::Error>(())
/// ```
pub fn n_comparisons(
    run: &RunContext,
    model: &HookedTransformer,
    comparison: &Comparison,
    options: &CompletionOptions,
    on_token: &mut OnToken,
) -> Result<Completions> {
    n_comparisons_knowing(run, model, comparison, options, Known::default(), on_token)
}

/// Rows known from an earlier run of the same comparison with the same options: the first of each
/// side.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// The first unsteered rows.
    pub unsteered: &'a [CompletionRow],
    /// The first steered rows.
    pub steered: &'a [CompletionRow],
}

/// Like [`n_comparisons`], but generates only the rows that are not known.
///
/// # Errors
/// As for [`n_comparisons`].
pub fn n_comparisons_knowing(
    run: &RunContext,
    model: &HookedTransformer,
    comparison: &Comparison,
    options: &CompletionOptions,
    known: Known,
    on_token: &mut OnToken,
) -> Result<Completions> {
    Comparison::NUM_COMPARISONS.check("num_comparisons", &comparison.num_comparisons)?;
    let n = comparison.num_comparisons;
    let prompts = vec![comparison.prompt.to_owned(); n];
    let mut runs = vec![Run {
        prompts: &prompts,
        additions: &[],
        known: known.unsteered,
    }];
    if let Some(additions) = comparison.additions {
        runs.push(Run {
            prompts: &prompts,
            additions,
            known: known.steered,
        });
    }
    // The second side counts as modified even if its list of additions is empty.
    let mut completions = generate(run, model, &runs, options, on_token)?;
    if comparison.additions.is_some_and(<[_]>::is_empty) {
        for row in &mut Arc::make_mut(&mut completions.rows)[n..] {
            row.is_modified = true;
        }
    }
    Ok(completions)
}

/// Prompts completed under the same additions, which share a random stream.
struct Run<'a> {
    prompts: &'a [String],
    additions: &'a [ActivationAddition],
    /// The first rows, if they are known already.
    known: &'a [CompletionRow],
}

impl Run<'_> {
    /// The number of known rows to use. The rows of a torch stream depend on each other: use all or
    /// none.
    fn taken(&self, rng: Rng) -> usize {
        let known = self.known.len().min(self.prompts.len());
        match rng {
            Rng::Torch if known < self.prompts.len() => 0,
            _ => known,
        }
    }
}

fn generate(
    run: &RunContext,
    model: &HookedTransformer,
    runs: &[Run],
    options: &CompletionOptions,
    on_token: &mut OnToken,
) -> Result<Completions> {
    let mut arms = Vec::new();
    let mut steerings = Vec::new();
    for (number, side) in runs.iter().enumerate() {
        if side.prompts.is_empty() {
            return Err(Error::new(ErrorKind::EmptyPromptBatch).about(Subject::Prompt));
        }
        let steering = Steering::new(run, model, side.additions, options.injection)?;
        let mut index = side.taken(options.generate.rng);
        // A repeated prompt is another row of its arm and runs only once.
        for same in side.prompts[index..].chunk_by(|a, b| a == b) {
            let tokens = model.to_tokens_of_run(run, &same[0], true);
            let tokens = tokens.map_err(|error| error.about_one(Subject::Prompt, index))?;
            arms.push(Arm {
                hooks: steering.hooks(&tokens)?,
                prompt: tokens,
                rows: (index..index + same.len())
                    .map(|index| RowKey { run: number, index })
                    .collect(),
            });
            index += same.len();
        }
        steerings.push(steering);
    }
    let generated = model.generate(run, &mut arms, &options.generate, on_token);
    // The model counts arms, and the caller prompts.
    let generated = generated.map_err(|error| match error.subject() {
        Some((Subject::Prompt, Some(arm))) => {
            error.about_one(Subject::Prompt, arms[arm].rows[0].index)
        }
        _ => error,
    })?;
    let mut sides: Vec<Vec<CompletionRow>> = runs
        .iter()
        .map(|run| run.known[..run.taken(options.generate.rng)].to_vec())
        .collect();
    for (arm, generated) in arms.iter().zip(generated) {
        for row in generated {
            let key = row.key;
            let steering = options.generate.losses.then_some(&steerings[key.run]);
            let row = completion_row(run, model, &runs[key.run], steering, arm, row)?;
            sides[key.run].push(row);
        }
    }
    let rows = sides.concat();
    Ok(Completions {
        model: model.clone(),
        rows: Arc::new(rows),
        clean_losses: Arc::default(),
    })
}

/// The loss of a whole text, which may be one token longer than the model's context: nothing is
/// predicted from the last one. `hooks` are those for the tokens that are read.
fn loss<'h>(
    run: &RunContext,
    model: &HookedTransformer,
    tokens: &[u32],
    hooks: impl FnOnce(&[u32]) -> Result<Hooks<'h>>,
) -> Result<f32> {
    let n_ctx = model.arch().n_ctx;
    if tokens.len() != n_ctx + 1 {
        return model.loss(run, tokens, hooks(tokens)?);
    }
    let read = &tokens[..n_ctx];
    let logits = model.logits(run, read, hooks(read)?)?;
    let losses = next_token_losses(&logits, tokens)?;
    Ok(mean(&losses).unwrap_or(f32::NAN))
}

/// The row of a generated text; `steering` is there if losses are wanted.
fn completion_row(
    run: &RunContext,
    model: &HookedTransformer,
    side: &Run,
    steering: Option<&Steering>,
    arm: &Arm,
    row: GeneratedRow,
) -> Result<CompletionRow> {
    let tokenizer = model.tokenizer();
    let mut new = row.tokens;
    while let [.., before, last] = new.as_slice() {
        if !tokenizer.is_end(*before) || !tokenizer.is_end(*last) {
            break;
        }
        new.pop();
    }
    // Tokens cut off by the collapse lose their losses too.
    let losses = &row.losses[..row.losses.len().min(arm.prompt.len() - 1 + new.len())];
    let tokens = [arm.prompt.as_slice(), &new].concat();
    let is_modified = !side.additions.is_empty();
    // At the front, the losses of the steps are those of the whole text. Elsewhere the span of the
    // additions moves as the text grows, so the loss takes another pass.
    let loss = match steering {
        Some(steering) if is_modified && !steering.stays_in_place() => {
            loss(run, model, &tokens, |read| steering.hooks(read))?
        }
        _ => mean(losses).unwrap_or(f32::NAN),
    };
    Ok(CompletionRow {
        prompt: side.prompts[row.key.index].clone(),
        completion: model.to_string(&new)?,
        loss,
        tokens,
        is_modified,
    })
}
