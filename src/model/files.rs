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
    /// What stands beside the tokenizer and changes tokens.
    pub side: SideFiles,
}

/// The files beside a checkpoint that decide tokens, each if it is there.
#[derive(Debug, Clone, Default)]
pub struct SideFiles {
    /// `tokenizer_config.json`
    pub tokenizer_config: Option<Source>,
    /// `special_tokens_map.json`
    pub special_tokens_map: Option<Source>,
    /// `added_tokens.json`
    pub added_tokens: Option<Source>,
    /// `generation_config.json`
    pub generation_config: Option<Source>,
}

impl SideFiles {
    /// Their names on the hub.
    pub const NAMES: [&'static str; 4] = [
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "generation_config.json",
    ];

    /// Puts them together from whatever `find` finds.
    ///
    /// # Errors
    /// If `find` fails.
    pub fn find<E>(mut find: impl FnMut(&str) -> Result<Option<Source>, E>) -> Result<Self, E> {
        let [
            tokenizer_config,
            special_tokens_map,
            added_tokens,
            generation_config,
        ] = Self::NAMES;
        Ok(Self {
            tokenizer_config: find(tokenizer_config)?,
            special_tokens_map: find(special_tokens_map)?,
            added_tokens: find(added_tokens)?,
            generation_config: find(generation_config)?,
        })
    }

    /// Those that are there.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        [
            &self.tokenizer_config,
            &self.special_tokens_map,
            &self.added_tokens,
            &self.generation_config,
        ]
        .into_iter()
        .flatten()
    }
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
