//! The last comparison of an interactive session: what of it need not be generated again, and the
//! call that makes it once more with one thing changed.

use std::fmt::Write;

use crate::analysis::{Comparison, CompletionOptions, CompletionRow, Completions, Known};
use crate::error::{Error, Result};
use crate::model::{HookName, HookedTransformer};
use crate::sampling::Rng;
use crate::steering::{ActivationAddition, Location, string_literal};

/// A comparison that was made.
#[derive(Clone)]
pub struct Remembered {
    pub prompt: String,
    pub num_comparisons: usize,
    pub additions: Option<Vec<ActivationAddition>>,
    pub options: CompletionOptions,
    pub table: Completions,
    /// What the coefficients are to each other, also once they are all 0.
    proportions: Vec<f64>,
}

/// One thing to change.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    Coeff(f64),
    Layer(usize),
    Seed(u64),
    Prompt(String),
    /// As many rows again as there are.
    More,
}

impl Remembered {
    pub fn new(
        prompt: String,
        num_comparisons: usize,
        additions: Option<Vec<ActivationAddition>>,
        options: CompletionOptions,
        table: Completions,
    ) -> Self {
        let proportions = additions.iter().flatten().map(|a| a.coeff).collect();
        Self {
            prompt,
            num_comparisons,
            additions,
            options,
            table,
            proportions,
        }
    }

    /// The rows that this comparison has in common with another one.
    pub fn known(
        &self,
        model: &HookedTransformer,
        comparison: &Comparison,
        options: &CompletionOptions,
    ) -> Known<'_> {
        let same_text = model.is_same(self.table.model())
            && comparison.prompt == self.prompt
            && options.generate == self.options.generate;
        if !same_text {
            return Known::default();
        }
        let same_steering = options.injection == self.options.injection
            && comparison.additions == self.additions.as_deref();
        let (unsteered, steered) = self.sides();
        Known {
            unsteered,
            steered: if same_steering { steered } else { &[] },
        }
    }

    fn sides(&self) -> (&[CompletionRow], &[CompletionRow]) {
        let rows = self.table.rows();
        rows.split_at(self.num_comparisons.min(rows.len()))
    }

    /// The comparison that follows this one. If all of its coefficients are 0, they keep the
    /// proportions that these have.
    pub fn followed_by(&self, mut next: Self) -> Self {
        let fits = next.proportions.len() == self.proportions.len();
        if fits && next.proportions.iter().all(|coeff| *coeff == 0.0) {
            next.proportions.clone_from(&self.proportions);
        }
        next
    }

    /// The script text of this comparison with one thing changed. `model` is how the script names
    /// its model.
    pub fn call(&self, change: &Change, model: &str) -> Result<String> {
        let mut next = self.clone();
        let additions = || Error::other("the last comparison had no activation_additions");
        match change {
            Change::Coeff(coeff) => {
                let steering = next.additions.as_mut().ok_or_else(additions)?;
                // The signs and proportions stay: of an x-vector the second half is the negative.
                let first = self.proportions.iter().find(|coeff| **coeff != 0.0);
                let first = first.ok_or_else(|| {
                    Error::other("the last comparison's coefficients are all 0, so there is no proportion to keep")
                })?;
                for (addition, proportion) in steering.iter_mut().zip(&self.proportions) {
                    addition.coeff = proportion / first * coeff;
                }
            }
            Change::Layer(layer) => {
                for addition in next.additions.as_mut().ok_or_else(additions)? {
                    addition.act_name = match addition.act_name.layer {
                        Some(_) => HookName::block(addition.act_name.site, *layer),
                        None => HookName::resid_pre(*layer),
                    };
                }
            }
            Change::Seed(seed) => next.options.generate.seed = *seed,
            Change::Prompt(prompt) => next.prompt.clone_from(prompt),
            Change::More => next.num_comparisons *= 2,
        }
        Ok(next.text(model))
    }

    fn text(&self, model: &str) -> String {
        let generate = &self.options.generate;
        let sampling = &generate.sampling;
        let mut out = format!(
            "print_n_comparisons(#{{\n    model: {model}, prompt: {},",
            string_literal(&self.prompt)
        );
        let mut line = |text: String| {
            let _ = write!(out, "\n    {text},");
        };
        if let Some(additions) = &self.additions {
            let list: Vec<String> = additions.iter().map(ToString::to_string).collect();
            line(format!(
                "activation_additions: [\n        {}\n    ]",
                list.join(",\n        ")
            ));
        }
        line(format!(
            "num_comparisons: {}, tokens_to_generate: {}, seed: {}",
            self.num_comparisons, generate.max_new_tokens, generate.seed
        ));
        let mut how = format!(
            "temperature: {:?}, freq_penalty: {:?}",
            sampling.temperature, sampling.freq_penalty
        );
        if let Some(top_k) = sampling.top_k {
            let _ = write!(how, ", top_k: {top_k}");
        }
        if let Some(top_p) = sampling.top_p {
            let _ = write!(how, ", top_p: {top_p:?}");
        }
        if generate.rng == Rng::Torch {
            how.push_str(", rng: \"torch\"");
        }
        if !generate.stop_at_eos {
            how.push_str(", stop_at_eos: false");
        }
        match self.options.injection.location {
            Location::Front => {}
            Location::Mid => how.push_str(", addition_location: \"mid\""),
            Location::Back => how.push_str(", addition_location: \"back\""),
        }
        if let Some(slice) = self.options.injection.slice {
            let _ = write!(how, ", res_stream_slice: [{}, {}]", slice.start, slice.stop);
        }
        line(how);
        out + "\n})"
    }
}
