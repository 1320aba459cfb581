//! What a session understands beside rhai: words that leave it, pasted prompts, bytes that are no
//! text, dials that tell their value, help that fits the window.
#![cfg(unix)]

mod support;
#[path = "support/terminal.rs"]
mod terminal;

use support::Program;
use terminal::Terminal;

fn started(columns: u16) -> (tempfile::TempDir, Terminal) {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::start(folder.path(), columns, &["-q"]);
    (folder, terminal)
}

const COMPARE: &str = "print_n_comparisons(#{ model: m, prompt: \"I hate you because\", activation_additions: a, num_comparisons: 2, tokens_to_generate: 6, top_p: 0.3 })";
const VECTOR: &str =
    "let a = x_vector(#{ prompt1: \"Love\", prompt2: \"Hate\", coeff: 5, act_name: 1 });";

#[test]
fn exit_and_quit_leave() {
    for word in ["exit", "quit", "exit()", "quit()", ":quit"] {
        let (_folder, mut t) = started(100);
        t.keys(word);
        t.keys("\r");
        t.end();
    }
}

#[test]
fn pasted_prompts_are_left_out() {
    let (_folder, mut t) = started(100);
    assert_eq!(t.enter("avec> 40 + 2"), "42");
    // Several inputs at once, as a terminal marks what is pasted.
    t.keys("\x1b[200~avec> let x = [\n  ... 1, 2]\navec> x\n[1, 2]\n\x1b[201~\r");
    t.until("the value", |text| text.ends_with("\n[1, 2]\navec>"));
    // Line by line, as a terminal pastes that marks nothing.
    t.keys("avec> let y = [\r  ... 7]\r");
    t.until("another prompt", |text| {
        text.ends_with("avec>") && text.contains("7]")
    });
    t.keys("y\r");
    t.until("the value", |text| text.ends_with("\n[7]\navec>"));
}

#[test]
fn further_lines_have_a_prompt_of_their_own() {
    let (_folder, mut t) = started(100);
    t.keys("let f = [1,\r");
    t.until("the prompt", |text| {
        text.ends_with("avec> let f = [1,\n  ...")
    });
    t.keys("2].map(|x| {\r");
    t.keys("x * 2 })\r");
    t.output();
    assert_eq!(t.enter("f"), "[2, 4]");
    // Completion sees the lines before.
    t.keys("x_vector(#{\rpad_m\t");
    t.until("the option", |text| text.ends_with("  ... pad_method:"));
    // Ctrl-C drops all of it.
    t.keys("\x03");
    t.output();
    assert_eq!(t.enter("1 + 1"), "2");
    // Up gives the whole input.
    t.keys("\x1b[A\x1b[A\x1b[A");
    t.until("the input", |text| text.ends_with("2].map(|x| {\nx * 2 })"));
}

#[test]
fn bytes_that_are_no_text_end_nothing() {
    let (_folder, mut t) = started(100);
    t.enter("let x = 5");
    t.bytes(b"\xff\xfe");
    t.until("an answer", |text| text.contains("error: this is not text"));
    t.keys("\r\rx + 1\r");
    t.until("the value", |text| text.ends_with("\n6\navec>"));
    let piped = tempfile::tempdir().unwrap();
    let program = Program::new(["-q", "repl"]);
    let mut child = program.command();
    let input = piped.path().join("input");
    std::fs::write(&input, b"1 + 1\n\xff\xfe\n2 + 3\n").unwrap();
    let output = child
        .stdin(std::fs::File::open(input).unwrap())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        text,
        "2\nerror: this is not text: it is not UTF-8\n  = help: nothing of it was run\n5\n"
    );
}

