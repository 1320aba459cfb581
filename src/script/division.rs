//! Options whose value is an integer divided by an integer: `coeff: c / 10` is 0 for small integers,
//! and nothing in a run would show why the steering does nothing.

use std::collections::BTreeSet;

use rhai::Map;

use super::syntax::{Brackets, Token, TokenKind, lex, significant};

/// The names of options that a script gives what looks like a division of integers, there or in the
/// variable that it gives.
pub(super) fn divided_options(text: &str) -> BTreeSet<String> {
    let tokens = lex(text);
    let tokens = significant(&tokens);
    let brackets = Brackets::of(tokens.iter().copied());
    let of = |at: usize| tokens.get(at).map_or("", |token: &&Token| token.of(text));
    // From a place to the `,` or `;` or bracket that ends the value there.
    let divides = |start: usize| {
        let mut at = start;
        let (mut divides, mut is_float) = (false, false);
        while let Some(token) = tokens.get(at) {
            let own = token.of(text);
            if matches!(own, "," | ";") || token.kind == TokenKind::Close {
                break;
            }
            divides |= own == "/";
            is_float |= token.kind == TokenKind::Number && own.contains(['.', 'e'])
                || matches!(own, "to_float" | "sqrt" | "exp" | "PI");
            at = match token.opens() {
                Some(_) => brackets.partner(at).unwrap_or(at) + 1,
                None => at + 1,
            };
        }
        divides && !is_float
    };
    let lets = (0..tokens.len()).filter(|at| of(*at) == "let" && of(at + 2) == "=");
    let variables: BTreeSet<&str> = lets
        .filter(|at| divides(at + 3))
        .map(|at| of(at + 1))
        .collect();
    let keys = (1..tokens.len()).filter(|at| of(*at) == ":");
    keys.filter(|at| {
        let is_variable = matches!(of(at + 2), "," | "}") && variables.contains(of(at + 1));
        is_variable || divides(at + 1)
    })
    .map(|at| of(at - 1).trim_matches('"').to_owned())
    .collect()
}

/// The option among these that a division has made 0.
pub(super) fn vanished(options: &Map, divided: &BTreeSet<String>) -> Option<String> {
    let is_zero = |value: &rhai::Dynamic| value.as_int() == Ok(0);
    let mut zero = options.iter().filter(|(_, value)| is_zero(value));
    zero.find(|(name, _)| divided.contains(name.as_str()))
        .map(|(name, _)| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divisions_of_integers_are_seen() {
        let names = |text: &str| {
            divided_options(text)
                .into_iter()
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(names("f(#{ coeff: c / 10, act_name: 1 })"), "coeff");
        assert_eq!(names("let k = (c + 1) / 10; f(#{ coeff: k })"), "coeff");
        assert_eq!(names("f(#{ coeff: c / 10.0, top_p: 1 })"), "");
        assert_eq!(names("f(#{ coeff: c.to_float() / 10 })"), "");
        assert_eq!(names("let k = 1; f(#{ coeff: k, n: [1 / 2] }); a / b"), "");
    }
}
