//! A token that stands beside the vocabulary: what the files say of it, before it is known whether
//! it is special.

use serde::Deserialize;
use serde_json::Value;
use tokenizers::AddedToken;

/// A token of `added_tokens`, `added_tokens_decoder` or a named one with its settings.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Added {
    pub(super) content: String,
    #[serde(default)]
    pub(super) single_word: bool,
    #[serde(default)]
    pub(super) lstrip: bool,
    #[serde(default)]
    pub(super) rstrip: bool,
    /// The opposite of `special` where it is absent.
    #[serde(default)]
    pub(super) normalized: Option<bool>,
    #[serde(default)]
    pub(super) special: bool,
}

impl Added {
    /// A special token of which only the text is known.
    pub(super) fn special(content: &str) -> Self {
        Self {
            content: content.to_owned(),
            single_word: false,
            lstrip: false,
            rstrip: false,
            normalized: None,
            special: true,
        }
    }

    pub(super) fn parse(value: &Value) -> Option<Self> {
        serde_json::from_value(value.clone()).ok()
    }

    pub(super) fn build(&self) -> AddedToken {
        AddedToken::from(self.content.clone(), self.special)
            .single_word(self.single_word)
            .lstrip(self.lstrip)
            .rstrip(self.rstrip)
            .normalized(self.normalized.unwrap_or(!self.special))
    }
}

/// Fails for tokens that the tokenizers library panics on: one that takes the spaces behind it, and
/// one that is nothing but spaces and takes those before it.
pub(super) fn check<'a>(tokens: impl Iterator<Item = &'a Added> + Clone) -> Result<(), String> {
    let spaces = |token: &&Added| token.lstrip && token.content.chars().all(char::is_whitespace);
    match (
        tokens.clone().find(|token| token.rstrip),
        tokens.clone().find(spaces),
    ) {
        (Some(_), Some(spaces)) => Err(format!(
            "its added token {:?} is only spaces and strips spaces (lstrip), beside others that do (rstrip)",
            spaces.content
        )),
        _ => Ok(()),
    }
}
