//! An error as a person reads it: what is wrong, where, the line with a caret, what to do.

use crate::report::{Painter, display_width, printable};

/// An error with its places in a script.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagnostic {
    /// What is wrong.
    pub message: String,
    /// Where: the error's own place first, then where it was called from.
    pub labels: Vec<Label>,
    /// What to do, one line each.
    pub hints: Vec<String>,
}

/// A place in a script. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The file as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How many characters the caret covers.
    pub length: usize,
    /// The text of the line, if it is known.
    pub source: Option<String>,
    /// What is wrong at this place; empty if the message says it all.
    pub text: String,
}

impl Diagnostic {
    /// The whole text, several lines without a last newline.
    pub fn render(&self, painter: Painter) -> String {
        self.render_within(painter, None)
    }

    /// The same for a terminal of `columns`: of a line that is wider, the part around the
    /// caret, since a terminal would break it and the caret would stand under something else.
    pub fn render_within(&self, painter: Painter, columns: Option<usize>) -> String {
        let mut out = format!(
            "{} {}",
            painter.red("error:"),
            painter.bold(&printable(&self.message))
        );
        let digits = self
            .labels
            .iter()
            .map(|label| label.line.to_string().len())
            .max()
            .unwrap_or(1);
        let margin = " ".repeat(digits);
        let mut before: Option<&Label> = None;
        for label in &self.labels {
            // Several places in one line share it.
            let same_line = before.is_some_and(|b| b.file == label.file && b.line == label.line);
            before = Some(label);
            if !same_line {
                out.push_str(&format!(
                    "\n{margin}{} {}:{}:{}",
                    painter.blue("-->"),
                    printable(&label.file),
                    label.line,
                    label.column
                ));
            }
            let Some(source) = &label.source else {
                continue;
            };
            let bar = painter.blue("|");
            // Tabs are one column in the count and many on the screen.
            let untabbed = |text: &str| printable(&text.replace('\t', "    ")).into_owned();
            let shown = untabbed(source);
            let indent: String = source
                .chars()
                .take(label.column.saturating_sub(1))
                .collect();
            let indent = untabbed(&indent);
            let marked: String = source
                .chars()
                .skip(label.column.saturating_sub(1))
                .take(label.length.max(1))
                .collect();
            let marked = untabbed(&marked);
            let place = display_width(&indent);
            let length = display_width(&marked).max(1);
            let room = columns.map_or(usize::MAX, |columns| columns.saturating_sub(digits + 3));
            let too_wide = display_width(&shown) > room;
            let (shown, place) = if too_wide {
                around(&shown, place, length, room)
            } else {
                (shown, place)
            };
            let carets = "^".repeat(length.min(room.saturating_sub(place).max(1)));
            let number = painter.blue(&format!("{:>digits$}", label.line));
            // Each place of a line that is cut needs its own part of it.
            if !same_line || too_wide {
                out.push_str(&format!("\n{margin} {bar}\n{number} {bar} {shown}"));
            }
            out.push_str(&format!(
                "\n{margin} {bar} {}{}",
                " ".repeat(place),
                painter.red(&carets)
            ));
            if !label.text.is_empty() {
                out.push(' ');
                out.push_str(&painter.red(&printable(&label.text)));
            }
        }
        for hint in &self.hints {
            out.push_str(&format!(
                "\n{margin} {} {}",
                painter.cyan("= help:"),
                printable(hint)
            ));
        }
        out
    }
}

/// The part of a line around a place that fits into `room`, with `…` where it is cut; and where in it
/// the place is.
fn around(line: &str, place: usize, length: usize, room: usize) -> (String, usize) {
    let room = room.max(8);
    let total = display_width(line);
    // A third of what is seen stands before the place.
    let from = if place + length < room {
        0
    } else {
        (place - (room / 3).min(place)).min(total - room)
    };
    let cut_before = from > 0;
    let cut_after = from + room < total;
    let (first, end) = (
        from + usize::from(cut_before),
        from + room - usize::from(cut_after),
    );
    let mut out = String::from(if cut_before { "…" } else { "" });
    let mut column = 0;
    for c in line.chars() {
        let width = display_width(c.encode_utf8(&mut [0; 4]));
        if column >= first && column + width <= end {
            out.push(c);
        } else if column < first && column + width > first {
            // Half of a wide character.
            out.push(' ');
        }
        column += width;
    }
    if cut_after {
        out.push('…');
    }
    (out, place - from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_its_text() {
        let diagnostic = Diagnostic {
            message: "there is no option `coef`".into(),
            labels: vec![Label {
                file: "a.rhai".into(),
                line: 12,
                column: 9,
                length: 4,
                source: Some("\t\"日本\" + coef: 5,".into()),
                text: String::new(),
            }],
            hints: vec!["did you mean `coeff`?".into()],
        };
        assert_eq!(
            diagnostic.render(Painter::plain()),
            "error: there is no option `coef`
  --> a.rhai:12:9
   |
12 |     \"日本\" + coef: 5,
   |              ^^^^
   = help: did you mean `coeff`?"
        );
    }

    #[test]
    fn of_a_wide_line_the_part_around_the_caret_is_shown() {
        let label = |column, length, text: &str| Label {
            file: "repl[1]".into(),
            line: 1,
            column,
            length,
            source: Some(format!("{}{}{}", "a".repeat(40), "bad", "c".repeat(40))),
            text: text.into(),
        };
        let diagnostic = Diagnostic {
            message: "this call has 2 errors".into(),
            labels: vec![label(2, 1, "one"), label(41, 3, "two")],
            hints: Vec::new(),
        };
        assert_eq!(
            diagnostic.render_within(Painter::plain(), Some(34)),
            "error: this call has 2 errors
 --> repl[1]:1:2
  |
1 | aaaaaaaaaaaaaaaaaaaaaaaaaaaaa…
  |  ^ one
  |
1 | …aaaaaaaaabadcccccccccccccccc…
  |           ^^^ two"
        );
        // As wide as the window is not too wide.
        let whole = diagnostic.render(Painter::plain());
        assert_eq!(diagnostic.render_within(Painter::plain(), Some(87)), whole);
        // A wide character that would be cut in the middle leaves a space.
        assert_eq!(around("日本語日本語", 8, 2, 8), ("… 日本語".into(), 4));
    }
}
