//! The script host: rhai with avec's functions, errors that point into the script, and nothing
//! that a stranger's script could do harm with.
//!
//! [`Host`] runs scripts, [`Session`] is what one run shares, `bindings` are the functions.

pub(crate) mod bindings;
mod diagnostic;
mod fault;
mod header;
mod host;
mod interactive;
mod json;
mod language;
mod locate;
mod options;
mod params;
mod prose;
mod reference;
mod remembered;
mod resolver;
pub mod scan;
mod session;
mod source;
mod watch;

pub use diagnostic::{Diagnostic, Label};
pub use header::{Header, Param};
pub use host::{Host, Stopped};
pub use interactive::{Interactive, Variable};
pub use language::{Language, Member};
pub use options::Field;
pub use params::{Params, parse_assignment};
pub use reference::{Function, Reference};
pub use remembered::Change;
pub use session::{Output, Session};
pub use source::{folder_of, script_text};
