//! Models: loading, tokens, logits, losses, activations, generation.

use rhai::plugin::*;
use rhai::{Array, Dynamic, ImmutableString, Map};

use crate::analysis::{CompletionOptions, gen_using_activation_additions};
use crate::error::{Error, Result, Subject};
use crate::kernels::{DeviceChoice, NumberType, device_name};
use crate::model::{
    ActivationCache, Arch, HookName, HookedTransformer, Hooks, LoadOptions, NamesFilter, Processing,
};
use crate::run::RunContext;
use crate::sampling::GenerateOptions;
use crate::script::limits::Work;
use crate::script::literal::kind_of;
use crate::script::model_cache::ModelKey;
use crate::script::options::{
    CallOptions, OptionValue, Options, TokenIds, blame, options, whole, wrong_type,
};
use crate::script::script_error::{IntoScript, ScriptResult};
use crate::script::session::Session;
use crate::script::watch::Watch;
use candle_core::Tensor;

options! {
    /// Options of `load_model`.
    pub struct LoadModel for ["load_model"] {
        /// Where to compute.
        device: DeviceChoice = DeviceChoice::Cpu;
        /// The number type of the weights.
        dtype: NumberType = NumberType::F32, about NumberType;
        /// How the weights are rewritten when they are loaded.
        processing: Processing = Processing::Default;
        /// A branch, tag or commit of the model on the hub.
        revision: Option<String>;
    }
}

options! {
    /// Options of `to_tokens`.
    pub struct ToTokens for ["to_tokens"] {
        /// Whether the text starts with the BOS token.
        prepend_bos: bool = true;
    }
}

options! {
    /// Options of `generate`.
    pub struct Generate for ["generate"] {
        /// How many tokens to add.
        max_new_tokens: usize = 40, about NewTokens;
        ..generate: GenerateOptions;
    }
}

/// A text, or token ids as they are.
fn text_or_tokens(run: &RunContext, model: &HookedTransformer, input: Dynamic) -> Result<Vec<u32>> {
    if let Some(text) = input.read_lock::<ImmutableString>() {
        return model.to_tokens_of_run(run, &text, true);
    }
    if input.is_array() {
        let tokens = TokenIds::decode("tokens", input)?.0;
        model.tokenizer().check(&tokens)?;
        return Ok(tokens);
    }
    Err(wrong_type(
        "input",
        "a text or an array of token ids",
        &input,
    ))
}

/// The same for a pass of the model, which needs at least one token.
pub(super) fn tokens_to_run(
    run: &RunContext,
    model: &HookedTransformer,
    input: Dynamic,
) -> Result<Vec<u32>> {
    let tokens = text_or_tokens(run, model, input).map_err(|error| match error.subject() {
        Some((Subject::Element, Some(i))) => error.about_one(Subject::Prompt, i),
        _ => error.about(Subject::Prompt),
    })?;
    if tokens.is_empty() {
        return Err(no_tokens("input"));
    }
    Ok(tokens)
}

/// `name` is the option that holds no token ids.
pub(super) fn no_tokens(name: &str) -> Error {
    Error::invalid(name, "[]", "must have at least one token id")
        .hint("give ids as m.to_tokens(\"..\") gives them: BOS first")
}

/// Bytes that the text of a token takes in an array.
const TOKEN_TEXT: u64 = 96;

fn tokens_as_array(
    ctx: &NativeCallContext,
    model: &HookedTransformer,
    text: &str,
    prepend_bos: bool,
) -> ScriptResult<Array> {
    let run = &Session::of(ctx)?.run;
    let tokens = model.to_tokens_of_run(run, text, prepend_bos).script()?;
    let size = (tokens.len() * size_of::<Dynamic>()) as u64;
    Work::of(ctx)?.array(tokens.len(), size)?;
    let ids = tokens.iter().map(|token| Dynamic::from(i64::from(*token)));
    Ok(ids.collect())
}

/// A model's hook point by its name or the number of its layer; `argument` is for errors.
pub(super) fn hook_point(argument: &str, name: Dynamic, arch: &Arch) -> Result<HookName> {
    if let Some(text) = name.read_lock::<ImmutableString>() {
        return HookName::of_model(&text, arch);
    }
    HookName::decode(argument, name)?.check(arch)
}

/// One name or an array of names, checked against the model.
fn names(model: &HookedTransformer, value: Dynamic) -> ScriptResult<NamesFilter> {
    let list = if value.is_array() {
        value.into_array().unwrap_or_default()
    } else {
        vec![value]
    };
    list.into_iter()
        .map(|name| hook_point("names", name, model.arch()))
        .collect::<Result<Vec<_>>>()
        .map(NamesFilter::Names)
        .script()
}

fn losses(values: &[f32]) -> Array {
    values
        .iter()
        .map(|loss| Dynamic::from(f64::from(*loss)))
        .collect()
}

