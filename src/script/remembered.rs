//! The last comparison of an interactive session: the rows that need not be generated again, and the
//! call that makes it once more with one thing changed.

use super::catalog::Expects;
use super::literal::{self, string_literal};
use super::options::{Written, differing};
use super::syntax::{Brackets, TokenKind, lex, significant};
use crate::analysis::{Comparison, CompletionOptions, CompletionRow, Completions, Known};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{HookName, HookedTransformer};
use crate::steering::ActivationAddition;

/// A comparison that was made.
#[derive(Clone)]
pub struct Remembered {
    prompt: String,
    num_comparisons: usize,
    additions: Option<Vec<ActivationAddition>>,
    options: CompletionOptions,
    pub table: Completions,
    /// The options of the call as text.
    written: Vec<Written>,
    /// What the coefficients are to each other, also once they are all 0.
    proportions: Vec<f64>,
}

/// One thing to change.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The coefficient of all additions.
    Coeff(f64),
    /// The layer of all additions.
    Layer(usize),
    /// The seed.
    Seed(u64),
    /// The prompt.
    Prompt(String),
    /// As many rows again as there are.
    More,
    /// Any option of the comparison, with its value as it was typed.
    Set {
        /// The option's name.
        option: String,
        /// Its value as it was typed.
        value: String,
    },
}

