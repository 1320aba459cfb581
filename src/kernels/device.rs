//! The devices a model can compute on, and the number types of weights.

use candle_core::{DType, Device};

use crate::error::{Error, ErrorKind, Result};
use crate::words::words;

words! {
    /// The device to compute on. Opening it may fail.
    pub enum DeviceChoice: "device", default Cpu {
        /// The processor.
        Cpu = "cpu",
        /// An NVIDIA GPU, the first unless a number says which.
        Cuda(usize) = "cuda",
        /// An Apple GPU.
        Metal = "metal",
        /// The first of CUDA, Metal and CPU that this build and machine have.
        Auto = "auto",
    }
}

words! {
    /// The number type of weights and activations.
    pub enum NumberType: "dtype", default F32 {
        /// 32 bits, on every device.
        F32 = "f32",
        /// 16 bits, on CUDA and Metal only.
        F16 = "f16",
        /// 16 bits, of which 8 are precision: half the memory and more speed, on every device.
        Bf16 = "bf16",
    }
}

impl From<NumberType> for DType {
    fn from(number: NumberType) -> Self {
        match number {
            NumberType::F32 => Self::F32,
            NumberType::F16 => Self::F16,
            NumberType::Bf16 => Self::BF16,
        }
    }
}

impl DeviceChoice {
    /// Opens the device.
    ///
    /// # Errors
    /// If this build or machine doesn't have it.
    pub fn open(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda(ordinal) => {
                if !candle_core::utils::cuda_is_available() {
                    return Err(self.not_built("cuda"));
                }
                Device::new_cuda(ordinal).map_err(|error| self.refused(&error))
            }
            Self::Metal => {
                if !candle_core::utils::metal_is_available() {
                    return Err(self.not_built("metal"));
                }
                Device::new_metal(0).map_err(|error| self.refused(&error))
            }
            Self::Auto => Ok(Self::Cuda(0)
                .open()
                .or_else(|_| Self::Metal.open())
                .unwrap_or(Device::Cpu)),
        }
    }

    fn not_built(self, feature: &'static str) -> Error {
        ErrorKind::DeviceNotBuilt {
            name: self.to_string(),
            feature,
        }
        .into()
    }

    fn refused(self, error: &candle_core::Error) -> Error {
        ErrorKind::Device {
            name: self.to_string(),
            reason: error.to_string(),
        }
        .into()
    }
}

/// A device's name, as scripts write it.
pub fn device_name(device: &Device) -> String {
    match device.location() {
        candle_core::DeviceLocation::Cpu => "cpu".into(),
        candle_core::DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
        candle_core::DeviceLocation::Metal { .. } => "metal".into(),
    }
}
