//! Options: the object map that a function is called with, decoded into a struct.
//!
//! [`options!`] makes from one definition the struct, its table of fields, which help and reference
//! are written from, and the decoder, which reports all that is wrong with a call at once.

use rhai::{Array, Dynamic, FLOAT, INT, ImmutableString, Map};

use super::fault::Problem;
use crate::error::{Error, ErrorKind};
use crate::model::{HookName, HookedTransformer};
use crate::steering::{ActivationAddition, ResidSlice};
use crate::suggest::nearest;

/// One option of a function, for help.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    pub name: &'static str,
    /// What may be written, e.g. "number" or "array of strings".
    pub type_name: &'static str,
    pub doc: &'static str,
    /// The default as a script would write it; none for required and for optional ones.
    pub default: Option<&'static str>,
    pub required: bool,
    /// What its values must be, e.g. "0 or more"; empty if all are good.
    pub range: &'static str,
}

/// What an option's value must fulfil.
pub struct Rule<T> {
    /// Goes on from "must be".
    pub text: &'static str,
    pub check: fn(&T) -> bool,
}

/// A type that an option can have.
pub trait OptionValue: Sized {
    const TYPE: &'static str;

    /// The value, or what is wrong with it. `name` is the option's.
    fn decode(name: &str, value: Dynamic) -> Result<Self, Error>;

    /// What stands for the option being left out, unless it is required.
    fn absent() -> Option<Self> {
        None
    }
}

/// Defines a function's options. Each field is
/// `name: Type`, `name: Type = default`, and may end in `, where RULE`.
macro_rules! options {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $(
                $(#[doc = $doc:literal])+
                $field:ident : $type:ty $(= $default:literal)? $(, where $rule:path)? ;
            )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug)]
        pub struct $name {
            $(pub $field: $type,)*
        }

        impl $name {
            pub const FIELDS: &'static [$crate::script::options::Field] = &[
                $($crate::script::options::Field {
                    name: stringify!($field),
                    type_name: <$type as $crate::script::options::OptionValue>::TYPE,
                    doc: concat!($($doc, "\n"),+),
                    default: $crate::script::options::options!(@text $($default)?),
                    required: $crate::script::options::options!(@required $type $(, $default)?),
                    range: $crate::script::options::options!(@range $($rule)?),
                },)*
            ];

            /// Reads the options of one call.
            pub fn decode(
                function: &'static str,
                map: rhai::Map,
            ) -> Result<Self, $crate::script::fault::Fault> {
                let mut decoder =
                    $crate::script::options::Decoder::new(function, Self::FIELDS, map);
                $(
                    let $field = decoder.take::<$type>(
                        stringify!($field),
                        $crate::script::options::options!(@default $type, $($default)?),
                        $crate::script::options::options!(@rule $($rule)?),
                    );
                )*
                let problems = decoder.finish();
                match ($($field,)*) {
                    ($(Some($field),)*) if problems.is_empty() => Ok(Self { $($field,)* }),
                    _ => Err($crate::script::fault::Fault { problems }),
                }
            }
        }
    };
    (@text $default:literal) => { Some(stringify!($default)) };
    (@text) => { None };
    (@required $type:ty, $default:literal) => { false };
    (@required $type:ty) => { !$crate::script::options::is_optional(stringify!($type)) };
    (@range $rule:path) => { $rule.text };
    (@range) => { "" };
    (@default $type:ty, $default:literal) => {
        Some($crate::script::options::Default::dynamic($default))
    };
    (@default $type:ty,) => { None };
    (@rule $rule:path) => { Some(&$rule) };
    (@rule) => { None };
}
pub(crate) use options;

/// A default as it is written in Rust, as the value that a script would give.
pub trait Default {
    fn dynamic(self) -> Dynamic;
}

impl Default for i32 {
    fn dynamic(self) -> Dynamic {
        Dynamic::from(INT::from(self))
    }
}

impl Default for f64 {
    fn dynamic(self) -> Dynamic {
        Dynamic::from(self)
    }
}

