//! What a session saves: each session of a table is run, saved and run as a script, and both must
//! print the same; or saving it is refused.

use super::*;

/// Inputs whose saved script must print what they did.
#[track_caller]
fn saved(inputs: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Tester::new();
    for input in inputs {
        t.enter(input);
    }
    t.saves(folder.path())
}

#[test]
fn a_saved_session_does_the_same() {
    saved(&[
        "let f = |x| { x * 2 }",
        "f.call(4)",
        "let o = #{ a: 1 }",
        "o",
    ]);
    saved(&["5 // a note", "8; // note", "_", "_ + 1 /* more */", "_"]);
    saved(&[
        "fn g() { 3 } g()",
        "for i in 0..2 { print(i) } 7",
        "if true { 1 } else { 2 } 8",
        "if true { 1 } else { 2 }",
        "switch 3 { 3 => \"three\", _ => \"no\" }",
        "loop { break 4; }",
        "{ let a = 1; a + 1 }",
        "try { throw \"a\" } catch (e) { print(e) }",
        "do { 3 } while false",
        "`${_} and ${1 + 1}`",
        "##\"a \"# ( b\"##",
    ]);
    saved(&["fn f() { 1 }", "f()", "fn f() { 2 }", "f()"]);
    saved(&["1 + 1;", "print(\"hi\");", "_"]);
    saved(&["let x = 4;", "x;", "x += 3;", "_"]);
    saved(&["if true { 7 };", "_"]);
    saved(&["let z = 5; let y = nonsense(z);", "z"]);
    saved(&[
        "fn h() { 9 } let z = 5; throw \"no\"; let y = 3;",
        "h() + z",
    ]);
}

/// Ctrl-C in a function that was typed in earlier: the place of the error is not in the input.
#[test]
fn what_ran_before_an_interrupt_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Tester::new();
    t.enter("fn long() { loop {} }");
    let cancel = t.state.session().run.cancel.clone();
    std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(100));
        cancel.raise();
    });
    assert_eq!(
        t.enter("let z = 5; print(1); long(); let y = 2;"),
        "Cancelled"
    );
    assert_eq!(t.enter("z"), "5");
    t.saves(folder.path());
}

