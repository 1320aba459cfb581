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

/// A transformer in which every step can be read and changed by hooks passed into a call.
///
/// Immutable and cheap to clone: clones share the weights. It keeps nothing of a run; the
/// circumstances of a call ([`RunContext`]) are passed with it.
///
/// ```
/// use avec::prelude::*;
/// use avec::store;
///
/// let run = RunContext::default();
/// let files = store::find(&run, "demo", None)?;
/// let model = HookedTransformer::load(&run, &files, &LoadOptions::default())?;
///
/// let tokens = model.to_tokens("I think that")?;
/// let logits = model.logits(&run, &tokens, Hooks::none())?;
/// assert_eq!(logits.dims(), [1, tokens.len(), model.arch().d_vocab]);
///
/// let name = model.hook_name("resid_pre1")?;
/// let cache = model.run_with_cache(&run, &tokens, &NamesFilter::Names(vec![name]))?;
/// assert_eq!(cache.get(name)?.dims(), [1, tokens.len(), model.arch().d_model]);
/// # Ok::<(), avec::error::Error>(())
/// ```
#[derive(Clone)]
pub struct HookedTransformer {
    inner: Arc<Parts>,
}

/// The parts that the loader assembles.
pub(super) struct Parts {
    pub(super) name: String,
    pub(super) arch: Arch,
    pub(super) processing: Processing,
    /// The number type of the weights.
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

    /// The name that the model was loaded by.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The architecture: sizes and choices.
    pub fn arch(&self) -> &Arch {
        &self.inner.arch
    }

    /// How the weights were rewritten when the model was loaded.
    pub fn processing(&self) -> Processing {
        self.inner.processing
    }

    /// The device that the model computes on.
    pub fn device(&self) -> &Device {
        self.inner.backend.device()
    }

    /// The number type of the weights. Logits are always f32.
    pub fn dtype(&self) -> DType {
        self.inner.dtype
    }

    /// The number type of activations: f32 on the CPU, elsewhere that of the weights.
    pub fn activation_dtype(&self) -> DType {
        self.inner.backend.activation_dtype()
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.inner.tokenizer
    }

    /// Whether two handles refer to the same model in memory.
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

    /// The tokens of a text, with BOS in front.
    ///
    /// # Errors
    /// If the tokenizer can't encode the text.
    pub fn to_tokens(&self, text: &str) -> Result<Vec<u32>> {
        self.inner.tokenizer.encode_with_bos(text)
    }

    /// The text of each token on its own.
    ///
    /// # Errors
    /// If a token is not in the vocabulary.
    pub fn to_str_tokens(&self, tokens: &[u32]) -> Result<Vec<String>> {
        self.inner.tokenizer.decode_each(tokens)
    }

    /// The token of a text that is a single token.
    ///
    /// # Errors
    /// If the text is no token or several.
    pub fn to_single_token(&self, text: &str) -> Result<u32> {
        self.inner.tokenizer.single(text)
    }

    /// The text of tokens, including special ones.
    ///
    /// # Errors
    /// If a token is not in the vocabulary.
    pub fn to_string(&self, tokens: &[u32]) -> Result<String> {
        self.inner.tokenizer.decode(tokens)
    }

    /// The hook points that fire in an ordinary pass, in its order.
    pub fn hook_names(&self) -> Vec<HookName> {
        HookName::all(self.arch())
    }

    /// All hook points, including those computed only on request, in the order of a pass.
    pub fn all_hook_names(&self) -> Vec<HookName> {
        HookName::all_named(self.arch())
    }

    /// The hook point that a full name or shorthand means in this model.
    ///
    /// # Errors
    /// If the name is unknown, or this model has no such hook point.
    pub fn hook_name(&self, text: &str) -> Result<HookName> {
        HookName::of_model(text, self.arch())
    }

    /// Logits `[1, pos, d_vocab]` of a text, computed under hooks.
    ///
    /// # Errors
    /// If there are no tokens, too many or unknown ones, if a hook fails, or if the run is
    /// cancelled.
    pub fn logits(&self, run: &RunContext, tokens: &[u32], mut hooks: Hooks) -> Result<Tensor> {
        self.logits_of(run, &[tokens], &mut hooks)
    }

    /// Logits `[batch, pos, d_vocab]` of texts of one length, computed under hooks.
    ///
    /// # Errors
    /// As for [`Self::logits`], and if the lengths differ.
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

    /// The activations at matching hook points, and the logits.
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

    /// Like [`Self::run_with_cache`] under hooks: the cache holds the activations that the hooks
    /// left.
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
        Ok(ActivationCache::new(logits, recorded, self.arch().clone()))
    }

    /// The clean model's activations at some hook points for texts of one length, each with the
    /// texts along its first axis. The pass ends after the last layer needed.
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
        // A site outside the blocks may come after all of them.
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

    /// The negative log-likelihood of each token after the first: `pos - 1` values, in nats.
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

    /// The mean of [`Self::loss_per_token`].
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

    /// What a direction adds to the logits: x `[.., d_model]` -> x·W_U `[.., d_vocab]`, without
    /// b_U.
    ///
    /// # Errors
    /// If x has another width.
    pub fn unembed_direction(&self, x: &Tensor) -> Result<Tensor> {
        self.inner.unembedding.project(x)
    }

    /// Each head's share of a layer's attention output, without b_O: z `[batch, pos, head, d_head]`
    /// -> `[batch, pos, head, d_model]`.
    ///
    /// # Errors
    /// If the model has no such layer, or z has another shape.
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

/// `-log_softmax(logits)[next token]` for logits `[1, pos, d_vocab]`: `pos - 1` values.
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

/// The mean, summed in f64; `None` if there are no values.
pub(crate) fn mean(values: &[f32]) -> Option<f32> {
    if values.is_empty() {
        return None;
    }
    let sum: f64 = values.iter().map(|x| f64::from(*x)).sum();
    Some((sum / values.len() as f64) as f32)
}
