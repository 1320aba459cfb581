//! What people write out of habit from Python, Julia, JavaScript or R, and what to write here.
//! The one table of it: an error looks up the tokens that it stands at.

use super::catalog::{Catalog, Form, Type};
use super::syntax::{Brackets, Token, TokenKind, lex, offset};

/// The tokens around an error's place.
struct Around<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    /// The index of the first token at or behind the place.
    at: usize,
}

/// A line of advice for what stands at this place, in lines and columns. `is_syntax` tells whether
/// the script could not be read at all.
pub(super) fn advice(
    text: &str,
    (line, column): (usize, usize),
    is_syntax: bool,
    catalog: &Catalog,
) -> Option<String> {
    let place = offset(text, line.checked_sub(1)?, column).unwrap_or(text.len());
    let all = lex(text);
    let comment = is_syntax.then(|| integer_division(text, &all, place));
    let tokens: Vec<Token> = all.into_iter().filter(|token| !token.is_trivia()).collect();
    let at = tokens.iter().position(|token| token.span.end > place);
    let around = Around {
        text,
        at: at.unwrap_or(tokens.len()),
        tokens,
    };
    around
        .at_place(is_syntax, catalog)
        .or_else(|| comment.flatten())
        .or_else(|| is_syntax.then(|| around.symbols()).flatten())
}

/// Words at the place of an error.
const WORDS: &[(&[&str], &str)] = &[
    (
        &[
            "None",
            "nil",
            "null",
            "undefined",
            "NULL",
            "nothing",
            "NA",
            "NaN",
        ],
        "no value is written () here",
    ),
    (&["True", "TRUE"], "it is written in small letters: true"),
    (&["False", "FALSE"], "it is written in small letters: false"),
    (&["and"], "`and` is written && here"),
    (&["or"], "`or` is written || here"),
    (&["not"], "`not x` is written !x here"),
    (&["is"], "`is` is written == here: x == ()"),
    (
        &["def", "function", "func", "fun"],
        "a function is written fn name(x) { x + 1 }, a closure |x| x + 1",
    ),
    (&["lambda"], "a closure is written |x| x + 1"),
    (
        &["elif", "elsif", "elseif"],
        "`elif` is written else if: if a { .. } else if b { .. }",
    ),
    (
        &["from", "require", "library", "using", "include"],
        "avec's functions need no import; a file of your own is imported with: import \"lib/x\" as x;",
    ),
    (
        &[
            "var", "local", "mut", "auto", "int", "float", "double", "string", "str", "bool",
        ],
        "a variable is made with `let`, without a type: let x = 1;",
    ),
    (
        &["end", "endif", "done", "fi"],
        "a block ends with }: if x { .. }",
    ),
    (
        &["then", "begin", "do"],
        "a block stands in braces: if x { .. }",
    ),
    (&["pass"], "an empty block is written { }"),
    (
        &["raise", "error", "stop"],
        "an error is thrown with: throw \"what is wrong\";",
    ),
    (
        &["except", "rescue", "finally"],
        "errors are caught with: try { .. } catch (e) { print(e) }",
    ),
    (
        &["self"],
        "`this` stands for the value that a function is called on as a method",
    ),
    (
        &["del", "delete"],
        "a key is taken out with map.remove(\"key\")",
    ),
    (
        &["assert"],
        "write it as: if x != 1 { throw \"x should be 1\" }",
    ),
    (
        &["class", "struct", "type", "interface", "new"],
        "there are no classes: values that belong together are an object map, #{ a: 1 }",
    ),
    (
        &["async", "await", "yield", "with", "global", "nonlocal"],
        "there is no such statement here, and none is needed",
    ),
    (&["console", "System", "fmt"], "print with: print(x)"),
    (
        &["np", "numpy", "torch", "math", "Math"],
        "numbers have methods here: x.sqrt(), x.exp(), x.floor(); help(\"numbers\") lists them",
    ),
    (&["foreach"], "go through an array with: for x in a { .. }"),
];

