//! rhai's errors in avec's words, with their places.

use rhai::{AST, EvalAltResult, ParseErrorType, Position};

use super::diagnostic::{Diagnostic, Label};
use super::fault::{Fault, Problem};
use super::locate::{option_key, word_length};
use super::options::literal;
use super::reference::Reference;
use crate::error::count;
use crate::suggest::nearest;

/// The script that was run.
pub struct Script<'a> {
    pub name: &'a str,
    pub text: &'a str,
    /// None if it did not compile.
    pub ast: Option<&'a AST>,
}

impl Script<'_> {
    fn label(&self, place: Position, length: Option<usize>, text: &str) -> Option<Label> {
        let line = place.line()?;
        // Nothing is known of a file that is gone.
        let known = !self.text.is_empty();
        let source = self.text.lines().nth(line - 1).unwrap_or_default();
        let column = place.position().unwrap_or(1);
        Some(Label {
            file: self.name.to_owned(),
            line,
            column,
            length: length.unwrap_or_else(|| word_length(source, column)),
            source: known.then(|| source.to_owned()),
            text: text.to_owned(),
        })
    }
}

/// An error of a script, told whole.
pub fn diagnose(error: &EvalAltResult, script: &Script, reference: &Reference) -> Diagnostic {
    diagnose_in(error, script, script, reference)
}

/// `main` is what was run, `script` the text that the error's places are in.
fn diagnose_in(
    error: &EvalAltResult,
    script: &Script,
    main: &Script,
    reference: &Reference,
) -> Diagnostic {
    match error {
        // The error itself is told first, then where it was called from.
        EvalAltResult::ErrorInFunctionCall(name, source, inner, pos) => {
            // A closure is where it was written; rhai names the file that called it.
            let closure = name.starts_with("anon$");
            let known = |ast: &AST| ast.iter_functions().any(|f| f.name == name);
            let source = if closure && main.ast.is_some_and(known) {
                main.name
            } else {
                source
            };
            let mut diagnostic = in_file(inner, source, script, main, reference);
            let called = if closure {
                "called a closure here".to_owned()
            } else {
                format!("called `{name}` here")
            };
            if let Some(label) = script.label(*pos, None, &called) {
                diagnostic.labels.push(label);
            }
            diagnostic
        }
        EvalAltResult::ErrorInModule(path, inner, pos) => {
            let mut diagnostic = in_file(inner, path, script, main, reference);
            if let Some(label) = script.label(*pos, None, "imported here") {
                diagnostic.labels.push(label);
            }
            diagnostic
        }
        EvalAltResult::ErrorRuntime(value, pos) => match value.clone().try_cast::<Fault>() {
            Some(fault) => diagnose_fault(&fault, *pos, script),
            None => {
                // A text is a message of the script's own; another value alone tells nothing.
                let text = value.read_lock::<rhai::ImmutableString>();
                let thrown = match text.as_deref() {
                    Some(text) => text.to_string(),
                    None if value.is_unit() => "the script threw an error".into(),
                    None => format!("the script threw {}", literal(value)),
                };
                simple(thrown, *pos, script)
            }
        },
        other => {
            let (message, hints) = words(other, script, reference);
            let mut diagnostic = simple(message, other.position(), script);
            diagnostic.hints = hints;
            diagnostic
        }
    }
}

/// An error inside of another file is placed in that file's text.
fn in_file(
    inner: &EvalAltResult,
    source: &str,
    script: &Script,
    main: &Script,
    reference: &Reference,
) -> Diagnostic {
    if source.is_empty() || source == script.name {
        return diagnose_in(inner, script, main, reference);
    }
    // A module can call what the main text gave it.
    if source == main.name {
        return diagnose_in(inner, main, main, reference);
    }
    // A module's name is its file's without the ending.
    let name = format!("{source}.rhai");
    let text = std::fs::read_to_string(&name).unwrap_or_default();
    let other = Script {
        name: &name,
        text: &text,
        ast: None,
    };
    diagnose_in(inner, &other, main, reference)
}

fn simple(message: String, place: Position, script: &Script) -> Diagnostic {
    Diagnostic {
        message,
        labels: script.label(place, None, "").into_iter().collect(),
        hints: Vec::new(),
    }
}

