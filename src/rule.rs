//! What a value must be: one rule for the library type that checks it and for the option that a
//! script writes.

use std::fmt::Display;

use crate::error::{Error, Result};

/// A condition on a value, with the words that go on from "must be".
#[derive(Debug, Clone, Copy)]
pub struct Rule<T> {
    pub text: &'static str,
    pub holds: fn(&T) -> bool,
}

impl<T: Display> Rule<T> {
    /// Fails with the name of a value that breaks the rule.
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
