//! What stands before a point: its type, and its value where it is a variable.

use rhai::Dynamic;

use crate::script::syntax::{Bracket, Brackets, Token, TokenKind};
use crate::script::{Catalog, Interactive, Type};

/// What is known of a value before a point.
#[derive(Debug, Clone, Default)]
pub(super) struct Receiver {
    /// Its type as scripts know it.
    pub kind: Option<Type>,
    /// Itself, for variables and what is in them.
    pub value: Option<Dynamic>,
    /// Where the expression begins, in the tokens.
    start: usize,
}

/// The value that ends with the last of these tokens, among which is no trivia.
pub(super) fn receiver(text: &str, tokens: &[&Token], state: &Interactive) -> Receiver {
    let reader = Reader {
        text,
        brackets: Brackets::of(tokens.iter().copied()),
        tokens,
        state,
        language: state.language(),
    };
    reader.ending_at(tokens.len()).unwrap_or_default()
}

struct Reader<'a> {
    text: &'a str,
    tokens: &'a [&'a Token],
    brackets: Brackets,
    state: &'a Interactive,
    language: &'a Catalog,
}

/// Words that stand before a bracket and call nothing.
const NO_CALLS: [&str; 7] = ["if", "while", "for", "in", "switch", "return", "until"];

/// What is in the arrays that functions give.
const ELEMENTS: &[(&[&str], Type)] = &[
    (&["x_vector", "get_x_vector"], Type::ADDITION),
    (&["to_tokens"], Type::INTEGER),
    (
        &["to_str_tokens", "hook_names", "names", "split", "keys"],
        Type::STRING,
    ),
];

