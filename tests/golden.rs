//! avec compared with the original: every number that TransformerLens and torch computed on the tiny
//! model to 1e-4, and every token exactly.

mod support;

use avec::RunContext;
use avec::analysis::{
    InjectionMode, forward_with_activation_additions, gen_using_activation_additions,
    prompt_magnitudes, steering_magnitudes_relative_to_prompt, steering_vec_magnitudes,
};
use avec::model::{HookName, HookedTransformer, Hooks, NamesFilter, Processing, Site};
use avec::sampling::{Arm, RowKey};
use avec::steering::{Injection, Steering, SteeringVector};
use serde_json::Value;
use support::golden::{
    Golden, additions, assert_close, assert_tensor, injection, options, theirs, values,
};
use support::tiny;

fn golden() -> Golden {
    Golden::read("cases.json", "tensors.safetensors")
}

fn texts(golden: &Golden, processing: &str) -> Vec<String> {
    golden.cases[format!("{processing}_texts")]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| case["text"].as_str().unwrap().to_owned())
        .collect()
}

fn hook_values(name: &str, processing: Processing) {
    let golden = golden();
    let model = tiny(processing);
    for (i, text) in texts(&golden, name).iter().enumerate() {
        let tokens = model.to_tokens(text).unwrap();
        // The hook points of an ordinary pass and, on request, the heads' results.
        let mut wanted = model.all_hook_names();
        wanted.retain(|name| !name.site.on_request() || name.site == Site::Result);
        let cache = model
            .run_with_cache(
                &RunContext::default(),
                &tokens,
                &NamesFilter::Names(wanted.clone()),
            )
            .unwrap();
        let mut compared = 0;
        for hook in wanted {
            let key = format!("{name}/{i}/{hook}");
            let expected = golden
                .tensors
                .get(&key)
                .unwrap_or_else(|| panic!("the original has no {key}"));
            assert_tensor(&key, cache.get(hook).unwrap(), expected);
            compared += 1;
        }
        assert_eq!(compared, 4 + 3 * 18);
        let logits = &golden.tensors[&format!("{name}/{i}/logits")];
        assert_tensor("logits", &cache.logits, logits);
        // The fused path, without hooks, gives the same logits.
        let fused = model
            .logits(&RunContext::default(), &tokens, Hooks::none())
            .unwrap();
        assert_tensor("fused logits", &fused, logits);
        let losses = model
            .loss_per_token(&RunContext::default(), &tokens, Hooks::none())
            .unwrap();
        let expected = &golden.tensors[&format!("{name}/{i}/loss_per_token")];
        assert_close("losses", &losses, &values(expected));
        let mean = golden.cases[format!("{name}_texts")][i]["loss"]
            .as_f64()
            .unwrap();
        let loss = model
            .loss(&RunContext::default(), &tokens, Hooks::none())
            .unwrap();
        assert_close("loss", &[loss], &[mean as f32]);
    }
}

#[test]
fn hook_values_with_default_processing() {
    hook_values("default", Processing::Default);
}

#[test]
fn hook_values_without_processing() {
    hook_values("none", Processing::None);
}

/// Every key of the original's cache is a hook point here, and vice versa.
#[test]
fn hook_names_match_the_original() {
    let golden = golden();
    let model = tiny(Processing::Default);
    let mut theirs: Vec<HookName> = golden
        .tensors
        .keys()
        .filter_map(|key| key.strip_prefix("default/0/"))
        .filter(|key| key.contains("hook_"))
        .map(|key| key.parse().unwrap())
        .collect();
    // The fixture includes the heads' results too.
    theirs.retain(|name| name.site != Site::Result);
    let mut ours = model.hook_names();
    theirs.sort();
    ours.sort();
    assert_eq!(ours, theirs);
}

#[test]
fn tokenisation() {
    let golden = golden();
    let model = tiny(Processing::Default);
    for case in golden.cases["tokenisation"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        let tokens = model.to_tokens(text).unwrap();
        assert_eq!(Value::from(tokens.clone()), case["tokens"], "{text:?}");
        let texts = model.to_str_tokens(&tokens).unwrap();
        assert_eq!(Value::from(texts), case["str_tokens"], "{text:?}");
    }
}