fn diagnose_fault(fault: &Fault, call: Position, script: &Script) -> Diagnostic {
    let place = |problem: &Problem, text: &str| {
        let found = problem.keys.iter().find_map(|key| {
            // A part of a value, such as tokens[2], is placed at the whole.
            let key = key.split('[').next().unwrap_or(key);
            let place = option_key(script.ast?, call, key)?;
            Some((key, place))
        });
        match found {
            Some((key, found)) if problem.at_key => {
                script.label(found.key, Some(key.chars().count()), text)
            }
            Some((_, found)) => script.label(found.value, None, text),
            None => script.label(call, None, text),
        }
    };
    if let [problem] = fault.problems.as_slice() {
        return Diagnostic {
            message: problem.error.message(),
            labels: place(problem, "").into_iter().collect(),
            hints: problem.error.hints(),
        };
    }
    let mut diagnostic = Diagnostic {
        message: format!("this call has {}", count(fault.problems.len(), "error")),
        ..Diagnostic::default()
    };
    for problem in &fault.problems {
        let mut text = problem.error.message();
        // The hint goes with its place: a list of them below would not say which is whose.
        if let Some(hint) = problem.error.hints().first() {
            text.push_str("; ");
            text.push_str(hint);
        }
        diagnostic.labels.extend(place(problem, &text));
    }
    diagnostic
        .labels
        .sort_by_key(|label| (label.line, label.column));
    diagnostic
}

/// Message and hints of rhai's own errors.
fn words(error: &EvalAltResult, script: &Script, reference: &Reference) -> (String, Vec<String>) {
    use EvalAltResult as E;
    let none = Vec::new();
    let text = error.to_string();
    if let Some((_, rest)) = text.split_once("nknown property '") {
        // "..n_layer' - a getter is not registered for type 'Model'"
        let mut parts = rest.split('\'');
        let property = parts.next().unwrap_or_default();
        return no_property(parts.nth(1).unwrap_or_default(), property, reference);
    }
    if let Some((_, rest)) = text.split_once("o writable property '") {
        // "..name' - a setter is not registered for type 'Model' to handle 'string'"
        let mut parts = rest.split('\'');
        let property = parts.next().unwrap_or_default();
        return not_writable(parts.nth(1).unwrap_or_default(), property, reference);
    }
    match error {
        E::ErrorParsing(kind, _) => parse_words(kind, script),
        E::ErrorVariableNotFound(name, _) => (
            format!("there is no variable `{name}`"),
            did_you_mean(name, &names_in(script.text)),
        ),
        E::ErrorPropertyNotFound(name, _) => (
            format!("there is no property `{name}`"),
            vec!["map.keys() lists those that an object map has".into()],
        ),
        E::ErrorFunctionNotFound(signature, _) => unknown_function(signature, reference),
        E::ErrorModuleNotFound(name, _) => (format!("there is no module `{name}`"), none),
        E::ErrorMismatchDataType(expected, found, _)
        | E::ErrorMismatchOutputType(expected, found, _) => (
            format!(
                "{} was expected here, and this is {}",
                article(expected),
                article(found)
            ),
            none,
        ),
        E::ErrorIndexingType(name, _) => not_indexed(name),
        E::ErrorIndexNotFound(index, _) => (
            format!("there is nothing at index {}", literal(index)),
            none,
        ),
        E::ErrorArrayBounds(0, index, _) => (
            format!("there is no index {index}: the array is empty"),
            vec!["ask a.is_empty() first".into()],
        ),
        E::ErrorArrayBounds(n, index, _) => (
            format!(
                "there is no index {index}: the array has {}, 0 to {}",
                count(*n, "element"),
                n - 1
            ),
            vec!["a[0] is the first and a[-1] the last".into()],
        ),
        E::ErrorStringBounds(n, index, _) => (
            format!(
                "there is no index {index}: the string has {}",
                count(*n, "character")
            ),
            match n {
                0 => vec!["ask s.is_empty() first".into()],
                _ => vec!["s[0] is the first and s[-1] the last".into()],
            },
        ),
        E::ErrorFor(_) => (
            "`for` needs something to go through: an array, a range, a string".into(),
            none,
        ),
        E::ErrorAssignmentToConstant(name, _) => (
            format!("`{name}` is a constant and can't be changed"),
            vec!["make it a variable with `let`".into()],
        ),
        E::ErrorNonPureMethodCallOnConstant(name, _) => (
            format!("`{name}` changes its value, and this is a constant"),
            vec!["make it a variable with `let`".into()],
        ),
        E::ErrorVariableExists(name, _) => (format!("there is a variable `{name}` already"), none),
        E::ErrorForbiddenVariable(name, _) => (format!("a variable can't be named `{name}`"), none),
        E::ErrorArithmetic(text, _) => (lower_first(text), none),
        E::ErrorDotExpr(text, _) => (
            if text.is_empty() {
                "this can't stand behind a dot".into()
            } else {
                lower_first(text)
            },
            none,
        ),
        E::ErrorTooManyOperations(_) => (
            "the script ran too long without coming to an end".into(),
            vec!["is there a loop without an end?".into()],
        ),
        E::ErrorStackOverflow(_) => (
            "functions call each other too deeply".into(),
            vec!["is there a function that calls itself without an end?".into()],
        ),
        E::ErrorTooManyVariables(_) => ("the script has too many variables".into(), none),
        E::ErrorTooManyModules(_) => ("the script imports too many modules".into(), none),
        E::ErrorDataTooLarge(what, _) => (
            format!("too large for a script: {}", lower_first(what)),
            none,
        ),
        other => (lower_first(&without_position(&other.to_string())), none),
    }
}

