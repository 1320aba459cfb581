//! What everything in one run shares: where output goes, the parameters, what is permitted, the
//! models that are loaded.

use std::collections::HashMap;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use rhai::{Dynamic, EvalAltResult, NativeCallContext, Position};

use super::fault::ScriptResult;
use super::params::Params;
use super::remembered::Remembered;
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::DeviceChoice;
use crate::model::{HookedTransformer, LoadOptions, ModelFiles, Processing};
use crate::report::Painter;
use crate::run::RunContext;
use crate::steering::{ActivationAddition, string_literal, uncancelled_at_bos};
use crate::store::{self, StoreOptions};

/// Where a script's text goes. Cloned freely; all clones write to the same place.
#[derive(Clone)]
pub struct Output {
    writer: Arc<Mutex<Box<dyn Write + Send>>>,
    /// Why nothing can be written any more.
    failure: Arc<OnceLock<OutputFailure>>,
    room: Room,
    pub painter: Painter,
}

/// Why a run's text goes nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputFailure {
    /// Nobody reads it, as after `avec .. | head`.
    Closed,
    /// A full disk, for instance.
    Broken(String),
}

/// How much is seen at once.
#[derive(Clone, Copy)]
enum Room {
    /// So many columns, and lines without end.
    Columns(usize),
    /// A terminal, which tells its columns and lines, and may change them.
    Terminal(fn() -> Option<(usize, usize)>),
}

impl Output {
    pub fn new(writer: Box<dyn Write + Send>, width: usize, painter: Painter) -> Self {
        Self {
            writer: Arc::new(Mutex::new(writer)),
            failure: Arc::default(),
            room: Room::Columns(width),
            painter,
        }
    }

    /// An output on a terminal whose columns and lines `size` tells. There, what is being written
    /// is shown while it grows.
    pub fn terminal(
        writer: Box<dyn Write + Send>,
        size: fn() -> Option<(usize, usize)>,
        painter: Painter,
    ) -> Self {
        Self {
            room: Room::Terminal(size),
            ..Self::new(writer, 0, painter)
        }
    }

    /// How wide tables may be.
    pub fn width(&self) -> usize {
        match self.room {
            Room::Columns(columns) => columns,
            Room::Terminal(_) => self.columns().unwrap_or(80),
        }
    }

    /// How many columns a terminal shows; none if this isn't one.
    pub fn columns(&self) -> Option<usize> {
        self.seen().map(|(columns, _)| columns)
    }

    /// How many lines a terminal shows; none if this isn't one.
    pub fn height(&self) -> Option<usize> {
        self.seen().map(|(_, lines)| lines)
    }

    /// Columns and lines of a terminal.
    fn seen(&self) -> Option<(usize, usize)> {
        match self.room {
            Room::Columns(_) => None,
            Room::Terminal(size) => size(),
        }
    }

    /// Writes text that moves the cursor. What can't be drawn is not missed.
    pub fn raw(&self, text: &str) {
        if let Ok(mut writer) = self.writer.lock() {
            let _ = write!(writer, "{text}").and_then(|()| writer.flush());
        }
    }

    /// Writes a line, or ends the run when that can't be done.
    pub fn line(&self, text: &str) -> ScriptResult<()> {
        if let Ok(mut writer) = self.writer.lock()
            && let Err(error) = writeln!(writer, "{text}").and_then(|()| writer.flush())
        {
            self.failure.get_or_init(|| match error.kind() {
                std::io::ErrorKind::BrokenPipe => OutputFailure::Closed,
                _ => OutputFailure::Broken(error.to_string()),
            });
        }
        match self.failure() {
            None => Ok(()),
            Some(failure) => Err(EvalAltResult::ErrorTerminated(
                Dynamic::from(failure.clone()),
                Position::NONE,
            )
            .into()),
        }
    }

    /// What went wrong with an earlier line.
    pub fn failure(&self) -> Option<&OutputFailure> {
        self.failure.get()
    }
}

/// One run's shared state.
pub struct Session {
    pub output: Output,
    /// Short notes for the person at the terminal, e.g. that the demo model is in use.
    pub notes: Box<dyn Fn(&str) + Send + Sync>,
    pub params: Params,
    /// What calls of the library are given.
    pub run: RunContext,
    /// Whether comparisons are remembered, so that they can be made again with one thing changed.
    pub remembers: bool,
    last: Mutex<Option<Remembered>>,
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

impl Session {
    /// A session that writes to `output` and may do what a stranger's script may.
    pub fn new(output: Output) -> Self {
        Self {
            output,
            notes: Box::new(|_| {}),
            params: Params::default(),
            run: RunContext::default(),
            remembers: false,
            last: Mutex::default(),
            models: Mutex::default(),
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
        let Ok(models) = self.models.lock() else {
            return Vec::new();
        };
        let mut models: Vec<_> = models.values().cloned().collect();
        models.sort_by(|a, b| a.name().cmp(b.name()));
        models
    }

    /// How a loaded model was asked for.
    pub fn key_of(&self, model: &HookedTransformer) -> Option<ModelKey> {
        let models = self.models.lock().ok()?;
        let mut of_it = models.iter().filter(|(_, loaded)| loaded.is_same(model));
        of_it.next().map(|(key, _)| key.clone())
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
                permissions: self.run.permissions.clone(),
                progress: self.run.progress.clone(),
                cancel: self.run.cancel.clone(),
            },
        )?;
        let options = LoadOptions {
            processing: key.processing,
            dtype: key.dtype,
            device,
            ..LoadOptions::default()
        };
        let model = HookedTransformer::load(&self.run, &files, &options)
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
        if let Ok(mut models) = self.models.lock() {
            models.insert(key, model.clone());
        }
        Ok(model)
    }
}
