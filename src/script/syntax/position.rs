//! Between lines and columns, in which rhai counts, and bytes.

/// Line and column, both from 1, of a byte; columns in characters.
pub(crate) fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}

/// The byte at a line, from 0, and a column, from 1 and in characters.
pub(crate) fn offset(text: &str, line: usize, column: usize) -> Option<usize> {
    let start = match line {
        0 => 0,
        line => text.match_indices('\n').nth(line - 1)?.0 + 1,
    };
    let rest = &text[start..];
    let within = rest.char_indices().nth(column.saturating_sub(1));
    Some(start + within.map_or(rest.len(), |(at, _)| at))
}
