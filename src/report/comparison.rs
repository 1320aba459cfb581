//! Side-by-side completions: the prompt in bold, then the completion, one row per pair.

use super::style::Painter;
use super::width::{Span, display_width, visible, wrap};

/// A prompt and its completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// The prompt, shown in bold.
    pub prompt: String,
    /// The completion. A final `<|endoftext|>` is dimmed.
    pub completion: String,
}

/// A column of passages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// The heading of the column.
    pub title: String,
    /// The passages, from top to bottom.
    pub passages: Vec<Passage>,
}

/// Columns of passages, drawn as a table of the terminal's width. The reader chose that width, so
/// there is no other limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparisonTable {
    /// The columns, from left to right.
    pub sides: Vec<Side>,
}

/// Columns narrower than this are stacked instead.
const NARROWEST: usize = 18;

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Prompt,
    Completion,
    Sign,
}

impl ComparisonTable {
    /// The table's lines for a terminal with `width` columns.
    pub fn lines(&self, width: usize, painter: Painter) -> Vec<String> {
        let n = self.sides.len().max(1);
        // A column takes its text, a space on each side and a rule.
        let room = width.saturating_sub(3 * n + 1) / n;
        if n > 1 && room < NARROWEST {
            return self.stacked(width, painter);
        }
        let column = room.max(1);
        let rows = self.sides.iter().map(|side| side.passages.len()).max();
        let rule = |left: &str, middle: &str, right: &str| {
            let bars = vec!["─".repeat(column + 2); n];
            painter.dim(&format!("{left}{}{right}", bars.join(middle)))
        };
        let mut lines = vec![rule("┌", "┬", "┐")];
        let titles = self
            .sides
            .iter()
            .map(|side| {
                let title = Span {
                    text: visible(&side.title),
                    style: Style::Prompt,
                };
                wrap(&[title], column)
            })
            .collect();
        push_row(&mut lines, titles, column, painter);
        for row in 0..rows.unwrap_or(0) {
            lines.push(rule("├", "┼", "┤"));
            let cells = self
                .sides
                .iter()
                .map(|side| {
                    side.passages
                        .get(row)
                        .map_or(vec![vec![]], |p| p.wrap(column))
                })
                .collect();
            push_row(&mut lines, cells, column, painter);
        }
        lines.push(rule("└", "┴", "┘"));
        lines
    }

    /// One side below the other, for terminals too narrow for both.
    fn stacked(&self, width: usize, painter: Painter) -> Vec<String> {
        let mut lines = Vec::new();
        for side in &self.sides {
            if !lines.is_empty() {
                lines.push(String::new());
            }
            let one = Self {
                sides: vec![side.clone()],
            };
            lines.extend(one.lines(width, painter));
        }
        lines
    }
}

impl Passage {
    fn wrap(&self, width: usize) -> Vec<Vec<Span<Style>>> {
        let mut spans = vec![Span {
            text: shown(&self.prompt),
            style: Style::Prompt,
        }];
        // The end-of-text token is a sign, not part of the text.
        let (text, end) = match self.completion.strip_suffix(END_OF_TEXT) {
            Some(text) => (text, END_OF_TEXT),
            None => (self.completion.as_str(), ""),
        };
        spans.push(Span {
            text: shown(text),
            style: Style::Completion,
        });
        spans.push(Span {
            text: end.to_owned(),
            style: Style::Sign,
        });
        wrap(&spans, width)
    }
}

const END_OF_TEXT: &str = "<|endoftext|>";

/// Newlines are shown and break the line.
fn shown(text: &str) -> String {
    visible(text).replace('\n', "⏎\n")
}

