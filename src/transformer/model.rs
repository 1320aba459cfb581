//! The hooked model: tokens in, logits, losses and activations out.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use super::activation_cache::ActivationCache;
use super::awake::awake;
use super::block::Block;
use super::config::Config;
use super::embed::{Embedding, Unembedding};
use super::hook_name::{HookName, Site};
use super::hooks::{Hooks, NamesFilter};
use super::load::{LoadOptions, Processing};
use super::pass::{KvUse, Pass};
use super::tokenizer::Tokenizer;
use super::values::with_values;
use super::vector::log_sum_exp;
use crate::cancel::Cancel;
use crate::error::{ErrorKind, Result};
use crate::profile::{Profile, Stage};

/// A GPT-2 whose every step can be seen and changed by hooks that are passed into a call.
///
/// Immutable, and cheap to clone: clones share the weights.
#[derive(Clone)]
pub struct HookedTransformer {
    inner: Arc<Inner>,
}

struct Inner {
    name: String,
    config: Config,
    processing: Processing,
    device: Device,
    dtype: DType,
    tokenizer: Tokenizer,
    embedding: Embedding,
    blocks: Vec<Block>,
    unembedding: Unembedding,
    cancel: Cancel,
    profile: Profile,
    memory: Option<u64>,
}

/// Which positions' logits a pass computes; the unembedding is a third of gpt2's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogitsAt {
    All,
    Last,
    /// None at all: only hooks matter, and only the first so many layers.
    None {
        layers: usize,
    },
}

