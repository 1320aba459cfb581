//! Colours for a line of rhai while it is typed.

use crate::report::Painter;
use crate::script::syntax::{Bracket, Brackets, Token, TokenKind, lex};

/// Names that rhai gives a meaning to, and that are read like keywords.
const SPECIAL: [&str; 5] = ["global", "Fn", "call", "curry", "this"];

/// What of a text stands from a byte on, with colours. `cursor` is a byte of the text; the bracket
/// there, or just before it, is shown with the one that it belongs to.
pub(super) fn highlight_from(line: &str, from: usize, cursor: usize, painter: Painter) -> String {
    let tokens = lex(line);
    let brackets = Brackets::of(&tokens);
    let matching = matching_brackets(&tokens, &brackets, cursor);
    let mut out = String::new();
    for (i, token) in tokens.iter().enumerate() {
        if token.span.end <= from {
            continue;
        }
        let text = &line[token.span.start.max(from)..token.span.end];
        let called = || {
            let next = tokens[i + 1..]
                .iter()
                .find(|t| t.kind != TokenKind::Whitespace);
            next.is_some_and(|t| t.of(line) == "(")
        };
        // The braces of `${ .. }` belong to the text around them.
        let open = brackets.partner(i).map_or(i, |partner| partner.min(i));
        let in_text = tokens[open].opens() == Some(Bracket::Interpolation);
        out.push_str(&match token.kind {
            _ if matching.contains(&i) => painter.bold(text),
            TokenKind::Comment => painter.dim(text),
            TokenKind::String | TokenKind::Char => painter.green(text),
            TokenKind::Open(_) | TokenKind::Close if in_text => painter.green(text),
            TokenKind::Number => painter.yellow(text),
            TokenKind::Keyword if matches!(text, "true" | "false") => painter.yellow(text),
            TokenKind::Keyword => painter.magenta(text),
            TokenKind::Identifier if SPECIAL.contains(&text) => painter.magenta(text),
            TokenKind::Identifier if called() => painter.blue(text),
            _ => text.to_owned(),
        });
    }
    out
}

/// The bracket at the cursor and its partner; nothing if there is none.
fn matching_brackets(tokens: &[Token], brackets: &Brackets, cursor: usize) -> Vec<usize> {
    let at = |byte: usize| {
        let token = tokens.iter().position(|t| t.span.contains(&byte))?;
        let partner = brackets.partner(token)?;
        Some(vec![token.min(partner), token.max(partner)])
    };
    at(cursor)
        .or_else(|| cursor.checked_sub(1).and_then(at))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_colours_are_added() {
        let line = "let x = f(#{ a: 1.5, b: \"ü\" }); // end";
        assert_eq!(highlight_from(line, 0, 0, Painter::plain()), line);
        assert_eq!(highlight_from(line, 5, 0, Painter::plain()), line[5..]);
        let coloured = highlight_from(line, 0, 0, Painter::colored());
        assert!(coloured.contains("\x1b[35mlet\x1b[0m"), "{coloured:?}");
        assert!(coloured.contains("\x1b[32m\"ü\"\x1b[0m"), "{coloured:?}");
    }

    #[test]
    fn brackets_find_each_other() {
        let line = "f(a[0])";
        let tokens = lex(line);
        let of = |cursor| {
            let found = matching_brackets(&tokens, &Brackets::of(&tokens), cursor);
            let starts = found.iter().map(|at| tokens[*at].span.start);
            starts.collect::<Vec<_>>()
        };
        assert_eq!(of(1), [1, 6]);
        assert_eq!(of(7), [1, 6]);
        assert_eq!(of(4), [3, 5]);
        assert!(of(0).is_empty());
    }
}
