//! A checkpoint's tensors, read from memory-mapped safetensors files, in f32.

use std::collections::HashMap;
use std::ops::Deref;

use memmap2::Mmap;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorInfo};

use super::files::Source;
use super::huge::Huge;
use crate::error::{Error, ErrorKind, Result, count};

/// All tensors of one model. Names are looked up without the `transformer.` prefix that some
/// checkpoints carry.
pub struct Checkpoint {
    shards: Vec<Shard>,
    tensors: HashMap<String, (usize, TensorInfo)>,
}

struct Shard {
    bytes: Bytes,
    /// Where the tensors' data begins.
    data: usize,
    path: String,
}

enum Bytes {
    Mapped(Mmap),
    Embedded(&'static [u8]),
}

impl Bytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Embedded(bytes) => bytes,
        }
    }
}

impl Checkpoint {
    pub fn open(sources: &[Source]) -> Result<Self> {
        let mut shards = Vec::with_capacity(sources.len());
        let mut tensors = HashMap::new();
        for source in sources {
            let path = source.to_string();
            let bytes = match source {
                Source::Path(path) => Bytes::Mapped(map(path)?),
                Source::Embedded { bytes, .. } => Bytes::Embedded(bytes),
            };
            let bad = |reason: String| {
                Error::new(ErrorKind::BadFile {
                    what: "weights",
                    path: path.clone(),
                    reason,
                })
                .hint("the file may be cut short or damaged: copy or download it again")
            };
            let whole = bytes.as_slice();
            if whole.is_empty() {
                return Err(bad("it is empty".into()));
            }
            if whole.len() < 8 {
                return Err(bad(format!("it has only {}", count(whole.len(), "byte"))));
            }
            let (header, _) =
                SafeTensors::read_metadata(whole).map_err(|error| bad(error.to_string()))?;
            let parsed = SafeTensors::deserialize(whole).map_err(|error| bad(error.to_string()))?;
            for (name, view) in parsed.iter() {
                let name = name.strip_prefix("transformer.").unwrap_or(name);
                let start = view.data().as_ptr() as usize - whole.as_ptr() as usize - 8 - header;
                let info = TensorInfo {
                    dtype: view.dtype(),
                    shape: view.shape().to_vec(),
                    data_offsets: (start, start + view.data().len()),
                };
                tensors.insert(name.to_owned(), (shards.len(), info));
            }
            shards.push(Shard {
                bytes,
                data: 8 + header,
                path,
            });
        }
        Ok(Self { shards, tensors })
    }

    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Checks that a tensor is there in the shape that the configuration asks for.
    fn find(&self, name: &str, shape: &[usize]) -> Result<(&Shard, &TensorInfo)> {
        let Some((shard, info)) = self.tensors.get(name) else {
            return Err(ErrorKind::MissingTensor {
                name: name.to_owned(),
                path: self.path(),
            }
            .into());
        };
        let shard = &self.shards[*shard];
        if info.shape != shape {
            return Err(Error::new(ErrorKind::TensorShape {
                name: name.to_owned(),
                found: info.shape.clone(),
                expected: shape.to_vec(),
                path: shard.path.clone(),
            }));
        }
        if !matches!(info.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16) {
            return Err(Error::new(ErrorKind::BadFile {
                what: "weights",
                path: shard.path.clone(),
                reason: format!(
                    "tensor `{name}` has type {:?}, and avec reads F32, F16 and BF16",
                    info.dtype
                ),
            })
            .hint("convert them in Python: model.float().save_pretrained(\"folder\")"));
        }
        Ok((shard, info))
    }

