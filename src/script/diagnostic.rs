//! An error as a person reads it: what is wrong, where, the line with a caret, what to do.

use crate::report::{Painter, display_width};

/// An error with its places in a script.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagnostic {
    pub message: String,
    pub labels: Vec<Label>,
    pub hints: Vec<String>,
}

/// A place in a script. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The file as it was named.
    pub file: String,
    pub line: usize,
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
        let mut out = format!("{} {}", painter.red("error:"), painter.bold(&self.message));
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
                    label.file,
                    label.line,
                    label.column
                ));
            }
            let Some(source) = &label.source else {
                continue;
            };
            let bar = painter.blue("|");
            // Tabs are one column in the count and many on the screen.
            let shown: String = source.replace('\t', "    ");
            let indent: String = source
                .chars()
                .take(label.column.saturating_sub(1))
                .collect::<String>()
                .replace('\t', "    ");
            let marked: String = source
                .chars()
                .skip(label.column.saturating_sub(1))
                .take(label.length.max(1))
                .collect();
            let carets = "^".repeat(display_width(&marked).max(1));
            let number = painter.blue(&format!("{:>digits$}", label.line));
            if !same_line {
                out.push_str(&format!("\n{margin} {bar}\n{number} {bar} {shown}"));
            }
            out.push_str(&format!(
                "\n{margin} {bar} {}{}",
                " ".repeat(display_width(&indent)),
                painter.red(&carets)
            ));
            if !label.text.is_empty() {
                out.push(' ');
                out.push_str(&painter.red(&label.text));
            }
        }
        for hint in &self.hints {
            out.push_str(&format!("\n{margin} {} {hint}", painter.cyan("= help:")));
        }
        out
    }
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
}
