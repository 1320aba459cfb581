//! The script host: rhai with avec's functions, errors that point into the script, and nothing
//! that a stranger's script could do harm with.
//!
//! [`Host`] runs scripts, [`Session`] is what one run shares, `bindings` are the functions.

pub(crate) mod bindings;
mod catalog;
mod caught;
mod diagnosis;
mod diagnostic;
mod division;
mod engine_errors;
mod exit_status;
#[doc(hidden)]
pub mod fuzz;
mod habits;
mod header;
mod help;
mod hints;
mod host;
mod interactive;
mod json;
mod limits;
mod literal;
mod locate;
mod model_cache;
mod modules;
mod options;
mod output;
mod params;
mod register;
mod remembered;
mod script_error;
mod session;
mod source;
pub(crate) mod syntax;
mod table;
mod watch;

pub use catalog::{Catalog, Expects, Form, Function, Member, OptionSpec, Parameter, Type};
pub use diagnostic::{Diagnostic, Label};
pub use exit_status::ExitStatus;
pub use header::{Header, Param};
pub use host::{Host, Stopped};
pub use interactive::{Interactive, Variable};
pub(crate) use literal::string_literal;
pub use model_cache::ModelKey;
pub use output::{Output, OutputError};
pub use params::{Params, parse_assignment};
pub use remembered::Change;
/// What `Host::register`, `Host::set` and `Host::get` take and give.
pub use rhai;
pub use session::Session;
pub use source::{folder_of, script_text};
