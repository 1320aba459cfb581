//! Errors of prompts and additions, devices and sizes, by their whole text.

mod support;

use support::Program;

/// A script that loads the demo model and then does `line`, which is its second line.
fn demo(line: &str) -> Program {
    Program::script(&format!("let model = load_model(\"demo\");\n{line}\n"))
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
