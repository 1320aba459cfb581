//! What a weights file's header says of one tensor.

use std::ops::Range;

use super::tensor::StoredDType;

/// What a file's header says of one tensor.
pub(super) struct Entry {
    pub(super) dtype: EntryDType,
    pub(super) shape: Vec<usize>,
    /// Where its numbers lie in the file.
    pub(super) range: Range<usize>,
}

/// A number type that can be read, or the file's name for another, which matters only if somebody
/// asks for the tensor: buffers of masks and the like may have any type.
pub(super) enum EntryDType {
    Stored(StoredDType),
    Unreadable(String),
}