#[test]
fn steered_forward_passes() {
    let golden = golden();
    let model = tiny(Processing::Default);
    for case in golden.cases["steered_forward"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let additions = additions(case);
        for (i, vector) in SteeringVector::compute(&RunContext::default(), &model, &additions)
            .unwrap()
            .iter()
            .enumerate()
        {
            let key = format!("vectors/{name}/{i}");
            assert_tensor(&key, &vector.values, &golden.tensors[&key]);
        }
        let tokens = model.to_tokens(case["text"].as_str().unwrap()).unwrap();
        let logits = forward_with_activation_additions(
            &RunContext::default(),
            &model,
            &tokens,
            &additions,
            injection(case),
            InjectionMode::Overlay,
        )
        .unwrap();
        let key = format!("steered/{name}");
        assert_tensor(&key, &logits, &golden.tensors[&key]);
    }
}

#[test]
fn generations_draw_the_same_tokens() {
    let golden = golden();
    let model = tiny(Processing::Default);
    for case in golden.cases["generation"].as_array().unwrap() {
        let prompt = case["prompt"].as_str().unwrap();
        let tokens = model.to_tokens(prompt).unwrap();
        let steering = Steering::new(
            &RunContext::default(),
            &model,
            &additions(case),
            Injection::default(),
        )
        .unwrap();
        let rows = case["rows"].as_u64().unwrap() as usize;
        let mut arms = [Arm {
            hooks: steering.hooks(&tokens).unwrap(),
            prompt: tokens.clone(),
            rows: (0..rows).map(|index| RowKey { run: 0, index }).collect(),
        }];
        let ours = model
            .generate(
                &RunContext::default(),
                &mut arms,
                &options(case).generate,
                &mut |_, _, _| {},
            )
            .unwrap();
        for (row, theirs) in ours[0].iter().zip(theirs(case)) {
            let mut filled = [tokens.as_slice(), &row.tokens].concat();
            filled.resize(theirs.len(), model.tokenizer().ends()[0]);
            assert_eq!(filled, theirs, "{} row {}", case["name"], row.key.index);
        }
    }
}

/// Cached steps after a steered prompt match the original's logits at every step.
#[test]
fn every_step_of_a_generation() {
    let golden = golden();
    let model = tiny(Processing::Default);
    let case = &golden.cases["steps"];
    let tokens = model.to_tokens(case["prompt"].as_str().unwrap()).unwrap();
    let steering = Steering::new(
        &RunContext::default(),
        &model,
        &additions(case),
        Injection::default(),
    )
    .unwrap();
    let mut arms = [Arm {
        hooks: steering.hooks(&tokens).unwrap(),
        prompt: tokens.clone(),
        rows: (0..2).map(|index| RowKey { run: 0, index }).collect(),
    }];
    let rows = model
        .generate(
            &RunContext::default(),
            &mut arms,
            &options(case).generate,
            &mut |_, _, _| {},
        )
        .unwrap();
    for (index, row) in rows[0].iter().enumerate() {
        // The same text in one pass without a cache: by causality, its logits are those of the
        // steps.
        let text = [tokens.as_slice(), &row.tokens].concat();
        let whole = model
            .logits(
                &RunContext::default(),
                &text,
                steering.hooks(&text).unwrap(),
            )
            .unwrap();
        for step in 0..8 {
            let expected = golden.tensors[&format!("steps/{step}")].get(index).unwrap();
            let at = tokens.len() - 1 + step;
            let found = whole.get(0).unwrap().get(at).unwrap();
            assert_tensor(&format!("step {step}"), &found, &expected);
        }
        // The losses reported by generation come from the cached steps.
        let losses = model
            .loss_per_token(
                &RunContext::default(),
                &text,
                steering.hooks(&text).unwrap(),
            )
            .unwrap();
        assert_close("cached losses", &row.losses, &losses);
    }
}

#[test]
fn losses_of_steered_completions() {
    let golden = golden();
    let model = tiny(Processing::Default);
    for case in golden.cases["losses"].as_array().unwrap() {
        losses_of(&model, case);
    }
}

