//! The hooked transformer: GPT-2 with a named hook point at every step.
//!
//! Read in this order: [`Config`], [`HookName`], [`Hooks`], then [`HookedTransformer`] and what it
//! gives back. Nothing here knows of steering, scripts or the places where models come from.
#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    reason = "this is being rewritten; its files get lints of their own then"
)]

mod activation_cache;
mod attention;
mod awake;
mod block;
mod checkpoint;
mod config;
mod device;
mod embed;
mod files;
mod fused_attention;
mod generate;
mod hook_name;
mod hooks;
mod huge;
mod kv_cache;
mod linear;
mod load;
mod memory;
mod model;
mod norm;
mod panels;
mod pass;
mod product;
mod random;
mod sampler;
mod tokenizer;
mod values;
mod vector;

pub use activation_cache::ActivationCache;
pub use checkpoint::Values;
pub use config::Config;
pub use device::{DeviceChoice, device_name, parse_dtype};
pub use files::{ModelFiles, Source, TokenizerFiles};
pub use generate::{Arm, GenerateOptions, GeneratedRow, OnToken, RowKey};
pub use hook_name::{Axis, BLOCK_SITES, HookName, Site};
pub use hooks::{HookCtx, Hooks, NamesFilter, Phase};
pub use linear::{Linear, Order, Weights};
pub use load::{LoadOptions, Processing};
pub(crate) use memory::check as check_memory;
pub use model::HookedTransformer;
pub(crate) use model::mean;
pub use random::{Rng, torch_exponentials};
pub use sampler::{Chance, Sampling};
pub use tokenizer::Tokenizer;
