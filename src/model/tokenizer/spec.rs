//! The parts of a `tokenizer.json` that avec knows. Every part is honoured, reset or refused by its
//! name, and each is checked here before the tokenizers library sees it: that panics or aborts on
//! some.
//!
//! Reset, since texts are tokenized whole and BOS is put before them here: `truncation`, `padding`
//! (if they make sense), `post_processor`, `dropout`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use tokenizers::decoders::byte_level::ByteLevel as ByteLevelDecoder;
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::normalizers::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::whitespace::WhitespaceSplit;
use tokenizers::{ModelWrapper, Tokenizer};

use super::added::Added;
use super::vocab::{Bpe, Merges, Vocab, check_ids};
use crate::error::{json_kind, not_json};

/// Tokens are added one by one, each to a search for all of them.
const MOST_ADDED: usize = 1 << 17;

/// No text is padded to more tokens than this.
const MOST_PADDING: u64 = 1 << 20;

/// A tokenizer whose parts are all known and checked.
pub(super) struct Spec {
    pub(super) model: Model,
    pub(super) nfc: bool,
    pub(super) pre_tokenizers: Vec<PreTokenizer>,
    /// Whether `pre_tokenizer` is a list: its `add_prefix_space` is then its own.
    pub(super) is_sequence: bool,
    pub(super) byte_level_decoder: bool,
    /// With their ids, which decide no more than their order.
    pub(super) added: Vec<(u32, Added)>,
    /// The token that `padding` names.
    pub(super) padding_token: Option<String>,
}

pub(super) enum Model {
    Bpe(Bpe),
    WordLevel { vocab: Vocab, unk_token: String },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum PreTokenizer {
    ByteLevel {
        add_prefix_space: bool,
        use_regex: bool,
    },
    WhitespaceSplit,
}

/// Everything but the vocabulary and its merges.
#[derive(Deserialize)]
struct Outline {
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    truncation: Value,
    #[serde(default)]
    padding: Value,
    #[serde(default)]
    added_tokens: Option<Vec<WithId>>,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default, rename = "post_processor")]
    _post_processor: IgnoredAny,
    #[serde(default)]
    decoder: Value,
    model: ModelOutline,
    #[serde(flatten)]
    rest: BTreeMap<String, IgnoredAny>,
}

#[derive(Deserialize)]
struct WithId {
    id: u32,
    #[serde(flatten)]
    token: Added,
}

#[derive(Deserialize)]
struct ModelOutline {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default, rename = "dropout")]
    _dropout: IgnoredAny,
    #[serde(default)]
    unk_token: Option<String>,
    #[serde(default)]
    continuing_subword_prefix: Option<String>,
    #[serde(default)]
    end_of_word_suffix: Option<String>,
    #[serde(default)]
    fuse_unk: Option<bool>,
    #[serde(default)]
    byte_fallback: Option<bool>,
    #[serde(default)]
    ignore_merges: Option<bool>,
    #[serde(default, rename = "vocab")]
    _vocab: IgnoredAny,
    #[serde(default)]
    merges: Option<IgnoredAny>,
    #[serde(flatten)]
    rest: BTreeMap<String, IgnoredAny>,
}

/// The vocabulary alone, which is nearly all of a file.
#[derive(Deserialize)]
struct Words {
    model: WordsOfModel,
}

#[derive(Deserialize)]
struct WordsOfModel {
    vocab: Vocab,
    #[serde(default)]
    merges: Merges,
}

