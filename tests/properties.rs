//! Properties that hold for any values: steering that does nothing, hooks that leave no trace, texts
//! that depend only on seed and prompt.

mod support;

use avec::RunContext;
use avec::analysis::{
    Comparison, CompletionOptions, InjectionMode, forward_with_activation_additions,
    gen_using_activation_additions, n_comparisons,
};
use avec::model::{HookName, HookedTransformer, Hooks, Processing};
use avec::sampling::{Arm, GenerateOptions, Rng, RowKey, Sampling};
use avec::steering::{ActivationAddition, Injection, PadMethod, XVector, x_vector};
use candle_core::Tensor;
use proptest::prelude::*;
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

fn pair(coeff: f64, first: &str, second: &str, layer: usize) -> Vec<ActivationAddition> {
    let options = XVector {
        prompt1: first.into(),
        prompt2: second.into(),
        coeff,
        act_name: HookName::resid_pre(layer),
        pad_method: None,
        custom_pad_id: None,
    };
    x_vector(&options, None).unwrap().to_vec()
}

fn forward(model: &HookedTransformer, additions: &[ActivationAddition]) -> Tensor {
    let tokens = model
        .to_tokens("I hate you because you never listen")
        .unwrap();
    forward_with_activation_additions(
        &RunContext::default(),
        model,
        &tokens,
        additions,
        Injection::default(),
        InjectionMode::Overlay,
    )
    .unwrap()
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

fn complete(
    model: &HookedTransformer,
    prompts: &[&str],
    additions: &[ActivationAddition],
    options: &CompletionOptions,
) -> Vec<Vec<u32>> {
    let prompts: Vec<String> = prompts.iter().map(|p| (*p).to_owned()).collect();
    gen_using_activation_additions(
        &RunContext::default(),
        model,
        &prompts,
        additions,
        options,
        &mut |_, _, _| {},
    )
    .unwrap()
    .rows()
    .iter()
    .map(|row| row.tokens.clone())
    .collect()
}

#[test]
fn a_coefficient_of_zero_changes_nothing() {
    let model = tiny(Processing::Default);
    let clean = forward(&model, &[]);
    let steered = forward(&model, &pair(0.0, "Love", "Hate", 1));
    assert_eq!(values(&clean), values(&steered));
}

#[test]
fn swapping_prompts_and_sign_keeps_an_x_vector() {
    let model = tiny(Processing::Default);
    let one = forward(&model, &pair(3.0, "Love", "I hate you", 1));
    let other = forward(&model, &pair(-3.0, "I hate you", "Love", 1));
    assert_near(&one, &other);
}

#[test]
fn a_padded_x_vector_is_exactly_zero_at_bos() {
    let model = tiny(Processing::Default);
    for method in [PadMethod::TokensRight, PadMethod::TokensLeft] {
        let options = XVector {
            prompt1: "I love you".into(),
            prompt2: "Hate".into(),
            coeff: 4.0,
            act_name: HookName::resid_pre(2),
            pad_method: Some(method),
            custom_pad_id: Some(0),
        };
        let additions = x_vector(&options, Some(&model)).unwrap();
        let tokens: Vec<Vec<u32>> = additions
            .iter()
            .map(|addition| addition.tokens(&model).unwrap())
            .collect();
        assert_eq!(tokens[0].len(), tokens[1].len());
        // An id of 0 is valid and goes where the method says.
        let bos = model.tokenizer().bos().unwrap();
        match method {
            PadMethod::TokensRight => assert_eq!(tokens[1].last(), Some(&0)),
            PadMethod::TokensLeft => assert_eq!(tokens[1][..2], [bos, 0]),
        }
        let magnitudes =
            avec::analysis::steering_vec_magnitudes(&RunContext::default(), &additions, &model)
                .unwrap();
        assert_eq!(magnitudes[0], 0.0);
        assert!(magnitudes[1..].iter().all(|m| *m > 0.0));
    }
}

#[test]
fn additions_from_a_prompt_never_equal_those_from_tokens() {
    let model = tiny(Processing::Default);
    let name = HookName::resid_pre(1);
    let prompt = ActivationAddition::new(Some("Love".into()), None, 2.0, name).unwrap();
    let tokens = model.to_tokens("Love").unwrap();
    let same = ActivationAddition::new(None, Some(tokens), 2.0, name).unwrap();
    assert_ne!(prompt, same);
    assert_eq!(prompt, prompt.clone());
    let other = ActivationAddition {
        coeff: 3.0,
        ..prompt.clone()
    };
    assert_ne!(prompt, other);
}

/// The same tokens, one at a time with the cache and all at once without it.
#[test]
fn cached_steps_agree_with_whole_passes() {
    let model = tiny(Processing::Default);
    let prompt = model.to_tokens("I went up to").unwrap();
    let mut arms = [Arm {
        prompt: prompt.clone(),
        hooks: Hooks::none(),
        rows: vec![RowKey { run: 0, index: 0 }],
    }];
    let options = sampled(20, Rng::Row).generate;
    let rows = model
        .generate(
            &RunContext::default(),
            &mut arms,
            &options,
            &mut |_, _, _| {},
        )
        .unwrap();
    let text = [prompt, rows[0][0].tokens.clone()].concat();
    let whole = model
        .loss_per_token(&RunContext::default(), &text, Hooks::none())
        .unwrap();
    assert_eq!(whole.len(), rows[0][0].losses.len());
    for (cached, whole) in rows[0][0].losses.iter().zip(whole) {
        assert!((cached - whole).abs() < 1e-3, "{cached} {whole}");
    }
}

#[test]
fn a_row_does_not_depend_on_the_number_of_rows() {
    let model = tiny(Processing::Default);
    let additions = pair(4.0, "Love", "Hate", 1);
    let options = sampled(15, Rng::Row);
    let of = |n: usize| -> Vec<Vec<u32>> {
        let comparison = Comparison {
            prompt: "I hate you because",
            num_comparisons: n,
            additions: Some(&additions),
        };
        let rows = n_comparisons(
            &RunContext::default(),
            &model,
            &comparison,
            &options,
            &mut |_, _, _| {},
        )
        .unwrap();
        rows.rows().iter().map(|row| row.tokens.clone()).collect()
    };
    let (one, seven) = (of(1), of(7));
    assert_eq!(one[0], seven[0]);
    assert_eq!(one[1], seven[7]);
    let alone = complete(&model, &["I hate you because"; 7], &[], &options);
    assert_eq!(seven[..7], alone[..]);
    // Rows differ from each other, or the test would prove nothing.
    assert!(seven.iter().any(|row| *row != seven[0]));
}

#[test]
fn texts_do_not_depend_on_threads() {
    let model = tiny(Processing::Default);
    let options = sampled(15, Rng::Row);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap()
            .install(|| complete(&model, &["I think", "Love and"], &[], &options))
    };
    assert_eq!(on(1), on(5));
}

