//! `_`, the last value of a session: where it stands in a text.

use crate::script::syntax::{lex, significant};

/// Where a lone `_` stands that is a value, not the default of a `switch`, a key of an object map or
/// a property: byte offsets.
pub(super) fn underscores(text: &str) -> Vec<usize> {
    let tokens = lex(text);
    let tokens = significant(&tokens);
    tokens
        .iter()
        .enumerate()
        .filter(|(_, token)| token.of(text) == "_")
        .filter(|(i, _)| {
            let before = i.checked_sub(1).map(|before| tokens[before].of(text));
            let next = tokens.get(i + 1).map(|token| token.of(text));
            !matches!(next, Some("=>" | "if" | ":")) && !matches!(before, Some("." | "?."))
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
        assert_eq!(underscores("#{ _: 1, a: _ }"), [12]);
        assert_eq!(underscores("#{ _ /* key */ : _ }"), [17]);
        assert_eq!(underscores("o._ + o?._ + m._._ + _._"), [21]);
        assert_eq!(underscores("m._ = _"), [6]);
        assert_eq!(
            underscores("switch x { _ if y => 2, }"),
            Vec::<usize>::new()
        );
    }
}
