//! The kinds of failure, their messages, and the hints that follow from the kind alone.

use std::fmt;
use std::path::PathBuf;

use super::wording::{bytes, count, quoted};
use crate::suggest::nearest;

/// Every way avec can fail, with the data for its message.
#[derive(Debug, Clone)]
pub enum ErrorKind {
    // --- names and values ---
    /// An unknown name.
    UnknownName {
        /// The noun: "model", "hook point".
        what: &'static str,
        /// The name as it was written.
        name: String,
        /// The names that exist.
        known: Vec<String>,
    },
    /// An unknown name of a hook point, in full or as shorthand.
    UnknownHookPoint {
        /// The name as it was written.
        name: String,
        /// The hook points that exist.
        known: Vec<String>,
    },
    /// A value outside its allowed range.
    InvalidValue {
        /// The option or argument.
        name: String,
        /// Its value, as text.
        value: String,
        /// What the value must be: "must be 1 or more".
        rule: String,
    },
    /// A value of the wrong type.
    WrongType {
        /// The option or argument.
        name: String,
        /// The type it must have, with its article.
        expected: String,
        /// The type it has, with its article.
        found: String,
    },
    /// Two tensors, or a tensor and an index, that don't fit together.
    Shape {
        /// The whole message.
        message: String,
    },

    // --- prompts and additions ---
    /// A layer that the model doesn't have.
    LayerOutOfRange {
        /// The layer, counted from 0.
        layer: usize,
        /// The model's number of layers.
        n_layers: usize,
    },
    /// A hook point that models of this family don't have.
    NoSuchHook {
        /// The hook point's full name.
        name: String,
        /// The family's name: "GPT-NeoX".
        family: &'static str,
    },
    /// A model whose files name no token that begins texts.
    NoBosToken,
    /// A model whose files name no token to pad with.
    NoPadToken,
    /// A hook point whose activation is not `[batch, pos, d_model]`.
    NotResidualWidth {
        /// The hook point's full name.
        name: String,
        /// What the activation is needed for.
        purpose: ResidualUse,
        /// The sites of the model that have one.
        sites: Vec<&'static str>,
    },
    /// An addition needs exactly one of prompt and tokens.
    PromptXorTokens {
        /// Whether both are there, or neither.
        both: bool,
    },
    /// An empty list of additions where something must be computed from them.
    NoAdditions,
    /// Padding an x-vector without a model and its tokenizer.
    PaddingNeedsModel,
    /// A vector that covers more positions than the prompt has.
    VectorLongerThanPrompt {
        /// Where it was to be added.
        act_name: String,
        /// The text of each of its tokens.
        vector: Vec<String>,
        /// The text of each of the prompt's tokens.
        prompt: Vec<String>,
    },
    /// A token id outside the vocabulary.
    TokenOutOfRange {
        /// The id.
        id: i64,
        /// The size of the vocabulary.
        d_vocab: usize,
    },
    /// A text that is not exactly one token.
    NotOneToken {
        /// The text.
        text: String,
        /// The text of each of its tokens.
        tokens: Vec<String>,
    },
    /// A prompt longer than the model's context.
    PromptTooLong {
        /// The prompt's tokens.
        tokens: usize,
        /// The most that the context holds.
        n_ctx: usize,
    },
    /// A prompt that fits but leaves too little room for the new tokens.
    ContextExceeded {
        /// The prompt's tokens.
        prompt: usize,
        /// The number of tokens to generate.
        new: usize,
        /// The most that the context holds.
        n_ctx: usize,
    },
    /// A call without prompts.
    EmptyPromptBatch,
    /// An activation that a cache doesn't hold.
    NotInCache {
        /// The hook point's full name.
        name: String,
        /// The hook points that the cache holds.
        held: Vec<String>,
        /// Whether it is computed only when named.
        on_request: bool,
    },
    /// Logits that no token can be drawn from.
    NotFinite,
    /// Something that can't fit into memory, refused before anything is allocated.
    TooLarge {
        /// What needs the memory.
        what: String,
        /// Bytes needed.
        needed: u64,
        /// Bytes that may be used.
        available: u64,
    },

