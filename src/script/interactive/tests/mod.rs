//! Sessions without a terminal: what stays, what is saved, what errors say.

mod saving;

use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::progress::{Progress, Silent, Task, Unit};
use crate::report::Painter;
use crate::script::{Change, Host, Interactive, Output, Params, Session, Stopped};

/// What a session has printed.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Tester {
    state: Interactive,
    printed: Printed,
}

fn output(printed: &Printed) -> Output {
    Output::new(Box::new(printed.clone()), 80, Painter::plain())
}

impl Tester {
    fn new() -> Self {
        let printed = Printed::default();
        let state = Interactive::new(Session::new(output(&printed)));
        Self { state, printed }
    }

    /// What an input shows, or its error.
    fn enter(&mut self, text: &str) -> String {
        let result = self.state.eval(text);
        self.tell(result)
    }

    fn load(&mut self, path: &Path) -> String {
        let result = self.state.load(path);
        self.tell(result)
    }

    fn tell(&mut self, result: Result<Option<String>, Stopped>) -> String {
        match result {
            Ok(Some(shown)) => {
                let mut printed = self.printed.0.lock().unwrap();
                printed.extend_from_slice(format!("{shown}\n").as_bytes());
                shown
            }
            Ok(None) => String::new(),
            Err(Stopped::Failed(diagnostic)) => diagnostic.render(Painter::plain()),
            Err(other) => format!("{other:?}"),
        }
    }

    fn printed(&self) -> String {
        String::from_utf8(self.printed.0.lock().unwrap().clone()).unwrap()
    }

    /// The saved script prints what the session has.
    #[track_caller]
    fn saves(&self, folder: &Path) -> String {
        let script = self.state.script(folder).unwrap();
        let file = folder.join("saved.rhai");
        std::fs::write(&file, &script).unwrap();
        let printed = Printed::default();
        let mut host = Host::new(Session::new(output(&printed)));
        if let Err(Stopped::Failed(diagnostic)) = host.run_file(&file) {
            panic!("{}\n{script}", diagnostic.render(Painter::plain()));
        }
        let printed = String::from_utf8(printed.0.lock().unwrap().clone()).unwrap();
        assert_eq!(printed, self.printed(), "{script}");
        script
    }
}

