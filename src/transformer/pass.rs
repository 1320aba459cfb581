//! One run of the model over a batch: its phase, its rows, and who listens at the hook points.

use std::ops::Range;

use candle_core::{IndexOp, Tensor};

use super::hook_name::HookName;
use super::hooks::{HookCtx, Hooks, Phase};
use super::kv_cache::KvCache;
use crate::cancel::Cancel;
use crate::error::Result;
use crate::profile::{Clock, Part, Profile, Stage};

/// Rows that belong together: they share a prompt length and their hooks.
pub struct Group<'p, 'h> {
    pub rows: Range<usize>,
    /// The position in the sequence of the pass's first position.
    pub first_pos: usize,
    pub hooks: Option<&'p mut Hooks<'h>>,
}

/// What the KV cache is for in this pass.
pub enum KvUse<'p> {
    /// Nothing is kept.
    None,
    /// Prompts: the keys and values of each are copied to its rows of the cache.
    Fill(&'p mut KvCache, Vec<Range<usize>>),
    /// One new position for every row of the cache.
    Step(&'p mut KvCache),
}

pub struct Pass<'p, 'h> {
    pub groups: Vec<Group<'p, 'h>>,
    pub phase: Phase,
    pub kv: KvUse<'p>,
    pub cancel: &'p Cancel,
    pub profile: &'p Profile,
}

impl<'p, 'h> Pass<'p, 'h> {
    /// A pass over `rows` whole sequences.
    pub fn prompt(
        rows: usize,
        hooks: Option<&'p mut Hooks<'h>>,
        kv: KvUse<'p>,
        cancel: &'p Cancel,
        profile: &'p Profile,
    ) -> Self {
        Self {
            groups: vec![Group {
                rows: 0..rows,
                first_pos: 0,
                hooks,
            }],
            phase: Phase::Prompt,
            kv,
            cancel,
            profile,
        }
    }

    /// Counts the time until the clock is dropped for a part of this pass.
    pub fn clock(&self, part: Part) -> Clock {
        let stage = match self.phase {
            Phase::Prompt => Stage::Prompt,
            Phase::Decode => Stage::Decode,
        };
        self.profile.part(stage, part)
    }

    /// Whether anybody wants to see this hook point, so that it must be materialised.
    pub fn wants(&self, name: HookName) -> bool {
        self.groups
            .iter()
            .any(|group| group.wants(name, self.phase))
    }

    /// Shows an activation, rows along its first axis, to whoever wants it, and gives back what
    /// the rest of the pass goes on with.
    pub fn at(&mut self, name: HookName, value: Tensor) -> Result<Tensor> {
        if !self.wants(name) {
            return Ok(value);
        }
        let phase = self.phase;
        if let [group] = self.groups.as_mut_slice() {
            let replaced = group.run(name, phase, &value)?;
            return Ok(replaced.unwrap_or(value));
        }
        let mut parts = Vec::with_capacity(self.groups.len());
        for group in &mut self.groups {
            let part = value.i(group.rows.clone())?;
            let replaced = group.run(name, phase, &part)?;
            parts.push(replaced.unwrap_or(part));
        }
        Ok(Tensor::cat(&parts, 0)?)
    }
}

impl Group<'_, '_> {
    fn wants(&self, name: HookName, phase: Phase) -> bool {
        self.hooks
            .as_ref()
            .is_some_and(|hooks| hooks.wants(name, phase))
    }

    /// Runs this group's hooks on its own rows.
    pub fn run(&mut self, name: HookName, phase: Phase, value: &Tensor) -> Result<Option<Tensor>> {
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
