//! What scripts can use, as data: types, functions, properties, options and their words.
//!
//! Everything that speaks of the language is made from a [`Catalog`]: help, `avec doc`,
//! docs/reference.md, the definitions for editors, completion, and the hints of errors. It is
//! collected once from the functions that an engine has and from the tables of their options, and
//! from then on nothing reads a signature as text.

mod collection;
mod definitions;
mod entry;
mod help;
mod keywords;
mod members;
mod metadata;
mod reference;
mod topics;
mod types;

pub use collection::Catalog;
pub(crate) use entry::OptionTable;
pub use entry::{Expects, Form, Function, OptionSpec, Parameter};
pub(crate) use keywords::keyword;
pub use members::Member;
pub(super) use members::module_functions;
pub use types::Type;
pub(super) use types::register_types;

#[cfg(test)]
mod tests;
