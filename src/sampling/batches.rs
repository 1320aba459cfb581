//! Packs the rows of arms into batches that fit into memory.

use super::arm::{Arm, GenerateOptions};
use crate::error::Result;
use crate::model::{HookedTransformer, KvCache};
use crate::run::{RunContext, available, check_memory};

/// More rows in one batch gain nothing: the linear maps already run at full speed.
const MAX_BATCH: usize = 256;

/// A row of an arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) arm: usize,
    /// The row's index within its arm.
    pub(super) row: usize,
}

/// Packs rows, in the order of their arms, into batches that decode together: as many rows per
/// batch as the memory budget allows, by default half of the free memory, but at least one.
pub(super) fn pack(
    model: &HookedTransformer,
    run: &RunContext,
    arms: &[Arm],
    options: &GenerateOptions,
) -> Result<Vec<Vec<Place>>> {
    let longest = arms.iter().map(|arm| arm.prompt.len()).max().unwrap_or(0);
    let arch = model.arch();
    let columns = longest + options.max_new_tokens.saturating_sub(1);
    let row_size = KvCache::size(arch, 1, columns, model.activation_dtype())
        + 3 * 4 * (arch.d_vocab + arch.d_mlp) as u64;
    let shares_memory = model.device().is_cpu();
    if shares_memory {
        check_memory("generating one completion", row_size, model.device())?;
    }
    let budget = run
        .memory
        .or_else(|| Some(available()? / 2).filter(|_| shares_memory))
        .unwrap_or(u64::MAX);
    // What the script holds already is part of the same budget.
    let budget = match shares_memory {
        true => budget.min(run.memory_left()),
        false => budget,
    };
    let fitting = usize::try_from(budget / row_size.max(1)).unwrap_or(usize::MAX);
    let rows: Vec<Place> = arms
        .iter()
        .enumerate()
        .flat_map(|(i, arm)| (0..arm.rows.len()).map(move |row| Place { arm: i, row }))
        .collect();
    let batches = rows.chunks(fitting.clamp(1, MAX_BATCH));
    Ok(batches.map(<[_]>::to_vec).collect())
}
