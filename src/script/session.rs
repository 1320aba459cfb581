//! What everything in one run shares: where output goes, the parameters, what is permitted, the
//! models that are loaded.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rhai::{Map, NativeCallContext};

use super::division::{divided_options, vanished};
use super::exit_status::ExitStatus;
use super::model_cache::{ModelCache, ModelKey};
use super::output::Output;
use super::params::Params;
use super::remembered::Remembered;
use super::script_error::ScriptResult;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{HookedTransformer, LoadOptions, ModelFiles};
use crate::run::RunContext;
use crate::steering::{ActivationAddition, uncancelled_at_bos};
use crate::store;

/// One run's shared state.
pub struct Session {
    /// Where text goes.
    pub output: Output,
    /// Short notes for the person at the terminal, e.g. that the demo model is in use.
    pub notes: Box<dyn Fn(&str) + Send + Sync>,
    /// What `param` gives.
    pub params: Params,
    /// What calls of the library are given.
    pub run: RunContext,
    /// Whether comparisons are remembered, so that they can be made again with one thing changed.
    pub remembers: bool,
    /// The status that a script asked for with `exit`.
    pub exit: ExitStatus,
    last: Mutex<Option<Remembered>>,
    models: ModelCache,
    warned_of_bos: AtomicBool,
    /// The options that the scripts of this run give a division of integers.
    divided: Mutex<BTreeSet<String>>,
}

impl Session {
    /// A session that writes to `output` and may do what a stranger's script may.
    pub fn new(output: Output) -> Self {
        Self {
            output,
            notes: Box::new(|_| {}),
            params: Params::default(),
            run: RunContext::default(),
            remembers: false,
            exit: ExitStatus::default(),
            last: Mutex::default(),
            models: ModelCache::default(),
            warned_of_bos: AtomicBool::new(false),
            divided: Mutex::default(),
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

    /// Looks at a text that is about to run for what can only be noted when it has run.
    pub(super) fn look_at(&self, text: &str) {
        if let Ok(mut divided) = self.divided.lock() {
            divided.extend(divided_options(text));
        }
    }

    /// Notes, once for each option, that a division of integers has left nothing of it.
    pub(super) fn warn_of_division(&self, options: &Map) {
        let Ok(mut divided) = self.divided.lock() else {
            return;
        };
        if let Some(name) = vanished(options, &divided) {
            divided.remove(&name);
            (self.notes)(&format!(
                "{name} is 0: integers divide to an integer, so that 3 / 10 is 0; for 0.3 write 3 / 10.0"
            ));
        }
    }

    /// The session of the run that a binding was called in.
    pub(crate) fn of(ctx: &NativeCallContext) -> ScriptResult<Arc<Self>> {
        ctx.tag()
            .and_then(|tag| tag.clone().try_cast::<Arc<Self>>())
            .ok_or_else(|| Error::other("the script runs outside of a session").into())
    }

    /// Why a model can't be loaded. If that is because files in the hub's cache are broken, they are
    /// removed, so that the next run fetches them again.
    fn with_broken_files(&self, files: &ModelFiles, error: Error) -> Error {
        if !matches!(
            error.kind(),
            ErrorKind::BadFile { .. } | ErrorKind::MissingTensor { .. }
        ) {
            return error;
        }
        match store::remove_broken(files, &self.run.cancel) {
            Ok(removed) if removed.is_empty() => error,
            Ok(removed) => error.hint(format!(
                "the cache's {} was broken and has been removed: run it again to download it",
                removed.join(" and ")
            )),
            Err(cancelled) => cancelled,
        }
    }

    /// Loads a model, or finds it among those that this run has loaded.
    ///
    /// # Errors
    /// If there is no such model, or it can't be loaded.
    pub fn model(
        &self,
        key: ModelKey,
        revision: Option<String>,
        options: &LoadOptions,
    ) -> Result<HookedTransformer> {
        if let Some(model) = self.models.get(&key) {
            return Ok(model);
        }
        let files = store::find(&self.run, &key.id, revision.as_deref())?;
        let model = HookedTransformer::load(&self.run, &files, options)
            .map_err(|error| self.with_broken_files(&files, error))?;
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
