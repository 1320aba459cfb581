//! Lines on a terminal that are redrawn in place.

/// The area of the screen below the cursor.
#[derive(Debug, Default)]
pub struct LiveArea {
    drawn: usize,
}

impl LiveArea {
    /// The output that replaces the previous lines with these. If there are more lines than the
    /// terminal has, only the last ones are shown: what is above the screen can't be redrawn.
    ///
    /// The screen's first line is never used, and lines are cleared one by one: some terminals
    /// scroll away what is cleared from their first cell on.
    pub fn replace(&mut self, lines: &[String], height: usize) -> String {
        let room = height.saturating_sub(2).max(1);
        let shown = &lines[lines.len().saturating_sub(room)..];
        let mut out = self.start();
        for line in shown {
            // Clear first: after a line as wide as the terminal, this would clear its last cell.
            out.push_str("\x1b[K");
            out.push_str(line);
            out.push('\n');
        }
        out.push_str(&blank(self.drawn.saturating_sub(shown.len())));
        self.drawn = shown.len();
        out
    }

    /// The output that removes the area.
    pub fn clear(&mut self) -> String {
        let out = format!("{}{}", self.start(), blank(self.drawn));
        self.drawn = 0;
        out
    }

    /// Moves to the first line that was drawn.
    fn start(&self) -> String {
        match self.drawn {
            0 => String::new(),
            lines => format!("\x1b[{lines}A\r"),
        }
    }
}

/// Clears lines from the cursor's line on, then returns.
fn blank(lines: usize) -> String {
    match lines {
        0 => String::new(),
        lines => format!("{}\x1b[{lines}A", "\x1b[K\n".repeat(lines)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_replace_the_previous_ones() {
        let mut area = LiveArea::default();
        let lines = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>();
        assert_eq!(area.replace(&lines(2), 10), "\x1b[K0\n\x1b[K1\n");
        assert_eq!(
            area.replace(&lines(1), 10),
            "\x1b[2A\r\x1b[K0\n\x1b[K\n\x1b[1A"
        );
        assert_eq!(area.replace(&lines(5), 4), "\x1b[1A\r\x1b[K3\n\x1b[K4\n");
        assert_eq!(area.clear(), "\x1b[2A\r\x1b[K\n\x1b[K\n\x1b[2A");
        assert_eq!(area.clear(), "");
    }
}
