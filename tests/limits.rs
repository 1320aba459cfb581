//! No script takes more memory or time than its run may: each ends with an error, in bounded memory
//! and in time. The programs' peaks are seen by this process, which must stay small itself.

mod support;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::Program;

const USED_UP: &str = "memory that it may use";
const WOULD_NEED: &str = "more than what is left of";
const TOO_DEEP: &str = "values are nested too deeply";
const TOO_LARGE: &str = "too large for a script";

/// What a run of a hostile script came to.
struct Outcome {
    status: Option<i32>,
    stderr: String,
    peak: u64,
}

/// Runs a script with little memory.
#[allow(clippy::zombie_processes, reason = "wait4 waits for it")]
#[expect(unsafe_code, reason = "peak memory is asked of the system")]
fn run(script: &str) -> Outcome {
    let program = Program::script(script);
    let log = program.folder.path().join("stderr");
    let mut command: Command = program.command();
    command.args(["--memory", "300M", "--timeout", "100"]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(std::fs::File::create(&log).unwrap());
    let child = command.spawn().unwrap();
    let mut status = 0;
    // SAFETY: all numbers of rusage may be zero, and both places outlive the call.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        let pid = child.id().cast_signed();
        assert_eq!(libc::wait4(pid, &raw mut status, 0, &raw mut usage), pid);
        usage
    };
    Outcome {
        status: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        stderr: std::fs::read_to_string(log).unwrap(),
        peak: 1024 * usage.ru_maxrss.cast_unsigned(),
    }
}

/// A script that can't be kept within its memory, and how that is said.
#[track_caller]
fn ends(name: &str, script: &str, words: &[&str]) {
    let guarded = format!("try {{ {script} }} catch (e) {{ print(\"caught\") }}");
    // What defines functions can't stand in a block.
    let script = if script.starts_with("fn ") {
        script
    } else {
        &guarded
    };
    let outcome = run(script);
    let stderr = &outcome.stderr;
    assert_eq!(outcome.status, Some(1), "{name}: {stderr}");
    assert!(stderr.starts_with("error: "), "{name}: {stderr}");
    assert!(
        words.iter().any(|words| stderr.contains(words)),
        "{name}: {stderr}"
    );
    assert!(stderr.len() < 20_000, "{name}: {} bytes", stderr.len());
    assert!(
        outcome.peak < 1200 << 20,
        "{name}: {} MB",
        outcome.peak >> 20
    );
}

#[test]
fn values_that_are_kept_are_counted() {
    let model = "let m = load_model(\"demo\"); ";
    let cases: &[(&str, &str)] = &[
        (
            "tensors in an array",
            "let t = m.logits(\"I think I love you\"); let a = []; loop { a.push(t + a.len()); }",
        ),
        (
            "caches in an array",
            "let a = []; loop { a.push(m.run_with_cache(\"I think I love you\")); }",
        ),
        (
            "values captured in a loop",
            "let k = []; loop { let s = blob(10000000, 1); k.push(|| s); }",
        ),
        (
            "tensors in a map",
            "let t = m.logits(\"I think\"); let a = #{}; let i = 0; loop { a[`${i}`] = t * i; i += 1; }",
        ),
        (
            "variables",
            "let s = \"\"; s.pad(10000000, \"a\"); let k = []; loop { let t = s + k.len(); k.push(|| t); }",
        ),
        ("curry", "let f = |x| x; loop { f = f.curry(f); }"),
        (
            "curried blobs",
            "let f = |x| x; let b = blob(1000000, 1); loop { f = f.curry(b); }",
        ),
    ];
    for (name, script) in cases {
        ends(name, &format!("{model}{script}"), &[USED_UP]);
    }
    let down = "fn f(s) { f(s + \"x\") } let s = \"\"; s.pad(60000000, \"a\"); f(s);";
    ends("strings down a recursion", down, &[USED_UP]);
}

#[test]
fn single_calls_are_bounded() {
    let long = "let s = \"\"; s.pad(60000000, \"a \"); ";
    let cases: &[(&str, &str)] = &[
        (
            "replace",
            "let b = \"\"; b.pad(60000000, \"b\"); s.replace(\"a\", b);",
        ),
        ("tokens", "let m = load_model(\"demo\"); m.to_tokens(s);"),
        (
            "tokens of one word",
            "let m = load_model(\"demo\"); s.replace(\" \", \"a\"); m.to_tokens(s);",
        ),
        (
            "losses of a long text",
            "let m = load_model(\"demo\"); s.replace(\" \", \"a\"); m.loss(s);",
        ),
        (
            "JSON of ranges",
            "let a = []; for i in 0..1000 { a.push(0..9000000); } to_json(a);",
        ),
        (
            "printing",
            "let a = []; a.pad(9000000, \"some text\"); let b = [a]; loop { b.push(|| a); print(b); }",
        ),
        (
            "tensors that stretch",
            "let m = load_model(\"demo\"); let t = m.logits(\"I think I love you\"); let c = m.run_with_cache(\"I think\"); let x = c[\"blocks.0.hook_resid_pre\"]; let k = []; loop { k.push(t.softmax() + t.flatten()[0]); }",
        ),
    ];
    for (name, script) in cases {
        ends(
            name,
            &format!("{long}{script}"),
            &[USED_UP, WOULD_NEED, TOO_LARGE],
        );
    }
}

