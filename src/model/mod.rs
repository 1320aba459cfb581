//! The hooked transformer, with a named hook point at every step, for all families.
//!
//! Read in this order: [`Arch`], [`Site`] (the table of hook points), [`HookName`], [`Hooks`], then
//! [`HookedTransformer`] and its results. Nothing here knows about steering, scripts or where
//! models come from.

mod activation_cache;
mod arch;
mod config_json;
mod family;
mod files;
mod forward;
#[doc(hidden)]
pub mod fuzz;
mod hook_name;
mod hooked;
mod hooks;
mod json;
mod kv_cache;
mod layers;
mod load;
mod long_text;
mod pass;
mod processing;
mod sites;
mod tokenizer;

pub use activation_cache::ActivationCache;
pub use arch::{Arch, MlpKind, Positions};
pub use files::{ModelFiles, SideFiles, TokenizerFiles};
pub use hook_name::HookName;
pub use hooked::HookedTransformer;
pub(crate) use hooked::{mean, next_token_losses};
pub use hooks::{HookCtx, Hooks, NamesFilter, Phase};
pub(crate) use kv_cache::{KvCache, PromptKv};
pub use load::LoadOptions;
pub(crate) use pass::{Group, KvUse, LogitsAt};
pub use processing::Processing;
pub use sites::{Axis, Place, Site, SiteInfo};
pub use tokenizer::Tokenizer;
