//! `_`, the last value of a session: where it stands in a text.

use crate::script::syntax::{lex, significant};

/// Where a lone `_` stands that is a value, not the default of a `switch`: byte offsets.
pub(super) fn underscores(text: &str) -> Vec<usize> {
    let tokens = lex(text);
    let tokens = significant(&tokens);
    tokens
        .iter()
        .enumerate()
        .filter(|(_, token)| token.of(text) == "_")
        .filter(|(i, _)| {
            let next = tokens.get(i + 1).map(|token| token.of(text));
            !matches!(next, Some("=>" | "if"))
        })
        .map(|(_, token)| token.span.start)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn underscores_that_are_values() {
        assert_eq!(underscores("_ + a_b + \"_\""), [0]);
        assert_eq!(underscores("switch x { 1 => _, _ => 2 }"), [16]);
        assert_eq!(underscores("`${_} _`"), [3]);
        assert_eq!(
            underscores("switch x { _ if y => 2, }"),
            Vec::<usize>::new()
        );
    }
}
