//! Script parameters: `param("coeff", 5)` in a script, `-p coeff=8` on the command line.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use rhai::Dynamic;

use super::literal::kind_of;
use crate::error::{Error, ErrorKind, Result};

/// The parameters that were given, and which of them a script has asked for.
#[derive(Debug, Default)]
pub struct Params {
    given: BTreeMap<String, String>,
    asked: Mutex<BTreeSet<String>>,
}

impl Params {
    /// Parameters that are given by name.
    pub fn new(given: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            given: given.into_iter().collect(),
            asked: Mutex::default(),
        }
    }

    /// The given value, read as the default's type, or the default. Where the default is a whole
    /// number any number may be given.
    ///
    /// # Errors
    /// If the given value is no value of the default's type.
    pub fn get(&self, name: &str, default: Dynamic) -> Result<Dynamic> {
        if let Ok(mut asked) = self.asked.lock() {
            asked.insert(name.to_owned());
        }
        let Some(text) = self.given.get(name) else {
            return Ok(default);
        };
        let wrong = |expected: &str| {
            Error::other(format!(
                "the parameter {name} must be {expected}, but -p {name}={text} gives {text:?}"
            ))
        };
        let float = || {
            let number = text.parse::<rhai::FLOAT>().map(Dynamic::from);
            number.map_err(|_| wrong("a number"))
        };
        if default.is_float() {
            return float();
        }
        if default.is_int() {
            return text
                .parse::<rhai::INT>()
                .map(Dynamic::from)
                .or_else(|_| float());
        }
        if default.is_bool() {
            return text
                .parse::<bool>()
                .map(Dynamic::from)
                .map_err(|_| wrong("true or false"));
        }
        if default.is_string() {
            return Ok(Dynamic::from(text.clone()));
        }
        Err(Error::other(format!(
            "the default of parameter {name} must be a number, a string or a bool, but it is {}",
            kind_of(&default)
        )))
    }

    /// The given parameters that were asked for, by name.
    pub fn used(&self) -> Vec<(String, String)> {
        let asked = self.asked.lock().map(|a| a.clone()).unwrap_or_default();
        let given = self.given.iter().filter(|(name, _)| asked.contains(*name));
        given
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// Fails if a parameter was given that the script never asks for. `known` are the names that
    /// are seen in it.
    ///
    /// # Errors
    /// If there is such a parameter; its name is in the error.
    pub fn check_known(&self, known: &[String]) -> Result<()> {
        let asked = self.asked.lock().map(|a| a.clone()).unwrap_or_default();
        for name in self.given.keys() {
            if !known.contains(name) && !asked.contains(name) {
                return Err(Error::new(ErrorKind::UnknownName {
                    what: "parameter",
                    name: name.clone(),
                    known: known.to_vec(),
                })
                .hint("`avec info SCRIPT` lists a script's parameters"));
            }
        }
        Ok(())
    }
}

/// `name=value`, as on the command line.
///
/// # Errors
/// If it has no `=`, or no name before it.
pub fn parse_assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.to_owned()))
        }
        _ => Err(format!("expected name=value, found {text:?}")),
    }
}
