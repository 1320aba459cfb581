//! Rules for values: one rule serves the library type that checks it and the option that a script
//! writes.

use std::fmt::Display;

use crate::error::{Error, Result};

/// A condition on a value, with its wording after "must be".
#[derive(Debug, Clone, Copy)]
pub struct Rule<T> {
    /// The wording: "1 or more".
    pub text: &'static str,
    /// Whether a value satisfies it.
    pub holds: fn(&T) -> bool,
}

impl<T: Display> Rule<T> {
    /// Checks a value.
    ///
    /// # Errors
    /// If it breaks the rule, with the value's name.
    pub fn check(&self, name: &'static str, value: &T) -> Result<()> {
        if (self.holds)(value) {
            return Ok(());
        }
        Err(Error::invalid(
            name,
            value,
            format!("must be {}", self.text),
        ))
    }
}
