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

/// All of a text, piece by piece without gaps. A symbol is one character. What stands in `${ .. }`
/// of a template is scanned as what it is; the template's own text before, between and after is
/// pieces of text of which the first ends in `${` and the next begins with `}`.
pub fn scan(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    // How many braces are open in each `${` that has not ended.
    let mut templates: Vec<usize> = Vec::new();
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
            '"' | '\'' => {
                let (length, open) = quoted(rest, first);
                (Kind::Text, length, open)
            }
            '#' if rest.trim_start_matches('#').starts_with('"') => {
                let (length, open) = raw(rest);
                (Kind::Text, length, open)
            }
            '`' => template(rest, &mut templates),
            '}' if templates.last() == Some(&0) => {
                templates.pop();
                template(rest, &mut templates)
            }
            c if c.is_ascii_digit() => (Kind::Number, number(rest), false),
            c if is_word(c) => (Kind::Word, run(rest, is_word), false),
            c => {
                if let Some(braces) = templates.last_mut() {
                    match c {
                        '{' => *braces += 1,
                        '}' => *braces -= 1,
                        _ => {}
                    }
                }
                (Kind::Symbol, c.len_utf8(), false)
            }
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

/// Line and column, both from 1, of a byte; columns in characters.
pub fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}

/// Whether names are made of it.
pub fn is_word(c: char) -> bool {
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

/// A string to its closing quote. It goes on in the next line only after a `\\`.
fn quoted(text: &str, quote: char) -> (usize, bool) {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return (at + c.len_utf8(), false),
            '\n' => return (at, true),
            _ => {}
        }
    }
    (text.len(), true)
}

/// `#"..."#`, with any number of `#`: nothing in it is special, not even the end of a line.
fn raw(text: &str) -> (usize, bool) {
    let hashes = run(text, |c| c == '#');
    let end = format!("\"{}", "#".repeat(hashes));
    match text[hashes + 1..].find(&end) {
        Some(at) => (hashes + 1 + at + end.len(), false),
        None => (text.len(), true),
    }
}

/// A template from its `` ` ``, or from the `}` that ends a `${`, to its end or to the next `${`.
fn template(text: &str, templates: &mut Vec<usize>) -> (Kind, usize, bool) {
    let inner = &text[1..];
    let end = inner.find('`').map(|at| at + 2);
    let value = inner.find("${").map(|at| at + 3);
    match (value, end) {
        (Some(value), end) if end.is_none_or(|end| value < end) => {
            templates.push(0);
            (Kind::Text, value, false)
        }
        (_, Some(end)) => (Kind::Text, end, false),
        _ => (Kind::Text, text.len(), true),
    }
}

impl Piece {
    /// The bracket that this piece opens, with its place. `${` opens a `{`.
    pub fn opens(&self, text: &str) -> Option<(char, usize)> {
        let own = self.of(text);
        match (self.kind, own) {
            (Kind::Symbol, "(" | "[" | "{") => Some((own.chars().next()?, self.range.start)),
            (Kind::Text, _) if own.starts_with(['`', '}']) && own.ends_with("${") => {
                Some(('{', self.range.end - 1))
            }
            _ => None,
        }
    }

    /// Whether this piece closes a bracket.
    pub fn closes(&self, text: &str) -> bool {
        match self.kind {
            Kind::Symbol => matches!(self.of(text), ")" | "]" | "}"),
            Kind::Text => self.of(text).starts_with('}'),
            _ => false,
        }
    }

    /// Neither space nor comment.
    pub fn is_solid(&self) -> bool {
        !matches!(self.kind, Kind::Space | Kind::Comment)
    }
}

/// The brackets that are open at the end of a text, the innermost last, with their places.
pub fn open_brackets(text: &str, pieces: &[Piece]) -> Vec<(char, usize)> {
    let mut open = Vec::new();
    for piece in pieces {
        if piece.closes(text) {
            open.pop();
        }
        open.extend(piece.opens(text));
    }
    open
}

/// Whether a text ends in the middle of something: a bracket, a text over lines, a comment.
pub fn is_open(text: &str) -> bool {
    let pieces = scan(text);
    let unfinished = pieces.last().is_some_and(|piece| {
        let own = piece.of(text);
        let backslashes = own.len() - own.trim_end_matches('\\').len();
        piece.open
            && match own.chars().next() {
                Some('"') => backslashes % 2 == 1,
                Some('\'') => false,
                _ => true,
            }
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
            "`a ${ `b ${c}` + #{ d: 1 } } e` + #\"f\"#",
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
            "\"goes on \\",
            "##\"a\"# ",
            "`a ${x",
            "`a ${f(`b`)",
            "`a ${x} b",
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
            "\"a\\\\",
            "##\"a \"# ( b\"##",
            "`${x} ( ${#{ a: 1 }.a}`",
            "`${`(`}`",
        ] {
            assert!(!is_open(closed), "{closed}");
        }
    }

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
