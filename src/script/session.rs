//! What everything in one run shares: where output goes, the parameters, what is permitted, the
//! models that are loaded.

use std::collections::HashMap;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rhai::{Dynamic, EvalAltResult, NativeCallContext, Position};

use super::fault::ScriptResult;
use super::params::Params;
use crate::cancel::Cancel;
use crate::error::{Error, Result};
use crate::permissions::Permissions;
use crate::profile::Profile;
use crate::progress::{Progress, silent};
use crate::report::Painter;
use crate::steering::{ActivationAddition, uncancelled_at_bos};
use crate::store::{self, StoreOptions};
use crate::transformer::{DeviceChoice, HookedTransformer, LoadOptions, Processing};

/// Where a script's text goes. Cloned freely; all clones write to the same place.
#[derive(Clone)]
pub struct Output {
    writer: Arc<Mutex<Box<dyn Write + Send>>>,
    /// How wide tables may be.
    pub width: usize,
    pub painter: Painter,
}

impl Output {
    pub fn new(writer: Box<dyn Write + Send>, width: usize, painter: Painter) -> Self {
        Self {
            writer: Arc::new(Mutex::new(writer)),
            width,
            painter,
        }
    }

    /// Writes a line. When nobody reads any more (`avec .. | head`) the run ends quietly.
    pub fn line(&self, text: &str) -> ScriptResult<()> {
        let Ok(mut writer) = self.writer.lock() else {
            return Ok(());
        };
        let written = writeln!(writer, "{text}").and_then(|()| writer.flush());
        written.map_err(|error| {
            let reason = if error.kind() == std::io::ErrorKind::BrokenPipe {
                Dynamic::from(BrokenPipe)
            } else {
                return Error::other(format!("can't write the output: {error}")).into();
            };
            EvalAltResult::ErrorTerminated(reason, Position::NONE).into()
        })
    }
}

/// Why a run was ended: nobody reads its output.
#[derive(Debug, Clone, Copy)]
pub struct BrokenPipe;

/// One run's shared state.
pub struct Session {
    pub output: Output,
    /// Short notes for the person at the terminal, e.g. that the demo model is in use.
    pub notes: Box<dyn Fn(&str) + Send + Sync>,
    pub params: Params,
    pub permissions: Permissions,
    pub progress: Arc<dyn Progress>,
    pub cancel: Cancel,
    pub profile: Profile,
    /// How many bytes generation may use at once; half of what is free if nobody says.
    pub memory: Option<u64>,
    models: Mutex<HashMap<ModelKey, HookedTransformer>>,
    warned_of_bos: AtomicBool,
}

/// A model as it was asked for; the same again gives the same model in memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelKey {
    pub id: String,
    pub revision: Option<String>,
    pub processing: Processing,
    pub dtype: candle_core::DType,
    pub device: String,
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
            models: Mutex::default(),
            warned_of_bos: AtomicBool::new(false),
        }
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
        if let Ok(models) = self.models.lock()
            && let Some(model) = models.get(&key)
        {
            return Ok(model.clone());
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
            (self.notes)(
                "this is the demo model, a toy that writes simple sentences; for a real one: -p model=gpt2 (or gpt2-xl)",
            );
        }
        if let Ok(mut models) = self.models.lock() {
            models.insert(key, model.clone());
        }
        Ok(model)
    }
}
