//! The x-vector: one prompt's activations minus another's, as two additions.

use super::addition::ActivationAddition;
use crate::error::{ErrorKind, Result, Subject};
use crate::model::{HookName, HookedTransformer};
use crate::words::words;

words! {
    /// How two prompts are made equally long.
    pub enum PadMethod: "pad method" {
        /// Pads after the shorter text.
        TokensRight = "tokens_right",
        /// Pads between BOS and the shorter text.
        TokensLeft = "tokens_left",
    }
}

/// `coeff * (prompt1 - prompt2)` at `act_name`.
#[derive(Debug, Clone, PartialEq)]
pub struct XVector {
    /// The text that is added.
    pub prompt1: String,
    /// The text that is taken away.
    pub prompt2: String,
    /// What their difference is multiplied by.
    pub coeff: f64,
    /// Where it is taken and added.
    pub act_name: HookName,
    /// None: the prompts stay prompts, and may differ in length.
    pub pad_method: Option<PadMethod>,
    /// The padding token; the tokenizer's own if none is given. 0 is a token like any other.
    pub custom_pad_id: Option<u32>,
}

/// The pair `(+coeff on prompt1, -coeff on prompt2)`. Padding needs the model's tokenizer; without
/// padding, the model may be left out.
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
    let pad = custom_pad_id.unwrap_or_else(|| model.tokenizer().pad());
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
