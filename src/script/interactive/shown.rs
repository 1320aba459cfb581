//! A value as a session shows it: what is long is shortened in its middle and broken into lines.

use rhai::Dynamic;

use crate::report::display_width;

/// Of more elements than this only some are shown.
const MANY: usize = 60;
const FIRST: usize = 24;
const LAST: usize = 6;

/// The text of a value, in lines of at most `width` where its elements allow. `debug` tells the text
/// of what has no elements.
pub(super) fn shown(
    value: &Dynamic,
    width: Option<usize>,
    debug: &dyn Fn(&Dynamic) -> String,
) -> String {
    let Some((open, parts, close)) = parts(value, debug) else {
        return debug(value);
    };
    let line = format!("{open}{}{close}", parts.join(", "));
    match width {
        Some(width) if display_width(&line) > width => wrapped(open, &parts, close, width),
        _ => line,
    }
}

/// The brackets and the elements' texts of an array or a map.
fn parts(
    value: &Dynamic,
    debug: &dyn Fn(&Dynamic) -> String,
) -> Option<(&'static str, Vec<String>, &'static str)> {
    let inner = |value: &Dynamic| shown(value, None, debug);
    if let Some(array) = value.read_lock::<rhai::Array>() {
        let parts = shortened(array.len(), array.iter().map(inner));
        return Some(("[", parts, "]"));
    }
    let map = value.read_lock::<rhai::Map>()?;
    let entries = map
        .iter()
        .map(|(key, value)| format!("{:?}: {}", key.as_str(), inner(value)));
    Some(("#{", shortened(map.len(), entries), "}"))
}

fn shortened(count: usize, texts: impl Iterator<Item = String>) -> Vec<String> {
    if count <= MANY {
        return texts.collect();
    }
    let mut parts = Vec::new();
    let left_out = count - FIRST - LAST;
    // What is left out is not even made into a text.
    let mut texts = texts;
    parts.extend(texts.by_ref().take(FIRST));
    parts.push(format!("… {left_out} more …"));
    parts.extend(texts.skip(left_out));
    parts
}

fn wrapped(open: &str, parts: &[String], close: &str, width: usize) -> String {
    let indent = " ".repeat(open.len());
    let mut lines = vec![open.to_owned()];
    for (i, part) in parts.iter().enumerate() {
        let end = if i + 1 == parts.len() { close } else { "," };
        let part = format!("{part}{end}");
        let Some(line) = lines.last_mut() else { break };
        let begun = line.len() > open.len();
        if begun && display_width(line) + 1 + display_width(&part) > width {
            lines.push(format!("{indent}{part}"));
        } else {
            if begun {
                line.push(' ');
            }
            line.push_str(&part);
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: impl Into<Dynamic>, width: usize) -> String {
        shown(&value.into(), Some(width), &|value| format!("{value:?}"))
    }

    #[test]
    fn what_is_short_is_whole() {
        let few: rhai::Array = (0..5i64).map(Dynamic::from).collect();
        assert_eq!(text(few, 80), "[0, 1, 2, 3, 4]");
        let mut map = rhai::Map::new();
        map.insert("a".into(), Dynamic::from(1i64));
        assert_eq!(text(map, 80), "#{\"a\": 1}");
        assert_eq!(text(rhai::Array::new(), 80), "[]");
        assert_eq!(text(7i64, 80), "7");
    }

    #[test]
    fn what_is_long_is_shortened_and_broken() {
        let some: rhai::Array = (0..12i64).map(Dynamic::from).collect();
        assert_eq!(text(some, 20), "[0, 1, 2, 3, 4, 5,\n 6, 7, 8, 9, 10, 11]");
        let many: rhai::Array = (0..1000i64).map(Dynamic::from).collect();
        let shown = text(many, 60);
        assert_eq!(
            shown,
            "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
 17, 18, 19, 20, 21, 22, 23, … 970 more …, 994, 995, 996,
 997, 998, 999]"
        );
    }
}
