//! The models that a run has loaded: the same call again gives the same model in memory.

use std::collections::HashMap;
use std::sync::Mutex;

use super::literal::string_literal;
use crate::kernels::DeviceChoice;
use crate::model::{HookedTransformer, Processing};

/// A model as it was asked for; the same again gives the same model in memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelKey {
    /// `demo`, a folder, an alias or a hub id.
    pub id: String,
    /// A branch, tag or commit on the hub.
    pub revision: Option<String>,
    /// What is folded into the weights.
    pub processing: Processing,
    /// What the weights are kept as.
    pub dtype: candle_core::DType,
    /// Where the model runs.
    pub device: String,
}

impl ModelKey {
    /// The call that loads this model, with the options that differ from the defaults.
    pub fn call(&self) -> String {
        let mut options = Vec::new();
        if self.device != DeviceChoice::default().to_string() {
            options.push(format!("device: {}", string_literal(&self.device)));
        }
        if self.dtype != candle_core::DType::F32 {
            options.push(format!("dtype: \"{}\"", self.dtype.as_str()));
        }
        if self.processing == Processing::None {
            options.push("processing: \"none\"".into());
        }
        if let Some(revision) = &self.revision {
            options.push(format!("revision: {}", string_literal(revision)));
        }
        let id = string_literal(&self.id);
        if options.is_empty() {
            return format!("load_model({id})");
        }
        format!("load_model({id}, #{{ {} }})", options.join(", "))
    }
}

/// The loaded models.
#[derive(Default)]
pub(super) struct ModelCache(Mutex<HashMap<ModelKey, HookedTransformer>>);

impl ModelCache {
    pub(super) fn get(&self, key: &ModelKey) -> Option<HookedTransformer> {
        self.0.lock().ok()?.get(key).cloned()
    }

    pub(super) fn insert(&self, key: ModelKey, model: HookedTransformer) {
        if let Ok(mut models) = self.0.lock() {
            models.insert(key, model);
        }
    }

    /// How a loaded model was asked for.
    pub(super) fn key_of(&self, model: &HookedTransformer) -> Option<ModelKey> {
        let models = self.0.lock().ok()?;
        let mut of_it = models.iter().filter(|(_, loaded)| loaded.is_same(model));
        of_it.next().map(|(key, _)| key.clone())
    }

    /// All of them, by name.
    pub(super) fn all(&self) -> Vec<HookedTransformer> {
        let Ok(models) = self.0.lock() else {
            return Vec::new();
        };
        let mut models: Vec<_> = models.values().cloned().collect();
        models.sort_by(|a, b| a.name().cmp(b.name()));
        models
    }
}
