//! Errors of the language, of scripts and of their parameters, by their whole text.

mod support;

use support::Program;

/// A script that loads the demo model and then does `line`, which is its second line.
fn demo(line: &str) -> Program {
    Program::script(&format!("let model = load_model(\"demo\");\n{line}\n"))
}

// ------------------------------------------------------------------ the language

#[test]
fn scripts_that_do_not_parse() {
    Program::script("let x = #{ a: 1").fails(
        1,
        r#"
error: `}` is missing here to end this object map literal
 --> script.rhai:1:15
  |
1 | let x = #{ a: 1
  |               ^
"#
        .replace("1:15", "1:16")
        .replace("               ^", "                ^")
        .as_str(),
    );
    Program::script("let with = 1;").fails(
        1,
        r#"
error: `with` is a word that the language keeps for itself
 --> script.rhai:1:5
  |
1 | let with = 1;
  |     ^^^^
  = help: use another name, or write it as a string: ".."
"#,
    );
}

#[test]
fn errors_inside_functions_and_modules() {
    Program::script("fn f(x) { x.foo() }\nf(3);").fails(
        1,
        r#"
error: there is no function `foo`
 --> script.rhai:1:13
  |
1 | fn f(x) { x.foo() }
  |             ^^^
 --> script.rhai:2:1
  |
2 | f(3);
  | ^ called `f` here
"#,
    );
    Program::script("import \"lib/x\" as x;\nx::f();")
        .file("lib/x.rhai", "fn f() {\n    1 / 0\n}\n")
        .fails(
            1,
            r#"
error: division by zero: 1 / 0
 --> lib/x.rhai:2:7
  |
2 |     1 / 0
  |       ^
 --> script.rhai:2:4
  |
2 | x::f();
  |    ^ called `f` here
"#,
        );
}

#[test]
fn modules_from_elsewhere() {
    Program::script("import \"../x\" as x;").fails(
        1,
        r#"
error: the module "../x" is outside of the script's folder
 --> script.rhai:1:8
  |
1 | import "../x" as x;
  |        ^^^^^^
  = help: scripts import only from their own folder: import "lib/x" as x
"#,
    );
    Program::script("import \"lib/x\" as x;").fails(
        1,
        r#"
error: there is no module "lib/x": no file ./lib/x.rhai
 --> script.rhai:1:8
  |
1 | import "lib/x" as x;
  |        ^^^^^^^
"#,
    );
}

#[test]
fn values_of_the_language() {
    Program::script("let a = [1, 2];\nprint(a[5]);").fails(
        1,
        r#"
error: there is no index 5: the array has 2 elements, 0 to 1
 --> script.rhai:2:9
  |
2 | print(a[5]);
  |         ^
  = help: a[0] is the first and a[-1] the last
"#,
    );
    Program::script("throw \"this is the script's own\";").fails(
        1,
        r#"
error: this is the script's own
 --> script.rhai:1:1
  |
1 | throw "this is the script's own";
  | ^^^^^
"#,
    );
    Program::script("fn f() { f() }\nf();").run();
    demo("let t = model.logits(\"a\");\nprint(t + [1]);").fails(
        1,
        r#"
error: `+` can't be used between Tensor and array
 --> script.rhai:3:9
  |
3 | print(t + [1]);
  |         ^
"#,
    );
    demo("print(model.logits(\"I\")[5]);").fails(
        1,
        r#"
error: there is no index 5: the first axis of shape [1, 2, 1536] has length 1
 --> script.rhai:2:24
  |
2 | print(model.logits("I")[5]);
  |                        ^
  = help: t[0] is the first and t[-1] the last; t[0][1] goes on to the next axis
"#,
    );
}

#[test]
fn errors_can_be_caught_and_read() {
    let out = Program::script("try { load_model(\"dmo\"); } catch (e) { print(e); }").succeeds();
    assert_eq!(out, "there is no model `dmo`\n");
}

