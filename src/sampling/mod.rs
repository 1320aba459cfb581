//! Generation: packs arms into batches, decodes them token by token, and samples tokens from
//! logits.

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