fn load(ctx: &NativeCallContext, id: &str, map: Map) -> ScriptResult<HookedTransformer> {
    let options = LoadModel::decode("load_model", map)?;
    let key = ModelKey {
        id: id.to_owned(),
        options: options.differing(),
    };
    let load = LoadOptions {
        processing: options.processing,
        dtype: options.dtype.into(),
        device: options.device,
        ..LoadOptions::default()
    };
    let model = Session::of(ctx)?.model(key, options.revision, &load);
    model.map_err(|error| blame::<LoadModel>(error).into())
}

#[allow(unreachable_pub, reason = "rhai registers public functions only")]
#[export_module]
pub mod functions {
    /// Loads a model: "demo", an alias such as "gpt2-xl", a hub id "org/name", or a folder.
    ///
    /// A model from the hub is downloaded once and then found in the cache. The same model asked
    /// for again in one run is not loaded twice.
    ///
    /// ```rhai
    /// let model = load_model("demo");
    /// print(model.n_layers);
    /// ```
    #[rhai_fn(name = "load_model", return_raw)]
    pub fn load_model(ctx: NativeCallContext, id: &str) -> ScriptResult<HookedTransformer> {
        load(&ctx, id, Map::new())
    }

    #[rhai_fn(name = "load_model", return_raw)]
    pub fn load_model_with(
        ctx: NativeCallContext,
        id: &str,
        options: Map,
    ) -> ScriptResult<HookedTransformer> {
        load(&ctx, id, options)
    }

    /// The name that the model was loaded by.
    #[rhai_fn(get = "name", pure)]
    pub fn name(model: &mut HookedTransformer) -> String {
        model.name().to_owned()
    }

    /// The number of blocks.
    #[rhai_fn(get = "n_layers", pure)]
    pub fn n_layers(model: &mut HookedTransformer) -> i64 {
        model.arch().n_layers as i64
    }

    /// The width of the residual stream.
    #[rhai_fn(get = "d_model", pure)]
    pub fn d_model(model: &mut HookedTransformer) -> i64 {
        model.arch().d_model as i64
    }

    /// Attention heads in a block.
    #[rhai_fn(get = "n_heads", pure)]
    pub fn n_heads(model: &mut HookedTransformer) -> i64 {
        model.arch().n_heads as i64
    }

    /// The width of a head.
    #[rhai_fn(get = "d_head", pure)]
    pub fn d_head(model: &mut HookedTransformer) -> i64 {
        model.arch().d_head as i64
    }

    /// The width of the MLP.
    #[rhai_fn(get = "d_mlp", pure)]
    pub fn d_mlp(model: &mut HookedTransformer) -> i64 {
        model.arch().d_mlp as i64
    }

    /// The longest text, in tokens.
    #[rhai_fn(get = "n_ctx", pure)]
    pub fn n_ctx(model: &mut HookedTransformer) -> i64 {
        model.arch().n_ctx as i64
    }

    /// The number of tokens in the vocabulary.
    #[rhai_fn(get = "d_vocab", pure)]
    pub fn d_vocab(model: &mut HookedTransformer) -> i64 {
        model.arch().d_vocab as i64
    }

    /// Where the model computes.
    #[rhai_fn(get = "device", pure)]
    pub fn device(model: &mut HookedTransformer) -> String {
        device_name(model.device())
    }

    /// The number type of a model's weights.
    #[rhai_fn(get = "dtype", pure)]
    pub fn dtype(model: &mut HookedTransformer) -> String {
        model.dtype().as_str().to_owned()
    }

    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn model_text(model: &mut HookedTransformer) -> String {
        let config = model.arch();
        format!(
            "{}: {}, {} layers, d_model {}, {} heads, context {}, vocabulary {}, {:.1} M parameters, {} on {}",
            model.name(),
            config.family,
            config.n_layers,
            config.d_model,
            config.n_heads,
            config.n_ctx,
            config.d_vocab,
            config.parameters() as f64 / 1e6,
            model.dtype().as_str(),
            device_name(model.device()),
        )
    }

    /// The token ids of a text, BOS first.
    ///
    /// ```rhai
    /// let model = load_model("demo");
    /// print(model.to_tokens("Love"));
    /// print(model.to_tokens("Love", #{ prepend_bos: false }));
    /// ```
    #[rhai_fn(name = "to_tokens", return_raw, pure)]
    pub fn to_tokens(
        ctx: NativeCallContext,
        model: &mut HookedTransformer,
        text: &str,
    ) -> ScriptResult<Array> {
        tokens_as_array(&ctx, model, text, true)
    }

