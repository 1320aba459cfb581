//! What happens when a stack is used up: rhai walks and drops nested values call by call, so values
//! can be nested more deeply than any stack is. Then the process ends with an error instead of a
//! signal.

#![allow(
    unsafe_code,
    reason = "the handler of a signal is set, and asks for a stack's place, through C"
)]

/// From now on, a stack of a watched thread that is used up ends the process with a message and
/// status 1.
pub(super) fn end_in_words() {
    #[cfg(target_os = "linux")]
    linux::install();
}

/// Watches the stack of this thread.
pub fn watch_stack() {
    #[cfg(target_os = "linux")]
    linux::watch();
}

#[cfg(target_os = "linux")]
mod linux {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use crate::run::allocator::end_with;

    const WORDS: &str = "error: the script's values are nested too deeply: arrays in arrays, or functions that keep functions
  = help: keep them side by side in one array instead
";

    /// Where the stacks of watched threads end; 0 is a free place.
    static ENDS: [AtomicUsize; 256] = [const { AtomicUsize::new(0) }; 256];
    /// The pages around the end that a stack which is used up runs into.
    const AROUND: usize = 64 << 10;

    pub(super) fn watch() {
        if let Some(end) = end_of_stack() {
            let free =
                |place: &&AtomicUsize| place.compare_exchange(0, end, Relaxed, Relaxed).is_ok();
            // With more threads than places the system's own message has to do.
            let _ = ENDS.iter().find(free);
        }
    }

    /// The lowest address of this thread's stack.
    fn end_of_stack() -> Option<usize> {
        // SAFETY: the attributes are made by pthread_getattr_np, read while they live, and freed
        // once; zeros are a state that it may write over.
        unsafe {
            let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
            if libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes) != 0 {
                return None;
            }
            let (mut lowest, mut size) = (std::ptr::null_mut(), 0);
            let known =
                libc::pthread_attr_getstack(&raw const attributes, &raw mut lowest, &raw mut size);
            libc::pthread_attr_destroy(&raw mut attributes);
            (known == 0).then(|| lowest.addr())
        }
    }

    /// Rust has given every thread a second stack for handlers, since it has one for this signal
    /// itself, which this one takes the place of.
    pub(super) fn install() {
        // SAFETY: the action is whole, and the handler does only what a handler may.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = (handle as extern "C" fn(_, _, _)) as libc::sighandler_t;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigemptyset(&raw mut action.sa_mask);
            libc::sigaction(libc::SIGSEGV, &raw const action, std::ptr::null_mut());
        }
    }

    extern "C" fn handle(
        signal: libc::c_int,
        info: *mut libc::siginfo_t,
        _context: *mut libc::c_void,
    ) {
        // SAFETY: the system gives a handler that was set with SA_SIGINFO a valid description of
        // the signal.
        let place = unsafe { (*info).si_addr() }.addr();
        let ends = |end: &AtomicUsize| {
            let end = end.load(Relaxed);
            end != 0 && place.abs_diff(end) <= AROUND
        };
        if ENDS.iter().any(ends) {
            end_with(WORDS);
        }
        // SAFETY: any other bad access is a mistake of the program: the system's own action, once
        // the access is tried again.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
        }
    }
}
