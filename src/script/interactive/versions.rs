//! Functions that a session has defined again. A script has one function of a name and a number of
//! parameters, so each version gets a name of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::script::syntax::{Statement, TokenKind, edited, lex, significant, statements};

/// Every word of some texts.
pub struct Names(BTreeSet<String>);

impl Names {
    pub fn of(texts: &[String]) -> Self {
        let words = texts.iter().flat_map(|text| {
            let words = lex(text).into_iter().filter(|token| token.is_word());
            words.map(|token| token.of(text).to_owned())
        });
        Self(words.collect())
    }

    pub fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// This name with an ending, and with more of one if it is taken.
    pub fn free(&self, name: &str, ending: &str) -> String {
        let mut free = format!("{name}{ending}");
        while self.0.contains(&free) {
            free.push('_');
        }
        free
    }
}

/// Where a text calls or defines one of these functions.
fn mentions(text: &str, wanted: impl Fn(&str) -> bool) -> Vec<(Range<usize>, String)> {
    let tokens = lex(text);
    let tokens = significant(&tokens);
    let of = |at: usize| tokens.get(at).map_or("", |token| token.of(text));
    let mut found = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        let own = token.of(text);
        let in_module = i > 0 && of(i - 1) == "::";
        if token.is_word() && wanted(own) && of(i + 1) == "(" && !in_module {
            found.push((token.span.clone(), own.to_owned()));
        }
        // Fn("name")
        let named = own.trim_matches('"');
        if token.kind == TokenKind::String && i > 1 && of(i - 2) == "Fn" && wanted(named) {
            let inside = token.span.start + 1..token.span.end - 1;
            found.push((inside, named.to_owned()));
        }
    }
    found
}

/// Functions that were defined again get a name for each of their versions. What calls them gets
/// one too, since from then on it calls the new version.
pub fn name_functions(texts: &mut [String], names: &Names) {
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
        let again =
            |function: &Statement| defined.iter().any(|(s, _)| s.function == function.function);
        let name = |statement: &Statement| -> String {
            let function = statement.function.as_ref();
            function.map_or_else(String::new, |function| function.name.clone())
        };
        let mut changed: BTreeSet<String> = known
            .iter()
            .filter(|(function, _)| again(function))
            .map(|(function, _)| name(function))
            .collect();
        loop {
            let callers: Vec<String> = known
                .iter()
                .filter(|(_, text)| !mentions(text, |word| changed.contains(word)).is_empty())
                .map(|(function, _)| name(function))
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
            .filter(|(function, _)| changed.contains(&name(function)) && !again(function))
            .map(|(_, text)| text.clone())
            .collect();
        if !repeated.is_empty() {
            texts[i] = format!("{}\n{}", repeated.join("\n"), texts[i]);
        }
        known.retain(|(function, _)| !again(function));
        known.extend(defined);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(texts: &[&str]) -> String {
        let mut texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let names = Names::of(&texts);
        name_functions(&mut texts, &names);
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
