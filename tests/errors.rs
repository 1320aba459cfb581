//! Every error that a user can make, by its whole text.

mod support;

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
  = help: steer at hook_resid_pre, hook_resid_mid, hook_resid_post, hook_attn_out, hook_mlp_out, hook_embed or hook_pos_embed
"#,
    );
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
  = help: at most 125 new tokens fit
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
"#,
    );
}

#[test]
fn errors_can_be_caught_and_read() {
    let out = Program::script("try { load_model(\"dmo\"); } catch (e) { print(e); }").succeeds();
    assert_eq!(out, "there is no model `dmo`\n");
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
            "loading ./m: ./m/model.safetensors has no tensor `h.3.ln_1.weight`",
            &[],
        ),
    );
    changed("config.json", |c| replaced(c, "\"model_type\": \"gpt2\"", "\"model_type\": \"llama\"")).fails(
        1,
        &at_load(
            "loading ./m: ./m/config.json describes a model of type `llama`, not GPT-2",
            &["avec runs GPT-2 models: gpt2, gpt2-medium, gpt2-large, gpt2-xl, distilgpt2 and checkpoints like them"],
        ),
    );
    changed("config.json", |_| b"{".to_vec()).fails(
        1,
        &at_load(
            "loading ./m: can't read the configuration in ./m/config.json: EOF while parsing an object at line 1 column 1",
            &[],
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
            "loading ./m: can't read the tokenizer in ./m/tokenizer.json: invalid type: sequence, expected struct Tokenizer at line 1 column 2",
            &[],
        ),
    );
    without("tokenizer.json")
        .file("m/vocab.json", "{\"a\": 0, \"b\": 1}")
        .file("m/merges.txt", "#version: 0.2\na b c\n")
        .fails(
            1,
            &at_load(
                "loading ./m: can't read the tokenizer in ./m/merges.txt: line 2 is not two parts: \"a b c\"",
                &[],
            ),
        );
}

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
                &[],
            ),
        );
}
