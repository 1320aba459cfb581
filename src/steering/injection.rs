//! Injection: the vectors of additions, the spans they cover, and the hooks that add them.

use std::collections::BTreeMap;
use std::ops::Range;

use candle_core::{IndexOp, Tensor};

use super::addition::ActivationAddition;
use crate::error::{Error, ErrorKind, ResidualUse, Result, Subject};
use crate::model::{HookName, HookedTransformer, Hooks};
use crate::run::RunContext;
use crate::words::words;

words! {
    /// The part of the prompt that a vector covers.
    pub enum Location: "addition location", default Front {
        /// From the first position on.
        Front = "front",
        /// Around the middle.
        Mid = "mid",
        /// Up to the last position.
        Back = "back",
    }
}

/// The span of a vector of length `vector` in a prompt of length `prompt`, which must not be
/// shorter.
pub fn span(location: Location, prompt: usize, vector: usize) -> Range<usize> {
    let start = match location {
        Location::Front => 0,
        // Half of the prompt, rounded down, less half of the vector, rounded down.
        Location::Mid => prompt / 2 - vector / 2,
        Location::Back => prompt - vector,
    };
    start..start + vector
}

/// The dimensions that are steered: `[start, stop)` of d_model. An empty slice does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResidSlice {
    /// The first dimension.
    pub start: usize,
    /// The dimension after the last.
    pub stop: usize,
}

impl ResidSlice {
    fn check(self, d_model: usize) -> Result<Self> {
        if self.start > self.stop || self.stop > d_model {
            return Err(Error::invalid(
                "res_stream_slice",
                format!("[{}, {}]", self.start, self.stop),
                format!("must be [start, stop] with 0 <= start <= stop <= {d_model}"),
            ));
        }
        Ok(self)
    }
}

/// Where in a prompt and in the residual stream vectors are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Injection {
    /// The part of the prompt.
    pub location: Location,
    /// The dimensions; `None` for all of d_model.
    pub slice: Option<ResidSlice>,
}

/// An addition's computed vector.
#[derive(Debug, Clone)]
pub struct SteeringVector {
    /// The hook point where it is added.
    pub act_name: HookName,
    /// The tokens that it was computed on.
    pub tokens: Vec<u32>,
    /// `coeff * activation`, `[1, pos, d_model]`.
    pub values: Tensor,
}

impl SteeringVector {
    /// Computes the vectors of additions on the clean model, in the additions' order. Texts of one
    /// length run in one pass, which ends after the last layer needed.
    ///
    /// # Errors
    /// If the model lacks a hook point, if an activation is not `[batch, pos, d_model]`, or as for
    /// [`HookedTransformer::logits_of`].
    pub fn compute(
        run: &RunContext,
        model: &HookedTransformer,
        additions: &[ActivationAddition],
    ) -> Result<Vec<Self>> {
        let mut by_length: BTreeMap<usize, Vec<(usize, Vec<u32>)>> = BTreeMap::new();
        for (i, addition) in additions.iter().enumerate() {
            let this = |error: Error| error.about_one(Subject::Addition, i);
            let name = addition.act_name;
            let checked = name.check_residual_width(model.arch(), ResidualUse::Steering);
            checked.map_err(this)?;
            let tokens = addition.tokens_of_run(run, model).map_err(this)?;
            model.check_tokens(&tokens).map_err(this)?;
            by_length.entry(tokens.len()).or_default().push((i, tokens));
        }
        let mut vectors: Vec<Option<Self>> = additions.iter().map(|_| None).collect();
        for texts in by_length.into_values() {
            let rows: Vec<&[u32]> = texts.iter().map(|(_, tokens)| tokens.as_slice()).collect();
            let names: Vec<HookName> = texts.iter().map(|(i, _)| additions[*i].act_name).collect();
            let activations = model.activations(run, &rows, &names)?;
            for (row, (i, tokens)) in texts.iter().enumerate() {
                let ActivationAddition {
                    act_name, coeff, ..
                } = additions[*i];
                vectors[*i] = Some(Self {
                    act_name,
                    tokens: tokens.clone(),
                    values: (activations[&act_name].i(row..row + 1)? * coeff)?,
                });
            }
        }
        Ok(vectors.into_iter().flatten().collect())
    }

    /// The number of positions it covers.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether it covers no positions.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }
}

/// Additions with computed vectors, ready for any prompt.
pub struct Steering {
    model: HookedTransformer,
    vectors: Vec<SteeringVector>,
    injection: Injection,
}

impl Steering {
    /// Computes the vectors, always on the clean model.
    ///
    /// # Errors
    /// If the slice doesn't fit d_model, or as for [`SteeringVector::compute`].
    pub fn new(
        run: &RunContext,
        model: &HookedTransformer,
        additions: &[ActivationAddition],
        injection: Injection,
    ) -> Result<Self> {
        if let Some(slice) = injection.slice {
            slice.check(model.arch().d_model)?;
        }
        Ok(Self {
            model: model.clone(),
            vectors: SteeringVector::compute(run, model, additions)?,
            injection,
        })
    }

    /// The length of the longest vector, in positions; 0 without additions.
    pub fn longest(&self) -> usize {
        self.vectors
            .iter()
            .map(SteeringVector::len)
            .max()
            .unwrap_or(0)
    }

    /// Whether vectors stay at the same positions as a text grows.
    pub fn stays_in_place(&self) -> bool {
        self.injection.location == Location::Front
    }

    /// The hooks that add the vectors to this prompt's pass, in the additions' order.
    ///
    /// A one-token prompt, which can only be BOS, is not steered, like every cached step.
    ///
    /// # Errors
    /// If a vector is longer than the prompt.
    pub fn hooks(&self, prompt: &[u32]) -> Result<Hooks<'static>> {
        let mut hooks = Hooks::none();
        if prompt.len() == 1 {
            return Ok(hooks);
        }
        let d_model = self.model.arch().d_model;
        let dims = self
            .injection
            .slice
            .map_or(0..d_model, |slice| slice.start..slice.stop);
        for (i, vector) in self.vectors.iter().enumerate() {
            if vector.len() > prompt.len() {
                return Err(Error::new(ErrorKind::VectorLongerThanPrompt {
                    act_name: vector.act_name.to_string(),
                    vector: self.model.to_str_tokens(&vector.tokens)?,
                    prompt: self.model.to_str_tokens(prompt)?,
                })
                .about_one(Subject::Addition, i));
            }
            if dims.is_empty() {
                continue;
            }
            let at = span(self.injection.location, prompt.len(), vector.len());
            // Zero outside the steered part, so one tensor addition suffices: [1, pos, d_model]
            let delta = vector
                .values
                .narrow(2, dims.start, dims.len())?
                .pad_with_zeros(2, dims.start, d_model - dims.end)?
                .pad_with_zeros(1, at.start, prompt.len() - at.end)?;
            hooks.add_to_prompt(vector.act_name, move |value, _| {
                Ok(Some(value.broadcast_add(&delta)?))
            });
        }
        Ok(hooks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_match_the_original() {
        for ((prompt, vector), expected) in [
            ((10, 4), 3..7),
            ((9, 4), 2..6),
            ((10, 3), 4..7),
            ((9, 3), 3..6),
        ] {
            assert_eq!(span(Location::Mid, prompt, vector), expected);
        }
        assert_eq!(span(Location::Front, 9, 3), 0..3);
        assert_eq!(span(Location::Back, 9, 3), 6..9);
        assert_eq!(span(Location::Mid, 4, 4), 0..4);
        assert_eq!(span(Location::Mid, 5, 5), 0..5);
    }
}
