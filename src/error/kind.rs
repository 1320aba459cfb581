//! The ways in which avec can fail, their messages, and what to do where the kind alone shows it.

use std::fmt;
use std::path::PathBuf;

use super::wording::{bytes, count, quoted};
use crate::suggest::nearest;

/// Every way in which avec can fail, with the data that its message is made of.
#[derive(Debug, Clone)]
pub enum ErrorKind {
    // --- names and values ---
    /// A name that is not among the known ones; `what` is the noun, e.g. "model" or "hook point".
    UnknownName {
        what: &'static str,
        name: String,
        known: Vec<String>,
    },
    /// No hook point has this name, in full or for short.
    UnknownHookPoint {
        name: String,
        known: Vec<String>,
    },
    /// A value outside of what is allowed; `rule` reads "must be …".
    InvalidValue {
        name: String,
        value: String,
        rule: String,
    },
    /// A value of the wrong type.
    WrongType {
        name: String,
        expected: String,
        found: String,
    },
    /// Two tensors, or a tensor and an index, that do not fit each other.
    Shape {
        message: String,
    },

    // --- prompts and additions ---
    LayerOutOfRange {
        layer: usize,
        n_layers: usize,
    },
    /// A hook point that models of a family don't have.
    NoSuchHook {
        name: String,
        family: &'static str,
    },
    /// An addition needs exactly one of prompt and tokens.
    PromptXorTokens {
        both: bool,
    },
    /// Additions of which something was to be computed, and there are none.
    NoAdditions,
    /// An x-vector can't be padded without the model's tokenizer.
    PaddingNeedsModel,
    VectorLongerThanPrompt {
        act_name: String,
        vector: Vec<String>,
        prompt: Vec<String>,
    },
    TokenOutOfRange {
        id: i64,
        d_vocab: usize,
    },
    NotOneToken {
        text: String,
        tokens: Vec<String>,
    },
    PromptTooLong {
        tokens: usize,
        n_ctx: usize,
    },
    ContextExceeded {
        prompt: usize,
        new: usize,
        n_ctx: usize,
    },
    EmptyPromptBatch,
    /// A cache has no activation of this name. `on_request`: it is only kept when it is named.
    NotInCache {
        name: String,
        held: Vec<String>,
        on_request: bool,
    },
    /// Logits that no token can be drawn from.
    NotFinite,
    /// A size that can't fit, refused before anything is allocated. Sizes in bytes.
    TooLarge {
        what: String,
        needed: u64,
        available: u64,
    },

    // --- model files ---
    ModelNotFound {
        id: String,
        known: Vec<String>,
    },
    /// A file that should be part of a model and is not there.
    MissingFile {
        place: String,
        file: String,
    },
    /// The hub says that this model needs a token, or that the token has no access.
    NoAccess {
        id: String,
        has_token: bool,
    },
    Offline {
        id: String,
    },
    Download {
        what: String,
        reason: String,
    },
    /// A file that is there but can't be understood; `what` is its role, e.g. "weights".
    BadFile {
        what: &'static str,
        path: String,
        reason: String,
    },
    UnsupportedArchitecture {
        found: String,
        /// The families that avec knows.
        known: Vec<String>,
        path: String,
    },
    MissingTensor {
        name: String,
        path: String,
    },
    TensorShape {
        name: String,
        found: Vec<usize>,
        expected: Vec<usize>,
        path: String,
    },
    /// The weights have another number of layers than the configuration says.
    LayersDiffer {
        n_layer: usize,
        config: String,
        found: usize,
        weights: String,
    },
    Device {
        name: String,
        reason: String,
    },
    /// A device that only a build with this feature has.
    DeviceNotBuilt {
        name: String,
        feature: &'static str,
    },
    /// A number type that the CPU doesn't compute in.
    DTypeOnCpu {
        dtype: &'static str,
    },

    // --- the run ---
    Io {
        action: &'static str,
        path: PathBuf,
        reason: String,
    },
    /// Something the run may not do; `how` says what would permit it.
    NotPermitted {
        action: String,
        how: String,
    },
    /// Stopped by the user. Never caught by a script.
    Cancelled,
    /// Stopped by the clock. Never caught by a script.
    TimedOut,
    /// The run's budget of bytes is used up, or would be by what wants this many more. Never
    /// caught by a script.
    OutOfMemory {
        wanted: Option<(String, u64)>,
        limit: u64,
    },
    /// The tensor library refused; a bug of avec if a user ever sees it.
    Tensor {
        message: String,
    },
    /// A message made elsewhere, already whole.
    Other {
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
                n_layer,
                config,
                found,
                weights,
            } => write!(
                f,
                "n_layer is {n_layer} in {config}, but {weights} has the tensors of {}",
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

impl ErrorKind {
    /// What can be done about it, as far as the kind alone shows.
    pub(super) fn hints(&self) -> Vec<String> {
        match self {
            Self::UnknownName { name, known, .. } | Self::UnknownHookPoint { name, known } => match nearest(name, known) {
                Some(close) => vec![format!("did you mean `{close}`?")],
                None if !known.is_empty() && known.len() <= 12 => {
                    vec![format!("known are: {}", known.join(", "))]
                }
                None => Vec::new(),
            },
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
                "the weights are incomplete or not those of a GPT-2 model: copy or download them again".into(),
            ],
            Self::LayersDiffer { .. } | Self::TensorShape { .. } => {
                vec!["config.json and the weights belong to different models".into()]
            }
            Self::PromptTooLong { .. } => vec!["shorten the prompt".into()],
            Self::ContextExceeded { prompt, n_ctx, .. } => vec![match n_ctx.checked_sub(*prompt) {
                Some(room) if room > 0 => format!("at most {room} new tokens fit"),
                _ => "shorten the prompt".into(),
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
