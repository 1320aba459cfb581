//! The x-vector: one prompt's activations minus another's, as two additions.

use std::str::FromStr;

use super::addition::ActivationAddition;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{HookName, HookedTransformer};

/// How two prompts are made equally long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PadMethod {
    /// Padding after the shorter text.
    TokensRight,
    /// Padding between BOS and the shorter text.
    TokensLeft,
}

impl FromStr for PadMethod {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "tokens_right" => Ok(Self::TokensRight),
            "tokens_left" => Ok(Self::TokensLeft),
            _ => Err(ErrorKind::UnknownName {
                what: "pad method",
                name: text.to_owned(),
                known: vec!["tokens_right".into(), "tokens_left".into()],
            }
            .into()),
        }
    }
}

/// `coeff * (prompt1 - prompt2)` at `act_name`.
#[derive(Debug, Clone, PartialEq)]
pub struct XVector {
    pub prompt1: String,
    pub prompt2: String,
    pub coeff: f64,
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
    let model = model.ok_or_else(|| {
        Error::other("padding an x-vector needs its model, to know the tokens")
            .hint("add `model: model`, or leave out pad_method")
    })?;
    let pad = custom_pad_id.or(model.tokenizer().pad()).ok_or_else(|| {
        Error::other("this model's files name no token to pad with")
            .hint("name one: custom_pad_id: 0")
    })?;
    model.tokenizer().check(&[pad])?;
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
