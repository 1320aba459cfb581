//! The command line: output and exit status.

mod support;

use support::{Program, Ran};

#[test]
fn version_and_help() {
    assert_eq!(
        Program::new(["--version"]).succeeds(),
        format!("avec {}\n", env!("CARGO_PKG_VERSION"))
    );
    let help = Program::new(["--help"]).succeeds();
    for word in [
        "--param",
        "--offline",
        "--threads",
        "--quiet",
        "--color",
        "info",
        "doc",
        "run",
    ] {
        assert!(help.contains(word), "{word} is missing in\n{help}");
    }
}

#[test]
fn without_a_script() {
    Program::new([]).fails(
        2,
        "avec needs a script: avec scripts/basic_functionality.rhai\nor a terminal, to be used interactively; `avec -` reads a script from standard input",
    );
    let ran = Program::new(["--colour"]).run();
    assert_eq!(ran.status, Some(2));
    assert!(ran.stderr.contains("--color"), "{}", ran.stderr);
}

#[test]
fn the_long_form_and_standard_input() {
    let script = "print(1 + 1);";
    let long = Program::new(["run", "a.rhai"]).file("a.rhai", script);
    assert_eq!(long.succeeds(), "2\n");
    assert_eq!(Program::new(["-"]).stdin(script).succeeds(), "2\n");
    Program::new(["-"]).stdin("print(x);").fails(
        1,
        "error: there is no variable `x`\n --> -:1:7\n  |\n1 | print(x);\n  |       ^",
    );
}

#[test]
fn parameters_take_the_type_of_the_default() {
    let script = "print(param(\"n\", 1) + 1); print(param(\"x\", 1.5)); print(param(\"s\", \"a\")); print(param(\"b\", true));";
    let program = || Program::new(["a.rhai"]).file("a.rhai", script);
    assert_eq!(program().succeeds(), "2\n1.5\na\ntrue\n");
    let set = program()
        .arg("-p")
        .arg("n=2.5")
        .arg("-p")
        .arg("x=2")
        .arg("--param")
        .arg("s=1=2")
        .arg("-p")
        .arg("b=false");
    assert_eq!(set.succeeds(), "3.5\n2.0\n1=2\nfalse\n");
}

#[test]
fn options_stand_before_or_after_the_command() {
    let orders: [&[&str]; 4] = [
        &["-q", "--threads", "1", "run", "a.rhai", "-p", "n=2"],
        &[
            "run",
            "--color",
            "never",
            "a.rhai",
            "-p",
            "n=2",
            "--offline",
        ],
        &["-p", "n=2", "--offline", "a.rhai"],
        &["a.rhai", "-p", "n=2", "-q"],
    ];
    for order in orders {
        let program = Program::new(order.iter().copied()).file("a.rhai", "print(param(\"n\", 1));");
        assert_eq!(program.succeeds(), "2\n", "{order:?}");
    }
    assert!(
        Program::new(["-q", "doc", "norm"])
            .succeeds()
            .contains("norm(")
    );
    assert_eq!(
        Program::new(["--quiet", "repl", "-p", "n=2"])
            .stdin("")
            .succeeds(),
        ""
    );
    Program::new(["-p", "n=2", "run", "a.rhai"]).fails(
        2,
        "error: -p n=2 stands before a command; write what belongs to the command after it, as in: avec run script.rhai -p coeff=5",
    );
    Program::new(["a.rhai", "doc"]).fails(
        2,
        "error: a.rhai stands before a command; write what belongs to the command after it, as in: avec run script.rhai -p coeff=5",
    );
}

#[test]
fn standard_input_is_read_like_a_file() {
    let read = |text: &str| Program::new(["-"]).stdin(text);
    assert_eq!(read("\u{feff}print(1);").succeeds(), "1\n");
    assert_eq!(read("#!/usr/bin/env avec\nprint(1);").succeeds(), "1\n");
    read("print(1); /* and so on").fails(
        1,
        "error: standard input:1:11: this comment is never closed\n  = help: close it with */",
    );
}

