//! The library's types as options: models, hook points, additions, tokens.

use rhai::{Dynamic, ImmutableString};

use super::value::{OptionValue, elements, whole, wrong_type};
use crate::error::{Error, Subject};
use crate::model::{HookName, HookedTransformer};
use crate::script::catalog::{Expects, Type};
use crate::script::literal;
use crate::steering::{ActivationAddition, ResidSlice};

impl OptionValue for HookedTransformer {
    fn expects() -> Expects {
        Expects::Model
    }

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        value.clone().try_cast::<Self>().ok_or_else(|| {
            wrong_type(name, Self::expects(), &value).hint("load one: load_model(\"demo\")")
        })
    }

    /// Only a session knows what a script calls its models.
    fn literal(&self) -> Option<String> {
        None
    }
}

impl OptionValue for HookName {
    fn expects() -> Expects {
        Expects::HookPoint
    }

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        if let Some(text) = value.read_lock::<ImmutableString>() {
            return text.parse();
        }
        whole(&value)
            .and_then(|layer| usize::try_from(layer).ok())
            .map(Self::resid_pre)
            .ok_or_else(|| wrong_type(name, Self::expects(), &value))
    }

    fn literal(&self) -> Option<String> {
        Some(format!("\"{self}\""))
    }
}

/// Additions: one, or an array of them, which may hold x-vectors.
#[derive(Debug, Clone, Default)]
pub(crate) struct Additions {
    pub list: Vec<ActivationAddition>,
    /// For each addition, the element of the script's array that it is in; none if that is one
    /// addition.
    elements: Vec<Option<usize>>,
}

impl Additions {
    /// An error about one of the list, as one about the element of the script's array.
    pub(crate) fn as_written(&self, error: Error) -> Error {
        match error.subject() {
            Some((Subject::Addition, Some(i))) => match self.elements.get(i).copied().flatten() {
                Some(element) => error.about_one(Subject::Addition, element),
                None => error.about(Subject::Addition),
            },
            _ => error,
        }
    }

    fn collect(&mut self, name: &str, value: Dynamic, element: Option<usize>) -> Result<(), Error> {
        if value.is_array() {
            let array = value.into_array().unwrap_or_default();
            return array.into_iter().enumerate().try_for_each(|(i, item)| {
                let element = element.unwrap_or(i);
                self.collect(name, item, Some(element))
                    .map_err(|error| error.about_one(Subject::Element, element))
            });
        }
        match value.clone().try_cast::<ActivationAddition>() {
            Some(addition) => {
                self.list.push(addition);
                self.elements.push(element);
                Ok(())
            }
            None => Err(wrong_type(name, Self::expects(), &value)
                .hint("make some with x_vector(#{ .. }) or ActivationAddition(#{ .. })")),
        }
    }
}

impl OptionValue for Additions {
    fn expects() -> Expects {
        Expects::Additions
    }

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        let mut additions = Self::default();
        additions.collect(name, value, None)?;
        Ok(additions)
    }

    fn literal(&self) -> Option<String> {
        Some(literal::additions(&self.list))
    }
}

/// A token's id. What is no id at all is a wrong type; whether it is in the vocabulary only a model
/// knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenId(pub u32);

impl OptionValue for TokenId {
    fn expects() -> Expects {
        Expects::TokenId
    }

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        whole(&value)
            .and_then(|n| u32::try_from(n).ok())
            .map(Self)
            .ok_or_else(|| wrong_type(name, Self::expects(), &value))
    }

    fn literal(&self) -> Option<String> {
        Some(self.0.to_string())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenIds(pub Vec<u32>);

impl OptionValue for TokenIds {
    fn expects() -> Expects {
        Expects::TokenIds
    }

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        let ids: Vec<TokenId> = elements(name, Self::expects(), value)?;
        Ok(Self(ids.into_iter().map(|id| id.0).collect()))
    }

    fn literal(&self) -> Option<String> {
        Some(format!("{:?}", self.0))
    }
}

/// A text or token ids, taken apart once the model is known.
#[derive(Debug)]
pub(crate) struct AnyInput(pub Dynamic);

impl OptionValue for AnyInput {
    fn expects() -> Expects {
        Expects::TextOrTokens
    }

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        if value.is_string() || value.is_array() {
            return Ok(Self(value));
        }
        Err(wrong_type(name, Self::expects(), &value))
    }

    fn literal(&self) -> Option<String> {
        match Type::of_value(&self.0) == Type::STRING {
            true => Some(literal::string_literal(&self.0.to_string())),
            false => Some(self.0.to_string()),
        }
    }
}

impl OptionValue for ResidSlice {
    fn expects() -> Expects {
        Expects::Slice
    }

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        let expected = format!("{}, two whole numbers", Self::expects());
        let wrong = wrong_type(name, expected, &value);
        if !value.is_array() {
            return Err(wrong);
        }
        match elements::<usize>(name, Self::expects(), value)?.as_slice() {
            [start, stop] => Ok(Self {
                start: *start,
                stop: *stop,
            }),
            _ => Err(wrong),
        }
    }

    fn literal(&self) -> Option<String> {
        Some(format!("[{}, {}]", self.start, self.stop))
    }
}
