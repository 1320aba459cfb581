//! The x-vector: the difference of two prompts' activations, as two additions.

use super::addition::ActivationAddition;
use crate::error::{Error, ErrorKind, Result, Subject};
use crate::model::{HookName, HookedTransformer};
use crate::words::words;

words! {
    /// How prompts are padded to equal length.
    pub enum PadMethod: "pad method" {
        /// Pads after the shorter text.
        TokensRight = "tokens_right",
        /// Pads between BOS and the shorter text.
        TokensLeft = "tokens_left",
    }
}

/// The options of [`x_vector`]: `coeff * (prompt1 - prompt2)` at `act_name`.
#[derive(Debug, Clone, PartialEq)]
pub struct XVector {
    /// The prompt whose activations are added.
    pub prompt1: String,
    /// The prompt whose activations are subtracted.
    pub prompt2: String,
    /// The factor of the difference.
    pub coeff: f64,
    /// The hook point where activations are taken and added.
    pub act_name: HookName,
    /// `None` keeps the prompts as they are; their lengths may differ.
    pub pad_method: Option<PadMethod>,
    /// The padding token; by default the tokenizer's own. 0 is a token like any other.
    pub custom_pad_id: Option<u32>,
}

/// The pair of additions `(+coeff on prompt1, -coeff on prompt2)`. Padding needs the model's
/// tokenizer; without padding, the model may be omitted.
///
/// Source: "Steering GPT-2-XL by adding an activation vector", which calls it x-vector.
///
/// # Errors
/// If padding is asked for without a model, or the padding token is not in the vocabulary.
///
/// ```
/// use avec::prelude::*;
///
/// let options = XVector {
///     prompt1: "Love".into(),
///     prompt2: "Hate".into(),
///     coeff: 5.0,
///     act_name: HookName::resid_pre(6),
///     pad_method: None,
///     custom_pad_id: None,
/// };
/// let [love, hate] = x_vector(&options, None)?;
/// assert_eq!((love.coeff, hate.coeff), (5.0, -5.0));
/// # Ok::<(), avec::error::Error>(())
/// ```
pub fn x_vector(
    options: &XVector,
    model: Option<&HookedTransformer>,
) -> Result<[ActivationAddition; 2]> {
    let XVector {
        prompt1,
        prompt2,
        coeff,
        act_name,
        pad_method,
        custom_pad_id,
    } = options;
    let addition =
        |prompt, tokens, coeff| ActivationAddition::new(prompt, tokens, coeff, *act_name);
    let Some(pad_method) = pad_method else {
        return Ok([
            addition(Some(prompt1.clone()), None, *coeff)?,
            addition(Some(prompt2.clone()), None, -coeff)?,
        ]);
    };
    let model = model.ok_or(ErrorKind::PaddingNeedsModel)?;
    let pad = custom_pad_id.or(model.tokenizer().pad());
    let pad = pad.ok_or_else(|| Error::new(ErrorKind::NoPadToken).about(Subject::PadToken))?;
    let checked = model.tokenizer().check(&[pad]);
    checked.map_err(|error| error.about(Subject::PadToken))?;
    let mut tokens = [model.to_tokens(prompt1)?, model.to_tokens(prompt2)?];
    let length = tokens.iter().map(Vec::len).max().unwrap_or(0);
    for tokens in &mut tokens {
        let missing = length - tokens.len();
        let at = match pad_method {
            PadMethod::TokensRight => tokens.len(),
            PadMethod::TokensLeft => 1,
        };
        tokens.splice(at..at, std::iter::repeat_n(pad, missing));
    }
    let [first, second] = tokens;
    Ok([
        addition(None, Some(first), *coeff)?,
        addition(None, Some(second), -coeff)?,
    ])
}
