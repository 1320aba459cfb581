//! The safetensors format: a JSON header of names, types, shapes and offsets, then the numbers.

use ::safetensors::SafeTensors;
use ::safetensors::tensor::Dtype;

use super::bytes::Bytes;
use super::entry::{Entry, EntryDType};
use super::source::Source;
use super::tensor::StoredDType;
use crate::error::{Error, ErrorKind, Result, count};

/// Opens a file and lists its tensors, each with its byte range in the file.
pub(super) fn open(source: &Source) -> Result<(Bytes, Vec<(String, Entry)>)> {
    let bytes = Bytes::open(source)?;
    let bad = |reason: String| {
        Error::new(ErrorKind::BadFile {
            what: "weights",
            path: source.to_string(),
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
    let entries = entries(whole).map_err(bad)?;
    Ok((bytes, entries))
}

/// The tensors of a file, or why its header can't be used. The library checks that every tensor's
/// shape, type and offsets agree and lie in the file.
pub(super) fn entries(whole: &[u8]) -> Result<Vec<(String, Entry)>, String> {
    let parsed = SafeTensors::deserialize(whole).map_err(|error| error.to_string())?;
    let entries = parsed
        .iter()
        .map(|(name, view)| {
            let start = view.data().as_ptr() as usize - whole.as_ptr() as usize;
            let entry = Entry {
                dtype: match view.dtype() {
                    Dtype::F32 => EntryDType::Stored(StoredDType::F32),
                    Dtype::F16 => EntryDType::Stored(StoredDType::F16),
                    Dtype::BF16 => EntryDType::Stored(StoredDType::Bf16),
                    other => EntryDType::Unreadable(format!("{other:?}")),
                },
                shape: view.shape().to_vec(),
                range: start..start + view.data().len(),
            };
            (name.to_owned(), entry)
        })
        .collect();
    Ok(entries)
}

/// Reads a header that a stranger chose; panics if a tensor is not where it can be read.
pub(super) fn fuzz(whole: &[u8]) {
    for (_, entry) in entries(whole).unwrap_or_default() {
        let bytes = &whole[entry.range];
        if let EntryDType::Stored(dtype) = entry.dtype {
            let numbers = entry
                .shape
                .iter()
                .try_fold(1, |n: usize, m| n.checked_mul(*m));
            assert_eq!(numbers.map(|n| n * dtype.size()), Some(bytes.len()));
        }
    }
}
