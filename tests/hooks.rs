//! Hooks: what they see, what they change, and that nothing of them stays.

mod support;

use avec::RunContext;
use avec::analysis::CompletionOptions;
use avec::model::{HookName, Hooks, NamesFilter, Phase, Processing, Site};
use avec::sampling::{Arm, GenerateOptions, Rng, RowKey, Sampling};
use candle_core::Tensor;
use support::tiny;

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[track_caller]
fn assert_near(a: &Tensor, b: &Tensor) {
    assert_eq!(a.dims(), b.dims());
    for (a, b) in values(a).iter().zip(values(b)) {
        assert!(
            *a == b || (a - b).abs() <= 1e-4 * b.abs().max(1.0),
            "{a} {b}"
        );
    }
}

fn sampled(n: usize, rng: Rng) -> CompletionOptions {
    CompletionOptions {
        generate: GenerateOptions {
            max_new_tokens: n,
            sampling: Sampling {
                top_p: Some(0.9),
                freq_penalty: 0.5,
                ..Sampling::default()
            },
            seed: 11,
            rng,
            stop_at_eos: false,
            losses: true,
        },
        ..CompletionOptions::default()
    }
}

#[test]
fn hooks_leave_no_trace() {
    let model = tiny(Processing::Default);
    let tokens = model.to_tokens("I hate you").unwrap();
    let before = values(
        &model
            .logits(&RunContext::default(), &tokens, Hooks::none())
            .unwrap(),
    );
    let mut hooks = Hooks::none();
    hooks.add(HookName::resid_pre(1), |x, _| Ok(Some((x * 3.0)?)));
    let changed = values(
        &model
            .logits(&RunContext::default(), &tokens, hooks)
            .unwrap(),
    );
    assert_ne!(before, changed);
    // A failing hook ends only its own call.
    let mut failing = Hooks::none();
    failing.add(HookName::resid_pre(1), |_, _| {
        Err(avec::error::Error::other("on purpose"))
    });
    let error = model
        .logits(&RunContext::default(), &tokens, failing)
        .unwrap_err();
    assert_eq!(error.to_string(), "on purpose");
    assert_eq!(
        before,
        values(
            &model
                .logits(&RunContext::default(), &tokens, Hooks::none())
                .unwrap()
        )
    );
}

#[test]
fn hooks_run_in_order_on_each_other_s_results() {
    let model = tiny(Processing::Default);
    let tokens = model.to_tokens("I hate you").unwrap();
    let seen = std::sync::Mutex::new(Vec::new());
    let mut hooks = Hooks::none();
    hooks.add(HookName::resid_pre(0), |x, ctx| {
        assert_eq!(
            (ctx.phase, ctx.first_pos, ctx.rows.clone()),
            (Phase::Prompt, 0, 0..1)
        );
        Ok(Some(x.zeros_like()?))
    });
    hooks.add(HookName::resid_pre(0), |x, _| {
        seen.lock().unwrap().push(values(x).iter().sum::<f32>());
        Ok(None)
    });
    model
        .logits(&RunContext::default(), &tokens, hooks)
        .unwrap();
    assert_eq!(*seen.lock().unwrap(), [0.0]);
}

#[test]
fn a_hook_may_not_change_the_shape() {
    let model = tiny(Processing::Default);
    let tokens = model.to_tokens("I hate you").unwrap();
    let mut hooks = Hooks::none();
    hooks.add(HookName::resid_pre(1), |x, _| Ok(Some(x.narrow(1, 0, 1)?)));
    assert_eq!(
        model
            .logits(&RunContext::default(), &tokens, hooks)
            .unwrap_err()
            .to_string(),
        "a hook at blocks.1.hook_resid_pre gave back shape [1, 1, 32] for an activation of shape [1, 4, 32]"
    );
}

/// A hook at any point makes the pass take another path; the numbers stay.
#[test]
fn fused_and_hooked_paths_agree() {
    for processing in [Processing::Default, Processing::None] {
        let model = tiny(processing);
        let tokens = model
            .to_tokens("Yesterday, my dog died and I cried.")
            .unwrap();
        let fused = model
            .logits(&RunContext::default(), &tokens, Hooks::none())
            .unwrap();
        let all = model
            .run_with_cache(&RunContext::default(), &tokens, &NamesFilter::All)
            .unwrap();
        assert_near(&all.logits, &fused);
        for name in model.hook_names() {
            let cache = model
                .run_with_cache(&RunContext::default(), &tokens, &name.into())
                .unwrap();
            assert_near(&cache.logits, &fused);
            assert_eq!(cache.names(), [name]);
            if name.site != Site::Result {
                assert_near(cache.get(name).unwrap(), all.get(name).unwrap());
            }
        }
    }
}

