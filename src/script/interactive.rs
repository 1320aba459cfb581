//! A session that is typed in piece by piece: variables, functions and imports stay, values show
//! themselves, and what worked can be saved as a script.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rhai::{AST, Dynamic, Engine, EvalAltResult, ParseErrorType, Scope, Token};

use super::bindings::drawn;
use super::diagnostic::Diagnostic;
use super::host::{Host, Stopped};
use super::prose::short;
use super::remembered::Change;
use super::resolver::FolderResolver;
use super::scan::{Kind, is_open, last_statement, scan, underscores};
use super::session::Session;
use super::source::{folder_of, read_script};
use crate::analysis::Completions;
use crate::error::{Error, Result};
use crate::transformer::HookedTransformer;

/// One interactive session.
pub struct Interactive {
    host: Host,
    scope: Scope<'static>,
    /// The functions of all inputs.
    functions: AST,
    /// `import` statements, which hold only for the text that they stand in.
    imports: Vec<String>,
    chunks: Vec<Chunk>,
    entries: Vec<Entry>,
    inputs: usize,
    /// Line and column of every `_` of the current input that is a value.
    underscores: Arc<Mutex<BTreeSet<(usize, usize)>>>,
}

/// A text that was run. All of them, one after the other, number the lines, so that an error inside
/// of a function finds the text that the function was typed in.
struct Chunk {
    name: String,
    text: String,
    /// The number of its first line, from 1.
    first_line: usize,
}

/// An input that worked, for saving.
struct Entry {
    text: String,
    shown: Shown,
}

/// How an input's value was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Not,
    Value,
    Table,
}

/// A variable, for listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    pub name: String,
    pub kind: String,
    pub value: String,
}

/// The variable that holds the last value.
const LAST: &str = "_";

