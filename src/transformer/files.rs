//! Where a model's files are, once somebody has found them. What is in them is for others to know.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use crate::error::Result;

/// The files of one GPT-2 checkpoint as the Hugging Face hub lays them out.
#[derive(Debug, Clone)]
pub struct ModelFiles {
    /// The name to show for the model, e.g. "demo", "gpt2-xl" or "./my-gpt2".
    pub name: String,
    /// `config.json`
    pub config: Source,
    pub tokenizer: TokenizerFiles,
    /// `model.safetensors`, or all shards of `model.safetensors.index.json`.
    pub weights: Vec<Source>,
}

#[derive(Debug, Clone)]
pub enum TokenizerFiles {
    /// `tokenizer.json`
    Json(Source),
    /// `vocab.json` and `merges.txt`, the older layout.
    VocabAndMerges { vocab: Source, merges: Source },
}

/// A file, or bytes that are part of the program.
#[derive(Clone)]
pub enum Source {
    Path(PathBuf),
    Embedded {
        name: &'static str,
        bytes: &'static [u8],
    },
}

impl Source {
    /// The whole file.
    pub fn read(&self) -> Result<Cow<'static, [u8]>> {
        match self {
            Self::Embedded { bytes, .. } => Ok(Cow::Borrowed(bytes)),
            Self::Path(path) => crate::files::read(path).map(Cow::Owned),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Embedded { name, .. } => write!(f, "the embedded {name}"),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
