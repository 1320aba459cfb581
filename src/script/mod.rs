//! The script host: rhai with avec's functions, errors that point into the script, and nothing
//! that a stranger's script could do harm with.
//!
//! [`Host`] runs scripts, [`Session`] is what one run shares, `bindings` are the functions.

pub(crate) mod bindings;
mod diagnostic;
mod fault;
mod header;
mod host;
mod inspect;
mod interactive;
#[cfg(test)]
mod interactive_tests;
mod json;
mod kept;
mod language;
mod locate;
mod options;
mod params;
mod prose;
mod reference;
mod remembered;
mod resolver;
mod saved;
pub mod scan;
mod session;
mod shown;
mod source;
mod statements;
mod transcript;
mod unfinished;
mod versions;
mod watch;

pub use diagnostic::{Diagnostic, Label};
pub use header::{Header, Param};
pub use host::{Host, Stopped};
pub use inspect::Variable;
pub use interactive::Interactive;
pub use language::{Language, Member};
pub use options::Field;
pub use params::{Params, parse_assignment};
pub use reference::{Function, Reference};
pub use remembered::Change;
pub use session::{Output, Session};
pub use source::script_text;
