//! The line editor: rustyline with avec's completion, colours and rule for unfinished input.

use std::borrow::Cow;
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hinter, HistoryHinter};
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Cmd, CompletionType, Config, Context, Editor, Helper, KeyEvent};

use super::command::Command;
use super::complete::complete;
use super::highlight::highlight;
use crate::report::Painter;
use crate::script::{Catalog, Interactive};

/// What the person at the keyboard did.
pub(super) enum Typed {
    Input(String),
    /// Ctrl-C: the line is dropped.
    Cancelled,
    /// Ctrl-D, or the end of what is piped in.
    End,
}

/// Reads inputs, one or more lines each, with a history that outlives the session.
pub(super) struct LineEditor {
    editor: Editor<Assistant, FileHistory>,
    history: Option<PathBuf>,
}

impl LineEditor {
    /// `state` is what completion looks into. It is not borrowed while an input runs.
    pub(super) fn new(
        state: Rc<RefCell<Interactive>>,
        painter: Painter,
    ) -> rustyline::Result<Self> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .max_history_size(10_000)?
            .build();
        let mut editor = Editor::with_config(config)?;
        let catalog = state.borrow().host().catalog();
        editor.set_helper(Some(Assistant {
            state,
            catalog,
            painter,
            hinter: HistoryHinter::new(),
        }));
        editor.bind_sequence(KeyEvent::alt('p'), Cmd::HistorySearchBackward);
        editor.bind_sequence(KeyEvent::alt('n'), Cmd::HistorySearchForward);
        let history = history_file();
        if let Some(path) = &history {
            // The first session has none.
            let _ = editor.load_history(path);
        }
        Ok(Self { editor, history })
    }

    pub(super) fn read(&mut self, prompt: &str) -> rustyline::Result<Typed> {
        match self.editor.readline(prompt) {
            Ok(line) => {
                if !line.trim().is_empty() {
                    self.editor.add_history_entry(line.trim_end())?;
                    self.save_history();
                }
                Ok(Typed::Input(line))
            }
            Err(ReadlineError::Interrupted) => Ok(Typed::Cancelled),
            Err(ReadlineError::Eof) => Ok(Typed::End),
            Err(error) => Err(error),
        }
    }

    /// After every input, so that a session that is killed loses nothing. Not being able to is no
    /// reason to disturb one.
    fn save_history(&mut self) {
        let Some(path) = &self.history else {
            return;
        };
        if let Some(folder) = path.parent() {
            let _ = std::fs::create_dir_all(folder);
        }
        make_private(path);
        let _ = self.editor.append_history(path);
    }
}

/// What was typed may be private: only its owner reads the history.
fn make_private(path: &std::path::Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        let mut options = std::fs::OpenOptions::new();
        let _ = options.create(true).append(true).mode(0o600).open(path);
        let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600));
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// `avec/history` in the user's folder for such things.
fn history_file() -> Option<PathBuf> {
    let folder = dirs::state_dir().or_else(dirs::data_local_dir)?;
    Some(folder.join("avec").join("history"))
}

struct Assistant {
    state: Rc<RefCell<Interactive>>,
    catalog: Catalog,
    painter: Painter,
    hinter: HistoryHinter,
}

impl Helper for Assistant {}

impl Completer for Assistant {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let Ok(state) = self.state.try_borrow() else {
            return Ok((pos, Vec::new()));
        };
        let (start, offers) = complete(&line[..pos], &state, &self.catalog);
        let pairs = offers.into_iter().map(|offer| Pair {
            display: offer.display,
            replacement: offer.text,
        });
        Ok((start, pairs.collect()))
    }
}

impl Highlighter for Assistant {
    fn highlight<'l>(&self, line: &'l str, pos: usize) -> Cow<'l, str> {
        if !self.painter.is_on() || line.trim_start().starts_with([':', '?']) {
            return Cow::Borrowed(line);
        }
        Cow::Owned(highlight(line, pos, self.painter))
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(
        &'s self,
        prompt: &'p str,
        _default: bool,
    ) -> Cow<'b, str> {
        Cow::Owned(self.painter.bold(&self.painter.cyan(prompt)))
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(self.painter.dim(hint))
    }

    fn highlight_char(&self, _line: &str, _pos: usize, _kind: CmdKind) -> bool {
        self.painter.is_on()
    }
}

impl Hinter for Assistant {
    type Hint = String;

    fn hint(&self, line: &str, pos: usize, ctx: &Context<'_>) -> Option<String> {
        // A hint that can't be told from what was typed would be a lie.
        if !self.painter.is_on() || line.is_empty() {
            return None;
        }
        let hint = self.hinter.hint(line, pos, ctx)?;
        (!hint.contains('\n')).then_some(hint)
    }
}

impl Validator for Assistant {
    fn validate(&self, ctx: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        let text = ctx.input();
        if Command::parse(text).is_some() {
            return Ok(ValidationResult::Valid(None));
        }
        let unfinished = self
            .state
            .try_borrow()
            .is_ok_and(|state| state.is_incomplete(text));
        Ok(if unfinished {
            ValidationResult::Incomplete
        } else {
            ValidationResult::Valid(None)
        })
    }
}
