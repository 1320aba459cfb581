//! Measuring free memory, and refusing what can't fit before it is allocated.

use candle_core::Device;

use crate::error::{Error, ErrorKind, Result};

/// Bytes that this process can still get, if that is known: what the machine has left, and what the
/// limits of a container and of `ulimit -v` leave.
pub(crate) fn available() -> Option<u64> {
    let mut system = sysinfo::System::new().ok()?;
    system.refresh_memory();
    let machine = match system.available_memory() {
        0 => None,
        bytes => Some(bytes),
    };
    let container = system.cgroup_limits().map(|limits| limits.free_memory);
    [machine, container, address_space()]
        .into_iter()
        .flatten()
        .min()
}

/// Bytes that `ulimit -v` leaves to this process.
#[cfg(target_os = "linux")]
fn address_space() -> Option<u64> {
    let text = |file: &str| std::fs::read_to_string(format!("/proc/self/{file}")).ok();
    let limits = text("limits")?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max address space"))?;
    // "unlimited" is no number.
    let limit: u64 = line.split_whitespace().next()?.parse().ok()?;
    let status = text("status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmSize:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(limit.saturating_sub(kilobytes << 10))
}

#[cfg(not(target_os = "linux"))]
fn address_space() -> Option<u64> {
    None
}

/// Fails if `needed` bytes won't fit. On devices other than the CPU, that is left to their own
/// library.
pub(crate) fn check(what: &str, needed: u64, device: &Device) -> Result<()> {
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