impl Spec {
    /// Reads a `tokenizer.json`, or says why it can't be used.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let outline: Outline = parse(bytes)?;
        if let Some(version) = outline.version.filter(|version| version != "1.0") {
            return Err(format!(
                "its version is {version:?}, and avec knows \"1.0\""
            ));
        }
        known("", outline.rest.keys())?;
        lengths(&outline.truncation, &outline.padding)?;
        let mut pre_tokenizers = Vec::new();
        pre_tokenizer(&outline.pre_tokenizer, &mut pre_tokenizers)?;
        let mut decoders = 0;
        decoder(&outline.decoder, &mut decoders)?;
        let padding_token = outline.padding.get("pad_token").and_then(Value::as_str);
        Ok(Self {
            nfc: normalizer(&outline.normalizer)?,
            pre_tokenizers,
            is_sequence: type_of(&outline.pre_tokenizer) == Some("Sequence"),
            byte_level_decoder: decoders > 0,
            padding_token: padding_token.map(str::to_owned),
            added: outline
                .added_tokens
                .unwrap_or_default()
                .into_iter()
                .map(|added| (added.id, added.token))
                .collect(),
            model: model(outline.model, bytes)?,
        })
    }

    /// GPT-2's byte-level rules around a vocabulary.
    pub(super) fn gpt2(bpe: Bpe) -> Self {
        Self {
            model: Model::Bpe(bpe),
            nfc: false,
            pre_tokenizers: vec![PreTokenizer::ByteLevel {
                add_prefix_space: false,
                use_regex: true,
            }],
            is_sequence: false,
            byte_level_decoder: true,
            added: Vec::new(),
            padding_token: None,
        }
    }

    /// What `add_prefix_space` of a configuration changes.
    pub(super) fn set_add_prefix_space(&mut self, value: bool) {
        if self.is_sequence {
            return;
        }
        for part in &mut self.pre_tokenizers {
            if let PreTokenizer::ByteLevel {
                add_prefix_space, ..
            } = part
            {
                *add_prefix_space = value;
            }
        }
    }

    /// The tokenizer, with the tokens of `added` and those that follow them.
    pub(super) fn build(self, then: &[Added]) -> Result<Tokenizer, String> {
        let told = |error: tokenizers::Error| error.to_string();
        // Most of those that follow are the same ones, with other settings.
        let added = self.added.len().max(then.len());
        if added > MOST_ADDED {
            return Err(format!(
                "{added} tokens are to be added to it, and at most {MOST_ADDED} can be"
            ));
        }
        super::added::check(self.added.iter().map(|(_, token)| token).chain(then))?;
        let model: ModelWrapper = match self.model {
            Model::Bpe(bpe) => bpe.build()?.into(),
            Model::WordLevel { vocab, unk_token } => WordLevel::builder()
                .vocab(vocab)
                .unk_token(unk_token)
                .build()
                .map_err(told)?
                .into(),
        };
        let mut tokenizer = Tokenizer::new(model);
        if self.nfc {
            tokenizer.with_normalizer(Some(NFC)).map_err(told)?;
        }
        let mut parts: Vec<PreTokenizerWrapper> = self
            .pre_tokenizers
            .into_iter()
            .map(PreTokenizer::build)
            .collect();
        if parts.len() > 1 {
            tokenizer.with_pre_tokenizer(Some(Sequence::new(parts)));
        } else if let Some(part) = parts.pop() {
            tokenizer.with_pre_tokenizer(Some(part));
        }
        if self.byte_level_decoder {
            tokenizer.with_decoder(Some(ByteLevelDecoder::default()));
        }
        for tokens in [
            self.added.iter().map(|(_, token)| token.build()).collect(),
            then.iter().map(Added::build).collect::<Vec<_>>(),
        ] {
            tokenizer.add_tokens(tokens).map_err(told)?;
        }
        Ok(tokenizer)
    }
}

impl PreTokenizer {
    fn build(self) -> PreTokenizerWrapper {
        match self {
            Self::ByteLevel {
                add_prefix_space,
                use_regex,
            } => ByteLevel::new(add_prefix_space, true, use_regex).into(),
            Self::WhitespaceSplit => WhitespaceSplit.into(),
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| {
        let kind = match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
            _ if !error.is_data() => return not_json(&error),
            Some(b'{') | None => {
                return "it is JSON, but it doesn't describe a tokenizer".into();
            }
            Some(b'[') => json_kind(&Value::Array(Vec::new())),
            Some(b'"') => json_kind(&Value::String(String::new())),
            Some(b'n') => json_kind(&Value::Null),
            Some(b't' | b'f') => json_kind(&Value::Bool(true)),
            Some(_) => json_kind(&Value::from(0)),
        };
        format!("it holds {kind}, not a JSON object")
    })
}

fn model(outline: ModelOutline, bytes: &[u8]) -> Result<Model, String> {
    // Files of the first versions don't say the type.
    let kind = match outline.kind.as_deref() {
        Some(kind) => kind,
        None if outline.merges.is_some() => "BPE",
        None => return Err("its model has no type".into()),
    };
    if !matches!(kind, "BPE" | "WordLevel") {
        return Err(refused("model", kind, "BPE"));
    }
    known("model.", outline.rest.keys())?;
    for (name, value) in [
        (
            "continuing_subword_prefix",
            &outline.continuing_subword_prefix,
        ),
        ("end_of_word_suffix", &outline.end_of_word_suffix),
    ] {
        if value.as_deref().is_some_and(|value| !value.is_empty()) {
            return Err(format!("it has a {name}, and avec knows none"));
        }
    }
    let Words { model: words } = parse(bytes)?;
    check_ids(&words.vocab)?;
    Ok(match kind {
        "BPE" => {
            let bpe = Bpe {
                vocab: words.vocab,
                merges: words.merges.0,
                unk_token: outline.unk_token,
                fuse_unk: outline.fuse_unk.unwrap_or(false),
                byte_fallback: outline.byte_fallback.unwrap_or(false),
                ignore_merges: outline.ignore_merges.unwrap_or(false),
            };
            bpe.check_merges()
                .map_err(|(i, reason)| format!("merge {} {reason}", i + 1))?;
            Model::Bpe(bpe)
        }
        _ => Model::WordLevel {
            vocab: words.vocab,
            unk_token: outline.unk_token.unwrap_or_else(|| "<unk>".into()),
        },
    })
}

