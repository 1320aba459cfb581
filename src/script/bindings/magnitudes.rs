//! Sizes of steering vectors.

use rhai::plugin::*;
use rhai::{Array, Dynamic};

use super::model::hook_point;
use crate::analysis;
use crate::model::HookedTransformer;
use crate::script::options::{Additions, OptionValue};
use crate::script::script_error::{IntoScript, ScriptResult};
use crate::script::session::Session;

fn numbers(values: Vec<f32>) -> Array {
    values
        .into_iter()
        .map(|x| Dynamic::from(f64::from(x)))
        .collect()
}

fn additions(value: Dynamic) -> ScriptResult<Additions> {
    Additions::decode("additions", value).script()
}

#[allow(unreachable_pub, reason = "rhai registers public functions only")]
#[export_module]
pub mod functions {
    /// The L2 norm of the additions' sum at each position. All must be at one hook point.
    ///
    /// ```rhai
    /// let model = load_model("demo");
    /// let anger = x_vector(#{ prompt1: "Anger", prompt2: "Calm", coeff: 1, act_name: 1 });
    /// print(steering_vec_magnitudes(anger, model));
    /// ```
    #[rhai_fn(name = "steering_vec_magnitudes", return_raw)]
    pub fn steering_vec(
        ctx: NativeCallContext,
        list: Dynamic,
        model: HookedTransformer,
    ) -> ScriptResult<Array> {
        let session = Session::of(&ctx)?;
        let list = additions(list)?;
        Ok(numbers(
            analysis::steering_vec_magnitudes(&session.run, &list.list, &model).script()?,
        ))
    }

    /// The L2 norm of a prompt's own activations at each position, BOS included.
    ///
    /// ```rhai
    /// print(prompt_magnitudes("I think you're", load_model("demo"), 1));
    /// ```
    #[rhai_fn(name = "prompt_magnitudes", return_raw)]
    pub fn prompt(
        ctx: NativeCallContext,
        prompt: &str,
        model: HookedTransformer,
        act_name: Dynamic,
    ) -> ScriptResult<Array> {
        let session = Session::of(&ctx)?;
        let name = hook_point("act_name", act_name, model.arch()).script()?;
        Ok(numbers(
            analysis::prompt_magnitudes(&session.run, prompt, &model, name).script()?,
        ))
    }

    /// The additions' magnitudes divided by the prompt's own, as far as both reach.
    ///
    /// ```rhai
    /// let model = load_model("demo");
    /// let anger = x_vector(#{ prompt1: "Anger", prompt2: "Calm", coeff: 1, act_name: 1 });
    /// print(steering_magnitudes_relative_to_prompt("I think you're", anger, model));
    /// ```
    #[rhai_fn(name = "steering_magnitudes_relative_to_prompt", return_raw)]
    pub fn relative(
        ctx: NativeCallContext,
        prompt: &str,
        list: Dynamic,
        model: HookedTransformer,
    ) -> ScriptResult<Array> {
        let session = Session::of(&ctx)?;
        let list = additions(list)?;
        let ratios = analysis::steering_magnitudes_relative_to_prompt(
            &session.run,
            prompt,
            &list.list,
            &model,
        );
        Ok(numbers(ratios.script()?))
    }
}
