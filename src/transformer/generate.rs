//! Sampling texts: each arm's prompt once, then all rows of all arms one token at a time.
//!
//! Steering acts on the prompt's pass only and lives on in the KV cache, so that after the prompts
//! steered and unsteered rows are one batch. Rows are packed into as few batches as memory allows;
//! how they are packed changes no text.

use std::collections::HashMap;
use std::ops::Range;

use candle_core::Tensor;
use rayon::prelude::*;

use super::awake::awake;
use super::hooks::{Hooks, Phase};
use super::kv_cache::KvCache;
use super::memory;
use super::model::{HookedTransformer, LogitsAt, next_token_losses};
use super::pass::{Group, KvUse, Pass};
use super::random::{Rng, RowStream, TorchStream};
use super::sampler::{Chance, Sampling};
use super::values::with_values;
use super::vector::{all_finite, log_sum_exp};
use crate::error::{Error, ErrorKind, Result, Subject};
use crate::profile::{Part, Stage};

/// A prompt, the hooks that it is run under, and the rows that go on from it.
pub struct Arm<'h> {
    pub prompt: Vec<u32>,
    pub hooks: Hooks<'h>,
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

#[derive(Debug, Clone, PartialEq)]
pub struct GenerateOptions {
    pub max_new_tokens: usize,
    pub sampling: Sampling,
    pub seed: u64,
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
    /// Generates the rows of all arms: `[arm][row]`.
    pub fn generate(
        &self,
        arms: &mut [Arm],
        options: &GenerateOptions,
        on_token: &mut OnToken,
    ) -> Result<Vec<Vec<GeneratedRow>>> {
        options.sampling.check()?;
        let n_ctx = self.config().n_ctx;
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
        for batch in self.pack(arms, options)? {
            let mut decoder = Decoder::new(self, options, &batch, arms, &runs)?;
            decoder.run(arms, on_token)?;
            for row in decoder.rows {
                done[row.arm].push(row.finish());
            }
        }
        Ok(done)
    }

    /// Rows that decode together: (arm, row within the arm), as many as the memory budget allows
    /// at once, by default half of what is free; but always one.
    fn pack(&self, arms: &[Arm], options: &GenerateOptions) -> Result<Vec<Vec<(usize, usize)>>> {
        let columns =
            arms.iter().map(|arm| arm.prompt.len()).max().unwrap_or(0) + options.max_new_tokens;
        let config = self.config();
        let row_size = KvCache::size(config, 1, columns, self.activation_dtype())
            + 3 * 4 * (config.d_vocab + config.d_mlp) as u64;
        if self.device().is_cpu() {
            memory::check("generating one completion", row_size, self.device())?;
        }
        let budget = self
            .memory()
            .or_else(|| Some(memory::available()? / 2).filter(|_| self.device().is_cpu()))
            .unwrap_or(u64::MAX);
        let fitting = usize::try_from(budget / row_size.max(1)).unwrap_or(usize::MAX);
        let all: Vec<(usize, usize)> = arms
            .iter()
            .enumerate()
            .flat_map(|(i, arm)| (0..arm.rows.len()).map(move |row| (i, row)))
            .collect();
        Ok(all
            .chunks(fitting.clamp(1, MAX_BATCH))
            .map(<[_]>::to_vec)
            .collect())
    }
}

/// More rows than this in one batch gain nothing: the linear maps are at their full speed.
const MAX_BATCH: usize = 256;

/// Prompts of several arms go through the model together up to so many tokens.
const PROMPT_TOKENS: usize = 256;

/// One batch on its way.
struct Decoder<'m> {
    model: &'m HookedTransformer,
    options: &'m GenerateOptions,
    rows: Vec<Row>,
    torch: HashMap<usize, TorchRun>,
    cache: KvCache,
}

/// The logits that rows draw their next tokens from.
struct NextLogits {
    values: Tensor, // [source, d_vocab]
    /// Which of them each row draws from: the rows of an arm share their prompt's.
    of_row: Vec<usize>,
}

/// The torch stream of a run, and how many rows draw from it at each step.
struct TorchRun {
    stream: TorchStream,
    rows: usize,
}

struct Row {
    arm: usize,
    place: usize,
    key: RowKey,
    stream: RowStream,
    /// How often each token stands in the row so far.
    seen: HashMap<u32, u32>,
    tokens: Vec<u32>,
    losses: Vec<f32>,
    finished: bool,
}

