//! A text's statements: where each begins and ends, and the functions among them.

use std::ops::Range;

use super::brackets::Brackets;
use super::lexer::lex;
use super::token::{Bracket, Token, TokenKind, is_word, significant};

/// A statement of a text, outside of all brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    /// From its first token to its last, without `;` and what stands around it.
    pub range: Range<usize>,
    /// Whether a `;` ends it.
    pub closed: bool,
    /// The function that it defines.
    pub function: Option<Signature>,
}

/// What tells script functions apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Signature {
    pub name: String,
    pub parameters: usize,
}

impl Statement {
    pub(crate) fn of<'t>(&self, text: &'t str) -> &'t str {
        &text[self.range.clone()]
    }

    /// Whether it begins with this word.
    pub(crate) fn begins_with(&self, word: &str, text: &str) -> bool {
        let rest = self.of(text).strip_prefix(word);
        rest.is_some_and(|rest| !rest.starts_with(is_word))
    }
}

/// What needs no `;` after its last `}`.
const BLOCKS: [&str; 9] = [
    "if", "while", "for", "loop", "switch", "try", "fn", "private", "{",
];

/// All statements of a text, in order.
pub(crate) fn statements(text: &str) -> Vec<Statement> {
    let tokens = lex(text);
    let tokens = significant(&tokens);
    let brackets = Brackets::of(tokens.iter().copied());
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.of(text) == word);
    let mut statements = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if is(at, ";") {
            at += 1;
            continue;
        }
        let start = at;
        let block = BLOCKS.contains(&tokens[start].of(text));
        while at < tokens.len() && !is(at, ";") {
            let opened = tokens[at].opens();
            // What is within brackets is no end.
            at = match opened {
                Some(_) => brackets.partner(at).unwrap_or(tokens.len() - 1) + 1,
                None => at + 1,
            };
            let closed_block = opened == Some(Bracket::Brace);
            if block && closed_block && !is(at, "else") && !is(at, "catch") {
                break;
            }
        }
        statements.push(Statement {
            range: tokens[start].span.start..tokens[at - 1].span.end,
            closed: is(at, ";"),
            function: signature(text, &tokens[start..at]),
        });
    }
    statements
}

/// The signature of a statement that defines a function.
fn signature(text: &str, statement: &[&Token]) -> Option<Signature> {
    let of = |token: &&Token| token.of(text);
    if !matches!(statement.first().map(of), Some("fn" | "private")) {
        return None;
    }
    let brackets = Brackets::of(statement.iter().copied());
    let open = statement.iter().position(|token| of(token) == "(")?;
    let name = statement.get(open.checked_sub(1)?)?;
    let inside = statement.get(open + 1..brackets.partner(open)?)?;
    let parameters = inside.iter().filter(|t| t.kind == TokenKind::Identifier);
    Some(Signature {
        name: name.of(text).to_owned(),
        parameters: parameters.count(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<&str> {
        statements(text).iter().map(|s| s.of(text)).collect()
    }

    #[test]
    fn statements_end_at_a_semicolon_or_a_block_s_brace() {
        assert_eq!(parts("let a = 1; a + 1 // end"), ["let a = 1", "a + 1"]);
        assert_eq!(parts("fn g() { 3; } g()"), ["fn g() { 3; }", "g()"]);
        assert_eq!(
            parts("for i in 0..2 { print(i); } 7"),
            ["for i in 0..2 { print(i); }", "7"]
        );
        assert_eq!(
            parts("if a { 1 } else if #{ b: 1 }.b == 1 { 2 } else { 3 } 7;"),
            ["if a { 1 } else if #{ b: 1 }.b == 1 { 2 } else { 3 }", "7"]
        );
        assert_eq!(
            parts("try { f(); } catch (e) { g(); } h()"),
            ["try { f(); } catch (e) { g(); }", "h()"]
        );
        assert_eq!(
            parts("let f = |x| { x * 2 }; do { x += 1 } while x < 5; #{ a: 1 }"),
            [
                "let f = |x| { x * 2 }",
                "do { x += 1 } while x < 5",
                "#{ a: 1 }"
            ]
        );
        assert_eq!(
            parts("`${ let x = 1; x }`; 2"),
            ["`${ let x = 1; x }`", "2"]
        );
        assert_eq!(parts("; ; // nothing"), Vec::<&str>::new());
    }

    #[test]
    fn closed_statements_and_functions_are_known() {
        let text = "if true { 7 }; private fn f(a, b) { a } x";
        let found = statements(text);
        let closed: Vec<bool> = found.iter().map(|s| s.closed).collect();
        assert_eq!(closed, [true, false, false]);
        let expected = Signature {
            name: "f".into(),
            parameters: 2,
        };
        assert_eq!(found[1].function, Some(expected));
        assert!(found[2].begins_with("x", text));
        assert!(!statements("returned")[0].begins_with("return", "returned"));
    }
}