/// Sessions whose saved scripts must print what they did.
const SESSIONS: &[&[&str]] = &[
    // Variables that are made again, constants, and what closures capture.
    &[
        "let x = 1;",
        "let x = x + 1;",
        "x",
        "let x = \"text\";",
        "x",
    ],
    &["const c = 4;", "c", "let c = c + 1; c"],
    &["let x = 1;", "let f = || x;", "x = 5;", "f.call()"],
    &[
        "let x = 1;",
        "let f = |y| { x += y; x };",
        "f.call(2)",
        "x",
        "f.call(3)",
    ],
    // Functions in several versions, and those that call them.
    &[
        "fn f() { 1 } fn g() { f() }",
        "g()",
        "fn f() { 2 }",
        "g()",
        "fn g() { f() * 10 }",
        "g()",
    ],
    &[
        "fn f(x) { x }",
        "[1, 2].map(|x| f(x))",
        "fn f(x) { -x }",
        "[1, 2].map(|x| f(x))",
    ],
    &[
        "fn f() { 1 }",
        "Fn(\"f\").call()",
        "fn f() { 2 }",
        "Fn(\"f\").call()",
    ],
    &[
        "fn f() { 1 }",
        "let g = || f();",
        "g.call()",
        "fn h() { 2 }",
        "g.call()",
    ],
    &["is_def_fn(\"f\", 0)", "fn g() { 1 }", "is_def_fn(\"g\", 0)"],
    &[
        "fn f(x) { x }",
        "f(1)",
        "fn f() { 2 }",
        "f(f())",
        "fn f(x, y,) { x + y }",
        "f(1, [2, 3][0],)",
    ],
    &["[1].len()", "fn len(a) { 99 }", "len([1])", "[1].len()"],
    // Returns that end a function or a closure.
    &["fn f(x) { if x { return 1 } 2 }", "f(true)", "f(false)"],
    &[
        "let f = |x| { if x { return 1 } 2 };",
        "f.call(true)",
        "[true].map(|x| { return x; })",
    ],
    &[
        "nonsense(); return 5",
        "fn late() { if true { return 6 } 7 }",
        "late()",
    ],
    // `_`, also in templates, blocks and as a variable.
    &[
        "3",
        "`${_} ${_ + 1}`",
        "_.len()",
        "if _ > 2 { _ } else { 0 }",
        "_ = 9;",
        "_",
    ],
    &["7;", "let last_value = 1;", "_ + last_value"],
    // As a key or a property it has no value, in sessions and in scripts.
    &[
        "7",
        "let m = #{ a: _, \"_\": 2 };",
        "m._ = 3;",
        "m[\"_\"]",
        "m",
        "#{ _: 1 }",
    ],
    &["5", "()", "_", "let y = 1;", "_"],
    // Inputs that fail: what ran before, what the failing statement did, and functions.
    &["let z = 5; let y = nonsense(z);", "z"],
    &["let z = 5; z += 1; throw z; z = 7;", "z"],
    &["let a = [1]; a.push(2); nonsense(a)", "a"],
    &[
        "let x = 0;",
        "for i in 0..5 { x += i; if i == 3 { throw \"no\" } }",
        "x",
    ],
    &["let a = [];", "a.push(1) + nonsense()", "a"],
    &[
        "fn loud(x) { print(x); throw \"no\" }",
        "let y = loud(3);",
        "loud(4)",
    ],
    &["let x = 1;", "{ x = 2; print(x); nonsense(); x = 3; }", "x"],
    &["throw \"no\"; fn kept() { 8 }", "kept()"],
    &[
        "let m = #{ a: 1 };",
        "m.b = 2; m.a = nonsense(); m.c = 3;",
        "m",
    ],
    &["let x = 3; // a note\nx.nonsense() // another\n", "x"],
    &[
        "let a = []; a.push(5); [1].map(|x| nonsense(x)); a.push(6);",
        "a",
    ],
    &[
        "let a = []; [1, 2].map(|x| { a.push(x); if x == 2 { throw x } }); a.push(6);",
        "a",
    ],
    &[
        "fn f(x) { x.nonsense() } let a = []; a.push(5); f(a.len()); a.push(6);",
        "a",
    ],
    // Values that are functions, and closures over what is made again.
    &["|x| x + 1;", "_.call(2)", "Fn(\"print\")"],
    &["let x = 1; let f = || x; let x = 2; f.call() + x"],
    &["3", "let f = || _;", "4", "f.call() + _"],
    &[
        "fn twice(f, x) { f.call(f.call(x)) }",
        "twice(|x| x * 3, 2)",
    ],
    // Errors that are caught.
    &["try { throw \"a\" } catch (e) { print(e) }"],
    &["try { nonsense() } catch (e) { print(e) }"],
    &["let kept; try { 1 / 0 } catch (e) { kept = e }", "kept"],
    &["try { 1 / 0 } catch (e) { print(e); print(e.hint) }", "1"],
    &["try { x_vector(#{}) } catch (e) { print(e) }"],
    &["try { nonsense() } catch { print(\"caught\") }"],
    &["try { nonsense() } catch (e) { print(e.message) }"],
    &["try { nonsense() } catch (e) { print(e) }"],
    &["let kept; try { 1 / 0 } catch (e) { kept = e }", "kept"],
    // Statements of all kinds at the end of an input.
    &[
        "let x = 3;",
        "x = 4",
        "x",
        "switch x { 4 => { \"four\" } _ => () }",
        "while x > 0 { x -= 1 }",
        "x",
    ],
    &[
        "loop { break 4 }",
        "for i in 0..3 { i }",
        "{ 1; 2 }",
        "#{ a: 1 }.a",
        "[1, 2][1]",
        "-1",
        "!true",
    ],
    &[
        "let a = 1 // no semicolon",
        "a",
        "/* before */ a + 1 /* after */ // end",
        "let t = \"two \\\n  lines\";",
        "t",
        "`a\nb`",
    ],
    &["if true { 1 } else { 2 }", "[3].len()", "(4)"],
    &["'c'", "#\"raw \"text\"\"#", "\"a\"\"b\"", "`$ \\${x}`"],
    &["let a = 1 || 2 == 2;", "let b = true || false; b"],
];

#[test]
fn sessions_and_their_scripts_print_the_same() {
    for session in SESSIONS {
        saved(session);
    }
}

#[track_caller]
fn refused(inputs: &[&str]) -> String {
    let mut t = Tester::new();
    for input in inputs {
        t.enter(input);
    }
    let folder = tempfile::tempdir().unwrap();
    match t.state.script(folder.path()) {
        Ok(script) => panic!("{inputs:?} was saved as\n{script}"),
        Err(error) => error.message(),
    }
}