    #[rhai_fn(name = "to_tokens", return_raw, pure)]
    pub fn to_tokens_with(
        ctx: NativeCallContext,
        model: &mut HookedTransformer,
        text: &str,
        options: Map,
    ) -> ScriptResult<Array> {
        let options = ToTokens::decode("to_tokens", options)?;
        tokens_as_array(&ctx, model, text, options.prepend_bos)
    }

    /// The text of each token by itself, BOS first. Takes a text or token ids.
    ///
    /// ```rhai
    /// print(load_model("demo").to_str_tokens("I hate you"));
    /// ```
    #[rhai_fn(name = "to_str_tokens", return_raw, pure)]
    pub fn to_str_tokens(
        ctx: NativeCallContext,
        model: &mut HookedTransformer,
        text: Dynamic,
    ) -> ScriptResult<Array> {
        let tokens = text_or_tokens(&Session::of(&ctx)?.run, model, text)?;
        let work = Work::of(&ctx)?;
        work.array(tokens.len(), tokens.len() as u64 * TOKEN_TEXT)?;
        let mut texts = Array::with_capacity(tokens.len());
        for some in tokens.chunks(1000) {
            work.check()?;
            let some = model.to_str_tokens(some).script()?;
            texts.extend(some.into_iter().map(Dynamic::from));
        }
        Ok(texts)
    }

    /// The id of a text that is exactly one token; an error if it is not.
    ///
    /// ```rhai
    /// print(load_model("demo").to_single_token(" wedding"));
    /// ```
    #[rhai_fn(name = "to_single_token", return_raw, pure)]
    pub fn to_single_token(model: &mut HookedTransformer, text: &str) -> ScriptResult<i64> {
        Ok(i64::from(model.to_single_token(text).script()?))
    }

    /// The text of token ids.
    ///
    /// ```rhai
    /// let model = load_model("demo");
    /// print(model.to_string(model.to_tokens("Love")));
    /// ```
    #[rhai_fn(name = "to_string", return_raw, pure)]
    pub fn tokens_to_string(
        ctx: NativeCallContext,
        model: &mut HookedTransformer,
        ids: Dynamic,
    ) -> ScriptResult<String> {
        let tokens = if let Some(token) = whole(&ids) {
            TokenIds::decode("ids", Dynamic::from(vec![Dynamic::from(token)])).script()?
        } else {
            TokenIds::decode("ids", ids).script()?
        };
        let run = &Session::of(&ctx)?.run;
        model.to_string_of_run(run, tokens.0).script()
    }

    /// The hook points of an ordinary pass, in its order. Six more in each block are computed only
    /// when they are named: attn.hook_result, hook_attn_in, hook_q_input, hook_k_input, hook_v_input
    /// and hook_mlp_in.
    ///
    /// ```rhai
    /// print(load_model("demo").hook_names().len());
    /// ```
    #[rhai_fn(name = "hook_names", pure)]
    pub fn hook_names(model: &mut HookedTransformer) -> Array {
        let names = model.hook_names().into_iter();
        names.map(|name| Dynamic::from(name.to_string())).collect()
    }

    /// Runs the model on a text and keeps its activations: those that hook_names() lists, or those at
    /// the named hook points. Only by name it computes those of attn.hook_result, hook_attn_in,
    /// hook_q_input, hook_k_input, hook_v_input and hook_mlp_in. Names may be shorthand: "resid_pre6", "k6", "attn5".
    ///
    /// ```rhai
    /// let model = load_model("demo");
    /// let cache = model.run_with_cache("I hate you", ["resid_pre1", "blocks.1.attn.hook_pattern"]);
    /// print(cache["resid_pre1"].shape);
    /// print(cache.logits.shape);
    /// ```
    #[rhai_fn(name = "run_with_cache", return_raw, pure)]
    pub fn run_with_cache(
        ctx: NativeCallContext,
        model: &mut HookedTransformer,
        text: Dynamic,
    ) -> ScriptResult<ActivationCache> {
        let session = Session::of(&ctx)?;
        let tokens = tokens_to_run(&session.run, model, text)?;
        let cache = model.run_with_cache(&session.run, &tokens, &NamesFilter::All);
        cache.script()
    }

    #[rhai_fn(name = "run_with_cache", return_raw, pure)]
    pub fn run_with_cache_named(
        ctx: NativeCallContext,
        model: &mut HookedTransformer,
        text: Dynamic,
        wanted: Dynamic,
    ) -> ScriptResult<ActivationCache> {
        let session = Session::of(&ctx)?;
        let tokens = tokens_to_run(&session.run, model, text)?;
        let wanted = names(model, wanted)?;
        model
            .run_with_cache(&session.run, &tokens, &wanted)
            .script()
    }