impl Interactive {
    pub fn new(mut session: Session) -> Self {
        session.remembers = true;
        let mut host = Host::new(session);
        let underscores = Arc::new(Mutex::new(BTreeSet::new()));
        // rhai keeps `_` for the default of `switch`; elsewhere it is the last value here.
        let values = underscores.clone();
        #[allow(
            deprecated,
            reason = "rhai marks all that may still change as deprecated"
        )]
        host.engine.on_parse_token(move |token, position, _| {
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
        host.engine
            .set_module_resolver(FolderResolver::new(Some(Path::new("."))));
        Self {
            host,
            scope: Scope::new(),
            functions: AST::empty(),
            imports: Vec::new(),
            chunks: Vec::new(),
            entries: Vec::new(),
            inputs: 0,
            underscores,
        }
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    pub fn session(&self) -> &Arc<Session> {
        self.host.session()
    }

    /// Whether a text is half an input, and Enter should begin another line of it.
    pub fn is_incomplete(&self, text: &str) -> bool {
        if is_open(text) {
            return true;
        }
        self.mark_underscores(text, 0);
        match self.engine().compile(text) {
            Ok(_) => false,
            Err(error) => matches!(*error.0, ParseErrorType::UnexpectedEOF),
        }
    }

    fn engine(&self) -> &Engine {
        &self.host.engine
    }

    /// Runs an input. Its value is `_` from then on.
    ///
    /// Gives the text that shows the value, unless it is `()` or the input ends in `;`.
    pub fn eval(&mut self, text: &str) -> Result<Option<String>, Stopped> {
        self.inputs += 1;
        let name = format!("repl[{}]", self.inputs);
        self.run(&name, text)
    }

    /// Runs a script file as if it were typed in: what it defines stays.
    pub fn load(&mut self, path: &Path) -> Result<Option<String>, Stopped> {
        let text = read_script(path)?;
        self.host
            .engine
            .set_module_resolver(FolderResolver::new(Some(&folder_of(path))));
        let result = self.run(&path.display().to_string(), &text);
        self.host
            .engine
            .set_module_resolver(FolderResolver::new(Some(Path::new("."))));
        result
    }

    fn run(&mut self, name: &str, text: &str) -> Result<Option<String>, Stopped> {
        self.session().cancel.lower();
        let first_line = self.chunks.last().map_or(2, |chunk| {
            chunk.first_line + chunk.text.lines().count().max(1)
        });
        self.chunks.push(Chunk {
            name: name.to_owned(),
            text: text.to_owned(),
            first_line,
        });
        self.mark_underscores(text, first_line - 1);
        // Line 1 is for the imports; empty lines keep this text's lines apart from those before.
        let imports = self.imports.concat();
        let padded = format!("{imports}{}{text}", "\n".repeat(first_line - 1));
        let compiled = self.engine().compile_with_scope(&self.scope, padded);
        let ast = match compiled {
            Ok(ast) => ast,
            Err(error) => return Err(self.stopped(&error.into(), None)),
        };
        let mut ast = self.functions.merge(&ast);
        ast.set_source(TRANSCRIPT);
        let result = self
            .host
            .engine
            .eval_ast_with_scope::<Dynamic>(&mut self.scope, &ast);
        let value = match result {
            Ok(value) => value,
            Err(error) => return Err(self.stopped(&error, Some(&ast))),
        };
        ast.clear_statements();
        self.functions = ast;
        self.imports.extend(imports_of(text));
        let (shown, drawing) = self.show(text, &value);
        if !value.is_unit() {
            self.scope.set_value(LAST, value);
        }
        self.entries.push(Entry {
            text: text.trim().to_owned(),
            shown,
        });
        Ok(drawing)
    }

    /// Runs something that leaves no trace: no value, nothing to save.
    pub fn aside(&mut self, text: &str) -> Result<(), Stopped> {
        self.session().cancel.lower();
        self.host.run_text("avec", text)
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
                    let before = &text[..at];
                    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
                    (
                        lines_before + before.matches('\n').count() + 1,
                        before[line_start..].chars().count() + 1,
                    )
                })
                .collect();
        }
    }

    fn show(&self, text: &str, value: &Dynamic) -> (Shown, Option<String>) {
        if value.is_unit() || last_statement(text) >= text.trim_end().len() {
            return (Shown::Not, None);
        }
        if let Some(table) = value.clone().try_cast::<Completions>() {
            return (Shown::Table, Some(drawn(self.session(), &table)));
        }
        (Shown::Value, Some(self.debug_text(value)))
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
        let mut transcript = String::from("\n");
        for chunk in &self.chunks {
            transcript.push_str(&chunk.text);
            if !chunk.text.ends_with('\n') {
                transcript.push('\n');
            }
        }
        let mut stopped = self.host.stopped_in(error, TRANSCRIPT, &transcript, ast);
        if let Stopped::Failed(diagnostic) = &mut stopped {
            self.relabel(diagnostic);
        }
        stopped
    }

    fn relabel(&self, diagnostic: &mut Diagnostic) {
        for label in &mut diagnostic.labels {
            if label.file != TRANSCRIPT {
                continue;
            }
            let chunk = self.chunks.iter().rfind(|c| c.first_line <= label.line);
            if let Some(chunk) = chunk {
                label.file.clone_from(&chunk.name);
                label.line -= chunk.first_line - 1;
            }
        }
    }

    /// Forgets variables, functions, imports and what could be saved. Loaded models stay in memory.
    pub fn reset(&mut self) {
        self.scope.clear();
        self.functions = AST::empty();
        self.imports.clear();
        self.entries.clear();
    }

    /// The variables, in the order in which they were made; of several of one name the last.
    pub fn variables(&self) -> Vec<Variable> {
        // The scope gives the newest first.
        let mut variables: Vec<Variable> = Vec::new();
        for (name, _, value) in self.scope.iter_raw() {
            if name == LAST || variables.iter().any(|variable| variable.name == name) {
                continue;
            }
            variables.push(Variable {
                name: name.to_owned(),
                kind: short(self.engine().map_type_name(value.type_name())),
                value: self.debug_text(value),
            });
        }
        variables.reverse();
        variables
    }

    /// The functions that were typed in.
    pub fn functions(&self) -> Vec<String> {
        let names: BTreeSet<String> = self
            .functions
            .iter_functions()
            .map(|function| function.name.to_owned())
            .collect();
        names.into_iter().collect()
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
        let names = self.variables().into_iter().map(|variable| variable.name);
        let holding = names.filter(|name| self.scope.get(name).cloned().is_some_and(is_it));
        holding.last().unwrap_or_else(|| {
            let name = crate::steering::string_literal(model.name());
            format!("load_model({name})")
        })
    }

    /// The last input that worked.
    pub fn last_input(&self) -> Option<&str> {
        self.entries.last().map(|entry| entry.text.as_str())
    }

    /// The inputs that worked, as a script that prints what they showed.
    pub fn script(&self) -> String {
        let mut out = String::from("//! Saved from an interactive session.\n\n");
        let mut named = vec![false; self.entries.len()];
        let mut last_value = None;
        for (i, entry) in self.entries.iter().enumerate() {
            if !underscores(&entry.text).is_empty()
                && let Some(source) = last_value
            {
                named[source] = true;
            }
            if entry.shown != Shown::Not || is_expression(&entry.text) {
                last_value = Some(i);
            }
        }
        for (entry, named) in self.entries.iter().zip(named) {
            let text = with_underscores_named(&entry.text);
            let (before, last) = text.split_at(last_statement(&text));
            let last = last.trim_end().trim_end_matches(';');
            let print = match entry.shown {
                Shown::Not => None,
                Shown::Value => Some("debug"),
                Shown::Table => Some("pretty_print_completions"),
            };
            match (print, named) {
                (None, true) if last.is_empty() => {
                    // The value of an input that ends in `;`.
                    let whole = text.trim_end().trim_end_matches(';');
                    let (before, last) = whole.split_at(last_statement(whole));
                    out.push_str(&format!("{before}let {SAVED_LAST} = {last};\n"));
                }
                (None, _) => {
                    out.push_str(text.trim_end());
                    out.push_str(if text.trim_end().ends_with([';', '}']) {
                        "\n"
                    } else {
                        ";\n"
                    });
                }
                (Some(print), true) => out.push_str(&format!(
                    "{before}let {SAVED_LAST} = {last};\n{print}({SAVED_LAST});\n"
                )),
                (Some(print), false) => out.push_str(&format!("{before}{print}({last});\n")),
            }
        }
        out
    }
}

