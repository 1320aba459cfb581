//! The activations of a pass, by hook name.

use std::collections::HashMap;

use candle_core::Tensor;

use super::arch::Arch;
use super::hook_name::HookName;
use crate::error::{ErrorKind, Result};

/// The result of [`run_with_cache`](super::HookedTransformer::run_with_cache): logits and
/// activations.
#[derive(Clone)]
pub struct ActivationCache {
    /// The pass's logits, `[1, pos, d_vocab]`.
    pub logits: Tensor,
    /// The cached hook points, in the order of the pass.
    names: Vec<HookName>,
    activations: HashMap<HookName, Tensor>,
    /// The model's.
    arch: Arch,
}

impl ActivationCache {
    pub(super) fn new(logits: Tensor, recorded: Vec<(HookName, Tensor)>, arch: Arch) -> Self {
        Self {
            logits,
            arch,
            names: recorded.iter().map(|(name, _)| *name).collect(),
            activations: recorded.into_iter().collect(),
        }
    }

    /// The activation at a hook point, in the point's documented shape with a batch of 1.
    ///
    /// # Errors
    /// If the model has no such hook point, or the cache doesn't hold it.
    pub fn get(&self, name: HookName) -> Result<&Tensor> {
        name.check(&self.arch)?;
        self.activations.get(&name).ok_or_else(|| {
            ErrorKind::NotInCache {
                name: name.to_string(),
                held: self.names.iter().map(HookName::to_string).collect(),
                on_request: name.site.on_request(),
            }
            .into()
        })
    }

    /// The shape of the model that the activations are of.
    pub fn arch(&self) -> &Arch {
        &self.arch
    }

    /// The cached hook points, in the order of the pass.
    pub fn names(&self) -> &[HookName] {
        &self.names
    }
}

impl std::fmt::Debug for ActivationCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ActivationCache with {} activations", self.names.len())
    }
}
