//! How avec's errors travel through rhai: as a value inside one of its errors, so that they get a
//! position, survive `try`/`catch` and can be taken out again whole.

use rhai::{Dynamic, EvalAltResult, Position};

use super::output::OutputError;
use crate::error::Error;

/// One or more errors of one call.
#[derive(Debug, Clone)]
pub struct ScriptError {
    pub problems: Vec<Problem>,
    /// The line of the call, once a `catch` has it.
    pub line: Option<rhai::INT>,
}

/// An error, and the part of the call that it is about.
#[derive(Debug, Clone)]
pub struct Problem {
    pub error: Error,
    pub place: Place,
}

/// A part of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Call,
    /// The name of an option.
    Key(String),
    /// The value of an option, or an element of that array.
    Value {
        option: String,
        element: Option<usize>,
    },
}

impl Place {
    pub fn value(option: &str, element: Option<usize>) -> Self {
        Self::Value {
            option: option.to_owned(),
            element,
        }
    }
}

impl From<Vec<Problem>> for ScriptError {
    fn from(problems: Vec<Problem>) -> Self {
        Self {
            problems,
            line: None,
        }
    }
}

impl From<Problem> for ScriptError {
    fn from(problem: Problem) -> Self {
        vec![problem].into()
    }
}

impl From<Error> for ScriptError {
    fn from(error: Error) -> Self {
        let place = Place::Call;
        Problem { error, place }.into()
    }
}

impl ScriptError {
    /// The fault that an error of rhai's carries.
    pub fn of(error: &EvalAltResult) -> Option<Self> {
        match error {
            EvalAltResult::ErrorIndexNotFound(value, _)
            | EvalAltResult::ErrorRuntime(value, _)
            | EvalAltResult::ErrorTerminated(value, _) => value.clone().try_cast(),
            _ => None,
        }
    }
}

/// What a `catch` block sees when it prints the error.
impl std::fmt::Display for ScriptError {
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

pub(super) type ScriptResult<T> = Result<T, Box<EvalAltResult>>;

impl From<ScriptError> for Box<EvalAltResult> {
    fn from(fault: ScriptError) -> Self {
        // Stopping is not for scripts to catch.
        if fault.problems.iter().any(|p| p.error.is_cancelled()) {
            return EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE).into();
        }
        // Neither is going on without memory, but that has a place and a hint.
        if fault.problems.iter().any(|p| p.error.ends_run()) {
            return EvalAltResult::ErrorTerminated(Dynamic::from(fault), Position::NONE).into();
        }
        // The one error of rhai's that carries a value and whose place a `catch` can read.
        EvalAltResult::ErrorIndexNotFound(Dynamic::from(fault), Position::NONE).into()
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
        ScriptError::from(error).into()
    }
}

/// Lets bindings say `?` on the library's results.
pub(super) trait IntoScript<T> {
    fn script(self) -> ScriptResult<T>;
}

impl<T, E: Into<Error>> IntoScript<T> for Result<T, E> {
    fn script(self) -> ScriptResult<T> {
        self.map_err(|error| error.into().into())
    }
}
