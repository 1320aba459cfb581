//! Steering without scripts: the comparison of `scripts/basic_functionality.rhai`, in Rust.
//!
//! `cargo run --release --example compare`

use avec::RunContext;
use avec::analysis::{Comparison, CompletionOptions, n_comparisons};
use avec::model::{HookName, HookedTransformer, LoadOptions};
use avec::sampling::{GenerateOptions, Sampling};
use avec::steering::{PadMethod, XVector, x_vector};
use avec::store;

fn main() -> avec::error::Result<()> {
    let run = RunContext::default();
    let files = store::find(&run, "demo", None)?;
    let model = HookedTransformer::load(&run, &files, &LoadOptions::default())?;

    let love_minus_hate = x_vector(
        &XVector {
            prompt1: "Love".into(),
            prompt2: "Hate".into(),
            coeff: 5.0,
            act_name: HookName::resid_pre(1),
            pad_method: Some(PadMethod::TokensRight),
            custom_pad_id: None,
        },
        Some(&model),
    )?;
    let completions = n_comparisons(
        &run,
        &model,
        &Comparison {
            prompt: "I hate you because you're",
            num_comparisons: 3,
            additions: Some(&love_minus_hate),
        },
        &CompletionOptions {
            generate: GenerateOptions {
                sampling: Sampling {
                    top_p: Some(0.3),
                    freq_penalty: 1.0,
                    ..Sampling::default()
                },
                ..GenerateOptions::default()
            },
            ..CompletionOptions::default()
        },
        // Called for every new token of every row. Arm 0 is the unsteered one.
        &mut |_arm, _row, _token| {},
    )?;
    for row in completions.rows() {
        let side = if row.is_modified {
            "steered  "
        } else {
            "unsteered"
        };
        println!("{side} {}{}", row.prompt, row.completion);
    }
    Ok(())
}
