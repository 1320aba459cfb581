//! The circumstances of one run, as one value passed into calls.

mod allocator;
mod budget;
mod context;
mod memory;
mod stack;

pub use allocator::CountingAllocator;
pub(crate) use allocator::count_weights;
pub use context::RunContext;
pub(crate) use memory::{available, check as check_memory};
pub use stack::watch_stack;
