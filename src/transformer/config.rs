//! What a model looks like: the sizes and choices that its `config.json` states, checked.

use serde_json::Value;

use crate::error::{Error, ErrorKind, Result, json_kind, not_json};

/// The architecture of one model, in TransformerLens' names.
///
/// The enums hold what GPT-2 needs today; another family joins by adding variants, not a second
/// model type.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub n_layers: usize,
    pub d_model: usize,
    pub n_heads: usize,
    pub d_head: usize,
    pub d_mlp: usize,
    /// The longest sequence, in tokens.
    pub n_ctx: usize,
    pub d_vocab: usize,
    /// Added to the variance in every LayerNorm.
    pub eps: f64,
    pub positions: Positions,
    pub normalization: Normalization,
    pub activation: Activation,
    /// The id that starts every text.
    pub bos_token: u32,
    /// The id that ends a generation.
    pub eos_token: u32,
}

/// How a model knows where a token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Positions {
    /// One learned vector for each position, added to the token's embedding.
    Learned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Normalization {
    /// LayerNorm before each part of a block and before the unembedding.
    LayerNormPre,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// The tanh form of gelu, `gelu_new` in Hugging Face's names.
    GeluNew,
}

/// `config.json` of a GPT-2 checkpoint, as far as it matters here.
struct HuggingFaceConfig {
    model_type: Option<String>,
    /// The first of `architectures`.
    architecture: Option<String>,
    n_layer: Option<usize>,
    n_embd: Option<usize>,
    n_head: Option<usize>,
    n_inner: Option<usize>,
    n_positions: Option<usize>,
    n_ctx: Option<usize>,
    vocab_size: Option<usize>,
    layer_norm_epsilon: Option<f64>,
    activation_function: Option<String>,
    /// Newer files may name several ids in a list; the first is meant.
    bos_token_id: Option<u32>,
    eos_token_id: Option<u32>,
    scale_attn_weights: Option<bool>,
    scale_attn_by_inverse_layer_idx: Option<bool>,
    add_cross_attention: Option<bool>,
}

impl HuggingFaceConfig {
    /// Reads the file, or says in plain words why it can't be read.
    fn read(text: &[u8]) -> Result<Self, String> {
        let json: Value = serde_json::from_slice(text).map_err(|error| not_json(&error))?;
        let Value::Object(fields) = json else {
            return Err(format!("it holds {}, not a JSON object", json_kind(&json)));
        };
        // A field that is null is one that is not there.
        let get = |name| fields.get(name).filter(|value| !value.is_null());
        let size = |name| {
            let whole = |value: &Value| usize::try_from(value.as_u64()?).ok();
            field(name, get(name), "a whole number", whole)
        };
        let text = |name| {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            field(name, get(name), "a text", text)
        };
        let flag = |name| field(name, get(name), "true or false", Value::as_bool);
        let token = |name| {
            let first = get(name).and_then(|value| match value {
                Value::Array(ids) => ids.first(),
                one => Some(one),
            });
            let id = |value: &Value| u32::try_from(value.as_u64()?).ok();
            field(name, first, "a token id", id)
        };
        let number = |name| field(name, get(name), "a number", Value::as_f64);
        Ok(Self {
            model_type: text("model_type")?,
            architecture: get("architectures")
                .and_then(|list| list.get(0)?.as_str())
                .map(str::to_owned),
            n_layer: size("n_layer")?,
            n_embd: size("n_embd")?,
            n_head: size("n_head")?,
            n_inner: size("n_inner")?,
            n_positions: size("n_positions")?,
            n_ctx: size("n_ctx")?,
            vocab_size: size("vocab_size")?,
            layer_norm_epsilon: number("layer_norm_epsilon")?,
            activation_function: text("activation_function")?,
            bos_token_id: token("bos_token_id")?,
            eos_token_id: token("eos_token_id")?,
            scale_attn_weights: flag("scale_attn_weights")?,
            scale_attn_by_inverse_layer_idx: flag("scale_attn_by_inverse_layer_idx")?,
            add_cross_attention: flag("add_cross_attention")?,
        })
    }
}

