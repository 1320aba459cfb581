//! Runs scripts: an engine with limits, a session, and errors turned into diagnostics.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rhai::{AST, Dynamic, Engine, EvalAltResult, OptimizationLevel, Scope};

use super::bindings;
use super::diagnostic::Diagnostic;
use super::header::Header;
use super::locate::param_calls;
use super::prose::{self, Script};
use super::reference::Reference;
use super::resolver::FolderResolver;
use super::session::{BrokenPipe, Session};
use crate::error::{Error, ErrorKind};

/// An engine and the session that its scripts run in.
pub struct Host {
    pub(super) engine: Engine,
    session: Arc<Session>,
}

/// Why a script did not come to its end.
#[derive(Debug)]
pub enum Stopped {
    /// It has an error.
    Failed(Box<Diagnostic>),
    /// Somebody raised the cancel flag.
    Cancelled,
    /// Nobody reads the output any more.
    BrokenPipe,
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        if error.is_cancelled() {
            return Self::Cancelled;
        }
        Self::Failed(Box::new(Diagnostic {
            message: error.message(),
            labels: Vec::new(),
            hints: error.hints(),
        }))
    }
}

impl Host {
    pub fn new(session: Session) -> Self {
        Self::of(Arc::new(session))
    }

    /// A fresh engine for a session that goes on.
    pub(super) fn of(session: Arc<Session>) -> Self {
        let mut engine = Engine::new();
        harden(&mut engine);
        bindings::register(&mut engine);
        connect(&mut engine, &session);
        Self { engine, session }
    }

    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Everything that scripts can call, for help.
    pub fn reference(&self) -> Reference {
        Reference::of(&self.engine)
    }

    /// Runs a script file. Its modules come from its own folder.
    pub fn run_file(&mut self, path: &Path) -> Result<(), Stopped> {
        let text = read_script(path)?;
        let name = path.display().to_string();
        self.run(&name, &text, Some(folder_of(path)))
    }

    /// Runs a script that is not in a file; `name` is for messages. It can import nothing.
    pub fn run_text(&mut self, name: &str, text: &str) -> Result<(), Stopped> {
        self.run(name, text, None)
    }

    fn run(&mut self, name: &str, text: &str, folder: Option<PathBuf>) -> Result<(), Stopped> {
        self.engine
            .set_module_resolver(FolderResolver::new(folder.as_deref()));
        let mut ast = self.compile(name, text)?;
        ast.set_source(name);
        let params = param_calls(&ast);
        let names: Vec<String> = params.calls.into_iter().map(|(name, _)| name).collect();
        if params.complete {
            self.session.params.check_known(&names)?;
        }
        let result = self
            .engine
            .eval_ast_with_scope::<Dynamic>(&mut Scope::new(), &ast);
        if let Err(error) = result {
            return Err(self.stopped(
                &error,
                &Script {
                    name,
                    text,
                    ast: Some(&ast),
                },
            ));
        }
        // What is computed or asked for by a module is only known now.
        self.session.params.check_known(&names)?;
        Ok(())
    }

    /// What a script's header and parameters are, without running it.
    pub fn header(&self, path: &Path) -> Result<Header, Stopped> {
        let text = read_script(path)?;
        let ast = self.compile(&path.display().to_string(), &text)?;
        Ok(Header::of(&ast))
    }

    fn compile(&self, name: &str, text: &str) -> Result<AST, Stopped> {
        self.engine.compile(text).map_err(|error| {
            let error: Box<EvalAltResult> = error.into();
            self.stopped(
                &error,
                &Script {
                    name,
                    text,
                    ast: None,
                },
            )
        })
    }

    /// How a run ended, with its place in a text of this name.
    pub(super) fn stopped_in(
        &self,
        error: &EvalAltResult,
        name: &str,
        text: &str,
        ast: Option<&AST>,
    ) -> Stopped {
        self.stopped(error, &Script { name, text, ast })
    }

