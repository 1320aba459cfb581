//! The operations of a pass, behind the [`Backend`] trait: fast CPU kernels over packed weights,
//! and plain candle operations. Nothing here knows about layers, hooks or files.

mod backend;
mod candle;
pub(crate) mod cpu;
mod device;
#[cfg(feature = "internals")]
pub mod internals;
mod matrix;
mod values;

pub use backend::{Activation, KernelChoice, Norm, NormKind};
pub(crate) use backend::{After, AttentionShape, Backend, Linear, open};
pub(crate) use candle::{heads_of, hide_columns, norm_parts};
pub(crate) use cpu::reductions;
pub(crate) use cpu::workers::run as run_pass;
pub use cpu::workers::{STACK_SIZE, set_threads};
pub use device::{DeviceChoice, NumberType, device_name};
pub use matrix::Order;
pub(crate) use matrix::WeightMatrix;
pub(crate) use values::with_values;
