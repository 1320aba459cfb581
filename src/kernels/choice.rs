//! The choice of a model's backend, made once when it is loaded.

use std::sync::Arc;

use candle_core::DType;

use super::backend::Backend;
use super::candle::CandleBackend;
use super::cpu::CpuBackend;
use super::device::DeviceChoice;
use crate::error::{Error, ErrorKind, Result, Subject};

/// The implementation of the kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum KernelChoice {
    /// The fastest for the device.
    #[default]
    Fast,
    /// Plain candle operations, as on CUDA and Metal; on the CPU for comparison.
    Candle,
}

/// Opens a device and chooses its backend. `dtype` is the number type of the weights.
///
/// # Errors
/// If the device isn't there, or can't compute with `dtype`.
pub(crate) fn open(
    device: DeviceChoice,
    dtype: DType,
    kernels: KernelChoice,
) -> Result<Arc<dyn Backend>> {
    let device = device.open()?;
    if device.is_cpu() && !matches!(dtype, DType::F32 | DType::BF16) {
        return Err(Error::new(ErrorKind::DTypeOnCpu {
            dtype: dtype.as_str(),
        })
        .about(Subject::NumberType));
    }
    Ok(match kernels {
        KernelChoice::Fast if device.is_cpu() => Arc::new(CpuBackend::new(dtype)),
        _ => Arc::new(CandleBackend::new(device, dtype)),
    })
}
