//! Lines on a terminal that are drawn again and again in one place.

/// A part of the screen below the cursor.
#[derive(Debug, Default)]
pub struct LiveArea {
    drawn: usize,
}

impl LiveArea {
    /// What to write so that these lines stand in the place of those before. Of more lines than the
    /// terminal has, the last are shown: what is above the screen can't be drawn again.
    pub fn replace(&mut self, lines: &[String], height: usize) -> String {
        let shown = &lines[lines.len().saturating_sub(height.saturating_sub(1).max(1))..];
        let mut out = self.clear();
        for line in shown {
            out.push_str(line);
            out.push('\n');
        }
        self.drawn = shown.len();
        out
    }

    /// What to write so that nothing is left of it.
    pub fn clear(&mut self) -> String {
        match std::mem::take(&mut self.drawn) {
            0 => String::new(),
            lines => format!("\x1b[{lines}A\r\x1b[J"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_replace_those_before() {
        let mut area = LiveArea::default();
        let lines = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>();
        assert_eq!(area.replace(&lines(2), 10), "0\n1\n");
        assert_eq!(area.replace(&lines(1), 10), "\x1b[2A\r\x1b[J0\n");
        assert_eq!(area.replace(&lines(5), 3), "\x1b[1A\r\x1b[J3\n4\n");
        assert_eq!(area.clear(), "\x1b[2A\r\x1b[J");
        assert_eq!(area.clear(), "");
    }
}
