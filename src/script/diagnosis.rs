//! A script's error whole: message, places in the text, hints.

use rhai::{AST, EvalAltResult, Position};

use super::catalog::Catalog;
use super::diagnostic::{Diagnostic, Label};
use super::engine_errors::words;
use super::hints::hints;
use super::literal::shortened;
use super::locate::{find, word_length};
use super::modules::ModuleLoader;
use super::script_error::{Place, Problem, ScriptError};
use crate::error::count;

/// The script that was run.
pub(super) struct Script<'a> {
    pub name: &'a str,
    pub text: &'a str,
    /// None if it did not compile.
    pub ast: Option<&'a AST>,
}

impl Script<'_> {
    fn label(&self, place: Position, length: Option<usize>, text: &str) -> Option<Label> {
        let line = place.line()?;
        // Nothing is known of a file that is gone.
        let known = !self.text.is_empty();
        let source = self.text.lines().nth(line - 1).unwrap_or_default();
        let column = place.position().unwrap_or(1);
        Some(Label {
            file: self.name.to_owned(),
            line,
            column,
            length: length.unwrap_or_else(|| word_length(source, column)),
            source: known.then(|| source.to_owned()),
            text: text.to_owned(),
        })
    }
}

/// What an error's text is made from: what was run, its modules, and everything that it could call.
pub(super) struct Diagnosis<'a> {
    pub main: &'a Script<'a>,
    pub modules: &'a ModuleLoader,
    pub catalog: &'a Catalog,
}

impl Diagnosis<'_> {
    /// An error of the script with all of its places.
    pub(super) fn diagnose(&self, error: &EvalAltResult) -> Diagnostic {
        diagnose_in(error, self.main, self)
    }
}

/// `script` is the text that the error's places are in.
fn diagnose_in(error: &EvalAltResult, script: &Script, diagnosis: &Diagnosis) -> Diagnostic {
    let main = diagnosis.main;
    if let Some(fault) = ScriptError::of(error) {
        return diagnose_script_error(&fault, error.position(), script);
    }
    match error {
        // First the error itself, then where it was called from.
        EvalAltResult::ErrorInFunctionCall(name, source, inner, pos) => {
            // A closure is where it was written; rhai names the file that called it.
            let closure = name.starts_with("anon$");
            let known = |ast: &AST| ast.iter_functions().any(|f| f.name == name);
            let source = if closure && main.ast.is_some_and(known) {
                main.name
            } else {
                source
            };
            let mut diagnostic = in_file(inner, source, script, diagnosis);
            let called = if closure {
                "called a closure here".to_owned()
            } else {
                format!("called `{name}` here")
            };
            if let Some(label) = script.label(*pos, None, &called) {
                diagnostic.labels.push(label);
            }
            diagnostic
        }
        EvalAltResult::ErrorInModule(path, inner, pos) => {
            let mut diagnostic = in_file(inner, path, script, diagnosis);
            if let Some(label) = script.label(*pos, None, "imported here") {
                diagnostic.labels.push(label);
            }
            diagnostic
        }
        EvalAltResult::ErrorRuntime(value, pos) | EvalAltResult::ErrorTerminated(value, pos) => {
            match value.clone().try_cast::<ScriptError>() {
                Some(fault) => diagnose_script_error(&fault, *pos, script),
                None => {
                    // A text is a message of the script's own; another value alone says nothing.
                    let text = value.read_lock::<rhai::ImmutableString>();
                    let thrown = match text.as_deref() {
                        Some(text) => whole_or_begun(text),
                        None if value.is_unit() => "the script threw an error".into(),
                        None => format!("the script threw {}", shortened(value)),
                    };
                    simple(thrown, *pos, script)
                }
            }
        }
        other => {
            let (message, hints) = words(other, script.text, diagnosis.catalog);
            let mut diagnostic = simple(message, other.position(), script);
            diagnostic.hints = hints;
            diagnostic
        }
    }
}

/// More characters than this of a thrown text nobody reads.
const MOST_THROWN: usize = 2000;

/// A thrown text, or how it begins.
fn whole_or_begun(text: &str) -> String {
    match text.char_indices().nth(MOST_THROWN) {
        None => text.to_owned(),
        Some((end, _)) => format!(
            "{}… and {}",
            &text[..end],
            count(text[end..].chars().count(), "more character")
        ),
    }
}

/// An error inside of another file is placed in that file's text.
fn in_file(
    error: &EvalAltResult,
    source: &str,
    script: &Script,
    diagnosis: &Diagnosis,
) -> Diagnostic {
    if source.is_empty() || source == script.name {
        return diagnose_in(error, script, diagnosis);
    }
    // A module can call what the main text gave it.
    if source == diagnosis.main.name {
        return diagnose_in(error, diagnosis.main, diagnosis);
    }
    let module = diagnosis.modules.source(source);
    let (name, text) = module
        .as_ref()
        .map_or((source, ""), |module| (&module.name, &module.text));
    let other = Script {
        name,
        text,
        ast: None,
    };
    diagnose_in(error, &other, diagnosis)
}

fn simple(message: String, place: Position, script: &Script) -> Diagnostic {
    Diagnostic {
        message,
        labels: script.label(place, None, "").into_iter().collect(),
        hints: Vec::new(),
    }
}

fn diagnose_script_error(fault: &ScriptError, call: Position, script: &Script) -> Diagnostic {
    let place = |problem: &Problem, text: &str| {
        let found = script.ast.and_then(|ast| find(ast, call, &problem.place));
        let length = match &problem.place {
            Place::Key(key) if found.is_some() => Some(key.chars().count()),
            _ => None,
        };
        script.label(found.unwrap_or(call), length, text)
    };
    if let [problem] = fault.problems.as_slice() {
        return Diagnostic {
            message: problem.error.message(),
            labels: place(problem, "").into_iter().collect(),
            hints: hints(&problem.error),
        };
    }
    let mut diagnostic = Diagnostic {
        message: format!("this call has {}", count(fault.problems.len(), "error")),
        ..Diagnostic::default()
    };
    for problem in &fault.problems {
        let mut text = problem.error.message();
        // The hint goes with its place: a list of them below would not say which is whose.
        if let Some(hint) = hints(&problem.error).first() {
            text.push_str("; ");
            text.push_str(hint);
        }
        diagnostic.labels.extend(place(problem, &text));
    }
    diagnostic
        .labels
        .sort_by_key(|label| (label.line, label.column));
    diagnostic
}
