//! Measuring free memory, and refusing what can't fit before it is allocated.

use candle_core::Device;

use crate::error::{Error, ErrorKind, Result};

/// Bytes that this machine can still allocate, if the system reports them.
pub fn available() -> Option<u64> {
    let mut system = sysinfo::System::new().ok()?;
    system.refresh_memory();
    match system.available_memory() {
        0 => None,
        bytes => Some(bytes),
    }
}

/// Fails if `needed` bytes won't fit. On devices other than the CPU, that is left to their own
/// library.
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
