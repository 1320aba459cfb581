//! The KV cache: the keys and values of a batch's past, so that each new token costs one position.
//!
//! All rows end at the same column. A shorter prompt starts later, at the column in `starts`, so a
//! new token goes into one column for all rows, whatever their prompts' lengths.

use candle_core::{DType, Device, Tensor};

use super::arch::Arch;
use crate::error::{ErrorKind, Result};

/// Preallocated, filled in place, and owned by the caller that generates.
pub(crate) struct KvCache {
    layers: Vec<LayerKv>,
    /// The first used column of each row.
    starts: Vec<usize>,
    /// The column at which all prompts end.
    prompt_end: usize,
    /// The number of filled columns.
    len: usize,
    capacity: usize,
}

struct LayerKv {
    k: Tensor, // [rows, kv_head, capacity, d_head]
    v: Tensor, // [rows, kv_head, capacity, d_head]
}

/// Keys and values of one prompt, `[1, kv_head, pos, d_head]` for each layer.
pub(crate) struct PromptKv(Vec<(Tensor, Tensor)>);

impl KvCache {
    /// A cache for rows with these prompt lengths, followed by `new_tokens`.
    pub(crate) fn new(
        arch: &Arch,
        prompt_lengths: &[usize],
        new_tokens: usize,
        device: &Device,
        dtype: DType,
    ) -> Result<Self> {
        let prompt_end = prompt_lengths.iter().copied().max().unwrap_or(0);
        let capacity = prompt_end + new_tokens;
        let shape = (
            prompt_lengths.len(),
            arch.n_key_value_heads,
            capacity,
            arch.d_head,
        );
        let layers = (0..arch.n_layers)
            .map(|_| {
                Ok(LayerKv {
                    k: Tensor::zeros(shape, dtype, device)?,
                    v: Tensor::zeros(shape, dtype, device)?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            layers,
            starts: prompt_lengths
                .iter()
                .map(|length| prompt_end - length)
                .collect(),
            prompt_end,
            len: prompt_end,
            capacity,
        })
    }

    /// The bytes that [`KvCache::new`] allocates.
    pub(crate) fn size(arch: &Arch, rows: usize, columns: usize, dtype: DType) -> u64 {
        let per_column =
            2 * arch.n_layers * arch.n_key_value_heads * arch.d_head * dtype.size_in_bytes();
        (rows as u64)
            .saturating_mul(columns as u64)
            .saturating_mul(per_column as u64)
    }

    pub(crate) fn starts(&self) -> &[usize] {
        &self.starts
    }

    /// Copies a prompt's keys and values, `[1, kv_head, pos, d_head]`, to the given rows.
    pub(crate) fn fill(
        &self,
        layer: usize,
        rows: std::ops::Range<usize>,
        k: &Tensor,
        v: &Tensor,
    ) -> Result<()> {
        let (k, v) = (k.contiguous()?, v.contiguous()?);
        let first = self.prompt_end - k.dim(2)?;
        let kv = &self.layers[layer];
        for row in rows {
            kv.k.narrow(0, row, 1)?.slice_set(&k, 2, first)?;
            kv.v.narrow(0, row, 1)?.slice_set(&v, 2, first)?;
        }
        Ok(())
    }

    /// A row's prompt, for copying to another cache.
    pub(crate) fn prompt(&self, row: usize) -> Result<PromptKv> {
        let (first, len) = (self.starts[row], self.prompt_end - self.starts[row]);
        let part = |t: &Tensor| t.narrow(0, row, 1)?.narrow(2, first, len)?.copy();
        let layers = self.layers.iter();
        let layers = layers.map(|kv| Ok((part(&kv.k)?, part(&kv.v)?)));
        Ok(PromptKv(layers.collect::<Result<_>>()?))
    }

    /// Copies a prompt from another cache to the given rows.
    pub(crate) fn fill_from(&self, prompt: &PromptKv, rows: std::ops::Range<usize>) -> Result<()> {
        for (layer, (k, v)) in prompt.0.iter().enumerate() {
            self.fill(layer, rows.clone(), k, v)?;
        }
        Ok(())
    }

    /// Appends the new position's keys and values, `[rows, kv_head, 1, d_head]`, and returns all
    /// columns so far, including the new one: `[rows, kv_head, column, d_head]` each.
    pub(crate) fn append(&self, layer: usize, k: &Tensor, v: &Tensor) -> Result<(Tensor, Tensor)> {
        if self.len >= self.capacity {
            return Err(ErrorKind::Shape {
                message: format!("the KV cache has room for {} columns", self.capacity),
            }
            .into());
        }
        let kv = &self.layers[layer];
        kv.k.slice_set(&k.contiguous()?, 2, self.len)?;
        kv.v.slice_set(&v.contiguous()?, 2, self.len)?;
        Ok((
            kv.k.narrow(2, 0, self.len + 1)?,
            kv.v.narrow(2, 0, self.len + 1)?,
        ))
    }

    /// Counts the column that every layer has appended to.
    pub(crate) fn advance(&mut self) {
        self.len += 1;
    }

    /// The sequence position of a row's next token.
    pub(crate) fn next_pos(&self, row: usize) -> usize {
        self.len - self.starts[row]
    }
}