    fn stopped(&self, error: &EvalAltResult, script: &Script) -> Stopped {
        if let EvalAltResult::ErrorTerminated(reason, _) = root(error) {
            return if reason.is::<BrokenPipe>() {
                Stopped::BrokenPipe
            } else {
                Stopped::Cancelled
            };
        }
        Stopped::Failed(Box::new(prose::diagnose(error, script, &self.reference())))
    }
}

/// The error inside of calls and modules.
fn root(error: &EvalAltResult) -> &EvalAltResult {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _)
        | EvalAltResult::ErrorInModule(_, inner, _) => root(inner),
        other => other,
    }
}

/// Typos are errors, and nothing a script does can exhaust the machine or hang it beyond Ctrl-C.
/// Each limit is set, since rhai's own differ between debug and release builds.
fn harden(engine: &mut Engine) {
    engine
        // Folding constants would lose the positions of option keys.
        .set_optimization_level(OptimizationLevel::None)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        .set_max_operations(2_000_000_000)
        .set_max_call_levels(64)
        .set_max_expr_depths(128, 64)
        .set_max_string_size(64 << 20)
        .set_max_array_size(10_000_000)
        .set_max_map_size(1_000_000)
        .set_max_modules(100)
        .set_max_functions(1_000)
        .set_max_variables(10_000)
        .disable_symbol("eval");
}

/// Gives the engine its session: for bindings, for output, and for stopping.
fn connect(engine: &mut Engine, session: &Arc<Session>) {
    engine.set_default_tag(Dynamic::from(session.clone()));
    // Printing can't fail in rhai, so a closed pipe is noted, and ends the script at its next step.
    let closed = Arc::new(AtomicBool::new(false));
    let (output, flag) = (session.output.clone(), closed.clone());
    engine.on_print(move |text| flag.store(output.line(text).is_err(), Ordering::Relaxed));
    let (output, flag) = (session.output.clone(), closed.clone());
    engine.on_debug(move |text, _, _| flag.store(output.line(text).is_err(), Ordering::Relaxed));
    let cancel = session.cancel.clone();
    engine.on_progress(move |_| {
        if closed.load(Ordering::Relaxed) {
            return Some(Dynamic::from(BrokenPipe));
        }
        cancel.is_raised().then_some(Dynamic::UNIT)
    });
}

/// A script's text, or why it can't be read.
pub fn read_script(path: &Path) -> Result<String, Error> {
    let io = |error: std::io::Error| {
        Error::new(ErrorKind::Io {
            action: "read",
            path: path.to_owned(),
            reason: error.to_string(),
        })
    };
    if path.is_dir() {
        return Err(
            Error::other(format!("{} is a folder, not a script", path.display()))
                .hint("name a .rhai file"),
        );
    }
    let bytes = std::fs::read(path).map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            not_found(path)
        } else {
            io(error)
        }
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..at]
            .iter()
            .filter(|b| **b == b'\n')
            .count();
        Error::other(format!(
            "{} is not text: line {line} is not UTF-8",
            path.display()
        ))
        .hint("save it as UTF-8")
    })
}

fn not_found(path: &Path) -> Error {
    let error = Error::other(format!("there is no script {}", path.display()));
    let folder = folder_of(path);
    let names: Vec<String> = std::fs::read_dir(&folder)
        .map(|entries| {
            entries
                .flatten()
                .filter_map(|entry| entry.file_name().into_string().ok())
                .filter(|name| name.ends_with(".rhai"))
                .collect()
        })
        .unwrap_or_default();
    let wanted = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let wanted = if wanted.ends_with(".rhai") {
        wanted
    } else {
        wanted + ".rhai"
    };
    match crate::suggest::nearest(&wanted, &names) {
        Some(close) => {
            let close = path.with_file_name(close);
            error.hint(format!("did you mean {}?", close.display()))
        }
        None => error,
    }
}

pub(super) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}
