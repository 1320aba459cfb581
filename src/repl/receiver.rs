//! What stands before a point: its type, and its value where it is a variable.

use rhai::Dynamic;

use crate::script::scan::{Kind, Piece};
use crate::script::{Interactive, Language};

/// What is known of a value before a point.
#[derive(Debug, Clone, Default)]
pub struct Receiver {
    /// Its type as scripts know it.
    pub kind: Option<String>,
    /// Itself, for variables and what is in them.
    pub value: Option<Dynamic>,
    /// Where the expression begins, in the pieces.
    start: usize,
}

/// The value that ends with the last of these pieces, among which are no spaces and comments.
pub fn receiver(text: &str, pieces: &[&Piece], state: &Interactive) -> Receiver {
    let reader = Reader {
        text,
        pieces,
        state,
        language: state.language(),
    };
    reader.ending_at(pieces.len()).unwrap_or_default()
}

struct Reader<'a> {
    text: &'a str,
    pieces: &'a [&'a Piece],
    state: &'a Interactive,
    language: &'a Language,
}

/// Words that stand before a bracket and call nothing.
const NO_CALLS: [&str; 7] = ["if", "while", "for", "in", "switch", "return", "until"];

impl Reader<'_> {
    fn is(&self, at: usize, text: &str) -> bool {
        self.pieces.get(at).is_some_and(|p| p.of(self.text) == text)
    }

    fn of_kind(&self, kind: Option<&str>, start: usize) -> Receiver {
        Receiver {
            kind: kind.map(str::to_owned),
            value: None,
            start,
        }
    }

    fn of_value(&self, value: Dynamic, start: usize) -> Receiver {
        Receiver {
            kind: Some(self.state.kind(&value)),
            value: Some(value),
            start,
        }
    }

    /// The value before this piece.
    fn ending_at(&self, end: usize) -> Option<Receiver> {
        let at = end.checked_sub(1)?;
        let piece = self.pieces.get(at)?;
        let own = piece.of(self.text);
        match piece.kind {
            Kind::Number => {
                let hexadecimal = own.starts_with("0x");
                let float = !hexadecimal && own.contains(['.', 'e']);
                Some(self.of_kind(Some(if float { "number" } else { "integer" }), at))
            }
            Kind::Text if own.starts_with('\'') => Some(self.of_kind(Some("char"), at)),
            Kind::Text => {
                let start = if own.starts_with('}') {
                    self.opening(at)?
                } else {
                    at
                };
                Some(self.of_kind(Some("string"), start))
            }
            Kind::Word => Some(self.word(at, own)),
            Kind::Symbol => match own {
                ")" => self.call(self.opening(at)?, at),
                "]" => self.index(self.opening(at)?, at),
                "}" => {
                    let open = self.opening(at)?;
                    let map = open > 0 && self.is(open - 1, "#");
                    map.then(|| self.of_kind(Some("object map"), open - 1))
                }
                _ => None,
            },
            Kind::Space | Kind::Comment => None,
        }
    }

    /// Where the bracket opens that closes here.
    fn opening(&self, close: usize) -> Option<usize> {
        let mut open = Vec::new();
        for (at, piece) in self.pieces.iter().enumerate() {
            if piece.closes(self.text) {
                let opened = open.pop();
                if at == close {
                    return opened;
                }
            }
            if piece.opens(self.text).is_some() {
                open.push(at);
            }
        }
        None
    }

    fn in_module(&self, at: usize) -> bool {
        at > 1 && self.is(at - 1, ":") && self.is(at - 2, ":")
    }

    fn word(&self, at: usize, name: &str) -> Receiver {
        if matches!(name, "true" | "false") {
            return self.of_kind(Some("bool"), at);
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
            let kind = owner.kind.as_deref();
            let returns = kind.and_then(|kind| self.language.returns(Some(kind), name, true));
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
        let name = open.checked_sub(1).map(|at| (at, self.pieces[at]));
        if let Some((at, piece)) = name
            && piece.kind == Kind::Word
            && !NO_CALLS.contains(&piece.of(self.text))
        {
            let name = piece.of(self.text);
            if at > 0 && self.is(at - 1, ".") {
                let owner = self.ending_at(at - 1)?;
                let kind = owner.kind.as_deref();
                let returns = kind.and_then(|kind| self.language.returns(Some(kind), name, false));
                return Some(self.of_kind(returns, owner.start));
            }
            let own = self.in_module(at) || self.state.functions().iter().any(|f| f == name);
            let returns = self.language.returns(None, name, false);
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
            _ => return Some(self.of_kind(Some("array"), open)),
        };
        let inside = &self.pieces[open + 1..close];
        let index = match inside {
            [piece] => piece.of(self.text),
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
        let kind = match owner.kind.as_deref() {
            Some("string") => Some("char"),
            Some(kind) => self.language.returns(Some(kind), "index$get$", false),
            None => None,
        };
        Some(self.of_kind(kind, owner.start))
    }

    fn ends_a_value(&self, at: usize) -> bool {
        let piece = self.pieces[at];
        match piece.kind {
            Kind::Word => !NO_CALLS.contains(&piece.of(self.text)),
            Kind::Text => true,
            _ => matches!(piece.of(self.text), ")" | "]"),
        }
    }
}