    // --- model files ---
    /// A model name that leads nowhere.
    ModelNotFound {
        /// The name.
        id: String,
        /// The short names that exist.
        known: Vec<String>,
    },
    /// A file missing from a model.
    MissingFile {
        /// The folder or repository.
        place: String,
        /// The file's name.
        file: String,
    },
    /// The hub wants a token for this model, or the token has no access to it.
    NoAccess {
        /// The model's name.
        id: String,
        /// Whether a token was sent.
        has_token: bool,
    },
    /// A model that would have to be downloaded in a run without network.
    Offline {
        /// The model's name.
        id: String,
    },
    /// A download that failed.
    Download {
        /// The file or model.
        what: String,
        /// Why.
        reason: String,
    },
    /// A file that exists but can't be understood.
    BadFile {
        /// The file's role: "weights".
        what: &'static str,
        /// Where it is.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A checkpoint of a family that avec doesn't know.
    UnsupportedArchitecture {
        /// Its `model_type`.
        found: String,
        /// The families that avec knows.
        known: Vec<String>,
        /// The configuration file.
        path: String,
    },
    /// Weights without a tensor that the family needs.
    MissingTensor {
        /// The tensor's name.
        name: String,
        /// The weights file.
        path: String,
    },
    /// A tensor whose shape isn't the one the configuration implies.
    TensorShape {
        /// The tensor's name.
        name: String,
        /// The shape in the file.
        found: Vec<usize>,
        /// The shape that the configuration implies.
        expected: Vec<usize>,
        /// The weights file.
        path: String,
    },
    /// The weights have a different number of layers than the configuration.
    LayersDiffer {
        /// The configuration's name for the number of layers.
        field: &'static str,
        /// The number in the configuration.
        n_layers: usize,
        /// The configuration file.
        config: String,
        /// The number in the weights.
        found: usize,
        /// The weights file.
        weights: String,
    },
    /// A device that can't be used.
    Device {
        /// The device's name.
        name: String,
        /// Why.
        reason: String,
    },
    /// A device that only a build with this feature has.
    DeviceNotBuilt {
        /// The device's name.
        name: String,
        /// The cargo feature to build with.
        feature: &'static str,
    },
    /// A number type that the CPU doesn't compute in.
    DTypeOnCpu {
        /// The number type's name.
        dtype: &'static str,
    },

    // --- the run ---
    /// The operating system refused a file.
    Io {
        /// The verb: "read".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: String,
    },
    /// Something that the run's permissions rule out.
    NotPermitted {
        /// The verb and its object: "write out.txt".
        action: String,
        /// What would permit it.
        how: String,
    },
    /// The user stopped the run. Scripts can't catch this.
    Cancelled,
    /// The run took too long. Scripts can't catch this.
    TimedOut,
    /// The run's budget of bytes is used up, or would be by what wants this many more. Scripts can't
    /// catch this.
    OutOfMemory {
        /// What wants memory, and how many bytes.
        wanted: Option<(String, u64)>,
        /// The budget, in bytes.
        limit: u64,
    },
    /// candle reported an error. If a user ever sees it, avec has a bug.
    Tensor {
        /// candle's message.
        message: String,
    },
    /// A message composed elsewhere.
    Other {
        /// The whole message.
        message: String,
    },
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownName { what, name, .. } => write!(f, "there is no {what} named `{name}`"),
            Self::UnknownHookPoint { name, .. } => {
                write!(f, "there is no hook point named `{name}`")
            }
            Self::InvalidValue { name, value, rule } => {
                write!(f, "`{name}` {rule}, but it is {value}")
            }
            Self::WrongType {
                name,
                expected,
                found,
            } => write!(f, "`{name}` must be {expected}, but it is {found}"),
            Self::Shape { message } | Self::Other { message } => f.write_str(message),
            Self::LayerOutOfRange { layer, n_layers } => write!(
                f,
                "there is no layer {layer}: the model has {n_layers} layers, 0 to {}",
                n_layers.saturating_sub(1)
            ),
            Self::NoBosToken => {
                f.write_str("this model's files name no token that begins texts (BOS)")
            }
            Self::NoPadToken => f.write_str("this model's files name no token to pad with"),
            Self::NotResidualWidth { name, purpose, .. } => {
                let (refusal, need) = match purpose {
                    ResidualUse::Steering => ("an addition can't be made", "steering needs"),
                    ResidualUse::Magnitudes => ("magnitudes can't be taken", "they need"),
                };
                write!(
                    f,
                    "{refusal} at {name}: {need} an activation of shape [batch, pos, d_model]"
                )
            }
            Self::NoSuchHook { name, family } => {
                write!(f, "{family} models like this one have no hook point {name}")
            }
            Self::PromptXorTokens { both: true } => {
                f.write_str("an activation addition takes a prompt or tokens, not both")
            }
            Self::PromptXorTokens { both: false } => {
                f.write_str("an activation addition needs a prompt or tokens, and has neither")
            }
            Self::NoAdditions => f.write_str("there are no additions to take the magnitude of"),
            Self::PaddingNeedsModel => {
                f.write_str("padding an x-vector needs its model, to know the tokens")
            }
            Self::VectorLongerThanPrompt {
                act_name,
                vector,
                prompt,
            } => write!(
                f,
                "the vector at {act_name} is longer than the prompt it is added to\n  \
                 vector, {}: {}\n  prompt, {}: {}",
                count(vector.len(), "token"),
                quoted(vector),
                count(prompt.len(), "token"),
                quoted(prompt)
            ),
            Self::TokenOutOfRange { id, d_vocab } => write!(
                f,
                "token id {id} is out of range: the vocabulary has ids 0 to {}",
                d_vocab.saturating_sub(1)
            ),
            Self::NotOneToken { text, tokens } => write!(
                f,
                "{text:?} is not one token but {}: {}",
                tokens.len(),
                quoted(tokens)
            ),
            Self::PromptTooLong { tokens, n_ctx } => write!(
                f,
                "the prompt has {tokens} tokens, and the model's context holds {n_ctx}"
            ),
            Self::ContextExceeded { prompt, new, n_ctx } => write!(
                f,
                "{} of prompt and {new} new ones do not fit into the model's context of {n_ctx}",
                count(*prompt, "token")
            ),
            Self::EmptyPromptBatch => f.write_str("the prompt batch is empty"),
            Self::NotInCache { name, .. } => write!(f, "the cache holds no `{name}`"),
            Self::NotFinite => {
                f.write_str("the model's logits are not finite: no token can be drawn from them")
            }
            Self::TooLarge {
                what,
                needed,
                available,
            } => write!(
                f,
                "{what} would need {} of memory, and {} may be used",
                bytes(*needed),
                bytes(*available)
            ),
            Self::ModelNotFound { id, .. } => write!(f, "there is no model `{id}`"),
            Self::MissingFile { place, file } => write!(f, "{place} has no {file}"),
            Self::NoAccess {
                id,
                has_token: false,
            } => write!(f, "the hub gives `{id}` only to users who have access"),
            Self::NoAccess {
                id,
                has_token: true,
            } => write!(f, "the hub refuses `{id}` to the owner of this token"),
            Self::Offline { id } => write!(
                f,
                "`{id}` is not in the cache, and this run may not use the network"
            ),
            Self::Download { what, reason } => write!(f, "can't download {what}: {reason}"),
            Self::BadFile { what, path, reason } => {
                write!(f, "can't read the {what} in {path}: {reason}")
            }
            Self::UnsupportedArchitecture { found, known, path } => {
                let known = known.join(" or ");
                write!(f, "{path} describes a model of type `{found}`, not {known}")
            }
            Self::MissingTensor { name, path } => write!(f, "{path} has no tensor `{name}`"),
            Self::TensorShape {
                name,
                found,
                expected,
                path,
            } => write!(
                f,
                "tensor `{name}` in {path} has shape {found:?}, but the configuration asks for {expected:?}"
            ),
            Self::LayersDiffer {
                field,
                n_layers,
                config,
                found,
                weights,
            } => write!(
                f,
                "{field} is {n_layers} in {config}, but {weights} has the tensors of {}",
                count(*found, "layer")
            ),
            Self::Device { name, reason } => write!(f, "can't use device `{name}`: {reason}"),
            Self::DeviceNotBuilt { name, .. } => write!(
                f,
                "can't use device `{name}`: this avec was built without it"
            ),
            Self::DTypeOnCpu { dtype } => write!(
                f,
                "`dtype` must be \"f32\" or \"bf16\" on the CPU, but it is {dtype:?}"
            ),
            Self::Io {
                action,
                path,
                reason,
            } => write!(f, "can't {action} {}: {reason}", path.display()),
            Self::NotPermitted { action, .. } => write!(f, "this run may not {action}"),
            Self::Cancelled => f.write_str("stopped"),
            Self::TimedOut => f.write_str("the run took longer than it may"),
            Self::OutOfMemory {
                wanted: None,
                limit,
            } => write!(
                f,
                "the run has used up the {} of memory that it may use",
                bytes(*limit)
            ),
            Self::OutOfMemory {
                wanted: Some((what, needed)),
                limit,
            } => write!(
                f,
                "{what} would need {} of memory, more than what is left of the {} that the run may use",
                bytes(*needed),
                bytes(*limit)
            ),
            Self::Tensor { message } => write!(f, "the tensor library refused: {message}"),
        }
    }
}

