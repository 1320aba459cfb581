//! Every family compared with the original: all hook values, hooks that change inputs on request,
//! losses and steered texts, for both processings and both kinds of kernels.

mod support;

use avec::analysis::{InjectionMode, forward_with_activation_additions};
use avec::model::{HookName, HookedTransformer, Hooks, NamesFilter, Processing};
use avec::sampling::{Arm, RowKey};
use avec::steering::{Injection, Steering, SteeringVector};
use avec::{DType, KernelChoice, Tensor};
use serde_json::Value;
use support::golden::{
    Golden, additions, assert_close, assert_tensor, injection, options, theirs, values,
};
use support::{run, tiny_of};

const PROCESSINGS: [(&str, Processing); 2] =
    [("default", Processing::Default), ("none", Processing::None)];

/// Runs a test on a tiny checkpoint with its fixtures, for every processing and kind of kernels.
fn each(folder: &str, fixtures: &str, test: impl Fn(&Golden, &str, &HookedTransformer)) {
    let golden = Golden::read(
        &format!("{fixtures}.json"),
        &format!("{fixtures}.safetensors"),
    );
    for kernels in [KernelChoice::Fast, KernelChoice::Candle] {
        for (name, processing) in PROCESSINGS {
            test(&golden, name, &tiny_of(folder, processing, kernels));
        }
    }
}

fn each_neox(test: impl Fn(&Golden, &str, &HookedTransformer)) {
    each("tiny_neox", "tiny_neox", &test);
    each("tiny_neox_sequential", "tiny_neox_sequential", &test);
}

fn names(list: &Value) -> Vec<HookName> {
    let names = list.as_array().unwrap().iter();
    names
        .map(|name| name.as_str().unwrap().parse().unwrap())
        .collect()
}

#[test]
fn neox_hook_names_match_the_original() {
    each_neox(|golden, _, model| {
        let theirs = names(&golden.cases["hook_names"]);
        let ours = model.hook_names();
        let ordinary: Vec<HookName> = theirs
            .iter()
            .copied()
            .filter(|n| !n.site.on_request())
            .collect();
        assert_eq!(ours, ordinary);
        for name in theirs {
            name.check(model.arch()).unwrap();
        }
    });
}

#[test]
fn neox_hook_values_logits_and_losses() {
    each_neox(|golden, processing, model| {
        let wanted = names(&golden.cases["hook_names"]);
        for (i, case) in golden
            .list(&format!("{processing}_texts"))
            .iter()
            .enumerate()
        {
            let tokens = model.to_tokens(case["text"].as_str().unwrap()).unwrap();
            assert_eq!(Value::from(tokens.clone()), case["tokens"]);
            let logits = golden.tensor(&format!("{processing}/{i}/logits"));
            let fused = model.logits(&run(), &tokens, Hooks::none()).unwrap();
            assert_tensor("logits", &fused, logits);
            let losses = model
                .loss_per_token(&run(), &tokens, Hooks::none())
                .unwrap();
            let expected = golden.tensor(&format!("{processing}/{i}/loss_per_token"));
            assert_close("losses", &losses, &values(expected));
            let loss = model.loss(&run(), &tokens, Hooks::none()).unwrap();
            assert_close("loss", &[loss], &[case["loss"].as_f64().unwrap() as f32]);
            // The fixtures have hook values for the first text only.
            if i == 0 {
                let filter = NamesFilter::Names(wanted.clone());
                let cache = model.run_with_cache(&run(), &tokens, &filter).unwrap();
                assert_tensor("logits under hooks", &cache.logits, logits);
                assert_eq!(cache.names(), wanted);
                for name in &wanted {
                    let key = format!("{processing}/0/{name}");
                    assert_tensor(&key, cache.get(*name).unwrap(), golden.tensor(&key));
                }
            }
        }
    });
}

#[test]
fn neox_tokens() {
    each_neox(|golden, _, model| {
        for case in golden.list("tokenisation") {
            let text = case["text"].as_str().unwrap();
            let tokens = model.to_tokens(text).unwrap();
            assert_eq!(Value::from(tokens.clone()), case["tokens"], "{text:?}");
            let texts = model.to_str_tokens(&tokens).unwrap();
            assert_eq!(Value::from(texts), case["str_tokens"], "{text:?}");
        }
    });
}

#[test]
fn neox_steered_passes() {
    each_neox(|golden, processing, model| {
        for case in golden.list("steered_forward") {
            let name = case["name"].as_str().unwrap();
            let additions = additions(case);
            let vectors = SteeringVector::compute(&run(), model, &additions).unwrap();
            for (i, vector) in vectors.iter().enumerate() {
                let key = format!("vectors/{processing}/{name}/{i}");
                assert_tensor(&key, &vector.values, golden.tensor(&key));
            }
            let tokens = model.to_tokens(case["text"].as_str().unwrap()).unwrap();
            let overlay = InjectionMode::Overlay;
            let logits = forward_with_activation_additions(
                &run(),
                model,
                &tokens,
                &additions,
                injection(case),
                overlay,
            );
            let key = format!("steered/{processing}/{name}");
            assert_tensor(&key, &logits.unwrap(), golden.tensor(&key));
        }
    });
}

