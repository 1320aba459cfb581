//! Texts that end: what becomes of tokens after the end, and of their losses.

mod support;

use std::collections::HashMap;
use std::path::Path;

use avec::Tensor;
use avec::analysis::{CompletionOptions, gen_using_activation_additions};
use avec::model::{HookedTransformer, Hooks, LoadOptions};
use avec::sampling::{GenerateOptions, Sampling};
use support::{folder_files, run, tiny_folder};

/// The tiny model with its last norm replaced: whatever it reads, its next token is `token`.
fn always(token: u32, folder: &Path) -> HookedTransformer {
    for file in ["config.json", "tokenizer.json"] {
        std::fs::copy(tiny_folder().join(file), folder.join(file)).unwrap();
    }
    let cpu = candle_core::Device::Cpu;
    let weights = tiny_folder().join("model.safetensors");
    let mut tensors: HashMap<String, Tensor> =
        candle_core::safetensors::load(weights, &cpu).unwrap();
    let named = |end: &str| {
        let mut names = tensors.keys();
        names.find(|name| name.ends_with(end)).unwrap().clone()
    };
    let (gain, bias, embedding) = (
        named("ln_f.weight"),
        named("ln_f.bias"),
        named("wte.weight"),
    );
    let row = tensors[&embedding].get(token as usize).unwrap();
    let zeros = tensors[&gain].zeros_like().unwrap();
    tensors.insert(gain, zeros);
    tensors.insert(bias, (row * 20.0).unwrap());
    candle_core::safetensors::save(&tensors, folder.join("model.safetensors")).unwrap();
    HookedTransformer::load(&run(), &folder_files(folder), &LoadOptions::default()).unwrap()
}

fn options(stop_at_eos: bool) -> CompletionOptions {
    CompletionOptions {
        generate: GenerateOptions {
            max_new_tokens: 6,
            sampling: Sampling {
                temperature: 0.0,
                ..Sampling::default()
            },
            stop_at_eos,
            losses: true,
            ..GenerateOptions::default()
        },
        ..CompletionOptions::default()
    }
}

/// Ends at the end of a text collapse to one, and the row's loss counts no token that is gone.
#[test]
fn ends_collapse_to_one_with_their_losses() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = support::tiny(avec::model::Processing::Default);
    let end = tiny.tokenizer().ends()[0];
    let model = always(end, folder.path());
    let prompts = ["I hate you".to_owned(), "Love".to_owned()];
    for stop_at_eos in [true, false] {
        let options = options(stop_at_eos);
        let table = gen_using_activation_additions(
            &run(),
            &model,
            &prompts,
            &[],
            &options,
            &mut |_, _, _| {},
        )
        .unwrap();
        for (row, prompt) in table.rows().iter().zip(&prompts) {
            assert_eq!(row.completion, "<|endoftext|>", "{stop_at_eos}");
            let expected = [model.to_tokens(prompt).unwrap(), vec![end]].concat();
            assert_eq!(row.tokens, expected);
            let loss = model.loss(&run(), &expected, Hooks::none()).unwrap();
            assert!(
                (row.loss - loss).abs() <= 1e-4 * loss.abs(),
                "{} {loss}",
                row.loss
            );
        }
    }
}

/// Other tokens that repeat at the end all stay.
#[test]
fn other_repetitions_stay() {
    let folder = tempfile::tempdir().unwrap();
    let token = support::tiny(avec::model::Processing::Default)
        .to_single_token(" you")
        .unwrap();
    let model = always(token, folder.path());
    let prompts = ["I hate".to_owned()];
    let table = gen_using_activation_additions(
        &run(),
        &model,
        &prompts,
        &[],
        &options(true),
        &mut |_, _, _| {},
    )
    .unwrap();
    let row = &table.rows()[0];
    assert_eq!(row.completion, " you".repeat(6));
    let loss = model.loss(&run(), &row.tokens, Hooks::none()).unwrap();
    assert!(
        (row.loss - loss).abs() <= 1e-4 * loss.abs(),
        "{} {loss}",
        row.loss
    );
}

/// An end in the middle of a text is a token like any other.
#[test]
fn an_end_within_a_text_stays() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = support::tiny(avec::model::Processing::Default);
    let token = tiny.to_single_token(" you").unwrap();
    let model = always(token, folder.path());
    let prompts = ["I hate<|endoftext|><|endoftext|>".to_owned()];
    let table = gen_using_activation_additions(
        &run(),
        &model,
        &prompts,
        &[],
        &options(true),
        &mut |_, _, _| {},
    )
    .unwrap();
    let row = &table.rows()[0];
    assert_eq!(row.prompt, prompts[0]);
    assert_eq!(row.completion, " you".repeat(6));
    assert_eq!(
        row.tokens.len(),
        model.to_tokens(&prompts[0]).unwrap().len() + 6
    );
}
