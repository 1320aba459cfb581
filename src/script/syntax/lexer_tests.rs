//! The lexer beside rhai's own tokenizer.

use proptest::prelude::*;
use rhai::{Engine, Token as RhaiToken};

use super::*;
use crate::script::syntax::line_and_column;

/// What rhai reads up to its first complaint: the place of each token, and whether it is text that
/// goes on behind a `}`, of which rhai gives no exact place.
type Start = ((usize, usize), bool);

fn by_rhai(text: &str) -> (Vec<Start>, bool) {
    let engine = Engine::new_raw();
    let texts = [text];
    let (tokens, control) = engine.lex(&texts);
    let mut starts = Vec::new();
    let mut templates: Vec<usize> = Vec::new();
    let mut goes_on = false;
    for (token, position) in tokens {
        let place = (
            position.line().unwrap_or(0),
            position.position().unwrap_or(0),
        );
        let continued = std::mem::take(&mut goes_on);
        match &token {
            RhaiToken::EOF => return (starts, true),
            RhaiToken::LexError(_) => return (starts, false),
            RhaiToken::Comment(_) => continue,
            _ => starts.push((place, continued)),
        }
        match token {
            // One token here, two brackets there.
            RhaiToken::Unit => starts.push(((place.0, place.1 + 1), false)),
            RhaiToken::InterpolatedString(_) => templates.push(0),
            RhaiToken::LeftBrace | RhaiToken::MapStart => {
                if let Some(depth) = templates.last_mut() {
                    *depth += 1;
                }
            }
            RhaiToken::RightBrace => {
                if let Some(depth) = templates.last_mut() {
                    *depth -= 1;
                    if *depth == 0 {
                        templates.pop();
                        // rhai's parser says this where it has read the block.
                        control.borrow_mut().is_within_text = true;
                        goes_on = true;
                    }
                }
            }
            _ => {}
        }
    }
    (starts, true)
}

#[track_caller]
fn check(text: &str) {
    let tokens = lex(text);
    let mut at = 0;
    for token in &tokens {
        assert_eq!(token.span.start, at, "a gap in {text:?}: {tokens:?}");
        at = token.span.end;
    }
    assert_eq!(at, text.len(), "{text:?}");
    // A carriage return alone counts as a line in rhai's comments only.
    if text.contains('\r') {
        return;
    }
    let (expected, whole) = by_rhai(text);
    // rhai miscounts the columns behind a template's `\\${`.
    let counted = !text.contains("\\$");
    let ours: Vec<&Token> = tokens.iter().filter(|token| !token.is_trivia()).collect();
    for (i, (place, continued)) in expected.iter().enumerate() {
        let Some(token) = ours.get(i) else {
            panic!("rhai has more tokens in {text:?}: {expected:?}, {ours:?}");
        };
        if counted && !continued {
            let start = line_and_column(text, token.span.start);
            assert_eq!(start, *place, "token {i} of {text:?}: {ours:?}");
        }
    }
    if whole {
        assert_eq!(ours.len(), expected.len(), "{text:?}: {ours:?}");
    }
}

#[test]
fn tokens_are_rhai_s() {
    for text in [
        "let x = 1.5; // no\nprint(`a ${x} b`); 'c'",
        "x.y(\"a\\\"b",
        "/* a /* b */ c",
        "/**/ a */ b /***/ c",
        "/// doc\nfn f() {}\n/** doc */ fn g() {} //// no\n//! header",
        "1.max(2) 0..5 1e-3 ü 1.) 1_000.5 0xff 0b1 -5 x -5 1..=2",
        "`a ${ `b ${c}` + #{ d: 1 } } e` + #\"f\"#",
        "\"a\"\"b\" `a``b` `\\${x}` `$x`",
        "a?.b ?? c?[0] !in b !inside a::b a<<=1 ()",
        "##\"a \"# ( b\"##",
        "'\\'' '\"' 'ab' ''",
        "# # {#! ~ § __ 0x",
        "\"goes on \\\n  here\" `two\nlines`",
        "`${x}${y}`",
        "`${x}",
        "`${x} b",
        "`${ {} }`}",
    ] {
        check(text);
    }
}

#[test]
fn what_lacks_its_end_is_known() {
    let last = |text: &str| lex(text).last().map(|token| (token.kind, token.ending));
    assert_eq!(last("\"a"), Some((TokenKind::String, Ending::Unterminated)));
    assert_eq!(last("\"a \\"), Some((TokenKind::String, Ending::Continues)));
    assert_eq!(last("`a"), Some((TokenKind::String, Ending::Continues)));
    assert_eq!(last("`${a}"), Some((TokenKind::String, Ending::Continues)));
    assert_eq!(last("#\"a"), Some((TokenKind::String, Ending::Continues)));
    assert_eq!(last("/* a"), Some((TokenKind::Comment, Ending::Continues)));
    assert_eq!(last("\"\\q\""), Some((TokenKind::String, Ending::Complete)));
}

/// Pieces that meet in surprising ways.
const PARTS: [&str; 52] = [
    "\"", "'", "`", "${", "{", "}", "#{", "#", "(", ")", "[", "]", "\\", "/*", "*/", "//", "\n",
    " ", "a", "_", "1", ".", "..", "e", "0x", "-", "+", "=", ">", "<", "!", "in", "?", ":", ";",
    ",", "$", "|", "&", "@", "ü", "日", "\t", "let", "return", "~", "///", "/**", "//!", "\u{a0}",
    "\"a\"", "`b`",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spans_joined_are_the_text(parts in prop::collection::vec(0..PARTS.len(), 0..40)) {
        let text: String = parts.iter().map(|part| PARTS[*part]).collect();
        check(&text);
    }

    #[test]
    fn any_text_has_tokens(text in any::<String>()) {
        check(&text);
    }
}