fn parse_words(kind: &ParseErrorType, script: &Script) -> (String, Vec<String>) {
    use ParseErrorType as P;
    let none = Vec::new();
    match kind {
        P::UnexpectedEOF => (
            "the script ends in the middle of something".into(),
            vec!["is a bracket, a brace or a string still open?".into()],
        ),
        P::MissingToken(token, what) => (
            format!("`{token}` is missing here {}", lower_first(what)),
            none,
        ),
        P::UnknownOperator(op) => (format!("`{op}` is not an operator"), none),
        P::Reserved(word) => (
            format!("`{word}` is a word that the language keeps for itself"),
            vec!["use another name, or write it as a string: \"..\"".into()],
        ),
        P::VariableUndefined(name) => (
            format!("there is no variable `{name}`"),
            did_you_mean(name, &names_in(script.text)),
        ),
        P::ModuleUndefined(name) => (format!("there is no module `{name}`"), none),
        P::DuplicatedProperty(name) => (format!("`{name}` is given twice"), none),
        P::AssignmentToConstant(name) => (
            format!("`{name}` is a constant and can't be changed"),
            vec!["make it a variable with `let`".into()],
        ),
        P::ExprExpected(_) => ("an expression was expected here".into(), none),
        P::LiteralTooLarge(what, _) => (
            format!("too large for a script: {}", lower_first(what)),
            none,
        ),
        P::ExprTooDeep => ("this expression is nested too deeply".into(), none),
        other => (lower_first(&other.to_string()), none),
    }
}

/// `name (type, type)` as rhai writes calls that fit no function.
fn unknown_function(signature: &str, reference: &Reference) -> (String, Vec<String>) {
    let (name, types) = match signature.split_once(" (") {
        Some((name, types)) => (name, types.trim_end_matches(')')),
        None => (signature, ""),
    };
    let name = name.rsplit("::").next().unwrap_or(name);
    if let Some(property) = name.strip_prefix("get$").or(name.strip_prefix("set$")) {
        let owner = types.split(',').next().unwrap_or_default();
        return no_property(owner, property, reference);
    }
    if name.starts_with("index$") {
        return not_indexed(types.split(',').next().unwrap_or_default());
    }
    let types: Vec<String> = types
        .split(", ")
        .filter(|t| !t.is_empty())
        .map(short)
        .collect();
    let operator = !name
        .chars()
        .next()
        .is_some_and(|c| c.is_alphabetic() || c == '_');
    if operator {
        return (
            match types.as_slice() {
                [one] => format!("`{name}` can't be used on {one}"),
                _ => format!("`{name}` can't be used between {}", types.join(" and ")),
            },
            Vec::new(),
        );
    }
    let forms = reference.signatures(name);
    if forms.is_empty() {
        return (
            format!("there is no function `{name}`"),
            did_you_mean(name, &reference.names()),
        );
    }
    (
        format!("`{name}` can't be called with ({})", types.join(", ")),
        forms
            .into_iter()
            .map(|form| format!("it is {form}"))
            .collect(),
    )
}

fn not_indexed(owner: &str) -> (String, Vec<String>) {
    let hint = match short(owner).as_str() {
        "array" | "string" | "Tensor" => "an index is an integer: x[0], x[-1]",
        "object map" => "an index of an object map is a string: map[\"key\"]",
        "Cache" => "an index of a cache is a hook point's name: cache[\"resid_pre1\"]",
        _ => "arrays, strings, object maps, tensors and caches can be indexed",
    };
    (
        format!(
            "a value of type {} can't be indexed like this",
            short(owner)
        ),
        vec![hint.into()],
    )
}

