//! The interactive session, driven through a pseudo-terminal as a person drives it.
#![cfg(unix)]

mod support;
#[path = "support/terminal.rs"]
mod terminal;

use std::time::Instant;

use support::Program;
use terminal::{PROMPT, Terminal};

const COMPARE: &str = "print_n_comparisons(#{ model: m, prompt: \"I hate you because\", activation_additions: a, num_comparisons: 2, tokens_to_generate: 6, top_p: 0.3 })";
const VECTOR: &str =
    "let a = x_vector(#{ prompt1: \"Love\", prompt2: \"Hate\", coeff: 5, act_name: 1 });";

fn started() -> (tempfile::TempDir, Terminal) {
    let folder = tempfile::tempdir().unwrap();
    let terminal = Terminal::start(folder.path(), 220, &["-q"]);
    (folder, terminal)
}

#[test]
fn values_show_themselves() {
    let (_folder, mut t) = started();
    assert_eq!(t.enter("1 + 1"), "2");
    assert_eq!(t.enter("_ * 3"), "6");
    assert_eq!(t.enter("\"a text\""), "\"a text\"");
    assert_eq!(t.enter("()"), "");
    assert_eq!(t.enter("let x = 5;"), "");
    assert_eq!(t.enter("x;"), "");
    assert_eq!(t.enter("_ + x"), "10");
    assert_eq!(t.enter("let m = load_model(\"demo\")"), "");
    assert!(t.enter("m").starts_with("demo: GPT-2, 5 layers"));
    let tensor = t.enter("m.logits(\"I love\")");
    assert!(tensor.starts_with("tensor f32 [1, 3, 1536]\n"), "{tensor}");
    assert_eq!(
        t.enter("ActivationAddition(#{ prompt: \"Love\", coeff: 2, act_name: 1 })"),
        "ActivationAddition(#{ prompt: \"Love\", coeff: 2, act_name: \"blocks.1.hook_resid_pre\" })"
    );
    let table = t.enter(
        "gen_using_model(#{ model: m, prompt_batch: [\"I think\"], tokens_to_generate: 3 })",
    );
    assert!(
        table.starts_with('┌') && table.contains("I think"),
        "{table}"
    );
    assert_eq!(t.enter("fn twice(x) { 2 * x }"), "");
    assert_eq!(t.enter("twice(x)"), "10");
    assert_eq!(
        t.enter("switch x { 5 => \"five\", _ => \"other\" }"),
        "\"five\""
    );
    let variables = t.enter(":vars");
    assert!(
        variables.starts_with("x  integer  5\nm  Model"),
        "{variables}"
    );
    assert_eq!(t.enter(":reset"), "variables and functions are forgotten");
    assert_eq!(t.enter(":vars"), "there are no variables");
    t.keys("\x04");
    t.end();
}

#[test]
fn input_goes_on_until_it_is_complete() {
    let (_folder, mut t) = started();
    t.keys("let f = [1,\r");
    t.keys("2, 3].map(|x| {\r");
    t.keys("x * 2 });\r");
    t.output();
    assert_eq!(t.enter("f"), "[2, 4, 6]");
    t.keys("/* a comment\r");
    t.keys("over lines */ 7\r");
    t.output();
    assert_eq!(t.enter("_"), "7");
    t.keys("let text = `two\r");
    t.keys("lines`;\r");
    t.output();
    assert_eq!(t.enter("text"), "\"two\\nlines\"");
    t.keys("1 +\r");
    t.keys("2\r");
    t.output();
    assert_eq!(t.enter("_"), "3");
    t.enter("let x = 4");
    t.keys("x.\r");
    t.keys("is_even\r");
    assert!(t.output().ends_with("\ntrue"));
    t.keys("if x == 4\r");
    t.keys("{ \"four\" }\r");
    assert!(t.output().ends_with("\n\"four\""));
    // An empty line asks what is wrong.
    t.keys("x +\r");
    t.keys("\r");
    assert!(t.output().contains("error: "));
    // An unclosed text on one line is an error, not the beginning of more.
    assert!(t.enter("\"abc").starts_with("error: "));
}

