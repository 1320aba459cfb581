//! Nothing that a script, a file's name, a folder or a person's input holds acts on the terminal.
#![cfg(unix)]

mod support;
#[path = "support/terminal.rs"]
mod terminal;

use support::Program;
use terminal::Terminal;

/// Red, a title, a bell, a C1 control, a carriage return, a change of direction.
const CODES: &str = "\\x1b[31m|\\x1b]0;title\\x07|\\u009b31m|\\r|\\u202e|";
const SHOWN: &str = "␛[31m|␛]0;title␇|\u{fffd}31m|␍|\u{fffd}|";

#[track_caller]
fn is_harmless(text: &str) {
    let acts = |c: char| c.is_control() && c != '\n' && c != '\t';
    assert!(!text.contains(acts), "{text:?}");
}

#[test]
fn what_scripts_print() {
    let script = format!("print(\"{CODES}a\\tb\\nc\");");
    assert_eq!(
        Program::script(&script).succeeds(),
        format!("{SHOWN}a\tb\nc\n")
    );
    // Also where colours are wanted.
    let coloured = Program::script(&script).arg("--color=always").succeeds();
    assert_eq!(coloured, format!("{SHOWN}a\tb\nc\n"));
}

#[test]
fn errors_and_their_places() {
    for (script, message) in [
        ("throw \"CODES\";", "error: SHOWN"),
        (
            "let m = #{}; m[\"CODES\"];",
            "error: there is no property `SHOWN`",
        ),
        ("load_model(\"CODES\");", "error: "),
        (
            "x_vector(#{ \"CODES\": 1 });",
            "error: this call has 5 errors",
        ),
        ("import \"CODES\" as x;", "error: "),
    ] {
        let ran = Program::script(&script.replace("CODES", CODES)).run();
        assert_eq!(ran.status, Some(1));
        is_harmless(&ran.stderr);
        let first = message.replace("SHOWN", SHOWN);
        assert!(ran.stderr.starts_with(&first), "{}", ran.stderr);
    }
    // In the line that is shown, the caret still stands below its place.
    Program::script("let x = \"\x1b[31m\"; y;").fails(
        1,
        "error: there is no variable `y`\n --> script.rhai:1:18\n  |\n1 | let x = \"␛[31m\"; y;\n  |                  ^\n  = help: did you mean `x`?",
    );
}

#[test]
fn names_of_files_and_arguments() {
    let name = "\x1b[31mred\x07.rhai";
    let ran = Program::new(["-q", name]).file(name, "nothing;").run();
    is_harmless(&ran.stderr);
    assert!(
        ran.stderr.contains(" --> ␛[31mred␇.rhai:1:1"),
        "{}",
        ran.stderr
    );
    let missing = Program::new(["-q", "\x1b[31mno.rhai"]).run();
    is_harmless(&missing.stderr);
    assert!(
        missing
            .stderr
            .starts_with("error: there is no script ␛[31mno.rhai")
    );
    let parameter = Program::new(["-q", "script.rhai", "-p", "\x1b[31m=1"])
        .file("script.rhai", "param(\"x\", 1);")
        .run();
    is_harmless(&parameter.stderr);
    let stray = Program::new(["\x1b[31mx", "doc"]).run();
    is_harmless(&stray.stderr);
}

#[test]
fn headers_and_notes() {
    let header = "//! A \x1b[31mred\x1b[0m title.\nparam(\"\x07\", \"\x1b[2J\");";
    let out = Program::new(["info", "a.rhai"])
        .file("a.rhai", header)
        .succeeds();
    is_harmless(&out);
    assert!(out.contains("␛[31mred"), "{out}");
}

/// avec's own colours still work, beside what must not.
#[test]
fn own_colours_stay() {
    let ran = Program::new(["-q", "--color", "always", "script.rhai"])
        .file("script.rhai", "throw \"\x1b[7mno\";")
        .run();
    assert!(
        ran.stderr
            .starts_with("\x1b[1;31merror:\x1b[0m \x1b[1m␛[7mno\x1b[0m\n"),
        "{:?}",
        ran.stderr
    );
    let table = Program::new(["-q", "--color", "always", "script.rhai"])
        .file(
            "script.rhai",
            "print_n_comparisons(#{ model: load_model(\"demo\"), prompt: \"I \\x1b[31m\", num_comparisons: 1, tokens_to_generate: 2 });",
        )
        .succeeds();
    assert!(table.contains("\x1b[1mI ␛[31m\x1b[0m"), "{table:?}");
}

#[test]
fn values_of_a_session() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::start(folder.path(), 120, &["-q"]);
    assert_eq!(t.enter("let s = \"a\\x1b[31mb\"; print(s)"), "a␛[31mb");
    assert_eq!(
        t.enter("throw s"),
        "error: a␛[31mb\n --> repl[2]:1:1\n  |\n1 | throw s\n  | ^^^^^"
    );
    assert_eq!(
        t.enter("let m = #{}; m[\"\\x1b]0;t\\x07\"] = '\\x07'; m"),
        "#{\"\\u{1b}]0;t\\u{7}\": ␇}"
    );
    let variables = t.enter(":vars");
    assert!(variables.contains("\\u{1b}[31mb"), "{variables}");
    assert_eq!(t.enter("1 + 1"), "2");
}

/// What is no file is left alone, and a link is not followed.
#[test]
fn a_history_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("state/avec");
    std::fs::create_dir_all(&place).unwrap();
    let other = folder.path().join("precious");
    std::fs::write(&other, "keep me\n").unwrap();
    std::os::unix::fs::symlink(&other, place.join("history")).unwrap();
    let mut t = Terminal::start(folder.path(), 120, &["-q"]);
    assert_eq!(t.enter("1 + 1"), "2");
    t.keys("\x04");
    t.end();
    assert_eq!(std::fs::read_to_string(&other).unwrap(), "keep me\n");
    assert!(place.join("history").is_symlink());
    std::fs::remove_file(place.join("history")).unwrap();
    std::fs::create_dir(place.join("history")).unwrap();
    let mut t = Terminal::start(folder.path(), 120, &["-q"]);
    assert_eq!(t.enter("2 + 1"), "3");
    t.keys("\x04");
    t.end();
    assert!(place.join("history").is_dir());
    std::fs::remove_dir(place.join("history")).unwrap();
    // A pipe would make the session wait for ever.
    let made = std::process::Command::new("mkfifo")
        .arg(place.join("history"))
        .status();
    if made.is_ok_and(|status| status.success()) {
        let mut t = Terminal::start(folder.path(), 120, &["-q"]);
        assert_eq!(t.enter("2 + 2"), "4");
        t.keys("\x04");
        t.end();
    }
}

/// A history that another program wrote is shown, and acts on nothing.
#[test]
fn a_history_holds_no_codes() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("state/avec");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(place.join("history"), "#V2\n// \x1b[2J\x1b[31mgone\n").unwrap();
    let mut t = Terminal::start(folder.path(), 120, &["-q"]);
    t.keys("\x1b[A");
    t.until("the last input", |text| text.ends_with("// ␛[2J␛[31mgone"));
}
