//! The state of a session: what it holds, and what can be asked of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use rhai::{AST, Dynamic, Engine, EvalAltResult, Module, Scope, Shared, Token};

use super::saved::{Entry, last_with_needs, script};
use super::transcript::{TRANSCRIPT, Transcript, is_of_session};
use super::underscore::underscores;
use super::unfinished::is_unfinished;
use crate::error::{Error, Result};
use crate::model::HookedTransformer;
use crate::script::catalog::Catalog;
use crate::script::host::{Host, Stopped};
use crate::script::remembered::{Change, Remembered};
use crate::script::session::Session;
use crate::script::syntax::line_and_column;

/// One interactive session.
pub struct Interactive {
    pub(super) host: Host,
    pub(super) scope: Scope<'static>,
    /// The functions of all inputs.
    pub(super) functions: AST,
    /// What was imported outside of all blocks, by the name it was given.
    pub(super) modules: BTreeMap<String, Shared<Module>>,
    pub(super) transcript: Transcript,
    pub(super) entries: Vec<Entry>,
    pub(super) inputs: usize,
    /// The last input, whether it worked or not.
    pub(super) typed: Option<String>,
    pub(super) language: OnceLock<Catalog>,
    /// Line and column of every `_` of the current input that is a value.
    underscores: Arc<Mutex<BTreeSet<(usize, usize)>>>,
    /// Whether the current input printed something that has another name in a script.
    pub(super) placed: Arc<AtomicBool>,
}

/// The variable that holds the last value.
pub(super) const LAST: &str = "_";

impl Interactive {
    /// A session without variables.
    pub fn new(mut session: Session) -> Self {
        session.remembers = true;
        let mut interactive = Self {
            host: Host::new(session),
            scope: Scope::new(),
            functions: AST::empty(),
            modules: BTreeMap::new(),
            transcript: Transcript::default(),
            entries: Vec::new(),
            inputs: 0,
            typed: None,
            language: OnceLock::new(),
            underscores: Arc::default(),
            placed: Arc::default(),
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
        engine.set_module_resolver(self.host.modules.clone());
        let session = self.host.session().clone();
        let placed = self.placed.clone();
        let note = move |text: &str| {
            if is_of_session(text) {
                placed.store(true, Ordering::Relaxed);
            }
            drop(session.output.line(text));
        };
        let engine = &mut self.host.engine;
        engine.on_print(note.clone());
        engine.on_debug(move |text, _, _| note(text));
    }

    /// What runs the inputs.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// What all inputs share.
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

    pub(super) fn engine(&self) -> &Engine {
        &self.host.engine
    }

    /// Runs something that leaves no trace: no value, nothing to save.
    ///
    /// # Errors
    /// If it has an error or is stopped.
    pub fn aside(&self, text: &str) -> Result<(), Stopped> {
        const NAME: &str = "avec";
        self.session().run.cancel.lower();
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

    pub(super) fn mark_underscores(&self, text: &str, lines_before: usize) {
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

    /// A value as `debug` prints it.
    pub(super) fn debug_text(&self, value: &Dynamic) -> String {
        let mut scope = Scope::new();
        scope.push("value", value.clone());
        self.engine()
            .eval_with_scope::<String>(&mut scope, "value.to_debug()")
            .unwrap_or_else(|_| value.to_string())
    }

    /// An error, placed in the text that it comes from.
    pub(super) fn stopped(&self, error: &EvalAltResult, ast: Option<&AST>) -> Stopped {
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
        self.transcript.forget();
        self.entries.clear();
        // An engine can't unlearn a module.
        self.host = self.host.afresh();
        self.prepare();
    }

    /// The call that makes the last comparison again with one thing changed.
    ///
    /// # Errors
    /// If there was no comparison yet, or it can't be changed so.
    pub fn change(&self, change: &Change) -> Result<String> {
        let last = self.last_comparison()?;
        last.call(change, &self.name_of(last.table.model()))
    }

    /// What an option of the last comparison is, as `name: value`; without a name all of them, one a
    /// line.
    ///
    /// # Errors
    /// If there was no comparison yet, or it has no such option.
    pub fn dial(&self, option: Option<&str>) -> Result<String> {
        self.last_comparison()?.dial(option)
    }

    fn last_comparison(&self) -> Result<Remembered> {
        self.session().last_comparison().ok_or_else(|| {
            Error::other("there is no comparison yet to change")
                .hint("make one with print_n_comparisons(#{ .. })")
        })
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
                crate::script::literal::string_literal(model.name())
            ),
        };
        holding.unwrap_or_else(call)
    }

    /// The last input, whether it worked or not.
    pub fn last_input(&self) -> Option<&str> {
        self.typed.as_deref()
    }

    /// What worked, as a script in `folder` that prints what was shown.
    ///
    /// # Errors
    /// If a script would do something else than the session did.
    pub fn script(&self, folder: &Path) -> Result<String> {
        self.script_with(&self.entries, folder)
    }

    /// The last input that worked, with those before it that make what it uses, as a script.
    ///
    /// # Errors
    /// If there was no input yet, or as for the whole session.
    pub fn script_of_last(&self, folder: &Path) -> Result<String> {
        if self.entries.is_empty() {
            return Err(Error::other("there is no input yet to save"));
        }
        self.script_with(&last_with_needs(&self.entries), folder)
    }

    fn script_with(&self, entries: &[Entry], folder: &Path) -> Result<String> {
        let natives: BTreeSet<String> = self
            .engine()
            .collect_fn_metadata(
                None,
                |info| {
                    info.namespace
                        .is_empty()
                        .then(|| info.metadata.name.to_string())
                },
                true,
            )
            .into_iter()
            .collect();
        let script = script(entries, folder, &|name| natives.contains(name))?;
        self.mark_underscores("", 0);
        match self.engine().compile(&script) {
            Ok(_) => Ok(script),
            Err(error) => Err(Error::other(format!(
                "this session can't be saved: as one script its inputs don't fit together: {error}"
            ))
            .hint(":reset begins a new session; the inputs of this one are in the history")),
        }
    }
}