/// Inputs, and the beginning of why they can't be saved.
const REFUSED: &[(&[&str], &str)] = &[
    (&["return 5"], "repl[1]:1:1: `return` ends an input here"),
    (
        &["print(1); return 2; print(3)"],
        "repl[1]:1:11: `return` ends an input here",
    ),
    (
        &["1", "let z = 2; return z + 1"],
        "repl[2]:1:12: `return` ends an input here",
    ),
    (
        &["return 5; fn late() { if true { return 6 } 7 }", "late()"],
        "repl[1]:1:1: `return` ends an input here",
    ),
    (
        &[
            "let kept; try { 1 / 0 } catch (e) { kept = e }",
            "kept.line",
        ],
        "repl[2]:1:6: an error's `line`",
    ),
    (
        &["let a = true; let b = false;", "if a || b { return 5 }"],
        "repl[2]:1:13: `return` within a statement",
    ),
    (
        &["let x = true;", "if x { return 5 } print(1)"],
        "repl[2]:1:8: `return` within a statement",
    ),
    (
        &["let a = 1;\nif a == 1 { return 7 }"],
        "repl[1]:2:13: `return` within a statement",
    ),
    (
        &["switch 3 { 3 => return 5, _ => 2 }"],
        "repl[1]:1:17: `return` within a statement",
    ),
    (
        &["let f = |x| { return x }; if f.call(true) { return 1 }"],
        "repl[1]:1:45: `return` within a statement",
    ),
    (
        &["let z = 1; if z == 2 { return } nonsense()"],
        "repl[1]:1:24: `return` within a statement",
    ),
    (
        &["1;", "\"two \\\n  lines\""],
        "repl[2]:1:1: what this string skips",
    ),
    (
        &["  let t = \"two \\\n         lines\";"],
        "repl[1]:1:11: what this string skips",
    ),
    (&["1 + 1", "exit(5); print(3);"], "repl[2]:1:1: `exit`"),
    (
        &["fn f() { exit() }", "f(); print(1)"],
        "repl[1]:1:10: `exit`",
    ),
    (
        &["len([1])", "fn len(a) { 99 }", "len([1])"],
        "repl[1]:1:1: `len` is called before repl[2] defines it",
    ),
    (
        &["fn f(a) { a + f() }", "print(f()); throw 1", "fn f() { 1 }"],
        "repl[1]:1:15: `f` is called before repl[3] defines it",
    ),
    (
        &["is_def_fn(\"f\", 0)", "fn f() { 1 }"],
        "repl[1]:1:12: `f` is called before repl[2] defines it",
    ),
    (
        &[
            "fn f() { 1 }",
            "let g = || f();",
            "g.call()",
            "fn f() { 2 }",
            "g.call()",
        ],
        "repl[4]: `f` is defined again, and the function in `g` may call it",
    ),
    (
        &[
            "fn f() { 1 }",
            "let all = [#{ g: Fn(\"f\") }];",
            "fn f() { 2 }",
            "all[0].g.call()",
        ],
        "repl[3]: `f` is defined again, and the function in `all` may call it",
    ),
    (
        &["fn f() { 1 }", "|| f();", "fn f() { 2 }", "_.call()"],
        "repl[3]: `f` is defined again, and the function in `_` may call it",
    ),
    (
        &[
            "fn f() { 1 }",
            "let name = \"f\";",
            "Fn(name).call()",
            "fn f() { 2 }",
            "Fn(name).call()",
        ],
        "repl[4]: `f` is defined again, and another input computes",
    ),
    (
        &[
            "fn len(a) { 99 }",
            "[1].len()",
            "fn len(a) { 98 }",
            "[1].len()",
        ],
        "repl[3]: `len` is defined again, and which calls mean",
    ),
    (
        &["|x| x + 1"],
        "repl[1]: it shows the place of an error or the name of a closure",
    ),
    (
        &["try { 1 / 0 } catch (e) { print(e.line) }"],
        "repl[1]:1:35: an error's `line`",
    ),
];

#[test]
fn what_a_script_would_do_differently_is_refused() {
    for (inputs, reason) in REFUSED {
        let message = refused(inputs);
        let expected = format!("this session can't be saved: {reason}");
        assert!(message.starts_with(&expected), "{inputs:?}: {message}");
    }
}

/// What is stopped from outside in the middle of its work would go on in a script.
#[test]
fn a_statement_that_was_interrupted_after_it_printed_is_refused() {
    let mut t = Tester::new();
    let cancel = t.state.session().run.cancel.clone();
    std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(100));
        cancel.raise();
    });
    t.enter("let z = 5; print(1); loop { z += 1 }");
    let error = t.state.script(Path::new("")).unwrap_err();
    assert!(
        error
            .message()
            .starts_with("this session can't be saved: repl[1]:1:22: this was stopped"),
        "{error}"
    );
}

/// Inputs stand in the script as they were typed.
#[test]
fn inputs_are_kept_word_for_word() {
    let inputs = [
        "let   x=1 ;  // spaces  ",
        "fn f( a ){ if a { return 1 }\n  /* two */ 2 }",
        "let closure = |a| { return a  };",
        "for i in 0..2 {\n\tprint( i )\n}",
    ];
    let script = saved(&inputs);
    for input in inputs {
        assert!(script.contains(input.trim()), "{script}");
    }
}

