//! What a person sees while texts are generated: on a terminal the table as it grows, otherwise a
//! progress bar, if any.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::session::Session;
use crate::error::count;
use crate::model::HookedTransformer;
use crate::progress::{Task, Unit};
use crate::report::{ComparisonTable, LiveArea, Passage, Side};

/// Follows one call that generates.
pub(super) struct Watch {
    session: Arc<Session>,
    kind: Kind,
}

enum Kind {
    Bar(Box<dyn Task>),
    Table(Box<Growing>),
}

/// A table of which some rows are still being written.
struct Growing {
    model: HookedTransformer,
    prompt: String,
    /// Each side's title and the tokens of its rows.
    sides: Vec<(&'static str, Vec<Text>)>,
    /// For each arm of the generation, the side and the row that it starts with.
    arms: Vec<(usize, usize)>,
    area: LiveArea,
    drawn: Instant,
}

/// A row that is known, or its tokens so far.
enum Text {
    Known(String),
    Tokens(Vec<u32>),
}

/// Faster than this nobody reads.
const FRAME: Duration = Duration::from_millis(60);
/// Work that is done sooner shows nothing, so that nothing flickers.
const PATIENCE: Duration = Duration::from_millis(200);

impl Watch {
    /// For rows that are not shown as they are written.
    pub(super) fn bar(session: Arc<Session>, rows: usize, new_tokens: usize) -> Self {
        let task = session.run.progress.start(
            &format!("generating {}", count(rows, "completion")),
            (rows * new_tokens) as u64,
            Unit::Tokens,
        );
        Self {
            session,
            kind: Kind::Bar(task),
        }
    }

    /// For a comparison: titles of the sides with the rows of each that are known already.
    pub(super) fn comparison(
        session: Arc<Session>,
        model: &HookedTransformer,
        prompt: &str,
        sides: &[(&'static str, Vec<String>)],
        rows: usize,
        new_tokens: usize,
    ) -> Self {
        let missing = |known: &Vec<String>| rows.saturating_sub(known.len());
        if session.output.height().is_none() {
            let missing = sides.iter().map(|(_, known)| missing(known)).sum();
            return Self::bar(session, missing, new_tokens);
        }
        let growing = Growing {
            model: model.clone(),
            prompt: prompt.to_owned(),
            arms: sides
                .iter()
                .enumerate()
                .filter(|(_, (_, known))| missing(known) > 0)
                .map(|(side, (_, known))| (side, known.len()))
                .collect(),
            sides: sides
                .iter()
                .map(|(title, known)| {
                    let mut texts: Vec<Text> = known.iter().cloned().map(Text::Known).collect();
                    texts.resize_with(rows, || Text::Tokens(Vec::new()));
                    (*title, texts)
                })
                .collect(),
            area: LiveArea::default(),
            drawn: Instant::now() + PATIENCE - FRAME,
        };
        Self {
            session,
            kind: Kind::Table(Box::new(growing)),
        }
    }

    /// A row of an arm has a new token.
    pub(super) fn token(&mut self, arm: usize, row: usize, token: u32) {
        match &mut self.kind {
            Kind::Bar(task) => task.advance(1),
            Kind::Table(growing) => {
                let Some((side, first)) = growing.arms.get(arm) else {
                    return;
                };
                if let Some(Text::Tokens(tokens)) = growing.sides[*side].1.get_mut(first + row) {
                    tokens.push(token);
                }
                let now = Instant::now();
                if now >= growing.drawn + FRAME {
                    growing.drawn = now;
                    growing.draw(&self.session);
                }
            }
        }
    }
}

impl Growing {
    /// Whether a row has tokens that were not known before.
    fn has_begun(&self) -> bool {
        let mut texts = self.sides.iter().flat_map(|(_, texts)| texts);
        texts.any(|text| matches!(text, Text::Tokens(tokens) if !tokens.is_empty()))
    }

    /// The table as far as it is written.
    fn lines(&self, session: &Session) -> Vec<String> {
        let output = &session.output;
        let passage = |text: &Text| Passage {
            prompt: self.prompt.clone(),
            completion: match text {
                Text::Known(text) => text.clone(),
                Text::Tokens(tokens) => self.model.to_string(tokens).unwrap_or_default(),
            },
        };
        let table = ComparisonTable {
            sides: self
                .sides
                .iter()
                .map(|(title, texts)| Side {
                    title: (*title).to_owned(),
                    passages: texts.iter().map(passage).collect(),
                })
                .collect(),
        };
        table.lines(output.width(), output.painter)
    }

    fn draw(&mut self, session: &Session) {
        let output = &session.output;
        let lines = self.lines(session);
        let height = output.height().unwrap_or(usize::MAX);
        output.raw(&self.area.replace(&lines, height));
    }
}

/// What was drawn while it grew goes away; who wants the table prints it whole. Of one that was
/// interrupted nothing else comes: it stays, as far as it was written.
impl Drop for Watch {
    fn drop(&mut self) {
        let Kind::Table(growing) = &mut self.kind else {
            return;
        };
        let output = &self.session.output;
        output.raw(&growing.area.clear());
        if self.session.run.cancel.is_raised() && growing.has_begun() {
            drop(output.painted(&growing.lines(&self.session).join("\n")));
        }
    }
}
