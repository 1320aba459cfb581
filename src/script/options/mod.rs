//! Options: the object map that a function is called with, decoded into a struct.
//!
//! [`options!`] makes from one definition the struct, the entries of its options in the catalogue,
//! the decoder, which reports all that is wrong with a call at once, and the way back to text, by
//! which an interactive session repeats a call. Options that several functions share are a group:
//! an option that is added to it is an option of all of them.

mod blame;
mod call;
mod decoder;
mod value;
mod values;

pub(super) use blame::blame;
pub(super) use call::{CallOptions, Options, Written, differing};
pub(super) use decoder::{Decoder, Ruled};
pub(super) use value::{OptionValue, whole, wrong_type};
pub(super) use values::{Additions, AnyInput, TokenId, TokenIds};

/// Defines options.
///
/// `pub struct X for ["f", "g"] { .. }` are the options of the functions `f` and `g`, and
/// `pub group X { .. }` is a struct of the library, or of this layer, whose fields are options that
/// others take in with `..field: X;` at their end. Groups are flat for scripts.
///
/// Each option is `name: Type`, or `name: Type = default`. Behind it may stand `, where RULE` and
/// `, about SUBJECT`, what errors of the library call it. In a group the defaults are the struct's
/// own, and `field as name: Type` is an option that is named differently from its field.
macro_rules! options {
    (
        $(#[$meta:meta])*
        pub struct $name:ident for [$($function:literal),+] {
            $(
                $(#[doc = $doc:literal])+
                $field:ident: $type:ty $(= $default:expr)? $(, where $rule:expr)? $(, about $about:ident)?;
            )*
            $(..$group:ident: $group_type:ty;)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug)]
        #[allow(unreachable_pub, reason = "modules of functions are public to rhai's macros")]
        pub struct $name {
            $(pub $field: $type,)*
            $(pub $group: $group_type,)*
        }

        impl $crate::script::options::CallOptions for $name {
            const FUNCTIONS: &'static [&'static str] = &[$($function),+];
        }

        impl $crate::script::options::Options for $name {
            fn specs(into: &mut Vec<$crate::script::catalog::OptionSpec>) {
                use $crate::script::options::OptionValue;
                $({
                    let default: Option<$type> = options!(@default $($default)?);
                    into.push($crate::script::catalog::OptionSpec {
                        name: stringify!($field),
                        expects: <$type as OptionValue>::expects(),
                        doc: concat!($($doc, "\n"),+),
                        default: default.as_ref().and_then(OptionValue::literal),
                        required: default.is_none() && <$type as OptionValue>::absent().is_none(),
                        range: options!(@range $($rule)?),
                        about: options!(@about $($about)?),
                    });
                })*
                $(<$group_type as $crate::script::options::Options>::specs(into);)*
            }

            fn take(decoder: &mut $crate::script::options::Decoder) -> Option<Self> {
                $(
                    let $field = decoder.take::<$type>(
                        stringify!($field),
                        options!(@default $($default)?),
                        options!(@breaks $type $(, $rule)?),
                    );
                )*
                $(let $group = <$group_type as $crate::script::options::Options>::take(decoder);)*
                Some(Self {
                    $($field: $field?,)*
                    $($group: $group?,)*
                })
            }

            fn written(&self, into: &mut Vec<$crate::script::options::Written>) {
                use $crate::script::options::OptionValue;
                $({
                    let literal = OptionValue::literal(&self.$field);
                    let default: Option<$type> = options!(@default $($default)?);
                    let default = default.or_else(<$type as OptionValue>::absent);
                    into.push($crate::script::options::Written {
                        name: stringify!($field),
                        expects: <$type as OptionValue>::expects(),
                        is_default: default.is_some_and(|default| default.literal() == literal),
                        literal,
                    });
                })*
                $($crate::script::options::Options::written(&self.$group, into);)*
            }
        }
    };
    (
        pub group $name:ident {
            $(
                $(#[doc = $doc:literal])+
                $field:ident $(as $key:ident)?: $type:ty $(, where $rule:expr)? $(, about $about:ident)?;
            )*
            $(..$group:ident: $group_type:ty;)*
        }
    ) => {
        impl $crate::script::options::Options for $name {
            fn specs(into: &mut Vec<$crate::script::catalog::OptionSpec>) {
                use $crate::script::options::OptionValue;
                let default = <Self as Default>::default();
                $(into.push($crate::script::catalog::OptionSpec {
                    name: options!(@key $field $($key)?),
                    expects: <$type as OptionValue>::expects(),
                    doc: concat!($($doc, "\n"),+),
                    default: OptionValue::literal(&default.$field),
                    required: false,
                    range: options!(@range $($rule)?),
                    about: options!(@about $($about)?),
                });)*
                $(<$group_type as $crate::script::options::Options>::specs(into);)*
            }

            fn take(decoder: &mut $crate::script::options::Decoder) -> Option<Self> {
                let mut options = <Self as Default>::default();
                $(
                    let $field = decoder.take::<$type>(
                        options!(@key $field $($key)?),
                        Some(options.$field.clone()),
                        options!(@breaks $type $(, $rule)?),
                    );
                )*
                $(let $group = <$group_type as $crate::script::options::Options>::take(decoder);)*
                $(options.$field = $field?;)*
                $(options.$group = $group?;)*
                Some(options)
            }

            fn written(&self, into: &mut Vec<$crate::script::options::Written>) {
                use $crate::script::options::OptionValue;
                let default = <Self as Default>::default();
                $({
                    let literal = OptionValue::literal(&self.$field);
                    into.push($crate::script::options::Written {
                        name: options!(@key $field $($key)?),
                        expects: <$type as OptionValue>::expects(),
                        is_default: literal == OptionValue::literal(&default.$field),
                        literal,
                    });
                })*
                $($crate::script::options::Options::written(&self.$group, into);)*
            }
        }
    };
    (@default $default:expr) => { Some($default) };
    (@default) => { None };
    (@key $field:ident $key:ident) => { stringify!($key) };
    (@key $field:ident) => { stringify!($field) };
    (@range $rule:expr) => { Some($rule.text) };
    (@range) => { None };
    (@about $about:ident) => { Some($crate::error::Subject::$about) };
    (@about) => { None };
    (@breaks $type:ty, $rule:expr) => {
        |value: &$type| {
            let kept = $crate::script::options::Ruled::keeps(value, &$rule);
            (!kept).then_some($rule.text)
        }
    };
    (@breaks $type:ty) => { |_: &$type| None };
}
pub(crate) use options;

#[cfg(test)]
mod tests;
