//! The flag that a user or a clock raises to stop long work, and that long work polls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::error::{ErrorKind, Result};

/// A cancel flag. Clones are cheap and share the flag.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicU8>);

const LOWERED: u8 = 0;
const RAISED: u8 = 1;
const TIME_IS_UP: u8 = 2;

impl Cancel {
    /// A flag that is not raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the work to stop. Safe to call from a signal handler's thread.
    pub fn raise(&self) {
        self.0.store(RAISED, Ordering::Relaxed);
    }

    /// Asks the work to stop because it has taken too long.
    pub fn time_is_up(&self) {
        self.0.store(TIME_IS_UP, Ordering::Relaxed);
    }

    /// Lowers the flag, ready for the next piece of work.
    pub fn lower(&self) {
        self.0.store(LOWERED, Ordering::Relaxed);
    }

    /// Whether the work should stop.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed) != LOWERED
    }

    /// Whether the work should end because it has taken too long.
    pub fn has_timed_out(&self) -> bool {
        self.0.load(Ordering::Relaxed) == TIME_IS_UP
    }

    /// Polled by long work for every token, and for every layer of a large model.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Cancelled`] or [`ErrorKind::TimedOut`].
    pub fn check(&self) -> Result<()> {
        match self.0.load(Ordering::Relaxed) {
            LOWERED => Ok(()),
            TIME_IS_UP => Err(ErrorKind::TimedOut.into()),
            _ => Err(ErrorKind::Cancelled.into()),
        }
    }
}