impl Row {
    /// Draws and gives the next token; the logits are scratch space afterwards.
    fn draw(
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

    fn finish(self) -> GeneratedRow {
        GeneratedRow {
            key: self.key,
            tokens: self.tokens,
            losses: self.losses,
        }
    }
}

impl<'m> Decoder<'m> {
    fn new(
        model: &'m HookedTransformer,
        options: &'m GenerateOptions,
        batch: &[(usize, usize)],
        arms: &[Arm],
        runs: &HashMap<usize, usize>,
    ) -> Result<Self> {
        let rows: Vec<Row> = batch
            .iter()
            .map(|(arm, place)| {
                let key = arms[*arm].rows[*place];
                let mut seen = HashMap::new();
                for token in &arms[*arm].prompt {
                    *seen.entry(*token).or_default() += 1;
                }
                Row {
                    arm: *arm,
                    place: *place,
                    key,
                    stream: RowStream::new(options.seed, key.index as u64),
                    seen,
                    tokens: Vec::with_capacity(options.max_new_tokens),
                    losses: Vec::new(),
                    finished: false,
                }
            })
            .collect();
        let torch = match options.rng {
            Rng::Row => HashMap::new(),
            Rng::Torch => rows
                .iter()
                .map(|row| {
                    let run = TorchRun {
                        stream: TorchStream::new(options.seed),
                        rows: runs[&row.key.run],
                    };
                    (row.key.run, run)
                })
                .collect(),
        };
        let lengths: Vec<usize> = rows.iter().map(|row| arms[row.arm].prompt.len()).collect();
        let cache = KvCache::new(
            model.config(),
            &lengths,
            options.max_new_tokens,
            model.device(),
            model.activation_dtype(),
        )?;
        Ok(Self {
            model,
            options,
            rows,
            torch,
            cache,
        })
    }

    fn run(&mut self, arms: &mut [Arm], on_token: &mut OnToken) -> Result<()> {
        if self.options.max_new_tokens == 0 {
            if self.options.losses {
                self.prompts(arms)?;
            }
            return Ok(());
        }
        for step in 0..self.options.max_new_tokens {
            self.model.cancel().check()?;
            awake(|| {
                let logits = match step {
                    0 => self.prompts(arms)?,
                    _ => self.step(arms)?,
                };
                self.sample(&logits)
            })?;
            for row in self.rows.iter().filter(|row| row.tokens.len() == step + 1) {
                on_token(row.arm, row.place, row.tokens[step]);
            }
            if self.rows.iter().all(|row| row.finished) {
                break;
            }
        }
        Ok(())
    }

    /// Runs each arm's prompt once and gives its last logits to all its rows. Arms whose prompts are
    /// equally long go through the model together, each under its own hooks.
    fn prompts(&mut self, arms: &mut [Arm]) -> Result<NextLogits> {
        let ranges = self.arm_ranges();
        let mut last_logits = Vec::new();
        let mut rest = ranges.as_slice();
        while let Some((first, _)) = rest.first() {
            let length = arms[*first].prompt.len();
            let together = rest
                .iter()
                .take((PROMPT_TOKENS / length).max(1))
                .take_while(|(arm, _)| arms[*arm].prompt.len() == length)
                .count();
            let (now, later) = rest.split_at(together);
            last_logits.push(self.prompts_of_one_length(arms, now)?);
            rest = later;
        }
        let sources = ranges.into_iter().enumerate();
        Ok(NextLogits {
            values: Tensor::cat(&last_logits, 0)?,
            of_row: sources
                .flat_map(|(source, (_, rows))| rows.map(move |_| source))
                .collect(),
        })
    }

    /// The prompts' last logits, `[prompt, d_vocab]`.
    fn prompts_of_one_length(
        &mut self,
        arms: &mut [Arm],
        ranges: &[(usize, Range<usize>)],
    ) -> Result<Tensor> {
        let (prompts, mut hooks): (Vec<&[u32]>, Vec<Option<&mut Hooks>>) = arms
            .iter_mut()
            .map(|arm| (arm.prompt.as_slice(), Some(&mut arm.hooks)))
            .unzip();
        let texts: Vec<&[u32]> = ranges.iter().map(|(arm, _)| prompts[*arm]).collect();
        let groups = ranges
            .iter()
            .enumerate()
            .map(|(i, (arm, _))| Group {
                rows: i..i + 1,
                first_pos: 0,
                hooks: hooks[*arm].take(),
            })
            .collect();
        let rows = ranges.iter().map(|(_, rows)| rows.clone()).collect();
        let mut pass = Pass {
            groups,
            phase: Phase::Prompt,
            kv: KvUse::Fill(&mut self.cache, rows),
            cancel: self.model.cancel(),
            profile: self.model.profile(),
        };
        let wanted = if self.options.losses {
            LogitsAt::All
        } else {
            LogitsAt::Last
        };
        let logits = self
            .model
            .run_whole(&texts, &mut pass, wanted)?
            .ok_or(ErrorKind::EmptyPromptBatch)?;
        if self.options.losses {
            for (i, (text, (_, rows))) in texts.iter().zip(ranges).enumerate() {
                let losses = next_token_losses(&logits.narrow(0, i, 1)?, text)?;
                for row in &mut self.rows[rows.clone()] {
                    row.losses.extend_from_slice(&losses);
                }
            }
        }
        let last = logits.dim(1)? - 1;
        Ok(logits.narrow(1, last, 1)?.squeeze(1)?)
    }

