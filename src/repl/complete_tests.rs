//! What Tab offers where.

use super::*;
use crate::report::Painter;
use crate::script::{Output, Session};

fn state() -> Interactive {
    let output = Output::new(Box::new(std::io::sink()), 80, Painter::plain());
    let mut state = Interactive::new(Session::new(output));
    state
        .eval("let m = load_model(\"demo\"); let additions = x_vector(#{ prompt1: \"a\", prompt2: \"b\", coeff: 1, act_name: 1 }); fn twice(x) { 2 * x } let a = [m]; let map = #{ first: 1, inner: #{ text: \"x\" } }; let s = \"text\"; let n = 3;")
        .unwrap();
    state
}

fn offered(before: &str) -> Vec<String> {
    let state = state();
    let (start, offers) = complete(before, &state, &state.host().catalog());
    let typed = &before[..start];
    let texts = offers
        .into_iter()
        .map(|offer| format!("{typed}{}", offer.text));
    texts.collect()
}

#[test]
fn functions_and_variables() {
    assert_eq!(offered("x_v"), ["x_vector("]);
    assert_eq!(offered("print(add"), ["print(additions"]);
    assert_eq!(offered("twi"), ["twice("]);
}

#[test]
fn members_by_type() {
    assert_eq!(offered("m.n_la"), ["m.n_layers"]);
    assert_eq!(offered("m.run"), ["m.run_with_cache("]);
    // A tensor's method is none of a model's.
    assert!(offered("m.soft").is_empty());
    assert_eq!(
        offered("m.logits(\"a\").soft"),
        ["m.logits(\"a\").softmax("]
    );
}

#[test]
fn options_of_a_call() {
    assert_eq!(
        offered("x_vector(#{ pr"),
        ["x_vector(#{ prompt1: ", "x_vector(#{ prompt2: "]
    );
    // What is written already is not offered again.
    assert_eq!(
        offered("x_vector(#{ prompt1: \"a\", pr"),
        ["x_vector(#{ prompt1: \"a\", prompt2: "]
    );
    // A value is no key.
    assert_eq!(
        offered("x_vector(#{ model: m, coeff: add"),
        ["x_vector(#{ model: m, coeff: additions"]
    );
}

#[test]
fn hook_names_and_models() {
    assert_eq!(
        offered("m.run_with_cache(\"a\", \"blocks.3.ln2.hook_s"),
        ["m.run_with_cache(\"a\", \"blocks.3.ln2.hook_scale"]
    );
    // One that is computed only when it is named.
    assert_eq!(
        offered("m.run_with_cache(\"a\", \"blocks.3.attn.hook_r"),
        ["m.run_with_cache(\"a\", \"blocks.3.attn.hook_result"]
    );
    assert!(
        offered("m.run_with_cache(\"a\", \"mlp_i")
            .contains(&"m.run_with_cache(\"a\", \"mlp_in0".to_owned())
    );
    assert_eq!(
        offered("\"blocks."),
        [
            "\"blocks.0.",
            "\"blocks.1.",
            "\"blocks.2.",
            "\"blocks.3.",
            "\"blocks.4."
        ]
    );
    assert!(offered("load_model(\"gpt2-x").contains(&"load_model(\"gpt2-xl".to_owned()));
}

#[test]
fn commands_files_and_help() {
    assert_eq!(offered(":coe"), [":coeff "]);
    assert_eq!(offered(":help x_v"), [":help x_vector"]);
    assert_eq!(offered("?x_v"), ["?x_vector"]);
    assert_eq!(
        offered(":load scripts/love"),
        [":load scripts/love_hate.rhai"]
    );
    assert_eq!(offered(":time twi"), [":time twice("]);
    assert_eq!(offered(":set top_"), [":set top_k ", ":set top_p "]);
    assert_eq!(offered(":set rng t"), [":set rng torch"]);
    assert!(offered(":set top_p ").is_empty());
}

#[test]
fn rhai_s_own_methods_by_type() {
    let has = |before: &str, member: &str| {
        let offered = offered(before);
        let wanted = format!("{before}{member}");
        assert!(offered.contains(&wanted), "{before}: {offered:?}");
    };
    has("s.", "to_upper(");
    has("\"text\".", "len(");
    has("`${n} text`.", "split(");
    has("a.", "map(");
    has("[1, 2].", "push(");
    has("n.", "is_odd(");
    has("1.5.", "sqrt(");
    has("#{ b: 1 }.", "keys(");
    has("map.", "first");
    has("map.inner.", "text");
    has("map.inner.text.", "to_lower(");
    has("map[\"inner\"].", "text");
    has("a[0].", "n_layers");
    has("(s).", "trim(");
    has("load_model(\"demo\").", "n_layers");
    has("m.logits(\"a\").shape.", "map(");
    has("print(m.name.", "to_upper(");
    for (before, none) in [
        ("s.", "s.n_layers"),
        ("s.", "s.load_model("),
        ("a.", "a.to_upper("),
        ("map.", "map.x_vector("),
        ("n.", "n.blob("),
        ("load_model(\"demo\").", "load_model(\"demo\").softmax("),
    ] {
        assert!(!offered(before).contains(&none.to_owned()), "{none}");
    }
    // Of what is not known, all that avec has.
    has("unknown().", "softmax(");
    has("unknown().", "n_layers");
}