/// Signs that the language lacks, wherever in a statement they stand.
const SIGNS: &[(&str, &str)] = &[
    ("===", "`===` is written == here"),
    ("!==", "`!==` is written != here"),
    ("<>", "`<>` is written != here"),
    ("++", "write x += 1"),
    ("--", "write x -= 1"),
    (":=", "a variable is made with: let x = 1;"),
    ("<-", "a variable is made with: let x = 1;"),
    (
        "->",
        "a closure is written |x| x + 1; types are not written",
    ),
    ("=>", "a closure is written |x| x + 1"),
    (
        "@",
        "there are no macros, decorators or matrix products: call the function",
    ),
    ("is", "`is` is written == here: x == ()"),
    (
        "function",
        "a function is written fn name(x) { x + 1 }, a closure |x| x + 1",
    ),
    ("?", "write it as: if a { b } else { c }"),
];

/// What stands at the beginning of a statement, or of what is a value.
fn begins_statement(before: &[&str]) -> bool {
    matches!(before, [] | [.., ";" | "{" | "}"])
}

impl<'t> Around<'t> {
    fn of(&self, token: &Token) -> &'t str {
        token.of(self.text)
    }

    fn before(&self) -> Vec<&'t str> {
        let from = self.at.saturating_sub(8);
        self.tokens[from..self.at]
            .iter()
            .map(|t| self.of(t))
            .collect()
    }

    fn here(&self) -> Vec<&'t str> {
        let tokens = self.tokens[self.at..].iter().take(24);
        tokens.map(|token| self.of(token)).collect()
    }

    fn is_text(&self, back: usize) -> bool {
        let at = self.at.checked_sub(back);
        at.and_then(|at| self.tokens.get(at))
            .is_some_and(Token::is_text)
    }

    /// The word before the innermost open bracket, if that is a call's.
    fn callee(&self) -> Option<&'t str> {
        let before = &self.tokens[..self.at];
        let brackets = Brackets::of(before);
        let open = (0..self.at)
            .rev()
            .find(|i| before[*i].opens().is_some() && brackets.partner(*i).is_none())?;
        let name = &before[open.checked_sub(1)?];
        (self.of(&before[open]) == "(" && name.kind == TokenKind::Identifier).then(|| self.of(name))
    }

    fn at_place(&self, is_syntax: bool, catalog: &Catalog) -> Option<String> {
        let (before, here) = (self.before(), self.here());
        let follows_text = self.tokens.get(self.at + 1).is_some_and(Token::is_text);
        let advice = match (before.as_slice(), here.as_slice()) {
            // A property, or a name of the writer's own.
            ([.., "." | "fn"], _) => return None,
            (_, [sign, ..]) if sign.starts_with('#') && !sign.starts_with("#{") => {
                "a comment begins with //"
            }
            (_, ["f" | "r" | "b", next, ..]) if follows_text && next.starts_with(['"', '\'']) => {
                "a text with values in it stands in backquotes: `hello ${name}`"
            }
            (_, [text, ..]) if text.starts_with('\'') && text.chars().count() != 3 => {
                let inside = text.trim_matches('\'');
                return Some(format!("a string has double quotes: \"{inside}\""));
            }
            ([.., "(" | "=" | "," | "[" | ":" | "return", "{"], [_, ":", ..]) => {
                "an object map begins with #: #{ key: value }"
            }
            ([.., "{", _], [":", ..]) if self.is_text(1) => {
                "an object map begins with #: #{ \"key\": value }"
            }
            ([.., "for", "("], ["let" | "var", ..]) => {
                "a loop over numbers is written for i in 0..3 { .. }"
            }
            ([.., "import"], _) | ([.., "library" | "require" | "source", "("], _) => {
                "avec's functions need no import; a file of your own is imported with: import \"lib/x\" as x;"
            }
            ([.., "let" | "const"], ["(" | "[", ..]) | ([.., "let" | "const", _], [",", ..]) => {
                "make each variable on its own: let a = pair[0]; let b = pair[1];"
            }
            ([.., "let" | "const", _], [":", ..]) => "types are not written: let x = 1;",
            ([.., "fn", _, "(", _], [":" | "=", ..]) | ([.., ",", _], [":" | "=", ..])
                if self.in_signature() =>
            {
                "parameters have neither types nor defaults: fn f(x) { .. }"
            }
            ([.., "[", _] | [.., "["], [":", ..]) if is_syntax => {
                "a part of an array is a.extract(1..3), of a string s.sub_string(1..3)"
            }
            ([.., "in"], [_, ":", ..]) => "a range is written 1..5, or 1..=5 with its end",
            ([.., "for", _], [",", ..]) => "the counter comes second: for (x, i) in a { .. }",
            (_, [":", ..]) if is_syntax && !before.contains(&"#{") => {
                "a block stands in braces: if x { .. }"
            }
            (before, [name, "=", ..]) if self.callee().is_some() => {
                let first = before.last() == Some(&"(");
                return Some(named_argument(self.callee()?, name, first, catalog));
            }
            ([.., "function" | "func" | "def", "("], _) => {
                "a function is written fn name(x) { x + 1 }, a closure |x| x + 1"
            }
            (before, [name, "=" | ":=" | "<-", ..])
                if begins_statement(before) && !self.is_string(0) =>
            {
                return Some(format!("a new variable needs `let`: let {name} = .."));
            }
            (_, ["print" | "debug", next, ..]) if *next != "(" => "a call has brackets: print(x)",
            ([.., "}"], ["if", ..]) => return self.word(here[0]),
            (before, ["if", ..]) if is_syntax && !begins_statement(before) => {
                "write it as: if c { a } else { b }"
            }
            (_, ["+=" | "-=" | "*=", ..]) if !is_syntax => return self.new_key(),
            (before, _) if before.last() == Some(&"[") && self.is_comprehension() => {
                "build an array in a loop: let a = []; for i in 0..3 { a.push(2 * i) }"
            }
            (_, [".", number, ..]) if number.starts_with(|c: char| c.is_ascii_digit()) => {
                return Some(format!("a number begins with a digit: 0.{number}"));
            }
            // A name for something new, which only needs another one.
            ([.., "let" | "const"], _) => return None,
            (_, [word, ..]) => return self.word(word),
            (_, []) => return None,
        };
        Some(advice.to_owned())
    }

    fn word(&self, word: &str) -> Option<String> {
        let is_plain = self.tokens.get(self.at).is_some_and(Token::is_word);
        let known = WORDS.iter().find(|(words, _)| words.contains(&word));
        known
            .filter(|_| is_plain)
            .map(|(_, advice)| (*advice).to_owned())
    }

    fn is_string(&self, forward: usize) -> bool {
        self.tokens
            .get(self.at + forward)
            .is_some_and(Token::is_text)
    }

    /// Whether the place is between the brackets of `fn name( .. )`.
    fn in_signature(&self) -> bool {
        let before = &self.tokens[..self.at];
        let open = before.iter().rposition(|token| self.of(token) == "(");
        open.and_then(|open| open.checked_sub(2))
            .is_some_and(|at| self.of(&before[at]) == "fn")
    }

    /// `[i * 2 for i in 0..3]`
    fn is_comprehension(&self) -> bool {
        let rest = self.tokens[self.at..].iter().map(|token| self.of(token));
        let mut inside = rest.take_while(|text| !matches!(*text, "]" | ";" | "{"));
        inside.any(|text| text == "for")
    }

    /// `counts[w] += 1`, where there is no such key.
    fn new_key(&self) -> Option<String> {
        let tokens = &self.tokens[..self.at];
        let [.., owner, open, key, close] = tokens else {
            return None;
        };
        let sign = self.tokens.get(self.at).map_or("", |token| self.of(token));
        let sign = sign.trim_end_matches('=');
        let (owner, key) = match (self.of(open), self.of(close)) {
            ("[", "]") => (self.of(owner), self.of(key).to_owned()),
            (_, property) if self.of(key) == "." => (self.of(open), format!("\"{property}\"")),
            _ => return None,
        };
        Some(format!(
            "a new key has no value yet: {owner}[{key}] = ({owner}.get({key}) ?? 0) {sign} 1"
        ))
    }

    /// Signs that rhai has no use for, in the statement of the place.
    fn symbols(&self) -> Option<String> {
        let ends = |token: &&Token| matches!(self.of(token), ";" | "{" | "}");
        let (before, after) = self.tokens.split_at(self.at);
        let before = before.iter().rev().take_while(|token| !ends(token));
        let after = after.iter().take_while(|token| !ends(token));
        let statement: Vec<&str> = before.chain(after).map(|token| self.of(token)).collect();
        let switches = self.tokens.iter().any(|token| self.of(token) == "switch");
        SIGNS
            .iter()
            .find(|(sign, _)| statement.contains(sign) && !(switches && *sign == "=>"))
            .map(|(_, advice)| (*advice).to_owned())
    }
}

