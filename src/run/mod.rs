//! What one run shares, as one value that is passed into calls.

mod context;
mod memory;

pub use context::RunContext;
pub(crate) use memory::{available, check as check_memory};
