//! A session that is typed in piece by piece: variables, functions and imports stay, values show
//! themselves, and what worked can be saved as a script.

mod inspect;
mod saved;
mod shown;
#[cfg(test)]
mod tests;
mod transcript;
mod underscore;
mod unfinished;
mod versions;

pub use inspect::Variable;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use rhai::{AST, Dynamic, Engine, EvalAltResult, Module, Scope, Shared, Stmt, Token};

use self::saved::{Entry, Shown};
use self::shown::shown;
use self::transcript::{TRANSCRIPT, Transcript};
use self::underscore::underscores;
use self::unfinished::is_unfinished;
use super::bindings::drawn;
use super::host::{Host, Stopped};
use super::language::Language;
use super::modules::ModuleLoader;
use super::remembered::Change;
use super::session::Session;
use super::source::{folder_of, read_script};
use super::syntax::{Statement, line_and_column, statements};
use crate::analysis::Completions;
use crate::error::{Error, Result};
use crate::transformer::HookedTransformer;

/// One interactive session.
pub struct Interactive {
    host: Host,
    scope: Scope<'static>,
    /// The functions of all inputs.
    functions: AST,
    /// What was imported outside of all blocks, by the name it was given.
    modules: BTreeMap<String, Shared<Module>>,
    loader: ModuleLoader,
    transcript: Transcript,
    entries: Vec<Entry>,
    inputs: usize,
    /// The last input, whether it worked or not.
    typed: Option<String>,
    language: OnceLock<Language>,
    /// Line and column of every `_` of the current input that is a value.
    underscores: Arc<Mutex<BTreeSet<(usize, usize)>>>,
}

/// The variable that holds the last value.
const LAST: &str = "_";

impl Interactive {
    pub fn new(mut session: Session) -> Self {
        session.remembers = true;
        let mut interactive = Self {
            host: Host::new(session),
            scope: Scope::new(),
            functions: AST::empty(),
            modules: BTreeMap::new(),
            loader: ModuleLoader::default(),
            transcript: Transcript::default(),
            entries: Vec::new(),
            inputs: 0,
            typed: None,
            language: OnceLock::new(),
            underscores: Arc::default(),
        };
        interactive.prepare();
        interactive
    }

