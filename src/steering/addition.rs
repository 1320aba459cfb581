//! One activation addition: a prompt's activations times a coefficient, to be added somewhere.

use std::fmt;

use crate::error::{ErrorKind, Result};
use crate::transformer::{HookName, HookedTransformer};

/// What is added: the clean model's activations at `act_name` on a text, times `coeff`.
///
/// Two additions are equal when all three are equal; one made from a prompt never equals one made
/// from tokens, even of the same text.
#[derive(Debug, Clone, PartialEq)]
pub struct ActivationAddition {
    pub source: SteeringSource,
    pub coeff: f64,
    pub act_name: HookName,
}

/// The text whose activations are taken.
#[derive(Debug, Clone, PartialEq)]
pub enum SteeringSource {
    /// Tokenized with BOS in front when it is used.
    Prompt(String),
    /// Used as they are.
    Tokens(Vec<u32>),
}

impl ActivationAddition {
    /// An addition from exactly one of a prompt and tokens.
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
                return Err(ErrorKind::PromptXorTokens {
                    both: prompt.is_some(),
                }
                .into());
            }
        };
        Ok(Self {
            source,
            coeff,
            act_name,
        })
    }

    /// The tokens that the activations are taken on.
    pub fn tokens(&self, model: &HookedTransformer) -> Result<Vec<u32>> {
        match &self.source {
            SteeringSource::Prompt(prompt) => model.to_tokens(prompt),
            SteeringSource::Tokens(tokens) => Ok(tokens.clone()),
        }
    }
}

/// The hook points at which additions do not cancel at BOS, with the sum of their coefficients.
///
/// Every prompt starts with BOS, whose activation is the same for all of them and very large. An
/// x-vector takes away what it adds there; a lone addition moves the model's first position far out.
pub fn uncancelled_at_bos(additions: &[ActivationAddition]) -> Vec<(HookName, f64)> {
    let mut sums: Vec<(HookName, f64)> = Vec::new();
    for addition in additions {
        match sums.iter_mut().find(|(name, _)| *name == addition.act_name) {
            Some((_, sum)) => *sum += addition.coeff,
            None => sums.push((addition.act_name, addition.coeff)),
        }
    }
    sums.retain(|(_, sum)| *sum != 0.0);
    sums
}

/// A text as a script writes it, in quotes.
pub fn string_literal(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out + "\""
}

/// As a script would write it.
impl fmt::Display for ActivationAddition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ActivationAddition(#{ ")?;
        match &self.source {
            SteeringSource::Prompt(prompt) => write!(f, "prompt: {}", string_literal(prompt))?,
            SteeringSource::Tokens(tokens) => write!(f, "tokens: {tokens:?}")?,
        }
        write!(
            f,
            ", coeff: {}, act_name: \"{}\" }})",
            self.coeff, self.act_name
        )
    }
}