impl Default for bool {
    fn dynamic(self) -> Dynamic {
        Dynamic::from(self)
    }
}

impl Default for &'static str {
    fn dynamic(self) -> Dynamic {
        Dynamic::from(self)
    }
}

/// Whether a type's text is `Option<..>`; types can't be compared in constants.
pub const fn is_optional(type_text: &str) -> bool {
    let bytes = type_text.as_bytes();
    let prefix = b"Option";
    let mut i = 0;
    while i < prefix.len() {
        if i >= bytes.len() || bytes[i] != prefix[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// Takes options out of a map one by one and collects what is wrong.
pub struct Decoder {
    function: &'static str,
    fields: &'static [Field],
    map: Map,
    /// What must be given and was not, by name.
    missing: Vec<(String, Problem)>,
    problems: Vec<Problem>,
}

impl Decoder {
    pub fn new(function: &'static str, fields: &'static [Field], map: Map) -> Self {
        Self {
            function,
            fields,
            map,
            missing: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// The option's value, its default, or nothing with a problem noted.
    pub fn take<T: OptionValue>(
        &mut self,
        name: &str,
        default: Option<Dynamic>,
        rule: Option<&Rule<T>>,
    ) -> Option<T> {
        let given = self.map.remove(name);
        let optional = default.is_some() || T::absent().is_some();
        let value = match given {
            // `()` is what a script passes on for an option that it was not given itself.
            Some(value) if !(value.is_unit() && optional) => value,
            _ => match default {
                Some(default) => default,
                None if T::absent().is_some() => return T::absent(),
                None => {
                    let error = Error::other(format!("{} needs `{name}`", self.function));
                    let hint = self.fields.iter().find(|field| field.name == name);
                    let error = match hint {
                        Some(field) => error.hint(format!(
                            "{name}: {}. {}",
                            field.type_name,
                            field.doc.trim().lines().next().unwrap_or_default().trim()
                        )),
                        None => error,
                    };
                    let problem = Problem {
                        error,
                        keys: Vec::new(),
                        at_key: false,
                    };
                    self.missing.push((name.to_owned(), problem));
                    return None;
                }
            },
        };
        let written = value.clone();
        let checked = T::decode(name, value).and_then(|value| match rule {
            Some(rule) if !(rule.check)(&value) => Err(Error::invalid(
                name,
                literal(&written),
                format!("must be {}", rule.text),
            )),
            _ => Ok(value),
        });
        match checked {
            Ok(value) => Some(value),
            Err(error) => {
                self.problems.push(Problem {
                    error,
                    keys: vec![name.to_owned()],
                    at_key: false,
                });
                None
            }
        }
    }

    /// All problems; what is left in the map is unknown. An option that was misspelt is not told
    /// as missing too.
    pub fn finish(mut self) -> Vec<Problem> {
        let known: Vec<String> = self.fields.iter().map(|f| f.name.to_owned()).collect();
        let meant: Vec<&str> = self
            .map
            .keys()
            .filter_map(|key| nearest(key, &known))
            .collect();
        self.missing
            .retain(|(name, _)| !meant.contains(&name.as_str()));
        let missing = self.missing.drain(..).map(|(_, problem)| problem);
        self.problems.splice(0..0, missing);
        for key in self.map.keys() {
            let error = Error::new(ErrorKind::UnknownName {
                what: "option",
                name: key.to_string(),
                known: known.clone(),
            })
            .context(self.function);
            self.problems.push(Problem {
                error,
                keys: vec![key.to_string()],
                at_key: true,
            });
        }
        self.problems
    }
}

/// A value as a script would write it, shortened.
pub fn literal(value: &Dynamic) -> String {
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return format!("{:?}", text.as_str());
    }
    let text = value.to_string();
    if text.chars().count() > 60 {
        return format!("{}…", text.chars().take(60).collect::<String>());
    }
    text
}

/// What a value is, in a script writer's words.
pub fn kind_of(value: &Dynamic) -> String {
    match value.type_name() {
        "i64" => format!("the integer {value}"),
        "f64" => format!("the number {value}"),
        "bool" => format!("{value}"),
        "()" => "()".into(),
        "string" | "char" => format!("the string {}", literal(value)),
        "array" | "alloc::vec::Vec<rhai::types::dynamic::Dynamic>" => "an array".into(),
        "map" => "an object map".into(),
        "Fn" => "a function".into(),
        "timestamp" => "a timestamp".into(),
        name => match name.rsplit("::").next() {
            Some("HookedTransformer") => "a model".into(),
            Some("ActivationAddition") => "an activation addition".into(),
            Some("Tensor") => "a tensor".into(),
            Some("Completions") => "a table of completions".into(),
            Some("ActivationCache") => "a cache of activations".into(),
            Some("Fault") => "an error".into(),
            // "core::ops::range::Range<i64>"
            Some("Range<i64>" | "RangeInclusive<i64>") => format!("the range {value}"),
            Some("Instant") => "a timestamp".into(),
            _ if value.is_array() => "an array".into(),
            _ if value.is_map() => "an object map".into(),
            Some(last) => format!("a value of type {last}"),
            None => name.to_owned(),
        },
    }
}

pub fn wrong_type(name: &str, expected: &str, value: &Dynamic) -> Error {
    ErrorKind::WrongType {
        name: name.to_owned(),
        expected: expected.to_owned(),
        found: kind_of(value),
    }
    .into()
}

impl<T: OptionValue> OptionValue for Option<T> {
    const TYPE: &'static str = T::TYPE;

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        T::decode(name, value).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl OptionValue for String {
    const TYPE: &'static str = "a string";

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        match value.read_lock::<ImmutableString>() {
            Some(text) => Ok(text.to_string()),
            None => Err(wrong_type(name, Self::TYPE, &value)),
        }
    }
}

impl OptionValue for bool {
    const TYPE: &'static str = "true or false";

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        value
            .as_bool()
            .map_err(|_| wrong_type(name, Self::TYPE, &value))
    }
}

impl OptionValue for f64 {
    const TYPE: &'static str = "a number";

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        number(&value).ok_or_else(|| wrong_type(name, Self::TYPE, &value))
    }
}

/// Integers and floats alike.
pub fn number(value: &Dynamic) -> Option<f64> {
    value
        .as_float()
        .ok()
        .or_else(|| value.as_int().ok().map(|n| n as FLOAT))
}

impl OptionValue for usize {
    const TYPE: &'static str = "a whole number, 0 or more";

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        whole(&value)
            .and_then(|n| Self::try_from(n).ok())
            .ok_or_else(|| wrong_type(name, Self::TYPE, &value))
    }
}

impl OptionValue for u64 {
    const TYPE: &'static str = "a whole number, 0 or more";

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        whole(&value)
            .and_then(|n| Self::try_from(n).ok())
            .ok_or_else(|| wrong_type(name, Self::TYPE, &value))
    }
}

