//! Text to tokens and back, with the ids that begin, end and pad texts.
//!
//! `spec` says which parts of a tokenizer are known, `vocab` what a vocabulary must be, `special`
//! what the files beside a tokenizer make of its special tokens.

mod added;
mod spec;
mod special;
mod vocab;

use serde_json::{Map, Value};
use tokenizers::Tokenizer as HuggingFaceTokenizer;

use self::spec::Spec;
use self::special::{Companions, END_OF_TEXT, Fault, File, Named, Special};
use self::vocab::{Bpe, Vocab};
use super::config_json::ConfigJson;
use super::files::{ModelFiles, TokenizerFiles};
use super::json;
use crate::error::{Error, ErrorKind, Result, not_json};
use crate::weights::Source;

/// A model's tokenizer.
pub struct Tokenizer {
    inner: HuggingFaceTokenizer,
    bos: Option<u32>,
    ends: Vec<u32>,
    pad: Option<u32>,
    d_vocab: usize,
}

/// What the configurations say of ids, and how many tokens the embedding has.
pub(super) struct Ids<'c> {
    pub(super) config: &'c ConfigJson,
    pub(super) generation: Option<&'c ConfigJson>,
    pub(super) d_vocab: usize,
}

impl Tokenizer {
    pub(super) fn load(files: &ModelFiles, config: &ConfigJson, d_vocab: usize) -> Result<Self> {
        let side = &files.side;
        let object = |source: &Option<Source>| -> Result<Map<String, Value>> {
            let Some(source) = source else {
                return Ok(Map::new());
            };
            json::object(&source.read()?).map_err(|reason| bad(source, &reason))
        };
        let companions = Companions {
            tokenizer_config: object(&side.tokenizer_config)?,
            special_tokens_map: object(&side.special_tokens_map)?,
            added_tokens: object(&side.added_tokens)?,
        };
        let generation = match &side.generation_config {
            Some(source) => Some(ConfigJson::parse(&source.read()?, &source.to_string())?),
            None => None,
        };
        let (source, spec) = match &files.tokenizer {
            TokenizerFiles::Json(source) => {
                let spec = Spec::parse(&source.read()?).map_err(|reason| bad(source, &reason))?;
                (source, spec)
            }
            TokenizerFiles::VocabAndMerges { vocab, merges } => {
                (vocab, Spec::gpt2(from_parts(vocab, merges)?))
            }
        };
        let ids = Ids {
            config,
            generation: generation.as_ref(),
            d_vocab,
        };
        let place = |file| match file {
            File::TokenizerConfig => side.tokenizer_config.as_ref(),
            File::SpecialTokensMap => side.special_tokens_map.as_ref(),
            File::AddedTokens => side.added_tokens.as_ref(),
        };
        Self::build(spec, &companions, &ids).map_err(|failed| match failed {
            Failed::Companion(fault) => bad(place(fault.file).unwrap_or(source), &fault.reason),
            Failed::Tokenizer(reason) => bad(source, &reason),
            Failed::Ids(error) => error,
        })
    }

    fn build(mut spec: Spec, companions: &Companions, ids: &Ids) -> Result<Self, Failed> {
        let class = ids.config.text("tokenizer_class").map_err(Failed::Ids)?;
        let is_neox = ids.config.model_type().map_err(Failed::Ids)?;
        let special = Special::resolve(
            companions,
            &spec.added,
            spec.padding_token.as_deref(),
            class.as_deref(),
            is_neox.is_some_and(|name| name == "gpt_neox"),
        )
        .map_err(Failed::Companion)?;
        if let Some(value) = special.add_prefix_space {
            spec.set_add_prefix_space(value);
        }
        let mut inner = spec.build(&special.added).map_err(Failed::Tokenizer)?;
        inner.set_encode_special_tokens(special.split_special_tokens);
        let d_vocab = ids.d_vocab;
        let in_embedding = |id: &u32| (*id as usize) < d_vocab;
        let has = |id: &u32| in_embedding(id) && inner.id_to_token(*id).is_some();
        // What no file names counts only if the model has it.
        let id_of = |named: &Option<Named>| {
            let named = named.as_ref()?;
            let id = inner.token_to_id(&named.content)?;
            Some(id).filter(|id| !named.by_default || in_embedding(id))
        };
        let configured = |config: &ConfigJson, name: &str| -> Result<Vec<u32>, Failed> {
            let ids = config.token_ids(name).map_err(Failed::Ids)?;
            Ok(ids.into_iter().filter(has).collect())
        };
        // TransformerLens' choice for tokenizers that name none.
        let end_of_text = || inner.token_to_id(END_OF_TEXT);
        let eos = match &special.eos {
            Some(_) => id_of(&special.eos),
            None => end_of_text(),
        }
        .filter(in_embedding);
        let mut ends: Vec<u32> = eos.into_iter().collect();
        for config in [Some(ids.config), ids.generation].into_iter().flatten() {
            for id in configured(config, "eos_token_id")? {
                if !ends.contains(&id) {
                    ends.push(id);
                }
            }
        }
        let of_config = |name: &str| configured(ids.config, name).map(|ids| ids.first().copied());
        let bos = id_of(&special.bos)
            .or(of_config("bos_token_id")?)
            .or_else(|| inner.token_to_id("<s>").filter(in_embedding))
            .or(eos);
        let pad = id_of(&special.pad)
            .or(eos)
            .or(of_config("pad_token_id")?)
            .or_else(|| ends.first().copied())
            .or(bos);
        Ok(Self {
            inner,
            bos,
            ends,
            pad,
            d_vocab,
        })
    }

