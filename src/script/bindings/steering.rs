//! Activation additions and x-vectors, and a pass under them.

use rhai::plugin::*;
use rhai::{Array, Dynamic, Map};

use super::model::{no_tokens, tokens_to_run};
use crate::analysis::{InjectionMode, forward_with_activation_additions};
use crate::error::{Error, Subject};
use crate::model::{HookName, HookedTransformer};
use crate::script::literal;
use crate::script::options::{Additions, AnyInput, CallOptions, TokenId, TokenIds, blame, options};
use crate::script::script_error::ScriptResult;
use crate::script::session::Session;
use crate::steering::{ActivationAddition, Injection, PadMethod, XVector, x_vector};
use candle_core::Tensor;

options! {
    /// Options of `ActivationAddition`.
    pub struct Addition for ["ActivationAddition"] {
        /// The text whose activations are added. Give this or tokens.
        prompt: Option<String>;
        /// Token ids whose activations are added, used as they are.
        tokens: Option<TokenIds>, about SteeringTokens;
        /// What the activations are multiplied by.
        coeff: f64, where ActivationAddition::COEFF;
        /// Where they are taken and added: a layer's number n for blocks.n.hook_resid_pre, or a
        /// hook point's name.
        act_name: HookName;
    }
}

options! {
    /// Options of `x_vector`.
    pub struct XVectorOptions for ["x_vector", "get_x_vector"] {
        /// The text that is added.
        prompt1: String;
        /// The text that is taken away.
        prompt2: String;
        /// What both are multiplied by.
        coeff: f64, where ActivationAddition::COEFF;
        /// Where: a layer's number n for blocks.n.hook_resid_pre, or a hook point's name.
        act_name: HookName, about HookPoint;
        /// The model whose tokenizer pads. Needed with pad_method.
        model: Option<HookedTransformer>;
        /// Makes both texts equally long.
        pad_method: Option<PadMethod>;
        /// The token to pad with; the tokenizer's own if none is given.
        custom_pad_id: Option<TokenId>, about PadToken;
    }
}

options! {
    /// Options of `forward_with_activation_additions`.
    pub struct Forward for ["forward_with_activation_additions"] {
        /// The model to run.
        model: HookedTransformer;
        /// A text, or token ids with BOS.
        input: AnyInput, about Prompt;
        /// What is added: one addition, an x-vector, or an array of such.
        activation_additions: Additions, about Addition;
        /// Whether vectors may overlap the text.
        injection_mode: InjectionMode = InjectionMode::Overlay;
        ..injection: Injection;
    }
}

/// In bytes.
const LONGEST_PROMPT: usize = 1_000_000;

/// `function` is the name that was called.
fn make_x_vector(
    ctx: &NativeCallContext,
    function: &'static str,
    options: Map,
) -> ScriptResult<Array> {
    Session::of(ctx)?.warn_of_division(&options);
    let options = XVectorOptions::decode(function, options)?;
    let wanted = XVector {
        prompt1: options.prompt1,
        prompt2: options.prompt2,
        coeff: options.coeff,
        act_name: options.act_name,
        pad_method: options.pad_method,
        custom_pad_id: options.custom_pad_id.map(|id| id.0),
    };
    for (name, prompt) in [("prompt1", &wanted.prompt1), ("prompt2", &wanted.prompt2)] {
        // Longer than any model's context; tokenizing it would take long.
        if prompt.len() > LONGEST_PROMPT {
            let size = format!("a text of {} bytes", prompt.len());
            return Err(Error::invalid(name, size, "must be shorter than 1 MB").into());
        }
    }
    if let Some(model) = &options.model {
        let checked = wanted.act_name.check(model.arch());
        checked.map_err(|error| blame::<XVectorOptions>(error.about(Subject::HookPoint)))?;
    }
    let pair = x_vector(&wanted, options.model.as_ref()).map_err(blame::<XVectorOptions>)?;
    Ok(pair.into_iter().map(Dynamic::from).collect())
}

#[allow(unreachable_pub, reason = "rhai registers public functions only")]
#[export_module]
pub mod functions {
    /// One activation addition: a text's activations times a coefficient.
    ///
    /// ```rhai
    /// let love = ActivationAddition(#{ prompt: "Love", coeff: 5, act_name: 1 });
    /// print(love);
    /// ```
    #[rhai_fn(name = "ActivationAddition", return_raw)]
    pub fn activation_addition(
        ctx: NativeCallContext,
        options: Map,
    ) -> ScriptResult<ActivationAddition> {
        Session::of(&ctx)?.warn_of_division(&options);
        let options = Addition::decode("ActivationAddition", options)?;
        if options
            .tokens
            .as_ref()
            .is_some_and(|tokens| tokens.0.is_empty())
        {
            return Err(blame::<Addition>(no_tokens("tokens")).into());
        }
        ActivationAddition::new(
            options.prompt,
            options.tokens.map(|tokens| tokens.0),
            options.coeff,
            options.act_name,
        )
        .map_err(|error| blame::<Addition>(error).into())
    }

