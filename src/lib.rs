//! avec: a scripting host for activation-steering experiments, and the library under it.
//!
//! A Rust program that steers a model needs only the [`prelude`]; one that runs scripts starts with
//! [`script::Host`]. Tensors are candle's, re-exported as [`Tensor`].
//!
//! The modules, from the bottom up. Each imports only from the ones above it in this list:
//!
//! - [`error`], [`suggest`], [`words`], [`rule`], [`cancel`], [`permissions`], [`files`], [`profile`],
//!   [`progress`]: shared by everything
//! - [`run`]: the circumstances of one run, passed into calls
//! - [`report`]: tables for reading; knows nothing of models
//! - `weights`: views of a checkpoint's tensors
//! - `kernels`: the arithmetic, on a backend chosen when a model is loaded
//! - [`model`]: the hooked transformer, whatever its family
//! - [`sampling`]: generating texts, many rows at a time
//! - [`store`]: from a model's name to its files
//! - [`steering`]: activation additions and x-vectors
//! - [`analysis`]: completions, losses, magnitudes; returns data
//! - [`script`]: the rhai host and its bindings
//! - [`repl`]: the interactive session
//! - [`cli`]: the command line

pub mod analysis;
pub mod cancel;
pub mod cli;
pub mod error;
pub mod files;
mod kernels;
pub mod model;
pub mod permissions;
pub mod profile;
pub mod progress;
pub mod repl;
pub mod report;
pub mod rule;
pub mod run;
pub mod sampling;
pub mod script;
pub mod steering;
pub mod store;
pub mod suggest;
mod weights;
pub mod words;

pub use candle_core::{DType, Tensor};
pub use kernels::{
    Activation, DeviceChoice, KernelChoice, Norm, NormKind, NumberType, STACK_SIZE, device_name,
    set_threads,
};
pub use run::RunContext;
pub use weights::Source;

/// Everything a program that steers a model needs: `use avec::prelude::*;`
pub mod prelude {
    pub use crate::analysis::{Comparison, CompletionOptions, Completions, n_comparisons};
    pub use crate::error::{Error, Result};
    pub use crate::model::{
        ActivationCache, HookCtx, HookName, HookedTransformer, Hooks, LoadOptions, NamesFilter,
        Phase, Processing, Site,
    };
    pub use crate::run::RunContext;
    pub use crate::sampling::{GenerateOptions, Rng, Sampling};
    pub use crate::steering::{ActivationAddition, Injection, PadMethod, XVector, x_vector};
    pub use crate::{DType, Tensor};
}

/// Internals that only benchmarks use.
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals {
    pub use crate::kernels::internals::*;
}

/// Runs the README's Rust as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
