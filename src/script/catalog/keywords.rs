//! What is called like a function, and is a word of the language to rhai: no engine lists it.

/// Name, form and what it does.
const KEYWORDS: &[(&str, &str, &str)] = &[
    (
        "print",
        "print(value: any)",
        "Prints a value on a line of its own. Several values are one text: print(`${x} ${y}`).",
    ),
    (
        "debug",
        "debug(value: any)",
        "Prints a value as a session shows it, strings in quotes.",
    ),
    (
        "type_of",
        "type_of(value: any) -> string",
        "The name of a value's type.",
    ),
    (
        "call",
        "call(function: Fn, arguments..) -> any",
        "Calls a closure: f.call(1, 2).",
    ),
    (
        "curry",
        "curry(function: Fn, arguments..) -> Fn",
        "A closure whose first arguments are given already.",
    ),
    (
        "Fn",
        "Fn(name: string) -> Fn",
        "The function of a name, to be called with .call().",
    ),
    (
        "is_def_var",
        "is_def_var(name: string) -> bool",
        "Whether there is a variable of this name.",
    ),
    (
        "is_def_fn",
        "is_def_fn(name: string, parameters: integer) -> bool",
        "Whether there is a function of this name and number of parameters.",
    ),
    (
        "is_shared",
        "is_shared(value: any) -> bool",
        "Whether a closure has captured the value.",
    ),
];

/// The form of such a function, and what it does.
pub(crate) fn keyword(name: &str) -> Option<(&'static str, &'static str)> {
    let known = KEYWORDS.iter().find(|(known, ..)| *known == name);
    known.map(|(_, form, doc)| (*form, *doc))
}