    /// The logits of a text, [1, pos, d_vocab].
    ///
    /// ```rhai
    /// print(load_model("demo").logits("I hate you").shape);
    /// ```
    #[rhai_fn(name = "logits", return_raw, pure)]
    pub fn logits(
        ctx: NativeCallContext,
        model: &mut HookedTransformer,
        text: Dynamic,
    ) -> ScriptResult<Tensor> {
        let session = Session::of(&ctx)?;
        let tokens = tokens_to_run(&session.run, model, text)?;
        model.logits(&session.run, &tokens, Hooks::none()).script()
    }

    /// The mean negative log-likelihood of a text's tokens after the first.
    ///
    /// ```rhai
    /// print(load_model("demo").loss("I hate you because you're so cruel to everybody."));
    /// ```
    #[rhai_fn(name = "loss", return_raw, pure)]
    pub fn loss(
        ctx: NativeCallContext,
        model: &mut HookedTransformer,
        text: Dynamic,
    ) -> ScriptResult<f64> {
        let session = Session::of(&ctx)?;
        let tokens = tokens_to_run(&session.run, model, text)?;
        let loss = model.loss(&session.run, &tokens, Hooks::none());
        Ok(f64::from(loss.script()?))
    }

    /// The negative log-likelihood of each token after the first.
    ///
    /// ```rhai
    /// print(load_model("demo").loss_per_token("I hate you"));
    /// ```
    #[rhai_fn(name = "loss_per_token", return_raw, pure)]
    pub fn loss_per_token(
        ctx: NativeCallContext,
        model: &mut HookedTransformer,
        text: Dynamic,
    ) -> ScriptResult<Array> {
        let session = Session::of(&ctx)?;
        let tokens = tokens_to_run(&session.run, model, text)?;
        let values = model.loss_per_token(&session.run, &tokens, Hooks::none());
        Ok(losses(&values.script()?))
    }

    /// Goes on from a text: the prompt with its completion.
    ///
    /// ```rhai
    /// print(load_model("demo").generate("I love you because", #{ seed: 1, top_p: 0.3 }));
    /// ```
    #[rhai_fn(name = "generate", return_raw, pure)]
    pub fn generate(
        ctx: NativeCallContext,
        model: &mut HookedTransformer,
        text: &str,
    ) -> ScriptResult<String> {
        generate_with(ctx, model, text, Map::new())
    }

    #[rhai_fn(name = "generate", return_raw, pure)]
    pub fn generate_with(
        ctx: NativeCallContext,
        model: &mut HookedTransformer,
        text: &str,
        options: Map,
    ) -> ScriptResult<String> {
        Session::of(&ctx)?.warn_of_division(&options);
        let options = Generate::decode("generate", options)?;
        let options = CompletionOptions {
            generate: GenerateOptions {
                max_new_tokens: options.max_new_tokens,
                ..options.generate
            },
            ..CompletionOptions::default()
        };
        let prompts = [text.to_owned()];
        let session = Session::of(&ctx)?;
        let mut watch = Watch::bar(session.clone(), 1, options.generate.max_new_tokens);
        let completions = gen_using_activation_additions(
            &session.run,
            model,
            &prompts,
            &[],
            &options,
            &mut |arm, row, token| watch.token(arm, row, token),
        )
        .map_err(|error| Box::<EvalAltResult>::from(blame::<Generate>(error)))?;
        let row = &completions.rows()[0];
        Ok(format!("{}{}", row.prompt, row.completion))
    }

    /// The logits of the pass that a cache was made in, [1, pos, d_vocab].
    #[rhai_fn(get = "logits", pure)]
    pub fn cache_logits(cache: &mut ActivationCache) -> Tensor {
        cache.logits.clone()
    }

    /// The hook points that a cache holds.
    ///
    /// ```rhai
    /// print(load_model("demo").run_with_cache("I think", "k0").names());
    /// ```
    #[rhai_fn(name = "names", pure)]
    pub fn cache_names(cache: &mut ActivationCache) -> Array {
        let names = cache.names().iter();
        names.map(|name| Dynamic::from(name.to_string())).collect()
    }

    #[rhai_fn(index_get, return_raw, pure)]
    pub fn cache_get(cache: &mut ActivationCache, name: Dynamic) -> ScriptResult<Tensor> {
        if !name.is_string() && whole(&name).is_none() {
            return Err(Error::other(format!(
                "a cache is indexed with a hook point's name, not with {}",
                kind_of(&name)
            ))
            .hint("cache.names() lists those it holds")
            .into());
        }
        let name = hook_point("name", name, cache.arch()).script()?;
        Ok(cache.get(name).script()?.clone())
    }

    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn cache_text(cache: &mut ActivationCache) -> String {
        let names: Vec<String> = cache.names().iter().map(HookName::to_string).collect();
        match names.as_slice() {
            [] => "a cache without activations".into(),
            [first, .., last] if names.len() > 4 => {
                format!("a cache of {} activations, {first} to {last}", names.len())
            }
            few => format!("a cache of {}", few.join(", ")),
        }
    }
}
