//! Completions, steered and not, as data and as a table to read.

use rhai::plugin::*;
use rhai::{Array, Map};

use super::groups::Steering;
use crate::analysis::{
    Comparison, CompletionOptions, CompletionRow, Completions, gen_using_activation_additions,
    n_comparisons_knowing,
};
use crate::model::HookedTransformer;
use crate::sampling::GenerateOptions;
use crate::script::options::{CallOptions, Options, options};
use crate::script::remembered::Remembered;
use crate::script::script_error::ScriptResult;
use crate::script::session::Session;
use crate::script::table::{STEERED, UNSTEERED, completion_maps, drawn};
use crate::script::watch::Watch;

options! {
    /// Options of `gen_using_activation_additions` and `gen_using_model`.
    pub struct GenUsing for ["gen_using_activation_additions", "gen_using_model"] {
        /// The model that writes.
        model: HookedTransformer;
        /// The texts to go on from.
        prompt_batch: Vec<String>, about Prompt;
        /// How many tokens to add.
        tokens_to_generate: usize = 40, about NewTokens;
        ..steering: Steering;
        ..generate: GenerateOptions;
    }
}

options! {
    /// Options of `n_comparisons` and `print_n_comparisons`.
    pub struct NComparisons for ["n_comparisons", "print_n_comparisons"] {
        /// The model that writes.
        model: HookedTransformer;
        /// The text to go on from.
        prompt: String, about Prompt;
        /// Rows on each side.
        num_comparisons: usize = 5, where Comparison::NUM_COMPARISONS;
        /// How many tokens to add.
        tokens_to_generate: usize = 40, about NewTokens;
        ..steering: Steering;
        ..generate: GenerateOptions;
    }
}

/// The library's options. Leave out `losses` where they are not shown.
fn completion_options(
    tokens_to_generate: usize,
    generate: &GenerateOptions,
    steering: &Steering,
    losses: bool,
) -> CompletionOptions {
    CompletionOptions {
        generate: GenerateOptions {
            max_new_tokens: tokens_to_generate,
            losses,
            ..generate.clone()
        },
        injection: steering.injection,
    }
}

fn generate(
    ctx: &NativeCallContext,
    function: &'static str,
    map: Map,
) -> ScriptResult<Completions> {
    Session::of(ctx)?.warn_of_division(&map);
    let options = GenUsing::decode(function, map)?;
    let additions = options.steering.additions();
    let session = Session::of(ctx)?;
    session.warn_of_bos(additions);
    let rows = options.prompt_batch.len();
    let mut watch = Watch::bar(session.clone(), rows, options.tokens_to_generate);
    let how = completion_options(
        options.tokens_to_generate,
        &options.generate,
        &options.steering,
        true,
    );
    let table = gen_using_activation_additions(
        &session.run,
        &options.model,
        &options.prompt_batch,
        additions,
        &how,
        &mut |arm, row, token| watch.token(arm, row, token),
    );
    table.map_err(|error| options.steering.blame::<GenUsing>(error).into())
}

fn compare(
    ctx: &NativeCallContext,
    function: &'static str,
    map: Map,
    losses: bool,
) -> ScriptResult<Completions> {
    Session::of(ctx)?.warn_of_division(&map);
    let options = NComparisons::decode(function, map)?;
    let session = Session::of(ctx)?;
    let steering = &options.steering;
    session.warn_of_bos(steering.additions());
    let steers = steering.activation_additions.is_some();
    let comparison = Comparison {
        prompt: &options.prompt,
        num_comparisons: options.num_comparisons,
        additions: steers.then(|| steering.additions()),
    };
    let how = completion_options(
        options.tokens_to_generate,
        &options.generate,
        steering,
        losses,
    );
    let last = session.last_comparison();
    let known = last
        .as_ref()
        .map(|last| last.known(&options.model, &comparison, &how))
        .unwrap_or_default();
    let texts = |rows: &[CompletionRow]| rows.iter().map(|row| row.completion.clone()).collect();
    let mut sides = vec![(UNSTEERED, texts(known.unsteered))];
    if steers {
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
        &session.run,
        &options.model,
        &comparison,
        &how,
        known,
        &mut |arm, row, token| watch.token(arm, row, token),
    );
    let table =
        table.map_err(|error| Box::<EvalAltResult>::from(steering.blame::<NComparisons>(error)))?;
    session.remember(|| {
        let mut written = Vec::new();
        options.written(&mut written);
        Remembered::new(&comparison, how, table.clone(), written)
    });
    Ok(table)
}

#[allow(unreachable_pub, reason = "rhai registers public functions only")]
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
    /// draws the same numbers, so that what differs comes from the steering. Without
    /// `activation_additions` there is only the unsteered side.
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
    /// Without `activation_additions` there is only the unsteered side.
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
        Ok(session.output.painted(&drawn(&session, &table))?)
    }

    /// Prints a table of completions, unsteered and steered side by side.
    ///
    /// ```rhai
    /// pretty_print_completions(gen_using_model(#{ model: load_model("demo"), prompt_batch: ["I think"] }));
    /// ```
    #[rhai_fn(name = "pretty_print_completions", return_raw)]
    pub fn pretty_print(ctx: NativeCallContext, table: Completions) -> ScriptResult<()> {
        let session = Session::of(&ctx)?;
        Ok(session.output.painted(&drawn(&session, &table))?)
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
    pub fn completions_to_array(
        ctx: NativeCallContext,
        table: &mut Completions,
    ) -> ScriptResult<Array> {
        completion_maps(&Session::of(&ctx)?.run, table)
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
