//! The one error type of avec, and the prose of all errors.
//!
//! Low code returns a kind with its data and no place. Callers add what they know with
//! [`Error::context`], say what to do with [`Error::hint`], and name the argument that the error is
//! about with [`Error::about`]. The script layer adds file, line and caret, and the hints that speak
//! of scripts. Nothing here prints.

mod kind;
mod wording;

use std::fmt;
use std::path::PathBuf;

pub use kind::ErrorKind;
pub use wording::{bytes, count, json_kind, not_json};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, the steps it went wrong in, and what the reader can do about it.
#[derive(Debug, Clone)]
pub struct Error {
    kind: Box<ErrorKind>,
    context: Vec<String>,
    hints: Vec<String>,
    subject: Option<(Subject, Option<usize>)>,
}

/// Which of a caller's arguments an error is about. The code that makes the error names it; the
/// script layer knows which option of which function that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// One of the activation additions.
    Addition,
    /// The text that a model runs on, or one of several.
    Prompt,
    /// How many tokens to generate.
    NewTokens,
    /// A hook point's name.
    HookPoint,
    /// The tokens that an addition is made from.
    SteeringTokens,
    /// The token to pad with.
    PadToken,
    /// An element of an array.
    Element,
    /// The number type of the weights.
    NumberType,
    /// The weights; `can_halve` if a smaller number type is left.
    Weights { can_halve: bool },
}

impl Error {
    pub fn new(kind: ErrorKind) -> Self {
        Self {
            kind: Box::new(kind),
            context: Vec::new(),
            hints: Vec::new(),
            subject: None,
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
        // "Permission denied (os error 13)": the number helps nobody.
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

    /// Adds a step that was being done: the outermost comes first.
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

    /// Says what the error is about.
    #[must_use]
    pub fn about(mut self, subject: Subject) -> Self {
        self.subject = Some((subject, None));
        self
    }

    /// Says what the error is about: of several such the one with this index.
    #[must_use]
    pub fn about_one(mut self, subject: Subject, index: usize) -> Self {
        self.subject = Some((subject, Some(index)));
        self
    }

    /// What the error is about, and which of several such; if the code that made it knows.
    pub fn subject(&self) -> Option<(Subject, Option<usize>)> {
        self.subject
    }

    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// Whether the work was stopped, by a person or by the clock.
    pub fn is_cancelled(&self) -> bool {
        matches!(*self.kind, ErrorKind::Cancelled | ErrorKind::TimedOut)
    }

    /// Whether the run must end with this, whatever a script would make of it.
    pub fn ends_run(&self) -> bool {
        self.is_cancelled() || matches!(*self.kind, ErrorKind::OutOfMemory { .. })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_reads_from_the_outside_in() {
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
        let refused = |kind: std::io::ErrorKind| {
            let error = Error::io("read", "a/b", &std::io::Error::from(kind));
            (error.message(), error.hints())
        };
        assert_eq!(
            refused(std::io::ErrorKind::PermissionDenied),
            (
                "can't read a/b: permission denied".into(),
                vec!["check the permissions of the file and of its folders".into()]
            )
        );
        let numbered = Error::io("read", "a", &std::io::Error::from_raw_os_error(13));
        assert!(!numbered.message().contains("os error"), "{numbered}");
        assert_eq!(
            refused(std::io::ErrorKind::NotFound).1,
            ["check the path".to_owned()]
        );
    }
}
