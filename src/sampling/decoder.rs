//! Decodes one batch of rows: first the prompts, then one token for every row at a time.

use std::collections::HashMap;
use std::ops::Range;

use candle_core::Tensor;
use rayon::prelude::*;

use super::arm::{Arm, GenerateOptions, OnToken, RowKey};
use super::batches::Place;
use super::rng::{Rng, TorchStream};
use super::row::Row;
use crate::error::{ErrorKind, Result};
use crate::kernels::{run_pass, with_values};
use crate::model::{
    Group, HookedTransformer, Hooks, KvCache, KvUse, LogitsAt, Phase, PromptKv, next_token_losses,
};
use crate::profile::{Part, Stage};
use crate::run::RunContext;

/// Prompts of several arms run together, up to this number of tokens.
const PROMPT_TOKENS: usize = 256;

/// A batch that is being decoded.
pub(super) struct Decoder<'m> {
    model: &'m HookedTransformer,
    run: &'m RunContext,
    options: &'m GenerateOptions,
    rows: Vec<Row>,
    torch: HashMap<usize, TorchRun>,
    cache: KvCache,
}

/// The results of an arm's prompt, for the arm's rows in the next batch.
pub(super) struct PromptState {
    arm: usize,
    kv: PromptKv,
    /// The losses of the prompt's tokens, if wanted.
    losses: Vec<f32>,
    logits: Tensor, // [1, d_vocab]
}

/// The logits from which rows draw their next tokens.
struct NextLogits {
    values: Tensor, // [source, d_vocab]
    /// The index of each row's logits: the rows of an arm share their prompt's.
    of_row: Vec<usize>,
}

/// The torch stream of a run, and the number of rows that draw from it at each step.
struct TorchRun {
    stream: TorchStream,
    rows: usize,
}

impl<'m> Decoder<'m> {
    pub(super) fn new(
        model: &'m HookedTransformer,
        run: &'m RunContext,
        options: &'m GenerateOptions,
        batch: &[Place],
        arms: &[Arm],
        runs: &HashMap<usize, usize>,
    ) -> Result<Self> {
        let rows: Vec<Row> = batch
            .iter()
            .map(|place| Row::new(*place, &arms[place.arm], options))
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
            model.arch(),
            &lengths,
            // The last token is never read.
            options.max_new_tokens.saturating_sub(1),
            model.device(),
            model.activation_dtype(),
        )?;
        Ok(Self {
            model,
            run,
            options,
            rows,
            torch,
            cache,
        })
    }

    pub(super) fn into_rows(self) -> Vec<Row> {
        self.rows
    }

    /// Generates the batch. `last_prompt` is the state of the last arm of the previous batch, and
    /// becomes that of this batch.
    pub(super) fn run(
        &mut self,
        arms: &mut [Arm],
        last_prompt: &mut Option<PromptState>,
        on_token: &mut OnToken,
    ) -> Result<()> {
        let steps = match self.options.max_new_tokens {
            // Only the prompts' losses are wanted.
            0 if self.options.losses => 1,
            steps => steps,
        };
        for step in 0..steps {
            self.run.cancel.check()?;
            run_pass(|| {
                let logits = match step {
                    0 => self.prompts(arms, last_prompt)?,
                    _ => self.step(arms)?,
                };
                match self.options.max_new_tokens {
                    0 => Ok(()),
                    _ => self.sample(&logits),
                }
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

    /// Runs each arm's prompt once and gives its last logits to all of its rows. Arms with prompts
    /// of equal length run together, each under its own hooks. An arm that began in the previous
    /// batch is not run again.
    fn prompts(
        &mut self,
        arms: &mut [Arm],
        last_prompt: &mut Option<PromptState>,
    ) -> Result<NextLogits> {
        let ranges = self.arm_ranges();
        let mut last_logits = Vec::new();
        let mut rest = ranges.as_slice();
        if let (Some(known), Some(((arm, rows), later))) = (last_prompt.take(), rest.split_first())
            && known.arm == *arm
        {
            self.cache.fill_from(&known.kv, rows.clone())?;
            for row in &mut self.rows[rows.clone()] {
                row.losses.extend_from_slice(&known.losses);
            }
            last_logits.push(known.logits);
            rest = later;
        }
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
        let values = Tensor::cat(&last_logits, 0)?; // [arm, d_vocab]
        if let Some((arm, rows)) = ranges.last()
            && self.rows[rows.end - 1].place + 1 < arms[*arm].rows.len()
        {
            *last_prompt = Some(PromptState {
                arm: *arm,
                kv: self.cache.prompt(rows.start)?,
                losses: self.rows[rows.start].losses.clone(),
                logits: values.narrow(0, ranges.len() - 1, 1)?.copy()?,
            });
        }
        let sources = ranges.into_iter().enumerate();
        Ok(NextLogits {
            values,
            of_row: sources
                .flat_map(|(source, (_, rows))| rows.map(move |_| source))
                .collect(),
        })
    }

    /// Runs prompts of one length; their last logits are `[prompt, d_vocab]`.
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
        let kv = KvUse::Fill(&mut self.cache, rows);
        let mut pass = self.model.pass(self.run, groups, Phase::Prompt, kv);
        let wanted = if self.options.losses {
            LogitsAt::All
        } else {
            LogitsAt::Last
        };
        let logits = self
            .model
            .forward_whole(&texts, &mut pass, wanted)?
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
        let _time = self.run.profile.stage(Stage::Decode);
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
        let model = self.model;
        let kv = KvUse::Step(&mut self.cache);
        let mut pass = model.pass(self.run, groups, Phase::Decode, kv);
        let logits = model.forward(tokens.len(), &tokens, positions, &mut pass, LogitsAt::Last)?;
        drop(pass);
        self.cache.advance();
        let logits = logits.ok_or(ErrorKind::EmptyPromptBatch)?;
        Ok(NextLogits {
            values: logits.squeeze(1)?,
            of_row: (0..self.rows.len()).collect(),
        })
    }

    /// The rows of each arm in this batch, which are adjacent.
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
        let profile = &self.run.profile;
        let _time = (
            profile.stage(Stage::Decode),
            profile.part(Stage::Decode, Part::Sampling),
        );
        let d_vocab = self.model.arch().d_vocab;
        let tokenizer = self.model.tokenizer();
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
                    row.finished = options.stop_at_eos && tokenizer.is_end(token);
                    Ok(())
                })
        })?
    }

    /// With `rng: "torch"`, the raw numbers of this step for each row of the batch. A run's stream
    /// serves all rows of the run in order, including finished rows and those in other batches.
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
