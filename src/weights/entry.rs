//! The description of a tensor in a weights file's header.

use std::ops::Range;

use super::tensor::StoredDType;

/// What a file's header says about one tensor.
pub(super) struct Entry {
    pub(super) dtype: EntryDType,
    pub(super) shape: Vec<usize>,
    /// Its bytes in the file.
    pub(super) range: Range<usize>,
}

/// A number type avec can read, or the file's name for one it can't. The latter is an error only
/// when the tensor is used: masks and other buffers may have any type.
pub(super) enum EntryDType {
    Stored(StoredDType),
    Unreadable(String),
}