#[test]
fn indices_that_are_not_there() {
    for (script, column, message, hint) in [
        (
            "[][0];",
            4,
            "there is no index 0: the array is empty",
            "ask a.is_empty() first",
        ),
        (
            "\"abc\"[9];",
            7,
            "there is no index 9: the string has 3 characters",
            "s[0] is the first and s[-1] the last",
        ),
        (
            "\"\"[0];",
            4,
            "there is no index 0: the string has 0 characters",
            "ask s.is_empty() first",
        ),
        (
            "let a = #{}; a.b;",
            16,
            "there is no property `b`",
            "map.keys() lists those that an object map has",
        ),
        (
            "true[0];",
            5,
            "a value of type bool can't be indexed like this",
            "arrays, strings, object maps, tensors and caches can be indexed",
        ),
    ] {
        let caret = " ".repeat(column - 1);
        Program::script(script).fails(
            1,
            &format!("error: {message}\n --> script.rhai:1:{column}\n  |\n1 | {script}\n  | {caret}^\n  = help: {hint}"),
        );
    }
    demo("model.logits(\"I\")[\"x\"];").fails(
        1,
        r#"
error: a value of type Tensor can't be indexed like this
 --> script.rhai:2:18
  |
2 | model.logits("I")["x"];
  |                  ^
  = help: an index is an integer: x[0], x[-1]
"#,
    );
    demo("model.run_with_cache(\"I\", \"k0\")[true];").fails(
        1,
        r#"
error: a cache is indexed with a hook point's name, not with true
 --> script.rhai:2:32
  |
2 | model.run_with_cache("I", "k0")[true];
  |                                ^
  = help: cache.names() lists those it holds
"#,
    );
}

#[test]
fn methods_and_functions_taken_for_properties() {
    demo("model.logits;").fails(
        1,
        r#"
error: `logits` is a method of Model, not a property
 --> script.rhai:2:7
  |
2 | model.logits;
  |       ^^^^^^
  = help: call it: .logits(text)
"#,
    );
    demo("model.shape;").fails(
        1,
        r#"
error: a value of type Model has no property `shape`
 --> script.rhai:2:7
  |
2 | model.shape;
  |       ^^^^^
  = help: `shape` is a property of Tensor
"#,
    );
    demo("model.x_vector;").fails(
        1,
        r#"
error: a value of type Model has no property `x_vector`
 --> script.rhai:2:7
  |
2 | model.x_vector;
  |       ^^^^^^^^
  = help: `x_vector` is a function: x_vector(options: object map) -> array
"#,
    );
}

#[test]
fn properties_that_can_not_be_set() {
    Program::script("let x = 3;\nx.y = 3;").fails(
        1,
        r#"
error: a value of type integer has no property `y` to set
 --> script.rhai:2:3
  |
2 | x.y = 3;
  |   ^
  = help: only object maps take new properties: let x = #{}; x.y = 1
"#,
    );
    demo("model.name = \"x\";").fails(
        1,
        r#"
error: `name` of a Model can only be read, not set
 --> script.rhai:2:7
  |
2 | model.name = "x";
  |       ^^^^
  = help: keep a value of your own in a variable: let name = ..
"#,
    );
}

#[test]
fn calls_that_fit_no_form() {
    Program::script("load_model(\"demo\", 5);").fails(
        1,
        r#"
error: `load_model` can't be called with (string, integer)
 --> script.rhai:1:1
  |
1 | load_model("demo", 5);
  | ^^^^^^^^^^
  = help: it is load_model(id: string) -> Model
  = help: it is load_model(id: string, options: object map) -> Model
"#,
    );
    Program::script("param(\"x\");").fails(
        1,
        r#"
error: `param` can't be called with (string)
 --> script.rhai:1:1
  |
1 | param("x");
  | ^^^^^
  = help: it is param(name: string, default: any) -> any
"#,
    );
}

#[test]
fn values_that_a_script_throws() {
    for (thrown, told) in [
        ("3", "the script threw 3"),
        ("[1, \"a\"]", "the script threw [1, \"a\"]"),
        ("()", "the script threw an error"),
    ] {
        let script = format!("throw {thrown};");
        Program::script(&script).fails(
            1,
            &format!("error: {told}\n --> script.rhai:1:1\n  |\n1 | {script}\n  | ^^^^^"),
        );
    }
}