fn losses_of(model: &HookedTransformer, case: &Value) {
    let prompts = vec![case["prompt"].as_str().unwrap().to_owned(); 2];
    let completions = gen_using_activation_additions(
        &RunContext::default(),
        model,
        &prompts,
        &additions(case),
        &options(case),
        &mut |_, _, _| {},
    )
    .unwrap();
    let theirs = theirs(case);
    for (row, theirs) in completions.rows().iter().zip(theirs) {
        assert_eq!(row.tokens, theirs);
    }
    let column = |name: &str| -> Vec<f32> {
        let values = case[name].as_array().unwrap().iter();
        values.map(|x| x.as_f64().unwrap() as f32).collect()
    };
    let losses: Vec<f32> = completions.rows().iter().map(|row| row.loss).collect();
    assert_close("loss", &losses, &column("loss"));
    let clean = completions.clean_losses(&RunContext::default()).unwrap();
    assert_close("clean_loss", clean, &column("clean_loss"));
}

#[test]
fn magnitudes() {
    let golden = golden();
    let model = tiny(Processing::Default);
    let case = &golden.cases["magnitudes"];
    let additions = additions(case);
    let prompt = case["prompt"].as_str().unwrap();
    let column = |name: &str| -> Vec<f32> {
        let values = case[name].as_array().unwrap().iter();
        values.map(|x| x.as_f64().unwrap() as f32).collect()
    };
    assert_close(
        "steering",
        &steering_vec_magnitudes(&RunContext::default(), &additions, &model).unwrap(),
        &column("steering"),
    );
    assert_close(
        "prompt",
        &prompt_magnitudes(
            &RunContext::default(),
            prompt,
            &model,
            HookName::resid_pre(1),
        )
        .unwrap(),
        &column("own"),
    );
    assert_close(
        "relative",
        &steering_magnitudes_relative_to_prompt(&RunContext::default(), prompt, &additions, &model)
            .unwrap(),
        &column("relative"),
    );
}

#[test]
fn stacks_of_the_residual_stream() {
    use avec::analysis::{
        accumulated_resid, apply_ln_to_stack, decompose_resid, logit_attrs, stack_head_results,
    };
    let golden = golden();
    let model = tiny(Processing::Default);
    for (i, text) in texts(&golden, "default").iter().enumerate() {
        let tokens = model.to_tokens(text).unwrap();
        let cache = model
            .run_with_cache(&RunContext::default(), &tokens, &NamesFilter::All)
            .unwrap();
        let expected = |name: &str| &golden.tensors[&format!("default/{i}/{name}")];
        let n = model.arch().n_layers;
        let grown = accumulated_resid(&cache, &model, n, true).unwrap();
        assert_tensor(
            "accumulated_resid",
            &grown.values,
            expected("accumulated_resid"),
        );
        assert_eq!(grown.labels.last().unwrap(), "final_post");
        let parts = decompose_resid(&cache, &model, n).unwrap();
        assert_tensor(
            "decompose_resid",
            &parts.values,
            expected("decompose_resid"),
        );
        let heads = stack_head_results(&cache, &model, n).unwrap();
        assert_tensor(
            "stack_head_results",
            &heads.values,
            expected("stack_head_results"),
        );
        assert_eq!(heads.labels[5], "L1H1");
        let normed = apply_ln_to_stack(&cache, &parts.values).unwrap();
        assert_tensor("apply_ln_to_stack", &normed, expected("apply_ln_to_stack"));
        let attrs = logit_attrs(&cache, &model, &parts.values, 5).unwrap();
        assert_tensor("logit_attrs", &attrs, expected("logit_attrs"));
    }
}

#[test]
fn torch_exponentials_match_bit_for_bit() {
    for case in golden().cases["exponentials"].as_array().unwrap() {
        let bits: Vec<u32> = case["bits"]
            .as_array()
            .unwrap()
            .iter()
            .map(|bits| bits.as_i64().unwrap() as u32)
            .collect();
        let found = avec::sampling::torch_exponentials(case["seed"].as_u64().unwrap(), 64);
        let found: Vec<u32> = found.iter().map(|x| x.to_bits()).collect();
        assert_eq!(found, bits, "seed {}", case["seed"]);
    }
}
