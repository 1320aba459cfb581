//! The tokenizer: text to tokens and back, with the special tokens.

use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer as HuggingFaceTokenizer};

use super::arch::Arch;
use super::files::TokenizerFiles;
use crate::error::{Error, ErrorKind, Result, json_kind, not_json};
use crate::weights::Source;

/// GPT-2's only special token, which begins, ends and pads texts.
const END_OF_TEXT: &str = "<|endoftext|>";

/// Turns text into tokens and back, and knows the special tokens.
pub struct Tokenizer {
    inner: HuggingFaceTokenizer,
    bos: u32,
    eos: u32,
    pad: u32,
    d_vocab: usize,
}

impl Tokenizer {
    /// Loads a tokenizer from either layout of files.
    ///
    /// # Errors
    /// If a file can't be read or understood, or has more tokens than the model.
    pub fn load(files: &TokenizerFiles, arch: &Arch) -> Result<Self> {
        let inner = match files {
            TokenizerFiles::Json(source) => {
                let bytes = source.read()?;
                HuggingFaceTokenizer::from_bytes(&bytes)
                    .map_err(|error| bad(source, &not_a_tokenizer(&bytes, &error.to_string())))?
            }
            TokenizerFiles::VocabAndMerges { vocab, merges } => from_parts(vocab, merges)?,
        };
        let size = inner.get_vocab_size(true);
        if size > arch.d_vocab {
            let source = match files {
                TokenizerFiles::Json(source)
                | TokenizerFiles::VocabAndMerges { vocab: source, .. } => source,
            };
            let reason = format!(
                "it has {size} tokens, but the model's vocabulary has {}",
                arch.d_vocab
            );
            return Err(bad(source, &reason));
        }
        Ok(Self {
            bos: arch.bos_token,
            eos: arch.eos_token,
            pad: inner.token_to_id(END_OF_TEXT).unwrap_or(arch.eos_token),
            d_vocab: arch.d_vocab,
            inner,
        })
    }

    /// The token id at the start of every text.
    pub fn bos(&self) -> u32 {
        self.bos
    }

    /// The token id that ends a generation.
    pub fn eos(&self) -> u32 {
        self.eos
    }

    /// The token id that pads shorter texts.
    pub fn pad(&self) -> u32 {
        self.pad
    }

    /// The tokens of a text, without BOS. `<|endoftext|>` in the text becomes that token.
    ///
    /// # Errors
    /// If the text can't be encoded.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self
            .inner
            .encode_fast(text, false)
            .map_err(|error| Error::other(format!("can't tokenize {text:?}: {error}")))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The tokens of a text, with BOS in front.
    ///
    /// # Errors
    /// As for [`Self::encode`].
    pub fn encode_with_bos(&self, text: &str) -> Result<Vec<u32>> {
        let mut tokens = vec![self.bos];
        tokens.extend(self.encode(text)?);
        Ok(tokens)
    }

    /// The text of tokens, including special ones. Incomplete UTF-8 becomes U+FFFD.
    ///
    /// # Errors
    /// If a token is not in the vocabulary.
    pub fn decode(&self, tokens: &[u32]) -> Result<String> {
        self.check(tokens)?;
        self.inner
            .decode(tokens, false)
            .map_err(|error| Error::other(format!("can't turn tokens into text: {error}")))
    }

    /// The text of each token on its own.
    ///
    /// # Errors
    /// As for [`Self::decode`].
    pub fn decode_each(&self, tokens: &[u32]) -> Result<Vec<String>> {
        tokens
            .iter()
            .map(|token| self.decode(std::slice::from_ref(token)))
            .collect()
    }

    /// The token of a text that is a single token.
    ///
    /// # Errors
    /// If the text is no token or several.
    pub fn single(&self, text: &str) -> Result<u32> {
        let tokens = self.encode(text)?;
        match tokens.as_slice() {
            [token] => Ok(*token),
            _ => Err(ErrorKind::NotOneToken {
                text: text.to_owned(),
                tokens: self.decode_each(&tokens)?,
            }
            .into()),
        }
    }

    /// Checks that all tokens are in the model's vocabulary.
    ///
    /// # Errors
    /// [`ErrorKind::TokenOutOfRange`] for the first that isn't.
    pub fn check(&self, tokens: &[u32]) -> Result<()> {
        match tokens.iter().find(|token| **token as usize >= self.d_vocab) {
            Some(token) => Err(ErrorKind::TokenOutOfRange {
                id: i64::from(*token),
                d_vocab: self.d_vocab,
            }
            .into()),
            None => Ok(()),
        }
    }
}

/// The older layout: a vocabulary and its merges, with GPT-2's byte-level rules.
fn from_parts(vocab: &Source, merges: &Source) -> Result<HuggingFaceTokenizer> {
    let vocab_bytes = vocab.read()?;
    let ids: tokenizers::models::bpe::Vocab =
        serde_json::from_slice(&vocab_bytes).map_err(|error| {
            if error.is_data() {
                bad(vocab, &"it isn't a JSON object of tokens and their ids")
            } else {
                bad(vocab, &not_json(&error))
            }
        })?;
    let text = String::from_utf8(merges.read()?.into_owned())
        .map_err(|_| bad(merges, &"it isn't UTF-8 text"))?;
    let mut pairs = Vec::new();
    for (i, line) in text.lines().enumerate() {
        if line.is_empty() || (i == 0 && line.starts_with("#version")) {
            continue;
        }
        match line.split_once(' ') {
            Some((left, right)) if !right.contains(' ') => {
                pairs.push((left.to_owned(), right.to_owned()));
            }
            _ => {
                let reason = format!("line {} is not two parts: {line:?}", i + 1);
                return Err(bad(merges, &reason));
            }
        }
    }
    let has_end = ids.contains_key(END_OF_TEXT);
    let bpe = BPE::builder()
        .vocab_and_merges(ids, pairs)
        .build()
        .map_err(|error| bad(merges, &error))?;
    let mut tokenizer = HuggingFaceTokenizer::new(bpe);
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    if has_end {
        tokenizer
            .add_special_tokens([AddedToken::from(END_OF_TEXT, true)])
            .map_err(|error| bad(vocab, &error))?;
    }
    Ok(tokenizer)
}

fn bad(source: &Source, reason: &dyn ToString) -> Error {
    Error::new(ErrorKind::BadFile {
        what: "tokenizer",
        path: source.to_string(),
        reason: reason.to_string(),
    })
    .hint("copy or download it again, from the model that the weights are of")
}

/// Why a `tokenizer.json` isn't a tokenizer. If the JSON has an unexpected form, the library's own
/// message would name Rust types.
fn not_a_tokenizer(bytes: &[u8], reason: &str) -> String {
    match serde_json::from_slice::<serde_json::Value>(bytes) {
        Err(error) => not_json(&error),
        Ok(value) if !value.is_object() => {
            format!("it holds {}, not a JSON object", json_kind(&value))
        }
        Ok(_)
            if ["struct ", "enum ", "variant"]
                .iter()
                .any(|w| reason.contains(w)) =>
        {
            "it is JSON, but it doesn't describe a tokenizer".into()
        }
        Ok(_) => reason.to_owned(),
    }
}
