//! An input as a part of a script: its statements ended, its value printed as the session showed it.

use std::ops::Range;

use super::entry::Shown;
use crate::script::syntax::{Statement, edited, statements};

/// An input that ends each statement and prints what the session showed of it.
pub(super) fn printing(text: &str, shown: Shown, needed: bool, last_value: &str) -> String {
    let named = needed.then_some(last_value);
    let text = text.trim();
    let all = statements(text);
    let last = all.iter().rposition(|s| s.function.is_none());
    let mut edits = Vec::new();
    for (i, statement) in all.iter().enumerate() {
        let Range { start, end } = statement.range.clone();
        let wanted = Some(i) == last && (named.is_some() || shown != Shown::Not);
        let print = match shown {
            Shown::Not => None,
            Shown::Value => Some("debug"),
            Shown::Table => Some("pretty_print_completions"),
        };
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

/// Whether a statement needs no `;` after its `}`.
fn is_block(statement: &Statement, text: &str) -> bool {
    let blocks = ["if", "while", "for", "loop", "switch", "try"];
    statement.of(text).starts_with('{') || blocks.iter().any(|b| statement.begins_with(b, text))
}
