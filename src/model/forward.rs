//! A pass of a model over a batch: its phase, its rows, its hooks, and the walk through the layers.

use candle_core::Tensor;

use super::hook_name::HookName;
use super::hooked::HookedTransformer;
use super::hooks::{Hooks, Phase};
use super::pass::{Group, KvUse, LogitsAt, Pass};
use super::sites::Site;
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::run_pass;
use crate::profile::Stage;
use crate::run::RunContext;

impl HookedTransformer {
    /// A pass over `rows` whole sequences that share their hooks.
    pub(crate) fn prompt_pass<'p, 'h>(
        &'p self,
        run: &'p RunContext,
        rows: usize,
        hooks: &'p mut Hooks<'h>,
    ) -> Pass<'p, 'h> {
        let group = Group {
            rows: 0..rows,
            first_pos: 0,
            hooks: Some(hooks),
        };
        self.pass(run, vec![group], Phase::Prompt, KvUse::None)
    }

    pub(crate) fn pass<'p, 'h>(
        &'p self,
        run: &'p RunContext,
        groups: Vec<Group<'p, 'h>>,
        phase: Phase,
        kv: KvUse<'p>,
    ) -> Pass<'p, 'h> {
        Pass {
            groups,
            phase,
            kv,
            run,
            backend: self.backend(),
            positions: Vec::new(),
        }
    }

    /// Runs whole sequences of one length.
    pub(crate) fn forward_whole(
        &self,
        rows: &[&[u32]],
        pass: &mut Pass,
        logits: LogitsAt,
    ) -> Result<Option<Tensor>> {
        let _time = pass.run.profile.stage(Stage::Prompt);
        let length = rows.first().map_or(0, |row| row.len());
        let mut tokens = Vec::with_capacity(rows.len() * length);
        for row in rows {
            self.check_tokens(row)?;
            if row.len() != length {
                return Err(ErrorKind::Shape {
                    message: "the texts of one pass must have the same number of tokens".into(),
                }
                .into());
            }
            tokens.extend_from_slice(row);
        }
        if rows.is_empty() {
            return Err(ErrorKind::EmptyPromptBatch.into());
        }
        let positions = rows.iter().flat_map(|_| 0..length as u32).collect();
        self.forward(rows.len(), &tokens, positions, pass, logits)
    }

    /// The forward pass. `tokens` holds the rows of the batch, concatenated, and `positions` each
    /// token's position -> logits `[batch, pos, d_vocab]` of the requested positions.
    pub(crate) fn forward(
        &self,
        batch: usize,
        tokens: &[u32],
        positions: Vec<u32>,
        pass: &mut Pass,
        logits: LogitsAt,
    ) -> Result<Option<Tensor>> {
        pass.positions = positions;
        run_pass(|| self.layers(batch, tokens, pass, logits))
    }

    fn layers(
        &self,
        batch: usize,
        tokens: &[u32],
        pass: &mut Pass,
        logits: LogitsAt,
    ) -> Result<Option<Tensor>> {
        let (embedding, blocks, unembedding) = self.parts();
        let mut residual = embedding.forward(batch, tokens, pass)?;
        let layers = match logits {
            LogitsAt::None { layers } => layers,
            _ => blocks.len(),
        };
        for block in blocks.iter().take(layers) {
            pass.run.cancel.check()?;
            residual = block.forward(residual, pass)?;
        }
        let watched = pass.wants(HookName::outside(Site::LnFinalScale))
            || pass.wants(HookName::outside(Site::LnFinalNormalized));
        let last = |x: &Tensor| x.narrow(1, x.dim(1)? - 1, 1);
        Ok(match logits {
            LogitsAt::All => Some(unembedding.forward(&residual, pass)?),
            LogitsAt::Last if watched => {
                let normalized = unembedding.normalize(&residual, pass)?;
                Some(unembedding.logits(&last(&normalized)?, pass)?)
            }
            LogitsAt::Last => Some(unembedding.forward(&last(&residual)?, pass)?),
            LogitsAt::None { .. } => {
                if watched {
                    unembedding.normalize(&residual, pass)?;
                }
                None
            }
        })
    }

    /// Checks tokens and length before doing any work.
    pub(crate) fn check_tokens(&self, tokens: &[u32]) -> Result<()> {
        if tokens.is_empty() {
            return Err(Error::new(ErrorKind::Shape {
                message: "there are no tokens to run on".into(),
            }));
        }
        let n_ctx = self.arch().n_ctx;
        if tokens.len() > n_ctx {
            return Err(ErrorKind::PromptTooLong {
                tokens: tokens.len(),
                n_ctx,
            }
            .into());
        }
        self.tokenizer().check(tokens)
    }
}
