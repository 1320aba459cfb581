//! A script's text cut into pieces, also when it is half written: for colours, for completion, and
//! to know whether more must follow. rhai's own parser decides what a script means.

use std::ops::Range;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Space,
    Comment,
    /// A string or character, quotes included.
    Text,
    Number,
    Word,
    Symbol,
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub kind: Kind,
    pub range: Range<usize>,
    /// A string or comment that the text ends in the middle of.
    pub open: bool,
}

impl Piece {
    pub fn of<'t>(&self, text: &'t str) -> &'t str {
        &text[self.range.clone()]
    }
}

/// All of a text, piece by piece without gaps. A symbol is one character.
pub fn scan(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (kind, length, open) = match first {
            c if c.is_whitespace() => (Kind::Space, run(rest, char::is_whitespace), false),
            '/' if rest.starts_with("//") => {
                (Kind::Comment, rest.find('\n').unwrap_or(rest.len()), false)
            }
            '/' if rest.starts_with("/*") => {
                let (length, open) = block_comment(rest);
                (Kind::Comment, length, open)
            }
            '"' | '`' | '\'' => {
                let (length, open) = quoted(rest, first);
                (Kind::Text, length, open)
            }
            c if c.is_ascii_digit() => (Kind::Number, number(rest), false),
            c if is_word(c) => (Kind::Word, run(rest, is_word), false),
            c => (Kind::Symbol, c.len_utf8(), false),
        };
        pieces.push(Piece {
            kind,
            range: at..at + length,
            open,
        });
        at += length;
    }
    pieces
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// Digits, with a fraction only where a digit follows the point: `1.max(2)` and `0..5` have none.
fn number(text: &str) -> usize {
    let whole = run(text, is_word);
    let rest = &text[whole..];
    match rest.strip_prefix('.') {
        Some(fraction) if fraction.starts_with(|c: char| c.is_ascii_digit()) => {
            whole + 1 + run(fraction, is_word)
        }
        _ => whole,
    }
}

fn block_comment(text: &str) -> (usize, bool) {
    let (mut depth, mut at) = (0, 0);
    let bytes = text.as_bytes();
    while at < bytes.len() {
        match &bytes[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                at += 2;
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return (at, false);
                }
            }
            _ => at += 1,
        }
    }
    (text.len(), true)
}

/// A string to its closing quote. Only `` ` `` goes over lines.
fn quoted(text: &str, quote: char) -> (usize, bool) {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote != '`' => escaped = true,
            c if c == quote => return (at + c.len_utf8(), false),
            '\n' if quote != '`' => return (at, true),
            _ => {}
        }
    }
    (text.len(), true)
}

/// The brackets that are open at the end of a text, the innermost last, with their places.
pub fn open_brackets(text: &str, pieces: &[Piece]) -> Vec<(char, usize)> {
    let mut open = Vec::new();
    for piece in pieces.iter().filter(|piece| piece.kind == Kind::Symbol) {
        match piece.of(text) {
            "(" => open.push(('(', piece.range.start)),
            "[" => open.push(('[', piece.range.start)),
            "{" => open.push(('{', piece.range.start)),
            ")" | "]" | "}" => {
                open.pop();
            }
            _ => {}
        }
    }
    open
}

/// Whether a text ends in the middle of something: a bracket, a text over lines, a comment.
pub fn is_open(text: &str) -> bool {
    let pieces = scan(text);
    let unfinished = pieces.last().is_some_and(|piece| {
        piece.open && (piece.kind == Kind::Comment || piece.of(text).starts_with('`'))
    });
    unfinished || !open_brackets(text, &pieces).is_empty()
}

/// Where a lone `_` stands that is a value, not the default of a `switch`: byte offsets.
pub fn underscores(text: &str) -> Vec<usize> {
    let pieces = scan(text);
    pieces
        .iter()
        .enumerate()
        .filter(|(_, piece)| piece.kind == Kind::Word && piece.of(text) == "_")
        .filter(|(i, _)| {
            let rest = pieces[i + 1..].iter();
            let mut rest = rest.filter(|p| !matches!(p.kind, Kind::Space | Kind::Comment));
            let next = rest.next().map(|p| p.of(text));
            let after = rest.next().map(|p| p.of(text));
            !matches!((next, after), (Some("="), Some(">")) | (Some("if"), _))
        })
        .map(|(_, piece)| piece.range.start)
        .collect()
}

/// Where the last statement starts: after the last `;` that is in no bracket.
pub fn last_statement(text: &str) -> usize {
    let pieces = scan(text);
    let mut depth = 0;
    let mut start = 0;
    for piece in pieces.iter().filter(|piece| piece.kind == Kind::Symbol) {
        match piece.of(text) {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            ";" if depth == 0 => start = piece.range.end,
            _ => {}
        }
    }
    let blank = |piece: &&Piece| matches!(piece.kind, Kind::Space | Kind::Comment);
    let lead = pieces.iter().filter(|p| p.range.start >= start);
    start + lead.take_while(blank).map(|p| p.range.len()).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_have_no_gaps() {
        for text in [
            "let x = 1.5; // no\nprint(`a ${x} b`); 'c'",
            "x.y(\"a\\\"b",
            "/* a /* b */ c",
            "1.max(2) 0..5 1e-3 ü",
        ] {
            let mut at = 0;
            for piece in scan(text) {
                assert_eq!(piece.range.start, at, "{text}");
                at = piece.range.end;
            }
            assert_eq!(at, text.len());
        }
    }

    #[test]
    fn open_texts_are_known() {
        for open in [
            "f(",
            "#{ a: 1",
            "[1,\n2",
            "`a\n",
            "/* x",
            "fn f() {",
            "f(\"(\", ",
        ] {
            assert!(is_open(open), "{open}");
        }
        for closed in [
            "f()",
            "\"(\"",
            "// (",
            "`(`",
            "1 /* ( */",
            "\"unclosed",
            "f(1))",
        ] {
            assert!(!is_open(closed), "{closed}");
        }
    }

    #[test]
    fn underscores_that_are_values() {
        assert_eq!(underscores("_ + a_b + \"_\""), [0]);
        assert_eq!(underscores("switch x { 1 => _, _ => 2 }"), [16]);
        assert_eq!(
            underscores("switch x { _ if y => 2, }"),
            Vec::<usize>::new()
        );
    }

    #[test]
    fn the_last_statement_is_found() {
        assert_eq!(last_statement("let a = 1; a + 1"), 11);
        assert_eq!(last_statement("f(#{ a: 1 })"), 0);
        assert_eq!(last_statement("x;"), 2);
        assert_eq!(last_statement("// c\nx"), 5);
    }
}
