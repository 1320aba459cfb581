//! A single steered forward pass over a text.

use candle_core::Tensor;

use crate::error::{Result, Subject};
use crate::model::HookedTransformer;
use crate::run::RunContext;
use crate::steering::{ActivationAddition, Injection, Steering};
use crate::words::words;

words! {
    /// Whether vectors may overlap the text.
    pub enum InjectionMode: "injection mode", default Overlay {
        /// They are added over the text's own positions.
        Overlay = "overlay",
        /// Spaces are put in after BOS, one fewer than the longest vector is long, so that vectors
        /// and text don't overlap.
        Pad = "pad",
        /// The same, and the spaces' positions are cut out of the result again.
        PadRemove = "pad_remove",
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
    let logits = model
        .logits(run, &padded, steering.hooks(&padded)?)
        .map_err(|error| error.about(Subject::Prompt))?;
    if mode == InjectionMode::PadRemove && padding > 0 {
        let before = logits.narrow(1, 0, 1)?;
        let after = logits.narrow(1, 1 + padding, tokens.len() - 1)?;
        return Ok(Tensor::cat(&[before, after], 1)?);
    }
    Ok(logits)
}