impl Reader<'_> {
    fn is(&self, at: usize, text: &str) -> bool {
        self.tokens.get(at).is_some_and(|t| t.of(self.text) == text)
    }

    fn of_kind(&self, kind: Option<Type>, start: usize) -> Receiver {
        Receiver {
            kind,
            value: None,
            start,
        }
    }

    fn of_value(&self, value: Dynamic, start: usize) -> Receiver {
        Receiver {
            kind: Some(self.state.type_of(&value)),
            value: Some(value),
            start,
        }
    }

    /// The value before this token.
    fn ending_at(&self, end: usize) -> Option<Receiver> {
        let at = end.checked_sub(1)?;
        let token = self.tokens.get(at)?;
        let own = token.of(self.text);
        match token.kind {
            TokenKind::Number => {
                let hexadecimal = own.trim_start_matches('-').starts_with("0x");
                let float = !hexadecimal && own.contains(['.', 'e']);
                Some(self.of_kind(Some(if float { Type::NUMBER } else { Type::INTEGER }), at))
            }
            TokenKind::Char => Some(self.of_kind(Some(Type::CHAR), at)),
            TokenKind::String => Some(self.of_kind(Some(Type::STRING), self.string_start(at)?)),
            TokenKind::Identifier | TokenKind::Keyword => Some(self.word(at, own)),
            TokenKind::Close => {
                let open = self.brackets.partner(at)?;
                match self.tokens[open].opens()? {
                    Bracket::Paren => self.call(open, at),
                    Bracket::Square => self.index(open, at),
                    Bracket::Map => Some(self.of_kind(Some(Type::MAP), open)),
                    Bracket::Brace | Bracket::Interpolation => None,
                }
            }
            _ => None,
        }
    }

    /// Where the string begins that ends here: a template has values in between.
    fn string_start(&self, end: usize) -> Option<usize> {
        let mut start = end;
        while let Some(close) = start.checked_sub(1)
            && self.tokens[close].kind == TokenKind::Close
            && let Some(open) = self.brackets.partner(close)
            && self.tokens[open].opens() == Some(Bracket::Interpolation)
        {
            start = open.checked_sub(1)?;
        }
        Some(start)
    }

    fn in_module(&self, at: usize) -> bool {
        at > 0 && self.is(at - 1, "::")
    }

    fn word(&self, at: usize, name: &str) -> Receiver {
        if matches!(name, "true" | "false") {
            return self.of_kind(Some(Type::BOOL), at);
        }
        if at > 0 && self.is(at - 1, ".") {
            let Some(owner) = self.ending_at(at - 1) else {
                return self.of_kind(None, at);
            };
            let entry = owner
                .value
                .as_ref()
                .and_then(|value| value.read_lock::<rhai::Map>()?.get(name).cloned());
            if let Some(value) = entry {
                return self.of_value(value, owner.start);
            }
            let kind = owner.kind.as_ref();
            let returns = kind.and_then(|kind| self.returns(Some(kind), name, true));
            return self.of_kind(returns, owner.start);
        }
        if self.in_module(at) {
            return self.of_kind(None, at);
        }
        match self.state.value(name) {
            Some(value) => self.of_value(value, at),
            None => self.of_kind(None, at),
        }
    }

    /// A call, or an expression in brackets.
    fn call(&self, open: usize, close: usize) -> Option<Receiver> {
        let name = open.checked_sub(1).map(|at| (at, self.tokens[at]));
        if let Some((at, token)) = name
            && token.is_word()
            && !NO_CALLS.contains(&token.of(self.text))
        {
            let name = token.of(self.text);
            if at > 0 && self.is(at - 1, ".") {
                let owner = self.ending_at(at - 1)?;
                let kind = owner.kind.as_ref();
                let returns = kind.and_then(|kind| self.returns(Some(kind), name, false));
                return Some(self.of_kind(returns, owner.start));
            }
            let own = self.in_module(at) || self.state.functions().iter().any(|f| f == name);
            let returns = self.returns(None, name, false);
            return Some(self.of_kind(returns.filter(|_| !own), at));
        }
        let inside = self.ending_at(close)?;
        let whole = inside.start == open + 1;
        Some(Receiver {
            start: open,
            ..if whole { inside } else { Receiver::default() }
        })
    }

    /// An element, or an array.
    fn index(&self, open: usize, close: usize) -> Option<Receiver> {
        let owner = match open.checked_sub(1) {
            Some(before) if self.ends_a_value(before) => self.ending_at(open)?,
            _ => return Some(self.of_kind(Some(Type::ARRAY), open)),
        };
        let inside = &self.tokens[open + 1..close];
        let index = match inside {
            [token] => token.of(self.text),
            _ => "",
        };
        let element = owner.value.as_ref().and_then(|value| {
            if let Some(array) = value.read_lock::<rhai::Array>() {
                // Of an index that is computed, the first stands for all.
                let index = index.parse::<usize>().unwrap_or(0);
                return array.get(index).cloned();
            }
            let map = value.read_lock::<rhai::Map>()?;
            map.get(index.trim_matches('"')).cloned()
        });
        if let Some(value) = element {
            return Some(self.of_value(value, owner.start));
        }
        let kind = match owner.kind {
            Some(kind) if kind == Type::STRING => Some(Type::CHAR),
            // A row of one axis alone is a number; of more, which is what is indexed, a tensor.
            Some(kind) if kind == Type::TENSOR => Some(Type::TENSOR),
            Some(kind) if kind == Type::ARRAY => self.element(open),
            Some(kind) => self.returns(Some(&kind), "index$get$", false),
            None => None,
        };
        Some(self.of_kind(kind, owner.start))
    }

    fn returns(&self, owner: Option<&Type>, name: &str, is_property: bool) -> Option<Type> {
        let owner = owner.map(Type::name);
        self.language
            .returns(owner, name, is_property)
            .map(Type::spelled)
    }

    /// The type of the elements of the array that the call before an index gives.
    fn element(&self, open: usize) -> Option<Type> {
        let close = open.checked_sub(1)?;
        let name = self.brackets.partner(close)?.checked_sub(1)?;
        let name = self.tokens[name].of(self.text);
        let known = ELEMENTS.iter().find(|(names, _)| names.contains(&name));
        known.map(|(_, kind)| kind.clone())
    }

    fn ends_a_value(&self, at: usize) -> bool {
        let token = self.tokens[at];
        match token.kind {
            TokenKind::Identifier | TokenKind::Keyword => !NO_CALLS.contains(&token.of(self.text)),
            TokenKind::String | TokenKind::Char => true,
            _ => matches!(token.of(self.text), ")" | "]"),
        }
    }
}
