//! The one error type of avec, and all the prose that errors are told in.
//!
//! Low code returns a kind with its data and no place. Callers add what they know with
//! [`Error::context`] and say what to do with [`Error::hint`]; the script layer adds file, line and
//! caret. Nothing here prints.

use std::fmt;
use std::path::PathBuf;

use crate::suggest::nearest;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, the steps it went wrong in, and what the reader can do about it.
#[derive(Debug, Clone)]
pub struct Error {
    kind: Box<ErrorKind>,
    context: Vec<String>,
    hints: Vec<String>,
}

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
    /// The tensor library refused; a bug of avec if a user ever sees it.
    Tensor {
        message: String,
    },
    /// A message made elsewhere, already whole.
    Other {
        message: String,
    },
}

impl Error {
    pub fn new(kind: ErrorKind) -> Self {
        Self {
            kind: Box::new(kind),
            context: Vec::new(),
            hints: Vec::new(),
        }
    }

    pub fn other(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Other {
            message: message.into(),
        })
    }

    /// The operating system refused a file; `action` reads "read" or the like.
    pub fn io(action: &'static str, path: impl Into<PathBuf>, error: &std::io::Error) -> Self {
        use std::io::ErrorKind as Io;
        let path = path.into();
        // "Permission denied (os error 13)": the number tells nobody anything.
        let reason = error.to_string();
        let reason = reason.split(" (os error").next().unwrap_or(&reason);
        let hint = match error.kind() {
            Io::PermissionDenied => "check the permissions of the file and of its folders",
            Io::NotFound => "check the path",
            Io::IsADirectory => "name a file: this is a folder",
            _ => "check that the file can be read by other programs",
        };
        Self::new(ErrorKind::Io {
            action,
            path,
            reason: reason.to_owned(),
        })
        .hint(hint)
    }

    pub fn invalid(
        name: impl Into<String>,
        value: impl fmt::Display,
        rule: impl Into<String>,
    ) -> Self {
        Self::new(ErrorKind::InvalidValue {
            name: name.into(),
            value: value.to_string(),
            rule: rule.into(),
        })
    }

    /// Adds a step that was being done: the outermost is told first.
    #[must_use]
    pub fn context(mut self, step: impl Into<String>) -> Self {
        self.context.push(step.into());
        self
    }

    /// Adds a line that says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    pub fn is_cancelled(&self) -> bool {
        matches!(*self.kind, ErrorKind::Cancelled)
    }

    /// The message with its steps, on one or more lines, without hints.
    pub fn message(&self) -> String {
        let mut text = String::new();
        for step in self.context.iter().rev() {
            text.push_str(step);
            text.push_str(": ");
        }
        text.push_str(&self.kind.to_string());
        text
    }

    /// What to do, one line each: those of the kind first, then those that callers added.
    pub fn hints(&self) -> Vec<String> {
        let mut hints = self.kind.hints();
        hints.extend(self.hints.iter().cloned());
        hints
    }
}

/// The message alone; hints are separate lines, from [`Error::hints`].
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())
    }
}

impl std::error::Error for Error {}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind)
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        let message = match error {
            candle_core::Error::WithBacktrace { inner, .. } => inner.to_string(),
            other => other.to_string(),
        };
        Self::new(ErrorKind::Tensor { message })
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownName { what, name, .. } => write!(f, "there is no {what} named `{name}`"),
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
            Self::Io {
                action,
                path,
                reason,
            } => write!(f, "can't {action} {}: {reason}", path.display()),
            Self::NotPermitted { action, .. } => write!(f, "this run may not {action}"),
            Self::Cancelled => f.write_str("stopped"),
            Self::Tensor { message } => write!(f, "the tensor library refused: {message}"),
        }
    }
}

impl ErrorKind {
    /// What can be done about it, as far as the kind alone tells.
    fn hints(&self) -> Vec<String> {
        match self {
            Self::UnknownName { name, known, .. } => match nearest(name, known) {
                Some(close) => vec![format!("did you mean `{close}`?")],
                None if !known.is_empty() && known.len() <= 12 => {
                    vec![format!("known are: {}", known.join(", "))]
                }
                None => Vec::new(),
            },
            Self::VectorLongerThanPrompt { .. } => {
                vec!["use a longer prompt, or shorter steering prompts".into()]
            }
            Self::PromptXorTokens { .. } => vec![
                "write ActivationAddition(#{ prompt: \"Love\", coeff: 5, act_name: 6 })".into(),
            ],
            Self::TokenOutOfRange { .. } => {
                vec!["m.to_tokens(\"..\") gives the ids of a text".into()]
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
                Some(0) => "at most 1 new token fits".into(),
                Some(room) => format!("at most {} new tokens fit", room + 1),
                None => "shorten the prompt".into(),
            }],
            Self::NotFinite => vec![
                "a coefficient is too large for f32, or the weights themselves are not finite"
                    .into(),
            ],
            Self::EmptyPromptBatch => {
                vec!["give at least one prompt: prompt_batch: [\"I think\"]".into()]
            }
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
            Self::Tensor { .. } => {
                vec![
                    "this should have been caught earlier: please report it with the script".into(),
                ]
            }
            _ => Vec::new(),
        }
    }
}

/// "1 token", "2 tokens".
pub fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// A size for people: "512 B", "1.5 MB", "6.2 GB" (powers of 1000).
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{n} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// What is wrong with a text that should be JSON, in plain words.
pub fn not_json(error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "it isn't whole: the JSON ends in the middle of something".into();
    }
    format!(
        "it isn't valid JSON at line {}, column {}",
        error.line(),
        error.column()
    )
}

/// What a piece of JSON is, in plain words.
pub fn json_kind(value: &serde_json::Value) -> &'static str {
    match value {
        serde_json::Value::Null => "null",
        serde_json::Value::Bool(_) => "true or false",
        serde_json::Value::Number(_) => "a number",
        serde_json::Value::String(_) => "a text",
        serde_json::Value::Array(_) => "a list",
        serde_json::Value::Object(_) => "an object",
    }
}

fn quoted(tokens: &[String]) -> String {
    let texts: Vec<String> = tokens.iter().map(|token| format!("{token:?}")).collect();
    format!("[{}]", texts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_is_told_from_the_outside_in() {
        let error = Error::new(ErrorKind::EmptyPromptBatch)
            .context("generating")
            .context("running the sweep");
        assert_eq!(
            error.to_string(),
            "running the sweep: generating: the prompt batch is empty"
        );
    }

    #[test]
    fn refusals_of_the_system_say_what_to_do() {
        let told = |kind: std::io::ErrorKind| {
            let error = Error::io("read", "a/b", &std::io::Error::from(kind));
            (error.message(), error.hints())
        };
        assert_eq!(
            told(std::io::ErrorKind::PermissionDenied),
            (
                "can't read a/b: permission denied".into(),
                vec!["check the permissions of the file and of its folders".into()]
            )
        );
        let numbered = Error::io("read", "a", &std::io::Error::from_raw_os_error(13));
        assert!(!numbered.message().contains("os error"), "{numbered}");
        assert_eq!(
            told(std::io::ErrorKind::NotFound).1,
            ["check the path".to_owned()]
        );
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(1_500_000), "1.5 MB");
        assert_eq!(bytes(999_960_000), "1.0 GB");
        assert_eq!(bytes(u64::MAX), "18446744.1 TB");
    }
}
