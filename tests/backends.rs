//! The candle kernels, which run on CUDA and Metal, compared with the fast CPU kernels.

mod support;

use avec::analysis::{CompletionOptions, gen_using_activation_additions};
use avec::model::{HookName, HookedTransformer, Hooks, LoadOptions, NamesFilter, Processing};
use avec::sampling::{Arm, GenerateOptions, RowKey, Sampling};
use avec::steering::{Injection, PadMethod, Steering, XVector, x_vector};
use avec::{DType, KernelChoice};
use support::golden::assert_tensor;
use support::{run, tiny_of};

fn pair(folder: &str, processing: Processing) -> [HookedTransformer; 2] {
    [KernelChoice::Fast, KernelChoice::Candle].map(|kernels| tiny_of(folder, processing, kernels))
}

const FOLDERS: [&str; 3] = ["tiny", "tiny_neox", "tiny_neox_sequential"];

#[test]
fn all_hook_points_agree() {
    for folder in FOLDERS {
        for processing in [Processing::Default, Processing::None] {
            let [fast, candle] = pair(folder, processing);
            let tokens = fast
                .to_tokens("I hate you because you never listen")
                .unwrap();
            let names = NamesFilter::Names(fast.all_hook_names());
            let fast = fast.run_with_cache(&run(), &tokens, &names).unwrap();
            let candle = candle.run_with_cache(&run(), &tokens, &names).unwrap();
            assert_eq!(fast.names(), candle.names());
            for name in fast.names() {
                let what = format!("{folder} {name}");
                assert_tensor(&what, candle.get(*name).unwrap(), fast.get(*name).unwrap());
            }
            assert_tensor("logits", &candle.logits, &fast.logits);
        }
    }
}

/// Rows of different prompts in one batch, steered and unsteered, token by token, with the losses
/// that the steps report. At temperature 0, no difference can hide.
#[test]
fn steered_generation_agrees() {
    for folder in FOLDERS {
        let [fast, candle] = pair(folder, Processing::Default);
        let vector = x_vector(
            &XVector {
                prompt1: "Love".into(),
                prompt2: "Hate".into(),
                coeff: 4.0,
                act_name: HookName::resid_pre(1),
                pad_method: Some(PadMethod::TokensRight),
                custom_pad_id: None,
            },
            Some(&fast),
        )
        .unwrap();
        let options = GenerateOptions {
            max_new_tokens: 16,
            sampling: Sampling {
                temperature: 0.0,
                ..Sampling::default()
            },
            stop_at_eos: false,
            losses: true,
            ..GenerateOptions::default()
        };
        let rows = |model: &HookedTransformer| {
            let steering = Steering::new(&run(), model, &vector, Injection::default()).unwrap();
            let arm = |number, text: &str, steered: bool| {
                let prompt = model.to_tokens(text).unwrap();
                Arm {
                    hooks: if steered {
                        steering.hooks(&prompt).unwrap()
                    } else {
                        Hooks::none()
                    },
                    prompt,
                    rows: (0..2).map(|index| RowKey { run: number, index }).collect(),
                }
            };
            let mut arms = [
                arm(0, "I hate you because you never listen", false),
                arm(1, "I hate you", true),
                arm(2, "I went up to my friend", true),
            ];
            model
                .generate(&run(), &mut arms, &options, &mut |_, _, _| {})
                .unwrap()
        };
        for (fast, candle) in rows(&fast)
            .iter()
            .flatten()
            .zip(rows(&candle).iter().flatten())
        {
            assert_eq!(fast.tokens, candle.tokens, "{folder}");
            support::golden::assert_close("losses", &candle.losses, &fast.losses);
        }
    }
}

/// Hooks at scores and patterns of a batch of prompts of different lengths, while decoding.
#[test]
fn hooked_steps_agree() {
    for folder in FOLDERS {
        let models = pair(folder, Processing::Default);
        let [fast, candle] = models.map(|model| {
            let mut seen = Vec::new();
            let prompts = ["I hate you because", "Love"].map(|text| model.to_tokens(text).unwrap());
            let mut hooks = Hooks::none();
            let names = ["attn_scores1", "pattern1", "z1"].map(|name| name.parse().unwrap());
            hooks.add(NamesFilter::Names(names.to_vec()), |value, ctx| {
                seen.push((ctx.name, value.clone()));
                Ok(None)
            });
            let [first, second] = prompts;
            let arm = |prompt, hooks, number| Arm {
                prompt,
                hooks,
                rows: vec![RowKey {
                    run: number,
                    index: 0,
                }],
            };
            let mut arms = [arm(first, Hooks::none(), 0), arm(second, hooks, 1)];
            let options = GenerateOptions {
                max_new_tokens: 4,
                sampling: Sampling {
                    temperature: 0.0,
                    ..Sampling::default()
                },
                stop_at_eos: false,
                ..GenerateOptions::default()
            };
            model
                .generate(&run(), &mut arms, &options, &mut |_, _, _| {})
                .unwrap();
            drop(arms);
            seen
        });
        assert_eq!(fast.len(), 3 * 4);
        for ((name, fast), (_, candle)) in fast.iter().zip(&candle) {
            assert_tensor(&name.to_string(), candle, fast);
        }
    }
}

/// Both round bf16 weights the same way.
#[test]
fn bf16_weights_agree() {
    let folder = support::repository().join("tests/golden/tiny");
    let [fast, candle] = [KernelChoice::Fast, KernelChoice::Candle].map(|kernels| {
        let options = LoadOptions {
            dtype: DType::BF16,
            kernels,
            ..LoadOptions::default()
        };
        HookedTransformer::load(&run(), &support::folder_files(&folder), &options).unwrap()
    });
    let prompts = ["I think that".to_owned(), "Love".to_owned()];
    let options = CompletionOptions {
        generate: GenerateOptions {
            sampling: Sampling {
                temperature: 0.0,
                ..Sampling::default()
            },
            ..GenerateOptions::default()
        },
        ..CompletionOptions::default()
    };
    let texts = |model: &HookedTransformer| -> Vec<String> {
        let table = gen_using_activation_additions(
            &run(),
            model,
            &prompts,
            &[],
            &options,
            &mut |_, _, _| {},
        );
        table
            .unwrap()
            .rows()
            .iter()
            .map(|row| row.completion.clone())
            .collect()
    };
    assert_eq!(texts(&fast), texts(&candle));
}
