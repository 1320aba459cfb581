//! The fuzz target of terminal input, a bounded run of it over recorded and generated inputs.

use avec::repl::fuzz::{session, terminal_input};
use proptest::prelude::*;

/// What people type and paste, and what once went wrong or could.
const INPUTS: &[&str] = &[
    "let m = load_model(\"demo\")",
    "m.run_with_cache(\"a\", \"blocks.3.ln2.hook_s",
    "x_vector(#{ prompt1: \"Love\", pad_method: \"tok",
    "print_n_comparisons(#{ model: m, activation_additions: [",
    "avec> let x = [\n  ... 1]\navec> x\n[1]\n",
    "avec> ",
    "  ... 2]",
    "avec>",
    ":set top_p 0.5",
    ":save --last --force \"a b\"",
    ":save --last",
    ":",
    "?",
    "?print_n",
    "x_vector?",
    "??",
    ":time :time :time 1",
    ":coeff 1e999",
    ":seed -1",
    ":prompt \"\"\"",
    "exit",
    "`a ${`b ${",
    "`${#{ a: `",
    "/* /* */",
    "\"\\",
    "'",
    "#",
    "##\"a\"#",
    "\u{1b}[31mred\u{1b}[0m",
    "\u{1b}]0;title\u{7}",
    "a\rb\u{8}\u{8}c",
    "\u{9b}31m",
    "\u{202e}drow",
    "\0",
    "日本語.len(",
    "e\u{301}\u{301}?",
    "}}}}]]]))",
    "((((((((((((((((((((",
    "_ + _",
    "fn f(x) { x } f(",
    "import \"a",
    "m.",
    "[1][0].",
    "0x.",
    "1..",
    "\t\t",
    "",
];

#[test]
fn recorded_inputs() {
    let state = session();
    for input in INPUTS {
        terminal_input(&state, input.as_bytes());
    }
    terminal_input(&state, b"print(\"\xff\xfe\")");
}

/// A recorded input with some of its bytes changed, and pieces of others put in.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let one = || prop::sample::select(INPUTS);
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 0..6);
    (one(), one(), edits).prop_map(|(text, other, edits)| {
        let mut bytes = text.as_bytes().to_vec();
        for (index, byte, what) in edits {
            let at = index.index(bytes.len() + 1);
            match what {
                0 => bytes.insert(at, byte & 0x7f),
                1 => {
                    bytes.splice(at..at, other.bytes());
                }
                2 if at < bytes.len() => bytes[at] = byte & 0x7f,
                _ => bytes.truncate(at.max(1)),
            }
        }
        bytes
    })
}

/// A session's engine is large: one serves many cases.
fn run(cases: u32, inputs: impl Strategy<Value = Vec<u8>>) {
    let state = session();
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let outcome = runner.run(&inputs, |bytes| {
        terminal_input(&state, &bytes);
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn changed_inputs() {
    run(400, mutated());
}

#[test]
fn noise() {
    run(400, prop::collection::vec(any::<u8>(), 0..60));
}

#[test]
fn noise_that_is_text() {
    run(
        400,
        "[a-z:?(){}\\[\\]\"'`$#/\\\\.,= \u{1b}\u{7}\n\té]{0,40}".prop_map(String::into_bytes),
    );
}
