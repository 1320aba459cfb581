//! Tokens: what the lexer cuts a text into.

use std::ops::Range;

/// A part of a text that belongs together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub kind: TokenKind,
    /// Where it stands, in bytes.
    pub span: Range<usize>,
    pub ending: Ending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Whitespace,
    Comment,
    /// A string, quotes included; of a template the text up to `${`, or after the `}` of one.
    String,
    Char,
    Number,
    Identifier,
    Keyword,
    Open(Bracket),
    Close,
    /// An operator, or what rhai can't read.
    Symbol,
}

/// The kinds of brackets, by what opens them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bracket {
    /// `(`
    Paren,
    /// `[` or `?[`
    Square,
    /// `{`
    Brace,
    /// `#{`
    Map,
    /// The `{` of a template's `${`.
    Interpolation,
}

/// How a token ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Complete,
    /// The text ends within it, and more text would complete it.
    Continues,
    /// It needed an end that can't follow any more, like a string that its line ends in.
    Unterminated,
}

impl Token {
    pub(crate) fn of<'t>(&self, text: &'t str) -> &'t str {
        &text[self.span.clone()]
    }

    /// Whether it is trivia, what rhai skips.
    pub(crate) fn is_trivia(&self) -> bool {
        matches!(self.kind, TokenKind::Whitespace | TokenKind::Comment)
    }

    /// Whether it is an identifier or a keyword.
    pub(crate) fn is_word(&self) -> bool {
        matches!(self.kind, TokenKind::Identifier | TokenKind::Keyword)
    }

    /// Whether it is a string or a character.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self.kind, TokenKind::String | TokenKind::Char)
    }

    /// Where a string's own text begins, behind what opens it.
    pub(crate) fn text_start(&self, text: &str) -> usize {
        let own = self.of(text);
        let inside = own.trim_start_matches('#');
        let opened = inside.strip_prefix(['"', '\'', '`']);
        self.span.start + opened.map_or(0, |inside| own.len() - inside.len())
    }

    /// Whether it lacks its end.
    pub(crate) fn is_open(&self) -> bool {
        self.ending != Ending::Complete
    }

    /// The bracket that it opens.
    pub(crate) fn opens(&self) -> Option<Bracket> {
        match self.kind {
            TokenKind::Open(bracket) => Some(bracket),
            _ => None,
        }
    }
}

/// The tokens that are no trivia.
pub(crate) fn significant(tokens: &[Token]) -> Vec<&Token> {
    tokens.iter().filter(|token| !token.is_trivia()).collect()
}

/// Whether names are made of it.
pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}
