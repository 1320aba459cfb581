//! What everything in one run shares: where output goes, the parameters, what is permitted, the
//! models that are loaded.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rhai::NativeCallContext;

use super::fault::ScriptResult;
use super::model_cache::{ModelCache, ModelKey};
use super::output::Output;
use super::params::Params;
use super::remembered::Remembered;
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::permissions::Permissions;
use crate::profile::Profile;
use crate::progress::{Progress, silent};
use crate::steering::{ActivationAddition, uncancelled_at_bos};
use crate::store::{self, StoreOptions};
use crate::transformer::{DeviceChoice, HookedTransformer, LoadOptions};

/// One run's shared state.
pub struct Session {
    /// Where text goes.
    pub output: Output,
    /// Short notes for the person at the terminal, e.g. that the demo model is in use.
    pub notes: Box<dyn Fn(&str) + Send + Sync>,
    /// What `param` gives.
    pub params: Params,
    /// What the script may do.
    pub permissions: Permissions,
    /// Who watches long work.
    pub progress: Arc<dyn Progress>,
    /// Raised to end the run.
    pub cancel: Cancel,
    /// Where time goes, if that is measured.
    pub profile: Profile,
    /// How many bytes generation may use at once; half of what is free if nobody says.
    pub memory: Option<u64>,
    /// Whether comparisons are remembered, so that they can be made again with one thing changed.
    pub remembers: bool,
    last: Mutex<Option<Remembered>>,
    models: ModelCache,
    warned_of_bos: AtomicBool,
}

impl Session {
    /// A session that writes to `output` and may do what a stranger's script may.
    pub fn new(output: Output) -> Self {
        Self {
            output,
            notes: Box::new(|_| {}),
            params: Params::default(),
            permissions: Permissions::default(),
            progress: silent(),
            cancel: Cancel::new(),
            profile: Profile::default(),
            memory: None,
            remembers: false,
            last: Mutex::default(),
            models: ModelCache::default(),
            warned_of_bos: AtomicBool::new(false),
        }
    }

    /// The last comparison, if comparisons are remembered and there was one.
    pub fn last_comparison(&self) -> Option<Remembered> {
        self.last.lock().ok()?.clone()
    }

    /// Remembers a comparison, if they are remembered.
    pub fn remember(&self, comparison: impl FnOnce() -> Remembered) {
        if self.remembers
            && let Ok(mut last) = self.last.lock()
        {
            let next = comparison();
            *last = Some(match last.as_ref() {
                Some(last) => last.followed_by(next),
                None => next,
            });
        }
    }

    /// The models that are loaded, by name.
    pub fn models(&self) -> Vec<HookedTransformer> {
        self.models.all()
    }

    /// How a loaded model was asked for.
    pub fn key_of(&self, model: &HookedTransformer) -> Option<ModelKey> {
        self.models.key_of(model)
    }

    /// Notes, once a run, that additions move the first position too.
    pub fn warn_of_bos(&self, additions: &[ActivationAddition]) {
        let Some((name, sum)) = uncancelled_at_bos(additions).into_iter().next() else {
            return;
        };
        if !self.warned_of_bos.swap(true, Ordering::Relaxed) {
            (self.notes)(&format!(
                "the additions at {name} do not cancel at BOS (their coefficients sum to {sum}), and its activation is very large; an x-vector cancels there"
            ));
        }
    }

    /// The session of the run that a binding was called in.
    pub(crate) fn of(ctx: &NativeCallContext) -> ScriptResult<Arc<Self>> {
        ctx.tag()
            .and_then(|tag| tag.clone().try_cast::<Arc<Self>>())
            .ok_or_else(|| Error::other("the script runs outside of a session").into())
    }

    /// Loads a model, or finds it among those that this run has loaded.
    pub fn model(&self, key: ModelKey, device: DeviceChoice) -> Result<HookedTransformer> {
        if let Some(model) = self.models.get(&key) {
            return Ok(model);
        }
        let files = store::find(
            &key.id,
            &StoreOptions {
                revision: key.revision.clone(),
                permissions: self.permissions.clone(),
                progress: self.progress.clone(),
                cancel: self.cancel.clone(),
            },
        )?;
        let model = HookedTransformer::load(
            &files,
            &LoadOptions {
                processing: key.processing,
                dtype: key.dtype,
                device,
                progress: self.progress.clone(),
                cancel: self.cancel.clone(),
                profile: self.profile.clone(),
                memory: self.memory,
            },
        )?;
        if key.id == store::DEMO {
            // An interactive session has no parameters to set.
            let real = if self.remembers {
                "load_model(\"gpt2\")"
            } else {
                "-p model=gpt2"
            };
            (self.notes)(&format!(
                "this is the demo model, a toy that writes simple sentences; for a real one: {real} (or gpt2-xl)"
            ));
        }
        self.models.insert(key, model.clone());
        Ok(model)
    }
}
