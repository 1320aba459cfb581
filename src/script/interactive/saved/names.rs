//! The words of a session, so that new names are none of them.

use std::collections::BTreeSet;

use crate::script::syntax::lex;

/// Every word of some texts.
pub(super) struct Names(BTreeSet<String>);

impl Names {
    pub(super) fn of(texts: &[String]) -> Self {
        let words = texts.iter().flat_map(|text| {
            let words = lex(text).into_iter().filter(|token| token.is_word());
            words.map(|token| token.of(text).to_owned())
        });
        Self(words.collect())
    }

    /// This name with an ending, and with more of one if it is taken.
    pub(super) fn free(&self, name: &str, ending: &str) -> String {
        let mut free = format!("{name}{ending}");
        while self.0.contains(&free) {
            free.push('_');
        }
        free
    }
}
