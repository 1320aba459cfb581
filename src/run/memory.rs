//! How much memory is free, and refusing what can't fit before it is allocated.

use candle_core::Device;

use crate::error::{Error, ErrorKind, Result};

/// Bytes that this machine can still give, if it tells.
pub fn available() -> Option<u64> {
    let mut system = sysinfo::System::new().ok()?;
    system.refresh_memory();
    match system.available_memory() {
        0 => None,
        bytes => Some(bytes),
    }
}

/// Fails if `needed` bytes would not fit. On other devices than the CPU their own library decides.
pub fn check(what: &str, needed: u64, device: &Device) -> Result<()> {
    if !device.is_cpu() {
        return Ok(());
    }
    match available() {
        Some(available) if needed > available => Err(Error::new(ErrorKind::TooLarge {
            what: what.to_owned(),
            needed,
            available,
        })),
        _ => Ok(()),
    }
}
