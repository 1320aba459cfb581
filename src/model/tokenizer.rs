//! Text to tokens and back, with the id that starts every text.

use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer as HuggingFaceTokenizer};

use super::arch::Arch;
use super::files::TokenizerFiles;
use crate::error::{Error, ErrorKind, Result, json_kind, not_json};
use crate::weights::Source;

/// GPT-2's one special token, which begins, ends and pads texts.
const END_OF_TEXT: &str = "<|endoftext|>";

pub struct Tokenizer {
    inner: HuggingFaceTokenizer,
    bos: u32,
    eos: u32,
    pad: u32,
    d_vocab: usize,
}

impl Tokenizer {
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

    /// The id that starts every text.
    pub fn bos(&self) -> u32 {
        self.bos
    }

    /// The id that ends a generation.
    pub fn eos(&self) -> u32 {
        self.eos
    }

    /// The id that fills up shorter texts.
    pub fn pad(&self) -> u32 {
        self.pad
    }

    /// The tokens of a text, without BOS. `<|endoftext|>` in the text is that token.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self
            .inner
            .encode_fast(text, false)
            .map_err(|error| Error::other(format!("can't tokenize {text:?}: {error}")))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Whether a text gives the same tokens when it is divided before a space between two words: with
    /// GPT-2's rule for words, and no token that reaches beyond one.
    pub fn splits_at_spaces(&self) -> bool {
        let words = self.inner.get_pre_tokenizer().map(serde_json::to_value);
        let by_rule = words.is_some_and(|words| {
            words.is_ok_and(|words| words["type"] == "ByteLevel" && words["use_regex"] == true)
        });
        let normal = self.inner.get_normalizer().map(serde_json::to_value);
        let keeps_spaces =
            normal.is_none_or(|normal| normal.is_ok_and(|normal| normal["type"] == "NFC"));
        let added = self.inner.get_added_tokens_decoder();
        let within_words = added.values().all(|token| {
            let text = &token.content;
            !(token.lstrip || token.rstrip || text.contains(char::is_whitespace))
        });
        by_rule && keeps_spaces && within_words
    }

    /// The tokens of a text after BOS.
    pub fn encode_with_bos(&self, text: &str) -> Result<Vec<u32>> {
        let mut tokens = vec![self.bos];
        tokens.extend(self.encode(text)?);
        Ok(tokens)
    }

    /// The text of tokens, special ones included. Bytes that are no whole character become U+FFFD.
    pub fn decode(&self, tokens: &[u32]) -> Result<String> {
        self.check(tokens)?;
        self.inner
            .decode(tokens, false)
            .map_err(|error| Error::other(format!("can't turn tokens into text: {error}")))
    }

    /// The text of each token by itself.
    pub fn decode_each(&self, tokens: &[u32]) -> Result<Vec<String>> {
        tokens
            .iter()
            .map(|token| self.decode(std::slice::from_ref(token)))
            .collect()
    }

    /// The one token that a text is.
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

    /// Fails if a token is not in the model's vocabulary.
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

/// The older layout: a vocabulary and its merges, with GPT-2's byte-level rules implied.
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

/// Why a `tokenizer.json` could not be made into a tokenizer. The library's own words name types
/// of its program wherever the JSON has an unexpected form.
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
