//! The demo model serves its purpose: steering turns its texts around, and nothing else does.
//!
//! Texts are judged by the word lists of the grammar that the model was trained on.

mod support;

use avec::RunContext;
use avec::analysis::{
    Comparison, CompletionOptions, gen_using_activation_additions, n_comparisons,
};
use avec::model::{HookName, HookedTransformer, Hooks, LoadOptions};
use avec::sampling::{Arm, GenerateOptions, RowKey, Sampling};
use avec::steering::{ActivationAddition, PadMethod, Steering, SteeringVector, XVector, x_vector};
use avec::store;
use candle_core::{D, Tensor};
use rand::{Rng, SeedableRng};

const SEEDS: usize = 50;

/// Layer and coefficient of each experiment, which are the scripts' defaults.
const LOVE_HATE: (usize, f64) = (1, 3.0);
const PRAISE_HURT: (usize, f64) = (1, 8.0);
const ANGER_CALM: (usize, f64) = (1, 1.5);
const WEDDING: (usize, f64) = (1, 3.0);

fn demo() -> HookedTransformer {
    let run = RunContext::default();
    let files = store::find(&run, "demo", None).unwrap();
    HookedTransformer::load(&run, &files, &LoadOptions::default()).unwrap()
}

fn words(list: &str) -> Vec<String> {
    let grammar =
        std::fs::read_to_string(support::repository().join("assets/demo/grammar.txt")).unwrap();
    let start = grammar.find(&format!("[words.{list}]\n")).unwrap();
    let lines = grammar[start..].lines().skip(1);
    lines
        .take_while(|line| !line.trim().is_empty())
        .flat_map(str::split_whitespace)
        .map(str::to_owned)
        .collect()
}

/// The number of words of a text that are in a list.
fn count(text: &str, list: &[String]) -> usize {
    text.to_lowercase()
        .split(|c: char| !c.is_alphabetic())
        .filter(|word| list.iter().any(|known| known == word))
        .count()
}

struct Judge {
    positive: Vec<String>,
    negative: Vec<String>,
}

impl Judge {
    fn new() -> Self {
        Self {
            positive: words("positive"),
            negative: words("negative"),
        }
    }

    fn is_positive(&self, text: &str) -> bool {
        count(text, &self.positive) > count(text, &self.negative)
    }

    fn is_negative(&self, text: &str) -> bool {
        count(text, &self.negative) > count(text, &self.positive)
    }
}

fn options() -> CompletionOptions {
    CompletionOptions {
        generate: GenerateOptions {
            sampling: Sampling {
                top_p: Some(0.3),
                freq_penalty: 1.0,
                ..Sampling::default()
            },
            ..GenerateOptions::default()
        },
        ..CompletionOptions::default()
    }
}

fn pair(
    model: &HookedTransformer,
    (first, second): (&str, &str),
    coeff: f64,
    layer: usize,
) -> Vec<ActivationAddition> {
    let options = XVector {
        prompt1: first.into(),
        prompt2: second.into(),
        coeff,
        act_name: HookName::resid_pre(layer),
        pad_method: Some(PadMethod::TokensRight),
        custom_pad_id: Some(model.to_single_token(" ").unwrap()),
    };
    x_vector(&options, Some(model)).unwrap().to_vec()
}

/// Unsteered and steered completions, 50 rows each.
fn texts(
    model: &HookedTransformer,
    prompt: &str,
    additions: &[ActivationAddition],
) -> (Vec<String>, Vec<String>) {
    let comparison = Comparison {
        prompt,
        num_comparisons: SEEDS,
        additions: Some(additions),
    };
    let rows = n_comparisons(
        &RunContext::default(),
        model,
        &comparison,
        &options(),
        &mut |_, _, _| {},
    )
    .unwrap();
    let side = |modified: bool| {
        let rows = rows.filter(|row| row.is_modified == modified);
        rows.iter().map(|row| row.completion.clone()).collect()
    };
    (side(false), side(true))
}

/// The number of texts, out of 50, with a property.
fn share(texts: &[String], holds: impl Fn(&str) -> bool) -> usize {
    texts.iter().filter(|text| holds(text)).count()
}

#[test]
fn the_steering_words_are_single_tokens() {
    let model = demo();
    for word in ["Love", "Hate", "Anger", "Calm", "Intent", " wedding", " "] {
        model.to_single_token(word).unwrap();
    }
}

#[test]
fn love_minus_hate_turns_hate_around() {
    let (model, judge) = (demo(), Judge::new());
    let additions = pair(&model, ("Love", "Hate"), LOVE_HATE.1, LOVE_HATE.0);
    let (plain, steered) = texts(&model, "I hate you because you're", &additions);
    assert!(share(&plain, |t| judge.is_negative(t)) >= 45, "{plain:#?}");
    assert!(
        share(&steered, |t| judge.is_positive(t)) >= 45,
        "{steered:#?}"
    );
}