fn library(folder: &Path) {
    let write = |name: &str, text: &str| {
        let file = folder.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    write(
        "deep/v.rhai",
        "import \"lib/w\" as w;\nlet v = w::double(4);\nfn again(x) { import \"lib/w\" as inner; inner::double(w::double(x)) }\nv",
    );
    write(
        "deep/lib/w.rhai",
        "print(\"w is read\");\nfn double(x) { x * 2 }\nfn bad(f) { f.call(1) }\nexport const answer = 42;",
    );
    write(
        "deep/lib/u.rhai",
        "import \"lib/w\" as w;\nfn times(a, b) { a * w::double(b) / 2 }",
    );
    write("deep/nested.rhai", "import \"lib/u\" as u; u::times(2, 3)");
    write("loop.rhai", "import \"loop\" as l;");
}

#[test]
fn modules_are_read_once_and_stay() {
    let folder = tempfile::tempdir().unwrap();
    library(folder.path());
    let mut t = Tester::new();
    assert_eq!(t.load(&folder.path().join("deep/v.rhai")), "8");
    assert_eq!(t.enter("w::double(5)"), "10");
    assert_eq!(t.enter("w::answer"), "42");
    assert_eq!(t.enter("again(1)"), "4");
    // A saved script says where its imports are from.
    let script = t.saves(folder.path());
    assert!(script.contains("import \"deep/lib/w\" as w;"), "{script}");
    let elsewhere = tempfile::tempdir().unwrap();
    let refused = t.state.script(elsewhere.path()).unwrap_err();
    assert!(
        refused
            .message()
            .starts_with("the session imports \"lib/w\" from"),
        "{refused}"
    );
    std::fs::remove_dir_all(folder.path().join("deep")).unwrap();
    assert_eq!(t.enter("w::double(6)"), "12");
    assert_eq!(t.enter("again(2)"), "8");
    assert_eq!(t.enter("fn more(x) { w::double(x) + 1 } more(1)"), "3");
    assert_eq!(t.printed().matches("w is read").count(), 1);
    // Its text is gone, and the place is given without it.
    let error = t.enter("w::bad(|x| x + nothing())");
    assert!(!error.contains("<transcript>"), "{error}");
    assert!(
        error.starts_with("error: there is no function `nothing`\n --> repl["),
        "{error}"
    );
    assert!(!error.contains("| \n"), "{error}");
    t.state.reset();
    let error = t.enter("w::double(6)");
    assert!(error.contains("there is no module `w`"), "{error}");
}

#[test]
fn a_module_imports_from_the_folder_of_its_script() {
    let folder = tempfile::tempdir().unwrap();
    library(folder.path());
    let mut t = Tester::new();
    assert_eq!(t.load(&folder.path().join("deep/nested.rhai")), "6");
    assert_eq!(t.enter("u::times(3, 3)"), "9");
    t.saves(&folder.path().join("deep"));
    let refused = t.state.script(folder.path()).unwrap_err();
    assert!(
        refused
            .message()
            .ends_with("and it imports others from there"),
        "{refused}"
    );
}

#[test]
fn an_import_that_fails_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    library(folder.path());
    let mut t = Tester::new();
    let error = t.enter("import \"nowhere\" as n; n::f()");
    assert_eq!(
        error,
        "error: there is no module \"nowhere\": no file ./nowhere.rhai
 --> repl[1]:1:8
  |
1 | import \"nowhere\" as n; n::f()
  |        ^^^^^^^^^"
    );
    assert_eq!(t.enter("1 + 1"), "2");
    let error = t.load(&folder.path().join("loop.rhai"));
    assert!(
        error.contains("the module \"loop\" imports itself"),
        "{error}"
    );
    // What was imported before an error stays.
    std::fs::write(
        folder.path().join("half.rhai"),
        "import \"deep/lib/w\" as w; nonsense();",
    )
    .unwrap();
    t.load(&folder.path().join("half.rhai"));
    assert_eq!(t.enter("w::double(3)"), "6");
}

#[test]
fn help_leaves_no_trace() {
    let mut t = Tester::new();
    t.enter("1 + 1");
    t.state.aside("help(\"x_vector\")").unwrap();
    assert_eq!(t.enter("_"), "2");
    assert_eq!(t.state.last_input(), Some("_"));
    t.enter("nonsense(");
    assert_eq!(t.state.last_input(), Some("nonsense("));
}

#[test]
fn a_name_is_not_its_own_suggestion() {
    let mut t = Tester::new();
    t.enter("let m = 1; let model = 2;");
    t.state.reset();
    assert_eq!(
        t.enter("m"),
        "error: there is no variable `m`\n --> repl[2]:1:1\n  |\n1 | m\n  | ^"
    );
    t.enter("nonsense(); let m = 3;");
    let error = t.enter("m");
    assert!(!error.contains("did you mean"), "{error}");
}

/// Notes how many tokens each generation is about to make.
#[derive(Default)]
struct Generations(Mutex<Vec<u64>>);

impl Progress for Generations {
    fn start(&self, what: &str, total: u64, _: Unit) -> Box<dyn Task> {
        if what.starts_with("generating") {
            self.0.lock().unwrap().push(total);
        }
        Box::new(Silent)
    }
}

const VECTOR: &str =
    "let a = x_vector(#{ prompt1: \"Love\", prompt2: \"Hate\", coeff: 5, act_name: 1 });";
const COMPARE: &str = "print_n_comparisons(#{ model: m, prompt: \"I hate\", activation_additions: a, num_comparisons: 2, tokens_to_generate: 3, stop_at_eos: false })";

impl Tester {
    /// Turns a dial as the session does, and gives the call that it made.
    fn turn(&mut self, change: Change) -> String {
        let call = self.state.change(&change).unwrap();
        assert_eq!(self.enter(&call), "");
        call
    }
}

