//! All tensors of one model by name, whichever file each is in.

use std::collections::HashMap;
use std::sync::Arc;

use super::bytes::Bytes;
use super::entry::{Entry, EntryDType};
use super::safetensors;
use super::source::Source;
use super::tensor::TensorView;
use crate::error::{Error, ErrorKind, Result};

/// The tensors of a checkpoint's files.
pub(crate) struct Checkpoint {
    shards: Vec<Shard>,
    tensors: HashMap<String, (usize, Entry)>,
}

struct Shard {
    bytes: Bytes,
    path: String,
}

impl Checkpoint {
    /// Opens the files. The first of `prefixes` that a tensor's name starts with is dropped: some
    /// checkpoints put "transformer." before every name, others don't.
    pub(crate) fn open(sources: &[Source], prefixes: &[&str]) -> Result<Self> {
        let mut shards = Vec::with_capacity(sources.len());
        let mut tensors = HashMap::new();
        for source in sources {
            let (bytes, entries) = safetensors::open(source)?;
            for (name, entry) in entries {
                let stripped = prefixes.iter().find_map(|prefix| name.strip_prefix(prefix));
                let name = stripped.unwrap_or(&name).to_owned();
                tensors.insert(name, (shards.len(), entry));
            }
            shards.push(Shard {
                bytes,
                path: source.to_string(),
            });
        }
        Ok(Self { shards, tensors })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// A view of a tensor.
    ///
    /// # Errors
    /// If it is missing, has another shape, or has a number type that avec can't read.
    pub(crate) fn view(&self, name: &str, shape: &[usize]) -> Result<TensorView<'_>> {
        let Some((shard, entry)) = self.tensors.get(name) else {
            return Err(ErrorKind::MissingTensor {
                name: name.to_owned(),
                path: self.path(),
            }
            .into());
        };
        let shard = &self.shards[*shard];
        if entry.shape != shape {
            return Err(Error::new(ErrorKind::TensorShape {
                name: name.to_owned(),
                found: entry.shape.clone(),
                expected: shape.to_vec(),
                path: shard.path.clone(),
            }));
        }
        match &entry.dtype {
            EntryDType::Stored(dtype) => Ok(TensorView {
                shape: &entry.shape,
                dtype: *dtype,
                bytes: &shard.bytes.as_slice()[entry.range.clone()],
            }),
            EntryDType::Unreadable(found) => Err(Error::new(ErrorKind::BadFile {
                what: "weights",
                path: shard.path.clone(),
                reason: format!(
                    "tensor `{name}` has type {found}, and avec reads F32, F16 and BF16"
                ),
            })
            .hint("convert them in Python: model.float().save_pretrained(\"folder\")")),
        }
    }

    /// A copy of all values of a tensor.
    pub(crate) fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        Ok(self.view(name, shape)?.to_vec())
    }

    /// A handle for reading from a tensor later.
    pub(crate) fn handle(self: &Arc<Self>, name: &str, shape: &[usize]) -> Result<TensorHandle> {
        self.view(name, shape)?;
        Ok(TensorHandle {
            checkpoint: self.clone(),
            name: name.to_owned(),
            shape: shape.to_vec(),
        })
    }

    /// Returns the memory of a tensor to the system; it can still be read again.
    pub(crate) fn release(&self, name: &str) {
        if let Some((shard, entry)) = self.tensors.get(name) {
            self.shards[*shard].bytes.release(entry.range.clone());
        }
    }

    /// The size of all tensors together as f32, in bytes.
    pub(crate) fn size_in_f32(&self) -> u64 {
        let size = |shape: &[usize]| {
            let sizes = shape.iter().map(|n| *n as u64);
            sizes.fold(4u64, u64::saturating_mul)
        };
        let sizes = self.tensors.values().map(|(_, entry)| size(&entry.shape));
        sizes.fold(0, u64::saturating_add)
    }

    /// The number of layers among the tensors below `prefix`, as in "layers.7.norm.weight": one more
    /// than the largest index.
    pub(crate) fn layers(&self, prefix: &str) -> usize {
        let number = |name: &String| -> Option<usize> {
            let rest = name.strip_prefix(prefix)?;
            rest.split('.').next()?.parse().ok()
        };
        let largest = self.tensors.keys().filter_map(number).max();
        largest.map_or(0, |layer| layer.saturating_add(1))
    }

    /// The location of the weights, for messages.
    pub(crate) fn path(&self) -> String {
        match self.shards.as_slice() {
            [only] => only.path.clone(),
            [first, ..] => format!("{} and its other shards", first.path),
            [] => "the checkpoint".into(),
        }
    }
}

/// A `[n, width]` tensor that stays in its file and is read a few rows at a time.
pub(crate) struct TensorHandle {
    checkpoint: Arc<Checkpoint>,
    name: String,
    shape: Vec<usize>,
}

impl TensorHandle {
    /// The given rows, concatenated.
    pub(crate) fn rows(&self, rows: &[u32]) -> Result<Vec<f32>> {
        let view = self.checkpoint.view(&self.name, &self.shape)?;
        let width = self.shape.last().copied().unwrap_or(0);
        let mut values = vec![0.0; rows.len() * width];
        for (row, values) in rows.iter().zip(values.chunks_mut(width.max(1))) {
            view.read(*row as usize * width, values);
        }
        Ok(values)
    }
}