#[test]
fn praise_minus_hurt_turns_hostility_around() {
    let (model, judge) = (demo(), Judge::new());
    let words = ("Intent to praise", "Intent to hurt");
    let additions = pair(&model, words, PRAISE_HURT.1, PRAISE_HURT.0);
    let prompt = "I want to kill you because you're such a";
    let (plain, steered) = texts(&model, prompt, &additions);
    assert!(share(&plain, |t| judge.is_negative(t)) >= 45, "{plain:#?}");
    assert!(
        share(&steered, |t| judge.is_positive(t)) >= 45,
        "{steered:#?}"
    );
}

/// An open prompt, which the unsteered model completes either way.
#[test]
fn anger_and_calm_decide_an_open_text() {
    let (model, judge) = (demo(), Judge::new());
    let (layer, coeff) = ANGER_CALM;
    let side = |words| texts(&model, "I think you're", &pair(&model, words, coeff, layer));
    let (plain, angry) = side(("Anger", "Calm"));
    let (_, calm) = side(("Calm", "Anger"));
    let hostile = |texts: &[String]| share(texts, |t| judge.is_negative(t));
    assert!((10..=40).contains(&hostile(&plain)), "{plain:#?}");
    assert!(hostile(&angry) >= 40, "{angry:#?}");
    assert!(share(&calm, |t| judge.is_positive(t)) >= 45, "{calm:#?}");
}

#[test]
fn the_wedding_vector_brings_wedding_words() {
    let model = demo();
    let wedding = words("wedding");
    let additions = pair(&model, (" wedding", " "), WEDDING.1, WEDDING.0);
    let (_, steered) = texts(&model, "I went up to my friend and said", &additions);
    assert!(
        share(&steered, |t| count(t, &wedding) > 0) >= 45,
        "{steered:#?}"
    );
}

/// Random vectors of the same size at the same place do not turn texts around.
#[test]
fn random_vectors_of_the_same_size_have_no_such_effect() {
    let (model, judge) = (demo(), Judge::new());
    let (layer, coeff) = LOVE_HATE;
    let additions = pair(&model, ("Love", "Hate"), coeff, layer);
    let vectors = SteeringVector::compute(&RunContext::default(), &model, &additions).unwrap();
    let sum = (&vectors[0].values + &vectors[1].values).unwrap();
    let norms = sum
        .sqr()
        .unwrap()
        .sum_keepdim(D::Minus1)
        .unwrap()
        .sqrt()
        .unwrap();
    let prompt = model.to_tokens("I hate you because you're").unwrap();
    let mut flipped = 0;
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
    for seed in 0..SEEDS {
        let noise: Vec<f32> = (0..sum.elem_count())
            .map(|_| (0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0)
            .collect();
        let noise = Tensor::from_vec(noise, sum.dims(), model.device()).unwrap();
        let size = noise
            .sqr()
            .unwrap()
            .sum_keepdim(D::Minus1)
            .unwrap()
            .sqrt()
            .unwrap();
        let noise = noise
            .broadcast_div(&size)
            .unwrap()
            .broadcast_mul(&norms)
            .unwrap()
            .pad_with_zeros(1, 0, prompt.len() - sum.dims()[1])
            .unwrap();
        let mut hooks = Hooks::none();
        hooks.add_to_prompt(HookName::resid_pre(layer), move |x, _| {
            Ok(Some(x.broadcast_add(&noise)?))
        });
        let mut arms = [Arm {
            prompt: prompt.clone(),
            hooks,
            rows: vec![RowKey {
                run: 0,
                index: seed,
            }],
        }];
        let rows = model
            .generate(
                &RunContext::default(),
                &mut arms,
                &options().generate,
                &mut |_, _, _| {},
            )
            .unwrap();
        let text = model.to_string(&rows[0][0].tokens).unwrap();
        flipped += usize::from(judge.is_positive(&text));
    }
    assert!(
        flipped < SEEDS / 5,
        "{flipped} of {SEEDS} were turned around"
    );
}

/// A row's seed alone decides its text: generated alone, it equals the row of a batch.
#[test]
fn rows_are_the_same_alone_and_in_a_batch() {
    let model = demo();
    let additions = pair(&model, ("Love", "Hate"), LOVE_HATE.1, LOVE_HATE.0);
    let (_, steered) = texts(&model, "I hate you because you're", &additions);
    let prompts = vec!["I hate you because you're".to_owned(); 3];
    let few = gen_using_activation_additions(
        &RunContext::default(),
        &model,
        &prompts,
        &additions,
        &options(),
        &mut |_, _, _| {},
    )
    .unwrap();
    for (row, text) in few.rows().iter().zip(&steered) {
        assert_eq!(row.completion, *text);
    }
    // Nothing remains of the steering of a prompt.
    let steering = Steering::new(
        &RunContext::default(),
        &model,
        &additions,
        avec::steering::Injection::default(),
    )
    .unwrap();
    assert_eq!(steering.longest(), 2);
}
