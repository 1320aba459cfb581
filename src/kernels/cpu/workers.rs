//! The threads that passes run on: with deep stacks, and kept awake during a pass.
//!
//! A pass consists of some hundred parallel parts, each a fraction of a millisecond, with short
//! serial parts between them. An idle thread of the pool goes to sleep after a few microseconds,
//! and waking it takes as long as many of the parts. So idle threads keep asking for work while a
//! pass is running.
//!
//! Hooks run on these threads too, and a hook may be a script's closure or call the model again, so
//! the stacks are as deep as a script's own.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use rayon::{ThreadPool, ThreadPoolBuilder, Yield};

/// Bytes of stack for each thread that may run hooks or scripts. rhai recurses through nested
/// values, so even a script that is only a loop can use up an ordinary stack. Untouched pages cost
/// nothing.
pub const STACK_SIZE: usize = 256 << 20;

/// The requested number of threads; 0 for as many as the machine runs at once.
static WANTED: AtomicUsize = AtomicUsize::new(0);

static POOL: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    let builder = || {
        ThreadPoolBuilder::new()
            .num_threads(WANTED.load(Ordering::Relaxed))
            .thread_name(|i| format!("avec-{i}"))
            .start_handler(|_| crate::run::watch_stack())
    };
    let deep = builder().stack_size(STACK_SIZE).build();
    deep.or_else(|_| builder().build()).ok()
});

thread_local! {
    /// Whether this thread has an unfinished pass.
    static IN_PASS: Cell<bool> = const { Cell::new(false) };
}

/// The number of threads that this machine runs at once.
static PARALLEL: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from));

/// A thread that found no work for this long may sleep: other code is running, perhaps a hook's.
const PATIENCE: Duration = Duration::from_millis(2);

/// Sets the number of threads that models compute on. Has no effect once a model has computed.
pub fn set_threads(threads: usize) {
    WANTED.store(threads, Ordering::Relaxed);
}

/// Runs a pass on a thread of the pool, and keeps the other threads awake for its parallel parts. A
/// pass inside a pass runs in place.
pub(crate) fn run<R: Send>(pass: impl FnOnce() -> R + Send) -> R {
    if IN_PASS.get() {
        return pass();
    }
    let pass = || {
        let _running = Running::start();
        pass()
    };
    match &*POOL {
        Some(pool) => pool.install(pass),
        // The system has no more threads: rayon's own pool, or none, must do.
        None => pass(),
    }
}

/// A pass that is running on this thread of the pool.
struct Running {
    done: Arc<AtomicBool>,
    /// Whether the thread already had a pass: while it waits, it may pick up another.
    before: bool,
}

impl Running {
    fn start() -> Self {
        let before = IN_PASS.replace(true);
        let done = Arc::new(AtomicBool::new(false));
        // More threads than processors would only compete for them.
        if (2..=*PARALLEL).contains(&rayon::current_num_threads()) {
            let done = done.clone();
            rayon::spawn_broadcast(move |_| stay_awake(&done));
        }
        Self { done, before }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        IN_PASS.set(self.before);
        self.done.store(true, Ordering::Release);
    }
}

/// Works for the pool until the pass is done. A thread with a pass of its own must not wait for
/// another's: two could wait for each other.
fn stay_awake(done: &AtomicBool) {
    if IN_PASS.get() {
        return;
    }
    let mut idle = Instant::now();
    while !done.load(Ordering::Acquire) {
        if rayon::yield_now() == Some(Yield::Executed) {
            idle = Instant::now();
        } else if idle.elapsed() > PATIENCE {
            return;
        } else {
            (0..16).for_each(|_| std::hint::spin_loop());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;

    fn parts() -> u64 {
        (0..100u64)
            .map(|i| (0..50u64).into_par_iter().map(|j| i * j).sum::<u64>())
            .sum()
    }

    #[test]
    fn passes_may_be_nested_and_run_in_parallel() {
        let wanted = parts();
        assert_eq!(run(|| run(parts) + parts()), 2 * wanted);
        let sums: Vec<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| (0..50).map(|_| run(parts)).sum::<u64>()))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(sums, [50 * wanted; 8]);
        // From inside the pool too.
        let sums: Vec<u64> = (0..64).into_par_iter().map(|_| run(parts)).collect();
        assert_eq!(sums, [wanted; 64]);
    }

    /// A hook may need as much stack as a script.
    #[test]
    fn passes_have_deep_stacks() {
        fn dig(depth: usize) -> usize {
            let frame = std::hint::black_box([depth; 1 << 13]); // 64 KB
            if depth == 0 {
                frame[0]
            } else {
                1 + dig(depth - 1)
            }
        }
        assert_eq!(run(|| run(|| dig(1000))), 1000);
    }

    #[test]
    fn a_waiting_pass_is_still_running_after_another_on_its_thread() {
        let outer = Running::start();
        drop(Running::start());
        assert!(IN_PASS.get());
        drop(outer);
        assert!(!IN_PASS.get());
    }

    #[test]
    fn a_panic_ends_the_pass() {
        // A pool of its own, since other tests have passes running.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build();
        let pool = pool.unwrap();
        let pass = || {
            pool.install(|| {
                let _running = Running::start();
                panic!("on purpose")
            })
        };
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(pass)).is_err());
        let on_all = pool.broadcast(|_| IN_PASS.get());
        assert!(on_all.iter().all(|in_pass| !in_pass));
    }
}
