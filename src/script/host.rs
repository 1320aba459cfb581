//! Runs scripts: an engine with limits, a session, and errors turned into diagnostics.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rhai::{
    AST, Dynamic, Engine, EvalAltResult, Module, OptimizationLevel, Scope, Shared, Variant,
};

use super::bindings;
use super::catalog::Catalog;
use super::caught;
use super::diagnosis::{Diagnosis, Script};
use super::diagnostic::Diagnostic;
use super::header::Header;
use super::help;
use super::hints::hints;
use super::limits;
use super::locate::param_calls;
use super::modules::{ModuleLoader, Visited, visit_imported};
use super::output::OutputError;
use super::script_error::ScriptError;
use super::session::Session;
use super::source::{folder_of, read_script};
use crate::error::{Error, ErrorKind};

/// An engine and the session that its scripts run in.
///
/// ```
/// use avec::report::Painter;
/// use avec::script::{Host, Output, Session};
///
/// let output = Output::new(Box::new(std::io::stdout()), 80, Painter::plain());
/// let mut host = Host::new(Session::new(output));
/// host.set("coeff", 5_i64);
/// if host.run_text("double", "let doubled = 2 * coeff;").is_err() {
///     panic!("the script has an error");
/// }
/// assert_eq!(host.get::<i64>("doubled"), Some(10));
/// ```
pub struct Host {
    pub(super) engine: Engine,
    session: Arc<Session>,
    /// The modules that scripts import.
    pub(super) modules: ModuleLoader,
    /// The functions of the program that embeds the host.
    registered: Vec<Shared<Module>>,
    /// The variables that every script begins with.
    given: Scope<'static>,
    /// The variables that the last script ended with.
    left: Scope<'static>,
}

/// Why a script did not come to its end.
#[derive(Debug)]
pub enum Stopped {
    /// It has an error.
    Failed(Box<Diagnostic>),
    /// Somebody raised the cancel flag.
    Cancelled,
    /// The clock raised it.
    TimedOut,
    /// Nobody reads the output any more.
    BrokenPipe,
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Cancelled => return Self::Cancelled,
            ErrorKind::TimedOut => return Self::TimedOut,
            _ => {}
        }
        Self::Failed(Box::new(Diagnostic {
            message: error.message(),
            labels: Vec::new(),
            hints: hints(&error),
        }))
    }
}

impl From<OutputError> for Stopped {
    fn from(failure: OutputError) -> Self {
        match failure {
            OutputError::Closed => Self::BrokenPipe,
            broken @ OutputError::Broken(_) => Error::other(broken.to_string()).into(),
        }
    }
}

impl Host {
    /// An engine for scripts of a session.
    pub fn new(session: Session) -> Self {
        Self::of(Arc::new(session), Vec::new())
    }

    fn of(session: Arc<Session>, registered: Vec<Shared<Module>>) -> Self {
        let mut engine = Engine::new();
        harden(&mut engine);
        limits::register(&mut engine);
        bindings::register(&mut engine);
        help::register(&mut engine);
        caught::register(&mut engine);
        for module in &registered {
            engine.register_global_module(module.clone());
        }
        connect(&mut engine, &session);
        Self {
            engine,
            session,
            modules: ModuleLoader::default(),
            registered,
            given: Scope::new(),
            left: Scope::new(),
        }
    }

    /// A fresh engine for the session, which goes on, with the same functions and no variables.
    pub(super) fn afresh(&self) -> Self {
        Self::of(self.session.clone(), self.registered.clone())
    }

    /// Adds a module of functions that every script can call by their names alone.
    pub(super) fn add(&mut self, module: Module) {
        let module: Shared<Module> = module.into();
        self.engine.register_global_module(module.clone());
        self.registered.push(module);
    }

    /// Gives all scripts that run from now on a variable, or another value for it. Functions of a
    /// script don't see variables; they take what they need as arguments.
    pub fn set(&mut self, name: &str, value: impl Variant + Clone) -> &mut Self {
        self.given.set_or_push(name, value);
        self
    }

    /// A variable of the last script, as it was when the script ended or failed; none if there is
    /// no such variable or it has another type. rhai's integers are `i64` and its numbers `f64`;
    /// as a `rhai::Dynamic` a variable of any type is given.
    pub fn get<T: Variant + Clone>(&self, name: &str) -> Option<T> {
        self.left.get(name)?.clone().try_cast()
    }

