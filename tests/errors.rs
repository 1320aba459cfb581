//! Every error that a user can make, by its whole text.

mod support;

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Tensor};
use support::{Program, tiny_folder};

/// A script that loads the demo model and then does `line`, which is its second line.
fn demo(line: &str) -> Program {
    Program::script(&format!("let model = load_model(\"demo\");\n{line}\n"))
}

// ------------------------------------------------------------------ options

/// What overflows in the model is told, whatever draws the tokens.
#[test]
fn logits_that_are_not_finite() {
    for how in [
        "",
        ", top_k: 3",
        ", top_p: 0.3",
        ", temperature: 0",
        ", rng: \"torch\"",
    ] {
        let script = format!(
            "let m = load_model(\"demo\");\nprint_n_comparisons(#{{ model: m, prompt: \"I hate you\", num_comparisons: 1{how},\n    activation_additions: x_vector(#{{ prompt1: \"Love\", prompt2: \"Hate\", coeff: 1e38, act_name: 1 }}) }});"
        );
        Program::script(&script).fails(
            1,
            "error: the model's logits are not finite: no token can be drawn from them\n --> script.rhai:2:1\n  |\n2 | print_n_comparisons(#{ model: m, prompt: \"I hate you\", num_comparisons: 1HOW,\n  | ^^^^^^^^^^^^^^^^^^^\n  = help: a coefficient is too large for f32, or the weights themselves are not finite"
                .replace("HOW", how)
                .as_str(),
        );
    }
}

/// Small tensors that would stretch to a large one.
#[test]
fn a_tensor_that_can_not_fit_is_refused() {
    let script = "let text = \"\"; for i in 0..100 { text += \" wedding\"; }\nlet c = load_model(\"demo\").run_with_cache(text, \"scale0ln1\");\nlet x = c[\"scale0ln1\"][0];\nlet y = x.flatten();\nfor i in 0..6 { y = (x * y).flatten(); }";
    let ran = Program::script(script).run();
    assert_eq!(ran.status, Some(1), "{}", ran.stderr);
    let first = ran.stderr.lines().next().unwrap();
    assert!(
        first.starts_with("error: a tensor of shape [101, "),
        "{first}"
    );
    assert!(first.contains(" would need "), "{first}");
}

/// Values within values are walked through call by call, in rhai too.
#[test]
fn deep_values_do_not_end_the_program() {
    let script = "let a = []; for i in 0..8000 { a = [a]; } print(a.to_string().len());";
    assert_eq!(Program::script(script).succeeds(), "16002\n");
}