fn no_property(owner: &str, property: &str, reference: &Reference) -> (String, Vec<String>) {
    let owner = short(owner);
    let forms = reference.signatures(property);
    // "logits(model: Model, text: any) -> Tensor": a method of its first parameter's type.
    let parameters = |form: &String| {
        let (inside, _) = form
            .strip_prefix(property)?
            .strip_prefix('(')?
            .split_once(')')?;
        let mut parameters = inside.split(", ").map(str::to_owned);
        let receiver = parameters.next()?;
        let kind = receiver.split_once(": ")?.1.to_owned();
        let names = parameters.filter_map(|p| Some(p.split_once(": ")?.0.to_owned()));
        Some((kind, names.collect::<Vec<_>>()))
    };
    let methods: Vec<_> = forms.iter().filter_map(parameters).collect();
    if let Some((_, names)) = methods.iter().find(|(kind, _)| *kind == owner) {
        return (
            format!("`{property}` is a method of {owner}, not a property"),
            vec![format!("call it: .{property}({})", names.join(", "))],
        );
    }
    // The very name, of something else, is no other name to suggest.
    let hints = if forms.is_empty() {
        did_you_mean(property, &reference.properties())
    } else if forms
        .iter()
        .all(|form| form.starts_with(&format!("{property}(")))
    {
        vec![format!("`{property}` is a function: {}", forms[0])]
    } else {
        let owners: Vec<&str> = forms
            .iter()
            .filter_map(|form| {
                form.strip_suffix(property)?
                    .strip_suffix('.')?
                    .split(": ")
                    .nth(1)
            })
            .collect();
        vec![format!(
            "`{property}` is a property of {}",
            owners.join(", ")
        )]
    };
    (
        format!("a value of type {owner} has no property `{property}`"),
        hints,
    )
}

fn not_writable(owner: &str, property: &str, reference: &Reference) -> (String, Vec<String>) {
    let owner = short(owner);
    let readable = reference
        .signatures(property)
        .iter()
        .any(|form| form.ends_with(&format!(": {owner}.{property}")));
    if readable {
        return (
            format!(
                "`{property}` of {} can only be read, not set",
                article(&owner)
            ),
            vec![format!(
                "keep a value of your own in a variable: let {property} = .."
            )],
        );
    }
    (
        format!("a value of type {owner} has no property `{property}` to set"),
        vec!["only object maps take new properties: let x = #{}; x.y = 1".into()],
    )
}

fn did_you_mean(name: &str, known: &[String]) -> Vec<String> {
    // A name can be written somewhere and still not be there, such as after a failure.
    let others: Vec<&String> = known.iter().filter(|known| *known != name).collect();
    nearest(name, &others)
        .map(|close| format!("did you mean `{close}`?"))
        .into_iter()
        .collect()
}

/// The names that a script introduces.
fn names_in(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    while let Some(word) = words.next() {
        if matches!(word, "let" | "const" | "for")
            && let Some(name) = words.next()
            && !name.is_empty()
        {
            names.push(name.to_owned());
        }
    }
    names
}

/// A type's name as scripts know it.
pub fn short(name: &str) -> String {
    let name = name.trim().trim_start_matches("&mut ");
    // "Tensor [range]" is how rhai writes an index of a wrong type.
    let name = name.split(" [").next().unwrap_or(name);
    // "&str | ImmutableString | String" is how rhai writes a string that a function could take.
    let name = name.split(" | ").next().unwrap_or(name);
    match name {
        "i64" => "integer".into(),
        "f64" => "number".into(),
        "()" => "()".into(),
        "&str" | "String" | "ImmutableString" | "string" => "string".into(),
        "map" | "Map" => "object map".into(),
        "Array" => "array".into(),
        "Dynamic" => "any".into(),
        _ if name.ends_with("HookedTransformer") => "Model".into(),
        _ if name.ends_with("ActivationCache") => "Cache".into(),
        _ => name.rsplit("::").next().unwrap_or(name).to_owned(),
    }
}

fn article(name: &str) -> String {
    let name = short(name);
    match name.chars().next() {
        Some(c) if "aeiou".contains(c.to_ascii_lowercase()) => format!("an {name}"),
        Some('(') | None => name,
        Some(_) => format!("a {name}"),
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        // "I" and names in capitals stay.
        Some(first) if chars.clone().next().is_some_and(|c| c.is_lowercase()) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

/// rhai ends its messages with " (line L, position C)".
fn without_position(text: &str) -> String {
    match text.rfind(" (line ") {
        Some(at) => text[..at].to_owned(),
        None => text.to_owned(),
    }
}
