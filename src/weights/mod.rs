//! A checkpoint's tensors: their bytes, and views of them in the file's number type. What the
//! tensors mean is up to the model.

mod bytes;
mod checkpoint;
mod entry;
mod safetensors;
mod source;
mod tensor;

pub(crate) use checkpoint::{Checkpoint, TensorHandle};
pub use source::Source;
pub(crate) use tensor::TensorView;

/// A plain function of bytes for fuzzers: they are a file of weights.
pub(crate) fn fuzz(bytes: &[u8]) {
    safetensors::fuzz(bytes);
}