/// What the errors of typed text name as their file, until they are given their own.
const TRANSCRIPT: &str = "<transcript>";
/// What `_` is called in a saved script.
const SAVED_LAST: &str = "last_value";

/// Whether an input may have had a value although it was not shown.
fn is_expression(text: &str) -> bool {
    let whole = text.trim_end().trim_end_matches(';');
    let last = &whole[last_statement(whole)..];
    let first = scan(last)
        .into_iter()
        .find(|piece| piece.kind != Kind::Space);
    let statements = [
        "let", "const", "fn", "import", "export", "for", "while", "loop", "do", "if", "private",
    ];
    first.is_some_and(|piece| !statements.contains(&piece.of(last)))
        && text.trim_end().ends_with(';')
}

fn with_underscores_named(text: &str) -> String {
    let mut out = text.to_owned();
    for at in underscores(text).into_iter().rev() {
        out.replace_range(at..at + 1, SAVED_LAST);
    }
    out
}

/// The `import` statements of a text, outside of all brackets.
fn imports_of(text: &str) -> Vec<String> {
    let mut imports = Vec::new();
    let mut start = None;
    let mut depth = 0;
    for piece in scan(text) {
        match (piece.kind, piece.of(text)) {
            (Kind::Word, "import") if depth == 0 => start = Some(piece.range.start),
            (Kind::Symbol, "(" | "[" | "{") => depth += 1,
            (Kind::Symbol, ")" | "]" | "}") => depth -= 1,
            (Kind::Symbol, ";") if depth == 0 => {
                if let Some(start) = start.take() {
                    imports.push(format!(
                        "{};",
                        text[start..piece.range.start].replace('\n', " ")
                    ));
                }
            }
            _ => {}
        }
    }
    if let Some(start) = start {
        imports.push(format!("{};", text[start..].trim().replace('\n', " ")));
    }
    imports
}
