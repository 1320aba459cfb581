//! Values as a script writes them.

use rhai::{Dynamic, ImmutableString};

use super::catalog::Type;
use crate::steering::{ActivationAddition, SteeringSource};

/// A text in quotes.
pub(crate) fn string_literal(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out + "\""
}

/// The call that makes an addition.
pub(super) fn addition(addition: &ActivationAddition) -> String {
    let source = match &addition.source {
        SteeringSource::Prompt(prompt) => format!("prompt: {}", string_literal(prompt)),
        SteeringSource::Tokens(tokens) => format!("tokens: {tokens:?}"),
    };
    format!(
        "ActivationAddition(#{{ {source}, coeff: {}, act_name: \"{}\" }})",
        addition.coeff, addition.act_name
    )
}

/// An array of additions, one a line.
pub(super) fn additions(list: &[ActivationAddition]) -> String {
    let list: Vec<String> = list.iter().map(addition).collect();
    format!("[\n        {}\n    ]", list.join(",\n        "))
}

/// A value, shortened for a message.
pub(super) fn shortened(value: &Dynamic) -> String {
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return format!("{:?}", text.as_str());
    }
    let text = value.to_string();
    if text.chars().count() > 60 {
        return format!("{}…", text.chars().take(60).collect::<String>());
    }
    text
}

/// What a value is, in a script writer's words.
pub(super) fn kind_of(value: &Dynamic) -> String {
    match Type::of_value(value) {
        kind if kind == Type::INTEGER => format!("the integer {value}"),
        kind if kind == Type::NUMBER => format!("the number {value}"),
        kind if kind == Type::BOOL => value.to_string(),
        kind if kind == Type::STRING || kind == Type::CHAR => {
            format!("the string {}", shortened(value))
        }
        // "0..10"
        kind if kind == Type::RANGE || kind == Type::INCLUSIVE_RANGE => {
            format!("the range {value}")
        }
        kind if kind.is_known() => kind.phrase().to_owned(),
        kind => format!("a value of type {kind}"),
    }
}