impl HookedTransformer {
    #[allow(
        clippy::too_many_arguments,
        reason = "the loader's parts, put together once"
    )]
    pub(super) fn new(
        name: String,
        config: Config,
        options: &LoadOptions,
        device: Device,
        tokenizer: Tokenizer,
        embedding: Embedding,
        blocks: Vec<Block>,
        unembedding: Unembedding,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                name,
                config,
                processing: options.processing,
                device,
                dtype: options.dtype,
                tokenizer,
                embedding,
                blocks,
                unembedding,
                cancel: options.cancel.clone(),
                profile: options.profile.clone(),
                memory: options.memory,
            }),
        }
    }

    /// The name that the model was asked for by.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    pub fn processing(&self) -> Processing {
        self.inner.processing
    }

    pub fn device(&self) -> &Device {
        &self.inner.device
    }

    /// The number type of the weights. Logits are always f32.
    pub fn dtype(&self) -> DType {
        self.inner.dtype
    }

    /// The number type of activations: the weights', but on the CPU always f32.
    pub fn activation_dtype(&self) -> DType {
        activation_dtype(&self.inner.device, self.inner.dtype)
    }

    pub fn tokenizer(&self) -> &Tokenizer {
        &self.inner.tokenizer
    }

    /// Whether two handles are the same model in memory.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    pub(super) fn cancel(&self) -> &Cancel {
        &self.inner.cancel
    }

    pub(super) fn profile(&self) -> &Profile {
        &self.inner.profile
    }

    /// How many bytes generation may use at once, if somebody said.
    pub(super) fn memory(&self) -> Option<u64> {
        self.inner.memory
    }

    /// The tokens of a text, BOS first.
    pub fn to_tokens(&self, text: &str) -> Result<Vec<u32>> {
        self.inner.tokenizer.encode_with_bos(text)
    }

    /// The text of each token by itself.
    pub fn to_str_tokens(&self, tokens: &[u32]) -> Result<Vec<String>> {
        self.inner.tokenizer.decode_each(tokens)
    }

    /// The one token that a text is; an error if it is none or several.
    pub fn to_single_token(&self, text: &str) -> Result<u32> {
        self.inner.tokenizer.single(text)
    }

    pub fn to_string(&self, tokens: &[u32]) -> Result<String> {
        self.inner.tokenizer.decode(tokens)
    }

    /// All hook points, in the order of the pass.
    pub fn hook_names(&self) -> Vec<HookName> {
        HookName::all(&self.inner.config)
    }

    /// The hook point that a full name or shorthand means in this model.
    pub fn hook_name(&self, text: &str) -> Result<HookName> {
        text.parse::<HookName>()?.check(&self.inner.config)
    }

    /// Logits `[1, pos, d_vocab]` of a text under hooks.
    pub fn logits(&self, tokens: &[u32], mut hooks: Hooks) -> Result<Tensor> {
        self.logits_of(&[tokens], &mut hooks)
    }

    /// Logits `[batch, pos, d_vocab]` of texts of one length under hooks.
    pub fn logits_of(&self, rows: &[&[u32]], hooks: &mut Hooks) -> Result<Tensor> {
        let mut pass = self.prompt_pass(rows.len(), hooks, KvUse::None);
        let logits = self.run_whole(rows, &mut pass, LogitsAt::All)?;
        logits.ok_or_else(|| ErrorKind::EmptyPromptBatch.into())
    }

    /// Keeps the activations whose names match, and the logits.
    pub fn run_with_cache(&self, tokens: &[u32], names: &NamesFilter) -> Result<ActivationCache> {
        self.run_with_hooks_and_cache(tokens, Hooks::none(), names)
    }

    /// The same on a model under hooks: what is kept is what the hooks left.
    pub fn run_with_hooks_and_cache(
        &self,
        tokens: &[u32],
        hooks: Hooks,
        names: &NamesFilter,
    ) -> Result<ActivationCache> {
        let mut recorded = Vec::new();
        let mut all = hooks;
        all.add(names.clone(), |value, ctx| {
            recorded.push((ctx.name, value.clone()));
            Ok(None)
        });
        let logits = self.logits(tokens, all)?;
        Ok(ActivationCache::new(logits, recorded))
    }

    /// The clean model's activations at some hook points for texts of one length, each with the
    /// texts along its first axis. The pass ends after the last layer that is needed.
    pub fn activations(
        &self,
        rows: &[&[u32]],
        names: &[HookName],
    ) -> Result<HashMap<HookName, Tensor>> {
        for name in names {
            name.check(&self.inner.config)?;
        }
        // A site outside of the blocks may come after them all.
        let layers = names
            .iter()
            .map(|name| {
                name.layer
                    .map_or(self.inner.config.n_layers, |layer| layer + 1)
            })
            .max()
            .unwrap_or(0);
        let mut found = HashMap::new();
        let mut hooks = Hooks::none();
        hooks.add(NamesFilter::Names(names.to_vec()), |value, ctx| {
            found.insert(ctx.name, value.clone());
            Ok(None)
        });
        let mut pass = self.prompt_pass(rows.len(), &mut hooks, KvUse::None);
        self.run_whole(rows, &mut pass, LogitsAt::None { layers })?;
        drop(pass);
        drop(hooks);
        Ok(found)
    }

    /// The negative log-likelihood of each token after the first, `pos - 1` values.
    pub fn loss_per_token(&self, tokens: &[u32], hooks: Hooks) -> Result<Vec<f32>> {
        let logits = self.logits(tokens, hooks)?;
        next_token_losses(&logits, tokens)
    }

    /// The mean of [`Self::loss_per_token`]; an error for a text of fewer than two tokens.
    pub fn loss(&self, tokens: &[u32], hooks: Hooks) -> Result<f32> {
        let losses = self.loss_per_token(tokens, hooks)?;
        mean(&losses).ok_or_else(|| {
            ErrorKind::Shape {
                message: "the loss needs at least two tokens: one to read, one to predict".into(),
            }
            .into()
        })
    }

    /// Which logits each direction adds to: x `[.., d_model]` -> x·W_U `[.., d_vocab]`, without b_U.
    pub fn unembed_direction(&self, x: &Tensor) -> Result<Tensor> {
        self.inner.unembedding.project(x)
    }

    /// Each head's part of a layer's attention output, without b_O:
    /// z `[batch, pos, head, d_head]` -> `[batch, pos, head, d_model]`.
    pub fn head_results(&self, layer: usize, z: &Tensor) -> Result<Tensor> {
        HookName::block(Site::Z, layer).check(&self.inner.config)?;
        self.inner.blocks[layer].attention().per_head(z)
    }

    /// Checks tokens and length before any work is done.
    pub(crate) fn check_tokens(&self, tokens: &[u32]) -> Result<()> {
        if tokens.is_empty() {
            return Err(crate::error::Error::new(ErrorKind::Shape {
                message: "there are no tokens to run on".into(),
            }));
        }
        if tokens.len() > self.inner.config.n_ctx {
            return Err(ErrorKind::PromptTooLong {
                tokens: tokens.len(),
                n_ctx: self.inner.config.n_ctx,
            }
            .into());
        }
        self.inner.tokenizer.check(tokens)
    }

    /// A pass over `rows` whole sequences under hooks.
    pub(super) fn prompt_pass<'p, 'h>(
        &'p self,
        rows: usize,
        hooks: &'p mut Hooks<'h>,
        kv: KvUse<'p>,
    ) -> Pass<'p, 'h> {
        Pass::prompt(rows, Some(hooks), kv, self.cancel(), self.profile())
    }

    /// Runs whole sequences of one length.
    pub(super) fn run_whole(
        &self,
        rows: &[&[u32]],
        pass: &mut Pass,
        logits: LogitsAt,
    ) -> Result<Option<Tensor>> {
        let _time = self.profile().stage(Stage::Prompt);
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
        let positions: Vec<u32> = rows.iter().flat_map(|_| 0..length as u32).collect();
        self.run(rows.len(), &tokens, &positions, pass, logits)
    }

    /// The one forward pass. `tokens` are the rows of the batch one after the other, `positions`
    /// where each of them stands -> logits `[batch, pos, d_vocab]` of the positions asked for.
    pub(super) fn run(
        &self,
        batch: usize,
        tokens: &[u32],
        positions: &[u32],
        pass: &mut Pass,
        logits: LogitsAt,
    ) -> Result<Option<Tensor>> {
        awake(|| self.run_here(batch, tokens, positions, pass, logits))
    }

    fn run_here(
        &self,
        batch: usize,
        tokens: &[u32],
        positions: &[u32],
        pass: &mut Pass,
        logits: LogitsAt,
    ) -> Result<Option<Tensor>> {
        let inner = &*self.inner;
        let mut residual = inner.embedding.forward(batch, tokens, positions, pass)?;
        let layers = match logits {
            LogitsAt::None { layers } => layers,
            _ => inner.blocks.len(),
        };
        for block in inner.blocks.iter().take(layers) {
            pass.cancel.check()?;
            residual = block.forward(residual, pass)?;
        }
        let watched = pass.wants(HookName::outside(Site::LnFinalScale))
            || pass.wants(HookName::outside(Site::LnFinalNormalized));
        let last = |x: &Tensor| x.narrow(1, x.dim(1)? - 1, 1);
        Ok(match logits {
            LogitsAt::All => Some(inner.unembedding.forward(&residual, pass)?),
            LogitsAt::Last if watched => {
                let normalized = inner.unembedding.normalize(&residual, pass)?;
                Some(inner.unembedding.logits(&last(&normalized)?, pass)?)
            }
            LogitsAt::Last => Some(inner.unembedding.forward(&last(&residual)?, pass)?),
            LogitsAt::None { .. } => {
                if watched {
                    inner.unembedding.normalize(&residual, pass)?;
                }
                None
            }
        })
    }
}

impl std::fmt::Debug for HookedTransformer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HookedTransformer({})", self.inner.name)
    }
}

/// What a model computes in: candle has no fast half-precision arithmetic on the CPU, so bf16 is
/// only how the weights are kept there.
pub(super) fn activation_dtype(device: &Device, dtype: DType) -> DType {
    if device.is_cpu() { DType::F32 } else { dtype }
}

/// `-log_softmax(logits)[next token]` for logits `[1, pos, d_vocab]`: pos - 1 values.
pub(super) fn next_token_losses(logits: &Tensor, tokens: &[u32]) -> Result<Vec<f32>> {
    let d_vocab = logits.dim(candle_core::D::Minus1)?;
    let next = &tokens[1.min(tokens.len())..];
    Ok(with_values(logits, |values| {
        values
            .par_chunks(d_vocab)
            .zip(next)
            .map(|(row, token)| log_sum_exp(row) - row[*token as usize])
            .collect()
    })?)
}

/// The mean in f64, `None` of nothing.
pub(crate) fn mean(values: &[f32]) -> Option<f32> {
    if values.is_empty() {
        return None;
    }
    let sum: f64 = values.iter().map(|x| f64::from(*x)).sum();
    Some((sum / values.len() as f64) as f32)
}
