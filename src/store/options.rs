//! What a search for a model needs to know beside the model's name.

use std::sync::Arc;

use crate::cancel::Cancel;
use crate::permissions::Permissions;
use crate::progress::{Progress, silent};

/// How models are looked for.
#[derive(Clone)]
pub struct StoreOptions {
    /// A branch, tag or commit on the hub; `org/name@revision` says the same.
    pub revision: Option<String>,
    /// Whether the network may be asked.
    pub permissions: Permissions,
    /// Who watches downloads.
    pub progress: Arc<dyn Progress>,
    /// Raised to end the search.
    pub cancel: Cancel,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            revision: None,
            permissions: Permissions::default(),
            progress: silent(),
            cancel: Cancel::new(),
        }
    }
}