/// A token's id. What is no id at all is a wrong type; ids that are too large are the model's
/// matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenId(pub u32);

impl OptionValue for TokenId {
    const TYPE: &'static str = "a token id";

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        whole(&value)
            .and_then(|n| u32::try_from(n).ok())
            .map(Self)
            .ok_or_else(|| wrong_type(name, Self::TYPE, &value))
    }
}

/// An integer, also one that is written as a float.
pub fn whole(value: &Dynamic) -> Option<INT> {
    value.as_int().ok().or_else(|| {
        let float = value.as_float().ok()?;
        (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as INT)
    })
}

impl OptionValue for HookedTransformer {
    const TYPE: &'static str = "a model";

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        value.clone().try_cast::<Self>().ok_or_else(|| {
            wrong_type(name, Self::TYPE, &value).hint("load one: load_model(\"demo\")")
        })
    }
}

impl OptionValue for HookName {
    const TYPE: &'static str = "a layer's number or a hook point's name";

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        if let Some(text) = value.read_lock::<ImmutableString>() {
            return text.parse();
        }
        whole(&value)
            .and_then(|layer| usize::try_from(layer).ok())
            .map(Self::resid_pre)
            .ok_or_else(|| wrong_type(name, Self::TYPE, &value))
    }
}

/// Additions: one, or an array of them, which may hold x-vectors.
#[derive(Debug, Clone)]
pub struct Additions(pub Vec<ActivationAddition>);

