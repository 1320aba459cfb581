//! A single steered forward pass over a text.

use std::str::FromStr;

use candle_core::Tensor;

use crate::error::{Error, ErrorKind, Result};
use crate::model::HookedTransformer;
use crate::run::RunContext;
use crate::steering::{ActivationAddition, Injection, Steering};

/// Whether vectors may overlap the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InjectionMode {
    /// Adds vectors over the text's own positions.
    #[default]
    Overlay,
    /// Inserts spaces after BOS, one fewer than the length of the longest vector, so that vectors
    /// and text don't overlap.
    Pad,
    /// Like `Pad`, and removes the positions of the spaces from the result.
    PadRemove,
}

impl FromStr for InjectionMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "overlay" => Ok(Self::Overlay),
            "pad" => Ok(Self::Pad),
            "pad_remove" => Ok(Self::PadRemove),
            _ => Err(ErrorKind::UnknownName {
                what: "injection mode",
                name: text.to_owned(),
                known: vec!["overlay".into(), "pad".into(), "pad_remove".into()],
            }
            .into()),
        }
    }
}

/// Logits `[1, pos, d_vocab]` of a text under additions. `tokens` start with BOS.
///
/// # Errors
/// If a vector is longer than the text, or as for [`HookedTransformer::logits`].
pub fn forward_with_activation_additions(
    run: &RunContext,
    model: &HookedTransformer,
    tokens: &[u32],
    additions: &[ActivationAddition],
    injection: Injection,
    mode: InjectionMode,
) -> Result<Tensor> {
    let steering = Steering::new(run, model, additions, injection)?;
    let padding = match mode {
        InjectionMode::Overlay => 0,
        InjectionMode::Pad | InjectionMode::PadRemove => steering.longest().saturating_sub(1),
    };
    let mut padded = tokens.to_vec();
    if padding > 0 {
        let space = model.to_single_token(" ")?;
        let at = 1.min(padded.len());
        padded.splice(at..at, std::iter::repeat_n(space, padding));
    }
    let logits = model.logits(run, &padded, steering.hooks(&padded)?)?;
    if mode == InjectionMode::PadRemove && padding > 0 {
        let before = logits.narrow(1, 0, 1)?;
        let after = logits.narrow(1, 1 + padding, tokens.len() - 1)?;
        return Ok(Tensor::cat(&[before, after], 1)?);
    }
    Ok(logits)
}
