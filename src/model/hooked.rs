//! The hooked model: tokens in, logits, losses and activations out.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use super::activation_cache::ActivationCache;
use super::arch::Arch;
use super::hook_name::HookName;
use super::hooks::{Hooks, NamesFilter};
use super::layers::{Block, Embedding, Unembedding};
use super::pass::LogitsAt;
use super::processing::Processing;
use super::sites::Site;
use super::tokenizer::Tokenizer;
use crate::error::{ErrorKind, Result};
use crate::kernels::reductions::log_sum_exp;
use crate::kernels::{Backend, with_values};
use crate::run::RunContext;

/// A transformer whose every step can be seen and changed by hooks that are passed into a call.
///
/// Immutable, and cheap to clone: clones share the weights. Nothing of a run is kept in it: who may
/// stop a call, who watches it and what it may use come with the call.
///
/// ```
/// use avec::prelude::*;
///
/// let run = RunContext::default();
/// let files = avec::store::find("demo", &avec::store::StoreOptions::default())?;
/// let model = HookedTransformer::load(&run, &files, &LoadOptions::default())?;
/// let tokens = model.to_tokens("I think that")?;
/// let logits = model.logits(&run, &tokens, Hooks::none())?;
/// assert_eq!(logits.dims(), [1, tokens.len(), model.arch().d_vocab]);
/// # Ok::<(), avec::error::Error>(())
/// ```
#[derive(Clone)]
pub struct HookedTransformer {
    inner: Arc<Parts>,
}

/// What the loader puts together.
pub(super) struct Parts {
    pub(super) name: String,
    pub(super) arch: Arch,
    pub(super) processing: Processing,
    /// What weights are kept in.
    pub(super) dtype: DType,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) tokenizer: Tokenizer,
    pub(super) embedding: Embedding,
    pub(super) blocks: Vec<Block>,
    pub(super) unembedding: Unembedding,
}

impl HookedTransformer {
    pub(super) fn from_parts(parts: Parts) -> Self {
        Self {
            inner: Arc::new(parts),
        }
    }

    /// The name that the model was asked for by.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Sizes and choices of the architecture.
    pub fn arch(&self) -> &Arch {
        &self.inner.arch
    }

    /// How the weights were rewritten when the model was loaded.
    pub fn processing(&self) -> Processing {
        self.inner.processing
    }

    /// Where the model computes.
    pub fn device(&self) -> &Device {
        self.inner.backend.device()
    }

    /// The number type of the weights. Logits are always f32.
    pub fn dtype(&self) -> DType {
        self.inner.dtype
    }

    /// The number type of activations: the weights', but on the CPU always f32.
    pub fn activation_dtype(&self) -> DType {
        self.inner.backend.activation_dtype()
    }

