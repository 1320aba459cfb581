//! The models that a run has loaded: the same call again gives the same model in memory.

use std::collections::HashMap;
use std::sync::Mutex;

use super::literal::string_literal;
use crate::model::HookedTransformer;

/// The call that loads a model; the same call again gives the same model in memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelKey {
    /// `demo`, a folder, an alias or a hub id.
    pub id: String,
    /// The options that differ from their defaults, with their values as a script writes them.
    pub options: Vec<(&'static str, String)>,
}

impl ModelKey {
    /// The call as a script writes it.
    pub fn call(&self) -> String {
        let id = string_literal(&self.id);
        if self.options.is_empty() {
            return format!("load_model({id})");
        }
        let options = self.options.iter();
        let options: Vec<String> = options
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
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
