//! Completions of prompts, steered and not, as rows of data.

use std::sync::{Arc, OnceLock};

use crate::error::{Error, ErrorKind, Result, Subject};
use crate::model::{HookedTransformer, Hooks, mean};
use crate::rule::Rule;
use crate::run::RunContext;
use crate::sampling::{Arm, GenerateOptions, GeneratedRow, OnToken, Rng, RowKey};
use crate::steering::{ActivationAddition, Injection, Steering};

/// How completions are generated.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CompletionOptions {
    /// How texts are generated and sampled.
    pub generate: GenerateOptions,
    /// Where in prompts and stream additions act.
    pub injection: Injection,
}

/// The rows that one call generated.
#[derive(Clone)]
pub struct Completions {
    model: HookedTransformer,
    rows: Arc<Vec<CompletionRow>>,
    /// The unsteered model's losses are computed when somebody first asks: they cost a pass for
    /// each steered row, and a comparison that is only read doesn't need them.
    clean_losses: Arc<OnceLock<Vec<f32>>>,
}

/// One completion of one prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct CompletionRow {
    /// What the completion follows.
    pub prompt: String,
    /// Without the prompt. Ends in one `<|endoftext|>` if the model ended the text.
    pub completion: String,
    /// BOS, prompt and completion.
    pub tokens: Vec<u32>,
    /// The mean negative log-likelihood per token of prompt and completion: for a steered row under
    /// the same additions, made to the whole text as they were to the prompt.
    pub loss: f32,
    /// Whether additions acted on the row.
    pub is_modified: bool,
}

impl Completions {
    /// The model that wrote the rows.
    pub fn model(&self) -> &HookedTransformer {
        &self.model
    }

    /// The rows in their order: of a comparison the unsteered ones first.
    pub fn rows(&self) -> &[CompletionRow] {
        &self.rows
    }

    /// The unsteered model's loss on each row's text, the one to compare rows with.
    pub fn clean_losses(&self, run: &RunContext) -> Result<&[f32]> {
        if let Some(losses) = self.clean_losses.get() {
            return Ok(losses);
        }
        let losses = self
            .rows
            .iter()
            .map(|row| {
                if row.is_modified {
                    self.model.loss(run, &row.tokens, Hooks::none())
                } else {
                    Ok(row.loss)
                }
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(self.clean_losses.get_or_init(|| losses))
    }

    /// Some of the rows, e.g. only the steered ones.
    pub fn filter(&self, keep: impl Fn(&CompletionRow) -> bool) -> Vec<&CompletionRow> {
        self.rows.iter().filter(|row| keep(row)).collect()
    }
}

/// A prompt and its steered and unsteered completions.
pub struct Comparison<'a> {
    /// What all completions follow.
    pub prompt: &'a str,
    /// Rows on each side.
    pub num_comparisons: usize,
    /// None: only the unsteered side. An empty list still makes two sides.
    pub additions: Option<&'a [ActivationAddition]>,
}

impl Comparison<'_> {
    pub const NUM_COMPARISONS: Rule<usize> = Rule {
        text: "1 to 10000",
        holds: |n| (1..=10_000).contains(n),
    };
}

/// Completes every prompt once, all under the same additions. Without additions these are the
/// model's own completions.
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

/// Completes one prompt several times, unsteered first, then steered. Row i of both sides draws
/// the same numbers, and all rows of both sides decode in one batch.
pub fn n_comparisons(
    run: &RunContext,
    model: &HookedTransformer,
    comparison: &Comparison,
    options: &CompletionOptions,
    on_token: &mut OnToken,
) -> Result<Completions> {
    n_comparisons_knowing(run, model, comparison, options, Known::default(), on_token)
}

/// The first rows of each side, from an earlier run of the same comparison with the same options.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// The first rows without steering.
    pub unsteered: &'a [CompletionRow],
    /// The first rows with it.
    pub steered: &'a [CompletionRow],
}

/// [`n_comparisons`] that generates only the rows that are not known.
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
    // The second side is the modified one, also when its list of additions is empty.
    let mut completions = generate(run, model, &runs, options, on_token)?;
    if comparison.additions.is_some_and(<[_]>::is_empty) {
        for row in &mut Arc::make_mut(&mut completions.rows)[n..] {
            row.is_modified = true;
        }
    }
    Ok(completions)
}

/// Prompts that are completed under the same additions and share a random stream.
struct Run<'a> {
    prompts: &'a [String],
    additions: &'a [ActivationAddition],
    /// The first rows, where they need not be generated.
    known: &'a [CompletionRow],
}

impl Run<'_> {
    /// How many of the rows are taken as they are known. The rows of a torch stream hang together:
    /// all of them or none.
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
        // The same prompt again is another row of its arm, and runs only once.
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

/// `steering` is given where losses are wanted.
fn completion_row(
    run: &RunContext,
    model: &HookedTransformer,
    side: &Run,
    steering: Option<&Steering>,
    arm: &Arm,
    row: GeneratedRow,
) -> Result<CompletionRow> {
    let eos = model.tokenizer().eos();
    let mut new = row.tokens;
    while let [.., before, last] = new.as_slice() {
        if *before != eos || *last != eos {
            break;
        }
        new.pop();
    }
    // Tokens cut off by the collapse lose their losses too.
    let losses = &row.losses[..row.losses.len().min(arm.prompt.len() - 1 + new.len())];
    let tokens = [arm.prompt.as_slice(), &new].concat();
    let is_modified = !side.additions.is_empty();
    // At the front the steps' losses are those of the whole text. Elsewhere the place of the
    // additions moves as the text grows, and only another pass tells.
    let loss = match steering {
        Some(steering) if is_modified && !steering.stays_in_place() => {
            model.loss(run, &tokens, steering.hooks(&tokens)?)?
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
