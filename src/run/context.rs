//! The circumstances of one run: who may stop it, who watches it, what it may use.

use std::sync::Arc;

use crate::cancel::Cancel;
use crate::permissions::Permissions;
use crate::profile::Profile;
use crate::progress::{Progress, silent};

/// Passed into every call that takes time, memory or files, and never kept by a model: one model
/// serves several runs, each with its own limits. Cheap to clone; clones share the cancel flag and
/// the profile.
///
/// ```
/// use avec::RunContext;
///
/// let run = RunContext::default();
/// assert!(!run.cancel.is_raised());
/// ```
#[derive(Clone)]
pub struct RunContext {
    /// Stops loading, downloads and passes when it is raised.
    pub cancel: Cancel,
    /// Hears of work that takes long.
    pub progress: Arc<dyn Progress>,
    /// Counts where time goes.
    pub profile: Profile,
    /// The one budget of the run, in bytes; half of what is free at the start if absent. The file
    /// `budget` says what counts.
    pub memory: Option<u64>,
    /// What the run may read, write and download.
    pub permissions: Permissions,
}

impl Default for RunContext {
    fn default() -> Self {
        Self {
            cancel: Cancel::new(),
            progress: silent(),
            profile: Profile::default(),
            memory: None,
            permissions: Permissions::default(),
        }
    }
}
