//! The last token of a generation is never read, so it needs no position.

mod support;

use support::Program;

/// A prompt that fills the demo's context, BOS included.
const FULL: &str = "let m = load_model(\"demo\"); let t = \"Love\"; while m.to_tokens(t).len() < m.n_ctx { t += \" Love\"; } print(m.to_tokens(t).len() == m.n_ctx);";

fn full(rest: &str) -> Program {
    Program::script(&format!("{FULL}\n{rest}"))
}

#[test]
fn one_token_fits_behind_a_full_context() {
    let printed = full(
        "let all = m.to_tokens(m.generate(t, #{ temperature: 0, max_new_tokens: 1 })); print(all.len() - m.n_ctx);",
    )
    .succeeds();
    assert_eq!(printed, "true\n1\n");
    full("m.generate(t, #{ max_new_tokens: 2 });").fails(
        1,
        r#"
error: 128 tokens of prompt and 2 new ones do not fit into the model's context of 128
 --> script.rhai:2:34
  |
2 | m.generate(t, #{ max_new_tokens: 2 });
  |                                  ^
  = help: at most 1 new token fits
"#,
    );
    full("m.generate(t + \" Love\", #{ max_new_tokens: 1 });").fails(
        1,
        r#"
error: the prompt has 130 tokens, and the model's context holds 128
 --> script.rhai:2:3
  |
2 | m.generate(t + " Love", #{ max_new_tokens: 1 });
  |   ^^^^^^^^
  = help: shorten the prompt
"#,
    );
}

/// Losses are those of the tokens that are read, wherever the additions stand.
#[test]
fn losses_behind_a_full_context() {
    for location in ["front", "mid", "back"] {
        let printed = full(&format!(
            "let xs = x_vector(#{{ prompt1: \"Love\", prompt2: \"Hate\", coeff: 3, act_name: 1, model: m, pad_method: \"tokens_right\" }});
let rows = gen_using_activation_additions(#{{ model: m, prompt_batch: [t], activation_additions: xs, tokens_to_generate: 1, seed: 0, addition_location: \"{location}\" }});
for row in rows.to_array() {{ print(row.loss > 0.0 && row.clean_loss > 0.0); }}"
        ))
        .succeeds();
        assert_eq!(printed, "true\ntrue\n", "{location}");
    }
}