/// Hooks that act while decoding see only their arm's rows and positions.
#[test]
fn hooks_while_decoding_see_their_own_rows() {
    let model = tiny(Processing::Default);
    let seen = std::sync::Mutex::new(Vec::new());
    let mut hooks = Hooks::none();
    hooks.add(HookName::resid_pre(1), |x, ctx| {
        seen.lock().unwrap().push((
            ctx.phase,
            ctx.first_pos,
            ctx.rows.clone(),
            x.dims().to_vec(),
        ));
        Ok(Some((x * 0.5)?))
    });
    let mut watching = Hooks::none();
    watching.add(HookName::block(Site::Pattern, 0), |x, ctx| {
        // The key axis holds this row's own positions, without padding for others.
        assert_eq!(x.dims()[3], ctx.first_pos + x.dims()[2]);
        Ok(None)
    });
    let key = |index| RowKey { run: 0, index };
    let mut arms = [
        Arm {
            prompt: model.to_tokens("I hate you because").unwrap(),
            hooks: watching,
            rows: vec![key(0)],
        },
        Arm {
            prompt: model.to_tokens("Love").unwrap(),
            hooks,
            rows: vec![key(1), key(2)],
        },
    ];
    let options = GenerateOptions {
        max_new_tokens: 3,
        stop_at_eos: false,
        ..GenerateOptions::default()
    };
    let rows = model
        .generate(
            &RunContext::default(),
            &mut arms,
            &options,
            &mut |_, _, _| {},
        )
        .unwrap();
    drop(arms);
    assert_eq!(
        *seen.lock().unwrap(),
        [
            (Phase::Prompt, 0, 0..1, vec![1, 2, 32]),
            (Phase::Decode, 2, 1..3, vec![2, 1, 32]),
            (Phase::Decode, 3, 1..3, vec![2, 1, 32]),
        ]
    );
    // The first arm's text is the same without the second.
    let mut alone = [Arm {
        prompt: model.to_tokens("I hate you because").unwrap(),
        hooks: Hooks::none(),
        rows: vec![key(0)],
    }];
    let without = model
        .generate(
            &RunContext::default(),
            &mut alone,
            &options,
            &mut |_, _, _| {},
        )
        .unwrap();
    assert_eq!(rows[0][0].tokens, without[0][0].tokens);
}

/// A hook may call its own model: here it patches in another text's activation.
#[test]
fn a_hook_may_call_the_model() {
    let model = tiny(Processing::Default);
    let other = model.to_tokens("Love and Hate are words").unwrap();
    let tokens = model.to_tokens("I hate you because you").unwrap();
    let name = HookName::resid_pre(1);
    let mut hooks = Hooks::none();
    hooks.add(name, |value, _| {
        let run = RunContext::default();
        let cache = model.run_with_cache(&run, &other, &name.into())?;
        let activation = cache.get(name)?.narrow(1, 0, value.dim(1)?)?;
        Ok(Some(activation))
    });
    let patched = model.logits(&support::run(), &tokens[..6], hooks).unwrap();
    let cache = model
        .run_with_cache(&support::run(), &other[..6], &name.into())
        .unwrap();
    assert_near(&patched, &cache.logits);
}

/// Hooks have stacks as deep as a script's.
#[test]
fn a_hook_has_a_deep_stack() {
    fn dig(depth: usize) -> usize {
        let frame = std::hint::black_box([depth; 1 << 13]); // 64 KB
        if depth == 0 {
            frame[0]
        } else {
            1 + dig(depth - 1)
        }
    }
    let model = tiny(Processing::Default);
    let tokens = model.to_tokens("I hate you").unwrap();
    let mut depth = 0;
    let mut hooks = Hooks::none();
    hooks.add(HookName::resid_pre(0), |_, _| {
        depth = dig(1000);
        Ok(None)
    });
    model.logits(&support::run(), &tokens, hooks).unwrap();
    assert_eq!(depth, 1000);
}

/// Even in small batches, a prompt goes through the model once, and texts and losses are those of a
/// single batch.
#[test]
fn a_prompt_runs_once_however_many_batches_its_rows_need() {
    let model = tiny(Processing::Default);
    let prompts = ["I hate you because", "Love", "I hate you because you"];
    let generate = |memory: Option<u64>, rng: Rng| {
        let mut passes = [0; 3];
        let rows = {
            let [a, b, c] = &mut passes;
            let mut arms: Vec<Arm> = prompts
                .iter()
                .zip([a, b, c])
                .enumerate()
                .map(|(number, (text, passes))| {
                    let mut hooks = Hooks::none();
                    hooks.add_to_prompt(HookName::resid_pre(1), move |value, _| {
                        *passes += 1;
                        Ok(Some((value * 1.5)?))
                    });
                    Arm {
                        prompt: model.to_tokens(text).unwrap(),
                        hooks,
                        rows: (0..5).map(|index| RowKey { run: number, index }).collect(),
                    }
                })
                .collect();
            let run = RunContext {
                memory,
                ..RunContext::default()
            };
            let options = sampled(12, rng).generate;
            model
                .generate(&run, &mut arms, &options, &mut |_, _, _| {})
                .unwrap()
        };
        (rows, passes)
    };
    for rng in [Rng::Row, Rng::Torch] {
        let (whole, passes) = generate(None, rng);
        assert_eq!(passes, [1, 1, 1]);
        // A row takes about ten thousand bytes here, so this gives batches of one, two and a few
        // rows.
        for memory in [1, 50_000, 100_000, 150_000] {
            let (parts, passes) = generate(Some(memory), rng);
            assert_eq!(passes, [1, 1, 1], "{memory}");
            assert_eq!(parts, whole, "{memory}");
        }
    }
}
