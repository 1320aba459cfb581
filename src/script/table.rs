//! A table of completions as lines to read, and as maps to calculate with.

use rhai::{Array, Dynamic, Map};

use super::script_error::{IntoScript, ScriptResult};
use super::session::Session;
use crate::analysis::Completions;
use crate::report::{ComparisonTable, Passage, Side};
use crate::run::RunContext;

pub(super) const UNSTEERED: &str = "Unsteered completions";
pub(super) const STEERED: &str = "Steered completions";

/// The table side by side, as lines.
pub(super) fn drawn(session: &Session, table: &Completions) -> String {
    let side = |title: &str, modified: bool| Side {
        title: title.to_owned(),
        passages: table
            .filter(|row| row.is_modified == modified)
            .into_iter()
            .map(|row| Passage {
                prompt: row.prompt.clone(),
                completion: row.completion.clone(),
            })
            .collect(),
    };
    let sides = [side(UNSTEERED, false), side(STEERED, true)];
    let table = ComparisonTable {
        sides: sides
            .into_iter()
            .filter(|side| !side.passages.is_empty())
            .collect(),
    };
    let output = &session.output;
    table.lines(output.width(), output.painter).join("\n")
}

/// The keys of a row.
pub(super) const ROW_KEYS: [&str; 5] = [
    "prompts",
    "completions",
    "loss",
    "clean_loss",
    "is_modified",
];

/// The rows of a table as maps.
pub(super) fn completion_maps(run: &RunContext, table: &Completions) -> ScriptResult<Array> {
    let clean = table.clean_losses(run).script()?;
    Ok(table
        .rows()
        .iter()
        .zip(clean)
        .map(|(row, clean)| {
            let mut map = Map::new();
            map.insert("prompts".into(), Dynamic::from(row.prompt.clone()));
            map.insert("completions".into(), Dynamic::from(row.completion.clone()));
            map.insert("loss".into(), Dynamic::from(f64::from(row.loss)));
            map.insert("clean_loss".into(), Dynamic::from(f64::from(*clean)));
            map.insert("is_modified".into(), Dynamic::from(row.is_modified));
            Dynamic::from(map)
        })
        .collect())
}