#[test]
fn errors_are_survived_and_placed() {
    let (_folder, mut t) = started();
    t.enter("fn broken(x) {  x.nothing() }");
    assert_eq!(
        t.enter("let y = 1 + z"),
        "error: there is no variable `z`\n --> repl[2]:1:13\n  |\n1 | let y = 1 + z\n  |             ^\n  = help: did you mean `y`?"
    );
    assert_eq!(
        t.enter("x_vector(#{ prompt1: \"a\", promt2: \"b\", coeff: 5 })"),
        "error: this call has 2 errors
 --> repl[3]:1:1
  |
1 | x_vector(#{ prompt1: \"a\", promt2: \"b\", coeff: 5 })
  | ^^^^^^^^ x_vector needs `act_name`; act_name: a layer's number or a hook point's name. Where: a layer's number n for blocks.n.hook_resid_pre, or a hook point's name.
  |                           ^^^^^^ x_vector: there is no option named `promt2`; did you mean `prompt2`?"
    );
    // The function was typed in input 1, and its line is shown from there.
    let error = t.enter("broken(1)");
    assert!(
        error.contains("repl[1]:1:19\n  |\n1 | fn broken(x) {  x.nothing() }"),
        "{error}"
    );
    assert!(error.contains("repl[4]:1:1\n  |\n1 | broken(1)"), "{error}");
    assert_eq!(
        t.enter(":coef 3"),
        "error: there is no command named `:coef`\n  = help: did you mean `:coeff`?\n  = help: :help lists them"
    );
    assert_eq!(
        t.enter(":coeff 3"),
        "error: there is no comparison yet to change\n  = help: make one with print_n_comparisons(#{ .. })"
    );
    assert_eq!(t.enter("1 + 1"), "2");
}

#[test]
fn tab_completes_options_hook_names_and_files() {
    let (folder, mut t) = started();
    t.enter("let m = load_model(\"demo\");");
    t.keys("x_vector(#{ prompt1: \"Love\", pad_m\t");
    t.until("the option", |text| text.ends_with("pad_method:"));
    t.keys("\x03");
    t.output();
    t.keys("m.run_with_cache(\"a\", \"blocks.3.ln2.hook_s\t");
    t.until("the hook name", |text| {
        text.ends_with("\"blocks.3.ln2.hook_scale")
    });
    t.keys("\x03");
    t.output();
    t.keys("m.n_la\t");
    t.until("the property", |text| text.ends_with("m.n_layers"));
    assert_eq!(
        {
            t.keys("\r");
            t.output()
        },
        "5"
    );
    std::fs::write(folder.path().join("experiment.rhai"), "let loaded = 12;").unwrap();
    t.keys(":load exp\t");
    t.until("the file", |text| text.ends_with("experiment.rhai"));
    t.keys("\r");
    t.output();
    assert_eq!(t.enter("loaded"), "12");
}

#[test]
fn an_interrupt_ends_the_work_and_not_the_session() {
    let (_folder, mut t) = started();
    t.enter("let m = load_model(\"demo\");");
    // A line that is begun is dropped.
    t.keys("let unfinished = ");
    t.keys("\x03");
    t.output();
    // Hundreds of batches of rows.
    t.enter("let prompts = []; prompts.pad(20000, \"I think\");");
    let mut waits = Vec::new();
    for _ in 0..3 {
        t.keys("let t = gen_using_model(#{ model: m, prompt_batch: prompts, tokens_to_generate: 100, stop_at_eos: false });\r");
        std::thread::sleep(std::time::Duration::from_millis(700));
        let pressed = Instant::now();
        t.keys("\x03");
        assert_eq!(t.output(), "interrupted");
        waits.push(pressed.elapsed());
    }
    // 200 ms is what is promised on a quiet machine; this one may be busy for some of them.
    println!("back at the prompt after {waits:?}");
    assert!(waits.iter().any(|wait| wait.as_millis() < 500), "{waits:?}");
    assert_eq!(t.enter("m.n_layers"), "5");
}

#[test]
fn history_outlives_the_session_and_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, mut t) = started();
    t.enter("let first = 41 + 1");
    t.keys("\x04");
    t.end();
    let file = folder.path().join("state/avec/history");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut t = Terminal::start(folder.path(), 220, &["-q"]);
    // Up: the last input.
    t.keys("\x1b[A");
    t.until("the last input", |text| {
        text.ends_with("let first = 41 + 1")
    });
    t.keys("\r");
    t.output();
    // Ctrl-R searches.
    t.keys("\x12first\r");
    t.output();
    assert_eq!(t.enter("first"), "42");
}