impl OptionValue for Additions {
    const TYPE: &'static str = "an activation addition, or an array of them";

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        let mut additions = Vec::new();
        flatten(name, value, &mut additions)?;
        Ok(Self(additions))
    }
}

fn flatten(name: &str, value: Dynamic, into: &mut Vec<ActivationAddition>) -> Result<(), Error> {
    if value.is_array() {
        let array = value.into_array().unwrap_or_default();
        return array
            .into_iter()
            .try_for_each(|item| flatten(name, item, into));
    }
    match value.clone().try_cast::<ActivationAddition>() {
        Some(addition) => {
            into.push(addition);
            Ok(())
        }
        None => Err(wrong_type(name, Additions::TYPE, &value)
            .hint("make some with x_vector(#{ .. }) or ActivationAddition(#{ .. })")),
    }
}

/// An array of strings; a single string stands for an array of one.
impl OptionValue for Vec<String> {
    const TYPE: &'static str = "an array of strings";

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        if value.is_string() {
            return Ok(vec![String::decode(name, value)?]);
        }
        let wrong = wrong_type(name, Self::TYPE, &value);
        let array: Array = value.into_array().map_err(|_| wrong)?;
        array
            .into_iter()
            .enumerate()
            .map(|(i, item)| String::decode(&format!("{name}[{i}]"), item))
            .collect()
    }
}

/// Token ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenIds(pub Vec<u32>);

impl OptionValue for TokenIds {
    const TYPE: &'static str = "an array of token ids";

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        let wrong = wrong_type(name, Self::TYPE, &value);
        let array: Array = value.into_array().map_err(|_| wrong)?;
        array
            .into_iter()
            .enumerate()
            .map(|(i, item)| Ok(TokenId::decode(&format!("{name}[{i}]"), item)?.0))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl OptionValue for ResidSlice {
    const TYPE: &'static str = "[start, stop]";

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        let wrong = || wrong_type(name, "[start, stop], two whole numbers", &value);
        let array: Array = value.clone().into_array().map_err(|_| wrong())?;
        match array.as_slice() {
            [start, stop] => Ok(Self {
                start: usize::decode(&format!("{name}[0]"), start.clone())?,
                stop: usize::decode(&format!("{name}[1]"), stop.clone())?,
            }),
            _ => Err(wrong()),
        }
    }
}

/// Options that are one of some words.
macro_rules! word_option {
    ($($type:ty: $text:literal;)*) => {$(
        impl OptionValue for $type {
            const TYPE: &'static str = $text;

            fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
                match value.read_lock::<ImmutableString>() {
                    Some(text) => text.parse(),
                    None => Err(wrong_type(name, Self::TYPE, &value)),
                }
            }
        }
    )*};
}

word_option! {
    crate::steering::PadMethod: "\"tokens_right\" or \"tokens_left\"";
    crate::steering::Location: "\"front\", \"mid\" or \"back\"";
    crate::analysis::InjectionMode: "\"overlay\", \"pad\" or \"pad_remove\"";
    crate::sampling::Rng: "\"row\" or \"torch\"";
    crate::model::Processing: "\"default\" or \"none\"";
    crate::kernels::DeviceChoice: "\"cpu\", \"cuda\", \"cuda:1\", \"metal\" or \"auto\"";
}

/// A number type by name.
#[derive(Debug, Clone, Copy)]
pub struct DTypeName(pub candle_core::DType);

impl OptionValue for DTypeName {
    const TYPE: &'static str = "\"f32\", \"f16\" or \"bf16\"";

    fn decode(name: &str, value: Dynamic) -> Result<Self, Error> {
        match value.read_lock::<ImmutableString>() {
            Some(text) => crate::kernels::parse_dtype(&text).map(Self),
            None => Err(wrong_type(name, Self::TYPE, &value)),
        }
    }
}