/// `f(prompt1="Love")`
fn named_argument(callee: &str, name: &str, is_first: bool, catalog: &Catalog) -> String {
    let forms = catalog.forms(callee);
    let takes_map = |form: &&Form| form.parameters.iter().any(|p| p.kind == Type::MAP);
    if forms.iter().any(|form| takes_map(&form)) {
        let before = if is_first { "" } else { ".., " };
        return format!("options are one object map: {callee}({before}#{{ {name}: .. }})");
    }
    match forms.first() {
        Some(form) => format!("arguments have no names, and go by their order: {form}"),
        None => format!("arguments have no names, and go by their order: {callee}(..)"),
    }
}

/// `x // 2`, which is a comment to rhai, so that what it reads has no end.
fn integer_division(text: &str, all: &[Token], place: usize) -> Option<String> {
    let mut pairs = all
        .iter()
        .enumerate()
        .filter(|(_, token)| token.kind == TokenKind::Comment && token.of(text).starts_with("//"));
    let (i, comment) = pairs.rfind(|(_, token)| token.span.start <= place)?;
    let before = all[..i].iter().rfind(|t| t.kind != TokenKind::Whitespace)?;
    let is_value = matches!(before.kind, TokenKind::Number | TokenKind::Identifier)
        || matches!(before.of(text), ")" | "]");
    let divisor = comment.of(text).trim_start_matches('/').trim();
    let end = divisor.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'));
    let rest = &divisor[end.unwrap_or(divisor.len())..];
    let is_short = !divisor.is_empty() && rest.chars().all(|c| ")];, ".contains(c));
    (is_value && is_short)
        .then(|| "// begins a comment; integers divide to an integer with /: 7 / 2 is 3".to_owned())
}