#[test]
fn option_values() {
    assert_eq!(
        offered("x_vector(#{ pad_method: \""),
        [
            "x_vector(#{ pad_method: \"tokens_left",
            "x_vector(#{ pad_method: \"tokens_right"
        ]
    );
    assert!(offered("x_vector(#{ prompt1: \"b").is_empty());
    assert_eq!(
        offered("x_vector(#{ act_name: \"blocks.4.hook_resid_po"),
        ["x_vector(#{ act_name: \"blocks.4.hook_resid_post"]
    );
    assert_eq!(
        offered("load_model(\"demo\", #{ dtype: \"b"),
        ["load_model(\"demo\", #{ dtype: \"bf16"]
    );
}

#[test]
fn modules_have_functions() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lib.rhai");
    std::fs::write(
        &file,
        "/// Doubles.\nfn double(x) { 2 * x } private fn own() {} export const half = 0.5;",
    )
    .unwrap();
    std::fs::write(folder.path().join("main.rhai"), "import \"lib\" as h;").unwrap();
    let mut state = state();
    state.load(&folder.path().join("main.rhai")).unwrap();
    let catalog = state.host().catalog();
    assert!(catalog.get("double").is_none());
    let texts = |before: &str| -> Vec<String> {
        let (_, offers) = complete(before, &state, &catalog);
        offers.into_iter().map(|offer| offer.text).collect()
    };
    assert_eq!(texts("h::"), ["double(", "half"]);
    assert_eq!(texts("1 + h::d"), ["double("]);
}

#[test]
fn nothing_is_offered_where_nothing_fits() {
    for before in [
        ":coeff ",
        ":layer 1",
        ":seed ",
        ":prompt I th",
        ":vars ",
        "// twi",
        "1 // x_v",
    ] {
        assert_eq!(offered(before), Vec::<String>::new(), "{before}");
    }
    assert_eq!(offered("/* a */ twi"), ["/* a */ twice("]);
}

#[test]
fn quotes_spaces_and_templates() {
    assert_eq!(
        offered(":load \"scripts/love"),
        [":load \"scripts/love_hate.rhai"]
    );
    assert_eq!(offered("? x_v"), ["? x_vector"]);
    assert_eq!(offered("`a ${twi"), ["`a ${twice("]);
    assert_eq!(offered("`a ${m.n_la"), ["`a ${m.n_layers"]);
    assert_eq!(offered("`a ${m} twi"), Vec::<String>::new());
}

#[test]
fn what_an_option_expects() {
    assert_eq!(
        offered("x_vector(#{ model: "),
        ["x_vector(#{ model: load_model(\"", "x_vector(#{ model: m"]
    );
    assert_eq!(
        offered("x_vector(#{ pad_method: "),
        [
            "x_vector(#{ pad_method: \"tokens_left\"",
            "x_vector(#{ pad_method: \"tokens_right\""
        ]
    );
    assert_eq!(
        offered("m.generate(\"a\", #{ stop_at_eos: f"),
        ["m.generate(\"a\", #{ stop_at_eos: false"]
    );
    let additions = offered("print_n_comparisons(#{ activation_additions: a");
    assert_eq!(
        additions,
        [
            "print_n_comparisons(#{ activation_additions: a",
            "print_n_comparisons(#{ activation_additions: additions"
        ]
    );
    // Another expression can stand there as well.
    assert_eq!(
        offered("x_vector(#{ model: twi"),
        ["x_vector(#{ model: twice("]
    );
}

#[test]
fn short_hook_names() {
    assert_eq!(
        offered("m.run_with_cache(\"a\", \"resid_pre3"),
        ["m.run_with_cache(\"a\", \"resid_pre3"]
    );
    assert_eq!(offered("\"scale3"), ["\"scale3ln1", "\"scale3ln2"]);
    for offer in offered("\"") {
        let name = offer.trim_start_matches('"');
        assert!(
            name.ends_with('.') || name.parse::<HookName>().is_ok(),
            "{name}"
        );
    }
}

#[test]
fn indexed_values() {
    assert_eq!(offered("additions[0].act"), ["additions[0].act_name"]);
    assert_eq!(
        offered("x_vector(#{ prompt1: \"a\" })[0].act"),
        ["x_vector(#{ prompt1: \"a\" })[0].act_name"]
    );
    assert_eq!(
        offered("m.logits(\"a\")[0].log_s"),
        ["m.logits(\"a\")[0].log_softmax("]
    );
    assert_eq!(
        offered("m.to_str_tokens(\"a\")[0].to_up"),
        ["m.to_str_tokens(\"a\")[0].to_upper("]
    );
    assert_eq!(
        offered("m.run_with_cache(\"a\")[\"k0\"].log_s"),
        ["m.run_with_cache(\"a\")[\"k0\"].log_softmax("]
    );
}

#[test]
fn folders_of_models() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display().to_string();
    for name in ["model", "models/one"] {
        std::fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    std::fs::write(folder.path().join("model/config.json"), "{}").unwrap();
    std::fs::write(folder.path().join("notes.txt"), "").unwrap();
    let typed = format!("load_model(\"{place}/");
    assert_eq!(
        offered(&typed),
        [format!("{typed}model"), format!("{typed}models/")]
    );
}
