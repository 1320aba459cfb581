//! A checkpoint's tensors: where their bytes lie, and views of them in the number type that the
//! file has. What the tensors mean is for the model to know.

mod bytes;
mod checkpoint;
mod safetensors;
mod source;
mod tensor;

pub(crate) use checkpoint::{Checkpoint, TensorHandle};
pub use source::Source;
pub(crate) use tensor::{StoredDType, TensorView};

/// A plain function of bytes for fuzzers: they are a file of weights.
pub(crate) fn fuzz(bytes: &[u8]) {
    safetensors::fuzz(bytes);
}
