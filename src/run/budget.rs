//! The one budget of bytes that a run has.
//!
//! What counts: everything that the process has allocated, and the packed weights of models, once.
//! The files that weights are read from are mapped and don't count. With `--memory` all of it counts
//! in full. Without, the budget is half of what is free at the start and weights count by half, so
//! that every model loads that fits into free memory, and scripts have half of what it leaves.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::allocator;
use super::context::RunContext;
use super::memory::available;
use crate::error::{Error, ErrorKind, Result};

/// The program itself takes some; a smaller budget only makes the batches of a generation smaller.
const LEAST: u64 = 64 << 20;
/// An input of an interactive session may take this much even if the budget is used up, so that it
/// can let go of something.
const GRACE: u64 = 16 << 20;

/// Bytes that were free when this was first asked.
static FREE_AT_START: OnceLock<u64> = OnceLock::new();
/// What was used when the last script or input began.
static USED_AT_START: AtomicU64 = AtomicU64::new(0);

fn free_at_start() -> u64 {
    *FREE_AT_START.get_or_init(|| available().unwrap_or(u64::MAX))
}

impl RunContext {
    /// How many bytes the run may use.
    pub fn memory_limit(&self) -> u64 {
        match self.memory {
            Some(bytes) => bytes.max(LEAST),
            None => (free_at_start() / 2).max(LEAST),
        }
    }

    /// How many bytes are in use, as far as they count.
    pub fn memory_used(&self) -> u64 {
        let weights = match self.memory {
            Some(_) => allocator::weights(),
            None => allocator::weights() / 2,
        };
        allocator::allocated() + weights
    }

    /// How many bytes the run may still take.
    pub fn memory_left(&self) -> u64 {
        self.memory_limit().saturating_sub(self.memory_used())
    }

    /// A script or an input begins.
    pub(crate) fn begin(&self) {
        USED_AT_START.store(self.memory_used(), Relaxed);
    }

    /// Fails once the run should end: because it was stopped, took too long, or has used up its
    /// memory. Work on large values calls this every few thousand of them. A script can't catch it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Cancelled`], [`ErrorKind::TimedOut`] or [`ErrorKind::OutOfMemory`].
    pub fn check(&self) -> Result<()> {
        self.cancel.check()?;
        let used = self.memory_used();
        if used > self.memory_limit() && used > USED_AT_START.load(Relaxed) + GRACE {
            return Err(self.out_of_memory(None));
        }
        Ok(())
    }

    /// Fails if `needed` bytes more are beyond the budget; `what` is what needs them. A script can't
    /// catch it.
    ///
    /// # Errors
    ///
    /// Those of [`Self::check`].
    pub fn reserve(&self, what: &str, needed: u64) -> Result<()> {
        self.check()?;
        if needed > GRACE && needed > self.memory_left() {
            return Err(self.out_of_memory(Some((what.to_owned(), needed))));
        }
        Ok(())
    }

    /// The same for the weights of a model.
    pub(crate) fn reserve_weights(&self, what: &str, bytes: u64) -> Result<()> {
        let counted = match self.memory {
            Some(_) => bytes,
            None => bytes / 2,
        };
        self.check()?;
        if counted > GRACE && counted > self.memory_left() {
            return Err(self.out_of_memory(Some((what.to_owned(), bytes))));
        }
        Ok(())
    }

    fn out_of_memory(&self, wanted: Option<(String, u64)>) -> Error {
        let limit = self.memory_limit();
        Error::new(ErrorKind::OutOfMemory { wanted, limit })
    }

    /// Ends the process rather than let it take far more than the budget in one step of a script,
    /// and with a message rather than a signal when a script's values are nested too deeply for a
    /// stack. For programs that allocate with [`CountingAllocator`](super::CountingAllocator) and
    /// run one script.
    pub fn guard_process(&self) {
        let error = self.out_of_memory(None);
        let mut words = format!("error: {}\n", error.message());
        for hint in error.hints() {
            words.push_str(&format!("  = help: {hint}\n"));
        }
        // Steps of a script are checked far more finely; this is for single ones.
        let limit = self.memory_limit();
        allocator::set_ceiling(limit.saturating_add(limit / 8 + LEAST), words);
        super::stack::end_in_words();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_checked_before_it_is_used() {
        let run = RunContext {
            memory: Some(100 << 20),
            ..RunContext::default()
        };
        assert_eq!(run.memory_limit(), 100 << 20);
        run.reserve("a table", 10 << 20).unwrap();
        let error = run.reserve("a table", 1 << 40).unwrap_err();
        assert_eq!(
            error.message(),
            "a table would need 1.1 TB of memory, more than what is left of the 104.9 MB that the run may use"
        );
        assert!(error.ends_run());
        run.cancel.raise();
        assert!(run.reserve("a table", 1).unwrap_err().is_cancelled());
    }

    #[test]
    fn the_default_is_half_of_what_is_free() {
        let run = RunContext::default();
        let free = available().unwrap();
        assert!(
            run.memory_limit() <= free,
            "{} of {free}",
            run.memory_limit()
        );
        assert_eq!(
            RunContext {
                memory: Some(1),
                ..run
            }
            .memory_limit(),
            LEAST
        );
    }
}
