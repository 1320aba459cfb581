//! Numbers, sizes and JSON in plain words, for messages.

/// "1 token", "2 tokens".
pub fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// A size to read: "512 B", "1.5 MB", "6.2 GB" (powers of 1000).
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{n} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// Why a text isn't valid JSON.
pub fn not_json(error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "it isn't whole: the JSON ends in the middle of something".into();
    }
    format!(
        "it isn't valid JSON at line {}, column {}",
        error.line(),
        error.column()
    )
}

/// The kind of a JSON value, with its article.
pub fn json_kind(value: &serde_json::Value) -> &'static str {
    match value {
        serde_json::Value::Null => "null",
        serde_json::Value::Bool(_) => "true or false",
        serde_json::Value::Number(_) => "a number",
        serde_json::Value::String(_) => "a text",
        serde_json::Value::Array(_) => "a list",
        serde_json::Value::Object(_) => "an object",
    }
}

pub(super) fn quoted(tokens: &[String]) -> String {
    let texts: Vec<String> = tokens.iter().map(|token| format!("{token:?}")).collect();
    format!("[{}]", texts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(1_500_000), "1.5 MB");
        assert_eq!(bytes(999_960_000), "1.0 GB");
        assert_eq!(bytes(u64::MAX), "18446744.1 TB");
    }
}
