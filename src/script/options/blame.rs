//! Errors of the library at the options that they are about.

use super::call::CallOptions;
use crate::error::{Error, ErrorKind, Subject};
use crate::script::script_error::{Place, Problem, ScriptError};

/// An error of the library as an error of a call with these options: at the option that gives what
/// the error says it is about.
pub(crate) fn blame<O: CallOptions>(error: Error) -> ScriptError {
    let specs = O::table().options;
    let named = match error.kind() {
        ErrorKind::InvalidValue { name, .. } | ErrorKind::WrongType { name, .. } => {
            specs.iter().find(|spec| spec.name == name)
        }
        _ => None,
    };
    let of = |subject: Subject| specs.iter().find(|spec| spec.about == Some(subject));
    let (subject, element) = error.subject().unzip();
    let spec = named.or_else(|| of(subject?));
    let place = spec.map_or(Place::Call, |spec| {
        Place::value(spec.name, element.flatten())
    });
    let error = match (error.kind(), of(Subject::NewTokens)) {
        (ErrorKind::TooLarge { .. }, Some(tokens)) if subject.is_none() => {
            error.hint(format!("lower {}, or shorten the prompt", tokens.name))
        }
        _ => error,
    };
    Problem { error, place }.into()
}
