//! Where a model's files are, once the store has found them.

use crate::weights::Source;

/// The files of one checkpoint as the Hugging Face hub lays them out.
#[derive(Debug, Clone)]
pub struct ModelFiles {
    /// The name to show for the model, e.g. "demo", "gpt2-xl" or "./my-gpt2".
    pub name: String,
    /// `config.json`
    pub config: Source,
    /// Whichever layout the checkpoint has.
    pub tokenizer: TokenizerFiles,
    /// `model.safetensors`, or all shards of `model.safetensors.index.json`.
    pub weights: Vec<Source>,
}

/// A tokenizer, in one of its two layouts.
#[derive(Debug, Clone)]
pub enum TokenizerFiles {
    /// `tokenizer.json`
    Json(Source),
    /// `vocab.json` and `merges.txt`, the older layout.
    VocabAndMerges {
        /// `vocab.json`: each token's id.
        vocab: Source,
        /// `merges.txt`: which two tokens become one, in order.
        merges: Source,
    },
}