#[test]
fn a_dial_generates_only_what_it_changes() {
    let printed = Printed::default();
    let generations = Arc::new(Generations::default());
    let mut session = Session::new(output(&printed));
    session.run.progress = generations.clone();
    let mut t = Tester {
        state: Interactive::new(session),
        printed,
    };
    t.enter("let m = load_model(\"demo\");");
    t.enter(VECTOR);
    t.enter(COMPARE);
    t.turn(Change::Coeff(9.0));
    t.turn(Change::More);
    t.turn(Change::Seed(3));
    // Rows times tokens: both columns; the steered one; two more of each; all.
    assert_eq!(*generations.0.lock().unwrap(), [12, 6, 12, 24]);
}

#[test]
fn a_coefficient_of_0_is_no_dead_end() {
    let mut t = Tester::new();
    t.enter("let m = load_model(\"demo\");");
    t.enter(VECTOR);
    t.enter(COMPARE);
    let strong = t.turn(Change::Coeff(3.0));
    assert!(
        strong.contains("coeff: 3,") && strong.contains("coeff: -3,"),
        "{strong}"
    );
    t.turn(Change::Coeff(0.0));
    t.turn(Change::Seed(0));
    assert_eq!(t.turn(Change::Coeff(3.0)), strong);
}

/// Any option of the comparison is a dial, and stays one.
#[test]
fn every_option_is_a_dial() {
    let mut t = Tester::new();
    t.enter("let m = load_model(\"demo\");");
    t.enter(VECTOR);
    t.enter(COMPARE);
    let set = |option: &str, value: &str| Change::Set {
        option: option.into(),
        value: value.into(),
    };
    t.turn(set("top_k", "3"));
    t.turn(set("rng", "torch"));
    t.turn(set("res_stream_slice", "[0, 64]"));
    t.turn(set("prompt", "I \\ think"));
    let call = t.turn(set("tokens_to_generate", "4"));
    for option in [
        "top_k: 3,",
        "rng: \"torch\",",
        "res_stream_slice: [0, 64],",
        "prompt: \"I \\\\ think\",",
        "tokens_to_generate: 4,",
        "stop_at_eos: false,",
    ] {
        assert!(call.contains(option), "{option}\n{call}");
    }
    // What is as it is without being said is not said.
    assert!(!call.contains("temperature"), "{call}");
    let call = t.turn(set("top_k", "()"));
    assert!(call.contains("top_k: ()"), "{call}");
    assert!(!t.turn(Change::Seed(0)).contains("top_k"));
    let error = t.state.change(&set("top_q", "1")).unwrap_err();
    assert_eq!(error.message(), "there is no option named `top_q`");
    assert_eq!(error.hints(), ["did you mean `top_k`?"]);
}

/// What no variable holds is loaded again as it was.
#[test]
fn a_dial_keeps_the_model() {
    let mut t = Tester::new();
    let load = "load_model(\"demo\", #{ dtype: \"bf16\", processing: \"none\" })";
    t.enter(VECTOR);
    t.enter("let m = load_model(\"demo\");");
    t.enter(&COMPARE.replace("model: m", &format!("model: {load}")));
    let call = t.turn(Change::Seed(1));
    assert!(call.contains(&format!("model: {load}, prompt")), "{call}");
    assert_eq!(t.state.session().models().len(), 2);
    t.enter("let held = load_model(\"demo\", #{ processing: \"none\", dtype: \"bf16\" });");
    let call = t.turn(Change::Seed(2));
    assert!(call.contains("model: held, prompt"), "{call}");
    t.enter(COMPARE);
    assert!(t.turn(Change::Seed(1)).contains("model: m, prompt"));
}