#[test]
fn neox_texts() {
    each_neox(|golden, _, model| {
        for case in golden.list("generation") {
            let tokens = model.to_tokens(case["prompt"].as_str().unwrap()).unwrap();
            let steering = Steering::new(&run(), model, &additions(case), Injection::default());
            let rows = case["rows"].as_u64().unwrap() as usize;
            let mut arms = [Arm {
                hooks: steering.unwrap().hooks(&tokens).unwrap(),
                prompt: tokens.clone(),
                rows: (0..rows).map(|index| RowKey { run: 0, index }).collect(),
            }];
            let ours = model
                .generate(
                    &run(),
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
    });
}

/// `value * multiply + add` at one head, some positions and some dimensions of an activation.
fn change(value: &Tensor, case: &Value) -> Tensor {
    let dims = value.dims().to_vec();
    let within = |range: &Value, i: usize| {
        range.as_array().is_none_or(|range| {
            let end = |j: usize| range[j].as_u64().unwrap() as usize;
            (end(0)..end(1)).contains(&i)
        })
    };
    let (multiply, add) = (
        case["multiply"].as_f64().unwrap(),
        case["add"].as_f64().unwrap(),
    );
    let width = *dims.last().unwrap();
    let heads = if dims.len() == 4 { dims[2] } else { 1 };
    let changed: Vec<f32> = values(value)
        .into_iter()
        .enumerate()
        .map(|(i, x)| {
            let (dim, head, pos) = (i % width, i / width % heads, i / width / heads % dims[1]);
            let here = case["head"].as_u64().is_none_or(|h| h as usize == head)
                && within(&case["positions"], pos)
                && within(&case["dims"], dim);
            if here {
                (f64::from(x) * multiply + add) as f32
            } else {
                x
            }
        })
        .collect();
    Tensor::from_vec(changed, dims, value.device()).unwrap()
}

/// Hook points on request: their values, and the effect of changing them.
fn on_request(golden: &Golden, processing: &str, model: &HookedTransformer) {
    let case = &golden.cases["on_request"];
    let tokens = model.to_tokens(case["text"].as_str().unwrap()).unwrap();
    let wanted = names(&case["names"]);
    let cache = model
        .run_with_cache(&run(), &tokens, &NamesFilter::Names(wanted.clone()))
        .unwrap();
    assert_eq!(cache.names(), wanted);
    for name in wanted {
        let key = format!("on_request/{processing}/{name}");
        assert_tensor(&key, cache.get(name).unwrap(), golden.tensor(&key));
        assert!(!model.hook_names().contains(&name));
        assert!(model.all_hook_names().contains(&name));
    }
    for case in golden.list("changed") {
        let tokens = model.to_tokens(case["text"].as_str().unwrap()).unwrap();
        let mut hooks = Hooks::none();
        for one in case["changes"].as_array().unwrap() {
            let name: HookName = one["hook"].as_str().unwrap().parse().unwrap();
            hooks.add(name, move |value, _| Ok(Some(change(value, one))));
        }
        // ln1's own hook points keep their shape.
        let cache = model
            .run_with_hooks_and_cache(
                &run(),
                &tokens,
                hooks,
                &"normalized1ln1".parse::<HookName>().unwrap().into(),
            )
            .unwrap();
        let key = format!("changed/{processing}/{}", case["name"].as_str().unwrap());
        assert_tensor(&key, &cache.logits, golden.tensor(&key));
        let ln1 = cache.get("normalized1ln1".parse().unwrap()).unwrap();
        assert_eq!(ln1.dims(), [1, tokens.len(), model.arch().d_model]);
    }
}

#[test]
fn inputs_on_request() {
    each("tiny", "inputs", on_request);
    each_neox(on_request);
}

/// Parallel blocks lack a hook point of sequential ones, and the error names it.
#[test]
fn a_missing_hook_point_is_named() {
    let model = tiny_of("tiny_neox", Processing::Default, KernelChoice::Fast);
    assert_eq!(
        model.hook_name("resid_mid1").unwrap_err().to_string(),
        "GPT-NeoX models like this one have no hook point blocks.1.hook_resid_mid"
    );
    assert_eq!(
        model.hook_name("pos_embed").unwrap_err().to_string(),
        "GPT-NeoX models like this one have no hook point hook_pos_embed"
    );
    assert_eq!(model.dtype(), DType::F32);
    // A cache can't be told to hold it either.
    let tokens = model.to_tokens("I").unwrap();
    let cache = model
        .run_with_cache(&run(), &tokens, &NamesFilter::All)
        .unwrap();
    assert_eq!(
        cache
            .get("resid_mid0".parse().unwrap())
            .unwrap_err()
            .to_string(),
        "GPT-NeoX models like this one have no hook point blocks.0.hook_resid_mid"
    );
}

/// What a wrong name is likely meant for is a hook point of this model.
#[test]
fn only_hook_points_of_the_model_are_suggested() {
    let suggested = |folder: &str, name: &str| {
        let model = tiny_of(folder, Processing::Default, KernelChoice::Fast);
        model.hook_name(name).unwrap_err().hints().join("\n")
    };
    let wrong = "blocks.1.hook_resid_midd";
    assert!(suggested("tiny", wrong).contains("blocks.1.hook_resid_mid"));
    assert!(!suggested("tiny_neox", wrong).contains("resid_mid"));
    // Nor one of a layer that is not there.
    let beyond = suggested("tiny", "blocks.77.hook_resid_pree");
    assert!(
        beyond.contains("hook_resid_pre") && !beyond.contains("77"),
        "{beyond}"
    );
}