/// Prompts of different lengths in one batch give the same texts as one at a time.
#[test]
fn mixed_lengths_agree_with_one_at_a_time() {
    let model = tiny(Processing::Default);
    let prompts = [
        "I",
        "I went up to my friend and said that",
        "Love",
        "Hate you",
        "",
    ];
    for rng in [Rng::Row, Rng::Torch] {
        for additions in [vec![], pair(3.0, "", "", 1), pair(2.0, "Love", "Hate", 1)] {
            let options = sampled(12, rng);
            // A vector must fit into every prompt.
            let fitting: Vec<&str> = prompts
                .iter()
                .filter(|p| additions.is_empty() || !p.is_empty())
                .copied()
                .collect();
            let together = complete(&model, &fitting, &additions, &options);
            if rng == Rng::Torch {
                // All rows share one stream, so only the first can be generated alone.
                let first = complete(&model, &fitting[..1], &additions, &options);
                assert_eq!(together[0][..3], first[0][..3]);
                continue;
            }
            for (i, prompt) in fitting.iter().enumerate() {
                // Row i draws from stream i, so it must be at index i.
                let mut alone = vec![fitting[0]; i];
                alone.push(prompt);
                assert_eq!(
                    together[i],
                    complete(&model, &alone, &additions, &options)[i]
                );
            }
        }
    }
}

#[test]
fn pad_modes_keep_vector_and_text_disjoint() {
    let model = tiny(Processing::Default);
    let tokens = model.to_tokens("I hate you because").unwrap();
    let additions = pair(2.0, "I love you", "You hate me", 1);
    let longest = additions
        .iter()
        .map(|a| a.tokens(&model).unwrap().len())
        .max()
        .unwrap();
    let run = |mode, additions: &[ActivationAddition]| {
        let injection = Injection::default();
        forward_with_activation_additions(
            &RunContext::default(),
            &model,
            &tokens,
            additions,
            injection,
            mode,
        )
        .unwrap()
    };
    let padded = run(InjectionMode::Pad, &additions);
    assert_eq!(padded.dims()[1], tokens.len() + longest - 1);
    let removed = run(InjectionMode::PadRemove, &additions);
    assert_eq!(removed.dims()[1], tokens.len());
    let last = |t: &Tensor| t.get(0).unwrap().get(t.dims()[1] - 1).unwrap();
    assert_near(&last(&padded), &last(&removed));
    // Without additions there is nothing to make room for.
    assert_near(
        &run(InjectionMode::Pad, &[]),
        &run(InjectionMode::Overlay, &[]),
    );
}

