//! Runs what was typed, keeps what it made, and notes what can be saved of it.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use rhai::{AST, ASTFlags, ASTNode, Dynamic, EvalAltResult, Stmt};

use super::saved::{Entry, Failed, Failure, Refusal, Shown, place_in};
use super::shown::shown;
use super::state::{Interactive, LAST};
use super::transcript::{TRANSCRIPT, is_of_session};
use crate::analysis::Completions;
use crate::error::Result;
use crate::report::printable;
use crate::script::host::Stopped;
use crate::script::source::{check_comments, folder_of, read_script};
use crate::script::syntax::{Statement, statements};
use crate::script::table::drawn;

impl Interactive {
    /// Runs an input. Its value is `_` from then on.
    ///
    /// Gives the text that shows the value, unless it is `()` or the input ends in `;`.
    ///
    /// # Errors
    /// If the input has an error or is stopped. What it did before stays.
    pub fn eval(&mut self, text: &str) -> Result<Option<String>, Stopped> {
        self.inputs += 1;
        self.typed = Some(text.trim().to_owned());
        let name = format!("repl[{}]", self.inputs);
        check_comments(text, &name)?;
        self.run(&name, text, PathBuf::new())
    }

    /// Runs a script file as if it were typed in: what it defines stays.
    ///
    /// # Errors
    /// If the file can't be read, or as for an input.
    pub fn load(&mut self, path: &Path) -> Result<Option<String>, Stopped> {
        let text = read_script(path)?;
        self.run(&path.display().to_string(), &text, folder_of(path))
    }

    /// `folder` is where the text's imports start from.
    fn run(&mut self, name: &str, text: &str, folder: PathBuf) -> Result<Option<String>, Stopped> {
        self.session().run.cancel.lower();
        self.session().run.begin();
        self.session().look_at(text);
        let first_line = self.transcript.push(name, text);
        self.host.modules.begin(first_line, &folder);
        self.mark_underscores(text, first_line - 1);
        // Empty lines keep this text's lines apart from those before.
        let padded = format!("{}{text}", "\n".repeat(first_line - 1));
        let compiled = self.engine().compile_with_scope(&self.scope, padded);
        let ast = match compiled {
            Ok(ast) => ast,
            Err(error) => return Err(self.stopped(&error.into(), None)),
        };
        let returns = self.returns(&ast);
        let pointers = self.pointers_under(&ast);
        self.placed.store(false, Ordering::Relaxed);
        let variables = self.scope.len();
        let mut ast = self.functions.merge(&ast);
        ast.set_source(TRANSCRIPT);
        let result = self
            .host
            .engine
            .eval_ast_with_scope::<Dynamic>(&mut self.scope, &ast);
        // What was imported or defined before an error stays, as variables do.
        self.keep_imports(&ast);
        let mut entry = Entry {
            name: name.to_owned(),
            text: text.trim_end().to_owned(),
            shown: Shown::Not,
            valued: false,
            folder,
            refusal: None,
            pointers,
        };
        let result = result.map_err(|error| {
            let (place, is_sure) = self.place_of(&error, text, variables);
            let failed = self.failed(text, place, &error);
            let returned = returns.iter().find(|at| **at < failed.end);
            entry.refusal = if !is_sure {
                Some(Refusal::new(
                    name.to_owned(),
                    "it failed, and which of its statements had run can't be seen",
                    "run its statements one by one",
                ))
            } else if let Some(at) = failed.stopped {
                Some(Refusal::new(
                    place_in(name, text, at),
                    "this was stopped after it may have changed something, and a script would not stop there",
                    "let it run to its end",
                ))
            } else {
                self.refusal(name, text, returned.copied())
            };
            if let Some(text) = failed.text {
                self.entries.push(Entry { text, ..entry.clone() });
            } else if entry.refusal.is_some() {
                self.entries.push(Entry { text: String::new(), ..entry.clone() });
            }
            self.stopped(&error, Some(&ast))
        });
        ast.clear_statements();
        self.functions = ast;
        let value = result?;
        let (shown, drawing) = self.show(text, &value);
        if drawing.as_deref().is_some_and(is_of_session) {
            self.placed.store(true, Ordering::Relaxed);
        }
        let valued = !value.is_unit();
        if valued {
            // Its place may be that of a constant, which can't be set.
            let _ = self.scope.remove::<Dynamic>(LAST);
            self.scope.push_dynamic(LAST, value);
        }
        self.entries.push(Entry {
            shown,
            valued,
            refusal: self.refusal(name, text, returns.first().copied()),
            ..entry
        });
        Ok(drawing)
    }

