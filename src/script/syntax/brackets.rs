//! The bracket matcher: which tokens open and close one pair.

use super::token::{Bracket, Token, TokenKind};

/// The brackets of some tokens, by their places among these.
#[derive(Debug, Default)]
pub(crate) struct Brackets {
    /// For each token the one that it makes a pair with.
    partners: Vec<Option<usize>>,
    unclosed: Vec<usize>,
}

impl Brackets {
    /// Whatever closes a bracket closes the innermost one: a text that is being written is read as
    /// far as it makes sense.
    pub(crate) fn of<'t>(tokens: impl IntoIterator<Item = &'t Token>) -> Self {
        let mut brackets = Self::default();
        for (at, token) in tokens.into_iter().enumerate() {
            brackets.partners.push(None);
            if token.opens().is_some() {
                brackets.unclosed.push(at);
            } else if token.kind == TokenKind::Close
                && let Some(open) = brackets.unclosed.pop()
            {
                brackets.partners[open] = Some(at);
                brackets.partners[at] = Some(open);
            }
        }
        brackets
    }

    /// The other bracket of the pair that this token is one of.
    pub(crate) fn partner(&self, at: usize) -> Option<usize> {
        *self.partners.get(at)?
    }

    /// The brackets that are never closed, the innermost last.
    pub(crate) fn unclosed(&self) -> &[usize] {
        &self.unclosed
    }
}

/// The brackets that are open at the end of some tokens, the innermost last, with the bytes where
/// they stand.
pub(crate) fn open_brackets(tokens: &[Token]) -> Vec<(Bracket, usize)> {
    let brackets = Brackets::of(tokens);
    let open = brackets.unclosed().iter();
    open.filter_map(|at| Some((tokens[*at].opens()?, tokens[*at].span.start)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::syntax::lex;

    #[test]
    fn brackets_find_each_other() {
        let text = "f(a[0], #{b: `${c}`}) } {";
        let tokens = lex(text);
        let brackets = Brackets::of(&tokens);
        let pairs: Vec<(&str, &str)> = (0..tokens.len())
            .filter_map(|at| Some((at, brackets.partner(at)?)))
            .filter(|(open, close)| open < close)
            .map(|(open, close)| (tokens[open].of(text), tokens[close].of(text)))
            .collect();
        assert_eq!(pairs, [("(", ")"), ("[", "]"), ("#{", "}"), ("{", "}")]);
        for at in 0..tokens.len() {
            let partner = brackets.partner(at);
            assert_eq!(
                partner.and_then(|at| brackets.partner(at)),
                partner.map(|_| at)
            );
        }
        let kinds = tokens.iter().filter_map(Token::opens);
        use Bracket::{Brace, Interpolation, Map, Paren, Square};
        let kinds: Vec<Bracket> = kinds.collect();
        assert_eq!(kinds, [Paren, Square, Map, Interpolation, Brace]);
        assert_eq!(open_brackets(&tokens), [(Bracket::Brace, 24)]);
    }
}