/// What `read` makes of a field's value, if the field is there.
fn field<T>(
    name: &str,
    value: Option<&Value>,
    expected: &str,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Option<T>, String> {
    let Some(value) = value else {
        return Ok(None);
    };
    match read(value) {
        Some(found) => Ok(Some(found)),
        None => Err(format!("{name} must be {expected}, but it is {value}")),
    }
}

/// What to do about a broken or odd file.
const COPY_AGAIN: &str = "use the config.json that the model was published with";

impl Config {
    /// Reads the text of a `config.json`; `path` is for messages.
    ///
    /// `eos_token_id` and `bos_token_id` may be lists, as in newer files: the first id is used.
    /// The Stanford checkpoints set `scale_attn_by_inverse_layer_idx` off in their published form;
    /// a checkpoint that sets it on is refused rather than computed wrongly.
    pub fn from_json(text: &[u8], path: &str) -> Result<Self> {
        let unfit = |reason: String| {
            Error::new(ErrorKind::BadFile {
                what: "configuration",
                path: path.to_owned(),
                reason,
            })
        };
        let bad = |reason: String| unfit(reason).hint(COPY_AGAIN);
        let raw = HuggingFaceConfig::read(text).map_err(bad)?;
        let family = raw
            .model_type
            .clone()
            .or_else(|| raw.architecture.clone())
            .unwrap_or_else(|| "unknown".into());
        let is_gpt2 = raw.model_type.as_deref() == Some("gpt2")
            || (raw.model_type.is_none() && family.starts_with("GPT2"));
        if !is_gpt2 {
            return Err(Error::new(ErrorKind::UnsupportedArchitecture {
                found: family,
                path: path.to_owned(),
            })
            .hint("avec runs GPT-2 models: gpt2, gpt2-medium, gpt2-large, gpt2-xl, distilgpt2 and checkpoints like them"));
        }
        let size = |name: &str, value: Option<usize>| match value {
            Some(0) => Err(bad(format!("{name} is 0"))),
            Some(value) => Ok(value),
            None => Err(bad(format!("it has no {name}"))),
        };
        let n_layers = size("n_layer", raw.n_layer)?;
        let d_model = size("n_embd", raw.n_embd)?;
        let n_heads = size("n_head", raw.n_head)?;
        let n_ctx = size("n_positions", raw.n_positions.or(raw.n_ctx))?;
        let d_vocab = size("vocab_size", raw.vocab_size)?;
        if d_model % n_heads != 0 {
            return Err(bad(format!(
                "n_embd is {d_model}, which {n_heads} heads can't share equally"
            )));
        }
        let activation = match raw.activation_function.as_deref() {
            None | Some("gelu_new" | "gelu_pytorch_tanh" | "gelu_fast") => Activation::GeluNew,
            Some(other) => {
                return Err(unfit(format!(
                    "activation_function is {other:?}, and avec knows gelu_new"
                ))
                .hint("such a model can't be run here: its results would be wrong"));
            }
        };
        if raw.scale_attn_weights == Some(false)
            || raw.scale_attn_by_inverse_layer_idx == Some(true)
            || raw.add_cross_attention == Some(true)
        {
            return Err(unfit(
                "it asks for an attention that differs from GPT-2's (scale_attn_weights, scale_attn_by_inverse_layer_idx or add_cross_attention)".into(),
            )
            .hint("such a model can't be run here: its results would be wrong"));
        }
        let last = u32::try_from(d_vocab - 1).map_err(|_| bad("vocab_size is too large".into()))?;
        let eps = raw.layer_norm_epsilon.unwrap_or(1e-5);
        if !(eps.is_finite() && eps > 0.0) {
            return Err(bad(format!("layer_norm_epsilon is {eps}")));
        }
        let token = |name: &str, id: Option<u32>| match id.unwrap_or(last) {
            id if id <= last => Ok(id),
            id => Err(bad(format!(
                "{name} is {id}, and the vocabulary ends at {last}"
            ))),
        };
        Ok(Self {
            n_layers,
            d_model,
            n_heads,
            d_head: d_model / n_heads,
            d_mlp: raw.n_inner.unwrap_or(4 * d_model),
            n_ctx,
            d_vocab,
            eps,
            positions: Positions::Learned,
            normalization: Normalization::LayerNormPre,
            activation,
            bos_token: token("bos_token_id", raw.bos_token_id)?,
            eos_token: token("eos_token_id", raw.eos_token_id)?,
        })
    }

    /// The number of weights, the tied embedding counted once.
    pub fn parameters(&self) -> u64 {
        let (d, m) = (self.d_model as u64, self.d_mlp as u64);
        let block = 4 * d + (3 * d * d + 3 * d) + (d * d + d) + (d * m + m) + (m * d + d);
        (self.d_vocab as u64 + self.n_ctx as u64) * d + self.n_layers as u64 * block + 2 * d
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GPT2: &str = r#"{"model_type": "gpt2", "n_layer": 12, "n_embd": 768, "n_head": 12,
        "n_positions": 1024, "vocab_size": 50257, "bos_token_id": 50256, "eos_token_id": 50256}"#;

    #[test]
    fn gpt2_small_has_its_known_sizes() {
        let config = Config::from_json(GPT2.as_bytes(), "config.json").unwrap();
        assert_eq!((config.d_head, config.d_mlp), (64, 3072));
        assert_eq!(config.parameters(), 124_439_808);
    }

    #[test]
    fn other_families_are_refused_by_name() {
        let error = Config::from_json(br#"{"model_type": "llama"}"#, "x/config.json").unwrap_err();
        assert_eq!(
            error.to_string(),
            "x/config.json describes a model of type `llama`, not GPT-2"
        );
    }

    #[test]
    fn the_first_of_several_end_tokens_is_used() {
        let text = GPT2
            .replace("\"eos_token_id\": 50256", "\"eos_token_id\": [386, 50256]")
            .replace("\"bos_token_id\": 50256", "\"bos_token_id\": []");
        let config = Config::from_json(text.as_bytes(), "config.json").unwrap();
        assert_eq!((config.eos_token, config.bos_token), (386, 50256));
    }

    #[test]
    fn odd_files_are_told_in_plain_words() {
        let told = |text: &str| {
            let error = Config::from_json(text.as_bytes(), "c").unwrap_err();
            assert_eq!(error.hints(), [COPY_AGAIN], "{text}");
            let message = error.message();
            let reason = message.strip_prefix("can't read the configuration in c: ");
            reason.unwrap_or(&message).to_owned()
        };
        let with = |from: &str, to: &str| {
            assert!(GPT2.contains(from));
            GPT2.replace(from, to)
        };
        for (text, expected) in [
            (
                "".to_owned(),
                "it isn't whole: the JSON ends in the middle of something",
            ),
            ("{,}".into(), "it isn't valid JSON at line 1, column 2"),
            ("[]".into(), "it holds a list, not a JSON object"),
            ("\"gpt2\"".into(), "it holds a text, not a JSON object"),
            (
                with("\"n_layer\": 12", "\"n_layer\": \"12\""),
                "n_layer must be a whole number, but it is \"12\"",
            ),
            (
                with("\"n_layer\": 12", "\"n_layer\": -1"),
                "n_layer must be a whole number, but it is -1",
            ),
            (with("\"n_layer\": 12, ", ""), "it has no n_layer"),
            (with("\"n_head\": 12", "\"n_head\": 0"), "n_head is 0"),
            (
                with("\"eos_token_id\": 50256", "\"eos_token_id\": [1.5]"),
                "eos_token_id must be a token id, but it is 1.5",
            ),
            (
                with("\"eos_token_id\": 50256", "\"eos_token_id\": 99999"),
                "eos_token_id is 99999, and the vocabulary ends at 50256",
            ),
        ] {
            assert_eq!(told(&text), expected);
        }
    }

    #[test]
    fn heads_must_share_the_model_equally() {
        let text = GPT2.replace("\"n_head\": 12", "\"n_head\": 7");
        let error = Config::from_json(text.as_bytes(), "config.json").unwrap_err();
        assert_eq!(
            error.to_string(),
            "can't read the configuration in config.json: n_embd is 768, which 7 heads can't share equally"
        );
    }
}
