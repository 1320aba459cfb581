//! The types that scripts know, by the names that all of avec uses for them. Written once, here.

use std::any::{TypeId, type_name};
use std::borrow::Cow;
use std::fmt;
use std::ops::{Range, RangeInclusive};

use rhai::{Array, Blob, Dynamic, Engine, FLOAT, FnPtr, INT, ImmutableString, Instant, Map};

use crate::analysis::Completions;
use crate::model::{ActivationCache, HookedTransformer};
use crate::script::script_error::ScriptError;
use crate::steering::ActivationAddition;

/// A type as scripts know it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Type(Cow<'static, str>);

/// What is known of a type.
struct Known {
    kind: Type,
    /// As in "this is ..".
    phrase: &'static str,
    /// Its name in the language of definition files.
    definition: &'static str,
    id: fn() -> TypeId,
    /// How rhai's metadata and messages write it.
    spelled: &'static [&'static str],
}

macro_rules! types {
    ($($name:ident: $kind:literal, $phrase:literal, $definition:literal, $type:ty, $spelled:expr;)*) => {
        impl Type {
            $(#[doc = concat!("`", $kind, "`")]
            pub const $name: Self = Self(Cow::Borrowed($kind));)*
        }

        const KNOWN: &[Known] = &[
            $(Known {
                kind: Type::$name,
                phrase: $phrase,
                definition: $definition,
                id: TypeId::of::<$type>,
                spelled: $spelled,
            },)*
        ];
    };
}

/// The types that are avec's own. Scripts see them by these names, also from rhai.
macro_rules! own_types {
    ($($name:ident: $kind:literal, $phrase:literal, $type:ty;)*) => {
        impl Type {
            $(#[doc = concat!("`", $kind, "`")]
            pub const $name: Self = Self(Cow::Borrowed($kind));)*
        }

        const OWN: &[Known] = &[
            $(Known {
                kind: Type::$name,
                phrase: $phrase,
                definition: $kind,
                id: TypeId::of::<$type>,
                spelled: &[$kind, stringify!($type)],
            },)*
        ];

        /// Teaches an engine the names of avec's types.
        pub(crate) fn register_types(engine: &mut Engine) {
            $(engine.register_type_with_name::<$type>($kind);)*
        }
    };
}

types! {
    ANY: "any", "a value", "?", Dynamic, &["Dynamic", "RhaiResult", "?"];
    UNIT: "()", "()", "()", (), &["()"];
    BOOL: "bool", "true or false", "bool", bool, &["bool"];
    INTEGER: "integer", "an integer", "int", INT, &["INT", "i64", "int"];
    NUMBER: "number", "a number", "float", FLOAT, &["FLOAT", "f64", "float"];
    CHAR: "char", "a char", "char", char, &["char"];
    STRING: "string", "a string", "String", ImmutableString,
        &["string", "&str", "ImmutableString", "String"];
    ARRAY: "array", "an array", "Array", Array, &["array", "Array"];
    BLOB: "blob", "a blob", "Blob", Blob, &["blob", "Blob"];
    MAP: "object map", "an object map", "Map", Map, &["map", "Map"];
    FUNCTION: "Fn", "a function", "Fn", FnPtr, &["Fn", "FnPtr"];
    TIMESTAMP: "timestamp", "a timestamp", "Timestamp", Instant, &["timestamp", "Instant"];
    RANGE: "range", "a range", "Range", Range<INT>,
        &["range", "ExclusiveRange", "Range<INT>", "Range<i64>"];
    INCLUSIVE_RANGE: "range=", "a range", "RangeInclusive", RangeInclusive<INT>,
        &["range=", "InclusiveRange", "RangeInclusive<INT>", "RangeInclusive<i64>"];
}

own_types! {
    MODEL: "Model", "a model", HookedTransformer;
    CACHE: "Cache", "a cache of activations", ActivationCache;
    TENSOR: "Tensor", "a tensor", candle_core::Tensor;
    ADDITION: "ActivationAddition", "an activation addition", ActivationAddition;
    COMPLETIONS: "Completions", "a table of completions", Completions;
    ERROR: "Error", "an error", ScriptError;
}

fn known() -> impl Iterator<Item = &'static Known> {
    KNOWN.iter().chain(OWN)
}

impl Type {
    /// The name that scripts see.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The type of a value.
    pub fn of(value: &Dynamic, engine: &Engine) -> Self {
        Self::by_id(value.type_id())
            .unwrap_or_else(|| Self::spelled(engine.map_type_name(value.type_name())))
    }