    /// Texts to tokens and back.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.inner.tokenizer
    }

    /// Whether two handles are the same model in memory.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    pub(super) fn backend(&self) -> &dyn Backend {
        &*self.inner.backend
    }

    pub(super) fn parts(&self) -> (&Embedding, &[Block], &Unembedding) {
        let parts = &*self.inner;
        (&parts.embedding, &parts.blocks, &parts.unembedding)
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

    /// The text of tokens, special ones included.
    ///
    /// # Errors
    /// If a token is not in the vocabulary.
    pub fn to_string(&self, tokens: &[u32]) -> Result<String> {
        self.inner.tokenizer.decode(tokens)
    }

    /// The hook points that an ordinary pass fires, in its order.
    pub fn hook_names(&self) -> Vec<HookName> {
        HookName::all(self.arch())
    }

    /// The same, with those that are computed only when they are named.
    pub fn all_hook_names(&self) -> Vec<HookName> {
        HookName::all_named(self.arch())
    }

    /// The hook point that a full name or shorthand means in this model.
    pub fn hook_name(&self, text: &str) -> Result<HookName> {
        text.parse::<HookName>()?.check(self.arch())
    }

    /// Logits `[1, pos, d_vocab]` of a text under hooks.
    ///
    /// # Errors
    /// If there are no tokens, too many or unknown ones, if a hook fails, or if the run is cancelled.
    pub fn logits(&self, run: &RunContext, tokens: &[u32], mut hooks: Hooks) -> Result<Tensor> {
        self.logits_of(run, &[tokens], &mut hooks)
    }

    /// Logits `[batch, pos, d_vocab]` of texts of one length under hooks.
    ///
    /// # Errors
    /// As for [`Self::logits`], and if the texts' lengths differ.
    pub fn logits_of(
        &self,
        run: &RunContext,
        rows: &[&[u32]],
        hooks: &mut Hooks,
    ) -> Result<Tensor> {
        let mut pass = self.prompt_pass(run, rows.len(), hooks);
        let logits = self.forward_whole(rows, &mut pass, LogitsAt::All)?;
        logits.ok_or_else(|| ErrorKind::EmptyPromptBatch.into())
    }

    /// Keeps the activations whose names match, and the logits.
    ///
    /// # Errors
    /// As for [`Self::logits`].
    pub fn run_with_cache(
        &self,
        run: &RunContext,
        tokens: &[u32],
        names: &NamesFilter,
    ) -> Result<ActivationCache> {
        self.run_with_hooks_and_cache(run, tokens, Hooks::none(), names)
    }

    /// The same on a model under hooks: what is kept is what the hooks left.
    ///
    /// # Errors
    /// As for [`Self::logits`].
    pub fn run_with_hooks_and_cache(
        &self,
        run: &RunContext,
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
        let logits = self.logits(run, tokens, all)?;
        Ok(ActivationCache::new(logits, recorded, self.arch().n_layers))
    }

    /// The clean model's activations at some hook points for texts of one length, each with the
    /// texts along its first axis. The pass ends after the last layer that is needed.
    ///
    /// # Errors
    /// As for [`Self::logits_of`], and if the model has no such hook point.
    pub fn activations(
        &self,
        run: &RunContext,
        rows: &[&[u32]],
        names: &[HookName],
    ) -> Result<HashMap<HookName, Tensor>> {
        for name in names {
            name.check(self.arch())?;
        }
        // A site outside of the blocks may come after them all.
        let layers = names
            .iter()
            .map(|name| name.layer.map_or(self.arch().n_layers, |layer| layer + 1))
            .max()
            .unwrap_or(0);
        let mut found = HashMap::new();
        let mut hooks = Hooks::none();
        hooks.add(NamesFilter::Names(names.to_vec()), |value, ctx| {
            found.insert(ctx.name, value.clone());
            Ok(None)
        });
        let mut pass = self.prompt_pass(run, rows.len(), &mut hooks);
        self.forward_whole(rows, &mut pass, LogitsAt::None { layers })?;
        drop(pass);
        drop(hooks);
        Ok(found)
    }

    /// The negative log-likelihood of each token after the first, `pos - 1` values.
    ///
    /// # Errors
    /// As for [`Self::logits`].
    pub fn loss_per_token(
        &self,
        run: &RunContext,
        tokens: &[u32],
        hooks: Hooks,
    ) -> Result<Vec<f32>> {
        let logits = self.logits(run, tokens, hooks)?;
        next_token_losses(&logits, tokens)
    }

    /// The mean of [`Self::loss_per_token`]; an error for a text of fewer than two tokens.
    ///
    /// # Errors
    /// As for [`Self::logits`], and if there are fewer than two tokens.
    pub fn loss(&self, run: &RunContext, tokens: &[u32], hooks: Hooks) -> Result<f32> {
        let losses = self.loss_per_token(run, tokens, hooks)?;
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
        HookName::block(Site::Z, layer).check(self.arch())?;
        self.inner.blocks[layer].attention().per_head(z)
    }
}

impl std::fmt::Debug for HookedTransformer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HookedTransformer({})", self.inner.name)
    }
}

/// `-log_softmax(logits)[next token]` for logits `[1, pos, d_vocab]`: pos - 1 values.
pub(crate) fn next_token_losses(logits: &Tensor, tokens: &[u32]) -> Result<Vec<f32>> {
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
