//! The lexer: a text as tokens without gaps.
//!
//! rhai's own tokenizer says where a token ends, so strings, numbers and operators are what they
//! are in a script. Three things it leaves to others are done here: what it skips becomes tokens
//! too, the text of a template goes on behind a `${ .. }`, and behind a token that it can't read the
//! next one is found.

use rhai::{InputStream, Position, Token as RhaiToken, TokenizeState, get_next_token};

use super::token::{Bracket, Ending, Token, TokenKind};

/// All of a text, token by token; their spans joined are the text. The last may be an empty string:
/// a template whose text goes on behind a `}` at the very end.
pub(crate) fn lex(text: &str) -> Vec<Token> {
    let mut lexer = Lexer {
        stream: Characters { text, at: 0 },
        state: TokenizeState::default(),
        templates: Vec::new(),
        in_template: false,
        tokens: Vec::new(),
    };
    while lexer.in_template || lexer.stream.at < text.len() {
        lexer.step();
    }
    lexer.tokens
}

struct Lexer<'t> {
    stream: Characters<'t>,
    state: TokenizeState,
    /// How many braces are open in each `${` that has not ended.
    templates: Vec<usize>,
    /// Whether the text of a template goes on here.
    in_template: bool,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn step(&mut self) {
        let start = self.stream.at;
        if !std::mem::take(&mut self.in_template) {
            if let Some((kind, length, ending)) = trivia(self.stream.rest()) {
                self.stream.at += length;
                return self.push(kind, start, ending);
            }
            self.state.is_within_text_terminated_by = None;
        } else {
            self.state.is_within_text_terminated_by = Some("`".into());
        }
        // Offsets are counted by the stream; rhai only needs some position to count from.
        let mut position = Position::new(1, 0);
        let (token, _) = get_next_token(&mut self.stream, &mut self.state, &mut position);
        // Text that may end in another line is no error to rhai, it asks for that line.
        let continues = self.state.is_within_text_terminated_by.take().is_some();
        let ending = if continues {
            Ending::Continues
        } else {
            Ending::Complete
        };
        match token {
            RhaiToken::StringConstant(_) => self.push(TokenKind::String, start, ending),
            RhaiToken::InterpolatedString(_) => {
                self.push(TokenKind::String, start, ending);
                // Its brace is the next token.
                self.templates.push(0);
            }
            RhaiToken::CharConstant(_) => self.push(TokenKind::Char, start, ending),
            RhaiToken::IntegerConstant(_) | RhaiToken::FloatConstant(_) => {
                self.push(TokenKind::Number, start, ending);
            }
            RhaiToken::Unit => {
                let end = self.stream.at;
                self.stream.at = start + 1;
                self.push(TokenKind::Open(Bracket::Paren), start, ending);
                self.stream.at = end;
                self.push(TokenKind::Close, start + 1, ending);
            }
            RhaiToken::LeftParen => self.push(TokenKind::Open(Bracket::Paren), start, ending),
            RhaiToken::LeftBracket | RhaiToken::QuestionBracket => {
                self.push(TokenKind::Open(Bracket::Square), start, ending);
            }
            RhaiToken::MapStart => self.open_brace(Bracket::Map, start),
            RhaiToken::LeftBrace => self.open_brace(Bracket::Brace, start),
            RhaiToken::RightBrace => self.close_brace(start),
            RhaiToken::RightParen | RhaiToken::RightBracket => {
                self.push(TokenKind::Close, start, ending);
            }
            RhaiToken::LexError(_) => self.recover(start),
            token => {
                let is_keyword = token.is_standard_keyword() || token == RhaiToken::Switch;
                let kind = if is_keyword {
                    TokenKind::Keyword
                } else if self.stream.text[start..]
                    .starts_with(|c: char| c.is_alphabetic() || c == '_')
                {
                    TokenKind::Identifier
                } else {
                    TokenKind::Symbol
                };
                self.push(kind, start, ending);
            }
        }
    }

    fn push(&mut self, kind: TokenKind, start: usize, ending: Ending) {
        self.tokens.push(Token {
            kind,
            span: start..self.stream.at,
            ending,
        });
    }

    fn open_brace(&mut self, bracket: Bracket, start: usize) {
        let mut bracket = bracket;
        if let Some(depth) = self.templates.last_mut() {
            if *depth == 0 {
                bracket = Bracket::Interpolation;
            }
            *depth += 1;
        }
        self.push(TokenKind::Open(bracket), start, Ending::Complete);
    }

    fn close_brace(&mut self, start: usize) {
        self.push(TokenKind::Close, start, Ending::Complete);
        if let Some(depth) = self.templates.last_mut() {
            *depth -= 1;
            if *depth == 0 {
                self.templates.pop();
                self.in_template = true;
            }
        }
    }

    /// The token at `start`, which rhai can't read.
    fn recover(&mut self, start: usize) {
        let rest = &self.stream.text[start..];
        let (kind, length, ending) = match rest.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let kind = if quote == '"' {
                    TokenKind::String
                } else {
                    TokenKind::Char
                };
                let (length, ending) = quoted(rest, quote);
                (kind, length, ending)
            }
            // Raw text without its quote.
            Some('#') => (TokenKind::Symbol, 1, Ending::Complete),
            Some(c) => {
                let kind = match c {
                    '-' | '0'..='9' => TokenKind::Number,
                    c if c.is_alphabetic() || c == '_' => TokenKind::Identifier,
                    _ => TokenKind::Symbol,
                };
                let read = self.stream.at.saturating_sub(start);
                (kind, read.max(c.len_utf8()), Ending::Complete)
            }
            None => return,
        };
        self.stream.at = start + length;
        self.push(kind, start, ending);
    }
}