#[test]
fn dials_change_one_thing_of_the_last_comparison() {
    let (_folder, mut t) = started();
    t.enter("let m = load_model(\"demo\");");
    t.enter(VECTOR);
    let first = t.enter(COMPARE);
    assert!(first.contains("Steered completions"), "{first}");
    let column = |table: &str, side: usize| -> Vec<String> {
        let lines = table.lines().filter(|line| line.starts_with('│'));
        lines
            .map(|line| line.split('│').nth(side + 1).unwrap().to_owned())
            .collect()
    };
    // What each dial makes is what the whole call would have made.
    let whole = |t: &mut Terminal, from: &str, to: &str| t.enter(&COMPARE.replace(from, to));
    let seeded = t.enter(":seed 7");
    assert_ne!(column(&seeded, 0), column(&first, 0));
    assert_eq!(
        seeded,
        whole(&mut t, "num_comparisons", "seed: 7, num_comparisons")
    );
    t.enter(":seed 0");
    let stronger = t.enter(":coeff 12");
    assert_eq!(column(&stronger, 0), column(&first, 0));
    t.enter(&VECTOR.replace("coeff: 5", "coeff: 12"));
    assert_eq!(stronger, t.enter(COMPARE));
    let elsewhere = t.enter(":layer 3");
    assert_eq!(column(&elsewhere, 0), column(&first, 0));
    t.enter(&VECTOR.replace("coeff: 5, act_name: 1", "coeff: 12, act_name: 3"));
    assert_eq!(elsewhere, t.enter(COMPARE));
    let more = t.enter(":more");
    assert_eq!(
        more,
        whole(&mut t, "num_comparisons: 2", "num_comparisons: 4")
    );
    let other = t.enter(":prompt I think you're");
    assert!(other.contains("I think you're"), "{other}");
    assert_eq!(
        t.enter(":layer 9"),
        "error: there is no layer 9: the model has 5 layers, 0 to 4"
    );
}

/// What worked, saved and run as a script, prints what was shown.
#[test]
fn a_saved_session_prints_the_same() {
    let (folder, mut t) = started();
    let mut shown = Vec::new();
    for input in [
        "let m = load_model(\"demo\");",
        "nonsense",
        "1 + 1",
        "_ * 3",
        "\"text\"",
        "fn twice(x) { 2 * x }",
        "let y = 3; twice(y)",
        VECTOR,
        COMPARE,
        ":coeff 9",
        "gen_using_model(#{ model: m, prompt_batch: [\"I think\"], tokens_to_generate: 4 })",
    ] {
        let out = t.enter(input);
        if input != "nonsense" && !out.is_empty() {
            shown.push(out);
        }
    }
    t.enter(":save session");
    assert!(
        t.enter(":save session")
            .starts_with("error: session.rhai is there already")
    );
    let script = std::fs::read_to_string(folder.path().join("session.rhai")).unwrap();
    let program = Program::new(["-q", "session.rhai"]).file("session.rhai", &script);
    let printed = program.env("COLUMNS", "220").succeeds();
    assert_eq!(printed.trim_end(), shown.join("\n"), "{script}");
}

#[test]
fn commands_tell_what_is_asked() {
    let (_folder, mut t) = started();
    let help = t.enter("?x_vector");
    assert!(
        help.starts_with("x_vector(options: object map) -> array"),
        "{help}"
    );
    assert_eq!(t.enter(":help x_vector"), help);
    assert_eq!(t.enter("help(\"x_vector\")"), help);
    let all = t.enter("help");
    assert!(
        all.contains(":coeff [X]") && all.contains("print_n_comparisons"),
        "{all}"
    );
    assert!(t.enter("?x_vectr").contains("did you mean `x_vector`?"));
    let time = t.enter(":time 1 + 1");
    assert!(time.starts_with("2\n0.0") && time.ends_with(" s"), "{time}");
    assert!(t.enter(":model").starts_with("no model is loaded"));
    t.enter("let m = load_model(\"demo\");");
    assert!(t.enter(":model").starts_with("demo: GPT-2"));
    t.keys(":quit\r");
    t.end();
}

