//! The options of a search for a model.

use std::sync::Arc;

use crate::cancel::Cancel;
use crate::permissions::Permissions;
use crate::progress::{Progress, silent};

/// How to look for a model.
#[derive(Clone)]
pub struct StoreOptions {
    /// A branch, tag or commit on the hub, like the end of `org/name@revision`.
    pub revision: Option<String>,
    /// What may be read, and whether the network may be used.
    pub permissions: Permissions,
    /// Displays the progress of downloads.
    pub progress: Arc<dyn Progress>,
    /// Stops downloads when raised.
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
