//! What worked in an interactive session as a script that does and prints the same.
//!
//! A script is one text, and a session is many. Inputs are kept as they were typed. Around them, a
//! shown value gets a `debug`, `_` a name, a function that was typed in again a name for each
//! version, and an `import` the place from where it was meant. What a script would do differently is
//! refused.

mod entry;
mod failed;
mod imports;
mod names;
mod needs;
mod printing;
mod versions;

pub(super) use entry::{Entry, Refusal, Shown, place_in};
pub(super) use failed::{Failed, Failure};
pub(super) use needs::last_with_needs;

use std::path::Path;

use self::imports::with_imports_from;
use self::names::Names;
use self::printing::printing;
use self::versions::name_functions;
use super::underscore::underscores;
use crate::error::Result;
use crate::script::syntax::{Token, TokenKind, edited, lex, line_and_column, significant};

/// What `_` is called, unless something is called so already.
const LAST_VALUE: &str = "last_value";

/// The whole script, to be saved in `folder`. `is_native` tells the functions that need no
/// definition.
pub(super) fn script(
    entries: &[Entry],
    folder: &Path,
    is_native: &dyn Fn(&str) -> bool,
) -> Result<String> {
    let is_catch = |token: &Token, text: &str| token.of(text) == "catch";
    let catches = |text: &str| lex(text).iter().any(|token| is_catch(token, text));
    // What one input catches others can look at.
    let catches = entries.iter().any(|entry| catches(&entry.text));
    for entry in entries {
        if let Some(refusal) = entry.refusal.clone().or_else(|| refusal(entry, catches)) {
            return Err(refusal.into());
        }
    }
    let mut texts = Vec::new();
    for entry in entries {
        texts.push(with_imports_from(entry, folder)?);
    }
    let names = Names::of(&texts);
    let last_value = names.free(LAST_VALUE, "");
    let needed = needed_values(entries);
    for text in &mut texts {
        let places = underscores(text).into_iter();
        let edits = places.map(|at| (at..at + 1, last_value.clone()));
        *text = edited(text, edits.collect());
    }
    name_functions(&mut texts, entries, &names, is_native)?;
    let mut out = String::from("//! Saved from an interactive session.\n\n");
    for ((entry, text), needed) in entries.iter().zip(texts).zip(needed) {
        let text = printing(&text, entry.shown, needed, &last_value);
        if !text.is_empty() {
            out.push_str(&text);
            out.push('\n');
        }
    }
    check_indents(&out, entries)?;
    Ok(out)
}

/// Of a string that goes on in the next line, rhai skips the spaces up to the column it began in.
/// Fails if such a string stands elsewhere in the script.
fn check_indents(script: &str, entries: &[Entry]) -> Result<(), Refusal> {
    let typed: Vec<_> = entries.iter().map(|entry| indents(&entry.text)).collect();
    for (string, place) in indents(script) {
        let same =
            |(text, (_, column)): &(&str, (usize, usize))| *text == string && *column == place.1;
        if typed.iter().flatten().any(same) {
            continue;
        }
        let of_it = entries.iter().zip(&typed);
        let mut of_it = of_it.flat_map(|(entry, strings)| strings.iter().map(move |s| (entry, s)));
        let (name, (line, column)) = of_it
            .find(|(_, (text, _))| *text == string)
            .map_or(("the script", place), |(entry, (_, place))| {
                (entry.name.as_str(), *place)
            });
        return Err(Refusal::new(
            format!("{name}:{line}:{column}"),
            "what this string skips of its next line depends on the column that it begins in, which is another one in a script",
            "give it a variable of its own: let text = \"..\";",
        ));
    }
    Ok(())
}

/// The strings of a text that go on in the next line, with line and column.
fn indents(text: &str) -> Vec<(&str, (usize, usize))> {
    let tokens = lex(text).into_iter();
    let strings = tokens.filter(|token| {
        let own = token.of(text);
        token.kind == TokenKind::String && own.starts_with('"') && own.contains('\n')
    });
    strings
        .map(|token| {
            (
                &text[token.span.clone()],
                line_and_column(text, token.span.start),
            )
        })
        .collect()
}

/// What can be seen in an input's text that a script would do differently. `catches` tells whether
/// the session catches errors.
fn refusal(entry: &Entry, catches: bool) -> Option<Refusal> {
    let text = &entry.text;
    let tokens = lex(text);
    let tokens = significant(&tokens);
    let of = |at: usize| tokens.get(at).map_or("", |token| token.of(text));
    tokens.iter().enumerate().find_map(|(i, token)| {
        let before = i.checked_sub(1).map_or("", of);
        let place = || place_in(&entry.name, text, token.span.start);
        match (token.of(text), of(i + 1)) {
            ("exit", "(") => Some(Refusal::new(
                place(),
                "`exit` ends an input here, and would end the whole script",
                "write it without exit",
            )),
            (property @ ("line" | "position" | "source"), next)
                if catches && before == "." && next != "(" =>
            {
                Some(Refusal::new(
                    place(),
                    format!("an error's `{property}` is another one in a script"),
                    "use its message",
                ))
            }
            _ => None,
        }
    })
}

/// Which inputs have a value that a later one calls `_`.
fn needed_values(entries: &[Entry]) -> Vec<bool> {
    let mut needed = vec![false; entries.len()];
    let mut last = None;
    for (i, entry) in entries.iter().enumerate() {
        if !underscores(&entry.text).is_empty()
            && let Some(source) = last
        {
            needed[source] = true;
        }
        if entry.valued {
            last = Some(i);
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn saved(inputs: &[(&str, Shown, bool)]) -> String {
        let entries: Vec<Entry> = inputs
            .iter()
            .map(|(text, shown, valued)| Entry {
                name: "repl[1]".into(),
                text: (*text).to_owned(),
                shown: *shown,
                valued: *valued,
                folder: PathBuf::new(),
                refusal: None,
                pointers: Vec::new(),
            })
            .collect();
        let script = script(&entries, Path::new(""), &|_| false).unwrap();
        let (_, script) = script.split_once("\n\n").unwrap();
        script.to_owned()
    }

    #[test]
    fn statements_are_ended_and_values_printed() {
        use Shown::{Not, Value};
        assert_eq!(
            saved(&[
                ("let f = |x| { x * 2 }", Not, false),
                ("let o = #{ a: 1 } // a note", Not, false),
                ("5 // a note", Value, true),
                ("fn g() { 3 } g()", Value, true),
                ("for i in 0..2 { print(i) } 7", Value, true),
                ("if true { print(1) }", Not, false),
            ]),
            "let f = |x| { x * 2 };
let o = #{ a: 1 }; // a note
debug(5); // a note
fn g() { 3 } debug(g());
for i in 0..2 { print(i) } debug(7);
if true { print(1) }
"
        );
    }

    #[test]
    fn the_last_value_is_that_of_the_last_input_that_had_one() {
        use Shown::{Not, Value};
        assert_eq!(
            saved(&[
                ("8; // note", Not, true),
                ("print(\"hi\");", Not, false),
                ("_ + last_value", Value, true),
                ("if true { 7 };", Not, true),
                ("_ + _", Value, true),
            ]),
            "let last_value_ = 8; // note
print(\"hi\");
debug(last_value_ + last_value);
let last_value_ = if true { 7 };
debug(last_value_ + last_value_);
"
        );
    }
}
