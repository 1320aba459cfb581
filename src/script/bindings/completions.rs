//! Completions, steered and not, as data and as a table to read.

use rhai::plugin::*;
use rhai::{Array, Dynamic, Map};

use super::model::{AT_LEAST_ONE_IF_GIVEN, AT_LEAST_ZERO, PROBABILITY_IF_GIVEN, smaller};
use crate::analysis::{
    Comparison, CompletionOptions, CompletionRow, Completions, gen_using_activation_additions,
    n_comparisons_knowing,
};
use crate::report::{ComparisonTable, Passage, Side};
use crate::script::fault::{IntoScript, ScriptResult};
use crate::script::options::{Additions, Rule, options};
use crate::script::remembered::Remembered;
use crate::script::session::Session;
use crate::script::watch::Watch;
use crate::steering::{Injection, Location, ResidSlice};
use crate::transformer::{GenerateOptions, HookedTransformer, Rng, Sampling};

const COMPARISONS: Rule<usize> = Rule {
    text: "1 to 10000",
    check: |n| (1..=10_000).contains(n),
};

options! {
    /// Options of `gen_using_activation_additions` and `gen_using_model`.
    pub struct GenUsing {
        /// The model that writes.
        model: HookedTransformer;
        /// The texts to go on from.
        prompt_batch: Vec<String>;
        /// What steers: one addition, an x-vector, or an array of such.
        activation_additions: Option<Additions>;
        /// How many tokens to add.
        tokens_to_generate: usize = 40;
        /// The same seed gives the same texts.
        seed: u64 = 0;
        /// "row" gives every row its own stream; "torch" draws what the Python original draws.
        rng: Rng = "row";
        /// 0 takes the most likely token every time; more makes texts more surprising.
        temperature: f64 = 1.0, where AT_LEAST_ZERO;
        /// Keep only the k most likely tokens. Goes before top_p.
        top_k: Option<usize>, where AT_LEAST_ONE_IF_GIVEN;
        /// Keep the most likely tokens that have this probability together.
        top_p: Option<f64>, where PROBABILITY_IF_GIVEN;
        /// Taken from a token's logit for every time it stands in the text already.
        freq_penalty: f64 = 0.0, where AT_LEAST_ZERO;
        /// Which end of the prompt is steered.
        addition_location: Location = "front";
        /// Steer only these dimensions of the residual stream.
        res_stream_slice: Option<ResidSlice>;
        /// End a text at the end-of-text token.
        stop_at_eos: bool = true;
    }
}

options! {
    /// Options of `n_comparisons` and `print_n_comparisons`.
    pub struct NComparisons {
        /// The model that writes.
        model: HookedTransformer;
        /// The text to go on from.
        prompt: String;
        /// What steers the second side; without it there is only one side.
        activation_additions: Option<Additions>;
        /// Rows on each side.
        num_comparisons: usize = 5, where COMPARISONS;
        /// How many tokens to add.
        tokens_to_generate: usize = 40;
        /// The same seed gives the same texts.
        seed: u64 = 0;
        /// "row" gives every row its own stream; "torch" draws what the Python original draws.
        rng: Rng = "row";
        /// 0 takes the most likely token every time; more makes texts more surprising.
        temperature: f64 = 1.0, where AT_LEAST_ZERO;
        /// Keep only the k most likely tokens. Goes before top_p.
        top_k: Option<usize>, where AT_LEAST_ONE_IF_GIVEN;
        /// Keep the most likely tokens that have this probability together.
        top_p: Option<f64>, where PROBABILITY_IF_GIVEN;
        /// Taken from a token's logit for every time it stands in the text already.
        freq_penalty: f64 = 0.0, where AT_LEAST_ZERO;
        /// Which end of the prompt is steered.
        addition_location: Location = "front";
        /// Steer only these dimensions of the residual stream.
        res_stream_slice: Option<ResidSlice>;
        /// End a text at the end-of-text token.
        stop_at_eos: bool = true;
    }
}

/// The library's options, from either of the two tables, which share these names.
macro_rules! completion_options {
    ($options:expr, $losses:expr) => {
        CompletionOptions {
            generate: GenerateOptions {
                max_new_tokens: $options.tokens_to_generate,
                sampling: Sampling {
                    temperature: $options.temperature,
                    top_k: $options.top_k,
                    top_p: $options.top_p,
                    freq_penalty: $options.freq_penalty,
                },
                seed: $options.seed,
                rng: $options.rng,
                stop_at_eos: $options.stop_at_eos,
                losses: $losses,
            },
            injection: Injection {
                location: $options.addition_location,
                slice: $options.res_stream_slice,
            },
        }
    };
}

