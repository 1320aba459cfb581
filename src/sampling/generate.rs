//! Generation: arms, options, finished rows.
//!
//! Steering acts only on the prompt's pass and persists in the KV cache, so after the prompts,
//! steered and unsteered rows are one batch. How rows are packed into batches changes no text.

use std::collections::HashMap;

use super::arm::{Arm, GenerateOptions, GeneratedRow, OnToken};
use super::batches;
use super::decoder::Decoder;
use crate::error::{Error, ErrorKind, Result, Subject};
use crate::model::HookedTransformer;
use crate::run::RunContext;

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
            // The last token is never read, so it needs no position.
            let read = options.max_new_tokens.saturating_sub(1);
            if arm.prompt.len().saturating_add(read) > n_ctx {
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
