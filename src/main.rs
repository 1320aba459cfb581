//! The `avec` program.

use std::process::ExitCode;

/// Counts what scripts take, so that it can be held against their budget.
#[global_allocator]
static ALLOCATOR: avec::run::CountingAllocator = avec::run::CountingAllocator;

fn main() -> ExitCode {
    keep_memory();
    let run = std::thread::Builder::new().stack_size(avec::STACK_SIZE);
    let watched = || {
        avec::run::watch_stack();
        avec::cli::run()
    };
    match run.spawn(watched).map(|thread| thread.join()) {
        Ok(Ok(code)) => code,
        // A panic, which has already been reported.
        Ok(Err(_)) => ExitCode::FAILURE,
        Err(_) => avec::cli::run(),
    }
}

/// Makes the allocator keep freed memory. Every step of a generation allocates the same few
/// megabytes again, and returning them to the system in between costs more than the arithmetic on
/// them. Larger blocks, such as those of loading, still go back at once.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the allocator is set through C")]
fn keep_memory() {
    // SAFETY: mallopt only sets numbers in the allocator, and no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 128 << 20);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn keep_memory() {}
