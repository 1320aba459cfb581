//! The circumstances of one run, as one value passed into calls.

mod context;
mod memory;

pub use context::RunContext;
pub(crate) use memory::{available, check as check_memory};