    /// Teaches a fresh engine what only a session has.
    fn prepare(&mut self) {
        let engine = &mut self.host.engine;
        // rhai keeps `_` for the default of `switch`; elsewhere it is the last value here.
        let values = self.underscores.clone();
        #[allow(
            deprecated,
            reason = "rhai marks all that may still change as deprecated"
        )]
        engine.on_parse_token(move |token, position, _| {
            let place = position.line().zip(position.position());
            let is_value = |place| {
                values
                    .lock()
                    .is_ok_and(|values: std::sync::MutexGuard<'_, BTreeSet<_>>| {
                        values.contains(&place)
                    })
            };
            match token {
                Token::Underscore if place.is_some_and(is_value) => {
                    Token::Identifier(Box::new(LAST.into()))
                }
                other => other,
            }
        });
        engine.set_module_resolver(self.loader.clone());
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    pub fn session(&self) -> &Arc<Session> {
        self.host.session()
    }

    /// Whether a text is half an input, and Enter should begin another line of it.
    pub fn is_incomplete(&self, text: &str) -> bool {
        self.mark_underscores(text, 0);
        is_unfinished(text, |text| {
            let compiled = self.engine().compile_with_scope(&self.scope, text);
            compiled.err()
        })
    }

    fn engine(&self) -> &Engine {
        &self.host.engine
    }

    /// Runs an input. Its value is `_` from then on.
    ///
    /// Gives the text that shows the value, unless it is `()` or the input ends in `;`.
    pub fn eval(&mut self, text: &str) -> Result<Option<String>, Stopped> {
        self.inputs += 1;
        self.typed = Some(text.trim().to_owned());
        let name = format!("repl[{}]", self.inputs);
        self.run(&name, text, PathBuf::new())
    }

    /// Runs a script file as if it were typed in: what it defines stays.
    pub fn load(&mut self, path: &Path) -> Result<Option<String>, Stopped> {
        let text = read_script(path)?;
        self.run(&path.display().to_string(), &text, folder_of(path))
    }

    /// `folder` is where the text's imports start from.
    fn run(&mut self, name: &str, text: &str, folder: PathBuf) -> Result<Option<String>, Stopped> {
        self.session().cancel.lower();
        let first_line = self.transcript.push(name, text);
        self.loader.begin(first_line, &folder);
        self.mark_underscores(text, first_line - 1);
        // Empty lines keep this text's lines apart from those before.
        let padded = format!("{}{text}", "\n".repeat(first_line - 1));
        let compiled = self.engine().compile_with_scope(&self.scope, padded);
        let ast = match compiled {
            Ok(ast) => ast,
            Err(error) => return Err(self.stopped(&error.into(), None)),
        };
        let variables = self.scope.len();
        let mut ast = self.functions.merge(&ast);
        ast.set_source(TRANSCRIPT);
        let result = self
            .host
            .engine
            .eval_ast_with_scope::<Dynamic>(&mut self.scope, &ast);
        // What was imported or defined before an error stays, as variables do.
        self.keep_imports(&ast);
        let result = result.map_err(|error| {
            let place = self.place_of(&error, text, variables);
            if let Some(text) = saved::part_that_ran(text, place) {
                self.entries.push(Entry {
                    text,
                    shown: Shown::Not,
                    valued: false,
                    folder: folder.clone(),
                });
            }
            self.stopped(&error, Some(&ast))
        });
        ast.clear_statements();
        self.functions = ast;
        let value = result?;
        let (shown, drawing) = self.show(text, &value);
        let valued = !value.is_unit();
        if valued {
            // Its place may be that of a constant, which can't be set.
            let _ = self.scope.remove::<Dynamic>(LAST);
            self.scope.push_dynamic(LAST, value);
        }
        self.entries.push(Entry {
            text: text.trim().to_owned(),
            shown,
            valued,
            folder,
        });
        Ok(drawing)
    }

    /// Makes what an input has imported known to all that follow.
    fn keep_imports(&mut self, ast: &AST) {
        for (place, module) in self.loader.imported() {
            let name = ast
                .statements()
                .iter()
                .find_map(|statement| match statement {
                    Stmt::Import(import, _) if import.0.start_position() == place => {
                        Some(import.1.name.to_string())
                    }
                    _ => None,
                });
            if let Some(name) = name.filter(|name| !name.is_empty()) {
                self.host
                    .engine
                    .register_static_module(&name, module.clone());
                self.modules.insert(name, module);
            }
        }
    }

    /// Where in the text that was run an error ended it.
    fn place_of(&self, error: &EvalAltResult, text: &str, variables_before: usize) -> usize {
        if let Some(place) = self.transcript.place_in_last(error.position()) {
            return place;
        }
        // It is in a function of another text. The variables tell how far this one came.
        let made = self.scope.len().saturating_sub(variables_before);
        let all = statements(text);
        let makes = |word| move |s: &&Statement| s.begins_with(word, text);
        let last = all
            .iter()
            .enumerate()
            .filter(|(_, s)| makes("let")(s) || makes("const")(s))
            .take(made)
            .last();
        let next = last.map_or(0, |(i, _)| i + 1);
        all.get(next).map_or(0, |statement| statement.range.start)
    }

    /// Runs something that leaves no trace: no value, nothing to save.
    pub fn aside(&self, text: &str) -> Result<(), Stopped> {
        const NAME: &str = "avec";
        self.session().cancel.lower();
        let stopped = |error: &EvalAltResult, ast| self.host.stopped_in(error, NAME, text, ast);
        let ast = self.engine().compile(text);
        let ast = ast.map_err(|error| stopped(&error.into(), None))?;
        self.engine()
            .run_ast(&ast)
            .map_err(|error| stopped(&error, Some(&ast)))
    }

    /// A value as the session shows it.
    pub fn show_value(&self, value: impl rhai::Variant + Clone) -> String {
        self.debug_text(&Dynamic::from(value))
    }

    fn mark_underscores(&self, text: &str, lines_before: usize) {
        if let Ok(mut places) = self.underscores.lock() {
            *places = underscores(text)
                .into_iter()
                .map(|at| {
                    let (line, column) = line_and_column(text, at);
                    (lines_before + line, column)
                })
                .collect();
        }
    }

    fn show(&self, text: &str, value: &Dynamic) -> (Shown, Option<String>) {
        let closed = statements(text)
            .last()
            .is_none_or(|s| s.closed || s.function.is_some());
        if value.is_unit() || closed {
            return (Shown::Not, None);
        }
        if let Some(table) = value.clone().try_cast::<Completions>() {
            return (Shown::Table, Some(drawn(self.session(), &table)));
        }
        let width = self.session().output.columns();
        let text = shown(value, width, &|value| self.debug_text(value));
        (Shown::Value, Some(text))
    }

    /// A value as `debug` prints it.
    fn debug_text(&self, value: &Dynamic) -> String {
        let mut scope = Scope::new();
        scope.push("value", value.clone());
        self.engine()
            .eval_with_scope::<String>(&mut scope, "value.to_debug()")
            .unwrap_or_else(|_| value.to_string())
    }

    /// An error, placed in the text that it comes from.
    fn stopped(&self, error: &EvalAltResult, ast: Option<&AST>) -> Stopped {
        let text = self.transcript.text();
        let mut stopped = self.host.stopped_in(error, TRANSCRIPT, &text, ast);
        if let Stopped::Failed(diagnostic) = &mut stopped {
            self.transcript.relabel(diagnostic);
        }
        stopped
    }

    /// Forgets variables, functions, imports and what could be saved. Loaded models stay in memory.
    pub fn reset(&mut self) {
        self.scope.clear();
        self.functions = AST::empty();
        self.modules.clear();
        self.loader.forget();
        self.transcript.forget();
        self.entries.clear();
        // An engine can't unlearn a module.
        self.host = Host::of(self.session().clone());
        self.prepare();
    }

    /// The call that makes the last comparison again with one thing changed.
    pub fn change(&self, change: &Change) -> Result<String> {
        let last = self.session().last_comparison().ok_or_else(|| {
            Error::other("there is no comparison yet to change")
                .hint("make one with print_n_comparisons(#{ .. })")
        })?;
        last.call(change, &self.name_of(last.table.model()))
    }

    /// How an input can name a model: its variable, or by loading it again, which finds it in memory.
    fn name_of(&self, model: &HookedTransformer) -> String {
        let is_it = |value: Dynamic| {
            value
                .try_cast::<HookedTransformer>()
                .is_some_and(|other| other.is_same(model))
        };
        // The scope gives the newest first.
        let mut names = self.names().into_iter().map(|(name, _)| name);
        let holding = names.find(|name| self.value(name).is_some_and(is_it));
        let call = || match self.session().key_of(model) {
            Some(key) => key.call(),
            None => format!(
                "load_model({})",
                crate::steering::string_literal(model.name())
            ),
        };
        holding.unwrap_or_else(call)
    }

    /// The last input, whether it worked or not.
    pub fn last_input(&self) -> Option<&str> {
        self.typed.as_deref()
    }

    /// What worked, as a script in `folder` that prints what was shown.
    pub fn script(&self, folder: &Path) -> Result<String> {
        saved::script(&self.entries, folder)
    }
}