/// Output that can't be written is an error, whenever that is noticed.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    use std::process::{Command, Stdio};
    let folder = tempfile::tempdir().unwrap();
    let comparison = "print_n_comparisons(#{ model: load_model(\"demo\"), prompt: \"I\", num_comparisons: 1, tokens_to_generate: 1 });";
    let scripts = [
        "print(1);".to_owned(),
        "debug(1); let x = 2;".to_owned(),
        format!("print(1); {comparison}"),
        comparison.into(),
    ];
    let run = |arguments: &[&str]| {
        let full = std::fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_avec"));
        command
            .args(arguments)
            .current_dir(&folder)
            .stdout(full)
            .stdin(Stdio::null());
        command.output().unwrap()
    };
    for script in &scripts {
        std::fs::write(folder.path().join("a.rhai"), script).unwrap();
        let ran = run(&["-q", "a.rhai"]);
        let message = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(
            message, "error: can't write the output: No space left on device (os error 28)\n",
            "{script}"
        );
        assert_eq!(ran.status.code(), Some(1));
    }
    assert_eq!(run(&["--help"]).status.code(), Some(1));
    assert_eq!(run(&["doc"]).status.code(), Some(1));
}

#[test]
fn info_prints_header_and_parameters() {
    let script = "//! A title.\n//!\n//! More of it.\nlet m = param(\"model\", \"demo\");\nlet c = param(\"coeff\", 5);\n";
    let program = Program::new(["info", "a.rhai"]).file("a.rhai", script);
    assert_eq!(
        program.succeeds(),
        "A title.\n\nMore of it.\n\nparameters (-p name=value):\n  model  \"demo\"\n  coeff  5\n"
    );
}

#[test]
fn doc_prints_the_same_as_help() {
    let doc = Program::new(["doc", "x_vector"]).succeeds();
    let help = Program::script("help(\"x_vector\");").succeeds();
    assert_eq!(doc, help);
    assert!(
        doc.starts_with("x_vector(options: object map) -> array\n"),
        "{doc}"
    );
    assert!(
        doc.contains("  pad_method     \"tokens_right\" or \"tokens_left\"; optional\n"),
        "{doc}"
    );
    Program::new(["doc", "x_vectr"]).fails(
        1,
        "error: there is no function named `x_vectr`\n  = help: did you mean `x_vector`?\n  = help: help() lists them all",
    );
}

const COMPARE: &str = "print_n_comparisons(#{ model: load_model(\"demo\"), prompt: \"I think\", num_comparisons: 1, tokens_to_generate: 3 });";

#[test]
fn pipes_get_plain_text_and_terminals_colour() {
    let plain = Program::script(COMPARE).succeeds();
    assert!(!plain.contains('\x1b'));
    assert!(
        plain.lines().all(|line| line.chars().count() == 100),
        "{plain}"
    );
    let forced = Program::script(COMPARE)
        .arg("--color")
        .arg("always")
        .succeeds();
    assert!(forced.contains("\x1b[1mI think\x1b[0m"), "{forced}");
    let never = Program::script(COMPARE)
        .env("NO_COLOR", "1")
        .env("CLICOLOR_FORCE", "1");
    assert!(!never.succeeds().contains('\x1b'));
    let narrow = Program::script(COMPARE).env("COLUMNS", "60").succeeds();
    assert!(
        narrow.lines().all(|line| line.chars().count() == 60),
        "{narrow}"
    );
}

#[test]
fn the_demo_model_describes_itself() {
    let program =
        Program::new(["a.rhai"]).file("a.rhai", "load_model(\"demo\"); load_model(\"demo\");");
    assert_eq!(
        program.run(),
        Ran {
            status: Some(0),
            stdout: String::new(),
            stderr: "avec: this is the demo model, a toy that writes simple sentences; for a real one: -p model=gpt2 (or gpt2-xl)\n".into(),
        }
    );
    assert_eq!(program.arg("--quiet").run().stderr, "");
}

