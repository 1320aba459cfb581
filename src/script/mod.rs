//! The script host: rhai with avec's functions, errors that point into the script, and nothing
//! that a stranger's script could do harm with.
//!
//! [`Host`] runs scripts, [`Session`] is what one run shares, `bindings` are the functions.

#[allow(
    missing_docs,
    unreachable_pub,
    reason = "until the catalogue is merged"
)]
pub(crate) mod bindings;
#[allow(
    missing_docs,
    unreachable_pub,
    reason = "until the catalogue is merged"
)]
mod diagnostic;
#[allow(
    missing_docs,
    unreachable_pub,
    reason = "until the catalogue is merged"
)]
mod fault;
mod header;
#[allow(
    missing_docs,
    unreachable_pub,
    reason = "until the catalogue is merged"
)]
mod host;
mod interactive;
#[allow(
    missing_docs,
    unreachable_pub,
    reason = "until the catalogue is merged"
)]
mod json;
#[allow(
    missing_docs,
    unreachable_pub,
    reason = "until the catalogue is merged"
)]
mod language;
#[allow(
    missing_docs,
    unreachable_pub,
    reason = "until the catalogue is merged"
)]
mod locate;
mod model_cache;
mod modules;
#[allow(
    missing_docs,
    unreachable_pub,
    reason = "until the catalogue is merged"
)]
mod options;
mod output;
#[allow(
    missing_docs,
    unreachable_pub,
    reason = "until the catalogue is merged"
)]
mod params;
#[allow(
    missing_docs,
    unreachable_pub,
    reason = "until the catalogue is merged"
)]
mod prose;
#[allow(
    missing_docs,
    unreachable_pub,
    reason = "until the catalogue is merged"
)]
mod reference;
#[allow(
    missing_docs,
    unreachable_pub,
    reason = "until the catalogue is merged"
)]
mod remembered;
mod session;
mod source;
pub(crate) mod syntax;
mod watch;

pub use diagnostic::{Diagnostic, Label};
pub use header::{Header, Param};
pub use host::{Host, Stopped};
pub use interactive::{Interactive, Variable};
pub use language::{Language, Member};
pub use model_cache::ModelKey;
pub use options::Field;
pub use output::{Output, OutputError};
pub use params::{Params, parse_assignment};
pub use reference::{Function, Reference};
pub use remembered::Change;
pub use session::Session;
pub use source::script_text;
