//! Measures what steering does to the demo model: how often it turns a text around, at each layer.

use std::path::Path;

use anyhow::Result;
use avec::analysis::{Comparison, CompletionOptions, n_comparisons};
use avec::model::{
    HookName, HookedTransformer, LoadOptions, ModelFiles, SideFiles, TokenizerFiles,
};
use avec::sampling::{GenerateOptions, Sampling};
use avec::steering::{ActivationAddition, PadMethod, XVector, x_vector};
use avec::{RunContext, Source};

use crate::grammar::Grammar;

const SEEDS: usize = 50;

/// An x-vector, a prompt, and the word list that steered texts should use.
struct Experiment {
    prompt1: &'static str,
    prompt2: &'static str,
    prompt: &'static str,
    goal: Goal,
}

#[derive(Clone, Copy)]
enum Goal {
    Positive,
    Negative,
    Words(&'static str),
}

const EXPERIMENTS: &[Experiment] = &[
    exp("Love", "Hate", "I hate you because you're", Goal::Positive),
    exp("Love", "Hate", "I hate you because", Goal::Positive),
    exp(
        "Intent to praise",
        "Intent to hurt",
        "I want to kill you because you're such a",
        Goal::Positive,
    ),
    exp(
        "Intent to praise",
        "Intent to hurt",
        "I want to kill you because",
        Goal::Positive,
    ),
    exp("Hate", "Love", "I love you because", Goal::Negative),
    exp("Anger", "Calm", "I think you're", Goal::Negative),
    exp("Calm", "Anger", "I think you're", Goal::Positive),
    exp(
        " wedding",
        " ",
        "I went up to my friend and said",
        Goal::Words("wedding"),
    ),
    exp(
        "I talk about weddings constantly",
        "I do not talk about weddings constantly",
        "I went up to my friend and said",
        Goal::Words("wedding"),
    ),
    exp(
        "Check out my French! Je",
        "",
        "I want to kill you because",
        Goal::Words("french"),
    ),
];

const fn exp(
    prompt1: &'static str,
    prompt2: &'static str,
    prompt: &'static str,
    goal: Goal,
) -> Experiment {
    Experiment {
        prompt1,
        prompt2,
        prompt,
        goal,
    }
}

pub(crate) fn evaluate(folder: &Path, grammar: &Grammar) -> Result<()> {
    let file = |name: &str| Source::Path(folder.join(name));
    let files = ModelFiles {
        name: folder.display().to_string(),
        config: file("config.json"),
        tokenizer: TokenizerFiles::Json(file("tokenizer.json")),
        weights: vec![file("model.safetensors")],
        side: SideFiles::default(),
    };
    let model = HookedTransformer::load(&RunContext::default(), &files, &LoadOptions::default())?;
    for text in ["Love", "Hate", "Anger", "Calm", "Intent", " wedding", " "] {
        let tokens = model.tokenizer().encode(text)?;
        println!("{text:?} is {} token(s)", tokens.len());
    }
    let words = |goal: Goal, text: &str| reaches(grammar, goal, text);
    for experiment in EXPERIMENTS {
        println!(
            "\n{:?} - {:?} on {:?}",
            experiment.prompt1, experiment.prompt2, experiment.prompt
        );
        for layer in 0..model.arch().n_layers {
            let mut cells = Vec::new();
            let mut example = String::new();
            for coeff in [3.0, 5.0, 8.0] {
                let additions = x_vector(
                    &XVector {
                        prompt1: experiment.prompt1.into(),
                        prompt2: experiment.prompt2.into(),
                        coeff,
                        act_name: HookName::resid_pre(layer),
                        pad_method: Some(PadMethod::TokensRight),
                        custom_pad_id: model.tokenizer().encode(" ")?.first().copied(),
                    },
                    Some(&model),
                )?;
                let rows = run(&model, experiment.prompt, &additions)?;
                let share = |modified: bool| {
                    let reached = rows
                        .iter()
                        .filter(|row| row.is_modified == modified)
                        .filter(|row| words(experiment.goal, &row.completion))
                        .count();
                    100 * reached / SEEDS
                };
                cells.push(format!("{coeff}: {}% -> {}%", share(false), share(true)));
                if let Some(row) = rows.iter().find(|row| row.is_modified) {
                    example.clone_from(&row.completion);
                }
            }
            println!("  layer {layer}  {}   {example:?}", cells.join("   "));
        }
    }
    Ok(())
}

fn run(
    model: &HookedTransformer,
    prompt: &str,
    additions: &[ActivationAddition],
) -> Result<Vec<avec::analysis::CompletionRow>> {
    let options = CompletionOptions {
        generate: GenerateOptions {
            sampling: Sampling {
                top_p: Some(0.3),
                freq_penalty: 1.0,
                ..Sampling::default()
            },
            ..GenerateOptions::default()
        },
        ..CompletionOptions::default()
    };
    let comparison = Comparison {
        prompt,
        num_comparisons: SEEDS,
        additions: Some(additions),
    };
    let completions = n_comparisons(
        &RunContext::default(),
        model,
        &comparison,
        &options,
        &mut |_, _, _| {},
    )?;
    Ok(completions.rows().to_vec())
}

/// Whether a text reaches its goal, judged by the grammar's own word lists.
fn reaches(grammar: &Grammar, goal: Goal, text: &str) -> bool {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphabetic())
        .filter(|word| !word.is_empty())
        .collect();
    let count = |list: &str| {
        let list = grammar.words(list);
        words.iter().filter(|word| list.contains(word)).count()
    };
    match goal {
        Goal::Positive => count("positive") > count("negative"),
        Goal::Negative => count("negative") > count("positive"),
        Goal::Words("french") => 2 * count("french") > words.len() / 2,
        Goal::Words(list) => count(list) > 0,
    }
}
