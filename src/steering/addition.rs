//! Activation additions: a prompt's activations times a coefficient, to be added somewhere.

use crate::error::{Error, ErrorKind, Result, Subject};
use crate::model::{HookName, HookedTransformer};
use crate::rule::Rule;
use crate::run::RunContext;

/// An activation addition: the clean model's activations at `act_name` on a text, times `coeff`.
///
/// Two additions are equal if all three fields are. One made from a prompt never equals one made
/// from tokens, even of the same text. Source: Turner et al. 2023, "Activation Addition: Steering
/// Language Models Without Optimization".
///
/// ```
/// use avec::prelude::*;
///
/// let love = ActivationAddition::new(Some("Love".into()), None, 5.0, HookName::resid_pre(6))?;
/// assert_eq!(love.source, avec::steering::SteeringSource::Prompt("Love".into()));
/// # Ok::<(), avec::error::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ActivationAddition {
    /// The text whose activations are added.
    pub source: SteeringSource,
    /// The factor of the activations.
    pub coeff: f64,
    /// The hook point where activations are taken and added; `[batch, pos, d_model]`.
    pub act_name: HookName,
}

/// The text whose activations are added.
#[derive(Debug, Clone, PartialEq)]
pub enum SteeringSource {
    /// A prompt, tokenized with BOS in front when it is used.
    Prompt(String),
    /// Token ids, used as they are.
    Tokens(Vec<u32>),
}

impl ActivationAddition {
    /// The range of [`Self::coeff`].
    pub const COEFF: Rule<f64> = Rule {
        text: "a finite number",
        holds: |x| x.is_finite(),
    };

    /// An addition made from either a prompt or tokens.
    ///
    /// # Errors
    /// If both are given, or neither.
    pub fn new(
        prompt: Option<String>,
        tokens: Option<Vec<u32>>,
        coeff: f64,
        act_name: HookName,
    ) -> Result<Self> {
        let source = match (prompt, tokens) {
            (Some(prompt), None) => SteeringSource::Prompt(prompt),
            (None, Some(tokens)) => SteeringSource::Tokens(tokens),
            (prompt, _) => {
                let both = prompt.is_some();
                let error = Error::new(ErrorKind::PromptXorTokens { both });
                return Err(if both {
                    error.about(Subject::SteeringTokens)
                } else {
                    error
                });
            }
        };
        Self::COEFF.check("coeff", &coeff)?;
        Ok(Self {
            source,
            coeff,
            act_name,
        })
    }

    /// The tokens on which the activations are computed.
    ///
    /// # Errors
    /// If the prompt can't be tokenized.
    pub fn tokens(&self, model: &HookedTransformer) -> Result<Vec<u32>> {
        self.tokens_of_run(&RunContext::default(), model)
    }

    /// The same in a run, which may end while a long prompt is tokenized.
    pub(super) fn tokens_of_run(
        &self,
        run: &RunContext,
        model: &HookedTransformer,
    ) -> Result<Vec<u32>> {
        match &self.source {
            SteeringSource::Prompt(prompt) => model.to_tokens_of_run(run, prompt, true),
            SteeringSource::Tokens(tokens) => Ok(tokens.clone()),
        }
    }
}

/// The hook points at which additions do not cancel at BOS, with the sum of their coefficients to
/// six digits. Rounding errors of coefficients that cancel, as in 0.1 + 0.2 - 0.3, count as 0.
///
/// Every prompt starts with BOS, whose activation is very large and the same for all prompts. An
/// x-vector cancels there; a single addition moves the model's first position far out.
pub fn uncancelled_at_bos(additions: &[ActivationAddition]) -> Vec<(HookName, f64)> {
    // Hook point, sum of coefficients, largest coefficient.
    let mut sums: Vec<(HookName, f64, f64)> = Vec::new();
    for ActivationAddition {
        act_name, coeff, ..
    } in additions
    {
        match sums.iter_mut().find(|(name, ..)| name == act_name) {
            Some((_, sum, largest)) => {
                *sum += coeff;
                *largest = largest.max(coeff.abs());
            }
            None => sums.push((*act_name, *coeff, coeff.abs())),
        }
    }
    sums.retain(|(_, sum, largest)| sum.abs() > 1e-9 * largest);
    sums.into_iter()
        .map(|(name, sum, _)| (name, format!("{sum:.5e}").parse().unwrap_or(sum)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(coefficients: &[f64]) -> Vec<f64> {
        let additions: Vec<ActivationAddition> = coefficients
            .iter()
            .map(|coeff| ActivationAddition {
                source: SteeringSource::Prompt("Love".into()),
                coeff: *coeff,
                act_name: HookName::resid_pre(1),
            })
            .collect();
        let sums = uncancelled_at_bos(&additions).into_iter();
        sums.map(|(_, sum)| sum).collect()
    }

    #[test]
    fn coefficients_cancel_up_to_rounding() {
        assert_eq!(sums(&[0.1, 0.2, -0.3]), [0.0; 0]);
        assert_eq!(sums(&[1e6, 0.1, 0.2, -1e6, -0.3]), [0.0; 0]);
        assert_eq!(sums(&[0.0, 0.0]), [0.0; 0]);
        assert_eq!(sums(&[1e-12, 2e-12]), [3e-12]);
        assert_eq!(sums(&[5.0, -4.999]), [0.001]);
    }

    #[test]
    fn sums_are_rounded() {
        assert_eq!(sums(&[0.1, 0.2]), [0.3]);
        assert_eq!(sums(&[5.0]), [5.0]);
    }
}