#[test]
fn values_that_have_no_json_form() {
    let at = |script: &str, message: &str, hint: &str| {
        demo(script).fails(
            1,
            &format!("error: {message}\n --> script.rhai:2:1\n  |\n2 | {script}\n  | ^^^^^^^\n  = help: {hint}"),
        );
    };
    at(
        "to_json(model.run_with_cache(\"I\", \"k0\"));",
        "a cache of activations has no JSON form",
        "take an activation out of it: cache[\"resid_pre1\"].to_array()",
    );
    at(
        "to_json(#{ a: [|x| x] });",
        "a function has no JSON form",
        "call it and take its result",
    );
    at(
        "to_json(timestamp());",
        "a timestamp has no JSON form",
        "take the seconds since then: t.elapsed",
    );
    at(
        "to_json(0..1000000000000);",
        "the range 0..1000000000000 has no JSON form",
        "write its ends: [start, end]",
    );
}

// ------------------------------------------------------------------ scripts and parameters

#[test]
fn scripts_that_can_not_be_read() {
    Program::new(["love_hat.rhai"])
        .file("love_hate.rhai", "")
        .fails(
            1,
            "error: there is no script love_hat.rhai\n  = help: did you mean love_hate.rhai?",
        );
    Program::new(["other.rhai"]).fails(
        1,
        "error: there is no script other.rhai\n  = help: check the path; `avec --help` tells how avec is called",
    );
    Program::new(["."]).fails(
        1,
        "error: . is a folder, not a script\n  = help: name a .rhai file",
    );
    Program::new(["a.rhai"])
        .file("a.rhai", b"let a = 1;\n\xff\xfe")
        .fails(
            1,
            "error: a.rhai is not text: line 2 is not UTF-8\n  = help: save it as UTF-8",
        );
}

#[test]
fn comments_that_are_never_closed() {
    Program::script("let a = 1;\nprint(a); /* /* inner */\nprint(2);").fails(
        1,
        "error: script.rhai:2:11: this comment is never closed\n  = help: close it with */",
    );
    let closed = "/* a /* b */ c */ print(\"/*\"); print(`/* ${1 + 1}`); // /*\n";
    assert_eq!(Program::script(closed).succeeds(), "/*\n/* 2\n");
}

#[test]
fn marks_before_a_script_are_not_part_of_it() {
    for start in [
        "\u{feff}",
        "#!/usr/bin/env avec\n",
        "\u{feff}#!/bin/avec\r\n",
    ] {
        let lines = start.matches('\n').count();
        let script = format!("{start}//! Title\nprint(1);\nthrow 2;\n");
        let ran = Program::script(&script).run();
        assert_eq!(ran.stdout, "1\n");
        assert_eq!(
            ran.stderr.trim_end(),
            format!(
                "error: the script threw 2\n --> script.rhai:{0}:1\n  |\n{0} | throw 2;\n  | ^^^^^",
                lines + 3
            )
        );
        let info = Program::new(["info", "a.rhai"]).file("a.rhai", &script);
        assert_eq!(info.succeeds(), "Title\n");
    }
    assert_eq!(Program::script("#!/usr/bin/env avec").succeeds(), "");
}

#[test]
fn parameters_that_are_not_the_script_s() {
    let script = "let c = param(\"coeff\", 5);\nprint(c);";
    Program::script(script).arg("-p").arg("coef=8").fails(
        1,
        "error: there is no parameter named `coef`\n  = help: did you mean `coeff`?\n  = help: `avec info SCRIPT` lists a script's parameters",
    );
    Program::script(script).arg("-p").arg("coeff=much").fails(
        1,
        r#"
error: the parameter coeff must be a number, but -p coeff=much gives "much"
 --> script.rhai:1:9
  |
1 | let c = param("coeff", 5);
  |         ^^^^^
"#,
    );
}
