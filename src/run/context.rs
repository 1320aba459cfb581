//! The circumstances of one run: its cancel flag, its progress display, and what it may use.

use std::sync::Arc;

use crate::cancel::Cancel;
use crate::permissions::Permissions;
use crate::profile::Profile;
use crate::progress::{Progress, silent};

/// The circumstances of one run. Passed into every call that takes time, memory or files, and never
/// kept by a model: one model serves several runs, each with its own limits. Clones are cheap and
/// share the cancel flag and the profile.
///
/// ```
/// use avec::RunContext;
///
/// let run = RunContext { memory: Some(4_000_000_000), ..RunContext::default() };
/// run.cancel.raise();
/// assert!(run.clone().cancel.check().is_err());
/// ```
#[derive(Clone)]
pub struct RunContext {
    /// Stops loading, downloads and passes when raised.
    pub cancel: Cancel,
    /// Displays the progress of long work.
    pub progress: Arc<dyn Progress>,
    /// Measures where the time goes.
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