fn generate(
    ctx: &NativeCallContext,
    function: &'static str,
    map: Map,
) -> ScriptResult<Completions> {
    let options = GenUsing::decode(function, map)?;
    let additions = options
        .activation_additions
        .as_ref()
        .map_or(&[][..], |additions| &additions.0);
    Session::of(ctx)?.warn_of_bos(additions);
    let rows = options.prompt_batch.len();
    let mut watch = Watch::bar(Session::of(ctx)?, rows, options.tokens_to_generate);
    gen_using_activation_additions(
        &options.model,
        &options.prompt_batch,
        additions,
        &completion_options!(options, true),
        &mut |arm, row, token| watch.token(arm, row, token),
    )
    .map_err(|error| smaller(error, "tokens_to_generate"))
    .script()
}

/// `losses` are left out where nobody can see them.
fn compare(
    ctx: &NativeCallContext,
    function: &'static str,
    map: Map,
    losses: bool,
) -> ScriptResult<Completions> {
    let options = NComparisons::decode(function, map)?;
    let session = Session::of(ctx)?;
    let additions = options.activation_additions.as_ref();
    if let Some(additions) = additions {
        session.warn_of_bos(&additions.0);
    }
    let comparison = Comparison {
        prompt: &options.prompt,
        num_comparisons: options.num_comparisons,
        additions: additions.map(|additions| additions.0.as_slice()),
    };
    let how = completion_options!(options, losses);
    let last = session.last_comparison();
    let known = last
        .as_ref()
        .map(|last| last.known(&options.model, &comparison, &how))
        .unwrap_or_default();
    let texts = |rows: &[CompletionRow]| rows.iter().map(|row| row.completion.clone()).collect();
    let mut sides = vec![(UNSTEERED, texts(known.unsteered))];
    if additions.is_some() {
        sides.push((STEERED, texts(known.steered)));
    }
    let mut watch = Watch::comparison(
        session.clone(),
        &options.model,
        &options.prompt,
        &sides,
        options.num_comparisons,
        options.tokens_to_generate,
    );
    let table = n_comparisons_knowing(
        &options.model,
        &comparison,
        &how,
        known,
        &mut |arm, row, token| watch.token(arm, row, token),
    )
    .map_err(|error| smaller(error, "tokens_to_generate"))
    .script()?;
    session.remember(|| {
        let additions = additions.map(|additions| additions.0.clone());
        Remembered::new(
            options.prompt.clone(),
            options.num_comparisons,
            additions,
            how,
            table.clone(),
        )
    });
    Ok(table)
}

const UNSTEERED: &str = "Unsteered completions";
const STEERED: &str = "Steered completions";

/// The table side by side, as lines.
pub fn drawn(session: &Session, table: &Completions) -> String {
    let side = |title: &str, modified: bool| Side {
        title: title.to_owned(),
        passages: table
            .filter(|row| row.is_modified == modified)
            .into_iter()
            .map(|row| Passage {
                prompt: row.prompt.clone(),
                completion: row.completion.clone(),
            })
            .collect(),
    };
    let sides = [side(UNSTEERED, false), side(STEERED, true)];
    let table = ComparisonTable {
        sides: sides
            .into_iter()
            .filter(|side| !side.passages.is_empty())
            .collect(),
    };
    let output = &session.output;
    table.lines(output.width(), output.painter).join("\n")
}

/// The rows of a table as maps.
pub fn completion_maps(table: &Completions) -> ScriptResult<Array> {
    let clean = table.clean_losses().script()?;
    Ok(table
        .rows()
        .iter()
        .zip(clean)
        .map(|(row, clean)| {
            let mut map = Map::new();
            map.insert("prompts".into(), Dynamic::from(row.prompt.clone()));
            map.insert("completions".into(), Dynamic::from(row.completion.clone()));
            map.insert("loss".into(), Dynamic::from(f64::from(row.loss)));
            map.insert("clean_loss".into(), Dynamic::from(f64::from(*clean)));
            map.insert("is_modified".into(), Dynamic::from(row.is_modified));
            Dynamic::from(map)
        })
        .collect())
}

