//! avec's one error type, and the wording of its messages.
//!
//! Low-level code returns a kind with its data and no location. Callers add what they know with
//! [`Error::context`], say what to do with [`Error::hint`], and name the argument that the error is
//! about with [`Error::about`]. The script layer adds file, line and caret, and hints that mention
//! scripts. Nothing here prints.

mod kind;
mod wording;

use std::fmt;
use std::path::PathBuf;

pub use kind::{ErrorKind, ResidualUse};
pub use wording::{bytes, count, json_kind, not_json};

/// A result whose error is avec's own.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, during which steps, and what the reader can do about it.
///
/// ```
/// use avec::error::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::EmptyPromptBatch).context("generating").hint("add a prompt");
/// assert_eq!(error.to_string(), "generating: the prompt batch is empty");
/// assert_eq!(error.hints().last().unwrap(), "add a prompt");
/// ```
#[derive(Debug, Clone)]
pub struct Error {
    kind: Box<ErrorKind>,
    context: Vec<String>,
    hints: Vec<String>,
    subject: Option<(Subject, Option<usize>)>,
}

/// The argument that an error is about. The code that makes the error names it; the script layer
/// knows which option of which function that is.
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
    /// The weights.
    Weights {
        /// Whether a number type of half the size is left.
        can_halve: bool,
    },
}

impl Error {
    /// An error without context or hints.
    pub fn new(kind: ErrorKind) -> Self {
        Self {
            kind: Box::new(kind),
            context: Vec::new(),
            hints: Vec::new(),
            subject: None,
        }
    }

    /// An error with a message of its own.
    pub fn other(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Other {
            message: message.into(),
        })
    }

    /// A file that the operating system refused; `action` is a verb, such as "read".
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
            Io::StorageFull | Io::QuotaExceeded => "free some space on the disk",
            _ if action == "read" => "check that the file can be read by other programs",
            _ => "choose another place, or check that it can be written to",
        };
        Self::new(ErrorKind::Io {
            action,
            path,
            reason: reason.to_owned(),
        })
        .hint(hint)
    }

    /// A value out of range; `rule` reads "must be …".
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

    /// Adds the step that failed. Outer steps are added later and come first in the message.
    #[must_use]
    pub fn context(mut self, step: impl Into<String>) -> Self {
        self.context.push(step.into());
        self
    }

    /// Adds a hint: a line that says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Sets what the error is about.
    #[must_use]
    pub fn about(mut self, subject: Subject) -> Self {
        self.subject = Some((subject, None));
        self
    }

    /// Sets what the error is about, with its index among several.
    #[must_use]
    pub fn about_one(mut self, subject: Subject, index: usize) -> Self {
        self.subject = Some((subject, Some(index)));
        self
    }

    /// What the error is about, with its index among several, if the code that made it knows.
    pub fn subject(&self) -> Option<(Subject, Option<usize>)> {
        self.subject
    }

    /// The kind of failure, with its data.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }

    /// Whether the user or the clock stopped the run.
    pub fn is_cancelled(&self) -> bool {
        matches!(*self.kind, ErrorKind::Cancelled | ErrorKind::TimedOut)
    }

    /// Whether the run must end with this, whatever a script would make of it.
    pub fn ends_run(&self) -> bool {
        self.is_cancelled() || matches!(*self.kind, ErrorKind::OutOfMemory { .. })
    }

    /// The message with its steps, on one or more lines, without the hints.
    pub fn message(&self) -> String {
        let mut text = String::new();
        for step in self.context.iter().rev() {
            text.push_str(step);
            text.push_str(": ");
        }
        text.push_str(&self.kind.to_string());
        text
    }

    /// The hints, one line each: the kind's own, then those that callers added.
    pub fn hints(&self) -> Vec<String> {
        let mut hints = self.kind.hints();
        hints.extend(self.hints.iter().cloned());
        hints
    }
}

/// The message alone; for the hints see [`Error::hints`].
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
    fn outer_context_comes_first() {
        let error = Error::new(ErrorKind::EmptyPromptBatch)
            .context("generating")
            .context("running the sweep");
        assert_eq!(
            error.to_string(),
            "running the sweep: generating: the prompt batch is empty"
        );
    }

    #[test]
    fn refused_files_have_hints() {
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