    /// The type of a value. One that the program registered goes by its name in Rust.
    pub fn of_value(value: &Dynamic) -> Self {
        Self::by_id(value.type_id()).unwrap_or_else(|| Self::spelled(value.type_name()))
    }

    pub(super) fn by_id(id: TypeId) -> Option<Self> {
        let known = known().find(|known| (known.id)() == id);
        known.map(|known| known.kind.clone())
    }

    /// The type that rhai writes like this. One that is none of ours keeps its name.
    pub fn spelled(text: &str) -> Self {
        let text = text.trim().trim_start_matches("&mut ");
        // "Tensor [range]" is how rhai writes an index of a wrong type.
        let text = text.split(" [").next().unwrap_or(text);
        // "&str | ImmutableString | String" is how rhai writes a string that a function could take.
        let text = text.split(" | ").next().unwrap_or(text);
        let last = text.rsplit("::").next().unwrap_or(text);
        let spelled = |known: &&Known| {
            let names = [known.kind.name()]
                .into_iter()
                .chain(known.spelled.iter().copied());
            names.into_iter().any(|name| name == text || name == last)
        };
        known().find(spelled).map_or_else(
            || Self(Cow::Owned(last.to_owned())),
            |known| known.kind.clone(),
        )
    }

    /// The type for what a function gives back, which may be an error instead.
    pub(super) fn returned(text: &str) -> Self {
        let plain: String = text.chars().filter(|c| *c != ' ').collect();
        let fallible = |known: &&Known| {
            known.spelled.iter().any(|inner| {
                ["ScriptResult", "RhaiResultOf"]
                    .iter()
                    .any(|result| plain == format!("{result}<{inner}>"))
                    || plain == format!("Result<{inner},Box<EvalAltResult>>")
            })
        };
        match known().find(fallible) {
            Some(known) => known.kind.clone(),
            None if plain.is_empty() => Self::UNIT,
            None => Self::spelled(&plain),
        }
    }

    fn known(&self) -> Option<&'static Known> {
        known().find(|known| known.kind == *self)
    }

    /// Whether scripts have a name of ours for it.
    pub fn is_known(&self) -> bool {
        self.known().is_some()
    }

    /// What a value of the type is: "an integer", "a model".
    pub fn phrase(&self) -> &'static str {
        self.known().map_or("a value", |known| known.phrase)
    }

    /// Its name with an article: "an integer", "a Model".
    pub fn with_article(&self) -> String {
        match self.0.chars().next() {
            Some(c) if "aeiou".contains(c.to_ascii_lowercase()) => format!("an {self}"),
            Some('(') | None => self.to_string(),
            Some(_) => format!("a {self}"),
        }
    }

    /// Its name in the language of definition files.
    pub(super) fn definition(&self) -> &str {
        self.known().map_or(self.name(), |known| known.definition)
    }

    /// Whether methods of this type are avec's own.
    pub fn is_own(&self) -> bool {
        OWN.iter().any(|known| known.kind == *self)
    }

    /// Whether it is a plain value, which avec's functions take but are no methods of.
    pub(super) fn is_plain(&self) -> bool {
        [
            Self::STRING,
            Self::MAP,
            Self::ARRAY,
            Self::INTEGER,
            Self::NUMBER,
        ]
        .contains(self)
    }

    /// The type that Rust knows as `T`.
    pub(crate) fn of_rust<T: 'static>() -> Self {
        Self::by_id(TypeId::of::<T>()).unwrap_or_else(|| Self::spelled(type_name::<T>()))
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl PartialEq<str> for Type {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rhai_s_spellings_are_known() {
        for (text, kind) in [
            ("i64", Type::INTEGER),
            ("&mut Model", Type::MODEL),
            ("Tensor [range]", Type::TENSOR),
            ("&str | ImmutableString | String", Type::STRING),
            ("avec::model::hooked::HookedTransformer", Type::MODEL),
            ("map", Type::MAP),
        ] {
            assert_eq!(Type::spelled(text), kind, "{text}");
        }
        assert_eq!(Type::spelled("their::own::Thing").name(), "Thing");
        assert_eq!(Type::returned("ScriptResult < Tensor >"), Type::TENSOR);
        assert_eq!(Type::returned("RhaiResultOf<INT>"), Type::INTEGER);
        assert_eq!(Type::returned(""), Type::UNIT);
    }
}
