//! How wide text is on a terminal, and breaking it into lines of a width.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns that a text takes on a terminal.
pub fn display_width(text: &str) -> usize {
    text.width()
}

/// A text in which nothing acts on the terminal: control characters become visible signs. A
/// model's text may hold escape codes. Newlines are left for whoever breaks lines.
pub fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' => c,
            '\0'..='\u{1f}' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
            '\u{7f}' => '\u{2421}',
            '\u{80}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => '\u{fffd}',
            // Marks that change the direction of the text around them.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => {
                '\u{fffd}'
            }
            _ => c,
        })
        .collect()
}

/// A piece of text in one style; what a style is belongs to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span<S> {
    pub text: String,
    pub style: S,
}

/// Breaks styled text into lines of at most `width` columns, between words where that is possible.
/// Newlines break too; spaces at a break are dropped.
pub fn wrap<S: Copy + PartialEq>(spans: &[Span<S>], width: usize) -> Vec<Vec<Span<S>>> {
    let width = width.max(1);
    let chars: Vec<(char, S)> = spans
        .iter()
        .flat_map(|span| span.text.chars().map(|c| (c, span.style)))
        .collect();
    let columns = |c: char| c.width().unwrap_or(0);
    let mut lines = Vec::new();
    let (mut start, mut used, mut i) = (0, 0, 0);
    // Where the line could end, and where the next one would begin then.
    let mut gap: Option<(usize, usize)> = None;
    while i < chars.len() {
        let c = chars[i].0;
        if c == '\n' {
            lines.push(collect(&chars[start..i]));
            (start, used, gap) = (i + 1, 0, None);
            i += 1;
            continue;
        }
        if c == ' ' && used + 1 > width {
            // A space at the edge is where the line ends by itself.
            lines.push(collect(&chars[start..i]));
            (start, used, gap) = (i + 1, 0, None);
            i += 1;
            continue;
        }
        if used + columns(c) > width && used > 0 {
            let (end, next) = gap.unwrap_or((i, i));
            lines.push(collect(&chars[start..end]));
            (start, gap) = (next, None);
            used = chars[start..i].iter().map(|(c, _)| columns(*c)).sum();
            continue;
        }
        used += columns(c);
        if c == ' ' && i > start {
            gap = Some((i, i + 1));
        }
        i += 1;
    }
    lines.push(collect(&chars[start..]));
    lines
}

/// Neighbours of one style become one span.
fn collect<S: Copy + PartialEq>(chars: &[(char, S)]) -> Vec<Span<S>> {
    chars
        .chunk_by(|a, b| a.1 == b.1)
        .map(|run| Span {
            text: run.iter().map(|(c, _)| *c).collect(),
            style: run[0].1,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, width: usize) -> Vec<String> {
        let span = Span {
            text: text.to_owned(),
            style: (),
        };
        let join = |line: &Vec<Span<()>>| line.iter().map(|s| s.text.as_str()).collect();
        wrap(&[span], width).iter().map(join).collect()
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(lines("one two three", 7), ["one two", "three"]);
        assert_eq!(lines("one two three", 8), ["one two", "three"]);
        assert_eq!(lines("one two three", 3), ["one", "two", "thr", "ee"]);
        assert_eq!(lines("", 5), [""]);
        assert_eq!(lines("a\n\nb", 5), ["a", "", "b"]);
    }

    #[test]
    fn wide_and_combining_characters_count_as_they_are_drawn() {
        assert_eq!(lines("中文字", 4), ["中文", "字"]);
        assert_eq!(lines("cafe\u{301} x", 4), ["cafe\u{301}", "x"]);
        assert_eq!(lines("中", 1), ["中"]);
    }

    #[test]
    fn nothing_acts_on_the_terminal() {
        assert_eq!(visible("a\x1b[31mb\tc\u{202e}d"), "a␛[31mb␉c\u{fffd}d");
    }
}