    /// Where in the last text a `return` stands, in bytes, as far as it can be reached. It ends an
    /// input, and would end a whole script; a closure's own ends only the closure.
    fn returns(&self, ast: &AST) -> Vec<usize> {
        let mut returns = Vec::new();
        for statement in ast.statements() {
            let is_return = |statement: &Stmt| matches!(statement, Stmt::Return(_, flags, _) if !flags.contains(ASTFlags::BREAK));
            statement.walk(&mut Vec::new(), &mut |path: &[ASTNode]| {
                if let Some(ASTNode::Stmt(inner)) = path.last()
                    && is_return(inner)
                {
                    returns.extend(self.transcript.place_in_last(inner.position()));
                }
                true
            });
            if is_return(statement) {
                // What follows is not run.
                break;
            }
        }
        returns.sort_unstable();
        returns
    }

    /// The variables that hold functions, if a text defines one again.
    fn pointers_under(&self, ast: &AST) -> Vec<String> {
        let again = ast.iter_functions().any(|new| {
            let mut known = self.functions.iter_functions();
            known.any(|old| old.name == new.name && old.params.len() == new.params.len())
        });
        if !again {
            return Vec::new();
        }
        let variables = self.scope.iter_raw();
        let holding = variables.filter(|(_, _, value)| holds_function(value));
        holding.map(|(name, ..)| name.to_owned()).collect()
    }

    /// What an input that has failed at `place` left behind.
    fn failed(&self, text: &str, place: usize, error: &EvalAltResult) -> Failed {
        let function = |name: &str| {
            let texts = self.entries.iter().map(|entry| entry.text.as_str());
            texts.chain([text]).rev().find_map(|text| {
                let all = statements(text);
                let named = |s: &&Statement| s.function.as_ref().is_some_and(|f| f.name == name);
                all.iter().rfind(named).map(|s| s.of(text).to_owned())
            })
        };
        let failure = Failure {
            place,
            is_catchable: root(error).is_catchable(),
            is_unknown_call: matches!(error, EvalAltResult::ErrorFunctionNotFound(..)),
            function: &function,
        };
        Failed::of(text, &failure)
    }

    /// What a script would do differently, as far as only running it shows that.
    fn refusal(&self, name: &str, text: &str, returned: Option<usize>) -> Option<Refusal> {
        if let Some(at) = returned {
            let (what, hint) = match statements(text).iter().any(|s| s.range.start == at) {
                true => ("`return`", "write its value alone"),
                false => ("`return` within a statement", "write it with if and else"),
            };
            return Some(Refusal::new(
                place_in(name, text, at),
                format!("{what} ends an input here, and would end the whole script"),
                hint,
            ));
        }
        self.placed.load(Ordering::Relaxed).then(|| {
            Refusal::new(
                name.to_owned(),
                "it shows the place of an error or the name of a closure, which is another one in a script",
                "show an error's message alone, and what a closure gives",
            )
        })
    }

    /// Makes what an input has imported known to all that follow.
    fn keep_imports(&mut self, ast: &AST) {
        for (place, module) in self.host.modules.imported() {
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

    /// Where in the text that was run an error ended it, and whether that is sure.
    fn place_of(
        &self,
        error: &EvalAltResult,
        text: &str,
        variables_before: usize,
    ) -> (usize, bool) {
        if let Some(place) = self.transcript.place_in_last(error.position()) {
            return (place, true);
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
        let place = all.get(next).map_or(0, |statement| statement.range.start);
        // Any statement up to the next variable can be it.
        let rest = all.get(next..).unwrap_or_default().iter();
        let mut rest = rest.filter(|s| s.function.is_none());
        let is_first = rest
            .next()
            .is_some_and(|s| makes("let")(&s) || makes("const")(&s));
        (place, is_first || rest.next().is_none())
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
        (Shown::Value, Some(printable(&text).into_owned()))
    }
}

/// Whether a value is a function, or has one in it.
fn holds_function(value: &Dynamic) -> bool {
    if value.is_fnptr() {
        return true;
    }
    if let Some(array) = value.read_lock::<rhai::Array>() {
        return array.iter().any(holds_function);
    }
    let map = value.read_lock::<rhai::Map>();
    map.is_some_and(|map| map.values().any(holds_function))
}

/// The error inside of calls and modules.
fn root(error: &EvalAltResult) -> &EvalAltResult {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _)
        | EvalAltResult::ErrorInModule(_, inner, _) => root(inner),
        other => other,
    }
}