    /// An x-vector: one text's activations minus another's, as an array of two additions.
    ///
    /// Without `pad_method` the texts may differ in length. With it both become tokens of one
    /// length, and then the first position, where both have BOS, is left exactly alone.
    ///
    /// ```rhai
    /// let model = load_model("demo");
    /// let love_minus_hate = x_vector(#{
    ///     prompt1: "Love", prompt2: "Hate", coeff: 5, act_name: 1,
    ///     pad_method: "tokens_right", model: model,
    /// });
    /// print(love_minus_hate);
    /// ```
    #[rhai_fn(name = "x_vector", return_raw)]
    pub fn x_vector(ctx: NativeCallContext, options: Map) -> ScriptResult<Array> {
        make_x_vector(&ctx, "x_vector", options)
    }

    /// The same as x_vector.
    ///
    /// ```rhai
    /// print(get_x_vector(#{ prompt1: "Love", prompt2: "Hate", coeff: 5, act_name: 1 }));
    /// ```
    #[rhai_fn(name = "get_x_vector", return_raw)]
    pub fn get_x_vector(ctx: NativeCallContext, options: Map) -> ScriptResult<Array> {
        make_x_vector(&ctx, "get_x_vector", options)
    }

    /// The logits of a text under additions, [1, pos, d_vocab].
    ///
    /// ```rhai
    /// let model = load_model("demo");
    /// let logits = forward_with_activation_additions(#{
    ///     model: model, input: "I hate you because",
    ///     activation_additions: x_vector(#{ prompt1: "Love", prompt2: "Hate", coeff: 5, act_name: 1 }),
    /// });
    /// print(logits.shape);
    /// ```
    #[rhai_fn(name = "forward_with_activation_additions", return_raw)]
    pub fn forward(ctx: NativeCallContext, options: Map) -> ScriptResult<Tensor> {
        let options = Forward::decode("forward_with_activation_additions", options)?;
        let session = Session::of(&ctx)?;
        session.warn_of_bos(&options.activation_additions.list);
        let session = Session::of(&ctx)?;
        let tokens = tokens_to_run(&session.run, &options.model, options.input.0)
            .map_err(blame::<Forward>)?;
        forward_with_activation_additions(
            &session.run,
            &options.model,
            &tokens,
            &options.activation_additions.list,
            options.injection,
            options.injection_mode,
        )
        .map_err(|error| blame::<Forward>(options.activation_additions.as_written(error)).into())
    }

    /// The coefficient of an addition.
    #[rhai_fn(get = "coeff", pure)]
    pub fn coeff(addition: &mut ActivationAddition) -> f64 {
        addition.coeff
    }

    /// The hook point of an addition.
    #[rhai_fn(get = "act_name", pure)]
    pub fn act_name(addition: &mut ActivationAddition) -> String {
        addition.act_name.to_string()
    }

    /// The text of an addition, or () if it is made from tokens.
    #[rhai_fn(get = "prompt", pure)]
    pub fn prompt(addition: &mut ActivationAddition) -> Dynamic {
        match &addition.source {
            crate::steering::SteeringSource::Prompt(prompt) => Dynamic::from(prompt.clone()),
            crate::steering::SteeringSource::Tokens(_) => Dynamic::UNIT,
        }
    }

    /// The token ids of an addition, or () if it is made from a text.
    #[rhai_fn(get = "tokens", pure)]
    pub fn tokens(addition: &mut ActivationAddition) -> Dynamic {
        match &addition.source {
            crate::steering::SteeringSource::Prompt(_) => Dynamic::UNIT,
            crate::steering::SteeringSource::Tokens(tokens) => {
                let ids = tokens.iter().map(|id| Dynamic::from(i64::from(*id)));
                Dynamic::from(ids.collect::<Array>())
            }
        }
    }

    #[rhai_fn(name = "==")]
    pub fn equal(a: ActivationAddition, b: ActivationAddition) -> bool {
        a == b
    }

    #[rhai_fn(name = "!=")]
    pub fn differs(a: ActivationAddition, b: ActivationAddition) -> bool {
        a != b
    }

    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn addition_text(addition: &mut ActivationAddition) -> String {
        literal::addition(addition)
    }
}
