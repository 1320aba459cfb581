//! The script host: rhai with avec's functions, errors that point into the script, and nothing
//! that a stranger's script could do harm with.
//!
//! [`Host`] runs scripts, [`Session`] is what one run shares, `bindings` are the functions.

pub(crate) mod bindings;
mod catalog;
mod diagnostic;
mod engine_errors;
mod fault;
mod header;
mod help;
mod hints;
mod host;
mod interactive;
mod json;
mod literal;
mod locate;
mod options;
mod params;
mod prose;
mod register;
mod remembered;
mod resolver;
pub mod scan;
mod session;
mod source;
mod table;
mod watch;

pub use catalog::{
    Catalog, Catalog as Language, Expects, Form, Function, Member, OptionSpec, Parameter, Type,
};
pub use diagnostic::{Diagnostic, Label};
pub use header::{Header, Param};
pub use host::{Host, Stopped};
pub use interactive::{Interactive, Variable};
pub(crate) use literal::string_literal;
pub use params::{Params, parse_assignment};
pub use remembered::Change;
/// What `Host::register`, `Host::set` and `Host::get` take and give.
pub use rhai;
pub use session::{Output, Session};
pub use source::{folder_of, script_text};