/// A script that is loaded is named when it is to blame.
#[test]
fn a_loaded_script_is_saved_or_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("early.rhai");
    std::fs::write(
        &file,
        "//! Ends early.\nlet x = 1;\nif x == 1 { return 2 }\nx",
    )
    .unwrap();
    let mut t = Tester::new();
    assert_eq!(t.load(&file), "2");
    let error = t.state.script(folder.path()).unwrap_err();
    let place = format!("{}:3:13: `return`", file.display());
    assert!(error.message().contains(&place), "{error}");
    std::fs::write(
        &file,
        "//! Does not.\nlet x = 1;\nfn f() { return 3 }\nx + f()",
    )
    .unwrap();
    t.state.reset();
    t.printed.0.lock().unwrap().clear();
    assert_eq!(t.load(&file), "4");
    t.enter("x");
    t.saves(folder.path());
}

/// Imports serve functions, closures and later inputs alike, whatever they are called.
#[test]
fn what_is_imported_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    library(folder.path());
    std::fs::write(
        folder.path().join("main.rhai"),
        "import \"deep/lib/w\" as w;\nimport \"deep/lib/w\" as again;\nw::double(1)",
    )
    .unwrap();
    let mut t = Tester::new();
    assert_eq!(t.load(&folder.path().join("main.rhai")), "2");
    for (input, shown) in [
        ("w::answer", "42"),
        ("[1, 2].map(|x| w::double(x) + again::double(x))", "[4, 8]"),
        ("fn g(x) { w::double(x) }", ""),
        ("g(4)", "8"),
        ("[3].map(|x| g(x))", "[6]"),
        ("let f = |x| w::double(x);", ""),
        ("f.call(5)", "10"),
    ] {
        assert_eq!(t.enter(input), shown, "{input}");
    }
    t.saves(folder.path());
}

/// A comparison or a generation that is interrupted has printed nothing, and is left out.
#[test]
fn an_interrupted_generation_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Tester::new();
    t.enter("let m = load_model(\"demo\");");
    for input in [
        "print_n_comparisons(#{ model: m, prompt: \"I think\", num_comparisons: 5000, tokens_to_generate: 100, stop_at_eos: false })",
        "let text = m.generate(\"I think\", #{ max_new_tokens: 120, num_return_sequences: 5000, stop_at_eos: false });",
    ] {
        let cancel = t.state.session().run.cancel.clone();
        let raised = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(300));
            cancel.raise();
        });
        let out = t.enter(input);
        raised.join().unwrap();
        assert!(
            out == "Cancelled" || out.contains("num_return_sequences"),
            "{out}"
        );
    }
    assert_eq!(t.enter("m.n_layers"), "5");
    let script = t.saves(folder.path());
    assert!(!script.contains("I think"), "{script}");
}

/// Inputs that get into each other's way.
const INPUTS: &[&str] = &[
    "let x = 1;",
    "let x = [1, 2];",
    "x",
    "x += 1;",
    "x.push(3);",
    "fn f() { 1 }",
    "fn f() { 2 }",
    "fn f(a) { a + f() }",
    "fn g() { f() * 10 }",
    "f()",
    "f(5)",
    "g()",
    "[1, 2].map(|a| f(a))",
    "let h = || f();",
    "let h = |a| { x = a; a };",
    "h.call()",
    "h.call(4)",
    "_",
    "_ + 1",
    "let y = _;",
    "y",
    "nonsense(); let y = 3;",
    "let y = 4; nonsense();",
    "for i in 0..4 { x += i; if i == 2 { throw i } }",
    "print(f()); throw \"no\"; print(2);",
    "{ print(7); f().nonsense() }",
    "fn loud(a) { print(a); throw a }",
    "loud(8)",
    "try { loud(9) } catch (e) { print(e) }",
    "if true { return 6 } print(1)",
    "return 5; print(2);",
    "fn len(a) { 99 }",
    "[1].len()",
    "len([1])",
    "let last_value = 3;",
    "Fn(\"f\").call()",
    "let p = Fn(\"g\");",
    "p.call()",
    "switch 3 { 3 => f(), _ => 0 }",
    "`${_} and ${f()}`",
    "const c = 4;",
    "c",
];

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..Default::default()
    })]

    /// Whatever is typed: its script prints the same, or saving it is refused.
    #[test]
    fn what_is_saved_does_the_same(inputs in proptest::collection::vec(0..INPUTS.len(), 1..12)) {
        let mut t = Tester::new();
        for input in inputs {
            t.enter(INPUTS[input]);
        }
        let folder = tempfile::tempdir().unwrap();
        if t.state.script(folder.path()).is_ok() {
            t.saves(folder.path());
        }
    }
}