#[test]
fn the_editor_gives_an_input() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let editor = folder.path().join("edit");
    // It gets the input's file behind its own argument.
    std::fs::write(&editor, "#!/bin/sh\nsed -i \"s/$1/2/\" \"$2\"\n").unwrap();
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o700)).unwrap();
    let editor = format!("{} [15]", editor.display());
    let mut t = Terminal::start_with(folder.path(), 220, &["-q"], &[("EDITOR", &editor)]);
    t.enter("40 + 1");
    assert_eq!(t.enter(":edit"), "40 + 2\n42");
    // What failed is what one wants to edit.
    assert!(t.enter("nonsense + 5").starts_with("error: "));
    let again = t.enter(":edit");
    assert!(again.starts_with("nonsense + 2\nerror: "), "{again}");
}

#[test]
fn an_editor_that_changes_nothing_runs_the_input_again() {
    let (_folder, mut t) = started();
    t.enter("40 + 1");
    assert_eq!(t.enter(":edit"), "40 + 1\n41");
}

#[test]
fn repl_opens_a_session() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::start(folder.path(), 220, &["repl"]);
    assert!(t.text().contains("Tab completes"), "{}", t.text());
    assert_eq!(t.enter("1 + 1"), "2");
}

/// What a session was started with is what its saved script needs.
#[test]
fn a_saved_session_says_which_parameters_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::start(folder.path(), 220, &["-q", "-p", "x=9", "-p", "y=1"]);
    assert_eq!(t.enter("param(\"x\", 1)"), "9");
    assert!(t.enter("?param").starts_with("param("));
    assert_eq!(
        t.enter(":save \"my session\""),
        "saved; run it with: avec -p x=9 'my session.rhai'"
    );
}

#[test]
fn colours_are_shown_unless_they_are_unwanted() {
    let folder = tempfile::tempdir().unwrap();
    let coloured = |no_color: &str| {
        let variables = [("NO_COLOR", no_color)];
        let mut t = Terminal::start_with(folder.path(), 220, &["-q"], &variables);
        t.enter("let x = \"text\"");
        assert!(t.text().contains("avec> let x = \"text\""), "{}", t.text());
        t.coloured()
    };
    // `let` in magenta, the text in green.
    let with = coloured("");
    assert!(
        with.contains("[35;22mlet") && with.contains("[32m\"text\""),
        "{with:?}"
    );
    let without = coloured("1");
    assert!(
        !without.contains("[35") && !without.contains("[32m"),
        "{without:?}"
    );
}

/// Lines that are typed while an input runs, or pasted without marks, are inputs one by one.
#[test]
fn lines_typed_ahead_are_not_lost() {
    let (_folder, mut t) = started();
    t.keys("let n = 0; while n < 300000 { n += 1 }\r");
    for line in ["100 + 1\r", "100 + 2\r", "100 + 3\r", "n\r"] {
        t.keys(line);
    }
    let all_ran = |text: &str| {
        let shown: Vec<&str> = text.lines().filter(|l| !l.contains("avec>")).collect();
        shown.ends_with(&["101", "102", "103", "300000", ""]) || {
            let wanted = ["101", "102", "103", "300000"];
            let ran = |wanted: &&str| shown.contains(wanted);
            wanted.iter().all(ran) && text.ends_with(PROMPT.trim_end())
        }
    };
    t.until("all lines", all_ran);
    t.keys("200 + 1\r200 + 2\r200 + 3\r200 + 4\r");
    t.until("all pasted lines", |text| {
        let shown: Vec<&str> = text.lines().collect();
        ["201", "202", "203", "204"]
            .iter()
            .all(|wanted| shown.contains(wanted))
    });
}

