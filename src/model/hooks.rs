//! Hooks: functions that read, and may replace, the activations of one call.
//!
//! Hooks are passed into a call and end with it. Nothing is ever attached to a model, so nothing
//! can leak from one call into the next, even when a call fails.

use std::ops::Range;
use std::sync::Arc;

use candle_core::Tensor;

use super::hook_name::HookName;
use crate::error::Result;

/// The place and time of a hook's call.
#[derive(Debug, Clone)]
pub struct HookCtx {
    /// The hook point.
    pub name: HookName,
    /// The kind of pass.
    pub phase: Phase,
    /// The sequence position of the activation's first position.
    pub first_pos: usize,
    /// The rows of the call's batch that this activation holds.
    pub rows: Range<usize>,
}

/// The kind of pass that is running. A one-token prompt and a cached step both have a single
/// position; this distinguishes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The whole prompt at once.
    Prompt,
    /// One new token on top of the KV cache.
    Decode,
}

/// A choice of hook points.
#[derive(Clone)]
pub enum NamesFilter {
    /// Every hook point of an ordinary pass; those on request must be named.
    All,
    /// The hook points in a list.
    Names(Vec<HookName>),
    /// The hook points for which a function is true.
    Matching(Arc<dyn Fn(HookName) -> bool + Send + Sync>),
}

impl NamesFilter {
    /// Whether a hook point is among them.
    pub fn matches(&self, name: HookName) -> bool {
        match self {
            Self::All => !name.site.on_request(),
            Self::Names(names) => names.contains(&name),
            Self::Matching(matches) => matches(name),
        }
    }
}

impl From<HookName> for NamesFilter {
    fn from(name: HookName) -> Self {
        Self::Names(vec![name])
    }
}

type HookFn<'a> = dyn FnMut(&Tensor, &HookCtx) -> Result<Option<Tensor>> + Send + 'a;

struct Hook<'a> {
    names: NamesFilter,
    in_decode: bool,
    function: Box<HookFn<'a>>,
}

/// The hooks of one call, run in the order in which they were added.
///
/// ```
/// use avec::prelude::*;
/// use avec::store;
///
/// let run = RunContext::default();
/// let files = store::find(&run, "demo", None)?;
/// let model = HookedTransformer::load(&run, &files, &LoadOptions::default())?;
/// let tokens = model.to_tokens("I think that")?;
///
/// // Without the first block's attention, the residual stream after it is another.
/// let mut hooks = Hooks::none();
/// hooks.add(model.hook_name("attn_out0")?, |value, _| Ok(Some(value.zeros_like()?)));
/// let ablated = model.loss(&run, &tokens, hooks)?;
/// assert_ne!(ablated, model.loss(&run, &tokens, Hooks::none())?);
/// # Ok::<(), avec::error::Error>(())
/// ```
#[derive(Default)]
pub struct Hooks<'a> {
    hooks: Vec<Hook<'a>>,
}

impl<'a> Hooks<'a> {
    /// No hooks: the clean model.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a hook for every pass: the prompt's and each cached step's. It receives the activation
    /// in the documented shape of its hook point. Returning `None` keeps the activation; returning
    /// a tensor of the same shape replaces it.
    pub fn add(
        &mut self,
        names: impl Into<NamesFilter>,
        function: impl FnMut(&Tensor, &HookCtx) -> Result<Option<Tensor>> + Send + 'a,
    ) {
        self.push(names.into(), true, Box::new(function));
    }

    /// Adds a hook for the prompt's pass only, as steering does. Cached steps then take the fastest
    /// path.
    pub fn add_to_prompt(
        &mut self,
        names: impl Into<NamesFilter>,
        function: impl FnMut(&Tensor, &HookCtx) -> Result<Option<Tensor>> + Send + 'a,
    ) {
        self.push(names.into(), false, Box::new(function));
    }

    fn push(&mut self, names: NamesFilter, in_decode: bool, function: Box<HookFn<'a>>) {
        self.hooks.push(Hook {
            names,
            in_decode,
            function,
        });
    }

    /// Whether there are no hooks.
    pub fn is_empty(&self) -> bool {
        self.hooks.is_empty()
    }

    pub(crate) fn wants(&self, name: HookName, phase: Phase) -> bool {
        self.hooks.iter().any(|hook| hook.applies(name, phase))
    }

    /// Runs the hooks of one hook point; `None` if none replaced the activation.
    pub(crate) fn run(&mut self, value: &Tensor, ctx: &HookCtx) -> Result<Option<Tensor>> {
        let mut replaced: Option<Tensor> = None;
        for hook in &mut self.hooks {
            if !hook.applies(ctx.name, ctx.phase) {
                continue;
            }
            let current = replaced.as_ref().unwrap_or(value);
            if let Some(new) = (hook.function)(current, ctx)? {
                if new.dims() != value.dims() {
                    return Err(crate::error::ErrorKind::Shape {
                        message: format!(
                            "a hook at {} gave back shape {:?} for an activation of shape {:?}",
                            ctx.name,
                            new.dims(),
                            value.dims()
                        ),
                    }
                    .into());
                }
                let new = new.to_dtype(value.dtype())?.to_device(value.device())?;
                // The kernels read whole rows.
                replaced = Some(new.contiguous()?);
            }
        }
        Ok(replaced)
    }
}

impl Hook<'_> {
    fn applies(&self, name: HookName, phase: Phase) -> bool {
        (phase == Phase::Prompt || self.in_decode) && self.names.matches(name)
    }
}