#[export_module]
pub mod functions {
    /// Completes each prompt of a batch under additions, and gives a table: prompts, completions,
    /// loss (under the steered model), clean_loss (under the unsteered one), is_modified.
    ///
    /// ```rhai
    /// let model = load_model("demo");
    /// let table = gen_using_activation_additions(#{
    ///     model: model, prompt_batch: ["I hate you because", "I think you're"],
    ///     activation_additions: x_vector(#{ prompt1: "Love", prompt2: "Hate", coeff: 5, act_name: 1 }),
    ///     tokens_to_generate: 10, top_p: 0.3,
    /// });
    /// for row in table.to_array() { print(row.completions); }
    /// ```
    #[rhai_fn(name = "gen_using_activation_additions", return_raw)]
    pub fn gen_using_additions(ctx: NativeCallContext, options: Map) -> ScriptResult<Completions> {
        generate(&ctx, "gen_using_activation_additions", options)
    }

    /// Completes each prompt of a batch with the model as it is, or under `activation_additions` if
    /// some are given. It does the same as gen_using_activation_additions.
    ///
    /// ```rhai
    /// let table = gen_using_model(#{ model: load_model("demo"), prompt_batch: ["I think"], tokens_to_generate: 5 });
    /// print(table.len());
    /// ```
    #[rhai_fn(name = "gen_using_model", return_raw)]
    pub fn gen_using_model(ctx: NativeCallContext, options: Map) -> ScriptResult<Completions> {
        generate(&ctx, "gen_using_model", options)
    }

    /// Completes one prompt several times, unsteered and steered, as a table. Row i of both sides
    /// draws the same numbers, so that what differs comes from the steering.
    ///
    /// ```rhai
    /// let table = n_comparisons(#{
    ///     model: load_model("demo"), prompt: "I hate you because", num_comparisons: 2,
    ///     activation_additions: x_vector(#{ prompt1: "Love", prompt2: "Hate", coeff: 5, act_name: 1 }),
    /// });
    /// print(table.len());
    /// ```
    #[rhai_fn(name = "n_comparisons", return_raw)]
    pub fn n_comparisons_table(ctx: NativeCallContext, options: Map) -> ScriptResult<Completions> {
        compare(&ctx, "n_comparisons", options, true)
    }

    /// Completes one prompt several times, unsteered and steered, and prints both side by side.
    ///
    /// ```rhai
    /// print_n_comparisons(#{
    ///     model: load_model("demo"), prompt: "I hate you because", num_comparisons: 2,
    ///     activation_additions: x_vector(#{ prompt1: "Love", prompt2: "Hate", coeff: 5, act_name: 1 }),
    /// });
    /// ```
    #[rhai_fn(name = "print_n_comparisons", return_raw)]
    pub fn print_n_comparisons(ctx: NativeCallContext, options: Map) -> ScriptResult<()> {
        let table = compare(&ctx, "print_n_comparisons", options, false)?;
        let session = Session::of(&ctx)?;
        Ok(session.output.line(&drawn(&session, &table))?)
    }

    /// Prints a table of completions, unsteered and steered side by side.
    ///
    /// ```rhai
    /// pretty_print_completions(gen_using_model(#{ model: load_model("demo"), prompt_batch: ["I think"] }));
    /// ```
    #[rhai_fn(name = "pretty_print_completions", return_raw)]
    pub fn pretty_print(ctx: NativeCallContext, table: Completions) -> ScriptResult<()> {
        let session = Session::of(&ctx)?;
        Ok(session.output.line(&drawn(&session, &table))?)
    }

    /// The rows of a table of completions as maps, or the values of a tensor.
    ///
    /// ```rhai
    /// let model = load_model("demo");
    /// let table = gen_using_model(#{ model: model, prompt_batch: ["I think"], tokens_to_generate: 5 });
    /// print(table.to_array()[0].completions);
    /// print(model.logits("I think").softmax()[0][-1].to_array().len());
    /// ```
    #[rhai_fn(name = "to_array", return_raw, pure)]
    pub fn completions_to_array(table: &mut Completions) -> ScriptResult<Array> {
        completion_maps(table)
    }

    /// How many rows a table of completions has, or how long a tensor's first axis is.
    ///
    /// ```rhai
    /// print(load_model("demo").logits("I think")[0].len());
    /// ```
    #[rhai_fn(name = "len", get = "len", pure)]
    pub fn completions_len(table: &mut Completions) -> i64 {
        table.rows().len() as i64
    }

    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn completions_text(table: &mut Completions) -> String {
        let steered = table.filter(|row| row.is_modified).len();
        format!(
            "a table of {} completions, {steered} of them steered",
            table.rows().len()
        )
    }
}
