//! Errors of calls: options and names. Every error is pinned by its whole text.

mod support;

use support::Program;

/// A script that loads the demo model and then does `line`, which is its second line.
fn demo(line: &str) -> Program {
    Program::script(&format!("let model = load_model(\"demo\");\n{line}\n"))
}

// ------------------------------------------------------------------ options

/// An overflow in the model is an error, whatever draws the tokens.
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