/// Whitespace or a comment at the beginning of a text.
fn trivia(text: &str) -> Option<(TokenKind, usize, Ending)> {
    let spaces = text
        .find(|c: char| !c.is_ascii_whitespace())
        .unwrap_or(text.len());
    if spaces > 0 {
        return Some((TokenKind::Whitespace, spaces, Ending::Complete));
    }
    if text.starts_with("//") {
        let end = text.find(['\n', '\r']).unwrap_or(text.len());
        return Some((TokenKind::Comment, end, Ending::Complete));
    }
    text.starts_with("/*").then(|| {
        let (length, ending) = block_comment(text);
        (TokenKind::Comment, length, ending)
    })
}

/// Comments may be nested. The second `*` of `/**` belongs to what opens it, so `/**/` is not closed.
fn block_comment(text: &str) -> (usize, Ending) {
    let bytes = text.as_bytes();
    let mut at = if text.starts_with("/**") { 3 } else { 2 };
    let mut depth = 1;
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
                    return (at, Ending::Complete);
                }
            }
            _ => at += 1,
        }
    }
    // Nobody who writes `/**/` means to go on in the next line.
    let ending = match text.starts_with("/**/") {
        true => Ending::Unterminated,
        false => Ending::Continues,
    };
    (text.len(), ending)
}

/// A string or character with an error in it, to its closing quote or the end of its line.
fn quoted(text: &str, quote: char) -> (usize, Ending) {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return (at + c.len_utf8(), Ending::Complete),
            '\n' => return (at, Ending::Unterminated),
            _ => {}
        }
    }
    (text.len(), Ending::Unterminated)
}

/// A text that rhai reads, and how far it has read.
struct Characters<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Characters<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }
}

impl InputStream for Characters<'_> {
    /// rhai gives back only what it has just read.
    fn unget(&mut self, ch: char) {
        self.at -= ch.len_utf8();
    }

    fn get_next(&mut self) -> Option<char> {
        let c = self.rest().chars().next()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn peek_next(&mut self) -> Option<char> {
        self.rest().chars().next()
    }
}

#[cfg(test)]
#[path = "lexer_tests.rs"]
mod tests;
