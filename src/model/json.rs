//! JSON objects as Python writes them: `NaN`, `Infinity` and `-Infinity` may stand for numbers.

use serde_json::{Map, Value};

use crate::error::{json_kind, not_json};

/// The object that a text holds, or why it holds none.
///
/// Python's three words become texts, so that no field reads them as numbers and harm
/// nobody elsewhere.
pub(crate) fn object(text: &[u8]) -> Result<Map<String, Value>, String> {
    let parsed = serde_json::from_slice(text).or_else(|error| match quoted(text) {
        Some(quoted) => serde_json::from_slice(&quoted).map_err(|_| error),
        None => Err(error),
    });
    match parsed {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(other) => Err(format!("it holds {}, not a JSON object", json_kind(&other))),
        Err(error) => Err(not_json(&error)),
    }
}

/// The text with Python's words for odd numbers in quotes, if it has any.
fn quoted(text: &[u8]) -> Option<Vec<u8>> {
    const WORDS: [&[u8]; 3] = [b"NaN", b"Infinity", b"-Infinity"];
    let mut result = Vec::with_capacity(text.len() + 16);
    let (mut rest, mut found, mut in_string) = (text, false, false);
    while let Some(&byte) = rest.first() {
        let word = WORDS
            .into_iter()
            .find(|word| !in_string && rest.starts_with(word));
        let taken = match (byte, word) {
            (_, Some(word)) => {
                found = true;
                result.push(b'"');
                result.extend(word);
                result.push(b'"');
                word.len()
            }
            // An escaped quote doesn't end a string.
            (b'\\', _) if in_string => {
                let taken = rest.len().min(2);
                result.extend(&rest[..taken]);
                taken
            }
            _ => {
                in_string ^= byte == b'"';
                result.push(byte);
                1
            }
        };
        rest = &rest[taken..];
    }
    found.then_some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_numbers_become_texts_and_texts_stay() {
        let text = br#"{"a": NaN, "b": [-Infinity, Infinity, 1], "c": "NaN \" NaN", "d": 2}"#;
        let fields = object(text).unwrap();
        assert_eq!(fields["a"], "NaN");
        assert_eq!(fields["b"], serde_json::json!(["-Infinity", "Infinity", 1]));
        assert_eq!(fields["c"], "NaN \" NaN");
        assert_eq!(fields["d"], 2);
    }

    #[test]
    fn what_is_no_object_is_refused_in_plain_words() {
        assert_eq!(
            object(b"[]").unwrap_err(),
            "it holds a list, not a JSON object"
        );
        assert_eq!(
            object(b"{\"a\": NaN, }").unwrap_err(),
            "it isn't valid JSON at line 1, column 7"
        );
        assert_eq!(
            object(b"{\"a\": NaN").unwrap_err(),
            "it isn't valid JSON at line 1, column 7"
        );
    }
}