/// Functions that do not exist, or not of these types, and what does the same.
const INSTEAD: &[(&[&str], &str)] = &[
    (
        &["append", "add"],
        "add an element with a.push(x), an array with a.append([x])",
    ),
    (&["length", "size", "count", "nrow"], "it is len: x.len()"),
    (
        &["sum"],
        "add up an array with a.reduce(|sum, x| sum + x, 0.0)",
    ),
    (
        &["mean", "average", "avg"],
        "take the mean of an array with a.reduce(|sum, x| sum + x, 0.0) / a.len()",
    ),
    (
        &["max", "maximum", "minimum", "min"],
        "the largest of an array is a.reduce(|m, x| max(m, x), a[0])",
    ),
    (
        &["argmax", "argmin"],
        "sort positions with a.sort(|x, y| ..), or keep the best in a loop",
    ),
    (
        &["round"],
        "digits are cut with (x * 100.0).round() / 100.0",
    ),
    (
        &["zip"],
        "go through two arrays with: for (x, i) in a { print(`${x} ${b[i]}`) }",
    ),
    (
        &["enumerate"],
        "the counter comes second: for (x, i) in a { .. }",
    ),
    (
        &["range", "seq"],
        "a range is written 0..5, and in steps range(0, 10, 2)",
    ),
    (&["step", "step_by"], "a range in steps is range(0, 10, 2)"),
    (
        &["join"],
        "join texts in a loop: let text = \"\"; for x in a { text += x }",
    ),
    (&["upper", "toUpperCase", "uppercase"], "it is s.to_upper()"),
    (&["lower", "toLowerCase", "lowercase"], "it is s.to_lower()"),
    (&["strip", "chomp"], "it is s.trim()"),
    (&["startswith", "startsWith"], "it is s.starts_with(\"..\")"),
    (&["endswith", "endsWith"], "it is s.ends_with(\"..\")"),
    (
        &["substring", "substr", "slice"],
        "a part is s.sub_string(1..3), of an array a.extract(1..3)",
    ),
    (
        &["format", "sprintf"],
        "a text with values in it stands in backquotes: `x is ${x}`",
    ),
    (
        &["println", "printf", "cat", "puts", "echo", "display", "log"],
        "print with print(x); several values are one text: print(`${x} ${y}`)",
    ),
    (
        &["print", "debug"],
        "several values are one text: print(`${x} ${y}`)",
    ),
    (&["str", "string", "repr"], "make a text with x.to_string()"),
    (
        &["int", "Int", "parseInt"],
        "it is parse_int(\"1\"), and of a number x.to_int()",
    ),
    (
        &["float", "Float64", "parseFloat"],
        "it is parse_float(\"1.5\"), and of a number x.to_float()",
    ),
    (&["typeof", "type", "class"], "it is type_of(x)"),
    (
        &["forEach", "foreach", "each"],
        "go through an array with: for x in a { .. }",
    ),
    (
        &["includes", "has", "has_key", "haskey"],
        "it is a.contains(x), and x in a",
    ),
    (
        &["dict", "Dict", "object"],
        "an object map is #{ key: value }, an empty one #{}",
    ),
    (
        &["list", "vec", "Array", "c"],
        "an array is [1, 2], an empty one []",
    ),
    (&["sorted"], "sort an array in its place: a.sort()"),
    (&["reversed"], "reverse an array in its place: a.reverse()"),
    (
        &["open", "read", "readFile", "write"],
        "scripts read no files; values are given with -p, as in param(\"name\", 1)",
    ),
    (
        &["input", "readline"],
        "scripts ask nothing; values are given with -p, as in param(\"name\", 1)",
    ),
    (
        &["assert"],
        "write it as: if x != 1 { throw \"x should be 1\" }",
    ),
    (
        &["Error", "ValueError", "Exception"],
        "throw a text: throw \"what is wrong\";",
    ),
    (
        &["rows", "iter", "items", "to_list", "tolist", "collect"],
        "table.to_array() and tensor.to_array() give arrays; map.keys() and map.values() too",
    ),
    (
        &["require", "library", "include", "source"],
        "avec's functions need no import; a file of your own is imported with: import \"lib/x\" as x;",
    ),
    (&["to_dict"], "an object map is #{ key: value }"),
    (
        &["eval", "exec"],
        "scripts run no text; call a function by its name with Fn(\"name\").call(x)",
    ),
    (
        &["exp", "sqrt", "log", "ln", "sin", "cos", "tan", "pow"],
        "of integers, make floats first: x.to_float().sqrt(); a power is x ** 2",
    ),
    (
        &["generate_text", "predict"],
        "a text is continued with model.generate(\"..\")",
    ),
];

/// What to write for a function that is not there, or not for these types.
pub(super) fn instead_of(name: &str) -> Option<&'static str> {
    let known = INSTEAD.iter().find(|(names, _)| names.contains(&name));
    known.map(|(_, advice)| *advice)
}
