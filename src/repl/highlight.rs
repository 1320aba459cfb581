//! Colours for a line of rhai while it is typed.

use crate::report::Painter;
use crate::script::scan::{Kind, Piece, scan};

const KEYWORDS: [&str; 27] = [
    "let", "const", "if", "else", "switch", "do", "while", "until", "loop", "for", "in",
    "continue", "break", "return", "fn", "private", "import", "export", "as", "try", "catch",
    "throw", "global", "Fn", "call", "curry", "this",
];

/// The same text with colours. `cursor` is a byte offset; the bracket there, or just before it, is
/// shown with the one that it belongs to.
pub fn highlight(line: &str, cursor: usize, painter: Painter) -> String {
    let pieces = scan(line);
    let matching = matching_brackets(line, &pieces, cursor);
    let mut out = String::new();
    for (i, piece) in pieces.iter().enumerate() {
        let text = piece.of(line);
        let called = || {
            let next = pieces[i + 1..].iter().find(|p| p.kind != Kind::Space);
            next.is_some_and(|p| p.of(line) == "(")
        };
        out.push_str(&match piece.kind {
            Kind::Comment => painter.dim(text),
            Kind::Text => painter.green(text),
            Kind::Number => painter.yellow(text),
            Kind::Word if matches!(text, "true" | "false") => painter.yellow(text),
            Kind::Word if KEYWORDS.contains(&text) => painter.magenta(text),
            Kind::Word if called() => painter.blue(text),
            Kind::Symbol if matching.contains(&piece.range.start) => painter.bold(text),
            _ => text.to_owned(),
        });
    }
    out
}

/// The bracket at the cursor and its partner; nothing if there is none.
fn matching_brackets(line: &str, pieces: &[Piece], cursor: usize) -> Vec<usize> {
    let mut open: Vec<usize> = Vec::new();
    let mut pairs = Vec::new();
    for piece in pieces.iter().filter(|piece| piece.kind == Kind::Symbol) {
        match piece.of(line) {
            "(" | "[" | "{" => open.push(piece.range.start),
            ")" | "]" | "}" => {
                if let Some(start) = open.pop() {
                    pairs.push([start, piece.range.start]);
                }
            }
            _ => {}
        }
    }
    let at = |place: usize| pairs.iter().find(|pair| pair.contains(&place));
    at(cursor)
        .or_else(|| cursor.checked_sub(1).and_then(at))
        .map(|pair| pair.to_vec())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_colours_are_added() {
        let line = "let x = f(#{ a: 1.5, b: \"ü\" }); // end";
        assert_eq!(highlight(line, 0, Painter::plain()), line);
        let coloured = highlight(line, 0, Painter::colored());
        assert!(coloured.contains("\x1b[35mlet\x1b[0m"), "{coloured:?}");
        assert!(coloured.contains("\x1b[32m\"ü\"\x1b[0m"), "{coloured:?}");
    }

    #[test]
    fn brackets_find_each_other() {
        let line = "f(a[0])";
        let of = |cursor| matching_brackets(line, &scan(line), cursor);
        assert_eq!(of(1), [1, 6]);
        assert_eq!(of(7), [1, 6]);
        assert_eq!(of(4), [3, 5]);
        assert!(of(0).is_empty());
    }
}
