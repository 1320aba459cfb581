//! Sampling texts: arms into batches, batches token by token, logits into tokens.

mod arm;
mod batches;
mod decoder;
mod generate;
mod rng;
mod row;
mod sampler;

pub use arm::{Arm, GenerateOptions, GeneratedRow, OnToken, RowKey};
pub use rng::{Rng, torch_exponentials};
pub use sampler::{Chance, Sampling};
