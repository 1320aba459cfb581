//! The devices a model can compute on, and the number types of weights.

use std::fmt;
use std::str::FromStr;

use candle_core::{DType, Device};

use crate::error::{Error, ErrorKind, Result};

/// The device to compute on. Opening it may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The CPU.
    #[default]
    Cpu,
    /// The CUDA device with this number.
    Cuda(usize),
    /// Apple's GPU.
    Metal,
    /// The first of CUDA, Metal and CPU that this build and machine have.
    Auto,
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

    fn not_built(self, feature: &str) -> Error {
        Error::new(ErrorKind::Device {
            name: self.to_string(),
            reason: "this avec was built without it".into(),
        })
        .hint(format!(
            "build with `cargo build --release --features {feature}`, or use device: \"cpu\""
        ))
    }

    fn refused(self, error: &candle_core::Error) -> Error {
        ErrorKind::Device {
            name: self.to_string(),
            reason: error.to_string(),
        }
        .into()
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
            Self::Metal => f.write_str("metal"),
            Self::Auto => f.write_str("auto"),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            "metal" => Ok(Self::Metal),
            "auto" => Ok(Self::Auto),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|ordinal| ordinal.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| {
                    ErrorKind::UnknownName {
                        what: "device",
                        name: text.to_owned(),
                        known: ["cpu", "cuda", "cuda:1", "metal", "auto"]
                            .map(str::to_owned)
                            .to_vec(),
                    }
                    .into()
                }),
        }
    }
}

/// Parses a number type of weights: "f32", "f16" or "bf16".
///
/// # Errors
/// For any other text.
pub fn parse_dtype(text: &str) -> Result<DType> {
    match text {
        "f32" => Ok(DType::F32),
        "f16" => Ok(DType::F16),
        "bf16" => Ok(DType::BF16),
        _ => Err(ErrorKind::UnknownName {
            what: "dtype",
            name: text.to_owned(),
            known: ["f32", "f16", "bf16"].map(str::to_owned).to_vec(),
        }
        .into()),
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
