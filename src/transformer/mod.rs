//! The hooked transformer: GPT-2 with a named hook point at every step.

mod files;

pub use files::{ModelFiles, Source, TokenizerFiles};
