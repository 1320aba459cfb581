//! State shared by the layers of a pass: its phase, its rows, their hooks, the KV cache.

use std::ops::Range;

use candle_core::{IndexOp, Tensor};

use super::hook_name::HookName;
use super::hooks::{HookCtx, Hooks, Phase};
use super::kv_cache::KvCache;
use crate::error::Result;
use crate::kernels::Backend;
use crate::profile::{Clock, Part, Stage};
use crate::run::RunContext;

/// Rows that share a prompt length and hooks.
pub(crate) struct Group<'p, 'h> {
    pub(crate) rows: Range<usize>,
    /// The sequence position of the pass's first position.
    pub(crate) first_pos: usize,
    pub(crate) hooks: Option<&'p mut Hooks<'h>>,
}

/// How a pass uses the KV cache.
pub(crate) enum KvUse<'p> {
    /// Not at all.
    None,
    /// Copies the keys and values of each prompt to its rows of the cache.
    Fill(&'p mut KvCache, Vec<Range<usize>>),
    /// Adds one position to every row of the cache.
    Step(&'p mut KvCache),
}

/// The positions whose logits a pass computes. The unembedding is a third of gpt2's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogitsAt {
    All,
    Last,
    /// None: only hooks matter, in only the first `layers` layers.
    None {
        layers: usize,
    },
}

/// State shared by the layers of a pass.
pub(crate) struct Pass<'p, 'h> {
    pub(crate) groups: Vec<Group<'p, 'h>>,
    pub(crate) phase: Phase,
    pub(crate) kv: KvUse<'p>,
    pub(crate) run: &'p RunContext,
    pub(crate) backend: &'p dyn Backend,
    /// Each token's position in its sequence, row by row.
    pub(crate) positions: Vec<u32>, // [batch * pos]
}

impl<'p> Pass<'p, '_> {
    /// Counts the time until the clock is dropped towards a part of this pass.
    pub(crate) fn clock(&self, part: Part) -> Clock {
        let stage = match self.phase {
            Phase::Prompt => Stage::Prompt,
            Phase::Decode => Stage::Decode,
        };
        self.run.profile.part(stage, part)
    }

    /// Whether a hook wants this hook point, so that its activation must be computed.
    pub(crate) fn wants(&self, name: HookName) -> bool {
        self.groups
            .iter()
            .any(|group| group.wants(name, self.phase))
    }

    /// Runs the hooks of a hook point on its activation, rows along the first axis, and returns the
    /// activation that the pass continues with.
    pub(crate) fn hook(&mut self, name: HookName, value: Tensor) -> Result<Tensor> {
        let replaced = self.hook_replaced(name, &value)?;
        Ok(replaced.unwrap_or(value))
    }

    /// Like [`Self::hook`], but returns `None` if no hook replaced the activation.
    pub(crate) fn hook_replaced(
        &mut self,
        name: HookName,
        value: &Tensor,
    ) -> Result<Option<Tensor>> {
        if !self.wants(name) {
            return Ok(None);
        }
        let phase = self.phase;
        if let [group] = self.groups.as_mut_slice() {
            return group.hook(name, phase, value);
        }
        let mut any = false;
        let mut parts = Vec::with_capacity(self.groups.len());
        for group in &mut self.groups {
            let part = value.i(group.rows.clone())?;
            let replaced = group.hook(name, phase, &part)?;
            any |= replaced.is_some();
            parts.push(replaced.unwrap_or(part));
        }
        Ok(match any {
            true => Some(Tensor::cat(&parts, 0)?),
            false => None,
        })
    }
}

impl Group<'_, '_> {
    fn wants(&self, name: HookName, phase: Phase) -> bool {
        self.hooks
            .as_ref()
            .is_some_and(|hooks| hooks.wants(name, phase))
    }

    /// Runs this group's hooks on its own rows.
    pub(crate) fn hook(
        &mut self,
        name: HookName,
        phase: Phase,
        value: &Tensor,
    ) -> Result<Option<Tensor>> {
        let Some(hooks) = self.hooks.as_mut() else {
            return Ok(None);
        };
        let ctx = HookCtx {
            name,
            phase,
            first_pos: self.first_pos,
            rows: self.rows.clone(),
        };
        hooks.run(value, &ctx)
    }
}