/// Fails if there are fields that nobody reads.
fn known<'a>(place: &str, mut rest: impl Iterator<Item = &'a String>) -> Result<(), String> {
    match rest.next() {
        None => Ok(()),
        Some(name) => Err(format!("it has {:?}, and avec knows no such part", {
            let name: String = name.chars().take(60).collect();
            format!("{place}{name}")
        })),
    }
}

fn refused(part: &str, kind: &str, known: &str) -> String {
    let kind: String = kind.chars().take(60).collect();
    format!("its {part} is {kind:?}, and avec knows {known}")
}

/// Truncation and padding are not used, but nonsense in them says that the file is broken or meant
/// to do harm.
fn lengths(truncation: &Value, padding: &Value) -> Result<(), String> {
    let number = |part: &Value, name: &str| part.get(name).and_then(Value::as_u64);
    if let (Some(length), Some(stride)) = (
        number(truncation, "max_length"),
        number(truncation, "stride"),
    ) && length > 0
        && stride >= length
    {
        return Err(format!(
            "its truncation goes back by {stride} of {length} tokens, and so never ends"
        ));
    }
    let fixed = padding.get("strategy").and_then(|s| number(s, "Fixed"));
    let multiple = number(padding, "pad_to_multiple_of");
    match fixed.max(multiple) {
        Some(length) if length > MOST_PADDING => Err(format!("its padding is to {length} tokens")),
        _ => Ok(()),
    }
}

fn type_of(part: &Value) -> Option<&str> {
    part.get("type")?.as_str()
}

/// The parts of a list in `field`.
fn parts<'a>(part: &'a Value, field: &str) -> Result<&'a [Value], String> {
    let parts = part.get(field).and_then(Value::as_array);
    parts
        .map(Vec::as_slice)
        .ok_or_else(|| format!("a Sequence in it has no list of {field}"))
}

/// Whether texts are brought to NFC.
fn normalizer(part: &Value) -> Result<bool, String> {
    match (part, type_of(part)) {
        (Value::Null, _) => Ok(false),
        (_, Some("NFC")) => Ok(true),
        (_, Some("Sequence")) => {
            let mut nfc = false;
            for part in parts(part, "normalizers")? {
                nfc |= normalizer(part)?;
            }
            Ok(nfc)
        }
        (_, kind) => Err(refused("normalizer", kind.unwrap_or("of no type"), "NFC")),
    }
}

fn pre_tokenizer(part: &Value, found: &mut Vec<PreTokenizer>) -> Result<(), String> {
    const KNOWN: &str = "ByteLevel and WhitespaceSplit";
    let flag = |name: &str, default: bool| match part.get(name) {
        None => Ok(default),
        Some(Value::Bool(value)) => Ok(*value),
        Some(_) => Err(format!("{name} of its pre_tokenizer must be true or false")),
    };
    match (part, type_of(part)) {
        (Value::Null, _) => {}
        (_, Some("ByteLevel")) => {
            // Each makes a text up to twice as long.
            if found
                .iter()
                .any(|part| *part != PreTokenizer::WhitespaceSplit)
            {
                return Err("its pre_tokenizer has ByteLevel twice".into());
            }
            found.push(PreTokenizer::ByteLevel {
                add_prefix_space: flag("add_prefix_space", true)?,
                use_regex: flag("use_regex", true)?,
            });
        }
        (_, Some("WhitespaceSplit")) => {
            if found.last() != Some(&PreTokenizer::WhitespaceSplit) {
                found.push(PreTokenizer::WhitespaceSplit);
            }
        }
        (_, Some("Sequence")) => {
            for part in parts(part, "pretokenizers")? {
                pre_tokenizer(part, found)?;
            }
        }
        (_, kind) => {
            return Err(refused(
                "pre_tokenizer",
                kind.unwrap_or("of no type"),
                KNOWN,
            ));
        }
    }
    Ok(())
}

/// Counts the byte-level decoders; one does the work of several.
fn decoder(part: &Value, found: &mut usize) -> Result<(), String> {
    match (part, type_of(part)) {
        (Value::Null, _) => Ok(()),
        (_, Some("ByteLevel")) => {
            *found += 1;
            Ok(())
        }
        (_, Some("Sequence")) => parts(part, "decoders")?
            .iter()
            .try_for_each(|part| decoder(part, found)),
        (_, kind) => Err(refused(
            "decoder",
            kind.unwrap_or("of no type"),
            "ByteLevel",
        )),
    }
}
