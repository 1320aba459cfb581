//! What people write from other languages, and names that are known but called otherwise: by the
//! whole output. The cases are in `tests/habits.txt` and `tests/names.txt`.

mod support;

use support::{Program, repository};

/// The cases of a file: a line `## script`, and below it what the run writes.
fn cases(file: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(repository().join("tests").join(file)).unwrap();
    let blocks = text.split("\n## ").skip(1);
    let cases = blocks.map(|block| {
        let (script, output) = block.split_once('\n').unwrap();
        (script.to_owned(), output.trim_end().to_owned())
    });
    cases.collect()
}

#[track_caller]
fn check(file: &str, least: usize) {
    let cases = cases(file);
    assert!(cases.len() >= least, "{}", cases.len());
    let mut wrong = Vec::new();
    for (script, expected) in cases {
        let ran = Program::script(&format!("{script}\n")).run();
        let written = format!("{}{}", ran.stdout, ran.stderr);
        if written.trim_end() != expected {
            wrong.push(format!("## {script}\n{written}"));
        }
        // What is wrong is wrong before anything has run, or where it stands.
        assert_eq!(
            ran.status,
            Some(i32::from(!ran.stderr.is_empty())),
            "{script}"
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn habits_are_answered() {
    check("habits.txt", 90);
}

#[test]
fn known_names_are_called_known() {
    check("names.txt", 50);
}

/// What the advice says can be written so.
#[test]
fn the_advice_runs() {
    let script = r#"
        let a = [1, 3, 2]; let b = [4, 5, 6]; let x = 2.345; let s = "a b"; let m = #{ a: 1 };
        print(a.reduce(|m, x| max(m, x), a[0])); print(a.reduce(|sum, x| sum + x, 0.0) / a.len());
        for (x, i) in a { print(`${x} ${b[i]}`) }
        print((x * 100.0).round() / 100.0); print(a.extract(1..3)); print(s.sub_string(1..3));
        let z = []; z.pad(2, 0); print(z); print(1 in a); print(a.contains(1));
        print(parse_int("1")); print(parse_float("1.5")); print(2.7.to_int());
        print(4.to_float().sqrt()); print(2 ** 3); print(x.to_string());
        let counts = #{}; counts["a"] = (counts.get("a") ?? 0) + 1; print(counts);
        a.sort(|x, y| x - y); print(a); a = a.map(|x| x.to_float()); a.sort(); print(a);
        print(s.to_upper()); print(s.to_lower()); s.trim(); print(s.starts_with("a"));
        print(s.ends_with("b")); m.remove("a"); print(m); print(Fn("abs").call(-1));
        for i in range(0, 6, 2) { print(i) }
        let f = |x| x + 1; print(f.call(1)); a.reverse(); a.append([1]); a.push(2); print(a.len());
        let even = []; for i in 0..3 { even.push(2 * i) } print(even);
        try { throw "what is wrong"; } catch (e) { print(e) }
        print(3 / 10.0); print(if 1 == 1 { 2 } else { 3 });
    "#;
    let expected = "3\n2.0\n1 4\n3 5\n2 6\n2.35\n[3, 2]\n b\n[0, 0]\ntrue\ntrue\n1\n1.5\n2\n2.0\n8\n2.345\n#{\"a\": 1}\n[1, 2, 3]\n[1.0, 2.0, 3.0]\nA B\na b\ntrue\ntrue\n#{}\n1\n0\n2\n4\n2\n5\n[0, 2, 4]\nwhat is wrong\n0.3\n2\n";
    assert_eq!(Program::script(script).succeeds(), expected);
}

#[test]
fn a_division_that_leaves_nothing_is_noted() {
    let of = |coeff: &str| {
        let script = format!(
            "let c = 3; let k = c / 10; for i in 0..2 {{ x_vector(#{{ prompt1: \"Love\", prompt2: \"Hate\", act_name: 1, coeff: {coeff} }}); }}"
        );
        Program::new(["script.rhai"])
            .file("script.rhai", script)
            .run()
            .stderr
    };
    let note = "avec: coeff is 0: integers divide to an integer, so that 3 / 10 is 0; for 0.3 write 3 / 10.0\n";
    assert_eq!(of("c / 10"), note);
    assert_eq!(of("k"), note);
    for fine in ["c / 10.0", "0", "c", "30 / 10"] {
        assert_eq!(of(fine), "", "{fine}");
    }
}

/// avec's errors and rhai's look the same to a `catch`.
#[test]
fn caught_errors_have_one_shape() {
    for (body, message, hint) in [
        (
            "load_model(\"nope\")",
            "there is no model `nope`",
            "a model is `demo`, an alias such as `gpt2-xl`, a hub id such as `org/name`, or a folder such as `./my-gpt2`",
        ),
        (
            "[1][5]",
            "there is no index 5: the array has 1 element, 0 to 0",
            "a[0] is the first and a[-1] the last",
        ),
        (
            "#{}.b",
            "there is no property `b`",
            "map.keys() lists those that an object map has",
        ),
        ("1 / 0", "division by zero: 1 / 0", ""),
        (
            "abs(\"a\")",
            "`abs` can't be called with (string)",
            "it is abs(x: integer) -> integer\nit is abs(x: number) -> number",
        ),
        (
            "load_model(\"demo\").logits(\"a\")[7]",
            "there is no index 7: the first axis of shape [1, 2, 1536] has length 1",
            "t[0] is the first and t[-1] the last; t[0][1] goes on to the next axis",
        ),
        (
            "() + 1",
            "`+` can't be used between () and integer",
            "() is no value: where does it come from?",
        ),
    ] {
        let script = format!(
            "try {{\n\n{body};\n}} catch (e) {{ print(e.message); print(e.hint); print(e.line); print(type_of(e)); let f = |x| e.message + x; print(f.call(\"!\")); print(e); }}"
        );
        assert_eq!(
            Program::script(&script).succeeds(),
            format!("{message}\n{hint}\n3\nError\n{message}!\n{message}\n")
        );
        // Thrown once more, it is the same error.
        let ran = Program::script(&format!("try {{ {body}; }} catch (e) {{ throw e; }}")).run();
        assert!(
            ran.stderr.starts_with(&format!("error: {message}\n")),
            "{}",
            ran.stderr
        );
        let first = hint.lines().next().unwrap_or_default();
        assert!(ran.stderr.contains(first), "{}", ran.stderr);
    }
    // What a script throws is what it catches, and a map of its own stays a map.
    let own = "try { throw #{ error: \"mine\", message: 5 } } catch (e) { print(e.message + 1) } let e = #{ error: \"Error\" }; print(e.error);";
    assert_eq!(Program::script(own).succeeds(), "6\nError\n");
}

/// A parameter that nothing asks for is an error before anything runs, imports or not.
#[test]
fn parameters_are_checked_first() {
    let script = "import \"lib/a\" as a; print(\"ran\"); param(\"own\", 1);";
    let program = |parameter: &str| {
        Program::new(["-q", "script.rhai", "-p", parameter])
            .file("script.rhai", script)
            .file(
                "lib/a.rhai",
                "import \"b\" as b; fn coeff() { param(\"coeff\", 1) }",
            )
            .file("lib/b.rhai", "fn layer() { param(\"layer\", 1) }")
            .run()
    };
    let ran = program("coef=3");
    assert_eq!(ran.stdout, "");
    assert_eq!(
        ran.stderr,
        "error: there is no parameter named `coef`\n  = help: did you mean `coeff`?\n  = help: `avec info SCRIPT` lists a script's parameters\n"
    );
    for known in ["coeff=3", "layer=2", "own=1"] {
        let ran = program(known);
        assert_eq!(
            (ran.stdout.as_str(), ran.stderr.as_str()),
            ("ran\n", ""),
            "{known}"
        );
    }
}

#[test]
fn words_for_commands() {
    for (word, hint) in [
        (
            "docs",
            "`avec doc` lists the functions, `avec doc NAME` tells what one does",
        ),
        (
            "list",
            "`avec doc` lists the functions, `avec doc NAME` tells what one does",
        ),
        ("help", "`avec --help` tells how avec is called"),
        (
            "shell",
            "`avec repl`, or `avec` alone, begins an interactive session",
        ),
        (
            "inof",
            "`avec info SCRIPT` tells what a script is about, and its parameters",
        ),
    ] {
        let beside = Program::new([word])
            .file("doc.rhai", "")
            .file("lists.rhai", "");
        beside.fails(
            1,
            &format!("error: there is no command or script `{word}`\n  = help: {hint}"),
        );
    }
    let ran = Program::new(["docs"]).file("docs", "print(1);").run();
    assert_eq!(ran.stdout, "1\n");
}
