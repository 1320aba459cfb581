//! rhai's own errors in avec's words.

use rhai::{EvalAltResult, LexError, ParseErrorType, Position};

use super::catalog::{Catalog, Form, Type, keyword};
use super::habits::{self, instead_of};
use super::literal::shortened;
use super::syntax::{Brackets, TokenKind, lex, offset, significant, statements};
use super::table::ROW_KEYS;
use crate::error::count;
use crate::suggest::nearest;

/// Message and hints of rhai's own errors, in this text.
pub(super) fn words(error: &EvalAltResult, text: &str, catalog: &Catalog) -> (String, Vec<String>) {
    let (message, mut hints) = plain_words(error, text, catalog);
    let place = error.position();
    let is_syntax = matches!(error, EvalAltResult::ErrorParsing(..));
    // Of a call by name more is known than the words around it.
    let is_call = matches!(error, EvalAltResult::ErrorFunctionNotFound(signature, _)
        if signature.starts_with(|c: char| c.is_alphabetic() || c == '_'));
    let place = place.line().zip(place.position()).filter(|_| !is_call);
    if let Some(place) = place
        && let Some(advice) = habits::advice(text, place, is_syntax, catalog)
    {
        // What was meant is known: no likely name, no general advice beside it.
        hints = vec![advice];
    }
    (message, hints)
}

