//! How long work tells what it is doing, without knowing who listens.

use std::sync::Arc;

/// Somebody who may want to hear of progress: a bar on a terminal, or nobody.
pub trait Progress: Send + Sync {
    /// A piece of work begins; `total` is in `unit`s.
    fn start(&self, what: &str, total: u64, unit: Unit) -> Box<dyn Task>;
}

/// One piece of work under way. Dropping it ends it.
pub trait Task: Send + Sync {
    /// So much more is done, in the units that the work was started with.
    fn advance(&self, amount: u64);
}

/// What work is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Of a file, for instance.
    Bytes,
    /// Of generated texts.
    Tokens,
    /// Of a model.
    Tensors,
}

/// Nobody listens.
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _: &str, _: u64, _: Unit) -> Box<dyn Task> {
        Box::new(Silent)
    }
}

impl Task for Silent {
    fn advance(&self, _: u64) {}
}

/// The listener that library calls use unless they are given another.
pub fn silent() -> Arc<dyn Progress> {
    Arc::new(Silent)
}