#[test]
fn the_parameters_that_were_asked_for_are_known() {
    let printed = Printed::default();
    let mut session = Session::new(output(&printed));
    let given = [("x", "9"), ("unused", "1")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    session.params = Params::new(given);
    let mut t = Tester {
        state: Interactive::new(session),
        printed,
    };
    assert_eq!(t.enter("param(\"x\", 1)"), "9");
    // Help asks for none, and is not to blame.
    t.state.aside("help(\"param\")").unwrap();
    let used = t.state.session().params.used();
    assert_eq!(used, [("x".to_owned(), "9".to_owned())]);
}

#[test]
fn a_constant_can_be_the_last_value() {
    let mut t = Tester::new();
    t.enter("const c = 4;");
    assert_eq!(t.enter("c"), "4");
    assert_eq!(t.enter("_ + 1"), "5");
    assert_eq!(t.enter("_"), "5");
}

#[test]
fn unfinished_input_knows_the_variables() {
    let mut t = Tester::new();
    assert!(!t.state.is_incomplete("x +"));
    t.enter("let x = 1; x");
    assert!(t.state.is_incomplete("x +"));
    assert!(t.state.is_incomplete("if x == _"));
    assert!(!t.state.is_incomplete("x +\n1"));
}

#[test]
fn long_values_are_shortened_in_a_session_only() {
    let mut t = Tester::new();
    t.enter("let a = []; a.pad(1000, 7); debug(a);");
    let whole = t.printed();
    assert_eq!(whole.matches('7').count(), 1000);
    assert!(t.enter("a").contains("7, … 970 more …, 7"));
    assert!(t.enter("#{ a: a }").contains("{\"a\": [7, 7"));
}

#[test]
fn a_script_s_module_that_imports_itself_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    library(folder.path());
    let mut host = Host::new(Session::new(output(&Printed::default())));
    let Err(Stopped::Failed(diagnostic)) = host.run_file(&folder.path().join("loop.rhai")) else {
        panic!("it ran");
    };
    assert_eq!(diagnostic.message, "the module \"loop\" imports itself");
}

/// rhai takes `/**/` for the beginning of a comment, and would run nothing of what follows.
#[test]
fn a_doc_comment_that_is_not_closed_is_an_error_at_once() {
    let mut t = Tester::new();
    assert!(!t.state.is_incomplete("1 /**/ + 1"));
    let error = t.enter("1 /**/ + 1");
    assert_eq!(
        error,
        "error: repl[1]:1:3: `/**/` opens a doc comment for rhai\n  = help: write `/* */`"
    );
    assert_eq!(t.enter("1 /***/ + 1"), "2");
}

/// What is typed behind `:set` is one value of one option.
#[test]
fn an_option_is_set_to_one_expression() {
    let mut t = Tester::new();
    let made = t.enter("print_n_comparisons(#{ model: load_model(\"demo\"), prompt: \"I\", num_comparisons: 1, tokens_to_generate: 1 });");
    assert!(!made.contains("error"), "{made}");
    let set = |option: &str, value: &str| {
        t.state.change(&Change::Set {
            option: option.into(),
            value: value.into(),
        })
    };
    for value in [
        "0.5 }); print(1);",
        "0.5, seed: 3",
        "1 // one",
        "1 /* one */",
        "(0.5",
        "0.5)",
        "0.5; 1",
        "\"0.5",
        "",
    ] {
        let message = set("top_p", value).unwrap_err().message();
        assert!(
            message.starts_with("top_p takes one value"),
            "{value}: {message}"
        );
    }
    let call = set("top_p", "[0.2, 0.5][(1)]").unwrap();
    assert!(call.contains(" top_p: [0.2, 0.5][(1)],"), "{call}");
    // A text needs no quotes.
    let call = set("prompt", "I, said he; // (").unwrap();
    assert!(call.contains(" prompt: \"I, said he; // (\","), "{call}");
    assert!(set("prompt", "\"I\" }); print(1").is_err());
    let call = set("prompt", "\"I \" + `am`").unwrap();
    assert!(call.contains(" prompt: \"I \" + `am`,"), "{call}");
}

#[test]
fn repetitions_are_removed() {
    let mut t = Tester::new();
    t.enter("let a = [1, 1, 2, 1, \"b\", \"b\", [3], [3], 4.5, 4.5];");
    assert_eq!(t.enter("a.dedup(); a.len()"), "6");
    assert_eq!(t.enter("a.dedup(|x, y| true); a.len()"), "1");
}
