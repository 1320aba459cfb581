//! The command line: what was typed, what is meant, and running it.

mod args;
mod run;

pub use run::run;