/// What an activation of the residual stream's width is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResidualUse {
    /// An addition is made from it, and added there.
    Steering,
    /// Its norms are taken.
    Magnitudes,
}

impl ErrorKind {
    /// Hints that follow from the kind alone.
    pub(super) fn hints(&self) -> Vec<String> {
        match self {
            Self::UnknownName { name, known, .. } | Self::UnknownHookPoint { name, known } => match nearest(name, known) {
                Some(close) => vec![format!("did you mean `{close}`?")],
                None if !known.is_empty() && known.len() <= 12 => {
                    vec![format!("known are: {}", known.join(", "))]
                }
                None => Vec::new(),
            },
            Self::NoBosToken => vec![
                "name one: bos_token in tokenizer_config.json, or bos_token_id in config.json".into(),
            ],
            Self::NotResidualWidth { purpose, sites, .. } => {
                let act = match purpose {
                    ResidualUse::Steering => "steer",
                    ResidualUse::Magnitudes => "take them",
                };
                let (last, others) = sites.split_last().unwrap_or((&"", &[]));
                vec![format!("{act} at {} or {last}", others.join(", "))]
            }
            Self::VectorLongerThanPrompt { .. } => {
                vec!["use a longer prompt, or shorter steering prompts".into()]
            }
            Self::NotOneToken { tokens, .. } if tokens.is_empty() => {
                vec!["give a text of at least one character".into()]
            }
            Self::NotOneToken { .. } => vec![
                "use one of its tokens; a word within a text is another token than at its start: \" Love\", \"Love\"".into(),
            ],
            Self::MissingTensor { .. } => vec![
                "the weights are incomplete or not those of this model: copy or download them again".into(),
            ],
            Self::LayersDiffer { .. } | Self::TensorShape { .. } => {
                vec!["config.json and the weights belong to different models".into()]
            }
            Self::PromptTooLong { .. } => vec!["shorten the prompt".into()],
            Self::ContextExceeded { prompt, n_ctx, .. } => vec![match n_ctx.checked_sub(*prompt) {
                Some(0) => "at most 1 new token fits".into(),
                Some(room) => format!("at most {} new tokens fit", room + 1),
                None => "shorten the prompt".into(),
            }],
            Self::NotFinite => vec![
                "a coefficient is too large for f32, or the weights themselves are not finite"
                    .into(),
            ],
            Self::ModelNotFound { id, known } => {
                let mut hints: Vec<String> = nearest(id, known)
                    .map(|close| format!("did you mean `{close}`?"))
                    .into_iter()
                    .collect();
                hints.push(
                    "a model is `demo`, an alias such as `gpt2-xl`, a hub id such as `org/name`, or a folder such as `./my-gpt2`"
                        .into(),
                );
                hints
            }
            Self::NoAccess {
                has_token: false, ..
            } => vec!["set HF_TOKEN to a token that has access, or check the name".into()],
            Self::NoAccess {
                has_token: true, ..
            } => vec!["ask for access on the model's page, or use another token".into()],
            Self::Offline { .. } => {
                vec!["run once without --offline and HF_HUB_OFFLINE to download it".into()]
            }
            Self::NotPermitted { how, .. } => vec![how.clone()],
            Self::OutOfMemory { .. } => vec![
                "keep less at a time, or let the run use more: --memory 8G".into(),
            ],
            Self::Tensor { .. } => {
                vec![
                    "this should have been caught earlier: please report it with the script".into(),
                ]
            }
            _ => Vec::new(),
        }
    }
}