/// Adds the cells of a row, padded to the height of the tallest.
fn push_row(
    lines: &mut Vec<String>,
    cells: Vec<Vec<Vec<Span<Style>>>>,
    column: usize,
    painter: Painter,
) {
    let height = cells.iter().map(Vec::len).max().unwrap_or(1);
    let bar = painter.dim("│");
    for i in 0..height {
        let mut line = bar.clone();
        for cell in &cells {
            let spans = cell.get(i).map(Vec::as_slice).unwrap_or_default();
            let used: usize = spans.iter().map(|span| display_width(&span.text)).sum();
            line.push(' ');
            for span in spans {
                line.push_str(&match span.style {
                    Style::Prompt => painter.bold(&span.text),
                    Style::Completion => span.text.clone(),
                    Style::Sign => painter.dim(&span.text),
                });
            }
            line.push_str(&" ".repeat(column.saturating_sub(used) + 1));
            line.push_str(&bar);
        }
        lines.push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> ComparisonTable {
        let passage = |completion: &str| Passage {
            prompt: "I hate you because".into(),
            completion: completion.into(),
        };
        ComparisonTable {
            sides: vec![
                Side {
                    title: "Unsteered completions".into(),
                    passages: vec![passage(" you lie.\nAlways."), passage(" 中文 \x1b[31m!")],
                },
                Side {
                    title: "Steered completions".into(),
                    passages: vec![passage(" you're kind.<|endoftext|>")],
                },
            ],
        }
    }

    #[test]
    fn two_sides_in_sixty_columns() {
        let text = table().lines(60, Painter::plain()).join("\n");
        assert_eq!(
            text,
            "\
┌────────────────────────────┬────────────────────────────┐
│ Unsteered completions      │ Steered completions        │
├────────────────────────────┼────────────────────────────┤
│ I hate you because you     │ I hate you because you're  │
│ lie.⏎                      │ kind.<|endoftext|>         │
│ Always.                    │                            │
├────────────────────────────┼────────────────────────────┤
│ I hate you because 中文    │                            │
│ ␛[31m!                     │                            │
└────────────────────────────┴────────────────────────────┘"
        );
    }

    #[test]
    fn narrow_terminals_get_stacked_sides() {
        let lines = table().lines(30, Painter::plain());
        assert_eq!(lines[1], "│ Unsteered completions      │");
        assert!(lines.iter().all(|line| display_width(line) <= 30));
        assert!(lines.contains(&"│ Steered completions        │".to_owned()));
    }

    #[test]
    fn the_prompt_is_bold_and_the_lines_are_dim() {
        let text = table().lines(60, Painter::colored()).join("\n");
        assert!(text.contains("\x1b[1mI hate you because\x1b[0m you"));
        assert!(text.contains("\x1b[2m<|endoftext|>\x1b[0m"));
        assert!(!text.contains("\x1b[31m!"));
    }

    #[test]
    fn columns_are_as_wide_as_the_terminal_allows() {
        for (width, sides) in [(160, 2), (301, 2), (300, 1)] {
            let mut table = table();
            table.sides.truncate(sides);
            let lines = table.lines(width, Painter::plain());
            // All columns have the same width, so some space may be left over.
            let wanted = width - (width - 1) % sides;
            assert!(lines.iter().all(|line| display_width(line) == wanted));
        }
    }

    #[test]
    fn emoji_keep_the_rules_straight() {
        let passage = |completion: &str| Passage {
            prompt: "I ".into(),
            completion: completion.into(),
        };
        let table = ComparisonTable {
            sides: vec![Side {
                title: "t".into(),
                passages: vec![
                    passage("\u{2764}\u{fe0f} you 1\u{fe0f}\u{20e3}"),
                    passage("\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} e\u{301} 中文"),
                ],
            }],
        };
        assert_eq!(
            table.lines(14, Painter::plain()).join("\n"),
            "\
┌────────────┐
│ t          │
├────────────┤
│ I \u{2764}\u{fe0f} you   │
│ 1\u{fe0f}\u{20e3}         │
├────────────┤
│ I \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} e\u{301}     │
│ 中文       │
└────────────┘"
        );
    }

    #[test]
    fn all_lines_have_equal_width() {
        for width in 1..200 {
            let lines = table().lines(width, Painter::plain());
            let widths: Vec<usize> = lines
                .iter()
                .filter(|line| !line.is_empty())
                .map(|line| display_width(line))
                .collect();
            if width >= 24 {
                assert!(
                    widths.iter().all(|w| *w == widths[0] && *w <= width),
                    "{width}"
                );
            }
        }
    }
}
