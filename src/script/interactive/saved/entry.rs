//! What a session keeps of an input to be saved, and why one can't be.

use std::path::PathBuf;

use crate::error::Error;
use crate::script::syntax::line_and_column;

/// An input that worked, or the part of it that did.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// How errors name it: `repl[3]`, or a file.
    pub name: String,
    pub text: String,
    pub shown: Shown,
    /// Whether it had a value, which `_` is from then on.
    pub valued: bool,
    /// Where its imports start from.
    pub folder: PathBuf,
    /// What was seen when it ran that a script would do differently.
    pub refusal: Option<Refusal>,
    /// The variables that hold functions while it defines one again.
    pub pointers: Vec<String>,
}

/// How an input's value was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Not,
    Value,
    Table,
}

/// Why a session can't be written as one script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Where: an input with line and column, if there is one place.
    pub place: String,
    pub reason: String,
    pub hint: String,
}

impl Refusal {
    pub fn new(place: String, reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            place,
            reason: reason.into(),
            hint: hint.into(),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::other(format!(
            "this session can't be saved: {}: {}",
            refusal.place, refusal.reason
        ))
        .hint(refusal.hint)
        .hint(":reset begins a new session; the inputs of this one are in the history")
    }
}

/// The place of a byte in a text of this name.
pub(crate) fn place_in(name: &str, text: &str, at: usize) -> String {
    let (line, column) = line_and_column(text, at);
    format!("{name}:{line}:{column}")
}