impl Remembered {
    pub fn new(
        comparison: &Comparison,
        options: CompletionOptions,
        table: Completions,
        written: Vec<Written>,
    ) -> Self {
        let additions = comparison.additions.map(<[_]>::to_vec);
        let proportions = additions.iter().flatten().map(|a| a.coeff).collect();
        Self {
            prompt: comparison.prompt.to_owned(),
            num_comparisons: comparison.num_comparisons,
            additions,
            options,
            table,
            written,
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
        let mut options = vec![("model", model.to_owned())];
        options.extend(self.options());
        let (name, value) = match change {
            Change::Coeff(coeff) => ("activation_additions", self.with_coeff(*coeff)?),
            Change::Layer(layer) => ("activation_additions", self.at_layer(*layer)?),
            Change::Seed(seed) => ("seed", seed.to_string()),
            Change::Prompt(prompt) => ("prompt", string_literal(prompt)),
            Change::More => ("num_comparisons", (2 * self.num_comparisons).to_string()),
            Change::Set { option, value } => self.typed(option, value)?,
        };
        set(&mut options, name, value);
        Ok(text(&options))
    }

    /// What an option is, as `name: value`; without a name all of them, one a line. `coeff` and
    /// `layer` are those of the additions.
    pub fn dial(&self, option: Option<&str>) -> Result<String> {
        let Some(name) = option else {
            let lines: Vec<String> = self.written.iter().map(line).collect();
            return Ok(lines.join("\n"));
        };
        let of = |values: Vec<String>| {
            let mut distinct: Vec<String> = Vec::new();
            for value in values {
                if !distinct.contains(&value) {
                    distinct.push(value);
                }
            }
            format!("{name}: {}", distinct.join(", "))
        };
        match name {
            "coeff" => Ok(of(self
                .steering()?
                .iter()
                .map(|a| a.coeff.to_string())
                .collect())),
            "layer" => Ok(of(self
                .steering()?
                .iter()
                .map(|a| a.act_name.to_string())
                .collect())),
            _ => self.option(name).map(line),
        }
    }

    fn option(&self, name: &str) -> Result<&Written> {
        let names = self.written.iter().map(|option| option.name.to_owned());
        self.written
            .iter()
            .find(|option| option.name == name)
            .ok_or_else(|| {
                ErrorKind::UnknownName {
                    what: "option",
                    name: name.to_owned(),
                    known: names.collect(),
                }
                .into()
            })
    }

    fn steering(&self) -> Result<Vec<ActivationAddition>> {
        let none = || Error::other("the last comparison had no activation_additions");
        self.additions.clone().ok_or_else(none)
    }

    fn with_coeff(&self, coeff: f64) -> Result<String> {
        let mut steering = self.steering()?;
        // The signs and proportions stay: of an x-vector the second half is the negative.
        let first = self.proportions.iter().find(|coeff| **coeff != 0.0);
        let first = first.ok_or_else(|| {
            Error::other(
                "the last comparison's coefficients are all 0, so there is no proportion to keep",
            )
        })?;
        for (addition, proportion) in steering.iter_mut().zip(&self.proportions) {
            addition.coeff = proportion / first * coeff;
        }
        Ok(literal::additions(&steering))
    }

    fn at_layer(&self, layer: usize) -> Result<String> {
        let mut steering = self.steering()?;
        for addition in &mut steering {
            addition.act_name = match addition.act_name.layer {
                Some(_) => HookName::block(addition.act_name.site, layer),
                None => HookName::resid_pre(layer),
            };
        }
        Ok(literal::additions(&steering))
    }

    /// The options as text, by name. What says the same when it is left out is left out, and so is
    /// what has no text, such as a model.
    fn options(&self) -> Vec<(&'static str, String)> {
        differing(&self.written)
    }

    /// The name of an option, and the text for a value that was typed for it: texts need no quotes.
    fn typed(&self, name: &str, value: &str) -> Result<(&'static str, String)> {
        let option = self.option(name)?;
        let quoted = value.starts_with(['"', '`']) || value == "()";
        let value = match option.expects {
            Expects::Words(_) | Expects::String if !quoted => string_literal(value),
            _ => expression(name, value)?.to_owned(),
        };
        Ok((option.name, value))
    }
}

/// A value that was typed, if it is one expression, so that nothing but its option changes.
fn expression<'t>(name: &str, text: &'t str) -> Result<&'t str> {
    let tokens = lex(text);
    let own = significant(&tokens);
    let brackets = Brackets::of(own.iter().copied());
    let mut depth = 0;
    let mut wrong = None;
    for (at, token) in own.iter().enumerate() {
        if token.opens().is_some() {
            depth += 1;
        } else if token.kind == TokenKind::Close {
            if brackets.partner(at).is_none() {
                wrong = Some("this closes a bracket too many");
                break;
            }
            depth -= 1;
        } else if depth == 0 && matches!(token.of(text), "," | ";") {
            wrong = Some("this is more than one");
            break;
        }
    }
    let is_open = !brackets.unclosed().is_empty() || own.iter().any(|token| token.is_open());
    let has_comment = tokens.iter().any(|token| token.kind == TokenKind::Comment);
    let wrong = wrong
        .or(own.is_empty().then_some("this is none"))
        .or(has_comment.then_some("this has a comment"))
        .or(is_open.then_some("this is not complete"));
    match wrong {
        None => Ok(text),
        Some(wrong) => Err(
            Error::other(format!("{name} takes one value, and {wrong}: {text}")).hint(format!(
                "for example :set {name} 1, or :set alone for all options"
            )),
        ),
    }
}

/// An option with its value.
fn line(option: &Written) -> String {
    let value = match (&option.literal, option.expects) {
        (Some(literal), _) => literal.as_str(),
        (None, Expects::Model) => "a model",
        (None, _) => "not set",
    };
    format!("{}: {value}", option.name)
}

/// The call, its options in lines of a readable width.
fn text(options: &[(&str, String)]) -> String {
    let mut out = String::from("print_n_comparisons(#{");
    let mut width = usize::MAX;
    for (name, value) in options {
        let option = format!("{name}: {value},");
        let long = option.contains('\n');
        let length = option.chars().count() + 1;
        if long || width.saturating_add(length) > WIDTH {
            out.push_str("\n   ");
            width = 3;
        }
        out.push_str(&format!(" {option}"));
        width = if long { usize::MAX } else { width + length };
    }
    out + "\n})"
}

/// As wide as the scripts that people write.
const WIDTH: usize = 90;

/// Puts an option in the place of one of the same name, or behind all others.
fn set(options: &mut Vec<(&'static str, String)>, name: &'static str, value: String) {
    match options.iter_mut().find(|(known, _)| *known == name) {
        Some((_, old)) => *old = value,
        None => options.push((name, value)),
    }
}
