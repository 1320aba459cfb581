//! How avec's errors travel through rhai: as a value inside its runtime error, so that they get a
//! position, survive `try`/`catch` and can be taken out again whole.

use rhai::{Dynamic, EvalAltResult, Position};

use super::output::OutputError;
use crate::error::{Error, ErrorKind};

/// One or more errors of one call.
#[derive(Debug, Clone)]
pub struct Fault {
    pub problems: Vec<Problem>,
}

/// An error, and the option that it is about.
#[derive(Debug, Clone)]
pub struct Problem {
    pub error: Error,
    /// The option that the error is about. Several, if functions name it differently: the first
    /// that the call has is meant.
    pub keys: Vec<String>,
    /// Whether the fault is the key itself rather than its value.
    pub at_key: bool,
}

impl From<Error> for Fault {
    /// An error that names a value is about the option of that name.
    fn from(error: Error) -> Self {
        let keys: Vec<String> = match error.kind() {
            ErrorKind::InvalidValue { name, .. } | ErrorKind::WrongType { name, .. } => {
                vec![name.clone()]
            }
            kind => about(kind).iter().map(|key| (*key).to_owned()).collect(),
        };
        Self {
            problems: vec![Problem {
                error,
                keys,
                at_key: false,
            }],
        }
    }
}

/// The options that can be behind an error of the library, which knows nothing of options.
fn about(kind: &ErrorKind) -> &'static [&'static str] {
    match kind {
        ErrorKind::LayerOutOfRange { .. } => &["act_name", "activation_additions"],
        ErrorKind::VectorLongerThanPrompt { .. } => &["activation_additions"],
        ErrorKind::PromptTooLong { .. } => &["prompt", "prompt_batch", "input"],
        ErrorKind::ContextExceeded { .. } => &["tokens_to_generate", "max_new_tokens"],
        ErrorKind::EmptyPromptBatch => &["prompt_batch"],
        ErrorKind::TokenOutOfRange { .. } => &["custom_pad_id", "tokens", "input"],
        ErrorKind::PromptXorTokens { both: true } => &["tokens"],
        _ => &[],
    }
}

/// What a `catch` block sees when it prints the error.
impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{}", problem.error)?;
        }
        Ok(())
    }
}

pub type ScriptResult<T> = Result<T, Box<EvalAltResult>>;

impl From<Fault> for Box<EvalAltResult> {
    fn from(fault: Fault) -> Self {
        // Stopping is not for scripts to catch.
        if fault.problems.iter().any(|p| p.error.is_cancelled()) {
            return EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE).into();
        }
        EvalAltResult::ErrorRuntime(Dynamic::from(fault), Position::NONE).into()
    }
}

/// Who can't be read any more has nothing to say: the run ends, and scripts can't catch that.
impl From<OutputError> for Box<EvalAltResult> {
    fn from(error: OutputError) -> Self {
        EvalAltResult::ErrorTerminated(Dynamic::from(error), Position::NONE).into()
    }
}

impl From<Error> for Box<EvalAltResult> {
    fn from(error: Error) -> Self {
        Fault::from(error).into()
    }
}

/// Lets bindings say `?` on the library's results.
pub trait IntoScript<T> {
    fn script(self) -> ScriptResult<T>;
}

impl<T, E: Into<Error>> IntoScript<T> for Result<T, E> {
    fn script(self) -> ScriptResult<T> {
        self.map_err(|error| error.into().into())
    }
}