    /// One new position for every row.
    fn step(&mut self, arms: &mut [Arm]) -> Result<NextLogits> {
        let _time = self.model.profile().stage(Stage::Decode);
        let tokens: Vec<u32> = self
            .rows
            .iter()
            .map(|row| row.tokens.last().copied().unwrap_or_default())
            .collect();
        let positions: Vec<u32> = (0..self.rows.len())
            .map(|row| self.cache.next_pos(row) as u32)
            .collect();
        let mut hooks: Vec<Option<&mut Hooks>> =
            arms.iter_mut().map(|arm| Some(&mut arm.hooks)).collect();
        let groups = self
            .arm_ranges()
            .into_iter()
            .map(|(arm, rows)| Group {
                first_pos: positions[rows.start] as usize,
                rows,
                hooks: hooks[arm].take(),
            })
            .collect();
        let logits = self.pass(&tokens, &positions, groups)?;
        self.cache.advance();
        let logits = logits.ok_or(ErrorKind::EmptyPromptBatch)?;
        Ok(NextLogits {
            values: logits.squeeze(1)?,
            of_row: (0..self.rows.len()).collect(),
        })
    }

    fn pass<'p, 'h>(
        &'p mut self,
        tokens: &[u32],
        positions: &[u32],
        groups: Vec<Group<'p, 'h>>,
    ) -> Result<Option<Tensor>> {
        let model = self.model;
        let mut pass = Pass {
            groups,
            phase: Phase::Decode,
            kv: KvUse::Step(&mut self.cache),
            cancel: model.cancel(),
            profile: model.profile(),
        };
        model.run(tokens.len(), tokens, positions, &mut pass, LogitsAt::Last)
    }

    /// The rows of each arm in this batch; an arm's rows are neighbours.
    fn arm_ranges(&self) -> Vec<(usize, Range<usize>)> {
        let mut ranges: Vec<(usize, Range<usize>)> = Vec::new();
        for (i, row) in self.rows.iter().enumerate() {
            match ranges.last_mut() {
                Some((arm, range)) if *arm == row.arm => range.end = i + 1,
                _ => ranges.push((row.arm, i..i + 1)),
            }
        }
        ranges
    }

    /// Draws every row's next token.
    fn sample(&mut self, logits: &NextLogits) -> Result<()> {
        let profile = self.model.profile();
        let _time = (
            profile.stage(Stage::Decode),
            profile.part(Stage::Decode, Part::Sampling),
        );
        let d_vocab = self.model.config().d_vocab;
        let eos = self.model.tokenizer().eos();
        let raw = self.torch_raw(d_vocab);
        let options = self.options;
        with_values(&logits.values, |values| {
            self.rows
                .par_iter_mut()
                .zip(&logits.of_row)
                .zip(raw)
                .filter(|((row, _), _)| !row.finished)
                .try_for_each_init(Vec::new, |own, ((row, source), raw)| {
                    own.clear();
                    own.extend_from_slice(&values[source * d_vocab..][..d_vocab]);
                    let token = row.draw(own, raw.as_deref(), options)?;
                    row.finished = options.stop_at_eos && token == eos;
                    Ok(())
                })
        })?
    }

    /// With `rng: "torch"`, the raw numbers of this step for each row of the batch. A run's stream
    /// goes through all rows of the run in order, finished ones and those of other batches too.
    fn torch_raw(&mut self, d_vocab: usize) -> Vec<Option<Vec<u64>>> {
        let mut raw = vec![None; self.rows.len()];
        if self.options.sampling.temperature == 0.0 {
            return raw;
        }
        let places: HashMap<RowKey, usize> = self
            .rows
            .iter()
            .enumerate()
            .filter(|(_, row)| !row.finished)
            .map(|(i, row)| (row.key, i))
            .collect();
        for (run, torch) in &mut self.torch {
            for index in 0..torch.rows {
                match places.get(&RowKey { run: *run, index }) {
                    Some(place) => raw[*place] = Some(torch.stream.next_raw(d_vocab)),
                    None => torch.stream.skip(d_vocab),
                }
            }
        }
        raw
    }
}

/// What of a row's logits is needed for the loss after the sampler has worked on them: it divides
/// all of them by the temperature, and takes something only from those of tokens that were seen.
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
