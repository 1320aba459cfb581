//! What a struct of options can do, and the options of a call as a whole.

use rhai::Map;

use super::decoder::Decoder;
use crate::script::catalog::{Expects, OptionSpec, OptionTable};
use crate::script::script_error::ScriptError;

/// Options that are decoded together.
pub(crate) trait Options: Sized {
    /// The entries in the catalogue.
    fn specs(into: &mut Vec<OptionSpec>);

    /// Reads them; nothing if one of them is wrong, which the decoder notes.
    fn take(decoder: &mut Decoder) -> Option<Self>;

    /// The options as a script would write them.
    fn written(&self, into: &mut Vec<Written>);

    /// Those that differ from their defaults, with their values as a script would write them.
    fn differing(&self) -> Vec<(&'static str, String)> {
        let mut written = Vec::new();
        self.written(&mut written);
        differing(&written)
    }
}

/// All options of some functions.
pub(crate) trait CallOptions: Options {
    /// The functions that take them.
    const FUNCTIONS: &'static [&'static str];

    fn table() -> OptionTable {
        let mut options = Vec::new();
        Self::specs(&mut options);
        OptionTable {
            functions: Self::FUNCTIONS,
            options,
        }
    }

    /// Reads the options of one call. `function` is the name that was called.
    fn decode(function: &'static str, map: Map) -> Result<Self, ScriptError> {
        debug_assert!(Self::FUNCTIONS.contains(&function), "{function}");
        let mut decoder = Decoder::new(function, Self::table().options, map);
        let options = Self::take(&mut decoder);
        let problems = decoder.finish();
        match options {
            Some(options) if problems.is_empty() => Ok(options),
            _ => Err(problems.into()),
        }
    }
}

/// The options that differ from their defaults and can be written, with their values.
pub(crate) fn differing(written: &[Written]) -> Vec<(&'static str, String)> {
    let written = written.iter().filter(|option| !option.is_default);
    let texts = written.filter_map(|option| Some((option.name, option.literal.clone()?)));
    texts.collect()
}

/// An option of a call as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub name: &'static str,
    pub expects: Expects,
    /// The value as a script would write it; none if a value like this has no such form.
    pub literal: Option<String>,
    /// Whether leaving it out means the same.
    pub is_default: bool,
}