/// A limit of the language's own, which a script may catch.
#[test]
fn what_is_too_large_for_a_value_is_an_error() {
    let long = "let s = \"\"; s.pad(60000000, \"a \"); ";
    for script in [
        "s.split(\" \")",
        "s.split()",
        "s.split_rev('a')",
        "s.to_chars()",
        "load_model(\"demo\").to_tokens(s)",
        "s + s",
        "let a = [1]; loop { a = [a, a]; }",
        "let a = #{ a: 1 }; loop { a = #{ a: a, b: a }; }",
        "let a = []; a.pad(20000000, 0);",
        "let b = blob(20000000, 0);",
    ] {
        let outcome = run(&format!("{long}{script}"));
        let stderr = &outcome.stderr;
        assert_eq!(outcome.status, Some(1), "{script}: {stderr}");
        let words = [TOO_LARGE, USED_UP, WOULD_NEED];
        assert!(
            words.iter().any(|words| stderr.contains(words)),
            "{script}: {stderr}"
        );
        assert!(
            outcome.peak < 1200 << 20,
            "{script}: {} MB",
            outcome.peak >> 20
        );
    }
    // What never came to an end.
    let outcome = run("let s = \"a\"; s.pad(10, \"\");");
    assert!(
        outcome.stderr.contains("must have at least one character"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn values_nested_too_deeply_end_in_words() {
    let chain = "let f = || 0; for i in 0..3000000 { let g = f; f = || g.call(); }";
    let outcome = run(chain);
    assert_eq!(outcome.status, Some(1), "{}", outcome.stderr);
    let words = [TOO_DEEP, USED_UP];
    assert!(
        words.iter().any(|words| outcome.stderr.contains(words)),
        "{}",
        outcome.stderr
    );
    assert!(outcome.peak < 1200 << 20, "{} MB", outcome.peak >> 20);
    // Text that is nested deeply is refused when it is read.
    for open in [
        "(",
        "[",
        "#{a:",
        "{",
        "-",
        "!",
        "||",
        "if true {",
        "f(",
        "`${",
    ] {
        let outcome = run(&format!("let x = {}", open.repeat(200_000)));
        assert_eq!(outcome.status, Some(1), "{open}: {}", outcome.stderr);
        assert!(
            outcome.stderr.starts_with("error: "),
            "{open}: {}",
            outcome.stderr
        );
    }
}

#[test]
fn a_thrown_text_is_shortened() {
    let outcome = run("let s = \"\"; s.pad(60000000, \"x\"); throw s;");
    assert_eq!(outcome.status, Some(1));
    let first = outcome.stderr.lines().next().unwrap();
    assert_eq!(
        first,
        format!("error: {}… and 59998000 more characters", "x".repeat(2000))
    );
}

#[test]
fn a_run_ends_when_its_time_is_up() {
    let start = Instant::now();
    let ran = Program::script("try { loop {} } catch { }")
        .arg("--timeout")
        .arg("500ms")
        .run();
    assert!(start.elapsed() < Duration::from_secs(20));
    assert_eq!(ran.status, Some(124));
    assert_eq!(
        ran.stderr,
        "error: the run took longer than --timeout allows\n"
    );
    // Native code ends too, even where it can't be asked.
    let native = "let a = []; a.pad(5000000, \"x\"); loop { a == a; let b = a + []; b.reverse(); }";
    let ran = Program::script(native).arg("--timeout").arg("1.5").run();
    assert_eq!(
        (ran.status, ran.stdout.as_str()),
        (Some(124), ""),
        "{}",
        ran.stderr
    );
    let ran = Program::script("print(1);")
        .arg("--timeout")
        .arg("1m")
        .run();
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(0), "1\n"));
    let ran = Program::script("").arg("--timeout").arg("soon").run();
    assert_eq!(ran.status, Some(2));
}

#[test]
fn exit_gives_the_status() {
    for (script, status) in [
        ("exit(3); print(1)", 3),
        ("exit()", 0),
        ("exit(0)", 0),
        ("fn f() { exit(255) } try { f() } catch { print(1) }", 255),
        ("exit(\"done\")", 0),
        ("7", 0),
    ] {
        let ran = Program::script(script).run();
        assert_eq!(
            (ran.status, ran.stdout.as_str()),
            (Some(status), ""),
            "{script}: {}",
            ran.stderr
        );
    }
    Program::script("exit(256)").fails(
        1,
        "
error: `status` must be 0 to 255, but it is 256
 --> script.rhai:1:1
  |
1 | exit(256)
  | ^^^^
  = help: 0 says that all went well, and 1 to 255 are what a shell's $? can be
",
    );
}

#[test]
fn unreasonable_numbers_of_threads_and_columns() {
    let ran = Program::script("print(1);")
        .arg("--threads")
        .arg("65535")
        .run();
    assert_eq!(ran.status, Some(2), "{}", ran.stderr);
    let compare = "print_n_comparisons(#{ model: load_model(\"demo\"), prompt: \"I\", num_comparisons: 1, tokens_to_generate: 2 });";
    let printed = Program::script(compare)
        .env("COLUMNS", "1000000000")
        .succeeds();
    assert!(printed.len() < 20_000, "{}", printed.len());
}
