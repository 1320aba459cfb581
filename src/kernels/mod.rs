//! The operations of a pass, behind the [`Backend`] trait: fast CPU kernels over packed weights,
//! and plain candle operations. Nothing here knows about layers, hooks or files.

mod backend;
mod candle;
mod choice;
pub(crate) mod cpu;
mod device;
#[cfg(feature = "internals")]
pub(crate) mod internals;
mod matrix;
mod values;

pub use backend::{Activation, Norm, NormKind};
pub(crate) use backend::{After, AttentionShape, Backend, Linear};
pub(crate) use candle::{heads_of, hide_columns, norm_parts};
pub use choice::KernelChoice;
pub(crate) use choice::open;
pub(crate) use cpu::reductions;
pub(crate) use cpu::workers::run as run_pass;
pub use cpu::workers::{STACK_SIZE, set_threads};
pub use device::{DeviceChoice, NumberType, device_name};
pub(crate) use matrix::Order;
pub(crate) use matrix::WeightMatrix;
pub(crate) use values::with_values;
