//! Functions that a session has defined again. A script has one function of a name and a number of
//! parameters, so each version gets a name of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::entry::{Entry, Refusal, place_in};
use super::names::Names;
use crate::script::syntax::{Brackets, Statement, TokenKind, edited, lex, significant, statements};

/// Where a text names one of these functions, and with how many arguments if that can be seen.
fn mentions(text: &str, wanted: impl Fn(&str) -> bool) -> Vec<(Range<usize>, Option<usize>)> {
    let tokens = lex(text);
    let tokens = significant(&tokens);
    let of = |at: usize| tokens.get(at).map_or("", |token| token.of(text));
    let brackets = Brackets::of(tokens.iter().copied());
    let arguments = |open: usize| {
        let close = brackets.partner(open)?;
        let (mut at, mut commas) = (open + 1, 0);
        while at < close {
            if matches!(of(at), "|" | "||") {
                // A closure's parameters have commas too.
                return None;
            }
            commas += usize::from(of(at) == ",");
            at = tokens[at].opens().and(brackets.partner(at)).unwrap_or(at) + 1;
        }
        // A comma may stand behind the last one.
        let last = close > open + 1 && of(close - 1) != ",";
        Some(commas + usize::from(last))
    };
    let mut found = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        let own = token.of(text);
        let in_module = i > 0 && of(i - 1) == "::";
        if token.is_word() && wanted(own) && of(i + 1) == "(" && !in_module {
            found.push((token.span.clone(), arguments(i + 1)));
        }
        // Fn("name"), is_def_fn("name", 1)
        let named = own.trim_matches('"');
        if token.kind == TokenKind::String
            && i > 1
            && matches!(of(i - 2), "Fn" | "is_def_fn")
            && wanted(named)
        {
            let inside = token.span.start + 1..token.span.end - 1;
            found.push((inside, None));
        }
    }
    found
}

/// Functions that were defined again get a name for each of their versions. What calls them gets
/// one too, since from then on it calls the new version. `entries` are where the texts come from,
/// `is_native` tells the functions that need no definition.
pub(super) fn name_functions(
    texts: &mut [String],
    entries: &[Entry],
    names: &Names,
    is_native: &dyn Fn(&str) -> bool,
) -> Result<(), Refusal> {
    // The functions that hold at an input, with the text of each.
    let mut known: Vec<(Statement, String)> = Vec::new();
    // For each name the first input in which it means what it means now, and its versions.
    let mut since: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for i in 0..texts.len() {
        let defined: Vec<(Statement, String)> = statements(&texts[i])
            .into_iter()
            .filter(|statement| statement.function.is_some())
            .map(|statement| {
                let text = statement.of(&texts[i]).to_owned();
                (statement, text)
            })
            .collect();
        for (function, _) in &defined {
            if !known
                .iter()
                .any(|(known, _)| known.function == function.function)
            {
                check_not_called(function, i, texts, entries)?;
            }
        }
        let again =
            |function: &Statement| defined.iter().any(|(s, _)| s.function == function.function);
        let mut changed: BTreeSet<String> = known
            .iter()
            .filter(|(function, _)| again(function))
            .map(|(function, _)| name_of(function))
            .collect();
        loop {
            let callers: Vec<String> = known
                .iter()
                .filter(|(_, text)| !mentions(text, |word| changed.contains(word)).is_empty())
                .map(|(function, _)| name_of(function))
                .collect();
            let before = changed.len();
            if !changed.is_empty() {
                changed.extend(callers);
            }
            if changed.len() == before {
                break;
            }
        }
        for changed in &changed {
            check_versions(changed, i, texts, entries, is_native)?;
            let (first, versions) = since.get(changed).copied().unwrap_or((0, 0));
            let version = names.free(changed, &format!("_{}", versions + 1));
            for text in &mut texts[first..i] {
                let places = mentions(text, |word| word == changed.as_str()).into_iter();
                let edits = places.map(|(range, _)| (range, version.clone()));
                *text = edited(text, edits.collect());
            }
            since.insert(changed.clone(), (i, versions + 1));
        }
        let repeated: Vec<String> = known
            .iter()
            .filter(|(function, _)| changed.contains(&name_of(function)) && !again(function))
            .map(|(_, text)| text.clone())
            .collect();
        if !repeated.is_empty() {
            texts[i] = format!("{}\n{}", repeated.join("\n"), texts[i]);
        }
        known.retain(|(function, _)| !again(function));
        known.extend(defined);
    }
    Ok(())
}

