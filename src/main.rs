//! The program `avec`.

use std::process::ExitCode;

fn main() -> ExitCode {
    keep_memory();
    avec::cli::run()
}

/// Lets the allocator keep what is freed. Every step of a generation allocates the same few
/// megabytes again; handing them back to the system in between costs more than the arithmetic on
/// them.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn keep_memory() {
    const LARGEST: libc::c_int = 256 << 20;
    // SAFETY: mallopt only sets numbers in the allocator, and no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST);
        libc::mallopt(libc::M_TRIM_THRESHOLD, LARGEST);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn keep_memory() {}
