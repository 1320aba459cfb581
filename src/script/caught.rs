//! Errors in a `catch` block. rhai gives a map of its own for each of its errors; a script sees one
//! kind of error, avec's or rhai's, with the same properties.

use rhai::plugin::*;
use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, Map, Position, exported_module};

use super::catalog::Catalog;
use super::engine_errors::words;
use super::hints::hints;
use super::script_error::ScriptError;
use crate::error::Error;

#[export_module]
mod functions {
    /// What is wrong, as an error's first line says it.
    ///
    /// ```rhai
    /// try { load_model("gpt-2") } catch (e) { print(e.message); }
    /// ```
    #[rhai_fn(get = "message", pure)]
    pub(super) fn message(error: &mut ScriptError) -> String {
        error.to_string()
    }

    /// What to do about an error, one line for each advice; empty if there is none.
    ///
    /// ```rhai
    /// try { load_model("gpt-2") } catch (e) { print(e.hint); }
    /// ```
    #[rhai_fn(get = "hint", pure)]
    pub(super) fn hint(error: &mut ScriptError) -> String {
        let problems = error.problems.iter();
        let all: Vec<String> = problems.flat_map(|problem| hints(&problem.error)).collect();
        all.join("\n")
    }

    /// The line of the script that an error comes from, or () if that is not known.
    ///
    /// ```rhai
    /// try { load_model("gpt-2") } catch (e) { print(e.line); }
    /// ```
    #[rhai_fn(get = "line", pure)]
    pub(super) fn line(error: &mut ScriptError) -> Dynamic {
        error.line.map_or(Dynamic::UNIT, Dynamic::from)
    }
}

/// Gives an engine errors with properties.
pub(super) fn register(engine: &mut Engine) {
    engine.register_global_module(exported_module!(functions).into());
    #[allow(
        deprecated,
        reason = "rhai marks all that may still change as deprecated"
    )]
    engine.on_var(|name, _, context| {
        let value = context.scope().get(name);
        let caught = value.and_then(|value| {
            let map = value.read_lock::<Map>()?;
            caught(&map, context.engine())
        });
        Ok(caught.map(Dynamic::from))
    });
}

/// The error that rhai's map of it stands for.
fn caught(map: &Map, engine: &Engine) -> Option<ScriptError> {
    let text = |key: &str| Some(map.get(key)?.read_lock::<ImmutableString>()?.to_string());
    let kind = text("error").filter(|kind| kind.starts_with("Error"))?;
    let message = text("message")?;
    let line = map.get("line").and_then(|line| line.as_int().ok());
    if let Some(fault) = map
        .get("index")
        .and_then(|i| i.clone().try_cast::<ScriptError>())
    {
        return Some(ScriptError { line, ..fault });
    }
    let (message, hints) = match rebuilt(&kind, map) {
        Some(error) => words(&error, "", &Catalog::of(engine, &[])),
        None => (message, Vec::new()),
    };
    let error = hints.into_iter().fold(Error::other(message), Error::hint);
    Some(ScriptError {
        line,
        ..error.into()
    })
}

/// rhai's error once more, as far as its map has what it is made of.
fn rebuilt(kind: &str, map: &Map) -> Option<EvalAltResult> {
    use EvalAltResult as E;
    let none = Position::NONE;
    let text = |key: &str| Some(map.get(key)?.read_lock::<ImmutableString>()?.to_string());
    let number = |key: &str| map.get(key)?.as_int().ok();
    Some(match kind {
        "ErrorFunctionNotFound" => E::ErrorFunctionNotFound(text("function")?, none),
        "ErrorNonPureMethodCallOnConstant" => {
            E::ErrorNonPureMethodCallOnConstant(text("function")?, none)
        }
        "ErrorMismatchDataType" => {
            E::ErrorMismatchDataType(text("requested")?, text("actual")?, none)
        }
        "ErrorMismatchOutputType" => {
            E::ErrorMismatchOutputType(text("requested")?, text("actual")?, none)
        }
        "ErrorArrayBounds" => {
            E::ErrorArrayBounds(number("length")?.try_into().ok()?, number("index")?, none)
        }
        "ErrorStringBounds" => {
            E::ErrorStringBounds(number("length")?.try_into().ok()?, number("index")?, none)
        }
        "ErrorVariableNotFound" => E::ErrorVariableNotFound(text("variable")?, none),
        "ErrorPropertyNotFound" => E::ErrorPropertyNotFound(text("variable")?, none),
        "ErrorVariableExists" => E::ErrorVariableExists(text("variable")?, none),
        "ErrorForbiddenVariable" => E::ErrorForbiddenVariable(text("variable")?, none),
        "ErrorAssignmentToConstant" => E::ErrorAssignmentToConstant(text("variable")?, none),
        "ErrorIndexNotFound" => E::ErrorIndexNotFound(map.get("index")?.clone(), none),
        "ErrorModuleNotFound" => E::ErrorModuleNotFound(text("module")?, none),
        "ErrorDotExpr" => E::ErrorDotExpr(text("property")?, none),
        "ErrorIndexingType" => E::ErrorIndexingType(text("type")?, none),
        "ErrorDataTooLarge" => E::ErrorDataTooLarge(text("type")?, none),
        "ErrorFor" => E::ErrorFor(none),
        "ErrorArithmetic" => E::ErrorArithmetic(text("message")?, none),
        "ErrorStackOverflow" => E::ErrorStackOverflow(none),
        _ => return None,
    })
}
