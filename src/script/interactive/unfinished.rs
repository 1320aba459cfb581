//! Whether a text is half an input, so that Enter should begin another line of it.

use rhai::{ParseError, ParseErrorType};

use crate::script::syntax::{Ending, Token, TokenKind, lex, offset, open_brackets};

/// Whether more must follow. `compile` tells rhai's error, if it has one.
///
/// rhai stops at the first place that makes no sense to it. If that is behind all that was typed,
/// what was typed makes sense so far.
pub(super) fn is_unfinished(text: &str, compile: impl Fn(&str) -> Option<ParseError>) -> bool {
    let tokens = lex(text);
    let last = tokens.last();
    // Whatever follows, it would be a part of the comment.
    let is_swallowed =
        |token: &Token| token.kind == TokenKind::Comment && token.ending == Ending::Unterminated;
    if last.is_some_and(is_swallowed) {
        return false;
    }
    let continues = last.is_some_and(|token| token.ending == Ending::Continues);
    if continues || !open_brackets(&tokens).is_empty() {
        return true;
    }
    // An empty line after it asks what is wrong.
    let last_line = text.rsplit_once('\n').map(|(_, last)| last);
    if last_line.is_some_and(|line| line.trim().is_empty()) {
        return false;
    }
    let Some(ParseError(kind, place)) = compile(text) else {
        return false;
    };
    let Some(last) = tokens.iter().rfind(|token| !token.is_trivia()) else {
        return false;
    };
    let place = place
        .line()
        .and_then(|line| offset(text, line - 1, place.position().unwrap_or(1)));
    matches!(*kind, ParseErrorType::UnexpectedEOF)
        || place.is_some_and(|place| place >= last.span.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfinished(text: &str) -> bool {
        let mut engine = rhai::Engine::new();
        engine.set_strict_variables(true);
        let mut scope = rhai::Scope::new();
        scope.push("x", 1);
        is_unfinished(text, |text| engine.compile_with_scope(&scope, text).err())
    }

    #[test]
    fn more_must_follow() {
        for text in [
            "x +",
            "x +  // a note",
            "x.",
            "x ==",
            "x +=",
            "let y =",
            "if x == 1",
            "if x == 1 { 2 } else",
            "while false",
            "for i in 0..5",
            "fn w()",
            "do { 1 }",
            "do { 1 } while",
            "try { 1 }",
            "switch x",
            "let g = |",
            "f(x,",
            "\"goes on \\",
            "import \"a\" as",
        ] {
            assert!(unfinished(text), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_needs_no_more() {
        for text in [
            "x",
            "x x",
            "x )",
            "1,",
            "}",
            "/**/ x",
            "f( /**/ x)",
            "y +",
            "let 5",
            "let y",
            "fn w() 5",
            "\"abc",
            "x + ;",
            // An empty line after it ends all but brackets.
            "x +\n",
            "x +\n  ",
        ] {
            assert!(!unfinished(text), "{text:?}");
        }
        assert!(unfinished("f(\n"));
        assert!(!unfinished("// a note\n"));
    }

    /// A bracket, a text over lines or a comment that the text ends in.
    #[test]
    fn what_lacks_its_end_goes_on() {
        for text in [
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
            assert!(is_unfinished(text, |_| None), "{text}");
        }
        for text in [
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
            "`\\${ (`",
        ] {
            assert!(!is_unfinished(text, |_| None), "{text}");
        }
    }
}
