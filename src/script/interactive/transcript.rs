//! All texts that an interactive session has run, one after the other, so that an error inside of a
//! function finds the text that the function was typed in.

use rhai::Position;

use crate::script::diagnostic::Diagnostic;
use crate::script::syntax::offset;

/// What the errors of typed text name as their file, until they are given their own.
pub(super) const TRANSCRIPT: &str = "<transcript>";

/// Whether a text that was printed speaks of something that has another name in a script: the place
/// of an error in the session, or a closure, which rhai names by where it stands.
pub(crate) fn is_of_session(text: &str) -> bool {
    text.contains(TRANSCRIPT) || text.contains("anon$")
}

/// The texts, whose lines are numbered through.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    chunks: Vec<Chunk>,
}

#[derive(Debug)]
struct Chunk {
    name: String,
    text: String,
    /// The number of its first line, from 1.
    first_line: usize,
}

impl Transcript {
    /// Adds a text and gives the number of its first line.
    pub(super) fn push(&mut self, name: &str, text: &str) -> usize {
        let first_line = self.chunks.last().map_or(1, |chunk| {
            chunk.first_line + chunk.text.lines().count().max(1)
        });
        self.chunks.push(Chunk {
            name: name.to_owned(),
            text: text.to_owned(),
            first_line,
        });
        first_line
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for chunk in &self.chunks {
            text.push_str(&chunk.text);
            if !chunk.text.ends_with('\n') {
                text.push('\n');
            }
        }
        text
    }

    /// Empties the texts, but keeps their lines counted: nothing of them is to be found again.
    pub(super) fn forget(&mut self) {
        for chunk in &mut self.chunks {
            chunk.text = "\n".repeat(chunk.text.lines().count().max(1));
        }
    }

    /// The place in the last text, in bytes, if it is there.
    pub(super) fn place_in_last(&self, place: Position) -> Option<usize> {
        let chunk = self.chunks.last()?;
        let line = place.line()?.checked_sub(chunk.first_line)?;
        offset(&chunk.text, line, place.position().unwrap_or(1))
    }

    /// Gives labels in the transcript the name and the line of the text that they are in.
    pub(super) fn relabel(&self, diagnostic: &mut Diagnostic) {
        for label in &mut diagnostic.labels {
            if label.file != TRANSCRIPT {
                continue;
            }
            let chunk = self.chunks.iter().rfind(|c| c.first_line <= label.line);
            if let Some(chunk) = chunk {
                label.file.clone_from(&chunk.name);
                label.line -= chunk.first_line - 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::syntax::line_and_column;

    #[test]
    fn places_are_found_again() {
        let mut transcript = Transcript::default();
        assert_eq!(transcript.push("a", "1\n2"), 1);
        assert_eq!(transcript.push("b", "ü + x\ny"), 3);
        let place = |line, column| transcript.place_in_last(Position::new(line, column));
        assert_eq!(place(3, 5), Some("ü + ".len()));
        assert_eq!(place(4, 1), Some("ü + x\n".len()));
        assert_eq!(place(2, 1), None);
        assert_eq!(line_and_column("ü + x\ny", 5), (1, 5));
    }
}
