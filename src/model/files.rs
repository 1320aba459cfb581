//! The files of a model, as the store finds them.

use crate::weights::Source;

/// The files of a checkpoint, laid out like on the Hugging Face hub.
#[derive(Debug, Clone)]
pub struct ModelFiles {
    /// The name to display: "demo", "gpt2-xl" or "./my-gpt2".
    pub name: String,
    /// `config.json`
    pub config: Source,
    /// The tokenizer, in either layout.
    pub tokenizer: TokenizerFiles,
    /// `model.safetensors`, or all shards of `model.safetensors.index.json`.
    pub weights: Vec<Source>,
}

/// A tokenizer's files, in one of two layouts.
#[derive(Debug, Clone)]
pub enum TokenizerFiles {
    /// `tokenizer.json`
    Json(Source),
    /// `vocab.json` and `merges.txt`, the older layout.
    VocabAndMerges {
        /// `vocab.json`: each token's id.
        vocab: Source,
        /// `merges.txt`: the pairs of tokens to merge, in order.
        merges: Source,
    },
}
