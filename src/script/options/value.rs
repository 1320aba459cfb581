//! What an option can be, and the plain types that can.

use rhai::{Array, Dynamic, FLOAT, INT, ImmutableString};

use crate::error::{Error, ErrorKind, Subject};
use crate::script::catalog::Expects;
use crate::script::literal::{kind_of, string_literal};
use crate::words::Words;

/// A type that an option can have.
pub(crate) trait OptionValue: Sized {
    /// What may be written.
    fn expects() -> Expects;

    /// The value, or what is wrong with it. `name` is the option's.
    fn decode(name: &str, value: Dynamic) -> Result<Self, Error>;

    /// What stands for the option being left out, unless it is required.
    fn absent() -> Option<Self> {
        None
    }

    /// The value as a script would write it, if such values have a form of their own.
    fn literal(&self) -> Option<String>;
}

pub(crate) fn wrong_type(name: &str, expected: impl ToString, value: &Dynamic) -> Error {
    ErrorKind::WrongType {
        name: name.to_owned(),
        expected: expected.to_string(),
        found: kind_of(value),
    }
    .into()
}

/// Integers and floats alike.
fn number(value: &Dynamic) -> Option<f64> {
    value
        .as_float()
        .ok()
        .or_else(|| value.as_int().ok().map(|n| n as FLOAT))
}

/// An integer, also one that is written as a float.
pub(crate) fn whole(value: &Dynamic) -> Option<INT> {
    value.as_int().ok().or_else(|| {
        let float = value.as_float().ok()?;
        (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as INT)
    })
}

/// The elements of an array, each decoded. `expected` is what the whole must be.
pub(super) fn elements<T: OptionValue>(
    name: &str,
    expected: Expects,
    value: Dynamic,
) -> Result<Vec<T>, Error> {
    let wrong = wrong_type(name, expected, &value);
    let array: Array = value.into_array().map_err(|_| wrong)?;
    let each = array.into_iter().enumerate();
    each.map(|(i, item)| {
        T::decode(&format!("{name}[{i}]"), item)
            .map_err(|error| error.about_one(Subject::Element, i))
    })
    .collect()
}

impl<T: OptionValue> OptionValue for Option<T> {
    fn expects() -> Expects {
        T::expects()
    }

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        T::decode(name, value).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn literal(&self) -> Option<String> {
        self.as_ref().and_then(T::literal)
    }
}

impl OptionValue for String {
    fn expects() -> Expects {
        Expects::String
    }

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        match value.read_lock::<ImmutableString>() {
            Some(text) => Ok(text.to_string()),
            None => Err(wrong_type(name, Self::expects(), &value)),
        }
    }

    fn literal(&self) -> Option<String> {
        Some(string_literal(self))
    }
}

/// An array of strings; a single string stands for an array of one.
impl OptionValue for Vec<String> {
    fn expects() -> Expects {
        Expects::Strings
    }

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        if value.is_string() {
            return Ok(vec![String::decode(name, value)?]);
        }
        elements(name, Self::expects(), value)
    }

    fn literal(&self) -> Option<String> {
        let texts: Vec<String> = self.iter().map(|text| string_literal(text)).collect();
        Some(format!("[{}]", texts.join(", ")))
    }
}

impl OptionValue for bool {
    fn expects() -> Expects {
        Expects::Bool
    }

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        value
            .as_bool()
            .map_err(|_| wrong_type(name, Self::expects(), &value))
    }

    fn literal(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl OptionValue for f64 {
    fn expects() -> Expects {
        Expects::Number
    }

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        number(&value).ok_or_else(|| wrong_type(name, Self::expects(), &value))
    }

    fn literal(&self) -> Option<String> {
        Some(format!("{self:?}"))
    }
}

macro_rules! whole_numbers {
    ($($type:ty),*) => {$(
        impl OptionValue for $type {
            fn expects() -> Expects {
                Expects::Whole
            }

            fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
                whole(&value)
                    .and_then(|n| Self::try_from(n).ok())
                    .ok_or_else(|| wrong_type(name, Self::expects(), &value))
            }

            fn literal(&self) -> Option<String> {
                Some(self.to_string())
            }
        }
    )*};
}

whole_numbers!(usize, u64);

/// One of some words.
impl<T: Words> OptionValue for T {
    fn expects() -> Expects {
        Expects::Words(T::WORDS)
    }

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        match value.read_lock::<ImmutableString>() {
            Some(text) => text.parse(),
            None => Err(wrong_type(name, Self::expects(), &value)),
        }
    }

    fn literal(&self) -> Option<String> {
        Some(format!("\"{self}\""))
    }
}