    /// What the host's runs share.
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Everything that scripts can call, for help.
    pub fn catalog(&self) -> Catalog {
        bindings::catalog(&self.engine)
    }

    /// Runs a script file. Its modules come from its own folder.
    ///
    /// # Errors
    /// If the file can't be read, or the script has an error or is stopped.
    pub fn run_file(&mut self, path: &Path) -> Result<(), Stopped> {
        let text = read_script(path)?;
        let name = path.display().to_string();
        self.run(&name, &text, Some(folder_of(path)))
    }

    /// Runs a script that is not in a file; `name` is for messages. It can import nothing.
    ///
    /// # Errors
    /// If the script has an error or is stopped.
    pub fn run_text(&mut self, name: &str, text: &str) -> Result<(), Stopped> {
        self.run(name, text, None)
    }

    fn run(&mut self, name: &str, text: &str, folder: Option<PathBuf>) -> Result<(), Stopped> {
        self.session.run.begin();
        self.session.exit.clear();
        self.modules = ModuleLoader::default();
        if let Some(folder) = &folder {
            self.modules.begin(1, folder);
        }
        self.engine.set_module_resolver(self.modules.clone());
        self.left = self.given.clone();
        let mut ast = self.compile(name, text)?;
        ast.set_source(name);
        let (names, complete) = self.param_names(&ast, folder.as_deref());
        if complete {
            self.session.params.check_known(&names)?;
        }
        self.session.look_at(text);
        let result = self
            .engine
            .eval_ast_with_scope::<Dynamic>(&mut self.left, &ast);
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
        // The last thing that was printed has no next step.
        if let Some(failure) = self.session.output.failure() {
            return Err(failure.clone().into());
        }
        // What is computed or asked for by a module is only known now.
        self.session.params.check_known(&names)?;
        Ok(())
    }

    /// The parameters that a script and the modules that it imports ask for, and whether these are all.
    fn param_names(&self, ast: &AST, folder: Option<&Path>) -> (Vec<String>, bool) {
        let own = param_calls(ast);
        let named = |calls: Vec<(String, String)>| calls.into_iter().map(|(name, _)| name);
        let mut names: Vec<String> = named(own.calls).collect();
        let mut complete = !own.computed;
        if !own.imports.is_empty() {
            let mut visit = |module: Visited| {
                let found = param_calls(&self.engine.compile(module.text).ok()?);
                names.extend(named(found.calls));
                (!found.computed).then_some(found.imports)
            };
            complete &=
                folder.is_some_and(|folder| visit_imported(folder, own.imports, &mut visit));
        }
        (names, complete)
    }

    /// What a script's header and parameters are, without running it.
    ///
    /// # Errors
    /// If the file can't be read, or is no script of the language.
    pub fn header(&self, path: &Path) -> Result<Header, Stopped> {
        let text = read_script(path)?;
        let ast = self.compile(&path.display().to_string(), &text)?;
        Ok(Header::of(&ast))
    }

    fn compile(&self, name: &str, text: &str) -> Result<AST, Stopped> {
        let compiled = self.engine.compile_with_scope(&self.given, text);
        compiled.map_err(|error| {
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
            if let Some(failure) = reason.clone().try_cast::<OutputError>() {
                return failure.into();
            }
            if !reason.is::<ScriptError>() {
                return match self.session.run.cancel.has_timed_out() {
                    true => Stopped::TimedOut,
                    false => Stopped::Cancelled,
                };
            }
        }
        let diagnosis = Diagnosis {
            main: script,
            modules: &self.modules,
            catalog: &self.catalog(),
        };
        Stopped::Failed(Box::new(diagnosis.diagnose(error)))
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
    // Printing can't fail in rhai, so the output remembers that it did, and the script ends at its
    // next step.
    let output = session.output.clone();
    engine.on_print(move |text| drop(output.line(text)));
    let output = session.output.clone();
    engine.on_debug(move |text, _, _| drop(output.line(text)));
    let (output, run) = (session.output.clone(), session.run.clone());
    let limit = run.memory_limit();
    engine.on_progress(move |_| {
        if let Some(failure) = output.failure() {
            return Some(Dynamic::from(failure.clone()));
        }
        // This is asked at every operation.
        if !run.cancel.is_raised() && run.memory_used() <= limit {
            return None;
        }
        match run.check() {
            Ok(()) => None,
            Err(stopped) if stopped.is_cancelled() => Some(Dynamic::UNIT),
            Err(exceeded) => Some(Dynamic::from(ScriptError::from(exceeded))),
        }
    });
}