/// The caret stands under its text also where the line is wider than the window.
#[test]
fn an_error_in_a_wide_line_shows_the_part_around_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::start(folder.path(), 40, &["-q"]);
    let input = format!("let x = \"{}\" + nonsense;", "a".repeat(60));
    t.keys(&format!("{input}\r"));
    t.until("the error", |text| {
        text.contains("^^^") && text.ends_with(PROMPT.trim_end())
    });
    let text = t.text();
    let lines: Vec<&str> = text.lines().collect();
    let caret = lines.iter().position(|line| line.contains('^')).unwrap();
    assert!(lines[caret - 1].starts_with("1 | …aaa"), "{text}");
    let under = lines[caret].find('^').unwrap();
    let above: String = lines[caret - 1].chars().skip(under).take(8).collect();
    assert_eq!(above, "nonsense", "{text}");
}

/// The session in the README is what these inputs show on a terminal of 100 columns.
#[test]
fn the_readme_s_session_is_what_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let mut t = Terminal::start(folder.path(), 100, &["-q"]);
    t.enter("let m = load_model(\"demo\");");
    t.enter("let a = x_vector(#{ prompt1: \"Love\", prompt2: \"Hate\", coeff: 3, act_name: 1 });");
    t.enter("steering_vec_magnitudes(a, m)");
    t.keys("print_n_comparisons(#{ model: m, prompt: \"I think\", activation_additions: a,\r");
    t.keys("    num_comparisons: 2, top_p: 0.3, freq_penalty: 1 })\r");
    t.output();
    t.enter(":coeff -3");
    let shown = t.text();
    let shown = format!(
        "{}\n",
        shown
            .trim_end()
            .trim_end_matches(PROMPT.trim_end())
            .trim_end()
    );
    let readme = std::fs::read_to_string(support::repository().join("README.md")).unwrap();
    assert!(
        readme.contains(&format!("```text\n{shown}```")),
        "the README should show:\n{shown}"
    );
}

/// On a terminal the table stands there while it is written.
#[test]
fn a_table_grows_while_it_is_written() {
    let (_folder, mut t) = started();
    t.enter("let m = load_model(\"demo\");");
    t.keys("print_n_comparisons(#{ model: m, prompt: \"I think\", num_comparisons: 50, tokens_to_generate: 120, stop_at_eos: false })\r");
    let mut heights = std::collections::BTreeSet::new();
    loop {
        t.until("something to read", |_| true);
        let text = t.text();
        if text.contains('┌') {
            heights.insert(text.lines().count());
        }
        if text.ends_with(PROMPT.trim_end()) && text.contains('└') {
            break;
        }
    }
    assert!(heights.len() > 2, "it was drawn at once: {heights:?}");
    let text = t.text();
    // Nothing of its growing is left.
    assert_eq!(text.matches('┌').count(), 1, "{text}");
}

/// What a script can't do as the session did is refused by name, and nothing is written.
#[test]
fn a_session_that_no_script_can_repeat_is_not_saved() {
    let (folder, mut t) = started();
    t.enter("let x = true;");
    assert_eq!(t.enter("if x { return 5 } print(1)"), "5");
    assert_eq!(
        t.enter(":save session"),
        "error: this session can't be saved: repl[2]:1:8: `return` within a statement ends an input here, and would end the whole script
  = help: write it with if and else
  = help: :reset begins a new session; the inputs of this one are in the history"
    );
    assert!(!folder.path().join("session.rhai").exists());
    t.enter(":reset");
    t.enter("let x = true;");
    assert_eq!(t.enter("if x { 5 } else { 1 }"), "5");
    assert_eq!(
        t.enter(":save session"),
        "saved; run it with: avec session.rhai"
    );
}

/// An error says what keeps a file from being written, and what to do.
#[test]
fn a_session_is_not_saved_into_a_folder_that_is_not_there() {
    let (_folder, mut t) = started();
    t.enter("1 + 1");
    let told = t.enter(":save nowhere/session");
    assert!(
        told.starts_with("error: can't write nowhere/session.rhai: "),
        "{told}"
    );
    assert!(told.contains("= help: check the path"), "{told}");
    assert!(!told.contains("os error"), "{told}");
}