fn name_of(statement: &Statement) -> String {
    let function = statement.function.as_ref();
    function.map_or_else(String::new, |function| function.name.clone())
}

/// A script has its functions from its first line on, a session from the input that defines them.
fn check_not_called(
    function: &Statement,
    defined: usize,
    texts: &[String],
    entries: &[Entry],
) -> Result<(), Refusal> {
    let name = name_of(function);
    let parameters = function.function.as_ref().map(|f| f.parameters);
    let calls = |(i, text): (usize, &String)| {
        let mut all = mentions(text, |word| word == name).into_iter();
        let first = all.find(|(_, arguments)| arguments.is_none() || *arguments == parameters)?;
        Some((i, first.0.start))
    };
    let Some((i, at)) = texts[..defined].iter().enumerate().find_map(calls) else {
        return Ok(());
    };
    Err(Refusal::new(
        place_in(&entries[i].name, &entries[i].text, at),
        format!(
            "`{name}` is called before {} defines it, and a script has its functions from the start",
            entries[defined].name
        ),
        "give the function a name of its own",
    ))
}

/// Fails if not all that calls a function with several versions can be found.
fn check_versions(
    name: &str,
    defined: usize,
    texts: &[String],
    entries: &[Entry],
    is_native: &dyn Fn(&str) -> bool,
) -> Result<(), Refusal> {
    let entry = &entries[defined];
    let refuse = |reason: String| {
        let hint = "give each version of the function a name of its own";
        Err(Refusal::new(entry.name.clone(), reason, hint))
    };
    if is_native(name) {
        return refuse(format!(
            "`{name}` is defined again, and which calls mean the function that avec has of that name can't be seen"
        ));
    }
    let computed = |text: &String| {
        let tokens = lex(text);
        let tokens = significant(&tokens);
        tokens.windows(3).any(|three| {
            let [function, open, name] = three else {
                return false;
            };
            matches!(function.of(text), "Fn" | "is_def_fn")
                && open.of(text) == "("
                && name.kind != TokenKind::String
        })
    };
    if texts.iter().any(computed) {
        return refuse(format!(
            "`{name}` is defined again, and another input computes the name of a function"
        ));
    }
    let Some(pointer) = entry.pointers.first() else {
        return Ok(());
    };
    // A closure finds what it calls when it is called, by name.
    let points = |text: &String| {
        statements(text).iter().any(|statement| {
            let own = statement.of(text);
            let tokens = lex(own);
            let points = tokens
                .iter()
                .any(|t| matches!(t.of(own), "|" | "||" | "Fn"));
            points && !mentions(own, |word| word == name).is_empty()
        })
    };
    if texts[..defined].iter().any(points) {
        return refuse(format!(
            "`{name}` is defined again, and the function in `{pointer}` may call it: in the session it calls the new one from here on"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Entry {
        Entry {
            name: "repl[1]".into(),
            text: text.into(),
            shown: super::super::entry::Shown::Not,
            valued: false,
            folder: Default::default(),
            refusal: None,
            pointers: Vec::new(),
        }
    }

    fn named(texts: &[&str]) -> String {
        let mut texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let names = Names::of(&texts);
        let entries: Vec<Entry> = texts.iter().map(|text| entry(text)).collect();
        name_functions(&mut texts, &entries, &names, &|_| false).unwrap();
        texts.join("\n")
    }

    #[test]
    fn a_function_has_a_name_for_each_version() {
        assert_eq!(
            named(&[
                "fn f() { 1 }",
                "fn g() { f() }",
                "g()",
                "fn f() { 2 }",
                "g() + f()",
                "fn f(x) { x }",
                "fn f() { 3 }",
                "g()",
            ]),
            "fn f_1() { 1 }
fn g_1() { f_1() }
g_1()
fn g_2() { f_2() }
fn f_2() { 2 }
g_2() + f_2()
fn f_2(x) { x }
fn g() { f() }
fn f(x) { x }
fn f() { 3 }
g()"
        );
    }

    #[test]
    fn what_only_looks_like_a_call_keeps_its_name() {
        assert_eq!(
            named(&[
                "fn f() { 1 }",
                "let f_1 = h::f() + f; Fn(\"f\"); \"f()\"",
                "fn f() { 2 }",
            ]),
            "fn f_1_() { 1 }
let f_1 = h::f() + f; Fn(\"f_1_\"); \"f()\"
fn f() { 2 }"
        );
    }
}
