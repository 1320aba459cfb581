//! Threads that don't fall asleep in the middle of a pass.
//!
//! A pass is some hundred parallel parts, of fractions of a millisecond each, with short serial ones
//! between them. A thread of the pool that finds nothing to do goes to sleep after a few
//! microseconds, and waking it takes as long as many a part does. So while a pass is under way its
//! idle threads go on asking for work.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use rayon::Yield;

thread_local! {
    /// Whether this thread has a pass to finish.
    static IN_PASS: Cell<bool> = const { Cell::new(false) };
}

/// Threads that run at the same time on this machine.
static PARALLEL: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from));

/// Whoever found nothing to do for so long may sleep: somebody else's code runs, a hook's maybe.
const PATIENCE: Duration = Duration::from_millis(2);

/// Runs a pass on a thread of the pool, and keeps the others awake for what it shares with them.
/// Passes within passes are only run.
pub fn awake<R: Send>(pass: impl FnOnce() -> R + Send) -> R {
    if IN_PASS.get() {
        return pass();
    }
    rayon::scope(|_| {
        let _running = Running::start();
        pass()
    })
}

/// While this lives, a pass is under way on this thread of the pool.
struct Running {
    done: Arc<AtomicBool>,
    /// Whether the thread had a pass before: one that waits may be given another.
    before: bool,
}

impl Running {
    fn start() -> Self {
        let before = IN_PASS.replace(true);
        let done = Arc::new(AtomicBool::new(false));
        // More threads than processors would only take them from each other.
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

/// Does the pool's work until the pass is done. A thread that has a pass to finish itself must not
/// wait for another's: two could wait for each other.
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
    fn passes_give_their_results_also_within_each_other_and_side_by_side() {
        let wanted = parts();
        assert_eq!(awake(|| awake(parts) + parts()), 2 * wanted);
        let sums: Vec<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| (0..50).map(|_| awake(parts)).sum::<u64>()))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(sums, [50 * wanted; 8]);
        // From within the pool too.
        let sums: Vec<u64> = (0..64).into_par_iter().map(|_| awake(parts)).collect();
        assert_eq!(sums, [wanted; 64]);
    }

    #[test]
    fn a_pass_that_waits_is_under_way_after_another_on_its_thread() {
        let outer = Running::start();
        drop(Running::start());
        assert!(IN_PASS.get());
        drop(outer);
        assert!(!IN_PASS.get());
    }

    #[test]
    fn a_panic_ends_the_pass() {
        // A pool of its own: other tests have passes under way.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build();
        let pool = pool.unwrap();
        let pass = || pool.install(|| awake(|| panic!("on purpose")));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(pass)).is_err());
        let on_all = pool.broadcast(|_| IN_PASS.get());
        assert!(on_all.iter().all(|in_pass| !in_pass));
    }
}