    /// The id that begins every text, unless the files name none.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// The ids that end a text, the tokenizer's own first: those of the tokenizer, of `config.json`
    /// and of `generation_config.json`.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Whether a token ends a text.
    pub fn is_end(&self, token: u32) -> bool {
        self.ends.contains(&token)
    }

    /// The id that fills up shorter texts, unless the files name none.
    pub fn pad(&self) -> Option<u32> {
        self.pad
    }

    /// The tokens of a text, without BOS. A special token in the text, such as `<|endoftext|>`, is
    /// that token.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.inner.encode_fast(text, false).map_err(|error| {
            Error::other(format!("can't tokenize {}: {error}", vocab::short(text)))
        })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Whether a text gives the same tokens when it is divided before a space between two words: with
    /// GPT-2's rule for words, and no token that reaches beyond one.
    pub(crate) fn splits_at_spaces(&self) -> bool {
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

    /// The id that begins texts, where one is needed.
    pub(crate) fn required_bos(&self) -> Result<u32> {
        self.bos.ok_or_else(|| ErrorKind::NoBosToken.into())
    }

    /// The tokens of a text after BOS.
    ///
    /// # Errors
    /// If the model's files name no token that begins texts.
    pub fn encode_with_bos(&self, text: &str) -> Result<Vec<u32>> {
        let mut tokens = vec![self.required_bos()?];
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

/// Why a tokenizer could not be built.
enum Failed {
    Companion(Fault),
    Tokenizer(String),
    Ids(Error),
}

/// The older layout: a vocabulary and its merges, with GPT-2's byte-level rules implied.
fn from_parts(vocab: &Source, merges: &Source) -> Result<Bpe> {
    let ids = read_vocab(&vocab.read()?).map_err(|reason| bad(vocab, &reason))?;
    let text = String::from_utf8(merges.read()?.into_owned())
        .map_err(|_| bad(merges, "it isn't UTF-8 text"))?;
    bpe(ids, &text).map_err(|reason| bad(merges, &reason))
}

fn read_vocab(bytes: &[u8]) -> Result<Vocab, String> {
    let ids: Vocab = serde_json::from_slice(bytes).map_err(|error| {
        if error.is_data() {
            "it isn't a JSON object of tokens and their ids".into()
        } else {
            not_json(&error)
        }
    })?;
    vocab::check_ids(&ids)?;
    Ok(ids)
}

fn bpe(vocab: Vocab, merges: &str) -> Result<Bpe, String> {
    let (lines, merges): (Vec<usize>, _) = vocab::read_merges(merges)?.into_iter().unzip();
    let bpe = Bpe::plain(vocab, merges);
    bpe.check_merges()
        .map_err(|(i, reason)| format!("line {} {reason}", lines[i]))?;
    Ok(bpe)
}

fn bad(source: &Source, reason: &str) -> Error {
    Error::new(ErrorKind::BadFile {
        what: "tokenizer",
        path: source.to_string(),
        reason: reason.to_owned(),
    })
    .hint("copy or download it again, from the model that the weights are of")
}

/// Builds a tokenizer of bytes that a stranger chose, and takes texts there and back with it.
pub(super) fn fuzz(
    (tokenizer, vocab_and_merges): (&[u8], Option<(&[u8], &str)>),
    companions: [&[u8]; 3],
    texts: &[&str],
) {
    const CONFIG: &[u8] =
        br#"{"model_type": "gpt2", "bos_token_id": 0, "eos_token_id": [1, 70000]}"#;
    let config = ConfigJson::parse(CONFIG, "config.json").expect("it is an object");
    let spec = match vocab_and_merges {
        None => Spec::parse(tokenizer),
        Some((vocab, merges)) => read_vocab(vocab)
            .and_then(|vocab| bpe(vocab, merges))
            .map(Spec::gpt2),
    };
    let [tokenizer_config, special_tokens_map, added_tokens] =
        companions.map(|text| json::object(text).unwrap_or_default());
    let companions = Companions {
        tokenizer_config,
        special_tokens_map,
        added_tokens,
    };
    let ids = Ids {
        config: &config,
        generation: None,
        d_vocab: 1000,
    };
    let Ok(tokenizer) = spec.map(|spec| Tokenizer::build(spec, &companions, &ids)) else {
        return;
    };
    let Ok(tokenizer) = tokenizer else { return };
    for text in texts {
        if let Ok(tokens) = tokenizer.encode(text) {
            let _ = tokenizer.decode(&tokens);
            let _ = tokenizer.decode_each(&tokens);
        }
    }
    assert!(tokenizer.ends().iter().all(|id| *id < 1000));
}