#[test]
fn dials_tell_their_value() {
    let (_folder, mut t) = started(160);
    assert_eq!(
        t.enter(":coeff"),
        "error: there is no comparison yet to change\n  = help: make one with print_n_comparisons(#{ .. })"
    );
    t.enter("let m = load_model(\"demo\");");
    t.enter(VECTOR);
    t.enter(COMPARE);
    assert_eq!(t.enter(":coeff"), "coeff: 5, -5");
    assert_eq!(t.enter(":layer"), "layer: blocks.1.hook_resid_pre");
    assert_eq!(t.enter(":seed"), "seed: 0");
    assert_eq!(t.enter(":prompt"), "prompt: \"I hate you because\"");
    assert_eq!(t.enter(":set top_p"), "top_p: 0.3");
    assert_eq!(t.enter(":set top_k"), "top_k: not set");
    let all = t.enter(":set");
    assert!(
        all.starts_with("model: a model\nprompt: \"I hate you because\"\n"),
        "{all}"
    );
    // Each of them can be set.
    let each = [
        ("activation_additions", "a", "["),
        ("top_p", "0.5", "0.5"),
        ("top_k", "3", "3"),
        ("top_k", "()", "not set"),
        ("temperature", "2", "2.0"),
        ("freq_penalty", "1", "1.0"),
        ("seed", "9", "9"),
        ("rng", "torch", "\"torch\""),
        ("stop_at_eos", "false", "false"),
        ("num_comparisons", "1", "1"),
        ("tokens_to_generate", "3", "3"),
        ("prompt", "I think you're", "\"I think you're\""),
        ("addition_location", "back", "\"back\""),
        ("res_stream_slice", "[0, 8]", "[0, 8]"),
        ("model", "m", "a model"),
    ];
    for (option, value, told) in each {
        let table = t.enter(&format!(":set {option} {value}"));
        assert!(table.starts_with('┌'), "{option}: {table}");
        let now = t.enter(&format!(":set {option}"));
        let first = now.lines().next().unwrap();
        assert_eq!(first, format!("{option}: {told}"));
    }
    let lines = all
        .lines()
        .filter(|line| line.starts_with(char::is_alphabetic));
    for name in lines.map(|line| line.split(':').next().unwrap()) {
        assert!(each.iter().any(|(option, ..)| *option == name), "{name}");
    }
    assert_eq!(
        t.enter(":set topp"),
        "error: there is no option named `topp`\n  = help: did you mean `top_p`?"
    );
}

#[test]
fn save_takes_the_last_input_and_writes_over() {
    let (folder, mut t) = started(160);
    let path = folder.path().join("kept.rhai");
    t.enter("let m = load_model(\"demo\");");
    t.enter("let unused = 7;");
    t.enter("print(unused)");
    t.enter(VECTOR);
    let table = t.enter(COMPARE);
    assert!(
        t.enter(":save --last kept")
            .starts_with("saved; run it with: avec kept.rhai")
    );
    let saved = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        saved,
        format!("//! Saved from an interactive session.\n\nlet m = load_model(\"demo\");\n{VECTOR}\n{COMPARE};\n").replace(";;", ";")
    );
    let again = Program::new(["-q", "kept.rhai"])
        .file("kept.rhai", &saved)
        .env("COLUMNS", "160")
        .succeeds();
    assert_eq!(again.trim_end(), table);
    assert_eq!(
        t.enter(":save kept"),
        "error: kept.rhai is there already\n  = help: :save --force writes over it, or choose another name"
    );
    assert!(t.enter(":save --force kept").starts_with("saved; "));
    assert!(
        std::fs::read_to_string(&path)
            .unwrap()
            .contains("let unused = 7;")
    );
    // A link is not written through.
    std::os::unix::fs::symlink(&path, folder.path().join("link.rhai")).unwrap();
    assert_eq!(
        t.enter(":save --force link"),
        "error: can't write link.rhai: it is not a file\n  = help: choose another place, or check that it can be written to"
    );
}

/// A Ctrl-C keeps what was written of a table.
#[test]
fn an_interrupted_table_stays() {
    let (_folder, mut t) = started(100);
    t.enter("let m = load_model(\"demo\");");
    t.keys("print_n_comparisons(#{ model: m, prompt: \"I think\", num_comparisons: 200, tokens_to_generate: 120, stop_at_eos: false })\r");
    t.until("a table", |text| text.contains("│ I think "));
    t.keys("\x03");
    let left = t.output();
    assert!(left.ends_with("┘\ninterrupted"), "{left}");
    assert!(left.contains("│ I think "), "{left}");
    assert_eq!(left.matches("Unsteered completions").count(), 1, "{left}");
}

#[test]
fn help_fits_the_window() {
    for columns in [60, 160] {
        for what in [
            "help",
            "?x_vector",
            "?Tensor",
            "?strings",
            "?steering",
            "?print_n",
        ] {
            // The screen holds a few lines only.
            let (_folder, mut t) = started(columns);
            let text = t.enter(what);
            for line in text.lines() {
                assert!(line.chars().count() <= usize::from(columns), "{line}");
            }
            assert!(text.lines().count() > 1, "{text}");
        }
    }
    let (_folder, mut t) = started(100);
    let all = t.enter("help");
    assert!(
        all.contains("\nsteering:\n") && all.contains("\ntokens:\n"),
        "{all}"
    );
    assert_eq!(t.enter("x_vector?"), t.enter("?x_vector"));
    assert_eq!(t.enter("help(\"Tensor\")"), t.enter("?Tensor"));
    let beginning = t.enter("?print_n");
    assert!(
        beginning.starts_with("what begins with print_n:\n  print_n_comparisons"),
        "{beginning}"
    );
}