#[test]
fn a_one_token_prompt_is_not_steered() {
    let model = tiny(Processing::Default);
    let options = sampled(8, Rng::Row);
    let steered = complete(&model, &[""], &pair(9.0, "Love", "Hate", 1), &options);
    assert_eq!(steered, complete(&model, &[""], &[], &options));
}

#[test]
fn an_empty_list_of_additions_gives_two_equal_sides() {
    let model = tiny(Processing::Default);
    let options = sampled(8, Rng::Row);
    let comparison = Comparison {
        prompt: "I hate",
        num_comparisons: 2,
        additions: Some(&[]),
    };
    let rows = n_comparisons(
        &RunContext::default(),
        &model,
        &comparison,
        &options,
        &mut |_, _, _| {},
    )
    .unwrap();
    let rows = rows.rows();
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[0].completion, rows[2].completion);
    let modified: Vec<bool> = rows.iter().map(|row| row.is_modified).collect();
    assert_eq!(modified, [false, false, true, true]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The effects of additions on the residual stream add up, in any order.
    #[test]
    fn the_order_of_additions_does_not_matter(a in -4.0f64..4.0, b in -4.0f64..4.0, layer in 0usize..3) {
        let model = tiny(Processing::Default);
        let mut additions = pair(a, "Love", "Hate", layer);
        additions.extend(pair(b, " wedding", " ", layer));
        let one = forward(&model, &additions);
        additions.reverse();
        let other = forward(&model, &additions);
        for (x, y) in values(&one).iter().zip(values(&other)) {
            prop_assert!((x - y).abs() <= 2e-3 * y.abs().max(1.0), "{} {}", x, y);
        }
    }
}

/// The losses of steps are the model's own, whatever the sampler made of the logits.
#[test]
fn losses_do_not_depend_on_the_sampling() {
    let model = tiny(Processing::Default);
    let prompt = model.to_tokens("I went up to").unwrap();
    for temperature in [0.0, 0.5, 1.0, 3.0] {
        let mut options = sampled(12, Rng::Row).generate;
        options.sampling.temperature = temperature;
        let mut arms = [Arm {
            prompt: prompt.clone(),
            hooks: Hooks::none(),
            rows: (0..3).map(|index| RowKey { run: 0, index }).collect(),
        }];
        let rows = model
            .generate(&support::run(), &mut arms, &options, &mut |_, _, _| {})
            .unwrap();
        for row in &rows[0] {
            let text = [prompt.as_slice(), &row.tokens].concat();
            let whole = model
                .loss_per_token(&support::run(), &text, Hooks::none())
                .unwrap();
            assert_eq!(row.losses.len(), whole.len());
            for (step, whole) in row.losses.iter().zip(whole) {
                assert!((step - whole).abs() < 1e-3, "{temperature}: {step} {whole}");
            }
        }
    }
}

/// Rows that are known are taken as they are, and only the others are generated.
#[test]
fn known_rows_are_not_generated_again() {
    let model = tiny(Processing::Default);
    let options = sampled(5, Rng::Row);
    let comparison = Comparison {
        prompt: "I hate you",
        num_comparisons: 3,
        additions: None,
    };
    let fresh = n_comparisons(
        &support::run(),
        &model,
        &comparison,
        &options,
        &mut |_, _, _| {},
    );
    let fresh = fresh.unwrap();
    let mut known = fresh.rows()[..2].to_vec();
    known[0].completion = "as it was".into();
    let known = avec::analysis::Known {
        unsteered: &known,
        steered: &[],
    };
    let mut tokens = 0;
    let table = avec::analysis::n_comparisons_knowing(
        &support::run(),
        &model,
        &comparison,
        &options,
        known,
        &mut |_, _, _| tokens += 1,
    )
    .unwrap();
    assert_eq!(table.rows()[0].completion, "as it was");
    assert_eq!(table.rows()[1..], fresh.rows()[1..]);
    assert_eq!(tokens, 5);
}
