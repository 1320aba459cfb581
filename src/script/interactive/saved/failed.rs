//! What an input that failed has left behind.

use std::collections::BTreeSet;

use crate::script::syntax::{Bracket, Statement, TokenKind, lex, significant, statements};

/// An input that failed, as a script does the same.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    /// What ran, and the functions, which are there whatever happens; none if that is nothing.
    pub text: Option<String>,
    /// Where the part ends that ran, in bytes of the input.
    pub end: usize,
    /// Where the statement begins that was stopped in its middle, and that a script can't stop there.
    pub stopped: Option<usize>,
}

/// How an input failed.
pub(crate) struct Failure<'a> {
    /// Where, in bytes.
    pub place: usize,
    /// Whether `catch` would have caught it.
    pub is_catchable: bool,
    /// Whether no function of the name at the place fits the call.
    pub is_unknown_call: bool,
    /// The text of a function that was typed in.
    pub function: &'a dyn Fn(&str) -> Option<String>,
}

impl Failed {
    /// The statements before the one that failed are kept. That one too, in a `try`, if it may have
    /// done something before it failed.
    pub(crate) fn of(text: &str, failure: &Failure) -> Self {
        let all = statements(text);
        let at = all
            .iter()
            .rposition(|s| s.range.start <= failure.place)
            .unwrap_or(0);
        let (ran, rest) = all.split_at(at.min(all.len()));
        // A comment behind the last statement belongs to it.
        let end = rest.first().map_or(text.len(), |s| s.range.start);
        let mut failed = Self {
            text: None,
            end,
            stopped: None,
        };
        let mut out = match ran.last() {
            Some(_) => text[..end].trim_end().to_owned(),
            None => String::new(),
        };
        let mut functions = rest;
        if let Some(statement) = rest.first().filter(|s| s.function.is_none())
            && has_effects(statement, text, failure)
        {
            functions = &rest[1..];
            failed.end = statement.range.end;
            if failure.is_catchable {
                // What it would have declared is not there in the session either.
                out.push_str(&format!("\ntry {{ {}; }} catch {{ }}", statement.of(text)));
            } else {
                failed.stopped = Some(statement.range.start);
            }
        }
        for statement in functions.iter().filter(|s| s.function.is_some()) {
            out.push('\n');
            out.push_str(statement.of(text));
        }
        let out = out.trim_start_matches('\n').trim_end();
        failed.text = (!out.trim().is_empty()).then(|| out.to_owned());
        failed
    }
}

/// Functions that print.
const PRINTING: [&str; 5] = [
    "print",
    "debug",
    "help",
    "print_n_comparisons",
    "pretty_print_completions",
];

const ASSIGNMENTS: [&str; 12] = [
    "=", "+=", "-=", "*=", "/=", "%=", "**=", "<<=", ">>=", "&=", "|=", "^=",
];

/// Whether a statement can have changed or printed something before it failed.
fn has_effects(statement: &Statement, text: &str, failure: &Failure) -> bool {
    let own = statement.of(text);
    let tokens = lex(own);
    let tokens = significant(&tokens);
    let place = failure.place.checked_sub(statement.range.start);
    let called = tokens.iter().position(|t| Some(t.span.start) == place);
    // A function of avec's or rhai's that fails has done nothing, unless it called a closure first.
    let calls_back = tokens
        .iter()
        .any(|token| matches!(token.of(own), "|" | "||" | "Fn"));
    let is_native = called.is_some_and(|at| {
        (failure.function)(tokens[at].of(own)).is_none()
            && !(at > 0 && tokens[at - 1].of(own) == "::")
    });
    let is_undone = failure.is_unknown_call || (is_native && !calls_back);
    let undone = place.filter(|_| is_undone);
    // `let x =` makes a new variable, which isn't there once its value failed.
    let declared = match tokens.first().map(|token| token.of(own)) {
        Some("let" | "const") => 3,
        _ => 0,
    };
    let assigns = tokens
        .iter()
        .skip(declared)
        .any(|token| token.kind == TokenKind::Symbol && ASSIGNMENTS.contains(&token.of(own)));
    assigns || calls_with_effects(own, undone, failure, &mut BTreeSet::new())
}

/// Whether a text calls something that can have an effect outside of it. `undone` is the byte of a
/// call that had none.
fn calls_with_effects(
    text: &str,
    undone: Option<usize>,
    failure: &Failure,
    seen: &mut BTreeSet<String>,
) -> bool {
    let tokens = lex(text);
    let tokens = significant(&tokens);
    let of = |at: usize| tokens.get(at).map_or("", |token| token.of(text));
    tokens.iter().enumerate().any(|(i, token)| {
        let name = token.of(text);
        if matches!(name, "this" | "import") {
            return true;
        }
        let called = tokens.get(i + 1).and_then(|next| next.opens()) == Some(Bracket::Paren);
        if !token.is_word() || !called || undone == Some(token.span.start) {
            return false;
        }
        let before = i.checked_sub(1).map_or("", of);
        if before == "fn" {
            return false;
        }
        // A method may change what it is called on, and a module's function is not looked into.
        if matches!(before, "." | "?." | "::") || PRINTING.contains(&name) {
            return true;
        }
        if !seen.insert(name.to_owned()) {
            return false;
        }
        let body = (failure.function)(name);
        body.is_some_and(|body| calls_with_effects(&body, None, failure, seen))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(text: &str, at: &str, is_catchable: bool) -> Failed {
        let function = |name: &str| match name {
            "quiet" => Some("fn quiet() { let x = 1; x += 1; loop { } }".to_owned()),
            "loud" => Some("fn loud() { print(1); quiet() }".to_owned()),
            _ => None,
        };
        let failure = Failure {
            place: text.find(at).unwrap(),
            is_catchable,
            is_unknown_call: at.starts_with("nonsense"),
            function: &function,
        };
        Failed::of(text, &failure)
    }

    #[test]
    fn what_ran_is_kept() {
        let text = "let z = 5; let y = [z]; nonsense(); fn f() { 1 }";
        assert_eq!(
            failed(text, "nonsense", true).text.unwrap(),
            "let z = 5; let y = [z];\nfn f() { 1 }"
        );
        assert_eq!(failed("nonsense()", "nonsense", true).text, None);
        assert_eq!(failed("f(); g()", "f", true).text, None);
        assert_eq!(failed("m.nonsense()", "nonsense", true).text, None);
        assert_eq!(failed("m.generate(1)", "generate", false).stopped, None);
        let comparison = "print_n_comparisons(#{ a: 1 })";
        assert_eq!(failed(comparison, "print", false).stopped, None);
        assert_eq!(failed("let z = quiet()", "quiet", false).text, None);
        assert_eq!(failed("let z = quiet()", "quiet", false).stopped, None);
    }

    #[test]
    fn what_may_have_changed_something_is_tried_again() {
        assert_eq!(
            failed("let z = 5; z = 1 + loud()", "loud", true)
                .text
                .unwrap(),
            "let z = 5;\ntry { z = 1 + loud(); } catch { }"
        );
        for (text, at) in [
            ("loud()", "loud"),
            ("a.push(1) / 0", "/"),
            ("w::f()", "f"),
            ("x += f()", "f"),
            ("{ print(1); f() }", "f"),
            ("a.retain(|x| f(x))", "retain"),
        ] {
            let all = failed(text, at, true);
            assert_eq!(all.text.unwrap(), format!("try {{ {text}; }} catch {{ }}"));
            let stopped = failed(text, at, false);
            assert_eq!(stopped.stopped, Some(0), "{text}");
        }
    }
}