#[test]
fn json_keeps_all_digits() {
    let script = r#"
        let m = load_model("demo");
        print(to_json(#{ b: [1, 2.5, 0.1 + 0.2], a: "x\ny", c: (), d: true, e: 1.0 / 0.0, f: 0.0 / 0.0 }));
        let t = gen_using_model(#{ model: m, prompt_batch: ["I think"], tokens_to_generate: 2 });
        print(to_json(t));
        print(to_json(m.logits("I").shape));
        print(to_json(m.logits("I")[0][0] * 0 + 1).len() > 1000);
    "#;
    let out = Program::script(script).succeeds();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(
        lines[0],
        r#"{"a":"x\ny","b":[1,2.5,0.30000000000000004],"c":null,"d":true,"e":null,"f":null}"#
    );
    let rows: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
    let keys: Vec<&String> = rows[0].as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "clean_loss",
            "completions",
            "is_modified",
            "loss",
            "prompts"
        ]
    );
    assert_eq!(rows[0]["loss"], rows[0]["clean_loss"]);
    assert_eq!(lines[2], "[1,2,1536]");
}

#[test]
fn json_of_ranges_bytes_and_caught_errors() {
    let script = r#"
        print(to_json(0..3));
        print(to_json([0..=2, 5..2]));
        print(to_json(#{ a: 1..3, b: blob(2, 7) }));
        try { load_model("dmo"); } catch (e) { print(to_json(#{ e: e })); }
    "#;
    assert_eq!(
        Program::script(script).succeeds(),
        "[0,1,2]\n[[0,1,2],[]]\n{\"a\":[1,2],\"b\":[7,7]}\n{\"e\":\"there is no model `dmo`\"}\n"
    );
}

/// Both names take the same options, and both steer.
#[test]
fn gen_using_model_takes_additions() {
    let script = r#"
        let m = load_model("demo");
        let x = x_vector(#{ prompt1: "Love", prompt2: "Hate", coeff: 5, act_name: 1 });
        let options = #{ model: m, prompt_batch: ["I hate you because"], tokens_to_generate: 6 };
        let plain = to_json(gen_using_model(options));
        options.activation_additions = x;
        let steered = to_json(gen_using_model(options));
        print(plain == steered);
        print(steered == to_json(gen_using_activation_additions(options)));
        options.activation_additions = [];
        print(plain == to_json(gen_using_activation_additions(options)));
    "#;
    assert_eq!(Program::script(script).succeeds(), "false\ntrue\ntrue\n");
}

#[test]
fn tensors_calculate() {
    let script = r#"
        let t = load_model("demo").run_with_cache("I think", "resid_pre0")["resid_pre0"];
        print(t.shape);
        let row = t[0][-1];
        print((row * 2 - row - row).norm());
        print((1 + row - 1.0 - row).sum().to_float() < 1e-3);
        print((row / row).sum());
        print((-row + row).norm());
        let p = load_model("demo").logits("I")[0][-1].softmax();
        print((p.sum() - 1.0).abs() < 1e-4);
        print(p.log_softmax().shape);
        print(p.flatten().to_array().len());
        print(p[0] > 0.0);
    "#;
    assert_eq!(
        Program::script(script).succeeds(),
        "[1, 3, 128]\n0.0\ntrue\n128.0\n0.0\ntrue\n[1536]\n1536\ntrue\n"
    );
}

#[test]
fn a_closed_pipe_is_no_error() {
    let program = Program::new(["a.rhai"]).file("a.rhai", "for i in 0..1000000 { print(i); }");
    let mut child = program
        .command()
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn eval_is_disabled_and_recursion_is_limited() {
    let ran = Program::script("eval(\"1\");").run();
    assert_eq!(ran.status, Some(1));
    let ran = Program::script("fn f(n) { f(n + 1) } f(0);").run();
    assert_eq!(ran.status, Some(1));
    assert!(
        ran.stderr.contains("functions call each other too deeply"),
        "{}",
        ran.stderr
    );
}

/// Ctrl-C stops a generation within a token, with a message and exit status 130.
#[cfg(unix)]
#[test]
fn an_interrupt_stops_the_work() {
    for work in [
        "let m = load_model(\"demo\"); loop { n_comparisons(#{ model: m, prompt: \"I\", num_comparisons: 5000, tokens_to_generate: 120 }); }",
        "loop { }",
        "sleep(1000);",
    ] {
        // The script can't catch it.
        let script = format!("print(\"ready\"); try {{ {work} }} catch {{ print(\"caught\"); }}");
        let program = Program::script(&script);
        let mut child = program
            .command()
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        assert_eq!(line, "ready\n");
        std::thread::sleep(std::time::Duration::from_millis(300));
        let pid = child.id().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-INT", &pid])
            .status();
        assert!(sent.unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stderr),
            "interrupted\n",
            "{work}"
        );
        assert_eq!(output.status.code(), Some(130));
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut out, &mut rest).unwrap();
        assert_eq!(rest, "");
    }
}

/// A single addition also adds BOS's very large activation; an x-vector does not.
#[test]
fn single_additions_are_warned_about_once() {
    let run = |additions: &str| {
        let script = format!(
            "let m = load_model(\"demo\");\nfor i in 0..2 {{ gen_using_activation_additions(#{{ model: m, prompt_batch: [\"I am\"], tokens_to_generate: 1, activation_additions: {additions} }}); }}"
        );
        let ran = Program::new(["a.rhai"]).file("a.rhai", script).run();
        assert_eq!(ran.status, Some(0), "{}", ran.stderr);
        ran.stderr
            .lines()
            .skip(1)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        run("ActivationAddition(#{ prompt: \"Love\", coeff: 3, act_name: 1 })"),
        [
            "avec: the additions at blocks.1.hook_resid_pre do not cancel at BOS (their coefficients sum to 3), and its activation is very large; an x-vector cancels there"
        ]
    );
    let pair = "x_vector(#{ prompt1: \"Love\", prompt2: \"Hate\", coeff: 3, act_name: 1 })";
    assert!(run(pair).is_empty());
    let parts = |last: &str| {
        let part = |coeff: &str| {
            format!("ActivationAddition(#{{ prompt: \"Love\", coeff: {coeff}, act_name: 1 }})")
        };
        format!("[{}, {}, {}]", part("0.1"), part("0.2"), part(last))
    };
    // The rounding error of 0.1 + 0.2 - 0.3 does not count.
    assert!(run(&parts("-0.3")).is_empty());
    assert!(run(&parts("0.3"))[0].contains("(their coefficients sum to 0.6)"));
}

#[test]
fn profile_shows_where_the_time_went() {
    let script = "load_model(\"demo\").generate(\"I love\", #{ max_new_tokens: 20 });";
    let ran = Program::new(["-q", "--profile", "a.rhai"])
        .file("a.rhai", script)
        .run();
    assert_eq!(ran.status, Some(0));
    assert_eq!(ran.stdout, "");
    let names: Vec<&str> = ran
        .stderr
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    for name in [
        "profile",
        "load",
        "prompts",
        "decoding",
        "linear",
        "attention",
        "norm",
        "sampling",
    ] {
        assert!(names.contains(&name), "{name} in {}", ran.stderr);
    }
    let seconds = |name: &str| -> f64 {
        let line = ran.stderr.lines().find(|line| line.starts_with(name));
        line.unwrap()
            .split_whitespace()
            .nth(1)
            .unwrap()
            .parse()
            .unwrap()
    };
    assert!(seconds("load") > 0.0 && seconds("decoding") > 0.0);
}

/// A small memory budget makes more batches and changes no text.
#[test]
fn a_memory_budget_changes_no_text() {
    let script = r#"
        let m = load_model("demo");
        let t = gen_using_model(#{ model: m, prompt_batch: ["I hate you because", "I think", "I think", "I"],
            tokens_to_generate: 12, top_p: 0.5 });
        print(to_json(t));
    "#;
    let text = |size: &str| {
        let program = Program::new(["-q", "--memory", size, "a.rhai"]);
        program.file("a.rhai", script).succeeds()
    };
    assert_eq!(text("1K"), text("2.5GiB"));
    let ran = Program::new(["--memory", "much", "a.rhai"]).run();
    assert_eq!(ran.status, Some(2));
    assert!(
        ran.stderr
            .contains("\"much\" is no size; write for example 500M or 4G"),
        "{}",
        ran.stderr
    );
}

#[test]
fn bf16_weights_run_on_the_cpu() {
    let script = r#"
        let m = load_model("demo", #{ dtype: "bf16" });
        print(m.dtype);
        print(m.generate("I love you because", #{ max_new_tokens: 8, temperature: 0 }).len() > 0);
    "#;
    let program = Program::new(["-q", "a.rhai"]).file("a.rhai", script);
    assert_eq!(program.succeeds(), "bf16\ntrue\n");
}
