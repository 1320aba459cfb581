//! What worked in an interactive session as a script that does and prints the same.
//!
//! A script is one text, and a session is many: a function that is typed in again has to get two
//! names, `_` a name, a shown value a `debug`, and an `import` the place from where it was meant.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::underscore::underscores;
use super::versions::{Names, name_functions};
use crate::error::{Error, Result};
use crate::script::syntax::{Statement, TokenKind, edited, lex, significant, statements};
use crate::steering::string_literal;

/// An input that worked, or the part of it that did.
#[derive(Debug, Clone)]
pub struct Entry {
    pub text: String,
    pub shown: Shown,
    /// Whether it had a value, which `_` is from then on.
    pub valued: bool,
    /// Where its imports start from.
    pub folder: PathBuf,
}

/// How an input's value was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    Not,
    Value,
    Table,
}

/// What `_` is called, unless something is called so already.
const LAST_VALUE: &str = "last_value";

/// The part of an input that was run before the statement at `place` failed, and the functions,
/// which are there whatever happens; none if that is nothing.
pub fn part_that_ran(text: &str, place: usize) -> Option<String> {
    let all = statements(text);
    let failed = all.iter().rposition(|s| s.range.start <= place);
    let (ran, rest) = all.split_at(failed.unwrap_or(0));
    let mut out = match ran.last() {
        // A comment after it belongs to it.
        Some(_) => text[..rest.first().map_or(text.len(), |s| s.range.start)]
            .trim()
            .to_owned(),
        None => String::new(),
    };
    for statement in rest.iter().filter(|s| s.function.is_some()) {
        out.push('\n');
        out.push_str(statement.of(text));
    }
    let out = out.trim();
    (!out.is_empty()).then(|| out.to_owned())
}

