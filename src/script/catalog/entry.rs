//! The entries of the catalogue: functions with their forms, parameters and options.

use std::fmt;

use super::types::Type;
use crate::error::Subject;
use crate::words::Word;

/// One documented function or property, with all its forms.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its name in scripts.
    pub name: String,
    /// The ways to call or read it.
    pub forms: Vec<Form>,
    /// The doc comment, markdown; its `rhai` blocks run on the demo model.
    pub doc: String,
    /// The option map's fields, if the function takes one.
    pub options: Vec<OptionSpec>,
}

/// One way to call a function, or to read a property.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Form {
    /// Its name in scripts.
    pub name: String,
    /// Whether it is read as a property.
    pub is_property: bool,
    /// What it takes, in order.
    pub parameters: Vec<Parameter>,
    /// What it gives.
    pub returns: Type,
    /// Whether it is rhai's own.
    pub is_standard: bool,
}

/// One parameter of a form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Type,
}

/// One option of a function.
#[derive(Debug, Clone)]
pub struct OptionSpec {
    /// The key in the option map.
    pub name: &'static str,
    /// What may be written for it.
    pub expects: Expects,
    /// What it is for, markdown.
    pub doc: &'static str,
    /// The default as a script would write it; none for required and for optional ones.
    pub default: Option<String>,
    /// Whether it must be given.
    pub required: bool,
    /// What its values must be, e.g. "0 or more".
    pub range: Option<&'static str>,
    /// The library's argument that it gives, for errors about that.
    pub about: Option<Subject>,
}

/// The options of some functions that share them.
#[derive(Debug, Clone)]
pub(crate) struct OptionTable {
    pub functions: &'static [&'static str],
    pub options: Vec<OptionSpec>,
}

/// What may be written for an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expects {
    /// `true` or `false`.
    Bool,
    /// An integer or a float.
    Number,
    /// An integer that is not negative.
    Whole,
    /// A text.
    String,
    /// An array of texts.
    Strings,
    /// One of some words, in quotes.
    Words(&'static [Word]),
    /// A token id.
    TokenId,
    /// An array of token ids.
    TokenIds,
    /// A text or an array of token ids.
    TextOrTokens,
    /// `[start, stop]`
    Slice,
    /// A hook point's name or a layer.
    HookPoint,
    /// A loaded model.
    Model,
    /// One addition or an array of them.
    Additions,
}

impl Function {
    /// Whether it can be read as a property of something.
    pub fn is_property(&self) -> bool {
        self.forms.iter().any(|form| form.is_property)
    }

    /// The first sentence of the doc.
    pub fn summary(&self) -> String {
        let paragraph = self.doc.split("\n\n").next().unwrap_or_default();
        let text = paragraph.replace('\n', " ");
        match text.find(". ") {
            Some(end) => text[..=end].to_owned(),
            None => text,
        }
    }
}

impl OptionSpec {
    /// What its values can be, said once.
    pub fn kind(&self) -> String {
        match (self.range, self.expects) {
            (Some(range), Expects::Whole) => format!("a whole number; must be {range}"),
            (Some(range), expects) => format!("{expects}; must be {range}"),
            (None, expects) => expects.to_string(),
        }
    }

    /// What it does, and what each of its words does, in lines.
    pub fn explanation(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.doc.trim().lines().map(|l| l.trim().into()).collect();
        if let Expects::Words(words) = self.expects {
            for word in words {
                let mut doc = word.doc.trim().lines().map(str::trim);
                let first = doc.next().unwrap_or_default();
                lines.push(format!("{:?}: {first}", word.text));
                lines.extend(doc.map(|line| format!("  {line}")));
            }
        }
        lines
    }
}

impl Form {
    /// The type of the first parameter, which `value.name` goes by.
    pub fn receiver(&self) -> Option<&Type> {
        self.parameters.first().map(|parameter| &parameter.kind)
    }
}

/// E.g. `x_vector(options: object map) -> array`, or `model: Model.n_layers`.
impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters: Vec<String> = self.parameters.iter().map(Parameter::to_string).collect();
        let parameters = parameters.join(", ");
        if self.is_property {
            return write!(f, "{parameters}.{}", self.name);
        }
        write!(f, "{}({parameters})", self.name)?;
        // What rhai alone has a name for says nothing.
        if self.returns == Type::UNIT || (self.is_standard && !self.returns.is_known()) {
            return Ok(());
        }
        write!(f, " -> {}", self.returns)
    }
}

/// E.g. `text: string`.
impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.kind)
    }
}

/// As it goes on from "must be".
impl fmt::Display for Expects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Words(words) => return one_of(f, words),
            Self::Bool => Type::BOOL.phrase(),
            Self::Number => Type::NUMBER.phrase(),
            Self::Whole => "a whole number, 0 or more",
            Self::String => Type::STRING.phrase(),
            Self::Strings => "an array of strings",
            Self::TokenId => "a token id",
            Self::TokenIds => "an array of token ids",
            Self::TextOrTokens => "a text, or an array of token ids",
            Self::Slice => "[start, stop]",
            Self::HookPoint => "a layer's number or a hook point's name",
            Self::Model => Type::MODEL.phrase(),
            Self::Additions => {
                return write!(f, "{}, or an array of them", Type::ADDITION.phrase());
            }
        })
    }
}

/// `"a", "b" or "c"`
fn one_of(f: &mut fmt::Formatter<'_>, words: &[Word]) -> fmt::Result {
    for (i, word) in words.iter().enumerate() {
        f.write_str(match i {
            0 => "",
            i if i + 1 == words.len() => " or ",
            _ => ", ",
        })?;
        write!(f, "{:?}", word.text)?;
    }
    Ok(())
}