    /// A whole tensor, copied.
    pub fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let (shard, info) = self.find(name, shape)?;
        let mut values = vec![0.0; shape.iter().product()];
        decode(shard.data(info.data_offsets), info.dtype, &mut values);
        Ok(values)
    }

    /// A whole weight. Where it is f32 in the file it stays there; else the file's memory of it is
    /// let go.
    pub fn read_weight(&self, name: &str, shape: &[usize]) -> Result<Values<'_>> {
        let (shard, info) = self.find(name, shape)?;
        let bytes = shard.data(info.data_offsets);
        if info.dtype == Dtype::F32
            && cfg!(target_endian = "little")
            && let Ok(values) = bytemuck::try_cast_slice(bytes)
        {
            return Ok(Values::Mapped(values));
        }
        let mut values = Huge::zeros(shape.iter().product());
        decode(bytes, info.dtype, values.as_mut_slice());
        self.release(name);
        Ok(Values::Decoded(values))
    }

    /// Some rows of a `[n, width]` tensor, one after the other.
    pub fn read_rows(&self, name: &str, shape: [usize; 2], rows: &[u32]) -> Result<Vec<f32>> {
        let (shard, info) = self.find(name, &shape)?;
        let width = shape[1] * (info.dtype.bitsize() / 8);
        let mut values = vec![0.0; rows.len() * shape[1]];
        for (row, values) in rows.iter().zip(values.chunks_mut(shape[1])) {
            let start = info.data_offsets.0 + *row as usize * width;
            decode(shard.data((start, start + width)), info.dtype, values);
        }
        Ok(values)
    }

    /// Lets go of the memory of a tensor that has been read; reading it again is possible.
    ///
    /// Without this, the mapped file counts as memory in use while the packed copy grows beside
    /// it, and loading would peak at twice the weights' size.
    pub fn release(&self, name: &str) {
        #[cfg(unix)]
        if let Some((shard, info)) = self.tensors.get(name) {
            let shard = &self.shards[*shard];
            if let Bytes::Mapped(map) = &shard.bytes {
                let (start, end) = info.data_offsets;
                // SAFETY: the mapping is shared and read-only, so its pages come back from the
                // file unchanged. A failure is harmless: the pages merely stay.
                let _ = unsafe {
                    map.unchecked_advise_range(
                        memmap2::UncheckedAdvice::DontNeed,
                        shard.data + start,
                        end - start,
                    )
                };
            }
        }
        #[cfg(not(unix))]
        let _ = name;
    }

    /// The size of all tensors together once they are f32, in bytes.
    pub fn size_in_f32(&self) -> u64 {
        self.tensors
            .values()
            .map(|(_, info)| 4 * info.shape.iter().product::<usize>() as u64)
            .sum()
    }

    /// How many layers the tensors `h.N.*` are of: one more than the largest N.
    pub fn layers(&self) -> usize {
        self.tensors
            .keys()
            .filter_map(|name| name.strip_prefix("h.")?.split('.').next()?.parse().ok())
            .map(|layer: usize| layer.saturating_add(1))
            .max()
            .unwrap_or(0)
    }

    /// Where the weights are, for messages.
    pub fn path(&self) -> String {
        match self.shards.as_slice() {
            [only] => only.path.clone(),
            [first, ..] => format!("{} and its other shards", first.path),
            [] => "the checkpoint".into(),
        }
    }
}

impl Shard {
    fn data(&self, (start, end): (usize, usize)) -> &[u8] {
        &self.bytes.as_slice()[self.data + start..self.data + end]
    }
}

fn map(path: &std::path::Path) -> Result<Mmap> {
    let io = |error: std::io::Error| Error::io("read", path, &error);
    let file = crate::files::open(path)?;
    // SAFETY: the file is only read. Should somebody else shorten it meanwhile, reading it fails
    // with a signal, as with every program that maps its model files.
    unsafe { Mmap::map(&file) }.map_err(io)
}

/// Little-endian values of a checked type, as f32.
fn decode(bytes: &[u8], dtype: Dtype, to: &mut [f32]) {
    match dtype {
        Dtype::F16 => each(bytes, to, |b| half::f16::from_le_bytes(b).to_f32()),
        Dtype::BF16 => each(bytes, to, |b| half::bf16::from_le_bytes(b).to_f32()),
        _ => each(bytes, to, f32::from_le_bytes),
    }
}

fn each<const N: usize>(bytes: &[u8], to: &mut [f32], value: impl Fn([u8; N]) -> f32) {
    let (bytes, _) = bytes.as_chunks::<N>();
    for (to, bytes) in to.iter_mut().zip(bytes) {
        *to = value(*bytes);
    }
}

/// A weight's values in f32.
pub enum Values<'a> {
    /// Where they lie in the mapped file.
    Mapped(&'a [f32]),
    /// A copy, in memory that goes back to the system with it: what an allocator keeps of some
    /// hundred such copies would be a large part of a small model.
    Decoded(Huge<f32>),
}

impl Deref for Values<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match self {
            Self::Mapped(values) => values,
            Self::Decoded(values) => values.as_slice(),
        }
    }
}

impl<'a> From<&'a [f32]> for Values<'a> {
    fn from(values: &'a [f32]) -> Self {
        Self::Mapped(values)
    }
}
