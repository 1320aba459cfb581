//! A fuzz target: whatever arrives at a session's line editor and commands.

use super::command::Command;
use super::complete::complete;
use super::highlight::highlight_from;
use super::pasted::inputs;
use crate::report::{Painter, printable};
use crate::script::{Interactive, Output, Session};

/// A session without models, for [`terminal_input`].
pub fn session() -> Interactive {
    let output = Output::new(Box::new(std::io::sink()), 80, Painter::plain());
    Interactive::new(Session::new(output))
}

/// What is typed or pasted: it is taken apart into inputs, coloured, completed at every place that
/// a cursor can be at, and read as a command. Nothing is run.
///
/// # Panics
/// If something that acts on a terminal would be shown, if colours change what was typed, or if
/// completion would replace what was not typed.
pub fn terminal_input(state: &Interactive, data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        // It is not read at all.
        return;
    };
    let shown = printable(text);
    let acts = |c: char| c.is_control() && c != '\n' && c != '\t';
    assert!(!shown.contains(acts), "{shown:?}");
    assert_eq!(printable(&shown), shown);
    for input in inputs(text) {
        assert!(input.len() <= text.len());
        let _ = state.is_incomplete(&input);
        if let Some(Err(error)) = Command::parse(&input) {
            assert!(!error.message().is_empty());
        }
        let ends = input.char_indices().map(|(at, _)| at).chain([input.len()]);
        for at in ends.take(200) {
            let plain = highlight_from(&input, 0, at, Painter::plain());
            assert_eq!(plain, input);
            let rest = highlight_from(&input, at, at, Painter::plain());
            assert_eq!(rest, input[at..]);
        }
        // Completion looks at the disk for what seems a path: only small inputs.
        if input.len() <= 80 && !input.contains(['/', '~']) {
            let catalog = state.language();
            let (start, offers) = complete(&input, state, catalog);
            assert!(input.is_char_boundary(start));
            assert!(
                offers
                    .iter()
                    .all(|offer| offer.text.starts_with(&input[start..]))
            );
        }
    }
}