/// The whole script, to be saved in `folder`.
pub fn script(entries: &[Entry], folder: &Path) -> Result<String> {
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
    name_functions(&mut texts, &names);
    let mut out = String::from("//! Saved from an interactive session.\n\n");
    for ((entry, text), needed) in entries.iter().zip(texts).zip(needed) {
        let text = printing(&text, entry.shown, needed, &last_value);
        if !text.is_empty() {
            out.push_str(&text);
            out.push('\n');
        }
    }
    Ok(out)
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

/// An input that ends each statement and prints what the session showed of it.
fn printing(text: &str, shown: Shown, needed: bool, last_value: &str) -> String {
    let named = needed.then_some(last_value);
    let text = &until_return(text.trim());
    let all = statements(text);
    let last = all.iter().rposition(|s| s.function.is_none());
    let mut edits = Vec::new();
    for (i, statement) in all.iter().enumerate() {
        let Range { start, end } = statement.range.clone();
        let wanted = Some(i) == last && (named.is_some() || shown != Shown::Not);
        if statement.begins_with("return", text) {
            let mut value = start + "return".len();
            value += text[value..end].len() - text[value..end].trim_start().len();
            edits.push((start..value, String::new()));
        }
        let print = match shown {
            Shown::Not => None,
            Shown::Value => Some("debug"),
            Shown::Table => Some("pretty_print_completions"),
        };
        let returns = inner_returns(text, statement);
        if Some(i) == last && !returns.is_empty() {
            let throw = |range| (range, "throw".to_owned());
            edits.extend(returns.into_iter().map(throw));
            let name = named.unwrap_or(last_value);
            let print = print.map_or(String::new(), |print| format!("\n{print}({name});"));
            let (before, after) = match (wanted, named) {
                (false, _) => ("try { ".to_owned(), " } catch { }".to_owned()),
                (true, _) => (
                    format!("let {name} = ();\ntry {{ {name} = "),
                    format!("; }} catch (returned) {{ {name} = returned; }}{print}"),
                ),
            };
            edits.push((start..start, before));
            edits.push((end..end, after));
            continue;
        }
        // What can be no part of an expression can be the last of a block that is.
        let (before, after) = if statement.begins_with("try", text) {
            ("{ ", " }")
        } else {
            ("", "")
        };
        let (before, after) = match (wanted, print, named) {
            (true, Some(print), Some(name)) => (
                format!("let {name} = {before}"),
                format!("{after};\n{print}({name})"),
            ),
            (true, Some(print), None) => (format!("{print}({before}"), format!("{after})")),
            (true, None, Some(name)) => (format!("let {name} = {before}"), after.to_owned()),
            _ => (String::new(), String::new()),
        };
        let block = before.is_empty() && statement.of(text).ends_with('}');
        let follows = i + 1 < all.len();
        let open = statement.function.is_none()
            && !statement.closed
            && !(block && (follows || is_block(statement, text)));
        let after = if open { after + ";" } else { after };
        edits.push((start..start, before));
        edits.push((end..end, after));
    }
    edited(text, edits).trim().to_owned()
}

/// An input without what stands after a `return`, which was not run. Functions hold all the same.
fn until_return(text: &str) -> String {
    let all = statements(text);
    let Some(at) = all.iter().position(|s| s.begins_with("return", text)) else {
        return text.to_owned();
    };
    let functions = all[at + 1..].iter().filter(|s| s.function.is_some());
    let functions: Vec<&str> = functions.map(|function| function.of(text)).collect();
    format!("{}\n{}", functions.join("\n"), &text[..all[at].range.end])
}

/// The `return`s within a statement, which end an input and would end the whole script. A closure's
/// own, after its `|`, end only the closure.
fn inner_returns(text: &str, statement: &Statement) -> Vec<Range<usize>> {
    if statement.function.is_some() || statement.begins_with("return", text) {
        return Vec::new();
    }
    let own = statement.of(text);
    let tokens = lex(own).into_iter();
    let tokens = tokens.take_while(|token| !matches!(token.of(own), "|" | "||"));
    let returns = tokens.filter(|token| token.of(own) == "return");
    let start = statement.range.start;
    returns
        .map(|token| start + token.span.start..start + token.span.end)
        .collect()
}

/// Whether a statement needs no `;` after its `}`.
fn is_block(statement: &Statement, text: &str) -> bool {
    let blocks = ["if", "while", "for", "loop", "switch", "try"];
    statement.of(text).starts_with('{') || blocks.iter().any(|b| statement.begins_with(b, text))
}

/// An input whose imports are found from `folder`.
fn with_imports_from(entry: &Entry, folder: &Path) -> Result<String> {
    let text = &entry.text;
    let tokens = lex(text);
    let mut edits = Vec::new();
    for pair in significant(&tokens).windows(2) {
        let [word, path] = pair else { continue };
        if word.of(text) != "import" || path.kind != TokenKind::String {
            continue;
        }
        let literal = path.of(text);
        let module = literal.trim_matches(['"', '`']);
        let from = absolute(&entry.folder);
        let to = absolute(folder);
        if from == to {
            continue;
        }
        let file = from.join(module);
        let there = |reason: &str| {
            Error::other(format!(
                "the session imports {literal} from {}, and {reason}",
                from.display()
            ))
            .hint(format!(
                "save it there: :save {}",
                from.join("NAME").display()
            ))
        };
        let inside = file
            .strip_prefix(&to)
            .map_err(|_| there("a script imports only from its own folder"))?;
        // A module's own imports start from the script's folder too.
        let source = std::fs::read_to_string(format!("{}.rhai", file.display()));
        if source.is_ok_and(|source| Names::of(&[source]).contains("import")) {
            return Err(there("it imports others from there"));
        }
        let inside = inside.to_string_lossy().replace('\\', "/");
        edits.push((path.span.clone(), string_literal(&inside)));
    }
    Ok(edited(text, edits))
}

/// A folder's one name; "" is the working folder.
fn absolute(folder: &Path) -> PathBuf {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    folder
        .canonicalize()
        .or_else(|_| std::path::absolute(folder))
        .unwrap_or_else(|_| folder.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(inputs: &[(&str, Shown, bool)]) -> String {
        let entries: Vec<Entry> = inputs
            .iter()
            .map(|(text, shown, valued)| Entry {
                text: (*text).to_owned(),
                shown: *shown,
                valued: *valued,
                folder: PathBuf::new(),
            })
            .collect();
        let script = script(&entries, Path::new("")).unwrap();
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
                ("return 5", Value, true),
                ("return 6; nonsense()", Value, true),
            ]),
            "let f = |x| { x * 2 };
let o = #{ a: 1 }; // a note
debug(5); // a note
fn g() { 3 } debug(g());
for i in 0..2 { print(i) } debug(7);
if true { print(1) }
debug(5);
debug(6);
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

    #[test]
    fn what_ran_is_kept() {
        let text = "let z = 5; let y = [z]; nonsense(); fn f() { 1 }";
        let at = text.find("nonsense").unwrap();
        assert_eq!(
            part_that_ran(text, at).unwrap(),
            "let z = 5; let y = [z];\nfn f() { 1 }"
        );
        assert_eq!(part_that_ran("nonsense()", 0), None);
        assert_eq!(part_that_ran("f(); g()", 0), None);
    }
}