#[test]
fn a_function_is_told_by_the_name_it_was_called_by() {
    Program::script("get_x_vector(#{ prompt1: \"a\", prompt2: \"b\", act_name: 1, coef: 1 });")
        .fails(
            1,
            r#"
error: get_x_vector: there is no option named `coef`
 --> script.rhai:1:58
  |
1 | get_x_vector(#{ prompt1: "a", prompt2: "b", act_name: 1, coef: 1 });
  |                                                          ^^^^
  = help: did you mean `coeff`?
"#,
        );
}

#[test]
fn all_wrong_options_of_a_call_are_told_together() {
    demo("x_vector(#{ prompt1: \"Love\", prompt: \"Hate\", coef: 5, act_name: 6.5, pad_method: \"token_right\" });").fails(
        1,
        r#"
error: this call has 5 errors
 --> script.rhai:2:1
  |
2 | x_vector(#{ prompt1: "Love", prompt: "Hate", coef: 5, act_name: 6.5, pad_method: "token_right" });
  | ^^^^^^^^ x_vector needs `prompt2`; prompt2: a string. The text that is taken away.
  |                              ^^^^^^ x_vector: there is no option named `prompt`; did you mean `prompt1`?
  |                                              ^^^^ x_vector: there is no option named `coef`; did you mean `coeff`?
  |                                                                 ^ `act_name` must be a layer's number or a hook point's name, but it is the number 6.5
  |                                                                                  ^^^^^^^^^^^^^ there is no pad method named `token_right`; did you mean `tokens_right`?
"#,
    );
}

#[test]
fn options_over_several_lines() {
    demo("print_n_comparisons(#{\n    model: model,\n    prompt: 3,\n    tempreature: 1,\n});").fails(
        1,
        r#"
error: this call has 2 errors
 --> script.rhai:4:13
  |
4 |     prompt: 3,
  |             ^ `prompt` must be a string, but it is the integer 3
 --> script.rhai:5:5
  |
5 |     tempreature: 1,
  |     ^^^^^^^^^^^ print_n_comparisons: there is no option named `tempreature`; did you mean `temperature`?
"#,
    );
}

#[test]
fn a_missing_option() {
    demo("gen_using_model(#{ model: model });").fails(
        1,
        r#"
error: gen_using_model needs `prompt_batch`
 --> script.rhai:2:1
  |
2 | gen_using_model(#{ model: model });
  | ^^^^^^^^^^^^^^^
  = help: prompt_batch: an array of strings. The texts to go on from.
"#,
    );
}

#[test]
fn sampling_out_of_range() {
    demo("model.generate(\"a\", #{ temperature: -1, top_p: 0, top_k: 0 });").fails(
        1,
        r#"
error: this call has 3 errors
 --> script.rhai:2:37
  |
2 | model.generate("a", #{ temperature: -1, top_p: 0, top_k: 0 });
  |                                     ^^ `temperature` must be 0 or more, but it is -1
  |                                                ^ `top_p` must be above 0 and at most 1, but it is 0
  |                                                          ^ `top_k` must be 1 or more, but it is 0
"#,
    );
    demo("model.generate(\"a\", #{ top_p: 1.5 });").fails(
        1,
        r#"
error: `top_p` must be above 0 and at most 1, but it is 1.5
 --> script.rhai:2:31
  |
2 | model.generate("a", #{ top_p: 1.5 });
  |                               ^
"#,
    );
    demo("let nan = 0.0 / 0.0;\nmodel.generate(\"a\", #{ temperature: nan });").fails(
        1,
        r#"
error: `temperature` must be 0 or more, but it is NaN
 --> script.rhai:3:37
  |
3 | model.generate("a", #{ temperature: nan });
  |                                     ^^^
"#,
    );
}

#[test]
fn top_p_that_is_no_number() {
    demo("let nan = 0.0 / 0.0;\nmodel.generate(\"a\", #{ top_p: nan });").fails(
        1,
        r#"
error: `top_p` must be above 0 and at most 1, but it is NaN
 --> script.rhai:3:31
  |
3 | model.generate("a", #{ top_p: nan });
  |                               ^^^
"#,
    );
}

#[test]
fn comparisons_none_or_too_many() {
    for n in ["0", "1000000"] {
        demo(&format!(
            "n_comparisons(#{{ model: model, prompt: \"a\", num_comparisons: {n} }});"
        ))
        .fails(
            1,
            &format!(
                r#"
error: `num_comparisons` must be 1 to 10000, but it is {n}
 --> script.rhai:2:62
  |
2 | n_comparisons(#{{ model: model, prompt: "a", num_comparisons: {n} }});
  |                                                              {}
"#,
                "^".repeat(n.len())
            ),
        );
    }
}

#[test]
fn an_empty_prompt_batch() {
    demo("gen_using_model(#{ model: model, prompt_batch: [] });").fails(
        1,
        r#"
error: the prompt batch is empty
 --> script.rhai:2:48
  |
2 | gen_using_model(#{ model: model, prompt_batch: [] });
  |                                                ^
  = help: give at least one prompt: prompt_batch: ["I think"]
"#,
    );
}

// ------------------------------------------------------------------ names

#[test]
fn unknown_function_variable_and_property() {
    Program::script("let x = x_vectr(#{});").fails(
        1,
        r#"
error: there is no function `x_vectr`
 --> script.rhai:1:9
  |
1 | let x = x_vectr(#{});
  |         ^^^^^^^
  = help: did you mean `x_vector`?
"#,
    );
    demo("print(modle);").fails(
        1,
        r#"
error: there is no variable `modle`
 --> script.rhai:2:7
  |
2 | print(modle);
  |       ^^^^^
  = help: did you mean `model`?
"#,
    );
    demo("print(model.n_layer);").fails(
        1,
        r#"
error: a value of type Model has no property `n_layer`
 --> script.rhai:2:13
  |
2 | print(model.n_layer);
  |             ^^^^^^^
  = help: did you mean `n_layers`?
"#,
    );
}

#[test]
fn a_function_called_with_other_things() {
    demo("model.to_tokens(3);").fails(
        1,
        r#"
error: `to_tokens` can't be called with (Model, integer)
 --> script.rhai:2:7
  |
2 | model.to_tokens(3);
  |       ^^^^^^^^^
  = help: it is to_tokens(model: Model, text: string) -> array
  = help: it is to_tokens(model: Model, text: string, options: object map) -> array
"#,
    );
}

#[test]
fn unknown_models() {
    Program::script("load_model(\"gpt2-extra\");").fails(
        1,
        r#"
error: there is no model `gpt2-extra`
 --> script.rhai:1:1
  |
1 | load_model("gpt2-extra");
  | ^^^^^^^^^^
  = help: a model is `demo`, an alias such as `gpt2-xl`, a hub id such as `org/name`, or a folder such as `./my-gpt2`
"#,
    );
}

#[test]
fn unknown_hook_names_and_layers() {
    demo("model.run_with_cache(\"a\", \"blocks.1.hook_resid_per\");").fails(
        1,
        r#"
error: there is no hook point named `blocks.1.hook_resid_per`
 --> script.rhai:2:7
  |
2 | model.run_with_cache("a", "blocks.1.hook_resid_per");
  |       ^^^^^^^^^^^^^^
  = help: did you mean `blocks.1.hook_resid_pre`?
  = help: m.hook_names() lists them all; an integer n stands for blocks.n.hook_resid_pre
"#,
    );
    demo("x_vector(#{ prompt1: \"a\", prompt2: \"b\", coeff: 1, act_name: 20, model: model });")
        .fails(
            1,
            r#"
error: there is no layer 20: the model has 5 layers, 0 to 4
 --> script.rhai:2:61
  |
2 | x_vector(#{ prompt1: "a", prompt2: "b", coeff: 1, act_name: 20, model: model });
  |                                                             ^^
"#,
        );
    demo("x_vector(#{ prompt1: \"a\", prompt2: \"b\", coeff: 1, act_name: \"resid_pri1\" });")
        .fails(
            1,
            r#"
error: there is no hook point named `resid_pri1`
 --> script.rhai:2:61
  |
2 | x_vector(#{ prompt1: "a", prompt2: "b", coeff: 1, act_name: "resid_pri1" });
  |                                                             ^^^^^^^^^^^^
  = help: m.hook_names() lists them all; an integer n stands for blocks.n.hook_resid_pre
"#,
        );
}

#[test]
fn a_wrong_place_to_steer() {
    demo("let a = ActivationAddition(#{ prompt: \"a\", coeff: 1, act_name: \"attn1\" });\nsteering_vec_magnitudes(a, model);").fails(
        1,
        r#"
error: an addition can't be made at blocks.1.attn.hook_pattern: steering needs an activation of shape [batch, pos, d_model]
 --> script.rhai:3:1
  |
3 | steering_vec_magnitudes(a, model);
  | ^^^^^^^^^^^^^^^^^^^^^^^
  = help: steer at hook_embed, hook_pos_embed, hook_resid_pre, hook_attn_out, hook_resid_mid, hook_mlp_out or hook_resid_post
"#,
    );
}

#[test]
fn a_wrong_place_for_magnitudes() {
    for (name, whole) in [
        ("k0", "blocks.0.attn.hook_k"),
        ("attn0", "blocks.0.attn.hook_pattern"),
        ("scale1ln1", "blocks.1.ln1.hook_scale"),
    ] {
        demo(&format!("prompt_magnitudes(\"I think\", model, \"{name}\");")).fails(
            1,
            &format!(
                r#"
error: magnitudes can't be taken at {whole}: they need an activation of shape [batch, pos, d_model]
 --> script.rhai:2:1
  |
2 | prompt_magnitudes("I think", model, "{name}");
  | ^^^^^^^^^^^^^^^^^
  = help: take them at hook_embed, hook_pos_embed, hook_resid_pre, hook_attn_out, hook_resid_mid, hook_mlp_out or hook_resid_post
"#
            ),
        );
    }
}

// ------------------------------------------------------------------ prompts and additions

#[test]
fn a_vector_longer_than_the_prompt() {
    demo("let x = x_vector(#{ prompt1: \"Love and you\", prompt2: \"Hate\", coeff: 1, act_name: 1 });\nn_comparisons(#{ model: model, prompt: \"I\", activation_additions: x });").fails(
        1,
        r#"
error: the vector at blocks.1.hook_resid_pre is longer than the prompt it is added to
  vector, 4 tokens: ["<|endoftext|>", "Love", " and", " you"]
  prompt, 2 tokens: ["<|endoftext|>", "I"]
 --> script.rhai:3:67
  |
3 | n_comparisons(#{ model: model, prompt: "I", activation_additions: x });
  |                                                                   ^
  = help: use a longer prompt, or shorter steering prompts
"#,
    );
}

#[test]
fn neither_or_both_of_prompt_and_tokens() {
    Program::script("ActivationAddition(#{ coeff: 1, act_name: 1 });").fails(
        1,
        r#"
error: an activation addition needs a prompt or tokens, and has neither
 --> script.rhai:1:1
  |
1 | ActivationAddition(#{ coeff: 1, act_name: 1 });
  | ^^^^^^^^^^^^^^^^^^
  = help: write ActivationAddition(#{ prompt: "Love", coeff: 5, act_name: 6 })
"#,
    );
    Program::script("ActivationAddition(#{ prompt: \"a\", tokens: [1], coeff: 1, act_name: 1 });")
        .fails(
            1,
            r#"
error: an activation addition takes a prompt or tokens, not both
 --> script.rhai:1:44
  |
1 | ActivationAddition(#{ prompt: "a", tokens: [1], coeff: 1, act_name: 1 });
  |                                            ^
  = help: write ActivationAddition(#{ prompt: "Love", coeff: 5, act_name: 6 })
"#,
        );
}

#[test]
fn tokens_out_of_range() {
    demo("model.logits([1, 99999]);").fails(
        1,
        r#"
error: token id 99999 is out of range: the vocabulary has ids 0 to 1535
 --> script.rhai:2:7
  |
2 | model.logits([1, 99999]);
  |       ^^^^^^
  = help: m.to_tokens("..") gives the ids of a text
"#,
    );
    demo("model.logits([-1]);").fails(
        1,
        r#"
error: `tokens[0]` must be a token id, but it is the integer -1
 --> script.rhai:2:7
  |
2 | model.logits([-1]);
  |       ^^^^^^
"#,
    );
    demo("x_vector(#{ prompt1: \"Love you\", prompt2: \"a\", coeff: 1, act_name: 1, model: model, pad_method: \"tokens_right\", custom_pad_id: 5000 });").fails(
        1,
        r#"
error: token id 5000 is out of range: the vocabulary has ids 0 to 1535
 --> script.rhai:2:128
  |
2 | x_vector(#{ prompt1: "Love you", prompt2: "a", coeff: 1, act_name: 1, model: model, pad_method: "tokens_right", custom_pad_id: 5000 });
  |                                                                                                                                ^^^^
  = help: m.to_tokens("..") gives the ids of a text
"#,
    );
}

#[test]
fn tokens_of_an_addition_out_of_range() {
    demo("let a = ActivationAddition(#{ tokens: [0, 9999], coeff: 1, act_name: 1 });\ngen_using_activation_additions(#{ model: model, prompt_batch: [\"I think\"], activation_additions: a });").fails(
        1,
        r#"
error: token id 9999 is out of range: the vocabulary has ids 0 to 1535
 --> script.rhai:3:98
  |
3 | gen_using_activation_additions(#{ model: model, prompt_batch: ["I think"], activation_additions: a });
  |                                                                                                  ^
  = help: m.to_tokens("..") gives the ids of a text
"#,
    );
}

/// Of several additions or prompts, the one that is wrong has the caret, also when an addition stands
/// for two or a prompt for several rows.
#[test]
fn one_of_several_is_at_fault() {
    let vectors = "let x = x_vector(#{ prompt1: \"a\", prompt2: \"b\", coeff: 1, act_name: 1 });\nlet y = ActivationAddition(#{ prompt: \"a\", coeff: 1, act_name: 9 });\n";
    demo(&format!("{vectors}n_comparisons(#{{ model: model, prompt: \"I\", activation_additions: [x, [y]] }});")).fails(
        1,
        r#"
error: there is no layer 9: the model has 5 layers, 0 to 4
 --> script.rhai:4:71
  |
4 | n_comparisons(#{ model: model, prompt: "I", activation_additions: [x, [y]] });
  |                                                                       ^
"#,
    );
    demo("let long = \"\";\nfor i in 0..200 { long += \"Love \"; }\ngen_using_model(#{ model: model, prompt_batch: [\"I\", \"I\", long] });").fails(
        1,
        r#"
error: the prompt has 401 tokens, and the model's context holds 128
 --> script.rhai:4:59
  |
4 | gen_using_model(#{ model: model, prompt_batch: ["I", "I", long] });
  |                                                           ^^^^
  = help: shorten the prompt
"#,
    );
}

/// An addition that the context can't hold is not the prompt's fault.
#[test]
fn an_addition_longer_than_the_context() {
    demo("let long = \"\";\nfor i in 0..200 { long += \"Love \"; }\nlet a = ActivationAddition(#{ prompt: long, coeff: 1, act_name: 1 });\nn_comparisons(#{ model: model, prompt: \"I think\", activation_additions: a });").fails(
        1,
        r#"
error: the prompt has 401 tokens, and the model's context holds 128
 --> script.rhai:5:73
  |
5 | n_comparisons(#{ model: model, prompt: "I think", activation_additions: a });
  |                                                                         ^
  = help: shorten the prompt
"#,
    );
}

#[test]
fn no_tokens_at_all() {
    demo("model.logits([]);").fails(
        1,
        r#"
error: `input` must have at least one token id, but it is []
 --> script.rhai:2:7
  |
2 | model.logits([]);
  |       ^^^^^^
  = help: give ids as m.to_tokens("..") gives them: BOS first
"#,
    );
    demo("ActivationAddition(#{ tokens: [], coeff: 1, act_name: 1 });").fails(
        1,
        r#"
error: `tokens` must have at least one token id, but it is []
 --> script.rhai:2:31
  |
2 | ActivationAddition(#{ tokens: [], coeff: 1, act_name: 1 });
  |                               ^
  = help: give ids as m.to_tokens("..") gives them: BOS first
"#,
    );
}

#[test]
fn more_than_the_context_holds() {
    demo("let long = \"\";\nfor i in 0..200 { long += \"Love \"; }\nmodel.loss(long);").fails(
        1,
        r#"
error: the prompt has 401 tokens, and the model's context holds 128
 --> script.rhai:4:7
  |
4 | model.loss(long);
  |       ^^^^
  = help: shorten the prompt
"#,
    );
    demo("model.generate(\"I think\", #{ max_new_tokens: 500 });").fails(
        1,
        r#"
error: 3 tokens of prompt and 500 new ones do not fit into the model's context of 128
 --> script.rhai:2:46
  |
2 | model.generate("I think", #{ max_new_tokens: 500 });
  |                                              ^^^
  = help: at most 126 new tokens fit
"#,
    );
}

#[test]
fn text_that_is_not_one_token() {
    demo("model.to_single_token(\"Love and\");").fails(
        1,
        r#"
error: "Love and" is not one token but 2: ["Love", " and"]
 --> script.rhai:2:7
  |
2 | model.to_single_token("Love and");
  |       ^^^^^^^^^^^^^^^
  = help: use one of its tokens; a word within a text is another token than at its start: " Love", "Love"
"#,
    );
    demo("model.to_single_token(\"\");").fails(
        1,
        r#"
error: "" is not one token but 0: []
 --> script.rhai:2:7
  |
2 | model.to_single_token("");
  |       ^^^^^^^^^^^^^^^
  = help: give a text of at least one character
"#,
    );
}

#[test]
fn padding_without_a_model() {
    Program::script("x_vector(#{ prompt1: \"a\", prompt2: \"b\", coeff: 1, act_name: 1, pad_method: \"tokens_right\" });").fails(
        1,
        r#"
error: padding an x-vector needs its model, to know the tokens
 --> script.rhai:1:1
  |
1 | x_vector(#{ prompt1: "a", prompt2: "b", coeff: 1, act_name: 1, pad_method: "tokens_right" });
  | ^^^^^^^^
  = help: add `model: model`, or leave out pad_method
"#,
    );
}

#[test]
fn a_slice_outside_of_the_residual_stream() {
    demo("gen_using_activation_additions(#{ model: model, prompt_batch: [\"I am\"], res_stream_slice: [5, 500] });").fails(
        1,
        r#"
error: `res_stream_slice` must be [start, stop] with 0 <= start <= stop <= 128, but it is [5, 500]
 --> script.rhai:2:92
  |
2 | gen_using_activation_additions(#{ model: model, prompt_batch: ["I am"], res_stream_slice: [5, 500] });
  |                                                                                            ^
"#.replace("2:92", "2:91").replace("                                                                                            ^", "                                                                                           ^").as_str(),
    );
}

// ------------------------------------------------------------------ devices, types, sizes

#[test]
fn devices_and_types_that_are_not_there() {
    Program::script("load_model(\"demo\", #{ device: \"cuda\" });").fails(
        1,
        r#"
error: loading demo: can't use device `cuda:0`: this avec was built without it
 --> script.rhai:1:1
  |
1 | load_model("demo", #{ device: "cuda" });
  | ^^^^^^^^^^
  = help: build with `cargo build --release --features cuda`, or use device: "cpu"
"#,
    );
    Program::script("load_model(\"demo\", #{ device: \"cpuu\", dtype: \"f8\" });").fails(
        1,
        r#"
error: this call has 2 errors
 --> script.rhai:1:31
  |
1 | load_model("demo", #{ device: "cpuu", dtype: "f8" });
  |                               ^^^^^^ there is no device named `cpuu`; did you mean `cpu`?
  |                                              ^^^^ there is no dtype named `f8`; known are: f32, f16, bf16
"#,
    );
    Program::script("load_model(\"demo\", #{ dtype: \"f16\" });").fails(
        1,
        r#"
error: loading demo: `dtype` must be "f32" or "bf16" on the CPU, but it is "f16"
 --> script.rhai:1:30
  |
1 | load_model("demo", #{ dtype: "f16" });
  |                              ^^^^^
  = help: f16 needs device: "cuda" or "metal"
"#,
    );
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

// ------------------------------------------------------------------ model folders

/// The tiny model's files, one of them changed by `change`, loaded as `./m`.
fn folder(change: impl Fn(&str, Vec<u8>) -> Option<Vec<u8>>) -> Program {
    let mut program = Program::script("load_model(\"./m\");");
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let contents = std::fs::read(tiny_folder().join(name)).unwrap();
        if let Some(contents) = change(name, contents) {
            program = program.file(&format!("m/{name}"), contents);
        }
    }
    program
}

/// The error in the one line of [`folder`]'s script.
fn at_load(message: &str, hints: &[&str]) -> String {
    let mut text = format!(
        "error: {message}\n --> script.rhai:1:1\n  |\n1 | load_model(\"./m\");\n  | ^^^^^^^^^^"
    );
    for hint in hints {
        text.push_str(&format!("\n  = help: {hint}"));
    }
    text
}

fn without(missing: &'static str) -> Program {
    folder(|name, contents| (name != missing).then_some(contents))
}

fn changed(file: &'static str, change: impl Fn(Vec<u8>) -> Vec<u8>) -> Program {
    folder(|name, contents| {
        Some(if name == file {
            change(contents)
        } else {
            contents
        })
    })
}

fn replaced(contents: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(contents).unwrap();
    assert!(text.contains(from), "{text}");
    text.replace(from, to).into_bytes()
}

#[test]
fn the_folder_itself_is_good() {
    assert_eq!(folder(|_, contents| Some(contents)).succeeds(), "");
}

#[test]
fn folders_with_missing_files() {
    Program::script("load_model(\"./m\");").fails(
        1,
        &at_load(
            "there is no folder ./m",
            &["a model is `demo`, an alias such as `gpt2-xl`, a hub id such as `org/name`, or a folder such as `./my-gpt2`"],
        ),
    );
    without("config.json").fails(
        1,
        &at_load(
            "the folder ./m has no config.json",
            &["a model folder has config.json, tokenizer.json and model.safetensors"],
        ),
    );
    without("tokenizer.json").fails(
        1,
        &at_load(
            "the folder ./m has no tokenizer",
            &["put tokenizer.json there, or vocab.json and merges.txt"],
        ),
    );
    without("model.safetensors").fails(
        1,
        &at_load(
            "the folder ./m has no model.safetensors",
            &["put model.safetensors there, or its shards with model.safetensors.index.json"],
        ),
    );
    without("model.safetensors").file("m/pytorch_model.bin", "").fails(
        1,
        &at_load(
            "the folder ./m has no model.safetensors",
            &["avec doesn't read pytorch_model.bin: convert it with `model.save_pretrained(folder, safe_serialization=True)`"],
        ),
    );
}

#[test]
fn configurations_that_do_not_fit() {
    changed("config.json", |c| replaced(c, "\"n_embd\": 32", "\"n_embd\": 64")).fails(
        1,
        &at_load(
            "loading ./m: tensor `ln_f.weight` in ./m/model.safetensors has shape [32], but the configuration asks for [64]",
            &["config.json and the weights belong to different models"],
        ),
    );
    changed("config.json", |c| {
        replaced(c, "\"n_layer\": 3", "\"n_layer\": 4")
    })
    .fails(
        1,
        &at_load(
            "loading ./m: n_layer is 4 in ./m/config.json, but ./m/model.safetensors has the tensors of 3 layers",
            &["config.json and the weights belong to different models"],
        ),
    );
    // Not a model of two layers, though all of their tensors are there.
    changed("config.json", |c| {
        replaced(c, "\"n_layer\": 3", "\"n_layer\": 2")
    })
    .fails(
        1,
        &at_load(
            "loading ./m: n_layer is 2 in ./m/config.json, but ./m/model.safetensors has the tensors of 3 layers",
            &["config.json and the weights belong to different models"],
        ),
    );
    changed("config.json", |c| replaced(c, "\"model_type\": \"gpt2\"", "\"model_type\": \"llama\"")).fails(
        1,
        &at_load(
            "loading ./m: ./m/config.json describes a model of type `llama`, not GPT-2 or GPT-NeoX",
            &["avec runs GPT-2 models (gpt2, gpt2-medium, gpt2-large, gpt2-xl, distilgpt2) and GPT-NeoX models (Pythia), and checkpoints like them"],
        ),
    );
    changed("config.json", |_| b"{".to_vec()).fails(
        1,
        &at_load(
            "loading ./m: can't read the configuration in ./m/config.json: it isn't whole: the JSON ends in the middle of something",
            &["use the config.json that the model was published with"],
        ),
    );
    for (contents, reason) in [
        ("[]", "it holds a list, not a JSON object"),
        (
            "{\n  \"n_layer\" 3\n}",
            "it isn't valid JSON at line 2, column 13",
        ),
    ] {
        changed("config.json", |_| contents.into()).fails(
            1,
            &at_load(
                &format!("loading ./m: can't read the configuration in ./m/config.json: {reason}"),
                &["use the config.json that the model was published with"],
            ),
        );
    }
    changed("config.json", |c| {
        replaced(c, "\"n_head\": 4", "\"n_head\": null")
    })
    .fails(
        1,
        &at_load(
            "loading ./m: can't read the configuration in ./m/config.json: it has no n_head",
            &["use the config.json that the model was published with"],
        ),
    );
    changed("config.json", |c| replaced(c, "gelu_new", "relu")).fails(
        1,
        &at_load(
            "loading ./m: can't read the configuration in ./m/config.json: activation_function is \"relu\", and avec knows gelu_new",
            &["such a model can't be run here: its results would be wrong"],
        ),
    );
    // Sizes that no machine has are refused before anything of them is allocated.
    changed("config.json", |c| replaced(c, "\"vocab_size\": 387", "\"vocab_size\": 4000000000")).fails(
        1,
        &at_load(
            "loading ./m: tensor `wte.weight` in ./m/model.safetensors has shape [387, 32], but the configuration asks for [4000000000, 32]",
            &["config.json and the weights belong to different models"],
        ),
    );
}

#[test]
fn broken_weights() {
    let hint = "the file may be cut short or damaged: copy or download it again";
    changed("model.safetensors", |w| w[..w.len() / 2].to_vec()).fails(
        1,
        &at_load(
            "loading ./m: can't read the weights in ./m/model.safetensors: incomplete metadata, file not fully covered",
            &[hint],
        ),
    );
    changed("model.safetensors", |_| b"abc".to_vec()).fails(
        1,
        &at_load(
            "loading ./m: can't read the weights in ./m/model.safetensors: it has only 3 bytes",
            &[hint],
        ),
    );
    changed("model.safetensors", |_| Vec::new()).fails(
        1,
        &at_load(
            "loading ./m: can't read the weights in ./m/model.safetensors: it is empty",
            &[hint],
        ),
    );
    changed("model.safetensors", |mut w| {
        w[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        w
    })
    .fails(
        1,
        &at_load(
            "loading ./m: can't read the weights in ./m/model.safetensors: header too large",
            &[hint],
        ),
    );
}

#[test]
fn broken_tokenizers() {
    changed("tokenizer.json", |_| b"[]".to_vec()).fails(
        1,
        &at_load(
            "loading ./m: can't read the tokenizer in ./m/tokenizer.json: it holds a list, not a JSON object",
            &[AGAIN],
        ),
    );
    changed("tokenizer.json", |t| t[..t.len() / 2].to_vec()).fails(
        1,
        &at_load(
            "loading ./m: can't read the tokenizer in ./m/tokenizer.json: it isn't whole: the JSON ends in the middle of something",
            &[AGAIN],
        ),
    );
    changed("tokenizer.json", |_| b"{\"version\": \"1.0\", \"model\": {\"type\": 3}}".to_vec()).fails(
        1,
        &at_load(
            "loading ./m: can't read the tokenizer in ./m/tokenizer.json: it is JSON, but it doesn't describe a tokenizer",
            &[AGAIN],
        ),
    );
    for (vocab, reason) in [
        ("[1]", "it isn't a JSON object of tokens and their ids"),
        ("{\"a\" 0}", "it isn't valid JSON at line 1, column 6"),
    ] {
        without("tokenizer.json")
            .file("m/vocab.json", vocab)
            .file("m/merges.txt", "")
            .fails(
                1,
                &at_load(
                    &format!("loading ./m: can't read the tokenizer in ./m/vocab.json: {reason}"),
                    &[AGAIN],
                ),
            );
    }
    without("tokenizer.json")
        .file("m/vocab.json", "{\"a\": 0, \"b\": 1}")
        .file("m/merges.txt", "#version: 0.2\na b c\n")
        .fails(
            1,
            &at_load(
                "loading ./m: can't read the tokenizer in ./m/merges.txt: line 2 is not two parts: \"a b c\"",
                &[AGAIN],
            ),
        );
}

const AGAIN: &str = "copy or download it again, from the model that the weights are of";

#[test]
fn shards_outside_of_the_folder() {
    without("model.safetensors")
        .file(
            "m/model.safetensors.index.json",
            "{\"weight_map\": {\"wte.weight\": \"../other.safetensors\"}}",
        )
        .fails(
            1,
            &at_load(
                "can't read the list of shards in ./m/model.safetensors.index.json: \"../other.safetensors\" is not a file of this folder",
                &["copy or download it again, with the shards that it lists"],
            ),
        );
}

#[test]
fn lists_of_shards_that_make_no_sense() {
    for (index, reason) in [
        (
            "",
            "it isn't whole: the JSON ends in the middle of something",
        ),
        ("[}", "it isn't valid JSON at line 1, column 2"),
        (
            "{}",
            "it has no weight_map that names a file for each tensor",
        ),
        ("{\"weight_map\": {}}", "it lists none"),
    ] {
        without("model.safetensors")
            .file("m/model.safetensors.index.json", index)
            .fails(
                1,
                &at_load(
                    &format!("can't read the list of shards in ./m/model.safetensors.index.json: {reason}"),
                    &["copy or download it again, with the shards that it lists"],
                ),
            );
    }
}

/// The tiny model's tensors, changed and written as the shards that `shard` names.
fn sharded(
    change: impl Fn(&mut HashMap<String, Tensor>),
    shard: impl Fn(&str) -> &'static str,
) -> Program {
    let path = tiny_folder().join("model.safetensors");
    let mut tensors = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
    change(&mut tensors);
    let program = without("model.safetensors");
    let mut shards: BTreeMap<&str, HashMap<String, Tensor>> = BTreeMap::new();
    let mut map = BTreeMap::new();
    for (name, tensor) in tensors {
        map.insert(name.clone(), shard(&name));
        shards.entry(shard(&name)).or_default().insert(name, tensor);
    }
    for (shard, tensors) in shards {
        let path = program.folder.path().join("m").join(shard);
        candle_core::safetensors::save(&tensors, path).unwrap();
    }
    let index = serde_json::json!({ "weight_map": map }).to_string();
    program.file("m/model.safetensors.index.json", index)
}

fn halves(name: &str) -> &'static str {
    if name.starts_with("h.") {
        "a.safetensors"
    } else {
        "b.safetensors"
    }
}

#[test]
fn shards_that_are_missing_or_cut() {
    let whole = sharded(|_| {}, halves);
    assert_eq!(whole.succeeds(), "");
    let shard = whole.folder.path().join("m/b.safetensors");
    let contents = std::fs::read(&shard).unwrap();
    std::fs::write(&shard, &contents[..contents.len() - 8]).unwrap();
    whole.fails(
        1,
        &at_load(
            "loading ./m: can't read the weights in ./m/b.safetensors: incomplete metadata, file not fully covered",
            &["the file may be cut short or damaged: copy or download it again"],
        ),
    );
    std::fs::remove_file(&shard).unwrap();
    whole.fails(
        1,
        &at_load(
            "the folder ./m has no b.safetensors",
            &["model.safetensors.index.json lists it as a shard: copy or download it too"],
        ),
    );
}

#[test]
fn tensors_that_are_missing_or_of_another_type() {
    let missing =
        "the weights are incomplete or not those of this model: copy or download them again";
    let one = |_: &str| "a.safetensors";
    sharded(
        |tensors| {
            tensors.remove("h.1.mlp.c_fc.bias");
        },
        one,
    )
    .fails(
        1,
        &at_load(
            "loading ./m: ./m/a.safetensors has no tensor `h.1.mlp.c_fc.bias`",
            &[missing],
        ),
    );
    // Nothing in it is of GPT-2.
    sharded(
        |tensors| {
            let tensor = tensors["ln_f.bias"].clone();
            *tensors = HashMap::from([("model.norm.weight".to_owned(), tensor)]);
        },
        one,
    )
    .fails(
        1,
        &at_load(
            "loading ./m: ./m/a.safetensors has no tensor `ln_f.weight`",
            &[missing],
        ),
    );
    for (dtype, name) in [(DType::F64, "F64"), (DType::I64, "I64")] {
        sharded(
            |tensors| {
                for tensor in tensors.values_mut() {
                    *tensor = tensor.to_dtype(dtype).unwrap();
                }
            },
            one,
        )
        .fails(
            1,
            &at_load(
                &format!("loading ./m: can't read the weights in ./m/a.safetensors: tensor `ln_f.weight` has type {name}, and avec reads F32, F16 and BF16"),
                &["convert them in Python: model.float().save_pretrained(\"folder\")"],
            ),
        );
    }
}

#[test]
fn a_folder_in_place_of_a_file() {
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        without(name).file(&format!("m/{name}/x"), "").fails(
            1,
            &at_load(
                &format!("./m/{name} is a folder, and it must be a file"),
                &["a model folder has config.json, tokenizer.json and model.safetensors as files"],
            ),
        );
    }
    Program::script("load_model(\"./m\");").file("m", "").fails(
        1,
        &at_load(
            "./m is a file, and a model is a folder",
            &["name the folder that holds config.json"],
        ),
    );
}

/// Root reads whatever it likes, so as root there is nothing to see here; how the system's refusal
/// is told is held by unit tests of `Error::io` and of the store's folders.
#[cfg(unix)]
#[test]
fn files_that_may_not_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let hint = "check the permissions of the file and of its folders";
    let close = |program: &Program, name: &str| {
        let path = program.folder.path().join(name);
        let mode = std::fs::Permissions::from_mode(0o000);
        std::fs::set_permissions(&path, mode).unwrap();
        std::fs::read_dir(&path).is_err() && std::fs::read(&path).is_err()
    };
    let script = Program::new(["u.rhai"]).file("u.rhai", "print(1);");
    if !close(&script, "u.rhai") {
        eprintln!("skipped: this user may read everything");
        return;
    }
    script.fails(
        1,
        &format!("error: can't read u.rhai: Permission denied\n  = help: {hint}"),
    );
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let program = folder(|_, contents| Some(contents));
        close(&program, &format!("m/{name}"));
        program.fails(
            1,
            &at_load(
                &format!("loading ./m: can't read ./m/{name}: Permission denied"),
                &[hint],
            ),
        );
    }
    let program = folder(|_, contents| Some(contents));
    close(&program, "m");
    program.fails(
        1,
        &at_load("can't read ./m/config.json: Permission denied", &[hint]),
    );
    let mode = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(program.folder.path().join("m"), mode).unwrap();
}

#[test]
fn several_end_tokens_are_as_good_as_one() {
    changed("config.json", |c| {
        let text = String::from_utf8(c).unwrap();
        let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
        let id = config["eos_token_id"].clone();
        config["eos_token_id"] = serde_json::json!([id, 0]);
        config["bos_token_id"] = serde_json::json!([id]);
        config.to_string().into_bytes()
    })
    .succeeds();
}

// ------------------------------------------------------------------ memory

/// How much is free differs from machine to machine and from moment to moment.
fn without_the_free_memory(text: &str) -> String {
    let Some((before, rest)) = text.split_once("of memory, and ") else {
        return text.to_owned();
    };
    let after = rest
        .split_once(" may be used")
        .map_or("", |(_, after)| after);
    format!("{before}of memory, and FREE may be used{after}")
}

#[test]
fn weights_that_do_not_fit_into_memory() {
    // A terabyte of embeddings, as a hole in a file.
    let (rows, width) = (1u64 << 32, 64u64);
    let size = 4 * rows * width;
    let header = serde_json::json!({
        "wte.weight": { "dtype": "F32", "shape": [rows, width], "data_offsets": [0, size] },
    })
    .to_string();
    for (options, needed, hint) in [
        (
            "",
            "1.1 TB",
            "take a smaller model, or dtype: \"bf16\", which halves it",
        ),
        (
            ", #{ dtype: \"bf16\" }",
            "549.8 GB",
            "take a smaller model, or end other programs",
        ),
    ] {
        let script = format!("load_model(\"./m\"{options});");
        let program = without("model.safetensors").file("script.rhai", &script);
        let path = program.folder.path().join("m/model.safetensors");
        let mut contents = (header.len() as u64).to_le_bytes().to_vec();
        contents.extend(header.as_bytes());
        std::fs::write(&path, &contents).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        if file.set_len(contents.len() as u64 + size).is_err() {
            eprintln!("skipped: this file system has no files of that size");
            return;
        }
        let ran = program.run();
        assert_eq!(
            without_the_free_memory(ran.stderr.trim_end()),
            format!(
                "error: loading ./m: the weights of ./m would need {needed} of memory, and FREE may be used\n \
                 --> script.rhai:1:1\n  |\n1 | {script}\n  | ^^^^^^^^^^\n  = help: {hint}"
            )
        );
        assert_eq!(ran.status, Some(1));
    }
}
