//! The inputs that the last one needs: those that make or change what it uses.

use std::collections::BTreeSet;

use super::entry::Entry;
use crate::script::syntax::{Token, TokenKind, lex, significant};

/// The last input, behind those that it needs.
pub(crate) fn last_with_needs(entries: &[Entry]) -> Vec<Entry> {
    let Some((last, before)) = entries.split_last() else {
        return Vec::new();
    };
    let mut needed = names(&last.text);
    let mut kept = vec![last.clone()];
    for entry in before.iter().rev() {
        let is_last_value = entry.valued && needed.contains("_");
        if is_last_value || made(&entry.text).iter().any(|name| needed.contains(name)) {
            if is_last_value {
                // Values before it are others' last value.
                needed.remove("_");
            }
            needed.extend(names(&entry.text));
            kept.push(entry.clone());
        }
    }
    kept.reverse();
    kept
}

/// All names in a text.
fn names(text: &str) -> BTreeSet<String> {
    let words = lex(text).into_iter();
    let words = words.filter(|t| t.kind == TokenKind::Identifier || t.of(text) == "_");
    words.map(|token| token.of(text).to_owned()).collect()
}

/// The names that a text defines, sets or calls a method on.
fn made(text: &str) -> BTreeSet<String> {
    let tokens = lex(text);
    let tokens = significant(&tokens);
    let of = |at: usize| tokens.get(at).map_or("", |token: &&Token| token.of(text));
    let mut made = BTreeSet::new();
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).map_or("", of);
        let is_name = token.kind == TokenKind::Identifier && before != ".";
        let defines = matches!(before, "let" | "const" | "fn" | "as");
        // `x = ..`, `x += ..`, `x.y = ..`, `x[0] = ..`, `x.push(..)`
        let changes = matches!(of(at + 1), "." | "[") || is_assignment(of(at + 1));
        if is_name && (defines || changes) {
            made.insert(of(at).to_owned());
        }
    }
    made
}

fn is_assignment(sign: &str) -> bool {
    sign.ends_with('=') && !matches!(sign, "==" | "!=" | "<=" | ">=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_a_name_is_needed() {
        let set = |names: &[&str]| {
            names
                .iter()
                .map(|n| (*n).to_owned())
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(
            made("let x = y; z += 1; a.push(b); fn f(c) { d }"),
            set(&["x", "z", "a", "f"])
        );
        assert_eq!(made("print(x == y); import \"m\" as m"), set(&["m"]));
        assert_eq!(names("f(x.y, _)"), set(&["f", "x", "y", "_"]));
    }
}