fn plain_words(error: &EvalAltResult, script: &str, catalog: &Catalog) -> (String, Vec<String>) {
    let names = &names_in(script);
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
        E::ErrorParsing(kind, place) => {
            if let ParseErrorType::VariableUndefined(name) = kind {
                return (
                    format!("there is no variable `{name}`"),
                    unseen(name.as_str(), script, *place, names),
                );
            }
            parse_words(kind, names)
        }
        E::ErrorVariableNotFound(name, place) => (
            format!("there is no variable `{name}`"),
            unseen(name, script, *place, names),
        ),
        E::ErrorPropertyNotFound(name, _) => (format!("there is no property `{name}`"), {
            let mut keys: Vec<String> = ROW_KEYS.map(str::to_owned).into();
            keys.extend(keys_in(script));
            let mut hints = did_you_mean(name, &keys);
            hints.push("map.keys() lists those that an object map has".into());
            hints
        }),
        E::ErrorFunctionNotFound(signature, place) => {
            unknown_function(signature, script, *place, catalog)
        }
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
            vec![
                "the rows of a table are table.to_array(), the keys of an object map map.keys()"
                    .into(),
            ],
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
            match token.as_str() {
                "{" => vec!["a block stands in braces: if x { .. }".into()],
                _ => none,
            },
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
        P::BadInput(LexError::ImproperSymbol(sign, _))
            if sign.chars().all(|c| c.is_ascii_punctuation()) && !sign.is_empty() =>
        {
            (format!("`{sign}` is not an operator"), none)
        }
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

/// More forms than these are for help to list.
const FORMS: usize = 4;

/// `name (type, type)` as rhai writes calls that fit no function.
fn unknown_function(
    signature: &str,
    script: &str,
    place: Position,
    catalog: &Catalog,
) -> (String, Vec<String>) {
    if let Some(kind) = signature.strip_prefix("elements of ")
        && let Some(kind) = kind.strip_suffix(" cannot be sorted")
    {
        return (
            format!("elements of type {} can't be sorted", Type::spelled(kind)),
            vec!["give the order: a.sort(|x, y| x.key - y.key)".into()],
        );
    }
    let (name, types) = match signature.split_once(" (") {
        Some((name, types)) => (name, types.strip_suffix(')').unwrap_or(types)),
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
    let types: Vec<Type> = types
        .split(", ")
        .filter(|t| !t.is_empty())
        .map(Type::spelled)
        .collect();
    let written: Vec<String> = types.iter().map(Type::to_string).collect();
    let operator = !name
        .chars()
        .next()
        .is_some_and(|c| c.is_alphabetic() || c == '_');
    if operator {
        return (
            match written.as_slice() {
                [one] => format!("`{name}` can't be used on {one}"),
                _ => format!("`{name}` can't be used between {}", written.join(" and ")),
            },
            operator_hint(name, &types)
                .into_iter()
                .map(str::to_owned)
                .collect(),
        );
    }
    let forms = known_forms(name, &types, script, catalog);
    // A value of another type than those that the function is for.
    let instead = instead_of(name).filter(|_| forms.is_empty() || !types.iter().any(Type::is_own));
    if forms.is_empty() {
        if names_in(script).iter().any(|known| known == name) {
            return (
                format!("`{name}` is a variable, not a function"),
                vec![format!(
                    "a closure that it holds is called with {name}.call({})",
                    arguments_at(script, place).unwrap_or("..")
                )],
            );
        }
        let mut known = catalog.function_names();
        known.extend(own_functions(script).into_iter().map(|(name, _)| name));
        let hints = match instead {
            Some(instead) => vec![instead.to_owned()],
            None => did_you_mean(name, &known),
        };
        return (format!("there is no function `{name}`"), hints);
    }
    let mut hints: Vec<String> = forms
        .iter()
        .take(FORMS)
        .map(|form| format!("it is {form}"))
        .collect();
    if forms.len() > FORMS {
        hints.push(format!("it has {} more forms", forms.len() - FORMS));
    }
    hints.extend(instead.map(str::to_owned));
    (
        format!("`{name}` can't be called with ({})", written.join(", ")),
        hints,
    )
}

/// All forms of a name that scripts can call: avec's, rhai's, the words of the language, the
/// script's own. If some begin with the same type, only these.
fn known_forms(name: &str, types: &[Type], script: &str, catalog: &Catalog) -> Vec<String> {
    if let Some((form, _)) = keyword(name) {
        return vec![form.to_owned()];
    }
    // What rhai has for types that scripts don't meet is left out.
    let mut all = catalog.all_forms(name);
    all.retain(|form| form.parameters.iter().all(|p| p.kind.is_known()) || !form.is_standard);
    let own: Vec<&&Form> = all.iter().filter(|form| !form.is_standard).collect();
    let same: Vec<&&Form> = all
        .iter()
        .filter(|form| {
            form.receiver()
                .is_some_and(|receiver| Some(receiver) == types.first())
        })
        .collect();
    let chosen: Vec<String> = match (own.as_slice(), same.as_slice()) {
        ([], []) => all.iter().map(ToString::to_string).collect(),
        (own, []) => own.iter().map(ToString::to_string).collect(),
        (_, same) => same.iter().map(ToString::to_string).collect(),
    };
    let mut forms: Vec<String> = Vec::new();
    let defined = own_functions(script);
    let defined = defined.iter().filter(|(known, _)| known == name);
    for form in chosen
        .into_iter()
        .chain(defined.map(|(name, parameters)| format!("{name}({parameters})")))
    {
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms
}

/// What is meant by an operator that these types have not.
fn operator_hint(operator: &str, types: &[Type]) -> Option<&'static str> {
    if types.iter().any(Type::is_own) {
        return None;
    }
    let is = |at: usize, kind: Type| types.get(at) == Some(&kind);
    if is(0, Type::TENSOR) || is(1, Type::TENSOR) {
        return None;
    }
    match operator {
        "%" if is(0, Type::STRING) => {
            Some("a text with values in it stands in backquotes: `x is ${x}`")
        }
        "*" if is(0, Type::ARRAY) || is(1, Type::ARRAY) => Some(
            "calculate element by element: a.map(|x| 2 * x); n equal elements are: let a = []; a.pad(n, 0)",
        ),
        "*" if is(0, Type::STRING) => {
            Some("repeat a text in a loop: let text = \"\"; for i in 0..3 { text += \"ab\" }")
        }
        "-" | "/" | "+" | "*" if is(0, Type::STRING) || is(1, Type::STRING) => {
            Some("make a number of a text with parse_int(\"1\") or parse_float(\"1.5\")")
        }
        "-" | "/" | "+" if is(0, Type::ARRAY) || is(1, Type::ARRAY) => {
            Some("calculate element by element: a.map(|x| x - 1)")
        }
        _ if is(0, Type::UNIT) || is(1, Type::UNIT) => {
            Some("() is no value: where does it come from?")
        }
        "&&" | "||" | "!" => Some("ask for what is meant: x != 0, !text.is_empty()"),
        _ => None,
    }
}

/// Why a variable is not there: it is outside of the function, or called something else.
fn unseen(name: &str, script: &str, place: Position, names: &[String]) -> Vec<String> {
    if in_function(script, place) && names.iter().any(|known| known == name) {
        return vec![format!(
            "a function doesn't see the variables around it: give it as an argument, as in fn f({name}) {{ .. }}"
        )];
    }
    did_you_mean(name, names)
}

/// Whether a place is in the body of a `fn`.
fn in_function(script: &str, place: Position) -> bool {
    let Some(at) = place
        .line()
        .and_then(|line| offset(script, line - 1, place.position().unwrap_or(1)))
    else {
        return false;
    };
    statements(script)
        .iter()
        .any(|statement| statement.function.is_some() && statement.range.contains(&at))
}

/// The script's functions: names, and parameters as they are written.
fn own_functions(script: &str) -> Vec<(String, String)> {
    let tokens = lex(script);
    let tokens = significant(&tokens);
    let brackets = Brackets::of(tokens.iter().copied());
    let mut functions = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        if token.kind == TokenKind::Keyword
            && token.of(script) == "fn"
            && let Some(name) = tokens.get(i + 1)
            && let Some(close) = brackets.partner(i + 2)
        {
            let parameters = &script[tokens[i + 2].span.end..tokens[close].span.start];
            functions.push((name.of(script).to_owned(), parameters.trim().to_owned()));
        }
    }
    functions
}

/// What stands between the brackets of the call at a place.
fn arguments_at(script: &str, place: Position) -> Option<&str> {
    let at = offset(script, place.line()? - 1, place.position()?)?;
    let tokens = lex(script);
    let tokens = significant(&tokens);
    let name = tokens.iter().position(|token| token.span.start >= at)?;
    let close = Brackets::of(tokens.iter().copied()).partner(name + 1)?;
    Some(&script[tokens[name + 1].span.end..tokens[close].span.start])
}

/// The keys of the object maps that a script writes.
fn keys_in(script: &str) -> Vec<String> {
    let tokens = lex(script);
    let tokens = significant(&tokens);
    let pairs = tokens.windows(2).filter(|pair| pair[1].of(script) == ":");
    let keys = pairs.map(|pair| pair[0].of(script).trim_matches('"').to_owned());
    keys.collect()
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
pub(super) fn names_in(text: &str) -> Vec<String> {
    let tokens = lex(text);
    let tokens = significant(&tokens);
    let mut names = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        let introduces = matches!(token.of(text), "let" | "const" | "for");
        if token.kind != TokenKind::Keyword || !introduces {
            continue;
        }
        // `for (x, i) in ..` has two.
        let is_pair = tokens.get(i + 1).is_some_and(|token| token.of(text) == "(");
        let places: &[usize] = if is_pair { &[2, 4] } else { &[1] };
        for place in places {
            if let Some(name) = tokens.get(i + place)
                && name.kind == TokenKind::Identifier
            {
                names.push(name.of(text).to_owned());
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_a_script_introduces() {
        let text = "// let us see\nlet a = \"let b\"; /* const c */ const d = `let e ${let f = 1; f}`; for (g, h) in a {} for i in 0..2 {} forlet j;";
        assert_eq!(names_in(text), ["a", "d", "f", "g", "h", "i"]);
    }
}
