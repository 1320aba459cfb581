//! Scripts that were written and made up, through the whole host: a bounded run of what fuzzers run
//! without end.

use avec::script::fuzz;
use proptest::prelude::*;

#[global_allocator]
static ALLOCATOR: avec::run::CountingAllocator = avec::run::CountingAllocator;

/// Scripts and parts of scripts, whole and broken, harmless and hostile.
const SCRIPTS: &[&str] = &[
    "print(m.to_tokens(\"I think\"));",
    "let x = x_vector(#{ prompt1: \"Love\", prompt2: \"Hate\", coeff: 5, act_name: 1 });",
    "print_n_comparisons(#{ model: m, prompt: \"I\", activation_additions: x, num_comparisons: 1, tokens_to_generate: 2 });",
    "let c = m.run_with_cache(\"I hate you\", [\"resid_pre1\"]); print(c[\"resid_pre1\"].shape);",
    "let t = m.logits(\"I\")[0][-1].softmax(); print(t.to_array().len() + 1.5);",
    "fn f(n) { if n > 0 { f(n - 1) } else { throw \"done\" } } f(3);",
    "try { load_model(\"nowhere/at-all\") } catch (e) { print(e) }",
    "for i in 0..10 { let a = [i]; a.push(|| a); }",
    "let s = \"ab\"; s.pad(100, \"é\"); s.replace(\"é\", s); print(s.split(\"a\").len());",
    "let a = [3, 1, 2]; a.sort(|x, y| y - x); a.dedup(); print(a); print(to_json(#{ a: a }));",
    "let f = || 0; for i in 0..1000 { let g = f; f = || g.call(); }",
    "exit(256)",
    "exit(1)",
    "sleep(1e300)",
    "loop {}",
    "let a = [1]; loop { a = [a, a]; }",
    "param(\"coeff\", 3) + param(\"name\", \"x\")",
    "switch m.n_layers { 1 => 2, _ if true => `${m}` }",
    "to_json(0..9000000)",
    "parse_json(\"{\\\"a\\\": [1, null]}\")",
    "m.generate(\"I\", #{ max_new_tokens: 2, temprature: 1 })",
    "import \"lib/x\" as x; x::f()",
    "#{ a: #{ b: [ 'c', \"\\u1F600\", 0x_ff, 1e400, -0 ] } }.a.b[-1].c",
    "{ { [ ( \"",
    "/* never /* closed",
    "\"\u{1b}[2J\u{202e}\" + blob(10, 300)",
    "let x = 9223372036854775807; x + 1",
    "[1, 1.0, \"x\", ()].sort_desc()",
    "m.loss([0, -1, 99999999999])",
    "",
];

#[test]
fn recorded_scripts() {
    for script in SCRIPTS {
        fuzz::script(script.as_bytes());
    }
}

/// Recorded scripts after each other, with some of their characters changed.
fn mutated() -> impl Strategy<Value = String> {
    let some = prop::collection::vec(prop::sample::select(SCRIPTS), 1..4);
    let put = prop::sample::select(&[
        "(", ")", "[", "{", "}", "\"", "`", "||", ".", "..", "#{", "0", "-1", "m", ";", "\n", "é",
    ]);
    let edits = prop::collection::vec((any::<prop::sample::Index>(), put, 0..3_u8), 0..4);
    (some, edits).prop_map(|(some, edits)| {
        let mut text: Vec<char> = some.join(" ").chars().collect();
        for (index, put, what) in edits {
            let at = index.index(text.len() + 1);
            match what {
                0 => drop(text.splice(at..at, put.chars())),
                1 if at < text.len() => drop(text.remove(at)),
                _ => text.truncate(at.max(1)),
            }
        }
        text.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_shrink_iters: 50, ..ProptestConfig::default() })]

    #[test]
    fn changed_scripts(text in mutated()) {
        fuzz::script(text.as_bytes());
    }

    #[test]
    fn noise(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        fuzz::script(&bytes);
    }
}
