//! rhai's own errors in avec's words.

use rhai::{EvalAltResult, ParseErrorType};

use super::catalog::{Catalog, Type};
use super::literal::shortened;
use crate::error::count;
use crate::suggest::nearest;

/// Message and hints of rhai's own errors.
/// `names` are those that the script introduces.
pub fn words(error: &EvalAltResult, names: &[String], catalog: &Catalog) -> (String, Vec<String>) {
    use EvalAltResult as E;
    let none = Vec::new();
    let text = error.to_string();
    if let Some((_, rest)) = text.split_once("nknown property '") {
        // "..n_layer' - a getter is not registered for type 'Model'"
        let mut parts = rest.split('\'');
        let property = parts.next().unwrap_or_default();
        return no_property(parts.nth(1).unwrap_or_default(), property, catalog);
    }
    if let Some((_, rest)) = text.split_once("o writable property '") {
        // "..name' - a setter is not registered for type 'Model' to handle 'string'"
        let mut parts = rest.split('\'');
        let property = parts.next().unwrap_or_default();
        return not_writable(parts.nth(1).unwrap_or_default(), property, catalog);
    }
    match error {
        E::ErrorParsing(kind, _) => parse_words(kind, names),
        E::ErrorVariableNotFound(name, _) => (
            format!("there is no variable `{name}`"),
            did_you_mean(name, names),
        ),
        E::ErrorPropertyNotFound(name, _) => (
            format!("there is no property `{name}`"),
            vec!["map.keys() lists those that an object map has".into()],
        ),
        E::ErrorFunctionNotFound(signature, _) => unknown_function(signature, catalog),
        E::ErrorModuleNotFound(name, _) => (format!("there is no module `{name}`"), none),
        E::ErrorMismatchDataType(expected, found, _)
        | E::ErrorMismatchOutputType(expected, found, _) => (
            format!(
                "{} was expected here, and this is {}",
                Type::spelled(expected).with_article(),
                Type::spelled(found).with_article()
            ),
            none,
        ),
        E::ErrorIndexingType(name, _) => not_indexed(name),
        E::ErrorIndexNotFound(index, _) => (
            format!("there is nothing at index {}", shortened(index)),
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

fn parse_words(kind: &ParseErrorType, names: &[String]) -> (String, Vec<String>) {
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
            did_you_mean(name, names),
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
fn unknown_function(signature: &str, catalog: &Catalog) -> (String, Vec<String>) {
    let (name, types) = match signature.split_once(" (") {
        Some((name, types)) => (name, types.trim_end_matches(')')),
        None => (signature, ""),
    };
    let name = name.rsplit("::").next().unwrap_or(name);
    if let Some(property) = name.strip_prefix("get$").or(name.strip_prefix("set$")) {
        let owner = types.split(',').next().unwrap_or_default();
        return no_property(owner, property, catalog);
    }
    if name.starts_with("index$") {
        return not_indexed(types.split(',').next().unwrap_or_default());
    }
    let types: Vec<String> = types
        .split(", ")
        .filter(|t| !t.is_empty())
        .map(|t| Type::spelled(t).to_string())
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
    let forms = catalog.forms(name);
    if forms.is_empty() {
        return (
            format!("there is no function `{name}`"),
            did_you_mean(name, &catalog.function_names()),
        );
    }
    (
        format!("`{name}` can't be called with ({})", types.join(", ")),
        forms.iter().map(|form| format!("it is {form}")).collect(),
    )
}

fn not_indexed(owner: &str) -> (String, Vec<String>) {
    let owner = Type::spelled(owner);
    let hint = if [Type::ARRAY, Type::STRING, Type::TENSOR].contains(&owner) {
        "an index is an integer: x[0], x[-1]"
    } else if owner == Type::MAP {
        "an index of an object map is a string: map[\"key\"]"
    } else if owner == Type::CACHE {
        "an index of a cache is a hook point's name: cache[\"resid_pre1\"]"
    } else {
        "arrays, strings, object maps, tensors and caches can be indexed"
    };
    (
        format!("a value of type {owner} can't be indexed like this"),
        vec![hint.into()],
    )
}

fn no_property(owner: &str, property: &str, catalog: &Catalog) -> (String, Vec<String>) {
    let owner = Type::spelled(owner);
    let forms = catalog.forms(property);
    let method = forms
        .iter()
        .find(|form| !form.is_property && form.receiver() == Some(&owner));
    if let Some(method) = method {
        let arguments: Vec<&str> = method.parameters[1..]
            .iter()
            .map(|parameter| parameter.name.as_str())
            .collect();
        return (
            format!("`{property}` is a method of {owner}, not a property"),
            vec![format!("call it: .{property}({})", arguments.join(", "))],
        );
    }
    let owners: Vec<String> = forms
        .iter()
        .filter(|form| form.is_property)
        .filter_map(|form| Some(form.receiver()?.to_string()))
        .collect();
    // The very name, of something else, is no other name to suggest.
    let hints = match forms.first() {
        None => did_you_mean(property, &catalog.names()),
        Some(form) if owners.is_empty() => vec![format!("`{property}` is a function: {form}")],
        Some(_) => vec![format!(
            "`{property}` is a property of {}",
            owners.join(", ")
        )],
    };
    (
        format!("a value of type {owner} has no property `{property}`"),
        hints,
    )
}

fn not_writable(owner: &str, property: &str, catalog: &Catalog) -> (String, Vec<String>) {
    let owner = Type::spelled(owner);
    let readable = catalog
        .forms(property)
        .iter()
        .any(|form| form.is_property && form.receiver() == Some(&owner));
    if readable {
        return (
            format!(
                "`{property}` of {} can only be read, not set",
                owner.with_article()
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
pub fn names_in(text: &str) -> Vec<String> {
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
