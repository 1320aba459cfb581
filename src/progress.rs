//! How long work reports its progress, without knowing who displays it.

use std::sync::Arc;

/// A display of progress: a bar on a terminal, or none.
pub trait Progress: Send + Sync {
    /// Begins a piece of work; `total` is in `unit`s.
    fn start(&self, what: &str, total: u64, unit: Unit) -> Box<dyn Task>;
}

/// A piece of work in progress. Dropping it ends it.
pub trait Task: Send + Sync {
    /// Reports that `amount` more is done, in the units of the start.
    fn advance(&self, amount: u64);
}

/// What progress is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes, of a download.
    Bytes,
    /// Tokens, of a generation.
    Tokens,
    /// Tensors, of loading a model.
    Tensors,
}

/// Displays nothing.
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _: &str, _: u64, _: Unit) -> Box<dyn Task> {
        Box::new(Silent)
    }
}

impl Task for Silent {
    fn advance(&self, _: u64) {}
}

/// No display: the default of library calls.
pub fn silent() -> Arc<dyn Progress> {
    Arc::new(Silent)
}
