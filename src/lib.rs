//! avec: a scripting host for activation-steering experiments.
//!
//! The modules, from the bottom up; each imports only from those above it in this list:
//!
//! - [`error`], [`suggest`], [`cancel`], [`permissions`], [`profile`], [`progress`]: what everything shares
//! - [`report`]: tables for reading; knows nothing of models
//! - [`transformer`]: the hooked GPT-2
//! - [`store`]: from a model's name to its files
//! - [`steering`]: activation additions and x-vectors
//! - [`analysis`]: completions, losses, magnitudes; returns data
//! - [`script`]: the rhai host and its bindings
//! - [`repl`]: the interactive session
//! - [`cli`]: from what was typed to what is run

pub mod analysis;
pub mod cancel;
pub mod cli;
#[allow(
    missing_docs,
    unreachable_pub,
    reason = "until the catalogue is merged"
)]
pub mod error;
pub mod permissions;
pub mod profile;
pub mod progress;
pub mod repl;
pub mod report;
pub mod script;
pub mod steering;
pub mod store;
pub mod suggest;
pub mod transformer;

/// The README's Rust runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
